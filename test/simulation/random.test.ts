/**
 * The random simulation. `SIM_SEED=n` replays one seed with its trace, `SIM_RUNS=n` runs that many, SOAK=1 200,000.
 * 1,000 by default: a run takes some 40 ms, most of it the engine itself.
 * Seeds that once failed stay in fixtures/seeds and are replayed by every run.
 */

import { readdirSync, readFileSync } from "node:fs"
import { expect, test } from "vitest"
import { simulate } from "./random-run.ts"

const isSoak = process.env["SOAK"] !== undefined
const RUNS = Number(process.env["SIM_RUNS"] ?? (isSoak ? 200_000 : 1_000))
const FIRST_SEED = Number(process.env["SIM_FIRST"] ?? 1)
const FAILURES_MAX = 10
const SEEDS = new URL("../../fixtures/seeds/", import.meta.url)
const one = process.env["SIM_SEED"]

interface FoundSeed {
  readonly seed: number
  readonly rule: string
}

const FOUND = readdirSync(SEEDS)
  .filter((name) => name.startsWith("simulation-"))
  .sort()
  .map((name) => JSON.parse(readFileSync(new URL(name, SEEDS), "utf8")) as FoundSeed)

if (one === undefined) testManySeeds()
else
  test("replays one seed", async () => {
    await simulate(Number(one), { traces: true })
  })

test.each(FOUND)("holds for a seed that once failed: $rule ($seed)", async ({ seed }) => {
  await simulate(seed, { hasGlances: false })
})

function testManySeeds(): void {
  test(
    "loses nothing and ends equal, whatever happens",
    async () => {
      const began = performance.now()
      const failures: string[] = []
      let ticks = 0
      let faults = 0
      let glances = 0
      for (let seed = FIRST_SEED; seed < FIRST_SEED + RUNS && failures.length < FAILURES_MAX; seed++) {
        try {
          const report = await simulate(seed)
          ticks += report.ticks
          faults += report.faults
          glances += report.glances
        } catch (error) {
          failures.push(`SIM_SEED=${seed}: ${error instanceof Error ? error.message : String(error)}`)
        }
      }
      const seconds = ((performance.now() - began) / 1000).toFixed(1)
      console.log(
        `random simulation: ${RUNS} runs, ${ticks} ticks, ${faults} faults, ${glances} sent by a glance in ${seconds} s`,
      )
      expect(failures).toEqual([])
      expect(glances).toBeGreaterThan(0)
    },
    isSoak ? 24 * 3_600_000 : 600_000,
  )
}
