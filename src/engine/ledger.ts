/**
 * The ledger: the journal together with what it folds to, always in step.
 *
 * Appending events folds them, and writes the changed rows in the same batch. Paths are loaded only when they are
 * needed: a run that finds both listings as they were needs none of them.
 */

import type { ConflictId, GitOid, RunId, Sequence, Sha256 } from "../model/ids.ts"
import type { SyncError } from "../model/errors.ts"
import type { EventBody, JournalEvent } from "../model/event.ts"
import type { KeyChange, KeyValueStore } from "../model/ports.ts"
import { assert, err, ok, type Result } from "../model/result.ts"
import type { State } from "../model/state.ts"
import { fold } from "../fold/fold.ts"
import {
  conflictPrefix,
  CONFLICTS_PREFIX,
  indexChanges,
  keptKey,
  prefixRange,
  runPrefix,
} from "../fold/indexes.ts"
import {
  type Cached,
  rowsOf,
  smallStateFromRows,
  SMALL_RANGES,
  STATE_RANGE,
  stateFromRows,
  type Row,
} from "../fold/rows.ts"
import { type Journal, type JournalHead, type JournalProblem, openJournal } from "../journal/journal.ts"

export interface Ledger {
  readonly journal: Journal
  head(): JournalHead
  /** Without paths until `load` was called. */
  state(): State
  /** Reads every path's state; `damaged` where the rows are not what was written. */
  load(): Promise<Result<State, JournalProblem>>
  append(
    bodies: readonly EventBody[],
    options: { readonly sync: boolean; readonly run?: RunId },
  ): Promise<readonly JournalEvent[]>
  /** What the state would be after these events; nothing is written. */
  imagine(bodies: readonly EventBody[], run: RunId): State
  keptAt(hash: string): Promise<GitOid | undefined>
  /** False while the history store holds nothing, as during a first sync. */
  hasKept(): Promise<boolean>
  isTaken(kind: "run" | "conflict", id: string): Promise<boolean>
  conflictIds(): Promise<readonly string[]>
  /** Events that an index points to, in order. */
  find(
    prefix: string,
    options?: { readonly reverse?: boolean; readonly limit?: number },
  ): AsyncIterable<JournalEvent>
}

/** A batch is written whole, so it is held whole in memory; a first look at many files makes many events. */
const EVENTS_AT_ONCE = 1000

export async function openLedger(
  store: KeyValueStore,
  deps: { readonly sha256: Sha256; readonly nowMs: () => number },
): Promise<Result<Ledger, JournalProblem>> {
  const opened = await openJournal(store, deps.sha256)
  if (!opened.ok) return opened
  const journal = opened.value
  const small = smallStateFromRows(await collect(store, SMALL_RANGES))
  if (small === undefined || small.state.root.sequence !== journal.head().sequence)
    return err({ kind: "damaged", why: "its state and its events do not agree" })
  let cached: Cached = small
  let isLoaded = journal.head().sequence === 0
  const derive = (events: readonly JournalEvent[]): readonly KeyChange[] => {
    const after = fold(cached.state, events)
    const { changes, cached: next } = rowsOf(cached, after)
    cached = next
    return [...changes, ...events.flatMap(indexChanges)]
  }
  return ok({
    journal,
    head: journal.head,
    state: () => cached.state,
    async load() {
      if (isLoaded) return ok(cached.state)
      const loaded = stateFromRows(await collect(store, [STATE_RANGE]))
      if (loaded === undefined)
        return err({ kind: "damaged", why: "its folded state is not what was written" })
      cached = loaded
      isLoaded = true
      return ok(loaded.state)
    },
    async append(bodies, { sync, run }) {
      if (bodies.length === 0) return []
      assert(
        isLoaded || bodies.every(({ type }) => type === "side.listed" || type === "epoch.read"),
        "paths are loaded before they change",
      )
      const at = new Date(deps.nowMs()).toISOString()
      const appended: JournalEvent[] = []
      for (let from = 0; from < bodies.length; from += EVENTS_AT_ONCE) {
        const options = { at, sync, ...(run !== undefined && { run }), derive }
        appended.push(...(await journal.append(bodies.slice(from, from + EVENTS_AT_ONCE), options)))
      }
      return appended
    },
    imagine(bodies, run) {
      const { sequence, hash } = journal.head()
      return fold(
        cached.state,
        bodies.map(
          (body, index): JournalEvent => ({ seq: sequence + index + 1, at: "", run, ...body, prev: hash }),
        ),
      )
    },
    ...lookups(store, journal),
  })
}

/** What the indexes answer. */
function lookups(
  store: KeyValueStore,
  journal: Journal,
): Pick<Ledger, "keptAt" | "hasKept" | "isTaken" | "conflictIds" | "find"> {
  return {
    keptAt: async (hash) => (await store.get(keptKey(hash))) as GitOid | undefined,
    hasKept: () => hasAny(store, keptKey("")),
    isTaken: (kind, id) => hasAny(store, kind === "run" ? runPrefix(id) : conflictPrefix(id as ConflictId)),
    async conflictIds() {
      const ids = new Set<string>()
      for await (const rows of store.range(prefixRange(CONFLICTS_PREFIX)))
        for (const [key] of rows) ids.add(key.slice(CONFLICTS_PREFIX.length, key.lastIndexOf("!")))
      return [...ids]
    },
    async *find(prefix, options = {}) {
      for await (const rows of store.range({ ...prefixRange(prefix), ...options })) {
        for (const [key] of rows) {
          const event = await journal.get(sequenceIn(key))
          if (event !== undefined) yield event
        }
      }
    },
  }
}

async function hasAny(store: KeyValueStore, prefix: string): Promise<boolean> {
  for await (const rows of store.range({ ...prefixRange(prefix), limit: 1 })) if (rows.length > 0) return true
  return false
}

/** Every index key ends with the sequence it points to. */
export function sequenceIn(key: string): Sequence {
  return Number(key.slice(-16))
}

async function collect(
  store: KeyValueStore,
  ranges: readonly { readonly from: string; readonly before: string }[],
): Promise<readonly Row[]> {
  const all: Row[] = []
  for (const range of ranges) for await (const rows of store.range(range)) all.push(...rows)
  return all
}

/** Why a journal cannot be used, as the user sees it. */
export function journalError(
  problem:
    | { readonly kind: "too_new"; readonly format: number }
    | { readonly kind: "damaged"; readonly why: string },
): SyncError {
  return problem.kind === "too_new"
    ? { code: "journal_too_new", found: problem.format, known: 1 }
    : { code: "journal_damaged", why: problem.why }
}
