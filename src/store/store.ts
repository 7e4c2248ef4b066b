/**
 * The object store: the few requests that this program makes of a bucket, as values.
 *
 * Keys are relative to the prefix of the remote. Whoever implements it talks to one bucket, retries what may be
 * retried, and answers every outcome as a value. `s3/sdk-store.ts` speaks to S3 servers, `rclone/rclone-store.ts` to any
 * remote of rclone, `memory-store.ts` is the reference with switches for the ways in which servers differ.
 */

import type { Unknown } from "../model/entry.ts"
import type { Result } from "../model/result.ts"

/** An entity tag as the server gave it, without its quotes. Opaque. */
export type Etag = string

/** User metadata: lower-case names without the `x-amz-meta-` prefix, ASCII values. */
export type Metadata = Readonly<Record<string, string>>

/** What must be true of the key when the server carries the request out. */
export type Condition = { readonly kind: "absent" } | { readonly kind: "match"; readonly etag: Etag }

export type FailureKind =
  /** 412, also 404 where a condition named a version: the key does not hold what the condition says. */
  | "precondition"
  /** 409: another request for this key is under way; nothing is known of ours. */
  | "conflict"
  /** The key is not there. */
  | "not_found"
  | "no_bucket"
  /** The key pair is not known, or the signature is wrong. */
  | "credentials"
  | "expired"
  /** Known, and not allowed to. */
  | "denied"
  /** Our clock and the server's are too far apart for a signature to be accepted. */
  | "clock"
  | "not_implemented"
  /** 503, 429 beyond every retry. */
  | "busy"
  /** No route, no answer, a cut connection: for a write nobody can say whether it took effect. */
  | "unreachable"
  /** An answer that is not S3's, or breaks its rules. */
  | "nonsense"
  /** A deadline passed before the request was sent; it was not sent. */
  | "too_late"
  | "refused"

export interface Failure {
  readonly kind: FailureKind
  /** The server's own word, such as `SlowDown`, or the system's, such as `ECONNREFUSED`; never a secret. */
  readonly detail: string
  readonly status?: number
  readonly via?: "rclone" | "account"
}

/** What a kind of store is like, whatever the server behind it promises. */
export interface StoreTraits {
  readonly kind: "s3" | "rclone"
  /** Metadata comes back as it was written. Where it does not, whose write stands at a key is told by its bytes. */
  readonly keepsMetadata: boolean
  /** The user's time comes back as it was written. */
  readonly keepsTimes: boolean
  /** Copies without sending the bytes to us and back. */
  readonly canCopy: boolean
  readonly foldsCase: boolean
  /** `lastModifiedMs` is by the store's own clock, so that ages can be told. */
  readonly tellsAges: boolean
  /** Requests that are worth sending at the same time. */
  readonly lanes: number
}

export type Answer<T> = Promise<Result<T, Failure>>

export interface ListedObject {
  readonly key: string
  readonly etag: Etag
  readonly sizeBytes: number
  readonly lastModifiedMs: number
  /** The user's time, where a listing shows it. */
  readonly mtimeMs?: number
}

export interface Page {
  readonly objects: readonly ListedObject[]
  /** Keys that cannot have arrived whole: replacement characters, control characters in an unencoded answer. */
  readonly broken: readonly string[]
  /** Names at which something else than one file of a known size stands. */
  readonly unknowns?: readonly Unknown[]
  /** Asks for the next page; absent on the last. */
  readonly next?: string
}

export interface ObjectHead {
  readonly etag: Etag
  readonly sizeBytes: number
  readonly lastModifiedMs: number
  readonly metadata: Metadata
  /** The server's clock when it answered, Unix milliseconds, where it said so. */
  readonly serverMs?: number
}

export interface ObjectRead {
  readonly head: ObjectHead
  /** May be opened once; throws `ContentLost` where the connection breaks or the length is wrong. */
  readonly body: AsyncIterable<Uint8Array>
}

/** The bytes of a write. A stream is opened once per attempt. */
export type Body =
  | { readonly kind: "bytes"; readonly bytes: Uint8Array }
  | { readonly kind: "stream"; readonly sizeBytes: number; open(): AsyncIterable<Uint8Array> }

export interface Written {
  readonly etag: Etag
}

export interface Part {
  readonly number: number
  readonly etag: Etag
}

export interface Upload {
  readonly key: string
  readonly uploadId: string
  readonly startedMs: number
}

export interface ObjectStore {
  readonly traits: StoreTraits
  /** One page of at most 1,000 keys that begin with `prefix`, after `startAfter`, or where `next` points. */
  list(options: {
    readonly prefix: string
    readonly startAfter?: string
    readonly next?: string
  }): Answer<Page>
  head(key: string): Answer<ObjectHead>
  get(key: string, options: { readonly ifMatch?: Etag; readonly limitBytes?: number }): Answer<ObjectRead>
  put(
    key: string,
    body: Body,
    options: { readonly condition?: Condition; readonly metadata: Metadata },
  ): Answer<Written>
  /** Server-side; the metadata is replaced. */
  copy(
    from: string,
    to: string,
    options: { readonly ifMatch: Etag; readonly condition?: Condition; readonly metadata: Metadata },
  ): Answer<Written>
  /** `ok` also where the key was gone already. */
  remove(key: string, options: { readonly ifMatch?: Etag }): Answer<void>
  /**
   * Deletes without a condition, once: signed to expire at the server, never retried, and not sent at all where
   * `mayStillSend` says no right before the bytes leave.
   */
  removeOnce(
    key: string,
    options: {
      readonly expiresInS: number
      readonly mayStillSend: () => boolean
      /** As if it had been signed that long ago: how a probe asks whether a late one is refused. */
      readonly signedMsAgo?: number
    },
  ): Answer<void>
  startUpload(key: string, options: { readonly metadata: Metadata }): Answer<string>
  putPart(
    upload: { readonly key: string; readonly uploadId: string },
    number: number,
    bytes: Uint8Array,
  ): Answer<Part>
  copyPart(
    upload: { readonly key: string; readonly uploadId: string },
    number: number,
    from: { readonly key: string; readonly ifMatch: Etag },
  ): Answer<Part>
  complete(
    upload: { readonly key: string; readonly uploadId: string },
    parts: readonly Part[],
    options: { readonly condition?: Condition },
  ): Answer<Written>
  /** Where there are no parts: sends all of it where nobody looks, to be completed later. */
  sendWhole?(
    key: string,
    body: Body,
    options: { readonly metadata: Metadata },
  ): Answer<{ readonly uploadId: string; readonly parts: readonly Part[] }>
  abort(upload: { readonly key: string; readonly uploadId: string }): Answer<void>
  /** Uploads that were begun below the prefix and neither completed nor aborted. */
  uploads(prefix: string): Answer<readonly Upload[]>
  /** The server's clock minus ours, milliseconds, as the last answers told; absent before the first. */
  skewMs(): number | undefined
  close(): void
}
