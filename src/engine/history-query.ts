/**
 * Lists the history: runs newest first, or the changes of the paths that a pattern names.
 *
 * Only what is on the page is described; what is counted is only counted. So the list of a long history costs
 * what its first page costs, unless a filter has to look into every run.
 */

import type { SyncError } from "../model/errors.ts"
import type { RunKind, UndoTarget } from "../model/event.ts"
import type { ConflictDecision } from "../model/action.ts"
import type { ConflictId, PlanId, RunId, Sequence } from "../model/ids.ts"
import { err, ok, type Result } from "../model/result.ts"
import type { ProfileName } from "../model/settings.ts"
import { IDLE_PREFIX, prefixRange, runPrefix, sequenceText, START_PREFIX } from "../fold/indexes.ts"
import type { Place } from "./config.ts"
import { countsSoFar, type RunEnds, runEnds } from "./history-ends.ts"
import { decisionOf, type HistoryEvent } from "./history-event.ts"
import {
  findIdle,
  type HistoryAccess,
  type HistoryOpened,
  type Span,
  spanOf,
  withHistory,
} from "./history-open.ts"
import { eventsOnPaths } from "./history-paths.ts"
import type { Ledger } from "./ledger.ts"
import type { When } from "./take-back.ts"
import { resolveRun, runEvents } from "./target.ts"

export interface HistoryFilter {
  readonly since?: When
  readonly until?: When
  /** A path, or a pattern with `*`, `**`, `?`: the answer then holds the changes of these paths. */
  readonly path?: string
  readonly project?: string
  readonly device?: string
  readonly kind?: RunKind
  readonly hasConflicts: boolean
  /** Runs that found nothing to do, too. */
  readonly isAll: boolean
  readonly limit: number
  /** Only what is older than this run. */
  readonly before?: string
}

export interface HistoryRun {
  readonly run: RunId
  readonly kind: RunKind
  readonly device: string
  readonly startedAt: string
  /** Absent: the run was interrupted. */
  readonly ms?: number
  readonly exit?: number
  readonly isOk: boolean
  readonly plan?: PlanId
  readonly profile?: ProfileName
  readonly uploaded: number
  readonly downloaded: number
  readonly deleted: number
  readonly moved: number
  readonly conflicts: readonly ConflictId[]
  /** How the first of them was decided. */
  readonly rule?: ConflictDecision["rule"]
  readonly undoneBy?: RunId
  readonly undoOf?: UndoTarget
  readonly isIdle: boolean
}

export interface HistoryList {
  readonly runs: readonly HistoryRun[]
  /** With a path: its changes, newest first. */
  readonly events?: readonly HistoryEvent[]
  /** How many changes there are in all. */
  readonly eventsTotal?: number
  readonly device: string
  /** Runs that match, on this page or not. */
  readonly total: number
  readonly nextBefore?: RunId
}

export function listHistory(
  place: Place,
  access: HistoryAccess,
  filter: HistoryFilter,
): Promise<Result<HistoryList, SyncError>> {
  return withHistory(place, access, async (opened) => {
    const { ledger, device } = opened
    const span = await spanOf(ledger, filter)
    if (!span.ok) return span
    const before =
      filter.before === undefined ? ok(Number.MAX_SAFE_INTEGER) : await startOf(ledger, filter.before)
    if (!before.ok) return before
    if (filter.device !== undefined && filter.device !== device.name && filter.device !== device.id)
      return ok({
        runs: [],
        total: 0,
        device: device.name,
        ...(filter.path !== undefined && { events: [], eventsTotal: 0 }),
      })
    const touching = filter.project === undefined ? ok(undefined) : await runsTouching(ledger, filter.project)
    if (!touching.ok) return touching
    const page: Page = { opened, filter, span: span.value, before: before.value, touching: touching.value }
    return ok(await (filter.path === undefined ? listRuns(page) : listEvents(page, filter.path)))
  })
}

interface Page {
  readonly opened: HistoryOpened
  readonly filter: HistoryFilter
  readonly span: Span
  /** Where the run that the page ends before began. */
  readonly before: Sequence
  readonly touching: ReadonlySet<RunId> | undefined
}

interface RunKey {
  readonly sequence: Sequence
  readonly run: RunId
  readonly isIdle: boolean
}

