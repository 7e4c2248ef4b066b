/**
 * What a run says at its end: the promised lines first, details only where something was deleted, moved or decided.
 */

import type { Action, Cycle, Evidence, Outcome, Performed, RunCounts } from "../index.ts"
import { troubleText } from "./trouble-text.ts"
import { escapeForTerminal, formatTime, plural } from "./format.ts"
import type { Output } from "./output.ts"
import { noticeLines } from "./plan-text.ts"

export type PerformedCycle = Extract<Cycle, { kind: "performed" }>

export interface Finished {
  readonly cycle: PerformedCycle
  readonly evidence: ReadonlyMap<Action, Evidence>
  readonly ms: number
  /** What stands behind the tick: a sync, or the plan that was applied. */
  readonly appliedPlan?: string
}

export function reportRun(output: Output, finished: Finished): number {
  const { performed } = finished.cycle
  if (output.isJson) for (const line of runEvents(finished)) output.json(line)
  else output.lines(runLines(finished))
  return performed.exit
}

function runLines({ cycle, evidence, appliedPlan }: Finished): readonly string[] {
  const { performed, prepared, restored } = cycle
  const done = performed.outcomes.filter(isDone)
  const conflicts = done.filter(({ action }) => action.conflict !== undefined)
  const winners = conflicts.filter(({ action }) => action.conflict?.winner !== undefined)
  const kept = conflicts.filter(({ action }) => action.conflict?.winner === undefined)
  return [
    ...(winners.some(({ action }) => action.conflict?.rule === "newer")
      ? ["Resolving conflict: using newer version"]
      : []),
    ...(winners.some(({ action }) => action.conflict?.rule === "earlier")
      ? ["Resolving conflict: an earlier version gives way"]
      : []),
    ...kept.flatMap(({ action }) => keptLines(action)),
    ...(kept.length > 0 ? ["Please resolve manually"] : []),
    ...completedLine(performed, done, kept.length > 0),
    ...winners.flatMap(({ action }) => winnerLines(action, evidence.get(action))),
    ...kept.flatMap(({ action }) => whichIsWhich(action)),
    ...totalsLines({ run: prepared.run, counts: performed.counts, winners: winners.length, appliedPlan }),
    ...performed.outcomes
      .filter(isSkipped)
      .map(({ action, trouble }) => `  not done  ${escapeForTerminal(action.path)}  ${troubleText(trouble)}`),
    ...restored.map(
      (path) => `  given back  ${escapeForTerminal(path)}  it was written to after it had been replaced`,
    ),
    ...noticeLines({ prepared }),
    ...(performed.unrecorded === undefined
      ? []
      : [
          `  ! the history could not take the new versions: ${troubleText(performed.unrecorded)}; the next run tries again`,
        ]),
  ]
}

function isDone(outcome: Outcome): outcome is Extract<Outcome, { kind: "done" }> {
  return outcome.kind === "done"
}

function isSkipped(outcome: Outcome): outcome is Extract<Outcome, { kind: "skipped" }> {
  return outcome.kind === "skipped"
}

function keptLines({ path, conflict }: Action): readonly string[] {
  const names = Object.values(conflict?.copies ?? {}).filter((name) => name !== undefined)
  return [
    `Conflict detected: ${escapeForTerminal(path)}`,
    `Saved as: ${names.map(escapeForTerminal).join(" and ")}`,
  ]
}

/** The seed's line. Counts stand in it only where something was added or updated beside the conflicts. */
function completedLine(
  { counts, exit }: Performed,
  done: readonly Outcome[],
  hasKept: boolean,
): readonly string[] {
  if (exit === 1)
    return ["Sync stopped short: the storage failed in the middle. The next run goes on from here."]
  if (exit === 130) return ["Stopped; nothing is half done. The next run goes on from here."]
  const isPlain = done.some(({ action }) => action.op === "upload" || action.op === "download")
  const parts = isPlain
    ? [count(counts.uploaded, "uploaded"), count(counts.downloaded, "downloaded")].filter(
        (part) => part !== "",
      )
    : []
  if (parts.length === 0) return hasKept ? [] : ["✓ Sync completed"]
  return [`✓ Sync completed - ${parts.join(", ")}`]
}

function count(files: number, verb: string): string {
  return files === 0 ? "" : `${plural(files, "file")} ${verb}`
}

function winnerLines(
  { path, conflict, local, remote }: Action,
  evidence: Evidence | undefined,
): readonly string[] {
  if (conflict === undefined) return []
  const side = (name: "local" | "remote") => {
    const version = name === "local" ? local : remote
    const who = version?.device === undefined ? "" : ` (${version.device})`
    return `${name === "local" ? "here" : "cloud"} ${version === undefined ? "" : formatTime(version.mtimeMs)}${who}`
  }
  const lines = evidence?.loserOnlyLines?.length
  const only =
    lines === undefined || lines === 0
      ? ""
      : `; ${plural(lines, "line")} only ${conflict.loser === "local" ? "here" : "the cloud"} had`
  return [
    `  ${escapeForTerminal(path)}  ${side(conflict.winner ?? "local")} replaced ${side(conflict.loser ?? "remote")}${only}`,
    `  ${conflict.id} · diff: bm cloud conflicts diff ${conflict.id} · undo: bm cloud undo ${conflict.id}`,
  ]
}

