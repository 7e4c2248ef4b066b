/**
 * Three devices at once on buckets in memory, which have the ways of servers of every tier.
 *
 * `DEVICES_SEED=n` replays one seed and tells its story; SOAK=1 tries many more.
 */

import { describe, expect, test } from "vitest"
import { SERVER_KINDS, type ServerKind } from "../backend/s3-storage.ts"
import { playRounds, type Report } from "./rounds.ts"
import { memorySite } from "./site.ts"

/** Together 200 rounds on each tier: a world of its own for every fifty meets more than one that grows old. */
const isSoak = process.env["SOAK"] !== undefined
const ROUNDS = Number(process.env["DEVICES_ROUNDS"] ?? (isSoak ? 200 : 50))
const SEEDS = Number(process.env["DEVICES_SEEDS"] ?? (isSoak ? 100 : 4))
const one = process.env["DEVICES_SEED"]
const FIRST_SEED = Number(one ?? 1)

describe.each(Object.entries(SERVER_KINDS))("on tier %s", (name, kind) => {
  test.each(Array.from({ length: one === undefined ? SEEDS : 1 }, (_, at) => FIRST_SEED + at))(
    "no version is lost, and all converge (seed %i)",
    async (seed) => {
      const report = await played(kind, seed)
      console.log(`tier ${name}: ${JSON.stringify(report)}`)
      expect(report.rounds).toBe(ROUNDS)
      // They did get into each other's way.
      expect(report.refused).toBeGreaterThan(0)
      expect(report.tombstones > 0).toBe(kind.verdict.tier === "B")
    },
  )
})

describe("a server that keeps less than its verdict says", () => {
  const { A, B, C } = SERVER_KINDS
  test.each([
    { what: "ignores all conditions", kind: { quirks: C.quirks, verdict: A.verdict } },
    {
      what: "ignores all conditions but is trusted with tombstones",
      kind: { quirks: C.quirks, verdict: B.verdict },
    },
    {
      what: "ignores the condition of a DELETE",
      kind: { quirks: { ignoresDeleteCondition: true }, verdict: A.verdict },
    },
    { what: "lets a DELETE race", kind: { quirks: { deleteRaces: true }, verdict: A.verdict } },
  ])("is found out where it $what", async ({ kind }) => {
    await expect(played(kind, FIRST_SEED)).rejects.toThrow(/unseen|lost|nobody saw/)
  })
})

async function played(kind: ServerKind, seed: number, rounds = ROUNDS): Promise<Report> {
  const story: string[] = []
  try {
    return await playRounds(memorySite(kind, seed), { seed, rounds, story })
  } catch (error) {
    if (one !== undefined) console.log(story.join("\n"))
    throw new Error(`DEVICES_SEED=${seed}: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    })
  }
}
