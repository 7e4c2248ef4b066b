/**
 * Conditions, many requests at once: exactly one may win, and what a server acknowledged must still be there.
 *
 * Servers that look first and write afterwards pass every question that is asked of them one by one.
 */

import { err, ok, type Result } from "../model/result.ts"
import {
  ABSENT,
  answered,
  bytesBody,
  finding,
  inLanes,
  isRefusal,
  match,
  must,
  type Probing,
  put,
  textAt,
  together,
} from "./probing.ts"
import type { Condition, Failure } from "../store/store.ts"
import type { Finding } from "../store/verdict.ts"

const RIVALS = 32
const PUT_ROUNDS = 4
const PUT_ROUNDS_AT_ONCE = 2
/** A round that nobody won says nothing and is asked again. */
const ATTEMPTS_MAX = 3
const EDITORS = 8
const ROUNDS_AT_ONCE = 8

export async function probeRaces(
  probing: Probing,
): Promise<Record<"race_match" | "race_create" | "race_delete", Finding>> {
  const rounds = Array.from({ length: PUT_ROUNDS }, (_, round) => round)
  const matched = await inLanes(PUT_ROUNDS_AT_ONCE, rounds, (round) =>
    hasOneWinner(probing, `race-match-${round}`, async (name) => {
      const base = must(await put(probing, name, "base"))
      return match(base.etag)
    }),
  )
  const created = await inLanes(PUT_ROUNDS_AT_ONCE, rounds, (round) =>
    hasOneWinner(probing, `race-create-${round}`, async () => ABSENT),
  )
  return {
    race_match: finding(matched.every(Boolean)),
    race_create: finding(created.every(Boolean)),
    race_delete: await raceDeletes(probing),
  }
}

async function hasOneWinner(
  probing: Probing,
  name: string,
  prepare: (name: string) => Promise<Condition>,
): Promise<boolean> {
  let last: Result<string, Failure> | undefined
  for (let attempt = 1; attempt <= ATTEMPTS_MAX; attempt++) {
    const place = `${name}-${attempt}`
    const condition = await prepare(place)
    const answers = await together(rivalsOf(RIVALS, (text) => rival(probing, place, { text, condition })))
    const winners = answers.flatMap((answer) => (answer.ok ? [answer.value] : []))
    if (winners.length > 0) return winners.length === 1 && (await textAt(probing, place)) === winners[0]
    last = answers.find((answer) => !answer.ok && !isRefusal(answer))
  }
  // Where it never got as far as refusing, nothing was learned of its conditions.
  if (last !== undefined) answered(last)
  return false
}

function rivalsOf<T>(count: number, ask: (text: string) => Promise<T>): readonly Promise<T>[] {
  return Array.from({ length: count }, (_, index) => ask(`rival ${index}`))
}

/**
 * Answers its own text where it won. A server may break or be busy when many ask at once (Ceph does), and that is no
 * reason to end the probe: this rival has not won for certain, and what the others were told still counts.
 */
async function rival(
  { store, prefix, written }: Probing,
  name: string,
  bid: { readonly text: string; readonly condition: Condition },
): Promise<Result<string, Failure>> {
  const key = prefix + name
  written.add(key)
  const won = await store.put(key, bytesBody(bid.text), { metadata: {}, condition: bid.condition })
  if (won.ok) return ok(bid.text)
  const hasBroken = won.error.status !== undefined && won.error.status >= 500
  return hasBroken ? err(won.error) : answered(err(won.error))
}

type Outcome = "edited" | "removed" | "neither" | "broken"

/**
 * The one that decides between a delete by condition and one by tombstone. A race that the same side wins every time
 * was none: then nothing is proven, and the tombstone is right whatever the server does.
 */
async function raceDeletes(probing: Probing): Promise<Finding> {
  const rounds = Array.from({ length: probing.rounds }, (_, round) => round)
  const seen = new Set<Outcome>()
  await inLanes(ROUNDS_AT_ONCE, rounds, async (round) => {
    if (!seen.has("broken")) seen.add(await raceDelete(probing, round))
  })
  return finding(seen.has("edited") && seen.has("removed") && !seen.has("broken"))
}

/**
 * All name the same version, so a server that judges and writes in one piece carries out one of them. Where it
 * acknowledged two, one was judged before and carried out after the other: the order in which nothing was lost this
 * time is luck, and far more frequent than the one that shows a loss.
 */
async function raceDelete(probing: Probing, round: number): Promise<Outcome> {
  const name = `race-delete-${round}`
  const { etag } = must(await put(probing, name, "base"))
  const remove = async (): Promise<Result<undefined, Failure>> => {
    const removed = answered(await probing.store.remove(probing.prefix + name, { ifMatch: etag }))
    return removed.ok ? ok(undefined) : removed
  }
  const editors = Array.from(
    { length: EDITORS },
    (_, index) => () => rival(probing, name, { text: `edit ${index}`, condition: match(etag) }),
  )
  // Whoever is sent first would nearly always come first.
  const place = round % (EDITORS + 1)
  const requests = [...editors.slice(0, place), remove, ...editors.slice(place)]
  const answers = await together<Result<string | undefined, Failure>>(requests.map((send) => send()))
  const carriedOut = answers.flatMap((answer) => (answer.ok ? [answer.value] : []))
  if (carriedOut.length === 0) return "neither"
  if (carriedOut.length > 1) return "broken"
  const [text] = carriedOut
  if (text === undefined) return "removed"
  return (await textAt(probing, name)) === text ? "edited" : "broken"
}
