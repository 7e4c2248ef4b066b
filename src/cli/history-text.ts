/** The history as lines of text: runs, the changes of a path, one run in full. Only the look; names are made safe. */

import type { HistoryEvent, HistoryList, HistoryRun, ShownEvent, ShownRun, UndoTarget } from "../index.ts"
import {
  columns,
  escapeForTerminal,
  formatBytes,
  formatCount,
  formatDelta,
  formatWhen,
  plural,
} from "./format.ts"

const ARROW = { up: "↑", down: "↓", both: "↕" } as const
const MARK = { create: "+", update: "~", delete: "-", move: ">" } as const
const SHORT_OID = 7

export function runLines({ runs, total, nextBefore }: HistoryList, nowMs: number): readonly string[] {
  const [first] = runs
  if (first === undefined) return ["No runs"]
  const rows = runs.map((run) => [
    run.run,
    formatWhen(Date.parse(run.startedAt), nowMs),
    escapeForTerminal(run.device),
    run.kind,
    ...[run.uploaded, run.downloaded, run.deleted, run.moved].map(formatCount),
    remarksOn(run),
  ])
  const header = ["RUN", "WHEN", "DEVICE", "KIND", "UP", "DOWN", "DEL", "MOVE", "CONFLICTS"]
  const count =
    runs.length === total ? plural(total, "run") : `${plural(runs.length, "run")} of ${formatCount(total)}`
  return [
    ...columns([header, ...rows], [4, 5, 6, 7]),
    `${count} · one run: bm cloud history show ${first.run}${older(nextBefore)}`,
  ]
}

function older(before: string | undefined): string {
  return before === undefined ? "" : ` · older: --before ${before}`
}

function remarksOn({ undoOf, kind, conflicts, rule, undoneBy, exit, isIdle }: HistoryRun): string {
  const [first] = conflicts
  const more = conflicts.length > 1 ? ` and ${conflicts.length - 1} more` : ""
  const remarks = [
    undoOf === undefined ? undefined : `${kind === "redo" ? "redid" : "undid"} ${targetText(undoOf)}`,
    first === undefined ? undefined : `${first} ${rule === "none" ? "both kept" : (rule ?? "")}${more}`,
    undoneBy === undefined ? undefined : `undone by ${undoneBy}`,
    isIdle ? "nothing to do" : undefined,
    exit === undefined ? "interrupted" : undefined,
  ]
  return remarks.filter((remark) => remark !== undefined).join(", ")
}

function targetText(target: UndoTarget): string {
  switch (target.kind) {
    case "run":
      return target.run
    case "conflict":
      return target.conflict
    case "event":
      return `${target.run}.${target.number}`
    case "path":
      return `${escapeForTerminal(target.path)} of ${target.run}`
    case "moment":
      return "to a moment"
  }
}

export function eventLines(list: HistoryList, nowMs: number, isVerbose: boolean): readonly string[] {
  const { events = [], eventsTotal = 0, device, nextBefore } = list
  if (events.length === 0) return ["No changes"]
  const isOnePath = new Set(events.map(({ path }) => path)).size === 1
  const rows = events.map((event) => [
    event.id,
    formatWhen(Date.parse(event.at), nowMs),
    escapeForTerminal(device),
    ...(isOnePath && !isVerbose ? [] : [namesOf(event)]),
    isOnePath && event.to !== undefined ? `${whatHappened(event)}  ${namesOf(event)}` : whatHappened(event),
  ])
  const header = ["EVENT", "WHEN", "DEVICE", ...(isOnePath && !isVerbose ? [] : ["PATH"]), "WHAT"]
  const lines = columns([header, ...rows])
  return events.length === eventsTotal
    ? lines
    : [
        ...lines,
        `${plural(events.length, "change")} of ${formatCount(eventsTotal)} · all: --limit ${eventsTotal}${older(nextBefore)}`,
      ]
}

function namesOf({ path, to }: HistoryEvent): string {
  return to === undefined ? escapeForTerminal(path) : `${escapeForTerminal(path)} → ${escapeForTerminal(to)}`
}

/** In a list of one path: what was done and why, with what became of it. */
function whatHappened(event: HistoryEvent): string {
  const { op, after } = event
  if (op === "agree") return after === undefined ? "gone on both sides" : "found equal on both sides"
  const verb = op === "upload" ? "uploaded, " : op === "download" ? "downloaded, " : ""
  return `${verb}${reasonText(event)}`
}

function reasonText(event: HistoryEvent): string {
  const text =
    event.decision === undefined
      ? event.reason === "undo"
        ? undoText(event)
        : REASON[event.reason ?? "drift"]
      : decisionText(event)
  return `${text}${event.undoneBy === undefined ? "" : `, undone by ${event.undoneBy}`}`
}

const REASON = {
  local_new: "new here",
  remote_new: "new in the cloud",
  local_changed: "edited here",
  remote_changed: "edited in the cloud",
  local_deleted: "deleted here",
  remote_deleted: "deleted in the cloud",
  local_moved: "renamed here",
  remote_moved: "renamed in the cloud",
  both_changed: "edited on both sides",
  changed_vs_deleted: "kept: changed on one side, deleted on the other",
  both_new: "new on both sides",
  tie: "edited on both sides at the same time",
  drift: "left over from an interrupted run",
} as const

