/**
 * What every request to a bucket in memory has in common: it may be crashed or lost around its effect, and its
 * conditions are judged as the server's quirks say.
 *
 * An effect happens in one piece, so requests that are under way together take effect one after the other.
 */

import { err, type Result } from "../model/result.ts"
import type { MemoryObjects, Quirks, StoredObject } from "./memory-objects.ts"
import type { Condition, Etag, Failure, ObjectHead } from "./store.ts"

/** May throw to crash, or answer a failure: before the effect an error, after it a lost answer. */
export type Tick = (request: string, key: string, phase: "before" | "after") => Promise<Failure | undefined>

export interface MemoryServer {
  readonly bucket: MemoryObjects
  readonly quirks: Quirks
  readonly nowMs: () => number
  readonly tick: Tick | undefined
  /** How this client writes `If-Match`. */
  readonly etagForm: "quoted" | "bare"
}

const failure = (kind: Failure["kind"], detail: string, status: number): Failure => ({ kind, detail, status })

export const PRECONDITION = failure("precondition", "PreconditionFailed", 412)
/** Where a condition named a version, nothing is as little of that version as another one. */
export const GONE = failure("precondition", "NoSuchKey", 404)
export const NOT_FOUND = failure("not_found", "NoSuchKey", 404)
export const NO_UPLOAD = failure("not_found", "NoSuchUpload", 404)
export const INVALID_PART = failure("refused", "InvalidPart", 400)
export const DENIED = failure("denied", "AccessDenied", 403)
export const TOO_LARGE: Failure = { kind: "nonsense", detail: "Nonsense" }
export const TOO_LATE: Failure = { kind: "too_late", detail: "" }
const NOT_IMPLEMENTED = failure("not_implemented", "NotImplemented", 501)
const PARENT_IS_FILE = failure("conflict", "ObjectParentIsFile", 409)

export async function ask<T>(
  { tick }: MemoryServer,
  request: { readonly name: string; readonly key: string },
  effect: () => Result<T, Failure>,
): Promise<Result<T, Failure>> {
  const before = await tick?.(request.name, request.key, "before")
  if (before !== undefined) return err(before)
  const result = effect()
  const after = await tick?.(request.name, request.key, "after")
  return after === undefined ? result : err(after)
}

/** Nothing where the condition holds. */
export function brokenBy(
  { bucket, quirks, etagForm }: MemoryServer,
  key: string,
  condition: Condition | undefined,
): Failure | undefined {
  if (condition === undefined) return undefined
  if (quirks.lacksConditions) return NOT_IMPLEMENTED
  const etag = bucket.objects.get(key)?.etag
  if (condition.kind === "absent") return etag === undefined ? undefined : PRECONDITION
  if (etag === undefined) return quirks.createsOnMatchMissing ? undefined : GONE
  const isUnderstood = !quirks.wantsBareEtags || etagForm === "bare"
  return isUnderstood && etag === condition.etag ? undefined : PRECONDITION
}

/** Nothing where the key can be kept beside all others. */
export function blockedAt({ bucket, quirks }: MemoryServer, key: string): Failure | undefined {
  if (!quirks.refusesFileBesideDirectory) return undefined
  for (const other of bucket.objects.keys())
    if (other.startsWith(`${key}/`) || key.startsWith(`${other}/`)) return PARENT_IS_FILE
  return undefined
}

/** The source of a copy, or why it is not the one that was meant. */
export function sourceOf(
  { bucket, quirks }: MemoryServer,
  from: { readonly key: string; readonly ifMatch: Etag },
): StoredObject | Failure {
  const source = bucket.objects.get(from.key)
  if (source === undefined) return GONE
  return source.etag === from.ifMatch || quirks.ignoresSourceCondition ? source : PRECONDITION
}

export function keep(
  { bucket, nowMs, quirks }: MemoryServer,
  key: string,
  object: Omit<StoredObject, "lastModifiedMs">,
): Etag {
  const { mtime } = object.metadata
  const timeOnly = mtime === undefined ? {} : { mtime }
  const metadata = quirks.dropsMetadata ? timeOnly : object.metadata
  bucket.objects.set(key, { ...object, metadata, lastModifiedMs: nowMs() })
  return object.etag
}

export function headOf(
  { nowMs }: MemoryServer,
  { etag, bytes, lastModifiedMs, metadata }: StoredObject,
): ObjectHead {
  return { etag, sizeBytes: bytes.length, lastModifiedMs, metadata, serverMs: nowMs() }
}
