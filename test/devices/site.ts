/**
 * Where three devices meet: a bucket in memory with the ways of some server, and the clocks that everybody shares.
 * `server-site.ts` has the same on real servers.
 */

import { emptyObjects, memoryStore, type MemoryObjects } from "../../src/store/memory-store.ts"
import type { ObjectStore } from "../../src/store/store.ts"
import type { Verdict } from "../../src/store/verdict.ts"
import type { ServerKind } from "../backend/s3-storage.ts"
import { type Prng, prngOf } from "../simulation/random.ts"
import { newTurns } from "./meeting.ts"
import type { Sight } from "./sight.ts"

export interface Clocks {
  nowMs(): number
  monotonicMs(): number
  /** Somebody slept. */
  advance(ms: number): void
}

export interface Site {
  readonly verdict: Verdict
  readonly clocks: Clocks
  /** A client of its own for a device. */
  connect(sight: Sight): Promise<ObjectStore>
  /** For the test, and for nobody of the devices. */
  readonly foreign: ObjectStore
  /** Between two rounds: so much time passes for everybody, the server too, where it can. */
  later(ms: number): void
  close(): Promise<void>
}

const FIRST_MS = Date.UTC(2026, 2, 2)

export function memorySite({ quirks, verdict }: ServerKind, seed: number): Site {
  const bucket: MemoryObjects = emptyObjects()
  const prng: Prng = prngOf(seed ^ 0x7)
  const turn = newTurns(prng)
  let passedMs = 0
  const nowMs = () => FIRST_MS + passedMs
  const advance = (ms: number) => {
    passedMs += ms
  }
  return {
    verdict,
    clocks: { nowMs, monotonicMs: () => passedMs, advance },
    foreign: memoryStore({ bucket, nowMs }),
    connect: async (sight) =>
      memoryStore({
        bucket: sight.watched(bucket),
        quirks,
        nowMs,
        async tick(_request, _key, phase) {
          if (phase === "after") return undefined
          advance(1)
          await turn()
          return undefined
        },
      }),
    later: advance,
    close: async () => undefined,
  }
}
