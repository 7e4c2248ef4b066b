/**
 * How long a server is waited for, and how often it is asked again.
 *
 * The SDK sends a request again by itself a few times. What is here goes on where it gave up because the server is
 * busy: everybody waits longer and at random, fewer ask at once, and a storm that does not end uses up a budget that
 * only success refills. So every request ends within about a minute, and then says `busy`.
 */

import type { Result } from "../model/result.ts"
import type { Failure } from "../store/store.ts"

export interface Patience {
  readonly connectMs: number
  /** A connection over which nothing goes for that long is given up, also in the middle of a body. */
  readonly idleMs: number
  /** Of the SDK, for one request. */
  readonly attemptsMax: number
  wait(delayMs: number): Promise<void>
  /** At least 0, less than 1. */
  random(): number
}

export const PATIENCE: Patience = {
  connectMs: 10_000,
  idleMs: 30_000,
  attemptsMax: 5,
  wait: (delayMs) => new Promise((resolve) => setTimeout(resolve, delayMs)),
  random: Math.random,
}

/**
 * No attempt of the SDK leaves later than this after its request was asked for, and no request is asked for again
 * later than the second after its first time. Together they stay below the five minutes after which the holder of a
 * lease must not write any more (`lease-rules.ts`).
 */
export const SEND_MS_MAX = 120_000
const RETRY_MS_MAX = 60_000

export const LANES_MAX = 64
const TRIES_MAX = 5
const BUDGET_MAX = 128
const REFUND = 0.5
const DELAY_MS = 1000
const DELAY_MS_MAX = 8000

export interface Limiter {
  /** Asks, and asks again while the server is busy or `isRetried` says so. */
  run<T>(
    ask: () => Promise<Result<T, Failure>>,
    options: { readonly isRetried: (failure: Failure) => boolean },
  ): Promise<Result<T, Failure>>
}

export function createLimiter(patience: Patience, monotonicMs: () => number): Limiter {
  const lanes = createLanes()
  let budget = BUDGET_MAX
  return {
    async run(ask, { isRetried }) {
      const startedMs = monotonicMs()
      for (let tries = 1; ; tries++) {
        const result = await lanes.within(ask)
        const isBusy = !result.ok && result.error.kind === "busy"
        lanes.adapt(isBusy)
        if (result.ok) budget = Math.min(BUDGET_MAX, budget + REFUND)
        if (result.ok || !(isBusy || isRetried(result.error))) return result
        if (tries === TRIES_MAX || budget < 1 || monotonicMs() - startedMs > RETRY_MS_MAX) return result
        budget--
        const delayMsMax = Math.min(DELAY_MS_MAX, DELAY_MS * 2 ** (tries - 1))
        await patience.wait(patience.random() * delayMsMax)
      }
    },
  }
}

/** So many requests at once as the server bears: half after each that found it busy, slowly more after each success. */
function createLanes() {
  const waiting: (() => void)[] = []
  let lanes = LANES_MAX
  let running = 0
  return {
    async within<T>(ask: () => Promise<T>): Promise<T> {
      if (running < Math.floor(lanes)) running++
      else await new Promise<void>((resolve) => waiting.push(resolve))
      try {
        return await ask()
      } finally {
        running--
        for (let next = waiting[0]; next !== undefined && running < Math.floor(lanes); next = waiting[0]) {
          waiting.shift()
          running++
          next()
        }
      }
    },
    adapt(isBusy: boolean): void {
      lanes = isBusy ? Math.max(1, lanes / 2) : Math.min(LANES_MAX, lanes + 1 / lanes)
    },
  }
}
