/**
 * Texts of refusals: the brake, another root or remote, a plan or an undo that no longer fits. Each names the one way on.
 */

import type { StaleAction, SyncError } from "../index.ts"
import type { ErrorText, Fix } from "./error-text.ts"
import { escapeForTerminal, plural } from "./format.ts"

export const RESYNC: Fix = {
  command: "bm cloud bisync --resync",
  text: "compare both sides anew; nothing is deleted, losers are kept",
}
export const DRY_RUN: Fix = { command: "bm cloud bisync --dry-run", text: "see what would happen" }

export function deleteLimit(error: Extract<SyncError, { code: "delete_limit" }>): ErrorText {
  const { deletes, limit, side, total, example, below, profile } = error
  const place = example === "" ? "" : `, ${below} of them in ${escapeForTerminal(example)}/`
  const raise = limit < 25 && deletes <= 25 ? { name: "balanced", to: 25 } : { name: "fast", to: 50 }
  return {
    exit: 4,
    code: "delete_limit",
    message: `Deletion exceeds safety limit (${deletes} > ${limit})`,
    where: {
      lines: [`${plural(deletes, "file")} would be deleted ${inSide(side)}${place}`],
      data: { profile, max_delete: limit, deletes, side },
    },
    why:
      side === "local"
        ? "they are gone from the cloud since the last sync"
        : "they were removed on this device since the last sync",
    fix: [
      { command: "bm cloud bisync --dry-run", text: `see all ${total}` },
      confirmFix(total),
      ...(deletes <= raise.to
        ? [{ command: `bm cloud bisync --profile ${raise.name}`, text: `raise the limit to ${raise.to}` }]
        : []),
      { command: "bm cloud bisync --resync", text: `bring the ${total} back instead` },
    ],
  }
}

export function sideEmptied({ side, files, total }: Extract<SyncError, { code: "side_emptied" }>): ErrorText {
  return {
    exit: 4,
    code: "side_emptied",
    message: `Refusing to delete all ${files} files ${inSide(side)}`,
    where: {
      lines: [`${plural(files, "file")} ${inSide(side)} would be deleted, none would be left`],
      data: { side, files },
    },
    why: side === "local" ? "the cloud has no notes any more" : "the sync directory has no notes any more",
    fix: [
      DRY_RUN,
      { command: "bm cloud bisync --resync", text: "bring them back from the other side" },
      confirmFix(total),
    ],
  }
}

export function confirmFix(total: number): Fix {
  return {
    command: `bm cloud bisync --confirm-deletes ${total}`,
    text: `delete exactly these ${total}, once`,
  }
}

function inSide(side: "local" | "remote"): string {
  return side === "local" ? "here" : "in the cloud"
}

const ROOT_WHY = {
  missing: "it is not there",
  not_a_directory: "it is not a directory",
  no_marker: "it has no marker: it was made anew, or another disk is mounted there",
  other_marker: "it carries the marker of another sync directory",
} as const

export function rootChanged({ dir, why }: Extract<SyncError, { code: "root_changed" }>): ErrorText {
  return {
    exit: 7,
    code: "root_changed",
    message: `${dir} is not the directory that was synced - --resync needed`,
    where: { lines: [dir], data: { dir } },
    why: ROOT_WHY[why],
    fix: [{ text: "bring the directory back, or mount its disk" }, RESYNC],
  }
}

const REMOTE_WHY = {
  missing: "the folder is not there",
  no_epoch: "it has no epoch: it was emptied or made anew",
  other_epoch: "it carries the epoch of another remote",
} as const

export function remoteChanged({ remote, why }: Extract<SyncError, { code: "remote_changed" }>): ErrorText {
  const isFolder = remote.startsWith("file:")
  return {
    exit: 7,
    code: "remote_changed",
    message: `${remote} is not the remote that was synced - --resync needed`,
    where: { lines: [remote], data: { remote } },
    why: `${REMOTE_WHY[why]}${isFolder && why === "no_epoch" ? ", or another disk is mounted there" : ""}`,
    fix: [
      {
        text: isFolder
          ? "bring the remote back, or mount its disk"
          : "bring the bucket back as it was, or name the one that was meant: bm cloud bisync-setup --remote URL",
      },
      RESYNC,
    ],
  }
}

export function planStale({ plan, total, stale }: Extract<SyncError, { code: "plan_stale" }>): ErrorText {
  const lines = stale.flatMap(({ path, planned, now }: StaleAction) => [
    escapeForTerminal(path),
    `  planned  ${planned}`,
    `  now      ${now}`,
  ])
  return {
    exit: 5,
    code: "plan_stale",
    message: `Plan ${plan} no longer matches - ${stale.length} of ${plural(total, "action")}`,
    where: { lines, data: { plan, stale } },
    why: `something changed after the plan was made; the other ${total - stale.length} still match`,
    fix: [
      { command: "bm cloud bisync --dry-run --out plan.json", text: "make a new plan" },
      {
        command: "bm cloud bisync --dry-run --apply plan.json",
        text: "see every action, which hold and which do not",
      },
    ],
  }
}

const FOREIGN = {
  device: "it was made on another device",
  roots: "it was made for another directory or remote",
  settings: "it was made with another profile or other filters",
  schema: "its schema is not bm.plan/1",
  digest: "its digest does not match what is in it: it was edited",
  unreadable: "it cannot be read",
} as const

export function planForeign({ why, detail }: Extract<SyncError, { code: "plan_foreign" }>): ErrorText {
  return {
    exit: 5,
    code: "plan_foreign",
    message: `This plan cannot be applied here - ${FOREIGN[why]}${detail === undefined ? "" : ` (${detail})`}`,
    fix: [{ command: "bm cloud bisync --dry-run --out plan.json", text: "make a new plan" }],
  }
}

export function undoOverlap({
  target,
  total,
  overlaps,
}: Extract<SyncError, { code: "undo_overlap" }>): ErrorText {
  const lines = overlaps.map(
    ({ path, run }) =>
      `${escapeForTerminal(path)}, changed since${run === undefined ? "" : ` (last synced in ${run})`}`,
  )
  const undo = `bm cloud undo ${target}`
  return {
    exit: 5,
    code: "undo_overlap",
    message: `Cannot undo ${target} - ${overlaps.length} of ${plural(total, "file")} was changed since in the same place`,
    where: { lines, data: { target, overlaps } },
    why: `undoing would throw away ${overlaps.length === 1 ? "that edit" : "those edits"}${total > overlaps.length ? `; the other ${total - overlaps.length} can be undone` : ""}`,
    fix: [
      {
        command: `${undo} --if-changed skip`,
        text: total > overlaps.length ? `undo the other ${total - overlaps.length}` : "leave it as it is",
      },
      { command: `${undo} --if-changed keep-both`, text: "old version beside it under a conflict name" },
      { command: `${undo} --if-changed overwrite`, text: "old version wins, yours stays in the history" },
    ],
  }
}

export function notUndoable({ target, why, path }: Extract<SyncError, { code: "not_undoable" }>): ErrorText {
  const name = escapeForTerminal(path)
  if (why === "conflict_open") {
    return {
      exit: 5,
      code: "undo_overlap",
      message: `Nothing was replaced in ${target} - both versions of ${name} are kept as files`,
      fix: [{ text: "merge them, then remove the .conflict copies" }],
    }
  }
  return {
    exit: 4,
    code: "undo_overlap",
    message: `The old version of ${name} is not in the history of this device`,
    fix: [{ text: "run the undo on the device that made the change" }],
  }
}
