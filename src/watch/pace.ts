/**
 * When a watcher runs next. PURE.
 *
 * A change here is waited for until it is quiet, but not for long; without one the interval decides, for a change there
 * announces itself to nobody. A run that only follows a hint does not put off the next look at everything. While the
 * storage is away each try waits longer, and a hint does not hurry it.
 */

export interface Pace {
  readonly intervalMs: number
  /** When the interval began: the last run that was due ended. Unix milliseconds. */
  readonly sinceMs: number
  /** When the last run ended, or the watch began. */
  readonly ranMs: number
  /** The first and the last hint that no run has looked at yet. */
  readonly hinted?: { readonly firstMs: number; readonly lastMs: number }
  readonly last: Ending
  /** Runs in a row that failed for a reason that may pass. */
  readonly failures: number
}

/**
 * How a run ended: `done`, whatever it did; `busy`: another run was at work; `away`: the storage, the network or the
 * directory is not there; `blocked`: it waits for the user.
 */
export type Ending = "done" | "busy" | "away" | "blocked"

/** An editor that saves writes a few times in a row. */
export const QUIET_MS = 60
/** A long copy is synced while it goes on. */
export const PATIENCE_MS = 1_000
/** A file that is written again within this time of a hint about it may bring no other one. */
export const TOLD_ONCE_MS = 50
const MANY_FILES = 20_000
const LIST_MANY_EVERY_MS = 5 * 60_000
const BUSY_MS = 1_000
const AWAY_MS = 1_000
/** No rarer than a look is usually: whoever comes back after hours is not kept waiting. */
const AWAY_MS_MAX = 60_000
/** A part of each wait is by chance, so that many devices do not come back at once. */
const JITTER = 0.2

/** Unix milliseconds. `share`: at least 0, less than 1. */
export function nextRunMs(pace: Pace, share: number): number {
  const { intervalMs, sinceMs, ranMs, hinted, last, failures } = pace
  const dueMs = sinceMs + intervalMs
  switch (last) {
    case "busy":
      return ranMs + BUSY_MS * (1 + JITTER * share)
    case "away": {
      const waitMs = Math.min(AWAY_MS * 2 ** Math.min(failures - 1, 20), AWAY_MS_MAX)
      return ranMs + waitMs * (1 + JITTER * share)
    }
    case "blocked":
    case "done":
      return hinted === undefined
        ? dueMs
        : Math.min(dueMs, hinted.lastMs + QUIET_MS, hinted.firstMs + PATIENCE_MS)
  }
}

/** Whether the next run is more than the answer to a hint: after a failure nothing is sure any more. */
export function isDue({ sinceMs, intervalMs, last }: Pace, nowMs: number): boolean {
  return last !== "done" || nowMs >= sinceMs + intervalMs
}

/**
 * Whether a run that is due lists both sides. To list very many is not free; in between it is enough to ask whether
 * anybody has written there. A clock that was set back is no reason to wait.
 */
export function isListingDue({
  files,
  sinceMs,
}: {
  readonly files: number
  readonly sinceMs: number
}): boolean {
  return files <= MANY_FILES || sinceMs < 0 || sinceMs >= LIST_MANY_EVERY_MS
}

export function afterHint(pace: Pace, nowMs: number): Pace {
  return { ...pace, hinted: { firstMs: pace.hinted?.firstMs ?? nowMs, lastMs: nowMs } }
}

/** A clock that was set back makes nothing wait for longer. */
export function afterClockStep(pace: Pace, nowMs: number): Pace {
  const { sinceMs, ranMs, hinted } = pace
  if (Math.max(sinceMs, ranMs) <= nowMs && (hinted === undefined || hinted.lastMs <= nowMs)) return pace
  const { hinted: _, ...rest } = pace
  return {
    ...rest,
    sinceMs: Math.min(sinceMs, nowMs),
    ranMs: Math.min(ranMs, nowMs),
    ...(hinted !== undefined && {
      hinted: { firstMs: Math.min(hinted.firstMs, nowMs), lastMs: Math.min(hinted.lastMs, nowMs) },
    }),
  }
}

/** A hint that came while the run was at work, or just before, may be about what it had looked at before. */
export function afterRun(
  pace: Pace,
  run: {
    readonly startedMs: number
    readonly endedMs: number
    readonly ending: Ending
    readonly wasDue: boolean
  },
): Pace {
  const { startedMs, endedMs, ending, wasDue } = run
  const isLate =
    pace.hinted !== undefined && (endedMs < startedMs || pace.hinted.lastMs + TOLD_ONCE_MS > startedMs)
  const { hinted: _, ...rest } = pace
  const kept = isLate || ending === "busy" || ending === "away" ? pace.hinted : undefined
  return {
    ...rest,
    sinceMs: wasDue ? endedMs : pace.sinceMs,
    ranMs: endedMs,
    last: ending,
    failures: ending === "away" ? pace.failures + 1 : 0,
    ...(kept !== undefined && { hinted: { ...kept, firstMs: Math.max(kept.firstMs, startedMs) } }),
  }
}