async function listRuns({ opened, filter, span, before, touching }: Page): Promise<HistoryList> {
  const { ledger, device } = opened
  const shown: HistoryRun[] = []
  let total = 0
  let hasMore = false
  for await (const key of newestFirst(
    keysOf(ledger, START_PREFIX, span),
    filter.isAll ? keysOf(ledger, IDLE_PREFIX, span) : none(),
  )) {
    if (touching !== undefined && !touching.has(key.run)) continue
    if (!(await matches(ledger, key, filter))) continue
    total += 1
    if (key.sequence >= before) continue
    if (shown.length >= filter.limit) {
      hasMore = true
      continue
    }
    const run = await describeKey(opened, key)
    if (run !== undefined) shown.push(run)
  }
  const last = shown.at(-1)
  return {
    runs: shown,
    total,
    device: device.name,
    ...(hasMore && last !== undefined && { nextBefore: last.run }),
  }
}

async function listEvents(
  { opened, filter, span, before, touching }: Page,
  pattern: string,
): Promise<HistoryList> {
  const { ledger, device } = opened
  const events: HistoryEvent[] = []
  const matching = new Map<RunId, RunEnds | undefined>()
  let total = 0
  let older: RunId | undefined
  for await (const { run, describe } of eventsOnPaths(ledger, pattern, span)) {
    if (touching !== undefined && !touching.has(run)) continue
    if (!matching.has(run)) matching.set(run, await matchingEnds(ledger, run, filter))
    const ends = matching.get(run)
    if (ends === undefined) continue
    total += 1
    if (ends.started.seq >= before) continue
    if (events.length < filter.limit) events.push(await describe(ends))
    else older ??= run
  }
  const runs: HistoryRun[] = []
  for (const run of new Set(events.map((event) => event.run))) {
    const ends = matching.get(run)
    if (ends !== undefined) runs.push(await describeRun(opened, ends))
  }
  const last = events.at(-1)?.run
  // A page that ends in the middle of a run has no run to go on before.
  const next = older !== undefined && older !== last ? last : undefined
  const runsTotal = [...matching.values()].filter((ends) => ends !== undefined).length
  return {
    runs,
    events,
    eventsTotal: total,
    total: runsTotal,
    device: device.name,
    ...(next !== undefined && { nextBefore: next }),
  }
}

async function matchingEnds(ledger: Ledger, run: RunId, filter: HistoryFilter): Promise<RunEnds | undefined> {
  const ends = await runEnds(ledger, run)
  const isMatch =
    ends !== undefined && (await matches(ledger, { sequence: ends.started.seq, run, isIdle: false }, filter))
  return isMatch ? ends : undefined
}

async function matches(
  ledger: Ledger,
  { run, sequence, isIdle }: RunKey,
  filter: HistoryFilter,
): Promise<boolean> {
  if (filter.hasConflicts && (isIdle || (await conflictsOf(ledger, run)).length === 0)) return false
  if (filter.kind === undefined) return true
  if (isIdle) return filter.kind === "bisync"
  const started = await ledger.journal.get(sequence)
  return started?.type === "run.started" && started.kind === filter.kind
}

async function conflictsOf(ledger: Ledger, run: RunId): Promise<readonly ConflictId[]> {
  const ends = await runEnds(ledger, run)
  if (ends?.finished !== undefined) return ends.finished.conflicts
  return (await runEvents(ledger, run)).flatMap((event) =>
    event.type === "conflict.decided" ? [event.conflict] : [],
  )
}

async function* keysOf(ledger: Ledger, prefix: string, { from, to }: Span): AsyncGenerator<RunKey> {
  const range = { from: prefix + sequenceText(from), before: prefix + sequenceText(to + 1), reverse: true }
  for await (const rows of ledger.journal.store.range(range)) {
    for (const [key, run] of rows)
      yield { sequence: Number(key.slice(prefix.length)), run: run as RunId, isIdle: prefix === IDLE_PREFIX }
  }
}

async function* none(): AsyncGenerator<RunKey> {}

/** Two descending sequences as one. */
async function* newestFirst(a: AsyncGenerator<RunKey>, b: AsyncGenerator<RunKey>): AsyncGenerator<RunKey> {
  let [x, y] = [await a.next(), await b.next()]
  while (x.done !== true || y.done !== true) {
    if (y.done === true || (x.done !== true && x.value.sequence > y.value.sequence)) {
      if (x.done !== true) yield x.value
      x = await a.next()
    } else {
      yield y.value
      y = await b.next()
    }
  }
}

