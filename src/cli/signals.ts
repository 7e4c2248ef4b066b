/** Ctrl+C and SIGTERM: the first asks the run to stop at the next safe point, the second ends the process. */

export interface Stop {
  isStopped(): boolean
  release(): void
}

const INTERRUPTED = 130

export function stopOnSignals({
  onStop = () => undefined,
  alsoOnHangup = false,
}: {
  readonly onStop?: () => void
  /** Whoever works in the background ends cleanly too when its terminal is closed. */
  readonly alsoOnHangup?: boolean
} = {}): Stop {
  let stopped = false
  const onSignal = () => {
    if (stopped) process.exit(INTERRUPTED)
    stopped = true
    onStop()
  }
  const signals = ["SIGINT", "SIGTERM", ...(alsoOnHangup ? (["SIGHUP"] as const) : [])] as const
  for (const signal of signals) process.on(signal, onSignal)
  return {
    isStopped: () => stopped,
    release() {
      for (const signal of signals) process.off(signal, onSignal)
    },
  }
}
