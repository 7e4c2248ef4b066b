/**
 * The random simulation over buckets on servers of every tier. `SIM_SEED=n SIM_REMOTE="bucket B"` replays one with its
 * trace, `SIM_RUNS=n` runs that many of each, SOAK=1 20,000.
 */

import { expect, test } from "vitest"
import { BUCKET_KINDS, type BucketKind } from "./bucket.ts"
import { simulate } from "./random-run.ts"

const isSoak = process.env["SOAK"] !== undefined
const RUNS = Number(process.env["SIM_RUNS"] ?? (isSoak ? 20_000 : 100))
const FIRST_SEED = Number(process.env["SIM_FIRST"] ?? 1)
const FAILURES_MAX = 5
const one = process.env["SIM_SEED"]
const KINDS = Object.keys(BUCKET_KINDS) as readonly BucketKind[]

test.each(KINDS.filter((kind) => [undefined, kind].includes(process.env["SIM_REMOTE"] as BucketKind)))(
  "loses nothing and ends equal over a %s, whatever happens",
  async (remote) => {
    if (one !== undefined) {
      await simulate(Number(one), { remote, traces: true })
      return
    }
    const failures: string[] = []
    for (let seed = FIRST_SEED; seed < FIRST_SEED + RUNS && failures.length < FAILURES_MAX; seed++) {
      try {
        await simulate(seed, { remote })
      } catch (error) {
        failures.push(`SIM_SEED=${seed}: ${error instanceof Error ? error.message : String(error)}`)
      }
    }
    expect(failures).toEqual([])
  },
  isSoak ? 24 * 3_600_000 : 600_000,
)
