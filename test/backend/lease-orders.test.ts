/**
 * Every order of three devices that want to write under a lease, with crashes, lost and late requests and clocks that
 * lie: no write replaces another device's acknowledged one unseen. Without any one of the rules, one does.
 */

import { describe, expect, test } from "vitest"
import type { Sighting } from "../../src/backend/lease-rules.ts"
import { search } from "../protocol/model.ts"
import { leaseProtocol, RULES, type Rules, type Size } from "./lease-model.ts"

const isSoak = process.env.SOAK !== undefined
const THREE: Size = {
  devices: 3,
  acquisitions: 3,
  renewals: 1,
  writes: 2,
  lies: isSoak ? 1 : 0,
  ages: "storage",
}
const LYING: Size = { ...THREE, devices: 2, acquisitions: isSoak ? 3 : 2, lies: 1 }
const OBSERVING: Size = { ...THREE, devices: 2, acquisitions: isSoak ? 3 : 2, ages: "observer" }

test.each([
  { rule: "three devices, flags dying by the storage's clock", size: THREE },
  { rule: "two devices, whose clocks lie", size: LYING },
  { rule: "two devices, flags dying by each observer's clock", size: OBSERVING },
])("replaces nothing unseen in any order: $rule", { timeout: 900_000 }, ({ rule, size }) => {
  const { states, violation, way, taken } = search(leaseProtocol(RULES, size))
  console.info(`lease, ${rule}: ${states} states`)
  expect(violation, way.join(" > ")).toBeUndefined()
  for (const step of [
    "sees another's flag",
    "holds",
    "is told of its renewal",
    "releases",
    "a write lands",
    "a flag goes up",
  ])
    expect(taken).toContain(step)
})

/** Enough to find what is wrong. */
const TWIN: Size = { ...THREE, devices: 2, acquisitions: 2, lies: 0 }
const after = (ms: number) => (sighting: Sighting) =>
  RULES.isDead({ ...sighting, ageMs: (sighting.ageMs ?? 0) + 600_000 - ms })

describe("finds a write that replaces another unseen", () => {
  test.each<{ readonly rule: string; readonly rules: Partial<Rules>; readonly size?: Size }>([
    { rule: "where a device writes however old its renewal is", rules: { mayWriteAt: () => true } },
    { rule: "where the clock of a renewal starts at its answer", rules: { startsClock: "at_answer" } },
    { rule: "where flags are listed before the own one is put", rules: { order: "list_then_put" } },
    { rule: "where a flag is dead after four minutes", rules: { isDead: after(4 * 60_000) } },
    { rule: "where a flag is dead after seven minutes", rules: { isDead: after(7 * 60_000) } },
    { rule: "where a renewal may be sent at any time", rules: { mayRenewAt: () => true } },
    { rule: "where a flag is taken away with a write under way", rules: { mayTakeAway: () => true } },
    {
      rule: "where a device has one flag for all its acquisitions",
      rules: { names: "one_per_device" },
      size: { ...TWIN, acquisitions: 3 },
    },
    {
      rule: "where only the monotonic clock is asked",
      rules: {
        mayWriteAt: (since, now) => RULES.mayWriteAt({ ...since, wallMs: 0 }, { ...now, wallMs: 0 }),
      },
      size: { ...TWIN, lies: 1 },
    },
    {
      rule: "where only the wall clock is asked",
      rules: {
        mayWriteAt: (since, now) =>
          RULES.mayWriteAt({ ...since, monotonicMs: 0 }, { ...now, monotonicMs: 0 }),
      },
      size: { ...TWIN, lies: 1 },
    },
  ])("$rule", { timeout: 900_000 }, ({ rules, size }) => {
    const { states, violation, way } = search(leaseProtocol({ ...RULES, ...rules }, size ?? TWIN))
    console.info(`${states} states: ${way.join(" > ")}`)
    expect(violation).toBeDefined()
  })
})
