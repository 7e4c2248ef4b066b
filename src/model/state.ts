/**
 * What the journal folds to: per path the base and what each side last showed, and a few facts about the whole.
 *
 * It is a cache: `fold` makes it from the events alone, and `history verify` proves that it still does.
 */

import type { Base, KnownVersion, Version } from "./entry.ts"
import type { ConflictId, DeviceId, OpId, RunId, Sequence } from "./ids.ts"
import type { RelativePath } from "./path.ts"
import type { Side } from "./side.ts"
import type { Step } from "./action.ts"
import type { ActionSummary, StagedMark } from "./event.ts"

export interface PathState {
  readonly base?: Base
  readonly local?: Version
  readonly remote?: Version
}

/** The last complete listing of a side. */
export interface ListedSide {
  readonly digest: string
  readonly count: number
  readonly sampledMs: number
  readonly mounts: readonly string[]
  readonly shards?: readonly string[]
}

export interface OpenIntent {
  /** Of its `intent` event, which is also its name. */
  readonly sequence: Sequence
  readonly number: number
  readonly run: RunId
  readonly steps: readonly Step[]
  readonly marks: readonly StagedMark[]
  readonly after: readonly Agreement[]
  readonly action: ActionSummary
}

/** What both sides hold at a path once an action is done; without `content` the path is forgotten. */
export interface Agreement {
  readonly path: RelativePath
  readonly content?: {
    /** Absent in a plan where a remote's content is not known before it is read; never in a `done`. */
    readonly hash?: KnownVersion["hash"]
    readonly sizeBytes: number
    readonly mtimeMs: number
  }
}

/** A replaced or deleted file that waits in `trash/`, in case an editor still writes to it. */
export interface Aside {
  readonly op: OpId
  readonly side: Side
  readonly path: RelativePath
  readonly token: string
  readonly atMs: number
}

export interface OpenConflict {
  readonly id: ConflictId
  readonly path: RelativePath
  readonly copies: readonly RelativePath[]
}

/** An undo whose steps were journaled and not yet finished. */
export interface OpenUndo {
  readonly run: RunId
  readonly sequence: Sequence
}

export interface EpochPair {
  readonly counter: number
  readonly nonce: string
  readonly device: DeviceId
}

/** The remote's identity and the newest part of its chain, as this device last read it. */
export interface EpochMemory {
  readonly id: string
  readonly chain: readonly EpochPair[]
}

export interface MarkerMemory {
  readonly root: string
  readonly sequence: Sequence
  readonly nonce: string
}

export interface StateRoot {
  readonly device?: { readonly id: DeviceId; readonly name: string }
  readonly sequence: Sequence
  readonly listed: { readonly [S in Side]?: ListedSide }
  /** Settings and listings that were seen to need nothing; equal ones need nothing again. */
  readonly settled?: { readonly local: string; readonly remote: string; readonly settings: string }
  readonly epoch?: EpochMemory
  readonly marker?: MarkerMemory
  /** Last event whose agreed version is in the branch of the history store. */
  readonly recordedSequence: Sequence
  readonly lastRun?: RunId
  /** Nonce of the last run that may have written to the remote. */
  readonly lastNonce?: string
  /** The run that started and did not finish, if any. */
  readonly unfinishedRun?: RunId
  readonly openUndo?: OpenUndo
}

export interface State {
  readonly root: StateRoot
  readonly paths: ReadonlyMap<RelativePath, PathState>
  readonly intents: ReadonlyMap<Sequence, OpenIntent>
  readonly asides: ReadonlyMap<OpId, Aside>
  readonly openConflicts: ReadonlyMap<ConflictId, OpenConflict>
}
