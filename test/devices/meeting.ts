/**
 * Makes runs of several devices meet: each waits before a write until every run that is still going has one to make,
 * or sleeps until a lease is free. Then they go on together, in an order that the seed decides.
 *
 * Time passes for those who sleep when nobody else can go on, so nothing here takes any.
 */

import type { Prng } from "../simulation/random.ts"

export interface Meeting {
  begin(who: string): void
  end(who: string): void
  /** Right before a write. */
  beforeWrite(who: string): Promise<void>
  sleep(who: string, ms: number): Promise<void>
  /** How often writes of two devices or more were let go together. */
  met(): number
}

interface Waiting {
  readonly who: string
  go(): void
}

interface Sleeping extends Waiting {
  readonly untilMs: number
}

const HASTES = [0.1, 0.5, 0.97]

export function newMeeting(prng: Prng, clock: { monotonicMs(): number; advance(ms: number): void }): Meeting {
  const going = new Set<string>()
  let writing: readonly Waiting[] = []
  let sleeping: readonly Sleeping[] = []
  let isArmed = false
  let met = 0
  /** How often those who sleep wake before a write is let go; where they often do, some give up. */
  let haste = 0.5

  const areAllWaiting = () =>
    [...going].every((who) => [...writing, ...sleeping].some((waiting) => waiting.who === who))

  const release = () => {
    isArmed = false
    if (writing.length + sleeping.length === 0 || !areAllWaiting()) return
    const earliest = sleeping.toSorted((a, b) => a.untilMs - b.untilMs)[0]
    if (earliest !== undefined && (writing.length === 0 || prng.chance(haste))) {
      sleeping = sleeping.filter((each) => each !== earliest)
      clock.advance(Math.max(earliest.untilMs - clock.monotonicMs(), 0))
      earliest.go()
      return
    }
    // Now and then only some go, so that a write may find what the whole delete of somebody else left.
    const chosen = prng.chance(0.7) ? writing : writing.filter(() => prng.chance(0.5))
    const leaving = chosen.length > 0 ? shuffled(prng, chosen) : writing.slice(0, 1)
    writing = writing.filter((each) => !leaving.includes(each))
    if (new Set(leaving.map(({ who }) => who)).size > 1) met += 1
    for (const each of leaving) each.go()
    arm()
  }

  /** Twice round the loop, so that more writes of the same runs come to the meeting. */
  const arm = () => {
    if (isArmed || !areAllWaiting()) return
    isArmed = true
    setImmediate(() => setImmediate(release))
  }

  return {
    begin(who) {
      if (going.size === 0) haste = prng.pick(HASTES)
      going.add(who)
    },
    end(who) {
      going.delete(who)
      arm()
    },
    beforeWrite: (who) =>
      new Promise((go) => {
        writing = [...writing, { who, go }]
        arm()
      }),
    sleep: (who, ms) =>
      new Promise((go) => {
        sleeping = [...sleeping, { who, go, untilMs: clock.monotonicMs() + ms }]
        arm()
      }),
    met: () => met,
  }
}

function shuffled<T>(prng: Prng, items: readonly T[]): readonly T[] {
  return items
    .map((item) => ({ item, at: prng.next() }))
    .toSorted((a, b) => a.at - b.at)
    .map(({ item }) => item)
}

/** Lets one request at a time take effect, whichever the seed says. */
export function newTurns(prng: Prng): () => Promise<void> {
  const waiting: (() => void)[] = []
  let isArmed = false
  const arm = () => {
    if (isArmed || waiting.length === 0) return
    isArmed = true
    setImmediate(() => {
      isArmed = false
      const [next] = waiting.splice(prng.below(waiting.length), 1)
      next?.()
      arm()
    })
  }
  return () =>
    new Promise((go) => {
      waiting.push(go)
      arm()
    })
}
