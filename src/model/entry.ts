/**
 * What is at a path: a version of a file, or trouble that keeps us from knowing. Trouble is a value.
 *
 * Directories are not entries; they exist because something is below them.
 */

import type { ContentHash, OpId, RunId, Sequence, VersionToken } from "./ids.ts"
import type { RelativePath } from "./path.ts"

/** One version of one file as a side shows it. `hash` is present only when it is known for exactly this token. */
export interface Version {
  readonly token: VersionToken
  readonly sizeBytes: number
  /** The user's modification time, whole Unix milliseconds. */
  readonly mtimeMs: number
  /** The time is the storage's own: the user's stands in the metadata, which a listing does not show. */
  readonly isUploadTime?: true
  readonly hash?: ContentHash
  /** Recognises a file that only changed its name: the inode on a folder. */
  readonly fileId?: string
  /** Name of the device that wrote it, where the backend knows. */
  readonly device?: string
  /** How far the writer's clock was off, as it recorded itself. */
  readonly skewMs?: number
  /** The op that wrote it, and those whose versions it replaced, newest first; absent where nobody recorded or looked. */
  readonly lineage?: readonly OpId[]
}

/** What a storage keeps beside the bytes of a version, and shows only to whoever looks at or reads that version. */
export type Origin = Pick<Version, "mtimeMs" | "device" | "skewMs" | "lineage">

/** The version with what its metadata says. */
export function withOrigin(version: Version, origin: Origin | undefined): Version {
  if (origin === undefined) return version
  const { isUploadTime: _, ...rest } = version
  return { ...rest, ...origin }
}

export interface KnownVersion extends Version {
  readonly hash: ContentHash
}

/** The version of a path that both sides last agreed on. */
export interface Base {
  readonly hash: ContentHash
  readonly sizeBytes: number
  readonly mtimeMs: number
  readonly run: RunId
  readonly sequence: Sequence
  /** The local file's id when it was agreed, by which a rename is recognised. */
  readonly fileId?: string
  /** A union began after it was agreed: it may recognise an old version, it justifies no deletion. */
  readonly isHint: boolean
}

export type UnknownReason =
  | "ignored"
  | "symlink"
  | "special"
  | "unreadable"
  | "unstable"
  | "illegal_name"
  | "not_utf8"
  | "too_long"
  | "collision"
  | "file_and_directory"
  | "mount_changed"
  | "aside"
  | "reserved"

/**
 * A place we cannot speak about.
 *
 * `path`: a name that is a file, or would be one. `subtree`: what is a directory, or may hide one. Below both everything
 * is unknown too, save where a key stands beside keys below it. `absent_children`: the names we can read in this
 * directory are known, but a name that is missing there may be one that we cannot read.
 */
export interface Unknown {
  readonly path: string
  readonly reason: UnknownReason
  readonly scope: "path" | "subtree" | "absent_children"
  /** The name as bytes, base64, when it is not UTF-8. */
  readonly nameBase64?: string
}

/** Reasons that a user chose or that are ordinary; they are mentioned, and do not make the exit code 2. */
export function isOrdinary(reason: UnknownReason): boolean {
  return reason === "ignored" || reason === "symlink" || reason === "special" || reason === "aside"
}

export interface ListedFile {
  readonly path: RelativePath
  readonly version: Version
}

/** One complete look at a side, in byte order of paths. */
export interface Listing {
  /** Made when it is first asked for: a run that finds the digest unchanged never does. */
  readonly files: readonly ListedFile[]
  readonly count: number
  readonly unknowns: readonly Unknown[]
  /** Directories that are mount points, in byte order. */
  readonly mounts: readonly string[]
  /** Hash over every path, token and unknown: equal digests are equal listings. */
  readonly digest: string
  /** Clock before the first look, Unix milliseconds; what changed before it was seen as it is. */
  readonly sampledMs: number
  /** The newest time (modification or change) of any file, Unix milliseconds. */
  readonly newestMs: number
  /** Paths between which the next listing may be made in pieces; absent where that saves nothing. */
  readonly shards?: readonly string[]
}
