/** Counts what a run did, and says with which exit code it ends. */

import type { Notice } from "../model/action.ts"
import { isOutage } from "../model/errors.ts"
import type { RunCounts } from "../model/event.ts"
import type { ConflictId } from "../model/ids.ts"
import type { Side } from "../model/side.ts"
import type { Outcome } from "../execute/execute.ts"

export function countsOf(outcomes: readonly Outcome[]): RunCounts {
  const counts = {
    uploaded: 0,
    downloaded: 0,
    deletedLocal: 0,
    deletedRemote: 0,
    moved: 0,
    merged: 0,
    restored: 0,
    skipped: 0,
    bytesUp: 0,
    bytesDown: 0,
  }
  for (const { kind, action } of outcomes) {
    if (kind === "skipped") {
      counts.skipped += 1
      continue
    }
    for (const step of action.steps) {
      if (step.kind === "write" && step.side === "remote") counts.bytesUp += step.sizeBytes
      if (step.kind === "write" && step.side === "local") counts.bytesDown += step.sizeBytes
    }
    const writes = (side: Side) => action.steps.some((step) => step.kind === "write" && step.side === side)
    if (action.op === "move") counts.moved += 1
    else if (action.change === "delete") {
      if (action.steps.some(({ side }) => side === "local")) counts.deletedLocal += 1
      if (action.steps.some(({ side }) => side === "remote")) counts.deletedRemote += 1
    } else if (action.conflict?.copies === undefined) {
      if (action.op === "merge") counts.merged += 1
      if (action.op === "restore") counts.restored += 1
      if (writes("remote")) counts.uploaded += 1
      else counts.downloaded += 1
    }
  }
  return counts
}

/**
 * 0 done, 1 the storage failed in the middle, 2 some paths could not be synced, 6 conflicts were left open; the first
 * of them in the order 1, 6, 2.
 */
export function exitOf(at: {
  readonly outcomes: readonly Outcome[]
  readonly notices: readonly Notice[]
  readonly open: readonly ConflictId[]
}): number {
  if (at.outcomes.some((outcome) => outcome.kind === "skipped" && isOutage(outcome.trouble.code))) return 1
  if (at.open.length > 0) return 6
  const isIncomplete =
    at.outcomes.some(({ kind }) => kind === "skipped") ||
    at.notices.some(({ kind }) => kind !== "kept_changed")
  return isIncomplete ? 2 : 0
}
