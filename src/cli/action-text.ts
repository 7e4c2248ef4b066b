/** One action as a line of text: direction, what, where, how much, why. */

import type { Action, Version } from "../index.ts"
import { escapeForTerminal, formatBytes, formatDelta, formatTime, padEnd, padStart } from "./format.ts"

const ARROW = { up: "↑", down: "↓", both: "↕" } as const
const MARK = { create: "+", update: "~", delete: "-", move: ">" } as const

/** Why an action happens, in the words of the plan. */
export function actionText(action: Action): string {
  const { reason, base, local, remote, op } = action
  switch (reason) {
    case "local_new":
      return "new here"
    case "remote_new":
      return "new in the cloud"
    case "local_changed":
      return "edited here; cloud unchanged"
    case "remote_changed":
      return `edited ${byWhom(remote)}; unchanged here`
    case "local_deleted":
      return "deleted here; cloud unchanged"
    case "remote_deleted":
      return "deleted in the cloud; unchanged here"
    case "local_moved":
      return "renamed here, same content"
    case "remote_moved":
      return "renamed in the cloud, same content"
    case "both_changed":
    case "both_new":
      return bothText(action)
    case "changed_vs_deleted":
      return local === undefined
        ? "kept: changed in the cloud, deleted here"
        : "kept: changed here, deleted in the cloud"
    case "tie":
      return `edited here and ${byWhom(remote)} at the same time: both are kept`
    case "drift":
      return "left over from an interrupted run"
    case "undo":
      return undoText(op, base !== undefined)
  }
}

function bothText({ local, remote, base }: Action): string {
  const verb = base === undefined ? "new" : "edited"
  const time = (version: Version | undefined) =>
    version === undefined ? "" : ` ${formatTime(version.mtimeMs)}`
  return `${verb} here${time(local)} and ${byWhom(remote)}${time(remote)}`
}

function byWhom(version: Version | undefined): string {
  return version?.device === undefined ? "in the cloud" : `by ${version.device}`
}

function undoText(op: Action["op"], had: boolean): string {
  if (op === "delete") return "taken back; it was new"
  if (op === "move") return "the old name again"
  if (op === "merge") return "the old version merged with the edit since"
  return had ? "the old version again" : "brought back"
}

const PATH_WIDTH = 34

export function actionLine(action: Action): string {
  const { op, change, direction, path, to, sizeBytes, base } = action
  const name =
    to === undefined ? escapeForTerminal(path) : `${escapeForTerminal(path)} → ${escapeForTerminal(to)}`
  const delta =
    change === "update" && op !== "conflict" && base !== undefined && base.sizeBytes !== sizeBytes
      ? `${formatDelta(sizeBytes - base.sizeBytes)} → `
      : ""
  const mark = op === "conflict" ? "!" : MARK[change]
  return `  ${ARROW[direction]} ${op.padEnd(8)}  ${mark} ${padEnd(name, PATH_WIDTH)} ${padStart(`${delta}${formatBytes(sizeBytes)}`, 18)}   ${actionText(action)}`
}
