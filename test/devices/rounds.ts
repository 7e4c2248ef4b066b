/**
 * Rounds of three devices: everybody's user edits, then all of them sync at the same moment. Everything follows from
 * the seed, but for what a real server does at once.
 *
 * After every round: no version lost (G1), and nothing replaced that the writer had not seen (G8). Once nobody edits
 * any more, runs one after the other make all equal (G4), and further ones have nothing to do (G5).
 */

import type { Cycle } from "../../src/engine/cycle.ts"
import type { SyncError } from "../../src/model/errors.ts"
import type { Result } from "../../src/model/result.ts"
import { Oracle, Violation } from "../simulation/oracle.ts"
import { type Prng, prngOf } from "../simulation/random.ts"
import { type BucketLook, bucketEye } from "./bucket-look.ts"
import { type Device, expectRan, isCut, openDevice } from "./device.ts"
import { editRound } from "./edits.ts"
import { newMeeting } from "./meeting.ts"
import { expectSettled, type Fleet } from "./settled.ts"
import type { Site } from "./site.ts"
import { storyOf } from "./story.ts"

export const DEVICES = 3
/** Most begin at once; whoever is late may meet what is half done. */
const LATE_BY = [0, 0, 0, 0, 1, 2, 3]
const PROFILES = ["safe", "balanced", "fast"] as const
const WAITS_MS = [0, 100, 1_500, 5_000, 20_000, 61_000, 700_000]

export interface Report {
  readonly rounds: number
  readonly runs: number
  /** How often writes of several devices were sent together. */
  readonly met: number
  /** Steps that found another version than the planned one. */
  readonly refused: number
  /** Runs that gave up waiting for the lease. */
  readonly held: number
  /** Runs that the server's own trouble ended. */
  readonly cut: number
  readonly conflicts: number
  /** Deletes of others that runs met half done. */
  readonly tombstones: number
}

export interface RoundsOptions {
  readonly seed: number
  readonly rounds: number
  /** A server may answer nonsense about what others are just writing; such a run ends, and the next goes on. */
  readonly mayBeCut?: boolean
  /** Stops early where a server is slow. */
  readonly untilMs?: number
  readonly story?: string[]
}

export async function playRounds(site: Site, options: RoundsOptions): Promise<Report> {
  const prng = prngOf(options.seed)
  const tell = (line: string) => void options.story?.push(line)
  const meeting = newMeeting(prng.fork(), site.clocks)
  const devices: Device[] = []
  for (let index = 0; index < DEVICES; index++)
    devices.push(
      await openDevice(site, {
        index,
        meeting,
        prng: prngOf(prng.below(2 ** 31)),
        profile: prng.pick(PROFILES),
      }),
    )
  const fleet: Fleet = { site, devices, look: bucketEye(site.foreign), tell }
  const tally = { rounds: 0, runs: 0, refused: 0, held: 0, cut: 0, conflicts: 0, tombstones: 0 }
  const count = (result: Result<Cycle, SyncError>) => {
    tally.runs += 1
    if (isCut(result)) tally.cut += 1
    else if (!result.ok) tally.held += 1
    else if (result.value.kind === "performed") {
      const { outcomes, conflicts } = result.value.performed
      tally.refused += outcomes.filter(isRefused).length
      tally.conflicts += conflicts.length
      tally.tombstones += result.value.prepared.look.tombstones.length
    }
  }
  try {
    await play(fleet, { ...options, prng, count, onRound: () => void (tally.rounds += 1) })
  } finally {
    for (const device of devices) device.close()
  }
  return { ...tally, met: meeting.met() }
}

async function play(
  fleet: Fleet,
  options: RoundsOptions & {
    readonly prng: Prng
    readonly count: (result: Result<Cycle, SyncError>) => void
    readonly onRound: () => void
  },
): Promise<void> {
  const { site, devices, tell } = fleet
  const { prng, rounds, untilMs = Number.POSITIVE_INFINITY, count, onRound } = options
  let seen = await fleet.look()
  const oracle = new Oracle({
    files: () => [...devices.flatMap(({ disk }) => [...disk.all()]), ...seen.notes],
    kept: () => devices.flatMap((device) => [...device.kept()]),
  })
  for (const device of devices) {
    await device.adopt()
    expectRan(device, await device.sync({ union: "setup" }))
  }
  let writes = 0
  const nextNumber = () => ++writes
  for (let round = 1; round <= rounds && performance.now() < untilMs; round++) {
    tell(`round ${round}`)
    editRound(devices, { prng, site, oracle, tell, nextNumber })
    const results = await Promise.all(devices.map((device) => device.sync({ lateBy: prng.pick(LATE_BY) })))
    for (const [index, device] of devices.entries()) {
      const result = results[index]
      if (result === undefined) continue
      tell(`  ${device.name} ${storyOf(result)}`)
      expectRan(device, result, options)
      count(result)
    }
    seen = await fleet.look()
    oracle.check(`round ${round}`)
    expectSighted(devices, seen)
    site.later(prng.pick(WAITS_MS))
    onRound()
  }
  await expectSettled(fleet)
  seen = await fleet.look()
  oracle.check("the end")
  expectSighted(devices, seen)
}

function isRefused(outcome: {
  readonly kind: string
  readonly trouble?: { readonly code: string }
}): boolean {
  return outcome.kind === "skipped" && outcome.trouble?.code === "changed_since"
}

function expectSighted(devices: readonly Device[], { etags }: BucketLook): void {
  const written = devices.map(({ sight }) => sight.takeWritten())
  for (const [index, device] of devices.entries()) {
    const [blind] = device.sight.blind
    if (blind !== undefined) throw new Violation(blind)
    for (const [key, etag] of written[index] ?? []) {
      const isSeen = devices.some((other) => other !== device && other.sight.hasSeen(key, etag))
      if (etags.get(key) !== etag && !isSeen)
        throw new Violation(`what ${device.name} wrote to ${key} is gone, and nobody saw it`)
    }
  }
}
