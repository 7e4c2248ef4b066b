/**
 * Time as tests have it: it passes only while somebody sleeps, and at once.
 */

import type { Clock } from "../../src/model/ports.ts"

export interface TestTime {
  readonly clock: Clock
  readonly sleep: (ms: number) => Promise<void>
  /** Every sleep so far, in milliseconds. */
  readonly slept: readonly number[]
  pass(ms: number): void
}

export function testTime(startMs = Date.now()): TestTime {
  let nowMs = startMs
  const slept: number[] = []
  return {
    clock: { nowMs: () => nowMs },
    slept,
    async sleep(ms) {
      slept.push(ms)
      nowMs += ms
      // Others get their turn, as in a real sleep.
      await new Promise((resolve) => setImmediate(resolve))
    },
    pass(ms) {
      nowMs += ms
    },
  }
}
