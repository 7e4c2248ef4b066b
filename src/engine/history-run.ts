/** Shows one run, or one event of it: how it began and ended, and each change with what it replaced. */

import type { SyncError } from "../model/errors.ts"
import type { ContentHash, GitOid, PlanId, RunId, Sequence } from "../model/ids.ts"
import type { HistoryStore } from "../model/ports.ts"
import { err, ok, type Result } from "../model/result.ts"
import type { EventOf, JournalEvent, UndoTarget } from "../model/event.ts"
import { conflictPrefix } from "../fold/indexes.ts"
import { DIFF_BYTES_MAX, unifiedDiff } from "../history/diff.ts"
import type { Place } from "./config.ts"
import { type RunEnds, runEnds } from "./history-ends.ts"
import { describeDone, type HistoryEvent } from "./history-event.ts"
import { findIdle, type HistoryAccess, type HistoryOpened, withHistory } from "./history-open.ts"
import { commitOf, describeIdle, describeRun, type HistoryRun, runBefore } from "./history-query.ts"
import type { Ledger } from "./ledger.ts"
import { openHistory, sha256 } from "./session.ts"
import { resolveTarget, runEvents } from "./target.ts"

export interface ShownRun {
  readonly run: HistoryRun
  readonly device: { readonly id: string; readonly name: string }
  readonly plan?: {
    readonly plan: PlanId
    readonly digest: ContentHash
    readonly applied: "exactly" | "in_part"
  }
  readonly baselineBefore?: RunId
  readonly gitBefore?: string
  readonly gitAfter?: string
  readonly journal: { readonly from: Sequence; readonly to: Sequence; readonly isAnchored: boolean }
  /** Paths that needed no transfer, because both sides held the same. */
  readonly equal: number
  readonly events: readonly ShownEvent[]
  readonly skipped: readonly {
    readonly id: string
    readonly path: string
    readonly code: string
    readonly detail?: string
  }[]
}

export interface ShownEvent extends HistoryEvent {
  /** With `withPatch`: absent where there is nothing to compare, or a version is not kept here. */
  readonly patch?: string
}

export interface ShowOptions {
  /** A run, an event of one, a conflict, or a path: its last change. */
  readonly target: string
  readonly withPatch: boolean
}

/** How far back the commit before a run is searched; runs without one moved nothing. */
const RUNS_BACK_MAX = 50

export function showRun(
  place: Place,
  access: HistoryAccess,
  options: ShowOptions,
): Promise<Result<ShownRun, SyncError>> {
  return withHistory(place, access, async (opened) => {
    const { ledger } = opened
    const target = await resolveTarget(ledger, options.target)
    if (!target.ok) return showIdle(opened, options.target, target.error)
    const about = await aboutOf(ledger, target.value)
    const ends = about === undefined ? undefined : await runEnds(ledger, about.run)
    if (about === undefined || ends === undefined) return notFound(options.target)
    const shown = await showOne(opened, ends, about.isShown)
    if (shown.events.length === 0 && shown.skipped.length === 0 && target.value.kind === "event")
      return notFound(options.target)
    return ok(options.withPatch ? await withPatches(opened, shown) : shown)
  })
}

function notFound(name: string): Result<never, SyncError> {
  return err({ code: "not_found", what: /\./.test(name) ? "event" : "run", name })
}

type Shown = (event: EventOf<"done" | "skipped" | "failed">) => boolean

async function aboutOf(
  ledger: Ledger,
  target: UndoTarget,
): Promise<{ readonly run: RunId; readonly isShown: Shown } | undefined> {
  switch (target.kind) {
    case "run":
      return { run: target.run, isShown: () => true }
    case "event":
      return { run: target.run, isShown: ({ number }) => number === target.number }
    case "path":
      return { run: target.run, isShown: ({ path }) => path === target.path }
    case "conflict":
      for await (const event of ledger.find(conflictPrefix(target.conflict), { limit: 1 }))
        if (event.type === "conflict.decided" && event.run !== undefined)
          return { run: event.run, isShown: ({ number }) => number === event.number }
      return undefined
    case "moment":
      return undefined
  }
}

async function showIdle(
  opened: HistoryOpened,
  name: string,
  error: SyncError,
): Promise<Result<ShownRun, SyncError>> {
  const idle = await findIdle(opened.ledger, name)
  const run = idle === undefined ? undefined : await describeIdle(opened, idle.run, idle.sequence)
  if (idle === undefined || run === undefined) return err(error)
  const journal = { from: idle.sequence - 1, to: idle.sequence, isAnchored: false }
  return ok({ run, device: opened.device, journal, equal: 0, events: [], skipped: [] })
}

