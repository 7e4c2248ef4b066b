/**
 * Ports: the few doors through which the world comes in. Everything else is pure or calls these.
 */

import type { Operation } from "./action.ts"
import type { ListedFile, Listing, Origin, Version } from "./entry.ts"
import type { Trouble } from "./errors.ts"
import type { StagedMark } from "./event.ts"
import type { ContentHash, DeviceId, GitOid, OpId, VersionToken } from "./ids.ts"
import type { RelativePath } from "./path.ts"
import type { Result } from "./result.ts"
import type { EpochPair } from "./state.ts"

export interface Clock {
  /** Unix milliseconds; may be fractional. */
  nowMs(): number
}

export interface Random {
  /** 128 random bits in hexadecimal. */
  hex128(): string
}

/** Files up to this size are held in memory in one piece; larger ones are streamed. */
export const SMALL_FILE_BYTES_MAX = 8 * 1024 * 1024

/** The bytes of one version. A stream may be opened once, and throws `ContentLost` if it cannot deliver all of it. */
export type Content = (
  | { readonly kind: "bytes"; readonly bytes: Uint8Array; readonly hash: ContentHash }
  | {
      readonly kind: "stream"
      readonly sizeBytes: number
      readonly hash: ContentHash
      open(): AsyncIterable<Uint8Array>
    }
) & {
  /** What the storage keeps beside the bytes, where its listings do not show it. */
  readonly origin?: Origin
}

export class ContentLost extends Error {
  readonly trouble: Trouble
  constructor(trouble: Trouble) {
    super(trouble.code)
    this.trouble = trouble
  }
}

export interface Capabilities {
  readonly kind: "folder" | "memory" | "s3" | "rclone"
  /** How a write is kept from replacing a version that we have not seen. */
  readonly guard: "conditional" | "guarded_rename" | "lease" | "none"
  /** A key `p` and a key `p/x` may stand beside each other. */
  readonly hasFileBesideDirectory: boolean
  /** Reading costs so little that every unknown hash is read at once. */
  readonly readsAreCheap: boolean
  /** A change that only moved bytes to another name needs no transfer. */
  readonly canMove: boolean
  /** Modification times set by us are kept. */
  readonly keepsTimes: boolean
  /** `A` and `a` are one name. */
  readonly foldsCase: boolean
  /** Steps that are worth carrying out at the same time; a network wants more than a disk. */
  readonly lanes: number
}

/** Whether a step took effect, or the path no longer was what the plan expected. */
export type Applied =
  | {
      readonly kind: "applied"
      readonly aside?: { readonly path?: RelativePath; readonly token: string; readonly atMs: number }
    }
  | { readonly kind: "changed" }

export type Settled =
  | {
      readonly kind: "applied"
      readonly version?: Version
      readonly aside?: { readonly path?: RelativePath; readonly token: string; readonly atMs: number }
    }
  | { readonly kind: "not_applied" }

/** A replaced file that this device finds in a side's trash. */
export interface AsideFound {
  readonly op: OpId
  readonly path: RelativePath
  readonly token: string
  /** When its content or its name last changed, Unix milliseconds. */
  readonly changedMs: number
  /** Its operation was finished; an aside that is not retired makes its absent path unknown to everybody. */
  readonly isRetired: boolean
}

/**
 * One side of a sync: a folder, a bucket. Both the local side and the remote are backends.
 *
 * Steps are carried out in two halves. `stage` brings the bytes close without changing anything that anyone sees;
 * then the intent is journaled; then `apply` makes the change in a way that cannot replace what we have not seen.
 */
