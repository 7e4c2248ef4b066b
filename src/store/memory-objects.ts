/**
 * A bucket in memory, and the ways in which real servers differ from the ideal one.
 *
 * It owns what all clients of one bucket share, and the list of quirks. What a request does to the bucket is in
 * `memory-server.ts` and `memory-store.ts`.
 */

import { createHash } from "node:crypto"
import type { Etag, Metadata } from "./store.ts"

export interface StoredObject {
  readonly bytes: Uint8Array
  readonly etag: Etag
  readonly metadata: Metadata
  readonly lastModifiedMs: number
}

export interface StoredUpload {
  readonly key: string
  readonly metadata: Metadata
  readonly startedMs: number
  readonly parts: Map<number, Uint8Array>
}

/** What all devices share. */
export interface MemoryObjects {
  readonly objects: Map<string, StoredObject>
  readonly uploads: Map<string, StoredUpload>
  nextUpload: number
  /** What a listing shows where listings are stale. */
  listed: ReadonlyMap<string, StoredObject> | undefined
}

/** Each is a way in which some server breaks or bends the rules. */
export interface Quirks {
  readonly ignoresPutConditions: boolean
  readonly ignoresDeleteCondition: boolean
  /** A DELETE with the right condition removes whatever is there when it lands. */
  readonly deleteRaces: boolean
  /** No DELETE with a condition is ever carried out. */
  readonly refusesDeleteCondition: boolean
  readonly ignoresCompleteCondition: boolean
  /** A copy replaces what is at its goal. */
  readonly ignoresCopyCondition: boolean
  /** A copy takes whatever its source has become. */
  readonly ignoresSourceCondition: boolean
  readonly createsOnMatchMissing: boolean
  /** Answers 501 to every write with a condition. */
  readonly lacksConditions: boolean
  /** Understands `If-Match` only without quotes. */
  readonly wantsBareEtags: boolean
  readonly refusesFileBesideDirectory: boolean
  /** Takes a key below a key, and never lists it. */
  readonly hidesBelowFile: boolean
  /** Listings show the bucket as it was when it was last told to. */
  readonly staleListings: boolean
  readonly acceptsLatePresigned: boolean
  readonly refusesPresigned: boolean
  /** The answer to Complete has no etag: a look at the object follows. */
  readonly emptyCompleteEtag: boolean
  /** Of the metadata only the user's time is kept, as rclone does. */
  readonly dropsMetadata: boolean
}

export const IDEAL: Quirks = {
  ignoresPutConditions: false,
  ignoresDeleteCondition: false,
  deleteRaces: false,
  refusesDeleteCondition: false,
  ignoresCompleteCondition: false,
  ignoresCopyCondition: false,
  ignoresSourceCondition: false,
  createsOnMatchMissing: false,
  lacksConditions: false,
  wantsBareEtags: false,
  refusesFileBesideDirectory: false,
  hidesBelowFile: false,
  staleListings: false,
  acceptsLatePresigned: false,
  refusesPresigned: false,
  emptyCompleteEtag: false,
  dropsMetadata: false,
}

export function emptyObjects(): MemoryObjects {
  return { objects: new Map(), uploads: new Map(), nextUpload: 1, listed: undefined }
}

/** Puts an object as a foreign program would. */
export function foreignPut(
  { objects }: MemoryObjects,
  key: string,
  bytes: Uint8Array,
  options: { readonly metadata?: Metadata; readonly atMs?: number } = {},
): Etag {
  const { metadata = {}, atMs = 0 } = options
  const etag = md5(bytes)
  objects.set(key, { bytes, etag, metadata, lastModifiedMs: atMs })
  return etag
}

export function md5(bytes: Uint8Array): string {
  return createHash("md5").update(bytes).digest("hex")
}

/** As S3 makes it: the MD5 of the parts' MD5s, and their number. */
export function multipartEtag(parts: readonly Uint8Array[]): Etag {
  const digests = parts.map((part) => createHash("md5").update(part).digest())
  return `${md5(Buffer.concat(digests))}-${parts.length}`
}