async function showOne(opened: HistoryOpened, ends: RunEnds, isShown: Shown): Promise<ShownRun> {
  const { ledger, device } = opened
  const own = await runEvents(ledger, ends.run)
  const events: HistoryEvent[] = []
  for (const event of own)
    if (event.type === "done" && isShown(event)) events.push(await describeDone(ledger, event, ends))
  const troubles = own.filter((event) => event.type === "skipped" || event.type === "failed")
  const before = await runBefore(ledger, ends)
  const gitAfter = await commitOf(ledger, ends.run)
  const gitBefore = gitAfter === undefined ? undefined : await commitBefore(ledger, ends)
  const plan = planOf(ends, own)
  return {
    run: await describeRun(opened, ends),
    device,
    ...(plan !== undefined && { plan }),
    ...(before !== undefined && { baselineBefore: before }),
    ...(gitBefore !== undefined && { gitBefore }),
    ...(gitAfter !== undefined && { gitAfter }),
    journal: { from: ends.started.seq, to: ends.last, isAnchored: isAnchored(ledger, own) },
    equal: await countEqual(ledger, ends),
    events: events.sort((a, b) => a.sequence - b.sequence),
    skipped: troubles.filter(isShown).map(({ number, path, code, detail }) => ({
      id: `${ends.run}.${number}`,
      path,
      code,
      ...(detail !== undefined && { detail }),
    })),
  }
}

function planOf({ planned }: RunEnds, own: readonly JournalEvent[]): ShownRun["plan"] {
  if (planned === undefined) return undefined
  const done = own.filter(({ type }) => type === "done").length
  return {
    plan: planned.plan,
    digest: planned.digest,
    applied: done === planned.actions ? "exactly" : "in_part",
  }
}

/** The commit or the marker that came after the run's last change witnesses it. */
function isAnchored(ledger: Ledger, own: readonly JournalEvent[]): boolean {
  const { recordedSequence, marker } = ledger.state().root
  const last = own.filter(({ type }) => type === "done").at(-1) ?? own.at(-1)
  return last !== undefined && Math.max(recordedSequence, marker?.sequence ?? 0) >= last.seq
}

async function commitBefore(ledger: Ledger, ends: RunEnds): Promise<string | undefined> {
  let at: RunEnds | undefined = ends
  for (let back = 0; back < RUNS_BACK_MAX && at !== undefined; back++) {
    const run = await runBefore(ledger, at)
    const commit = run === undefined ? undefined : await commitOf(ledger, run)
    if (commit !== undefined) return commit
    at = run === undefined ? undefined : await runEnds(ledger, run)
  }
  return undefined
}

/** Agreements stand between a run's start and its plan. */
async function countEqual(ledger: Ledger, { started, planned }: RunEnds): Promise<number> {
  let equal = 0
  for await (const event of ledger.journal.events(started.seq)) {
    if (event.seq >= (planned?.seq ?? 0)) return equal
    if (event.type === "agreed" && event.run === started.run)
      equal += event.items.filter(({ version }) => version !== undefined).length
  }
  return equal
}

async function withPatches({ ledger, directory, config }: HistoryOpened, shown: ShownRun): Promise<ShownRun> {
  const history = await openHistory(directory, config.syncDir)
  if (!history.ok) return shown
  const events: ShownEvent[] = []
  for (const event of shown.events) {
    const patch = await patchOf(ledger, history.value, event)
    events.push(patch === undefined ? event : { ...event, patch })
  }
  return { ...shown, events }
}

async function patchOf(
  ledger: Ledger,
  history: HistoryStore,
  event: HistoryEvent,
): Promise<string | undefined> {
  const { op, path, before, after, id } = event
  if (op === "move" || (op === "conflict" && before === undefined)) return undefined
  const [from, to] = [await bytesOf(ledger, history, before), await bytesOf(ledger, history, after)]
  if (from === undefined || to === undefined) return undefined
  return unifiedDiff({
    path: JSON.stringify(path).slice(1, -1),
    fromLabel: `before ${id}`,
    toLabel: `after ${id}`,
    from,
    to,
  }).unified
}

/** Nothing where nothing was; absent where the store does not have it, or it is not what it should be. */
async function bytesOf(
  ledger: Ledger,
  history: HistoryStore,
  hash: ContentHash | undefined,
): Promise<Uint8Array | undefined> {
  if (hash === undefined) return new Uint8Array()
  const oid: GitOid | undefined = await ledger.keptAt(hash)
  const read = oid === undefined ? undefined : await history.read(oid)
  if (read?.ok !== true || read.value.length > DIFF_BYTES_MAX * 2) return undefined
  return sha256(read.value) === hash ? read.value : undefined
}