function whichIsWhich({ conflict, local, remote }: Action): readonly string[] {
  if (conflict === undefined) return []
  const copies = [
    ...(conflict.copies?.local === undefined
      ? []
      : [
          `${escapeForTerminal(conflict.copies.local)} = here${local === undefined ? "" : ` ${formatTime(local.mtimeMs)}`}`,
        ]),
    ...(conflict.copies?.remote === undefined
      ? []
      : [
          `${escapeForTerminal(conflict.copies.remote)} = cloud${remote === undefined ? "" : ` ${formatTime(remote.mtimeMs)}`}`,
        ]),
  ]
  return [
    `  ${copies.join(" · ")}`,
    `  ${conflict.id} · ${isPair(conflict) ? "merge" : "keep them so"}: bm cloud conflicts resolve ${conflict.id} --keep ${isPair(conflict) ? "merged" : "both"}`,
  ]
}

/** A file that only made room for a directory has no rival to be merged with. */
function isPair({ copies }: NonNullable<Action["conflict"]>): boolean {
  return copies?.local !== undefined && copies.remote !== undefined
}

function totalsLines(at: {
  readonly run: string
  readonly counts: RunCounts
  readonly winners: number
  readonly appliedPlan: string | undefined
}): readonly string[] {
  const { run, counts, winners, appliedPlan } = at
  const deletes = counts.deletedLocal + counts.deletedRemote
  const parts = [
    ...(counts.deletedRemote > 0 ? [`${counts.deletedRemote} deleted in the cloud`] : []),
    ...(counts.deletedLocal > 0 ? [`${counts.deletedLocal} deleted here`] : []),
    ...(counts.moved > 0 ? [`${counts.moved} moved`] : []),
    ...(appliedPlan !== undefined && winners > 0 ? [`${plural(winners, "conflict")} decided`] : []),
  ]
  if (parts.length === 0 && appliedPlan === undefined) return []
  const kept = deletes > 0 ? ", all kept" : ""
  const applied =
    appliedPlan === undefined ? "" : `${parts.length > 0 ? " · " : ""}plan ${appliedPlan} applied exactly`
  return [`  ${parts.join(", ")}${kept}${applied} · ${run} · undo: bm cloud undo ${run}`]
}

function runEvents({ cycle, evidence, ms }: Finished): readonly object[] {
  const { prepared, performed } = cycle
  const { run } = prepared
  const { counts } = performed
  return [
    ...performed.outcomes.flatMap((outcome) => outcomeEvents(run, outcome, evidence)),
    ...prepared.plan.notices.map((notice) => ({ schema: "bm.event/1", type: "notice", run, ...notice })),
    {
      schema: "bm.event/1",
      type: "run.finished",
      run,
      ok: performed.exit === 0 || performed.exit === 6,
      exit: performed.exit,
      uploaded: counts.uploaded,
      downloaded: counts.downloaded,
      deleted: counts.deletedLocal + counts.deletedRemote,
      moved: counts.moved,
      conflicts: performed.conflicts,
      open: performed.open,
      stale: performed.outcomes.filter(isSkipped).map(({ action }) => action.path),
      bytes_up: counts.bytesUp,
      bytes_down: counts.bytesDown,
      ms,
      undo: performed.didSomething ? `bm cloud undo ${run}` : null,
    },
  ]
}

function outcomeEvents(
  run: string,
  outcome: Outcome,
  evidence: ReadonlyMap<Action, Evidence>,
): readonly object[] {
  const { action, number } = outcome
  const about = {
    run,
    id: `${run}.${number}`,
    op: action.op,
    path: action.path,
    ...(action.to !== undefined && { to: action.to }),
    direction: action.direction,
  }
  if (outcome.kind === "skipped")
    return [{ schema: "bm.event/1", type: "action.skipped", ...about, code: outcome.trouble.code }]
  const done = {
    schema: "bm.event/1",
    type: "action.done",
    ...about,
    bytes: action.sizeBytes,
    sha256: outcome.afterHash ?? null,
    replaced: outcome.before ?? null,
  }
  const { conflict } = action
  if (conflict === undefined) return [done]
  const decided = {
    schema: "bm.event/1",
    type: "conflict.decided",
    run,
    id: `${run}.${number}`,
    conflict: conflict.id,
    path: action.path,
    rule: conflict.rule,
    winner: conflict.winner ?? null,
    loser: conflict.loser ?? null,
    files: conflict.copies ?? null,
    loser_only_lines: evidence.get(action)?.loserOnlyLines?.length ?? null,
    kept: "history",
  }
  return [done, decided]
}
