/**
 * Conflicts as the journal tells them: what was decided, and what became of it since.
 *
 * A conflict whose action did not happen (the file changed meanwhile, the run was stopped) is none. What was undone and
 * done again is decided again; what was resolved by a run that was undone is as it was before.
 */

import type { ConflictDecision } from "../model/action.ts"
import type { Base, Version } from "../model/entry.ts"
import type { SyncError } from "../model/errors.ts"
import type { EventOf, JournalEvent } from "../model/event.ts"
import type { ConflictId, ContentHash, RunId, Sequence } from "../model/ids.ts"
import type { RelativePath } from "../model/path.ts"
import { err, ok, type Result } from "../model/result.ts"
import type { Side } from "../model/side.ts"
import { CONFLICTS_PREFIX, conflictPrefix } from "../fold/indexes.ts"
import { journalError } from "./ledger.ts"
import type { Ledger } from "./ledger.ts"
import { pathPattern } from "./path-pattern.ts"
import { momentOf, resolveConflict, resolveRun, runEvents, undoneBy } from "./target.ts"
import type { When } from "./take-back.ts"

export type ConflictState = "open" | "decided" | "resolved" | "undone"

export interface ConflictRecord {
  readonly id: ConflictId
  readonly state: ConflictState
  readonly path: RelativePath
  readonly run: RunId
  readonly sequence: Sequence
  readonly atMs: number
  readonly decision: ConflictDecision
  /** The two times were too close for either to be newer. */
  readonly isTie: boolean
  readonly base?: Base
  readonly local?: Version
  readonly remote?: Version
  /** How it was closed, and by which run. */
  readonly closed?: { readonly how: "by_hand" | "resolve" | "undo"; readonly run?: RunId }
}

export interface ConflictFilter {
  /** Also those that were decided long ago. */
  readonly includesAll: boolean
  readonly path?: string
  readonly since?: When
  readonly nowMs: number
}

const RECENT_MS = 7 * 24 * 3_600_000

/** Newest first. */
export async function listConflicts(
  ledger: Ledger,
  filter: ConflictFilter,
): Promise<Result<readonly ConflictRecord[], SyncError>> {
  const isSince = await sinceFilter(ledger, filter)
  if (!isSince.ok) return isSince
  const isMatch = filter.path === undefined ? () => true : pathPattern(filter.path).matches
  const deeds = deedsOf(ledger)
  const records: ConflictRecord[] = []
  for await (const story of stories(ledger)) {
    if (!isMatch(story.decided.path) || !isSince.value(story.decided)) continue
    const record = await recordOf(ledger, story, deeds)
    if (!record.ok) return record
    if (record.value !== undefined && isShown(record.value, filter)) records.push(record.value)
  }
  return ok(records.sort((a, b) => b.sequence - a.sequence))
}

function isShown({ state, atMs }: ConflictRecord, { includesAll, since, nowMs }: ConflictFilter): boolean {
  return includesAll || since !== undefined || state === "open" || nowMs - atMs <= RECENT_MS
}

/** The one conflict that a prefix names. */
export async function findConflict(ledger: Ledger, name: string): Promise<Result<ConflictRecord, SyncError>> {
  const id = await resolveConflict(ledger, name)
  if (!id.ok) return id
  const events: JournalEvent[] = []
  for await (const event of ledger.find(conflictPrefix(id.value))) events.push(event)
  const story = storyOf(events)
  const record = story === undefined ? ok(undefined) : await recordOf(ledger, story, deedsOf(ledger))
  if (!record.ok) return record
  return record.value === undefined ? err({ code: "not_found", what: "conflict", name }) : ok(record.value)
}

async function sinceFilter(
  ledger: Ledger,
  { since }: ConflictFilter,
): Promise<Result<(decided: Decided) => boolean, SyncError>> {
  if (since === undefined) return ok(() => true)
  if (since.kind === "moment") return ok(({ at }) => Date.parse(at) >= since.ms)
  const run = await resolveRun(ledger, since.run)
  if (!run.ok) return run
  const from = await momentOf(ledger, run.value, since.before)
  return ok(({ seq }) => seq > from)
}

type Decided = EventOf<"conflict.decided">
type Later = EventOf<"conflict.resolved"> | EventOf<"undone">

/** A decision and what was said about it afterwards, in order. */
interface Story {
  readonly decided: Decided
  readonly run: RunId
  readonly later: readonly Later[]
}

/** The index holds all events of one conflict together, the conflicts in order of their ids. */
async function* stories(ledger: Ledger): AsyncGenerator<Story> {
  let events: JournalEvent[] = []
  for await (const event of ledger.find(CONFLICTS_PREFIX)) {
    if (event.type === "conflict.decided" && events.length > 0) {
      const story = storyOf(events)
      if (story !== undefined) yield story
      events = []
    }
    events.push(event)
  }
  const story = storyOf(events)
  if (story !== undefined) yield story
}

