/**
 * Folds events into state. PURE: the same events give the same state, on every device and in every year.
 *
 * It is the only place where a base moves, and it moves only on `agreed` and `done`. A `union.started` turns every
 * base in its scope into a hint, which recognises an earlier version but justifies no deletion.
 */

import type { Base, Version } from "../model/entry.ts"
import type { EventOf, JournalEvent, StepResult } from "../model/event.ts"
import type { ConflictId, OpId, RunId, Sequence } from "../model/ids.ts"
import type { RelativePath } from "../model/path.ts"
import type { Side } from "../model/side.ts"
import type {
  Agreement,
  Aside,
  OpenConflict,
  OpenIntent,
  PathState,
  State,
  StateRoot,
} from "../model/state.ts"

export const emptyState: State = {
  root: { sequence: 0, listed: {}, recordedSequence: 0 },
  paths: new Map(),
  intents: new Map(),
  asides: new Map(),
  openConflicts: new Map(),
}

/** A state being built: the maps are copies that nobody else holds. */
interface Draft {
  root: StateRoot
  readonly paths: Map<RelativePath, PathState>
  readonly intents: Map<Sequence, OpenIntent>
  readonly asides: Map<OpId, Aside>
  readonly openConflicts: Map<ConflictId, OpenConflict>
}

/**
 * Folds events, in their order, onto a state.
 *
 * Shape: the result is new; the state given is not changed. Errors: none, total for every sequence of events.
 * Source: event sourcing as in docs/journal-format.md; the meaning of each event is this function.
 */
export function fold(state: State, events: readonly JournalEvent[]): State {
  const draft: Draft = {
    root: state.root,
    paths: new Map(state.paths),
    intents: new Map(state.intents),
    asides: new Map(state.asides),
    openConflicts: new Map(state.openConflicts),
  }
  for (const event of events) {
    applyEvent(draft, event)
    draft.root = { ...draft.root, sequence: event.seq }
  }
  return draft
}

function applyEvent(draft: Draft, event: JournalEvent): void {
  switch (event.type) {
    case "observed":
      return putVersion(draft, event.path, event.side, event.version)
    case "gone":
      return putVersion(draft, event.path, event.side, undefined)
    case "side.listed":
      return putListing(draft, event)
    case "union.started":
      return startUnion(draft, event)
    case "agreed":
      for (const { path, version } of event.items) {
        putBase(draft, event, version === undefined ? { path } : { path, content: version })
      }
      return
    case "intent":
      return putIntent(draft, event)
    case "done":
      return finishIntent(draft, event)
    case "delete.sent":
      return markSent(draft, event)
    case "failed":
      if (event.intent !== undefined) draft.intents.delete(event.intent)
      return
    case "conflict.decided":
      return openConflict(draft, event)
    case "conflict.resolved":
      draft.openConflicts.delete(event.conflict)
      return
    case "aside.dropped":
      draft.asides.delete(event.op)
      return
    default:
      draft.root = rootAfter(draft.root, event)
  }
}

type RootEvent = EventOf<
  | "journal.created"
  | "device.renamed"
  | "run.started"
  | "run.finished"
  | "undo.decided"
  | "undone"
  | "history.recorded"
  | "history.kept"
  | "epoch.read"
  | "marker.written"
  | "planned"
  | "skipped"
>

/** Events that concern the whole, and those that only the history reads. */
function rootAfter(root: StateRoot, event: RootEvent): StateRoot {
  switch (event.type) {
    case "journal.created":
    case "device.renamed":
      return { ...root, device: { id: event.device, name: event.deviceName } }
    case "run.started":
      return { ...root, lastNonce: event.nonce, ...(event.run !== undefined && { unfinishedRun: event.run }) }
    case "run.finished": {
      const finished = without(root, "unfinishedRun")
      return event.run === undefined ? finished : { ...finished, lastRun: event.run }
    }
    case "undo.decided":
      return event.run === undefined ? root : { ...root, openUndo: { run: event.run, sequence: event.seq } }
    case "undone":
      return without(root, "openUndo")
    case "history.recorded":
      return { ...root, recordedSequence: event.upTo }
    case "epoch.read":
      return { ...root, epoch: { id: event.id, chain: event.chain } }
    case "marker.written":
      return { ...root, marker: { root: event.root, sequence: event.sequence, nonce: event.nonce } }
    case "planned":
    case "skipped":
    case "history.kept":
      return root
  }
}

