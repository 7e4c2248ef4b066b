/**
 * Events: what the journal holds. Past tense, append-only, each carrying the hash of the one before.
 *
 * docs/journal-format.md has the keys and bytes; `fold` gives each its meaning.
 */

import type { Agreed, ConflictDecision, OpName, Reason, Step } from "./action.ts"
import type { Base, Version } from "./entry.ts"
import type { TroubleCode } from "./errors.ts"
import type { ConflictId, ContentHash, DeviceId, GitOid, OpId, PlanId, RunId, Sequence } from "./ids.ts"
import type { RelativePath } from "./path.ts"
import type { ConflictResolve, ProfileName } from "./settings.ts"
import type { Direction, Side } from "./side.ts"
import type { Agreement, EpochPair } from "./state.ts"

export type RunKind = "bisync" | "resync" | "undo" | "redo" | "resolve"

/** What a backend noted when it staged a step, so that a crash can be settled by looking. */
export interface StagedMark {
  readonly op: OpId
  /** Inode of the temporary file on a folder; the upload on a bucket. */
  readonly fileId?: string
  /** A request that nothing can call back was about to be sent. */
  readonly isSent?: true
}

/** What a step left on its side. */
export interface StepResult {
  readonly op: OpId
  readonly side: Side
  readonly path: RelativePath
  /** Absent: nothing is at the path now. */
  readonly version?: Version
  /** The file that was there, until it is dropped. `path` where it is not the step's own. */
  readonly aside?: { readonly path?: RelativePath; readonly token: string; readonly atMs: number }
}

/** What an action is about, as the history shows it. */
export interface ActionSummary {
  readonly op: OpName
  readonly change: "create" | "update" | "delete" | "move"
  readonly direction: Direction
  readonly reason: Reason
  readonly path: RelativePath
  readonly to?: RelativePath
  readonly sizeBytes: number
  /** The version that was replaced or removed, if any. */
  readonly before?: ContentHash
  readonly beforeSizeBytes?: number
  readonly conflict?: ConflictId
}

export interface RunCounts {
  readonly uploaded: number
  readonly downloaded: number
  readonly deletedLocal: number
  readonly deletedRemote: number
  readonly moved: number
  readonly merged: number
  readonly restored: number
  readonly skipped: number
  readonly bytesUp: number
  readonly bytesDown: number
}

export type UndoTarget =
  | { readonly kind: "run"; readonly run: RunId }
  | { readonly kind: "conflict"; readonly conflict: ConflictId }
  | { readonly kind: "event"; readonly run: RunId; readonly number: number }
  | { readonly kind: "path"; readonly path: RelativePath; readonly run: RunId }
  | { readonly kind: "moment"; readonly sequence: Sequence }

export type EventBody =
  | {
      readonly type: "journal.created"
      readonly device: DeviceId
      readonly deviceName: string
      readonly root: string
      readonly epoch: string
    }
  | {
      readonly type: "run.started"
      readonly kind: RunKind
      readonly command: string
      readonly profile: ProfileName
      readonly conflictResolve: ConflictResolve
      /** Begins the nonce of every epoch pair this run adds, so that our own pairs are known after a crash. */
      readonly nonce: string
    }
  | { readonly type: "observed"; readonly side: Side; readonly path: RelativePath; readonly version: Version }
  | { readonly type: "gone"; readonly side: Side; readonly path: RelativePath }
  | {
      readonly type: "side.listed"
      readonly side: Side
      readonly complete: boolean
      readonly count: number
      readonly digest: string
      readonly sampledMs: number
      readonly mounts: readonly string[]
      readonly shards?: readonly string[]
      /** On the remote's listing: with both listings and these settings there was nothing to do. */
      readonly settles?: string
    }
  | {
      readonly type: "union.started"
      readonly reason: UnionReason
      readonly scope: "all" | readonly RelativePath[]
    }
  | { readonly type: "agreed"; readonly items: readonly Agreed[] }
  | {
      readonly type: "planned"
      readonly plan: PlanId
      readonly digest: ContentHash
      readonly actions: number
    }
  | {
      readonly type: "intent"
      /** Position of the action in the plan, from 1: the event's id in its run. */
      readonly number: number
      readonly steps: readonly Step[]
      readonly marks: readonly StagedMark[]
      readonly after: readonly Agreement[]
      readonly action: ActionSummary
    }
  | { readonly type: "delete.sent"; readonly intent: Sequence; readonly op: OpId }
  | ({
      readonly type: "done"
      readonly number: number
      readonly intent: Sequence
      readonly afterHash?: ContentHash
      readonly results: readonly StepResult[]
      readonly after: readonly Agreement[]
    } & ActionSummary)
  | {
      readonly type: "failed"
      readonly number: number
      readonly intent?: Sequence
      readonly path: RelativePath
      readonly code: TroubleCode
      readonly detail?: string
    }
  | {
      readonly type: "skipped"
      readonly number: number
      readonly path: RelativePath
      readonly code: TroubleCode
      readonly detail?: string
    }
  | {
      readonly type: "conflict.decided"
      readonly conflict: ConflictId
      readonly path: RelativePath
      readonly number: number
      readonly decision: ConflictDecision
      readonly base?: Base
      readonly local?: Version
      readonly remote?: Version
    }
  | {
      readonly type: "conflict.resolved"
      readonly conflict: ConflictId
      readonly how: "by_hand" | "resolve" | "undo"
    }
  | {
      readonly type: "undo.decided"
      readonly target: UndoTarget
      readonly mode: "undo" | "redo"
      readonly steps: readonly UndoStep[]
    }
  | { readonly type: "undone"; readonly target: UndoTarget; readonly mode: "undo" | "redo" }
  | {
      readonly type: "history.kept"
      readonly items: readonly (readonly [ContentHash, GitOid])[]
      readonly commit?: GitOid
    }
  | { readonly type: "history.recorded"; readonly upTo: Sequence; readonly commit: GitOid }
  | { readonly type: "epoch.read"; readonly id: string; readonly chain: readonly EpochPair[] }
  | {
      readonly type: "marker.written"
      readonly root: string
      readonly sequence: Sequence
      readonly nonce: string
    }
  | { readonly type: "aside.dropped"; readonly op: OpId; readonly becameCopy?: RelativePath }
  | {
      readonly type: "device.renamed"
      readonly device: DeviceId
      readonly deviceName: string
      readonly why: "cloned_journal" | "user"
    }
  | {
      readonly type: "run.finished"
      readonly counts: RunCounts
      readonly exit: number
      readonly conflicts: readonly ConflictId[]
      readonly open: readonly ConflictId[]
    }

export type UnionReason =
  | "setup"
  | "resync"
  | "remote_restored"
  | "root_restored"
  | "journal_cloned"
  | "ignored"

/** One path of an undo: what it is expected to hold and what it shall hold again. */
export interface UndoStep {
  readonly path: RelativePath
  readonly from?: ContentHash
  readonly to?: ContentHash
  readonly toSizeBytes?: number
}

export type EventType = EventBody["type"]

/** An event in the journal. `prev` is the hash of the event before, of the empty string at 1. */
export type JournalEvent = EventBody & {
  readonly seq: Sequence
  readonly at: string
  readonly run?: RunId
  readonly prev: ContentHash
}

export type EventOf<Type extends EventType> = Extract<JournalEvent, { readonly type: Type }>