async function describeKey(
  opened: HistoryOpened,
  { sequence, run, isIdle }: RunKey,
): Promise<HistoryRun | undefined> {
  if (isIdle) return describeIdle(opened, run, sequence)
  const ends = await runEnds(opened.ledger, run)
  return ends === undefined ? undefined : describeRun(opened, ends)
}

export async function describeRun({ ledger, device }: HistoryOpened, ends: RunEnds): Promise<HistoryRun> {
  const { run, started, finished, planned, decided, undoneBy } = ends
  const { uploaded, downloaded, deletedLocal, deletedRemote, moved } =
    finished?.counts ?? (await countsSoFar(ledger, run))
  const conflicts = await conflictsOf(ledger, run)
  const decision = conflicts[0] === undefined ? undefined : await decisionOf(ledger, conflicts[0])
  return {
    run,
    kind: started.kind,
    device: device.name,
    startedAt: started.at,
    ...(finished !== undefined && {
      ms: Date.parse(finished.at) - Date.parse(started.at),
      exit: finished.exit,
    }),
    isOk: finished?.exit === 0 || finished?.exit === 6,
    ...(planned !== undefined && { plan: planned.plan }),
    profile: started.profile,
    uploaded,
    downloaded,
    deleted: deletedLocal + deletedRemote,
    moved,
    conflicts,
    ...(decision !== undefined && { rule: decision.rule }),
    ...(undoneBy !== undefined && { undoneBy }),
    ...(decided !== undefined && { undoOf: decided.target }),
    isIdle: false,
  }
}

/** All that such a run left is the two listings that were as before. */
export async function describeIdle(
  { ledger, device }: HistoryOpened,
  run: RunId,
  sequence: Sequence,
): Promise<HistoryRun | undefined> {
  const event = await ledger.journal.get(sequence)
  if (event?.type !== "side.listed") return undefined
  const ms = Math.max(0, Date.parse(event.at) - Math.floor(event.sampledMs))
  const nothing = { uploaded: 0, downloaded: 0, deleted: 0, moved: 0, conflicts: [] }
  return {
    run,
    kind: "bisync",
    device: device.name,
    startedAt: event.at,
    ms,
    exit: 0,
    isOk: true,
    ...nothing,
    isIdle: true,
  }
}

async function startOf(ledger: Ledger, name: string): Promise<Result<Sequence, SyncError>> {
  const run = await resolveRun(ledger, name)
  if (run.ok) return ok((await runEnds(ledger, run.value))?.started.seq ?? 0)
  const idle = await findIdle(ledger, name)
  return idle === undefined ? run : ok(idle.sequence)
}

/** Runs that did something in a project, a directory directly below the root. */
async function runsTouching(ledger: Ledger, project: string): Promise<Result<ReadonlySet<RunId>, SyncError>> {
  const found = new Set<RunId>()
  const everything = { from: 0, to: ledger.head().sequence }
  if (project !== "" && !/[/*?]/.test(project))
    for await (const { run } of eventsOnPaths(ledger, project, everything)) found.add(run)
  return found.size === 0 ? err({ code: "not_found", what: "project", name: project }) : ok(found)
}

/** The run before another, if any. */
export async function runBefore(
  ledger: Ledger,
  { started }: Pick<RunEnds, "started">,
): Promise<RunId | undefined> {
  for await (const { run } of keysOf(ledger, START_PREFIX, { from: 0, to: started.seq - 1 })) return run
  return undefined
}

/** The commit that a run left in the history store, searched backwards from its end. */
export async function commitOf(ledger: Ledger, run: RunId): Promise<string | undefined> {
  for await (const rows of ledger.journal.store.range({ ...prefixRange(runPrefix(run)), reverse: true })) {
    for (const [key] of rows.slice(0, COMMIT_SEARCH_MAX)) {
      const event = await ledger.journal.get(Number(key.slice(-16)))
      if (event?.type === "history.recorded" && event.run === run) return event.commit
    }
    return undefined
  }
  return undefined
}

/** `history.recorded` is followed by what concludes a run: what is undone, and its end. */
const COMMIT_SEARCH_MAX = 400