function openConflict(draft: Draft, { conflict: id, path, decision }: EventOf<"conflict.decided">): void {
  const copies = Object.values(decision.copies ?? {}).filter((copy) => copy !== undefined)
  if (copies.length > 0) draft.openConflicts.set(id, { id, path, copies })
}

function putListing(draft: Draft, event: EventOf<"side.listed">): void {
  if (!event.complete) return
  const { digest, count, sampledMs, mounts, shards } = event
  const seen = { digest, count, sampledMs, mounts, ...(shards !== undefined && { shards }) }
  const listed = { ...draft.root.listed, [event.side]: seen }
  draft.root = { ...draft.root, listed }
  const local = listed.local?.digest
  if (event.settles === undefined || local === undefined || event.side === "local") return
  draft.root = { ...draft.root, settled: { local, remote: digest, settings: event.settles } }
}

function startUnion(draft: Draft, event: EventOf<"union.started">): void {
  const scope = event.scope === "all" ? [...draft.paths.keys()] : event.scope
  for (const path of scope) {
    const state = draft.paths.get(path)
    if (state?.base !== undefined) draft.paths.set(path, { ...state, base: { ...state.base, isHint: true } })
  }
  draft.root = without(draft.root, "settled")
}

function putIntent(draft: Draft, event: EventOf<"intent">): void {
  if (event.run === undefined) return
  const { seq: sequence, run, number, steps, marks, after, action } = event
  draft.intents.set(sequence, { sequence, run, number, steps, marks, after, action })
}

/** Whoever settles this intent knows that its DELETE may still arrive. */
function markSent(draft: Draft, { intent, op }: EventOf<"delete.sent">): void {
  const open = draft.intents.get(intent)
  if (open === undefined) return
  const marks = open.marks.map((mark) => (mark.op === op ? { ...mark, isSent: true as const } : mark))
  draft.intents.set(intent, { ...open, marks })
}

function finishIntent(draft: Draft, event: EventOf<"done">): void {
  draft.intents.delete(event.intent)
  for (const result of event.results) putResult(draft, result)
  for (const agreement of event.after) putBase(draft, event, agreement)
}

function putResult(draft: Draft, result: StepResult): void {
  putVersion(draft, result.path, result.side, result.version)
  if (result.aside === undefined) return
  const { op, side, path, aside } = result
  draft.asides.set(op, { op, side, path: aside.path ?? path, token: aside.token, atMs: aside.atMs })
}

function putVersion(draft: Draft, path: RelativePath, side: Side, version: Version | undefined): void {
  const { base, local, remote } = draft.paths.get(path) ?? {}
  putPath(draft, path, side === "local" ? { base, local: version, remote } : { base, local, remote: version })
  draft.root = without(draft.root, "settled")
}

function putBase(draft: Draft, event: EventOf<"agreed" | "done">, { path, content }: Agreement): void {
  const { local, remote } = draft.paths.get(path) ?? {}
  if (content?.hash === undefined) {
    putPath(draft, path, { base: undefined, local, remote })
    return
  }
  const base: Base = {
    hash: content.hash,
    sizeBytes: content.sizeBytes,
    mtimeMs: content.mtimeMs,
    run: event.run ?? ("" as RunId),
    sequence: event.seq,
    isHint: false,
    ...(local?.fileId !== undefined && { fileId: local.fileId }),
  }
  putPath(draft, path, { base, local, remote })
}

/** Built up, not taken apart: what is left of an object without a key costs the engine a layout of its own. */
function putPath(
  draft: Draft,
  path: RelativePath,
  { base, local, remote }: { readonly [Key in keyof PathState]-?: PathState[Key] | undefined },
): void {
  if (base === undefined && local === undefined && remote === undefined) {
    draft.paths.delete(path)
    return
  }
  draft.paths.set(path, {
    ...(base !== undefined && { base }),
    ...(local !== undefined && { local }),
    ...(remote !== undefined && { remote }),
  })
}

function without<Key extends keyof StateRoot>(root: StateRoot, key: Key): StateRoot {
  if (root[key] === undefined) return root
  const { [key]: _, ...rest } = root
  return rest as StateRoot
}
