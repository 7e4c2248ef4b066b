/** One change of one path as the history shows it: what was done, what it replaced, where that is kept, what undid it. */

import type { EventOf, JournalEvent } from "../model/event.ts"
import type { ConflictDecision, OpName, Reason } from "../model/action.ts"
import type { ConflictId, ContentHash, GitOid, RunId, Sequence } from "../model/ids.ts"
import type { RelativePath } from "../model/path.ts"
import type { Direction } from "../model/side.ts"
import { conflictPrefix } from "../fold/indexes.ts"
import type { RunEnds } from "./history-ends.ts"
import type { Ledger } from "./ledger.ts"
import { undoneBy } from "./target.ts"

export interface HistoryEvent {
  /** `r7k2q.4`; only the run where both sides were found equal. */
  readonly id: string
  readonly sequence: Sequence
  readonly run: RunId
  readonly at: string
  readonly op: OpName | "agree"
  readonly change?: "create" | "update" | "delete" | "move"
  readonly direction: Direction
  readonly path: RelativePath
  readonly to?: RelativePath
  readonly bytes: number
  readonly beforeBytes?: number
  readonly reason?: Reason
  readonly before?: ContentHash
  readonly after?: ContentHash
  /** Where the replaced version is in the history store. */
  readonly kept?: GitOid
  readonly conflict?: ConflictId
  readonly decision?: ConflictDecision
  readonly undoneBy?: RunId
}

export async function describeDone(
  ledger: Ledger,
  event: EventOf<"done">,
  ends: Pick<RunEnds, "run" | "undoneBy" | "undoneEvents">,
): Promise<HistoryEvent> {
  const { number, op, change, direction, path, to, sizeBytes, beforeSizeBytes, reason, before, conflict } =
    event
  const after = afterOf(event)
  const kept = before === undefined ? undefined : await ledger.keptAt(before)
  const decision = conflict === undefined ? undefined : await decisionOf(ledger, conflict)
  const by = await undoOf(ledger, event, ends)
  return {
    id: `${ends.run}.${number}`,
    sequence: event.seq,
    run: ends.run,
    at: event.at,
    op,
    change,
    direction,
    path,
    ...(to !== undefined && { to }),
    bytes: sizeBytes,
    ...(beforeSizeBytes !== undefined && { beforeBytes: beforeSizeBytes }),
    reason,
    ...(before !== undefined && { before }),
    ...(after !== undefined && { after }),
    ...(kept !== undefined && { kept }),
    ...(conflict !== undefined && { conflict }),
    ...(decision !== undefined && { decision }),
    ...(by !== undefined && { undoneBy: by }),
  }
}

/** What the path holds now, or what the new name holds; nothing where both versions went to names of their own. */
export function afterOf({ path, to, after, afterHash }: EventOf<"done">): ContentHash | undefined {
  const agreement = after.find((each) => each.path === (to ?? path))
  return agreement === undefined ? afterHash : agreement.content?.hash
}

async function undoOf(
  ledger: Ledger,
  { number, conflict }: EventOf<"done">,
  ends: Pick<RunEnds, "undoneBy" | "undoneEvents">,
): Promise<RunId | undefined> {
  const own = ends.undoneEvents.get(number) ?? ends.undoneBy
  return own ?? (conflict === undefined ? undefined : undoneBy(ledger, { conflict }))
}

export async function decisionOf(
  ledger: Ledger,
  conflict: ConflictId,
): Promise<ConflictDecision | undefined> {
  for await (const event of ledger.find(conflictPrefix(conflict), { limit: 1 })) {
    if (event.type === "conflict.decided") return event.decision
  }
  return undefined
}

/** Both sides held the same already; nothing was transferred. */
export function describeAgreed(event: EventOf<"agreed">, path: RelativePath): HistoryEvent {
  const version = event.items.find((item) => item.path === path)?.version
  const run = event.run ?? ("" as RunId)
  const about = {
    id: run,
    sequence: event.seq,
    run,
    at: event.at,
    op: "agree",
    direction: "both",
    path,
  } as const
  return { ...about, bytes: version?.sizeBytes ?? 0, ...(version !== undefined && { after: version.hash }) }
}

/** Every path that an event says something about. */
export function pathsIn(event: JournalEvent): readonly string[] {
  switch (event.type) {
    case "observed":
    case "gone":
    case "failed":
    case "skipped":
    case "conflict.decided":
      return [event.path]
    case "agreed":
      return event.items.map(({ path }) => path)
    case "intent":
      return [event.action.path, ...event.after.map(({ path }) => path)]
    case "done":
      return [event.path, ...event.after.map(({ path }) => path)]
    case "undo.decided":
      return event.steps.map(({ path }) => path)
    case "union.started":
      return event.scope === "all" ? [] : event.scope
    default:
      return []
  }
}
