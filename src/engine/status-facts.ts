/**
 * What `status` says of the history and of conflicts, gathered at the end of a run while the journal is open anyway.
 *
 * It must cost next to nothing: what this run cannot have changed is taken over from the last time.
 */

import type { RunKind } from "../model/event.ts"
import type { RunId } from "../model/ids.ts"
import { prefixRange, runPrefix, START_PREFIX } from "../fold/indexes.ts"
import { listConflicts } from "./conflicts-query.ts"
import type { Ledger } from "./ledger.ts"
import { newestUndoable } from "./target.ts"

export interface StatusFacts {
  readonly runs: number
  readonly open: number
  /** When the conflicts of the last days were decided that still are as decided; newest first. */
  readonly decided: readonly string[]
  /** Absent: not known. */
  readonly can_undo?: string | null
  readonly can_redo?: string | null
}

export async function gatherFacts(
  ledger: Ledger,
  run: RunId,
  before: StatusFacts | undefined,
): Promise<StatusFacts> {
  const about = await lookAt(ledger, run)
  const isSync = about.kind === "bisync" || about.kind === "resync"
  const isUntouched = before !== undefined && isSync && !about.hasConflicts && before.open === 0
  const conflicts = isUntouched ? { open: 0, decided: before.decided } : await countConflicts(ledger)
  return { runs: await countRuns(ledger), ...conflicts, ...(await nextSteps(ledger, { run, about, before })) }
}

interface About {
  readonly kind: RunKind
  readonly hasConflicts: boolean
  readonly didSomething: boolean
}

/** Of a run that found nothing to do the index has no events. */
async function lookAt(ledger: Ledger, run: RunId): Promise<About> {
  let kind: RunKind = "bisync"
  let hasConflicts = false
  let didSomething = false
  for await (const event of ledger.find(runPrefix(run), { limit: 1 }))
    if (event.type === "run.started") kind = event.kind
  for await (const event of ledger.find(runPrefix(run), { reverse: true, limit: 1 })) {
    if (event.type !== "run.finished") continue
    const { skipped: _, bytesUp: __, bytesDown: ___, ...counts } = event.counts
    hasConflicts = event.conflicts.length > 0
    didSomething = Object.values(counts).some((count) => count > 0)
  }
  return { kind, hasConflicts, didSomething }
}

async function nextSteps(
  ledger: Ledger,
  {
    run,
    about,
    before,
  }: { readonly run: RunId; readonly about: About; readonly before: StatusFacts | undefined },
): Promise<Pick<StatusFacts, "can_undo" | "can_redo">> {
  const redo = before?.can_redo === undefined ? {} : { can_redo: before.can_redo }
  switch (about.kind) {
    case "undo":
      return { can_undo: (await newestUndoable(ledger)) ?? null, can_redo: run }
    case "redo":
      return { can_undo: (await newestUndoable(ledger)) ?? null }
    default:
      if (about.didSomething) return { ...(before === undefined ? { can_redo: null } : redo), can_undo: run }
      return before?.can_undo === undefined ? redo : { ...redo, can_undo: before.can_undo }
  }
}

async function countRuns(ledger: Ledger): Promise<number> {
  let runs = 0
  for await (const rows of ledger.journal.store.range(prefixRange(START_PREFIX))) runs += rows.length
  return runs
}

async function countConflicts(ledger: Ledger): Promise<Pick<StatusFacts, "open" | "decided">> {
  const listed = await listConflicts(ledger, { includesAll: false, nowMs: Date.now() })
  const records = listed.ok ? listed.value : []
  return {
    open: records.filter(({ state }) => state === "open").length,
    decided: records
      .filter(({ state }) => state === "decided")
      .map(({ atMs }) => new Date(atMs).toISOString()),
  }
}
