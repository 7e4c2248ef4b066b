/**
 * Every order of two deleters and writers (three with SOAK=1), with crashes, lost requests, delays and clocks that jump: no write
 * that was acknowledged is ever deleted. Without any one of the rules of time, one is.
 */

import { expect, test } from "vitest"
import { explore } from "./explore.ts"
import { RULES, tombstoneModel } from "./tombstone-model.ts"

const SIZE = {
  deleters: ["d", "e"],
  writers: process.env.SOAK === undefined ? ["x"] : ["x", "y", "z"],
}

test("loses no acknowledged write in any order", { timeout: 300_000 }, () => {
  const { states, violation } = explore(tombstoneModel(RULES, SIZE))
  console.info(`tombstone: ${states} states`)
  expect(violation).toBeUndefined()
  expect(states).toBeGreaterThan(10_000)
})

test.each([
  { without: "the 30 seconds", rules: { ...RULES, maySend: () => true } },
  {
    without: "a clock that starts at the sending of the tombstone",
    rules: {
      ...RULES,
      maySend: ({ answered }: { readonly answered: number }) => answered < 30_000,
    },
  },
  { without: "the ten minutes", rules: { ...RULES, isAbandoned: (ageMs: number) => ageMs >= 40_000 } },
  {
    without: "an expiry, and the twenty minutes that stand in for it",
    rules: { ...RULES, expiresMs: Number.POSITIVE_INFINITY },
  },
])("finds a lost write without $without", { timeout: 300_000 }, ({ rules }) => {
  expect(explore(tombstoneModel(rules, SIZE)).violation).toBeDefined()
})
