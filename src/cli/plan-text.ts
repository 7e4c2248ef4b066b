/** The plan as text: what would happen, line by line, and how to do exactly that. */

import type { Action, Evidence, PlannedRun, Version } from "../index.ts"
import { actionLine } from "./action-text.ts"
import { escapeForTerminal, formatBytes, formatCount, plural } from "./format.ts"
import { type Totals, totalsOf, verdictOf } from "./plan-document.ts"

export function planLines(
  planned: PlannedRun,
  options: { readonly isVerbose: boolean; readonly title: string; readonly next: string },
): readonly string[] {
  const { prepared, unfinished, compared } = planned
  const notices = [...projectLines(planned), ...noticeLines(planned)]
  if (verdictOf(planned) === "nothing")
    return [`Plan: nothing to do · ${formatCount(compared)} files equal`, ...notices]
  const totals = totalsOf(planned)
  return [
    options.title,
    "",
    ...unfinished.map(
      (path) => `  ↕ finish    ~ ${escapeForTerminal(path)}   an interrupted run still has to settle it`,
    ),
    ...prepared.plan.actions.flatMap((action) => actionLines(action, planned, options.isVerbose)),
    "",
    totalsLine(totals),
    `Deletes ${totals.deletes} of ${totals.deletes_allowed} allowed · everything replaced or deleted is kept · nothing was changed`,
    ...blockLines(planned),
    ...notices,
    "",
    options.next,
  ]
}

function projectLines({ projectsToCreate }: PlannedRun): readonly string[] {
  const { length } = projectsToCreate
  if (length === 0) return []
  const they = length === 1 ? "it" : "they"
  return [
    `Found ${plural(length, "new local project")}, ${they} would be created on cloud: ${projectsToCreate.map(escapeForTerminal).join(", ")}`,
  ]
}

function actionLines(action: Action, planned: PlannedRun, isVerbose: boolean): readonly string[] {
  const found = planned.evidence.get(action)
  return [
    actionLine(action),
    ...conflictLines(action, found),
    ...(isVerbose ? evidenceLines(action, found) : []),
  ]
}

function conflictLines({ conflict }: Action, evidence: Evidence | undefined): readonly string[] {
  if (conflict === undefined) return []
  if (conflict.winner === undefined) {
    const { local, remote } = conflict.copies ?? {}
    const names = [
      local === undefined ? [] : [`here as ${escapeForTerminal(local)}`],
      remote === undefined ? [] : [`cloud as ${escapeForTerminal(remote)}`],
    ].flat()
    return [`                both are kept: ${names.join(", ")} (${conflict.id})`]
  }
  const winner = conflict.winner === "local" ? "here" : "cloud"
  const loser = conflict.winner === "local" ? "the cloud has" : "this device has"
  const lines = evidence?.loserOnlyLines?.length
  const kept =
    lines === undefined
      ? "the other version is"
      : `${plural(lines, "line")} only ${loser} ${lines === 1 ? "is" : "are"}`
  const why = conflict.rule === "earlier" ? "the other is an earlier version" : "newer wins"
  return [`                ${why}: ${winner}. ${kept} kept as ${conflict.id} (undoable)`]
}

function evidenceLines(action: Action, evidence: Evidence | undefined): readonly string[] {
  const sight = (
    name: string,
    version: (Pick<Version, "sizeBytes" | "mtimeMs"> & { readonly hash?: string }) | undefined,
    extra = "",
  ) =>
    version === undefined
      ? []
      : [
          `      ${name.padEnd(6)} ${formatCount(version.sizeBytes)} B  ${new Date(version.mtimeMs).toISOString().slice(0, 16).replace("T", " ")}  ${version.hash?.slice(0, 15) ?? "unread"}…  ${extra}`,
        ]
  const { conflict } = action
  const times =
    conflict === undefined || conflict.apartMs === 0
      ? []
      : [
          `      times ${Math.round(conflict.apartMs / 1000)} s apart, a tie is within ${conflict.tieMs / 1000} s${conflict.apartMs > conflict.tieMs ? ": order is certain" : ""}`,
        ]
  const only = evidence?.loserOnlyLines ?? []
  return [
    ...sight("base", action.base, action.base?.run),
    ...sight("here", action.local),
    ...sight("cloud", action.remote, action.remote?.device),
    ...times,
    ...(only.length === 0
      ? []
      : [
          `      only in ${conflict?.loser === "local" ? "here" : "cloud"}:`,
          ...only.slice(0, 20).map((line) => `        + ${escapeForTerminal(line)}`),
        ]),
  ]
}

function totalsLine(totals: Totals): string {
  const counts: readonly (readonly [number, string])[] = [
    [totals.upload, "upload"],
    [totals.download, "download"],
    [totals.restore, "restore"],
    [totals.merge, "merge"],
    [totals.delete, "delete"],
    [totals.move, "move"],
    [totals.conflict, "conflict"],
  ]
  const shown = counts.filter(([count]) => count > 0).map(([count, name]) => plural(count, name))
  return `Plan: ${shown.join(", ")} · ${formatBytes(totals.bytes_up)} up, ${formatBytes(totals.bytes_down)} down`
}

function blockLines({ prepared, deletes }: PlannedRun): readonly string[] {
  return prepared.plan.blocks.map((block) => {
    const what =
      block.code === "delete_limit"
        ? `more deletes than allowed (${block.deletes} > ${block.limit})`
        : `all ${block.files} files would be deleted on one side`
    return `Blocked: ${what}. To let exactly this through: --confirm-deletes ${deletes}`
  })
}

const NOTICES_SHOWN = 20

export function noticeLines({ prepared }: Pick<PlannedRun, "prepared">): readonly string[] {
  const { notices } = prepared.plan
  const shown = notices.slice(0, NOTICES_SHOWN).map(({ kind, path, side, detail }) => {
    const where = side === "local" ? "here" : "in the cloud"
    if (kind === "kept_changed")
      return `  kept      ${escapeForTerminal(path)}  changed ${where}, deleted on the other side`
    return `  not synced ${escapeForTerminal(path)}  ${detail.replaceAll("_", " ")} ${where}`
  })
  return notices.length > NOTICES_SHOWN
    ? [...shown, `  and ${notices.length - NOTICES_SHOWN} more (--json has all)`]
    : shown
}