function storyOf(events: readonly JournalEvent[]): Story | undefined {
  const decided = events.find((event): event is Decided => event.type === "conflict.decided")
  if (decided?.run === undefined) return undefined
  const later = events.filter(
    (event): event is Later => event.type === "conflict.resolved" || event.type === "undone",
  )
  return { decided, run: decided.run, later }
}

type Deed = EventOf<"done">
type FindDeed = (run: RunId, conflict: ConflictId) => Promise<Deed | undefined>

/** Finds the event that carried a decision out; a run's events are read once. */
function deedsOf(ledger: Ledger): FindDeed {
  const byRun = new Map<RunId, ReadonlyMap<ConflictId, Deed>>()
  return async (run, conflict) => {
    let deeds = byRun.get(run)
    if (deeds === undefined) {
      const events = await runEvents(ledger, run)
      deeds = new Map(
        events.flatMap((event): readonly (readonly [ConflictId, Deed])[] =>
          event.type === "done" && event.conflict !== undefined ? [[event.conflict, event]] : [],
        ),
      )
      byRun.set(run, deeds)
    }
    return deeds.get(conflict)
  }
}

async function recordOf(
  ledger: Ledger,
  { decided, run, later }: Story,
  findDeed: FindDeed,
): Promise<Result<ConflictRecord | undefined, SyncError>> {
  const deed = await findDeed(run, decided.conflict)
  const { conflict: id, path, decision } = decided
  const isBoth = decision.copies !== undefined
  if (deed === undefined) {
    // A run that died in the middle of keeping both has given the names, and its end is what the next look saw.
    const areThere =
      isBoth && ledger.state().openConflicts.has(id) ? await hasCopies(ledger, decision) : ok(false)
    if (!areThere.ok) return areThere
    if (!areThere.value) return ok(undefined)
  }
  const closed = await closingOf(ledger, decided, later)
  if (!closed.ok) return closed
  return ok({
    id,
    state: closed.value?.state ?? (isBoth ? "open" : "decided"),
    path,
    run,
    sequence: decided.seq,
    atMs: Date.parse(decided.at),
    decision,
    isTie: deed?.reason === "tie",
    ...(decided.base !== undefined && { base: decided.base }),
    ...sightsOf(decided, deed),
    ...(closed.value !== undefined && {
      closed: { how: closed.value.how, ...(closed.value.run !== undefined && { run: closed.value.run }) },
    }),
  })
}

interface Closing {
  readonly state: "resolved" | "undone"
  readonly how: "by_hand" | "resolve" | "undo"
  readonly run?: RunId
}

async function closingOf(
  ledger: Ledger,
  { decision }: Decided,
  later: readonly Later[],
): Promise<Result<Closing | undefined, SyncError>> {
  let closing: Closing | undefined
  let wasUnresolved = false
  for (const event of later) {
    const by = event.run === undefined ? {} : { run: event.run }
    if (event.type === "undone")
      closing = event.mode === "undo" ? { state: "undone", how: "undo", ...by } : undefined
    else if (event.how === "resolve" && event.run !== undefined && (await isUndone(ledger, event.run)))
      wasUnresolved = true
    else closing = { state: "resolved", how: event.how, ...by }
  }
  if (closing !== undefined || !wasUnresolved || decision.copies === undefined) return ok(closing)
  const areThere = await hasCopies(ledger, decision)
  if (!areThere.ok) return areThere
  return ok(areThere.value ? undefined : { state: "resolved", how: "by_hand" })
}

async function isUndone(ledger: Ledger, run: RunId): Promise<boolean> {
  return (await undoneBy(ledger, { run })) !== undefined
}

async function hasCopies(ledger: Ledger, { copies }: ConflictDecision): Promise<Result<boolean, SyncError>> {
  const loaded = await ledger.load()
  if (!loaded.ok) return err(journalError(loaded.error))
  const names = Object.values(copies ?? {}).filter((name) => name !== undefined)
  return ok(names.every((name) => loaded.value.paths.get(name)?.local !== undefined))
}

/** The two versions, with the hashes that were not known yet when the decision was made. */
function sightsOf(decided: Decided, deed: Deed | undefined): Pick<ConflictRecord, Side> {
  const hashes = deed === undefined ? {} : hashesAfter(decided, deed)
  return {
    ...(decided.local !== undefined && { local: complete(decided.local, hashes.local) }),
    ...(decided.remote !== undefined && { remote: complete(decided.remote, hashes.remote) }),
  }
}

function hashesAfter({ decision, path }: Decided, deed: Deed): { readonly [S in Side]?: ContentHash } {
  const at = (name: RelativePath | undefined) => deed.after.find((each) => each.path === name)?.content?.hash
  const { copies, winner } = decision
  const [local, remote] =
    copies !== undefined
      ? [at(copies.local), at(copies.remote ?? path)]
      : winner === "local"
        ? [at(path), deed.before]
        : [deed.before, at(path)]
  return { ...(local !== undefined && { local }), ...(remote !== undefined && { remote }) }
}

function complete(version: Version, hash: ContentHash | undefined): Version {
  return version.hash === undefined && hash !== undefined ? { ...version, hash } : version
}
