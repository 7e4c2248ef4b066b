/** Clocks and waiting for those who speak to a network. */

import { uptime } from "node:os"

/** One clock for all processes of this machine, so that what one of them saw counts for the next. */
const STARTED_MS = uptime() * 1000 - performance.now()
export function monotonicMs(): number {
  return STARTED_MS + performance.now()
}

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
