/**
 * Finds what the user names: a run, an event of a run, a conflict, a path, a moment; by the shortest prefix that says which.
 */

import type { SyncError } from "../model/errors.ts"
import type { EventOf, JournalEvent, RunKind, UndoTarget } from "../model/event.ts"
import type { ConflictId, RunId, Sequence } from "../model/ids.ts"
import { parsePath, type RelativePath } from "../model/path.ts"
import { err, ok, type Result } from "../model/result.ts"
import {
  CONFLICTS_PREFIX,
  conflictPrefix,
  pathPrefix,
  prefixRange,
  runPrefix,
  START_PREFIX,
} from "../fold/indexes.ts"
import type { Ledger } from "./ledger.ts"

export interface RunRecord {
  readonly run: RunId
  readonly started: EventOf<"run.started">
  readonly finished?: EventOf<"run.finished">
}

/** Runs, newest first. */
export async function* runs(ledger: Ledger): AsyncGenerator<RunRecord> {
  for await (const rows of ledger.journal.store.range({ ...prefixRange(START_PREFIX), reverse: true })) {
    for (const [, run] of rows) {
      const record = await findRun(ledger, run as RunId)
      if (record !== undefined) yield record
    }
  }
}

export async function findRun(ledger: Ledger, run: RunId): Promise<RunRecord | undefined> {
  let started: EventOf<"run.started"> | undefined
  let finished: EventOf<"run.finished"> | undefined
  for await (const event of ledger.find(runPrefix(run))) {
    if (event.type === "run.started" && event.run === run) started = event
    if (event.type === "run.finished" && event.run === run) finished = event
  }
  return started === undefined ? undefined : { run, started, ...(finished !== undefined && { finished }) }
}

export async function runEvents(ledger: Ledger, run: RunId): Promise<readonly JournalEvent[]> {
  const events: JournalEvent[] = []
  for await (const event of ledger.find(runPrefix(run))) if (event.run === run) events.push(event)
  return events
}

/** The undo that is in force for a run or a conflict, if any. */
export async function undoneBy(
  ledger: Ledger,
  target: { readonly run: RunId } | { readonly conflict: ConflictId },
): Promise<RunId | undefined> {
  const prefix = "run" in target ? runPrefix(target.run) : conflictPrefix(target.conflict)
  let by: RunId | undefined
  for await (const event of ledger.find(prefix)) {
    if (event.type !== "undone") continue
    const isTarget =
      "run" in target
        ? event.target.kind === "run" && event.target.run === target.run
        : event.target.kind === "conflict" && event.target.conflict === target.conflict
    if (isTarget) by = event.mode === "undo" ? event.run : undefined
  }
  return by
}

const UNDOABLE: readonly RunKind[] = ["bisync", "resync", "resolve"]

/** The newest run of this device that did something and is not undone. */
export async function newestUndoable(ledger: Ledger): Promise<RunId | undefined> {
  for await (const { run, started } of runs(ledger)) {
    if (!UNDOABLE.includes(started.kind) || (await undoneBy(ledger, { run })) !== undefined) continue
    const events = await runEvents(ledger, run)
    if (events.some(({ type }) => type === "done")) return run
  }
  return undefined
}

export async function resolveRun(ledger: Ledger, name: string): Promise<Result<RunId, SyncError>> {
  if (name === "@" || /^@-+$/.test(name)) {
    let back = name.length - 1
    for await (const { run } of runs(ledger)) if (back-- === 0) return ok(run)
    return err({ code: "not_found", what: "run", name })
  }
  const found = await idsWith(ledger, { prefix: "i!run!", name })
  return unique("run", name, found) as Result<RunId, SyncError>
}

export async function resolveConflict(ledger: Ledger, name: string): Promise<Result<ConflictId, SyncError>> {
  const found = await idsWith(ledger, { prefix: CONFLICTS_PREFIX, name })
  return unique("conflict", name, found) as Result<ConflictId, SyncError>
}

function unique(what: string, name: string, found: readonly string[]): Result<string, SyncError> {
  if (found.includes(name)) return ok(name)
  const [only] = found
  if (only !== undefined && found.length === 1) return ok(only)
  return err({ code: "not_found", what, name, ...(found.length > 1 && { candidates: found }) })
}

async function idsWith(
  ledger: Ledger,
  { prefix, name }: { readonly prefix: string; readonly name: string },
): Promise<readonly string[]> {
  const ids = new Set<string>()
  for await (const rows of ledger.journal.store.range(prefixRange(prefix + name))) {
    for (const [key] of rows) ids.add(key.slice(prefix.length, key.indexOf("!", prefix.length)))
  }
  return [...ids]
}

/** What an argument of `undo` or `history show` means. A path that looks like an id is written with `./`. */
export async function resolveTarget(ledger: Ledger, text: string): Promise<Result<UndoTarget, SyncError>> {
  const event = /^(r[0-9a-z]+|@-*)\.(\d+)$/.exec(text)
  if (event?.[1] !== undefined && event[2] !== undefined) {
    const run = await resolveRun(ledger, event[1])
    return run.ok ? ok({ kind: "event", run: run.value, number: Number(event[2]) }) : run
  }
  if (/^(r[0-9a-z]+|@-*)$/.test(text)) {
    const run = await resolveRun(ledger, text)
    if (run.ok || text.startsWith("@")) return run.ok ? ok({ kind: "run", run: run.value }) : run
  }
  if (/^c[0-9a-z]+$/.test(text)) {
    const conflict = await resolveConflict(ledger, text)
    if (conflict.ok) return ok({ kind: "conflict", conflict: conflict.value })
  }
  const path = await lastChange(ledger, text.replace(/^\.\//, ""))
  if (path !== undefined) return ok({ kind: "path", ...path })
  return err({
    code: "not_found",
    what: /^[rc][0-9a-z]{3,}$/.test(text)
      ? text.startsWith("r")
        ? "run"
        : "conflict"
      : "run, conflict or path",
    name: text,
  })
}

async function lastChange(
  ledger: Ledger,
  text: string,
): Promise<{ readonly path: RelativePath; readonly run: RunId } | undefined> {
  const path = parsePath(text)
  if (!path.ok) return undefined
  for await (const event of ledger.find(pathPrefix(path.value), { reverse: true })) {
    if (event.type === "done" && event.run !== undefined) return { path: path.value, run: event.run }
  }
  return undefined
}

/** The last event before, or up to the end of, a run. */
export async function momentOf(ledger: Ledger, run: RunId, isBefore: boolean): Promise<Sequence> {
  const record = await findRun(ledger, run)
  if (record === undefined) return 0
  return isBefore ? record.started.seq - 1 : (record.finished?.seq ?? ledger.head().sequence)
}

/** The last event at or before a time. */
export async function sequenceAt(ledger: Ledger, ms: number): Promise<Sequence> {
  let low = 0
  let high = ledger.head().sequence
  while (low < high) {
    const middle = Math.ceil((low + high) / 2)
    const event = await ledger.journal.get(middle)
    if (event !== undefined && Date.parse(event.at) <= ms) low = middle
    else high = middle - 1
  }
  return low
}