function undoText({ op, change }: HistoryEvent): string {
  if (op === "delete") return "taken back; it was new"
  if (op === "move") return "the old name again"
  if (op === "merge") return "the old version merged with the edit since"
  return change === "create" ? "brought back" : "the old version again"
}

const SIDE_NAME = { local: "here", remote: "cloud" } as const

function decisionText({ decision, conflict }: HistoryEvent): string {
  const { winner, rule, copies } = decision ?? {}
  if (winner !== undefined)
    return `${rule === "earlier" ? "the later version wins" : "newer wins"}: ${SIDE_NAME[winner]}; ${conflict}`
  const names = [copies?.local, copies?.remote].filter((name) => name !== undefined).map(escapeForTerminal)
  return `both kept: ${names.join(" and ")}; ${conflict}`
}

export function showLines(shown: ShownRun): readonly string[] {
  const { run, events, skipped, equal } = shown
  const what = [
    ...(run.undoOf === undefined
      ? []
      : [`${run.kind === "redo" ? "Redid" : "Undid"} ${targetText(run.undoOf)}`]),
    ...(run.isIdle ? ["Nothing to do: both sides were as the run before had left them"] : []),
    ...(equal > 0 ? [`${plural(equal, "file")} found equal on both sides`] : []),
  ]
  const troubles = skipped.map(
    ({ id, path, code }) =>
      `  ${id.slice(run.run.length)} not done  ${escapeForTerminal(path)}  ${code.replaceAll("_", " ")}`,
  )
  const body = [...changeLines(run, events), ...troubles]
  return [
    headLine(run),
    ...basisLine(shown),
    ...what,
    ...(body.length > 0 ? ["", ...body] : []),
    ...nextLine(run, events),
  ]
}

function headLine({ run, kind, profile, device, startedAt, ms, exit }: HistoryRun): string {
  const took = ms === undefined ? "" : `, ${(ms / 1000).toFixed(1)} s`
  const end = exit === undefined ? "interrupted" : exit === 0 ? "ok" : `exit ${exit}`
  return [
    "Run " + run,
    kind,
    ...(profile === undefined ? [] : [profile]),
    escapeForTerminal(device),
    `${localTime(startedAt)}${took}`,
    end,
  ].join(" · ")
}

function two(n: number): string {
  return String(n).padStart(2, "0")
}

/** "2026-03-02 10:06:11" in the zone of the reader. */
function localTime(at: string): string {
  const date = new Date(at)
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`
}

function basisLine({ run, plan, baselineBefore, gitBefore, gitAfter }: ShownRun): readonly string[] {
  const parts = [
    ...(plan === undefined
      ? []
      : [`Plan ${plan.plan} ${plan.applied === "exactly" ? "applied exactly" : "applied in part"}`]),
    ...(run.isIdle
      ? []
      : [baselineBefore === undefined ? `baseline ${run.run}` : `baseline ${baselineBefore} → ${run.run}`]),
    ...(gitAfter === undefined
      ? []
      : [
          `git ${gitBefore === undefined ? "" : `${gitBefore.slice(0, SHORT_OID)}..`}${gitAfter.slice(0, SHORT_OID)}`,
        ]),
  ]
  return parts.length === 0 ? [] : [parts.join(" · ")]
}

function changeLines({ run }: HistoryRun, events: readonly ShownEvent[]): readonly string[] {
  const rows = events.map((event) => {
    const { id, direction, op, change = "update" } = event
    const mark = op === "conflict" ? "!" : MARK[change]
    return [
      `  ${id.slice(run.length)} ${ARROW[direction]} ${mark} ${namesOf(event)}`,
      sizeText(event),
      ` ${reasonText(event)}`,
    ]
  })
  return columns(rows, [1]).flatMap((line, index) => [line, ...patchLines(events[index]?.patch)])
}

function sizeText({ bytes, beforeBytes, change, op }: HistoryEvent): string {
  const isDelta =
    change === "update" && op !== "conflict" && beforeBytes !== undefined && beforeBytes !== bytes
  return `${isDelta ? `${formatDelta(bytes - beforeBytes)} → ` : ""}${formatBytes(bytes)}`
}

function patchLines(patch: string | undefined): readonly string[] {
  if (patch === undefined || patch === "") return []
  return patch
    .trimEnd()
    .split("\n")
    .map((line) => `      ${line.split("\t").map(escapeForTerminal).join("\t")}`)
}

function nextLine({ run, kind, undoneBy }: HistoryRun, events: readonly ShownEvent[]): readonly string[] {
  const [first] = events
  if (first === undefined) return []
  if (undoneBy !== undefined) return ["", `Undone by ${undoneBy} · put it back: bm cloud redo ${undoneBy}`]
  if (kind === "undo") return ["", `Take the undo back: bm cloud redo ${run} · diff: add --patch`]
  return [
    "",
    `Undo: bm cloud undo ${run} · one file: bm cloud undo ${run} ${shellWord(first.path)} · diff: add --patch`,
  ]
}

/** A path that a user can paste. */
function shellWord(path: string): string {
  const safe = escapeForTerminal(path)
  return /^[\w./-]+$/.test(safe) ? safe : `'${safe.replaceAll("'", "'\\''")}'`
}
