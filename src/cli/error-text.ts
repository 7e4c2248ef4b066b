/**
 * Texts of errors: what happened, to what, why, and what to do now. Codes and exit codes are stable, texts are not.
 */

import type { SyncError, Trouble } from "../index.ts"
import { accountError } from "./account-text.ts"
import {
  confirmFix,
  deleteLimit,
  DRY_RUN,
  notUndoable,
  planForeign,
  planStale,
  remoteChanged,
  RESYNC,
  rootChanged,
  sideEmptied,
  undoOverlap,
} from "./error-refusals.ts"
import { escapeForTerminal, plural } from "./format.ts"
import { importRefused } from "./import-text.ts"
import { rcloneMissing } from "./rclone-text.ts"
import { heldBack, resolveRefused, toolFailed } from "./resolve-text.ts"
import { serviceError } from "./service-text.ts"
import { storageError } from "./storage-text.ts"
import { troubleText } from "./trouble-text.ts"

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

const SETUP: Fix = { command: "bm cloud bisync-setup", text: "set this device up" }

type Code = SyncError["code"]
type Of<C extends Code> = Extract<SyncError, { code: C }>
type Describe = { readonly [C in Code]: (error: Of<C>) => ErrorText }

export function describeError(error: SyncError): ErrorText {
  const describe = DESCRIBE[error.code] as (error: SyncError) => ErrorText
  const described = describe(error)
  return "kind" in error && error.kind !== undefined
    ? heldBack(described, { kind: error.kind, total: error.total })
    : described
}

const DESCRIBE: Describe = {
  no_baseline: noBaseline,
  journal_damaged: ({ why }) => ({
    exit: 7,
    code: "no_baseline",
    message: "The journal of this device is damaged - it needs --resync",
    why,
    fix: [{ command: "bm cloud history verify", text: "see what is damaged" }, RESYNC],
  }),
  journal_too_new: ({ found, known }) => ({
    exit: 7,
    code: "no_baseline",
    message: `The journal has format ${found}, this bm knows ${known}`,
    fix: [{ text: "use the newer bm that wrote it" }],
  }),
  mount_dir: ({ dir }) => ({
    exit: 4,
    code: "mount_dir",
    message: `Cannot use ${escapeForTerminal(dir)} for bisync - it's the mount directory!`,
    fix: [
      {
        command: "bm cloud bisync-setup --dir ~/basic-memory-cloud-sync",
        text: "use a directory of its own",
      },
    ],
  }),
  delete_limit: deleteLimit,
  confirm_mismatch: ({ total, confirmed }) => ({
    exit: 4,
    code: "delete_limit",
    message: `${plural(total, "file")} would be deleted, not ${confirmed}`,
    fix: [DRY_RUN, confirmFix(total)],
  }),
  side_emptied: sideEmptied,
  root_changed: rootChanged,
  remote_changed: remoteChanged,
  side_unreadable: sideUnreadable,
  plan_stale: planStale,
  plan_foreign: planForeign,
  undo_overlap: undoOverlap,
  not_undoable: notUndoable,
  resolve_refused: resolveRefused,
  tool_failed: ({ why }) => toolFailed(why),
  confirm_needed: confirmNeeded,
  lock_held: lockHeld,
  broken_off: brokenOff,
  history_write_failed: ({ trouble }) => ({
    exit: 1,
    code: "history_write_failed",
    message: `Cannot keep what would be replaced - ${troubleText(trouble)}`,
    where: at(trouble),
    why: "nothing is replaced that cannot be kept",
    fix: [{ text: "make room on the disk of the state directory and try again" }],
  }),
  state_write_failed: ({ trouble }) => ({
    exit: 1,
    code: "internal",
    message: `Cannot write the state of this device - ${troubleText(trouble)}`,
    where: at(trouble),
    fix: [
      {
        text: "make room or give permission there and run again; the next run goes on where this one stopped",
      },
    ],
  }),
  not_found: notFound,
  account: accountError,
  rclone_missing: rcloneMissing,
  usage: ({ message }) => ({
    exit: 64,
    code: "usage",
    message,
    fix: [{ command: "bm --help", text: "see the commands" }],
  }),
  config_unreadable: ({ file, why }) => ({
    exit: 1,
    code: "internal",
    message: `Cannot use ${escapeForTerminal(file)} - ${escapeForTerminal(why)}`,
    fix: [{ text: "mend that file, or move it away and run bm cloud bisync-setup" }],
  }),
  setup_failed: setupFailed,
  interrupted: () => ({
    exit: 130,
    code: "internal",
    message: "Stopped before anything was set up",
    fix: [{ ...SETUP, text: "begin again" }],
  }),
  import_refused: importRefused,
  service: ({ refusal }) => serviceError(refusal),
  unsupported: ({ what }) => ({
    exit: 64,
    code: "usage",
    message: `${what} are not supported by this version`,
    fix: [{ text: "use file:/path/to/folder, s3://bucket/prefix or rclone:name:path" }],
  }),
}

