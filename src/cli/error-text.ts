/**
 * Texts of errors: what happened, to what, why, and what to do now. Codes and exit codes are stable, texts are not.
 */

import type { StaleAction, SyncError, Trouble } from "../index.ts"
import { escapeForTerminal, plural } from "./format.ts"
import { heldBack, resolveRefused, toolFailed } from "./resolve-text.ts"

export interface Fix {
  readonly text: string
  readonly command?: string
}

export interface ErrorText {
  readonly code: string
  readonly exit: number
  readonly message: string
  readonly where?: { readonly lines: readonly string[]; readonly data: object }
  readonly why?: string
  readonly fix: readonly Fix[]
}

const RESYNC: Fix = {
  command: "bm cloud bisync --resync",
  text: "compare both sides anew; nothing is deleted, losers are kept",
}
const SETUP: Fix = { command: "bm cloud bisync-setup", text: "set this device up" }
const DRY_RUN: Fix = { command: "bm cloud bisync --dry-run", text: "see what would happen" }

export function describeError(error: SyncError): ErrorText {
  const described = describe(error)
  return "kind" in error && error.kind !== undefined
    ? heldBack(described, { kind: error.kind, total: error.total })
    : described
}

function describe(error: SyncError): ErrorText {
  switch (error.code) {
    case "no_baseline":
      return noBaseline(error.why)
    case "journal_damaged":
      return text(error, 7, "no_baseline", {
        message: "The journal of this device is damaged - it needs --resync",
        why: error.why,
        fix: [{ command: "bm cloud history verify", text: "see what is damaged" }, RESYNC],
      })
    case "journal_too_new":
      return text(error, 7, "no_baseline", {
        message: `The journal has format ${error.found}, this bm knows ${error.known}`,
        fix: [{ text: "use the newer bm that wrote it" }],
      })
    case "mount_dir":
      return text(error, 4, "mount_dir", {
        message: `Cannot use ${error.dir} for bisync - it's the mount directory!`,
        fix: [
          {
            command: "bm cloud bisync-setup --dir ~/basic-memory-cloud-sync",
            text: "use a directory of its own",
          },
        ],
      })
    case "delete_limit":
      return deleteLimit(error)
    case "confirm_mismatch":
      return text(error, 4, "delete_limit", {
        message: `${plural(error.total, "file")} would be deleted, not ${error.confirmed}`,
        fix: [DRY_RUN, confirmFix(error.total)],
      })
    case "side_emptied":
      return text(error, 4, "side_emptied", {
        message: `Refusing to delete all ${error.files} files ${inSide(error.side)}`,
        where: {
          lines: [
            `${plural(error.files, "file")} ${inSide(error.side)} would be deleted, none would be left`,
          ],
          data: { side: error.side, files: error.files },
        },
        why:
          error.side === "local"
            ? "the cloud has no notes any more"
            : "the sync directory has no notes any more",
        fix: [
          DRY_RUN,
          { command: "bm cloud bisync --resync", text: "bring them back from the other side" },
          confirmFix(error.total),
        ],
      })
    case "root_changed":
      return rootChanged(error)
    case "remote_changed":
      return remoteChanged(error)
    case "side_unreadable":
      return text(error, 1, "cloud_unreachable", {
        message: `Cannot read ${error.side === "local" ? "the sync directory" : "the cloud"} - ${troubleText(error.trouble)}`,
        where: at(error.trouble),
        fix: [{ text: "nothing was decided on a partial look; try again when it can be read" }],
      })
    case "plan_stale":
      return planStale(error)
    case "plan_foreign":
      return planForeign(error)
    case "undo_overlap":
      return undoOverlap(error)
    case "not_undoable":
      return notUndoable(error)
    case "resolve_refused":
      return resolveRefused(error)
    case "tool_failed":
      return toolFailed(error.why)
    case "confirm_needed":
      return text(error, 4, "confirm_needed", {
        message: `${error.what} needs your yes, and there is no terminal to ask on`,
        fix: [{ text: `add ${error.flag}` }],
      })
    case "lock_held":
      return lockHeld(error)
    case "history_write_failed":
      return text(error, 1, "history_write_failed", {
        message: `Cannot keep what would be replaced - ${troubleText(error.trouble)}`,
        where: at(error.trouble),
        why: "nothing is replaced that cannot be kept",
        fix: [{ text: "make room on the disk of the state directory and try again" }],
      })
    case "state_write_failed":
      return text(error, 1, "internal", {
        message: `Cannot write the state of this device - ${troubleText(error.trouble)}`,
        where: at(error.trouble),
        fix: [
          {
            text: "make room or give permission there and run again; the next run goes on where this one stopped",
          },
        ],
      })
    case "not_found":
      return notFound(error)
    case "usage":
      return text(error, 64, "usage", {
        message: error.message,
        fix: [{ command: "bm --help", text: "see the commands" }],
      })
    case "config_unreadable":
      return text(error, 1, "internal", {
        message: `Cannot use ${error.file} - ${error.why}`,
        fix: [{ text: "mend that file, or move it away and run bm cloud bisync-setup" }],
      })
    case "setup_failed":
      return text(error, 1, "not_found", {
        message: `Cannot ${error.what} - ${troubleText(error.trouble)}`,
        where: at(error.trouble),
        fix: [{ text: "create the folder above it, or mount the disk, and run the setup again" }],
      })
    case "unsupported":
      return text(error, 64, "usage", {
        message: `${error.what} are not supported by this version`,
        fix: [{ text: "use file:/path/to/folder" }],
      })
  }
}

