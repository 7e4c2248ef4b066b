/**
 * What can go wrong, as values. Codes are stable forever (docs/errors.md); texts are made at the edge, in `cli`.
 */

import type { AccountFailure } from "./account-failure.ts"
import type { RunKind } from "./event.ts"
import type { ConflictId, PlanId, RunId } from "./ids.ts"
import type { ServiceRefusal } from "./service-refusal.ts"
import type { Side } from "./side.ts"
import type { ProfileName } from "./settings.ts"

/** Why one path could not be read or written. The run goes on with the others. */
export type TroubleCode =
  | "changed_since"
  | "unreadable"
  | "not_found"
  | "no_space"
  | "no_permission"
  | "read_only"
  | "in_the_way"
  | "name_refused"
  | "unsupported"
  | "not_kept"
  | "hash_mismatch"
  | "unreachable"
  /** What answers there is no server of this kind: a proxy, a sign-in page. */
  | "nonsense"
  | "blocked_by_errors"
  | "interrupted"
  /** Larger than this storage takes in one guarded write. */
  | "too_large"
  /** The key pair is wrong, missing or expired; `detail` says which. */
  | "credentials"
  | "denied"
  | "no_bucket"
  /** Our clock and the server's are too far apart for requests to be accepted. */
  | "clock"
  /** Another device writes to the remote; `detail` names it. */
  | "lease_held"
  /** The right to write ran out in the middle: others may write by now. */
  | "lease_lost"
  | "busy"
  | "io"

/** It was the storage or the way to it, not the path: what was left out is likely to go well another time. */
const OUTAGES: ReadonlySet<TroubleCode> = new Set<TroubleCode>([
  "unreachable",
  "nonsense",
  "busy",
  "credentials",
  "denied",
  "no_bucket",
  "clock",
  "lease_lost",
])

export function isOutage(code: TroubleCode): boolean {
  return OUTAGES.has(code)
}

export interface Trouble {
  readonly code: TroubleCode
  readonly path: string
  /** The system's own word for it, such as `ENOSPC`; never a secret, never a stack. */
  readonly detail?: string
  /** Told by a program that stands between us and the storage, or of one that came with an account: the ways out are others. */
  readonly via?: "rclone" | "account"
}

/** Why a command did not do what it was asked to do. */
export type SyncError =
  | { readonly code: "no_baseline"; readonly why: "not_set_up" | "no_journal" | "journal_cloned" }
  | { readonly code: "journal_damaged"; readonly why: string }
  | { readonly code: "journal_too_new"; readonly found: number; readonly known: number }
  | { readonly code: "mount_dir"; readonly dir: string }
  | {
      readonly code: "delete_limit"
      readonly profile: ProfileName
      readonly limit: number
      readonly deletes: number
      readonly total: number
      readonly side: Side
      readonly example: string
      readonly below: number
      readonly kind?: RunKind
    }
  | {
      readonly code: "confirm_mismatch"
      readonly confirmed: number
      readonly total: number
      readonly kind?: RunKind
    }
  | {
      readonly code: "side_emptied"
      readonly side: Side
      readonly files: number
      readonly total: number
      /** What kind of run was held back, where it is no sync. */
      readonly kind?: RunKind
    }
  | {
      readonly code: "root_changed"
      readonly dir: string
      readonly why: "missing" | "no_marker" | "other_marker" | "not_a_directory"
    }
  | {
      readonly code: "remote_changed"
      readonly remote: string
      readonly why: "no_epoch" | "other_epoch" | "missing"
    }
  | { readonly code: "side_unreadable"; readonly side: Side; readonly trouble: Trouble }
  | {
      readonly code: "plan_stale"
      readonly plan: PlanId
      readonly total: number
      readonly stale: readonly StaleAction[]
    }
  | {
      readonly code: "plan_foreign"
      readonly why: "device" | "roots" | "settings" | "schema" | "digest" | "unreadable"
      readonly detail?: string
    }
  | {
      readonly code: "undo_overlap"
      readonly target: string
      readonly total: number
      readonly overlaps: readonly Overlap[]
    }
  | {
      readonly code: "not_undoable"
      readonly target: string
      readonly why: "conflict_open" | "version_not_here"
      readonly path: string
    }
  | {
      readonly code: "resolve_refused"
      /** Conflicts that were to be resolved. */
      readonly total: number
      readonly problems: readonly ResolveProblem[]
    }
  /** The program that the user merges or compares with. */
  | { readonly code: "tool_failed"; readonly why: string }
  | { readonly code: "confirm_needed"; readonly what: string; readonly flag: string }
  | {
      readonly code: "lock_held"
      readonly pid?: number
      readonly host?: string
      readonly since?: string
      readonly command?: string
    }
  /** A run ended in the middle: what it had written stands, and the next one goes on. */
  | { readonly code: "broken_off"; readonly trouble: Trouble }
  | { readonly code: "history_write_failed"; readonly trouble: Trouble }
  | { readonly code: "state_write_failed"; readonly trouble: Trouble }
  | {
      readonly code: "not_found"
      readonly what: string
      readonly name: string
      readonly candidates?: readonly string[]
    }
  | { readonly code: "account"; readonly failure: AccountFailure }
  | {
      readonly code: "rclone_missing"
      readonly why: "missing" | "too_old" | "broken"
      readonly path?: string
      readonly version?: string
      readonly detail?: string
    }
  | { readonly code: "usage"; readonly message: string }
  | { readonly code: "config_unreadable"; readonly file: string; readonly why: string }
  | { readonly code: "setup_failed"; readonly what: string; readonly trouble: Trouble }
  /** The user stopped a setup before anything of it was kept. */
  | { readonly code: "interrupted" }
  /** The folder that a setup was to import from. */
  | {
      readonly code: "import_refused"
      readonly dir: string
      readonly why: "missing" | "not_a_directory" | "unreadable" | "overlaps"
      /** The system's own word for it, or what the folder overlaps. */
      readonly detail?: string
    }
  /** A watcher was not installed as a service, or not removed. */
  | { readonly code: "service"; readonly refusal: ServiceRefusal }
  | { readonly code: "unsupported"; readonly what: string }

export interface StaleAction {
  readonly path: string
  readonly planned: string
  readonly now: string
}

export interface Overlap {
  readonly path: string
  readonly run?: RunId
  readonly conflict?: ConflictId
}

/** Why a conflict cannot be resolved as asked. */
export type ResolveProblem = {
  readonly conflict: ConflictId
  readonly path: string
} & (
  | {
      readonly why: "overlap"
      readonly places: number
      readonly first?: { readonly line: number; readonly local: string; readonly remote: string }
    }
  | { readonly why: "copy_gone" | "copy_torn"; readonly copy: string }
  | {
      readonly why:
        | "path_taken"
        | "changed_since"
        | "no_base"
        | "not_text"
        | "version_not_here"
        | "name_is_folder"
        | "has_no_winner"
        | "undone"
        | "unknown"
    }
)