const NO_BASELINE = {
  not_set_up: { why: "cloud sync is not set up on this device", fix: SETUP },
  no_journal: { why: "this device has no record of an earlier sync", fix: RESYNC },
  journal_cloned: {
    why: "this journal is a copy of another device's",
    fix: {
      command: "bm cloud bisync",
      text: "sync first: that gives this device an id of its own and compares anew",
    },
  },
} as const

function noBaseline({ why }: Of<"no_baseline">): ErrorText {
  return {
    exit: 7,
    code: "no_baseline",
    message: "First bisync requires --resync to establish baseline",
    why: NO_BASELINE[why].why,
    fix: [NO_BASELINE[why].fix],
  }
}

function sideUnreadable({ side, trouble }: Of<"side_unreadable">): ErrorText {
  const known = side === "remote" ? storageError(trouble, { isSetup: false }) : undefined
  return (
    known ?? {
      exit: 1,
      code: "cloud_unreachable",
      message: `Cannot read ${side === "local" ? "the sync directory" : "the cloud"} - ${troubleText(trouble)}`,
      where: at(trouble),
      fix: [{ text: "nothing was decided on a partial look; try again when it can be read" }],
    }
  )
}

function brokenOff({ trouble }: Of<"broken_off">): ErrorText {
  const known = storageError(trouble, { isSetup: false })
  return {
    exit: 1,
    code: "internal",
    message: `Cannot finish what was written - ${troubleText(trouble)}`,
    where: at(trouble),
    fix: [{ text: "make room or give permission there, and run again" }],
    ...known,
    why: "the run broke off in the middle: what it wrote stands, and the next run goes on from here",
  }
}

function setupFailed({ what, trouble }: Of<"setup_failed">): ErrorText {
  const known = storageError(trouble, { isSetup: true })
  return (
    known ?? {
      exit: 1,
      code: "not_found",
      message: `Cannot ${what} - ${troubleText(trouble)}`,
      where: at(trouble),
      fix: [
        trouble.path.startsWith("s3:")
          ? { text: "look whether the URL of the remote is right, and run the setup again" }
          : { text: "create the folder above it, or mount the disk, and run the setup again" },
      ],
    }
  )
}

function confirmNeeded({ what, flag }: Of<"confirm_needed">): ErrorText {
  if (flag === "--unsafe-multi-writer")
    return {
      exit: 4,
      code: "confirm_needed",
      message: `${what} is refused - its server cannot keep two devices apart`,
      why: "its listings lag behind its writes, so one device may overwrite what it never saw",
      fix: [
        { text: "sync one device only, or use another server" },
        { text: `add ${flag} to take that risk; what is replaced is kept here, as far as it was seen` },
      ],
    }
  return {
    exit: 4,
    code: "confirm_needed",
    message: `${what} needs your yes, and there is no terminal to ask on`,
    fix: [{ text: `add ${flag}` }],
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
        : what === "rclone remote"
          ? "rclone listremotes"
          : "bm cloud history"
  return {
    exit: 1,
    code: "not_found",
    message: `There is no ${what} ${shown}`,
    fix: [{ command: listing, text: "see what there is" }],
  }
}

function at({ path }: Trouble): { readonly lines: readonly string[]; readonly data: object } {
  return { lines: [escapeForTerminal(path === "" ? "." : path)], data: { path } }
}