function text(
  _error: SyncError,
  exit: number,
  code: string,
  rest: Omit<ErrorText, "exit" | "code">,
): ErrorText {
  return { exit, code, ...rest }
}

function noBaseline(why: Extract<SyncError, { code: "no_baseline" }>["why"]): ErrorText {
  const isUnknown = why === "not_set_up"
  return {
    exit: 7,
    code: "no_baseline",
    message: "First bisync requires --resync to establish baseline",
    why: isUnknown
      ? "cloud sync is not set up on this device"
      : "this device has no record of an earlier sync",
    fix: [isUnknown ? SETUP : RESYNC],
  }
}

function deleteLimit(error: Extract<SyncError, { code: "delete_limit" }>): ErrorText {
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

function confirmFix(total: number): Fix {
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

function rootChanged({ dir, why }: Extract<SyncError, { code: "root_changed" }>): ErrorText {
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
  no_epoch: "it has no epoch: it was emptied or made anew, or another disk is mounted there",
  other_epoch: "it carries the epoch of another remote",
} as const

function remoteChanged({ remote, why }: Extract<SyncError, { code: "remote_changed" }>): ErrorText {
  return {
    exit: 7,
    code: "remote_changed",
    message: `${remote} is not the remote that was synced - --resync needed`,
    where: { lines: [remote], data: { remote } },
    why: REMOTE_WHY[why],
    fix: [{ text: "bring the remote back, or mount its disk" }, RESYNC],
  }
}

function planStale({ plan, total, stale }: Extract<SyncError, { code: "plan_stale" }>): ErrorText {
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

function planForeign({ why, detail }: Extract<SyncError, { code: "plan_foreign" }>): ErrorText {
  return {
    exit: 5,
    code: "plan_foreign",
    message: `This plan cannot be applied here - ${FOREIGN[why]}${detail === undefined ? "" : ` (${detail})`}`,
    fix: [{ command: "bm cloud bisync --dry-run --out plan.json", text: "make a new plan" }],
  }
}

function undoOverlap({ target, total, overlaps }: Extract<SyncError, { code: "undo_overlap" }>): ErrorText {
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

function notUndoable({ target, why, path }: Extract<SyncError, { code: "not_undoable" }>): ErrorText {
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

function lockHeld({ pid, host, since, command }: Extract<SyncError, { code: "lock_held" }>): ErrorText {
  const who =
    pid === undefined
      ? ""
      : ` (pid ${pid} on ${host} since ${since?.slice(11, 19)}, ${command?.split(" --")[0]})`
  return {
    exit: 8,
    code: "lock_held",
    message: `Another sync is running${who}`,
    fix: [{ text: "wait until it has finished and run the command again" }],
  }
}

function notFound({ what, name, candidates }: Extract<SyncError, { code: "not_found" }>): ErrorText {
  const shown = escapeForTerminal(name)
  if (candidates !== undefined) {
    return {
      exit: 1,
      code: "not_found",
      message: `${shown} names ${candidates.length} ${what}s`,
      where: { lines: candidates, data: { candidates } },
      fix: [{ text: "write more of the id" }],
    }
  }
  const listing =
    what === "conflict"
      ? "bm cloud conflicts --all"
      : what === "project"
        ? "bm cloud status"
        : "bm cloud history"
  return {
    exit: 1,
    code: "not_found",
    message: `There is no ${what} ${shown}`,
    fix: [{ command: listing, text: "see what there is" }],
  }
}

const TROUBLE: Readonly<Record<string, string>> = {
  changed_since: "it changed meanwhile",
  unreadable: "it cannot be read",
  not_found: "it is not there",
  no_space: "no space left",
  no_permission: "permission denied",
  read_only: "read-only file system",
  in_the_way: "something else is in the way",
  name_refused: "the name is refused there",
  unsupported: "not supported there",
  not_kept: "the old version could not be kept",
  hash_mismatch: "its bytes are not what they should be",
  unreachable: "it cannot be reached",
  blocked_by_errors: "held back, because that side had errors",
  interrupted: "interrupted",
  io: "input/output error",
}

export function troubleText({ code, detail }: Pick<Trouble, "code" | "detail">): string {
  return `${TROUBLE[code] ?? code}${detail === undefined ? "" : ` (${detail})`}`
}

function at({ path }: Trouble): { readonly lines: readonly string[]; readonly data: object } {
  return { lines: [escapeForTerminal(path === "" ? "." : path)], data: { path } }
}
