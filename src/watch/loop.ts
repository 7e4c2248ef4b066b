/**
 * The watch itself: waits until a run is due, runs, and waits again, until it is told to stop.
 *
 * It holds nothing between runs, neither a lock nor a connection. It looks at the clock once a second at least, so a
 * machine that slept runs as soon as it is awake, and a clock that is set back holds nothing up.
 */

import type { Clock } from "../model/ports.ts"
import { afterClockStep, afterHint, afterRun, type Ending, isDue, nextRunMs, type Pace } from "./pace.ts"

export interface LoopOptions {
  readonly intervalMs: number
  readonly clock: Clock
  /** At least 0, less than 1. */
  readonly random: () => number
  /** Due: it is time to look at everything; else there was a hint. */
  readonly run: (isDue: boolean) => Promise<Ending>
  /** Told before each wait. */
  readonly onNext?: (atMs: number) => void
  /** Unix milliseconds until which nothing runs; nothing where it is not paused. */
  readonly pausedUntilMs?: () => number | undefined
}

export interface Loop {
  /** Something may have changed. */
  hint(): void
  /** Ends after the run that is at work. */
  stop(): void
  /** Answers how many runs there were. */
  readonly ended: Promise<number>
}

const LOOK_MS_MAX = 1_000

export function startLoop(options: LoopOptions): Loop {
  const { clock, intervalMs } = options
  const longAgoMs = clock.nowMs() - intervalMs
  let pace: Pace = { intervalMs, sinceMs: longAgoMs, ranMs: longAgoMs, last: "done", failures: 0 }
  const stopping = new AbortController()
  const { signal } = stopping
  let wake: () => void = () => undefined
  const nextAt = (share: number) => Math.max(nextRunMs(pace, share), options.pausedUntilMs?.() ?? 0)
  const untilDue = async (): Promise<void> => {
    const share = options.random()
    for (let told = 0; !signal.aborted; ) {
      pace = afterClockStep(pace, clock.nowMs())
      const atMs = nextAt(share)
      const leftMs = atMs - clock.nowMs()
      if (leftMs <= 0) return
      if (told !== atMs) options.onNext?.(atMs)
      told = atMs
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, Math.min(leftMs, LOOK_MS_MAX))
        wake = () => {
          clearTimeout(timer)
          resolve()
        }
      })
    }
  }
  const go = async (): Promise<number> => {
    let runs = 0
    while (!signal.aborted) {
      await untilDue()
      if (signal.aborted) break
      const startedMs = clock.nowMs()
      const wasDue = isDue(pace, startedMs)
      const ending = await options.run(wasDue)
      runs += 1
      pace = afterRun(pace, { startedMs, endedMs: clock.nowMs(), ending, wasDue })
    }
    return runs
  }
  return {
    hint() {
      pace = afterHint(pace, clock.nowMs())
      wake()
    },
    stop() {
      stopping.abort()
      wake()
    },
    ended: go(),
  }
}