export interface Backend {
  readonly capabilities: Capabilities
  list(options: {
    readonly ignoresDirectory: (path: string) => boolean
    /** Where the last listing said it may be cut into pieces that are listed at once. */
    readonly shards?: readonly string[]
  }): Promise<Result<Listing, Trouble>>
  look(path: RelativePath): Promise<Result<Version | undefined, Trouble>>
  /** Reads exactly this version, or says `changed_since`. */
  read(path: RelativePath, version: Version): Promise<Result<Content, Trouble>>
  stage(operation: Operation, content: Content | undefined): Promise<Result<StagedMark, Trouble>>
  /** `sending`, where a step has a last request that nothing can call back, is awaited right before it. */
  apply(
    operation: Operation,
    mark: StagedMark,
    sending?: () => Promise<void>,
  ): Promise<Result<Applied, Trouble>>
  /** Gives up a staged operation that was never applied. */
  unstage(operation: Operation): Promise<void>
  /**
   * Removes what was staged and has no intent in the journal. An operation without a journaled intent never had an
   * effect, so what it staged is only a copy of what still is where it came from.
   */
  discardStaged(): Promise<void>
  /** Makes every applied step since the last flush durable; answers what writes and moves left at their paths. */
  flush(): Promise<Result<ReadonlyMap<OpId, Version>, Trouble>>
  /** Looks whether an operation interrupted by a crash took effect; what is half done is put back. */
  settle(
    operation: Operation,
    mark: StagedMark,
    sending?: () => Promise<void>,
  ): Promise<Result<Settled, Trouble>>
  /** Everything of this device in the trash of this side. */
  asides(): Promise<Result<readonly AsideFound[], Trouble>>
  /** Says that the operation of an aside is finished: its path may be spoken about again. */
  retireAside(op: OpId): Promise<void>
  /** Drops a retired aside if it still is what it was. */
  dropAside(aside: {
    readonly op: OpId
    readonly path: RelativePath
    readonly token: string
  }): Promise<Result<"dropped" | "changed" | "gone", Trouble>>
  /** Puts an aside back at its path, or at the next free conflict name where the path is taken. */
  restoreAside(aside: {
    readonly op: OpId
    readonly path: RelativePath
  }): Promise<Result<RelativePath | undefined, Trouble>>
  /** The bytes of an aside. */
  readAside(aside: { readonly op: OpId; readonly path: RelativePath }): Promise<Result<Content, Trouble>>
  /** True if a checksum that the storage itself computed of this version is that of these bytes. It asks nobody. */
  hasContent?(version: Version, content: Content): Promise<boolean>
  /** Deletes that take two steps; only where the storage has no better way. */
  readonly tombstones?: Tombstones
  /** Before the first write of a run: takes the remote's lease where it has one. `onWait` is told who holds it. */
  beginWriting?(options: { readonly onWait: (holder: string) => void }): Promise<Result<void, Trouble>>
  endWriting?(): Promise<void>
  readEpoch(known: readonly number[]): Promise<Result<Epoch | undefined, Trouble>>
  createEpoch(id: string): Promise<Result<void, Trouble>>
  /** Adds the next pair to the chain, after the newest that is there. */
  appendEpoch(pair: {
    readonly nonce: string
    readonly device: DeviceId
  }): Promise<Result<EpochPair, Trouble>>
}

/** A mark that stands at a path in place of a note while some device deletes it. It is no version of anything. */
export interface Tombstone {
  readonly path: RelativePath
  readonly token: VersionToken
  /** Its device has not come back for so long that anybody may finish the delete. */
  readonly isAbandoned: boolean
}

export interface Tombstones {
  /** Those among versions that the journal does not know; looked at, never changed. */
  find(files: readonly ListedFile[]): Promise<Result<readonly Tombstone[], Trouble>>
  /** Takes over and finishes the abandoned ones; answers how many are gone. */
  finish(tombstones: readonly Tombstone[]): Promise<Result<number, Trouble>>
}

export interface Epoch {
  readonly id: string
  readonly mode: "conditional" | "lease"
  /** Of the counters that were asked for, those still kept; and every pair newer than all of them; oldest first. */
  readonly chain: readonly EpochPair[]
}

/** One change of the branch: the object at a path, or nothing there any more. */
export interface TreeChange {
  readonly path: RelativePath
  readonly oid?: GitOid
}

export interface HistoryStore {
  head(): Promise<Result<GitOid | undefined, Trouble>>
  /** Every path of the branch's tree. */
  tree(): Promise<Result<ReadonlyMap<RelativePath, GitOid>, Trouble>>
  begin(): Promise<Result<HistoryWriter, Trouble>>
  /** Streams a version that is too large for the tree into the store and pins it. */
  keepLarge(content: Content): Promise<Result<GitOid, Trouble>>
  read(oid: GitOid): Promise<Result<Uint8Array, Trouble>>
  /** Hands out a version in pieces, whatever its size. */
  stream(oid: GitOid): AsyncIterable<Uint8Array>
  has(oid: GitOid): Promise<boolean>
}

/** Collects versions and commits of one pack. Nothing is visible before `finish`, everything is durable after it. */
export interface HistoryWriter {
  add(bytes: Uint8Array): Promise<Result<GitOid, Trouble>>
  /** Puts a commit on top of the branch. */
  commit(commit: {
    readonly changes: readonly TreeChange[]
    readonly message: string
    readonly atMs: number
  }): Promise<Result<GitOid, Trouble>>
  finish(): Promise<Result<void, Trouble>>
  abandon(): Promise<void>
}

/** Ordered keys and values: what the journal stands on. */
export interface KeyValueStore {
  get(key: string): Promise<string | undefined>
  /** Writes all or none; with `sync` it survives a power loss when it returns. */
  write(changes: readonly KeyChange[], options: { readonly sync: boolean }): Promise<void>
  range(options: {
    readonly from: string
    readonly before: string
    readonly reverse?: boolean
    readonly limit?: number
  }): AsyncIterable<readonly (readonly [string, string])[]>
  close(): Promise<void>
}

export type KeyChange =
  | { readonly key: string; readonly value: string }
  | { readonly key: string; readonly value: undefined }
