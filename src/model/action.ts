/**
 * Plans: ordered actions, each with the steps that carry it out and what must still be true for each step.
 */

import type { Base, KnownVersion, Version } from "./entry.ts"
import type { ConflictId, ContentHash, OpId } from "./ids.ts"
import type { RelativePath } from "./path.ts"
import type { Direction, Side } from "./side.ts"
import type { Agreement } from "./state.ts"

/** What must be at a path just before we write there. */
export type Expected = { readonly kind: "absent" } | { readonly kind: "version"; readonly version: Version }

/** Where the bytes of a write come from. */
export type ContentSource =
  | { readonly kind: "side"; readonly side: Side; readonly path: RelativePath; readonly version: Version }
  | { readonly kind: "history"; readonly hash: ContentHash }
  | { readonly kind: "inline"; readonly hash: ContentHash; readonly base64: string }

/** One change of one side. Its `op` is chosen when the plan is executed. */
export type Step =
  | {
      readonly kind: "write"
      readonly side: Side
      readonly path: RelativePath
      readonly expected: Expected
      readonly source: ContentSource
      readonly sizeBytes: number
      readonly mtimeMs: number
      /** Absent only where a remote's content is not known before it is read. */
      readonly hash?: ContentHash
    }
  | { readonly kind: "remove"; readonly side: Side; readonly path: RelativePath; readonly expected: Version }
  | {
      readonly kind: "move"
      readonly side: Side
      readonly path: RelativePath
      readonly to: RelativePath
      readonly expected: Version
    }

export type OpName = "upload" | "download" | "delete" | "move" | "conflict" | "merge" | "restore" | "finish"

export type Reason =
  | "local_new"
  | "remote_new"
  | "local_changed"
  | "remote_changed"
  | "local_deleted"
  | "remote_deleted"
  | "local_moved"
  | "remote_moved"
  | "both_changed"
  | "changed_vs_deleted"
  | "both_new"
  | "tie"
  | "drift"
  | "undo"

export type Risk = "none" | "replace" | "delete" | "conflict" | "irreversible"

export interface ConflictDecision {
  readonly id: ConflictId
  readonly rule: "newer" | "none" | "earlier"
  readonly winner?: Side
  readonly loser?: Side
  /** Names of both copies when both are kept as files. */
  readonly copies?: { readonly local?: RelativePath; readonly remote?: RelativePath }
  readonly apartMs: number
  readonly tieMs: number
}

/** A version that the action replaces or removes, and that must be in the history store before. */
export interface Keep {
  readonly side: Side
  readonly path: RelativePath
  readonly version: Version
}

export interface Action {
  readonly op: OpName
  readonly change: "create" | "update" | "delete" | "move"
  readonly direction: Direction
  readonly path: RelativePath
  readonly to?: RelativePath
  readonly reason: Reason
  readonly risk: Risk
  readonly sizeBytes: number
  readonly base?: Base
  readonly local?: Version
  readonly remote?: Version
  readonly conflict?: ConflictDecision
  readonly steps: readonly Step[]
  readonly keeps: readonly Keep[]
  readonly after: readonly Agreement[]
  /** Must happen before what is created below or at its path: a file makes room for a directory, or the reverse. */
  readonly makesRoom: boolean
  /** A delete that stands for a rename made on another device, which the brake does not count. */
  readonly isRename?: boolean
}

/** Versions that are equal on both sides and need no transfer. */
export interface Agreed {
  readonly path: RelativePath
  readonly version?: KnownVersion
}

export interface Notice {
  readonly kind: "kept_changed" | "unknown" | "unaliased" | "refused"
  readonly path: string
  readonly side: Side
  readonly detail: string
}

export type PlanBlock =
  | { readonly code: "delete_limit"; readonly side: Side; readonly deletes: number; readonly limit: number }
  | { readonly code: "side_emptied"; readonly side: Side; readonly files: number }

export interface Plan {
  readonly actions: readonly Action[]
  readonly agreed: readonly Agreed[]
  readonly notices: readonly Notice[]
  readonly blocks: readonly PlanBlock[]
}

/** A step that has been given its op id. */
export interface Operation {
  readonly op: OpId
  readonly step: Step
}
