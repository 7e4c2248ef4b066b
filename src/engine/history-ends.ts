/**
 * The two ends of a run: how it began, how it ended, and what later took it back. Reads a handful of events, however
 * many files the run touched.
 *
 * A run's own events stand together in its index; only undos by later runs follow them. So the last own event is the
 * run's end, or the run was interrupted.
 */

import type { EventOf, JournalEvent, RunCounts } from "../model/event.ts"
import type { RunId, Sequence } from "../model/ids.ts"
import { runPrefix } from "../fold/indexes.ts"
import type { Ledger } from "./ledger.ts"

export interface RunEnds {
  readonly run: RunId
  readonly started: EventOf<"run.started">
  readonly planned?: EventOf<"planned">
  /** What an undo or redo was about. */
  readonly decided?: EventOf<"undo.decided">
  /** Absent: the run was interrupted. */
  readonly finished?: EventOf<"run.finished">
  readonly last: Sequence
  /** The undo that is in force. */
  readonly undoneBy?: RunId
  /** Undos that are in force for single events of it, by their numbers. */
  readonly undoneEvents: ReadonlyMap<number, RunId>
}

/** Start, unions, plan, and the decision of an undo come first. */
const FIRST_EVENTS_MAX = 12

export async function runEnds(ledger: Ledger, run: RunId): Promise<RunEnds | undefined> {
  const first: JournalEvent[] = []
  for await (const event of ledger.find(runPrefix(run), { limit: FIRST_EVENTS_MAX }))
    if (event.run === run) first.push(event)
  const started = eventOf(first, "run.started")
  if (started === undefined) return undefined
  const planned = eventOf(first, "planned")
  const decided = eventOf(first, "undo.decided")
  return {
    run,
    started,
    ...(planned !== undefined && { planned }),
    ...(decided !== undefined && { decided }),
    ...(await lastOf(ledger, run)),
  }
}

async function lastOf(
  ledger: Ledger,
  run: RunId,
): Promise<Pick<RunEnds, "finished" | "last" | "undoneBy" | "undoneEvents">> {
  const undone: EventOf<"undone">[] = []
  for await (const event of ledger.find(runPrefix(run), { reverse: true })) {
    if (event.run === run) {
      const finished = event.type === "run.finished" ? event : undefined
      return { ...inForce(undone), last: event.seq, ...(finished !== undefined && { finished }) }
    }
    if (event.type === "undone") undone.push(event)
  }
  return { ...inForce(undone), last: 0 }
}

/** Newest first: of each target only the last word counts. */
function inForce(undone: readonly EventOf<"undone">[]): Pick<RunEnds, "undoneBy" | "undoneEvents"> {
  const undoneEvents = new Map<number, RunId>()
  let undoneBy: RunId | undefined
  for (const { target, mode, run } of undone.toReversed()) {
    const by = mode === "undo" ? run : undefined
    if (target.kind === "run") undoneBy = by
    if (target.kind !== "event") continue
    if (by === undefined) undoneEvents.delete(target.number)
    else undoneEvents.set(target.number, by)
  }
  return { undoneEvents, ...(undoneBy !== undefined && { undoneBy }) }
}

function eventOf<Type extends JournalEvent["type"]>(
  events: readonly JournalEvent[],
  type: Type,
): EventOf<Type> | undefined {
  return events.find((event): event is EventOf<Type> => event.type === type)
}

export type ShownCounts = Pick<
  RunCounts,
  "uploaded" | "downloaded" | "deletedLocal" | "deletedRemote" | "moved"
>

/** The counts of a run that never came to count itself. */
export async function countsSoFar(ledger: Ledger, run: RunId): Promise<ShownCounts> {
  const counts = { uploaded: 0, downloaded: 0, deletedLocal: 0, deletedRemote: 0, moved: 0 }
  for await (const event of ledger.find(runPrefix(run))) {
    if (event.type !== "done" || event.run !== run) continue
    const { op, change, direction, before } = event
    if (op === "move") counts.moved += 1
    else if (change === "delete") {
      if (direction !== "up") counts.deletedLocal += 1
      if (direction !== "down") counts.deletedRemote += 1
    } else if (op === "conflict" && before === undefined) continue
    else if (direction === "down") counts.downloaded += 1
    else counts.uploaded += 1
  }
  return counts
}
