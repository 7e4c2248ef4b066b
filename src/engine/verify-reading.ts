/**
 * One reading of the whole journal, for `verify`: what its events say there must be. Holds no event.
 *
 * An event is taken in only when the one after it, or the head, has proven its bytes; until then it may be anything.
 */

import type { EventOf, JournalEvent } from "../model/event.ts"
import type { ContentHash, GitOid, RunId, Sequence } from "../model/ids.ts"
import { SMALL_FILE_BYTES_MAX } from "../model/ports.ts"
import type { State } from "../model/state.ts"
import { emptyState, fold } from "../fold/fold.ts"
import { indexChanges, keptKey } from "../fold/indexes.ts"

export interface Reading {
  /** Events that were handed over, the last of them perhaps unproven. */
  entries(): number
  visit(event: JournalEvent): void
  /** Ends the reading; the last event counts only where the head proved it. */
  finish(isLastProven: boolean): Read
}

export interface Kept {
  readonly oid: GitOid
  readonly sequence: Sequence
}

export interface RunSpan {
  readonly from: Sequence
  readonly to: Sequence
}

export interface Read {
  readonly state: State
  readonly devices: number
  readonly runs: ReadonlyMap<RunId, RunSpan>
  readonly kept: ReadonlyMap<ContentHash, Kept>
  /** Versions too large to be held in memory. */
  readonly large: ReadonlySet<ContentHash>
  /** Commits that events name, with the last event each of them vouches for. */
  readonly commits: ReadonlyMap<GitOid, Sequence>
  readonly indexKeys: KeySum
  /** The first event of the moment that was asked for. */
  readonly firstAtOrAfter: Sequence | undefined
}

/** The same for the same set of keys, in whatever order they come. */
export interface KeySum {
  readonly count: number
  readonly sum: number
}

export const emptyKeySum: KeySum = { count: 0, sum: 0 }

export function withKey({ count, sum }: KeySum, key: string): KeySum {
  let hash = 0x811c9dc5
  for (let i = 0; i < key.length; i++) hash = Math.imul(hash ^ key.charCodeAt(i), 0x01000193)
  return { count: count + 1, sum: (sum + (hash >>> 0)) >>> 0 }
}

const BATCH_EVENTS = 1000

/** `sinceMs`: the moment whose first event is wanted. */
export function newReading(sinceMs: number | undefined): Reading {
  let state = emptyState
  let batch: JournalEvent[] = []
  let unproven: JournalEvent | undefined
  let entries = 0
  let indexKeys = emptyKeySum
  let firstAtOrAfter: Sequence | undefined
  const devices = new Set<string>()
  const runs = new Map<RunId, RunSpan>()
  const kept = new Map<ContentHash, Kept>()
  const large = new Set<ContentHash>()
  const commits = new Map<GitOid, Sequence>()

  const flush = () => {
    state = fold(state, batch)
    batch = []
  }
  const take = (event: JournalEvent) => {
    batch.push(event)
    if (batch.length >= BATCH_EVENTS) flush()
    if (sinceMs !== undefined && Date.parse(event.at) >= sinceMs) firstAtOrAfter ??= event.seq
    if (event.type === "journal.created" || event.type === "device.renamed") devices.add(event.device)
    if (event.type === "history.recorded") commits.set(event.commit, event.upTo)
    takeRun(runs, event)
    for (const { hash, sizeBytes } of sizesIn(event)) if (sizeBytes > SMALL_FILE_BYTES_MAX) large.add(hash)
    if (event.type === "history.kept") takeKept(event)
    else
      for (const key of new Set(indexChanges(event).map((change) => change.key)))
        indexKeys = withKey(indexKeys, key)
  }
  /** A version may be kept twice, after its first copy was found damaged; its key is one. */
  const takeKept = ({ seq: sequence, items, commit }: EventOf<"history.kept">) => {
    if (commit !== undefined && !commits.has(commit)) commits.set(commit, 0)
    for (const [hash, oid] of items) {
      if (!kept.has(hash)) indexKeys = withKey(indexKeys, keptKey(hash))
      kept.set(hash, { oid, sequence })
    }
  }
  return {
    entries: () => entries,
    visit(event) {
      if (unproven !== undefined) take(unproven)
      unproven = event
      entries += 1
    },
    finish(isLastProven) {
      if (unproven !== undefined && isLastProven) take(unproven)
      flush()
      return { state, devices: devices.size, runs, kept, large, commits, indexKeys, firstAtOrAfter }
    },
  }
}

function sizesIn(event: JournalEvent): readonly { readonly hash: ContentHash; readonly sizeBytes: number }[] {
  if (event.type === "agreed")
    return event.items.flatMap(({ version }) => (version === undefined ? [] : [version]))
  if (event.type !== "done") return []
  const { before, beforeSizeBytes: sizeBytes = 0, after } = event
  const now = after.flatMap(({ content }) =>
    content?.hash === undefined ? [] : [{ hash: content.hash, sizeBytes: content.sizeBytes }],
  )
  return before === undefined ? now : [...now, { hash: before, sizeBytes }]
}

/** What settles an interrupted run is journaled in its name, and does not prolong it. */
function takeRun(runs: Map<RunId, RunSpan>, event: JournalEvent): void {
  const { run, seq, type } = event
  if (run === undefined) return
  if (type === "run.started") runs.set(run, { from: seq, to: seq })
  const known = runs.get(run)
  if (type === "run.finished" && known !== undefined) runs.set(run, { ...known, to: seq })
}
