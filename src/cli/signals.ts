/** Ctrl+C and SIGTERM: the first asks the run to stop at the next safe point, the second ends the process. */

export interface Stop {
  isStopped(): boolean
  release(): void
}

const INTERRUPTED = 130

export function stopOnSignals(): Stop {
  let stopped = false
  const onSignal = () => {
    if (stopped) process.exit(INTERRUPTED)
    stopped = true
  }
  process.on("SIGINT", onSignal)
  process.on("SIGTERM", onSignal)
  return {
    isStopped: () => stopped,
    release() {
      process.off("SIGINT", onSignal)
      process.off("SIGTERM", onSignal)
    },
  }
}
