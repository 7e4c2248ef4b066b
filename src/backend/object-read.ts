/**
 * Looks at and reads objects: exactly the version that was listed, or `changed_since`.
 *
 * A small object comes in one piece and is hashed. Of a large one the hash must be known before its bytes are handed
 * out: from the journal, or as its metadata claims it. A claim is proved at the end of the stream; one that was wrong
 * is never believed again, and the object is read twice.
 */

import { createHash } from "node:crypto"
import type { Version } from "../model/entry.ts"
import type { Trouble } from "../model/errors.ts"
import { type ContentHash, mustContentHash } from "../model/ids.ts"
import type { RelativePath } from "../model/path.ts"
import { type Content, ContentLost, SMALL_FILE_BYTES_MAX } from "../model/ports.ts"
import { err, ok, type Result } from "../model/result.ts"
import { claimedHash, originOf } from "../store/metadata.ts"
import { checksumIn } from "../store/checksum.ts"
import type { ObjectHead, ObjectRead } from "../store/store.ts"
import { readTombstone } from "../store/tombstone.ts"
import { type ObjectSide, troubleOf, versionOf } from "./object-side.ts"

export async function lookAt(
  side: ObjectSide,
  path: RelativePath,
): Promise<Result<Version | undefined, Trouble>> {
  const head = await side.store.head(path)
  if (!head.ok) return head.error.kind === "not_found" ? ok(undefined) : err(troubleOf(head.error, path))
  if (readTombstone(head.value) !== undefined) return err({ code: "changed_since", path })
  return ok(versionOf(head.value))
}

/** A body that breaks off was already answered with success, so no layer below asks for it again. */
const READINGS_MAX = 3

export async function readObject(
  side: ObjectSide,
  path: RelativePath,
  version: Version,
): Promise<Result<Content, Trouble>> {
  for (let reading = 1; ; reading++) {
    const got = await getVersion(side, path, version)
    if (!got.ok) return got
    if (version.sizeBytes > SMALL_FILE_BYTES_MAX) return readLarge(side, { path, version, got: got.value })
    const read = await inOnePiece(got.value.body, path)
    if (!read.ok) {
      if (read.error.code === "unreachable" && reading < READINGS_MAX) continue
      return read
    }
    const bytes = read.value
    if (bytes.length !== version.sizeBytes) return err({ code: "hash_mismatch", path })
    const { head } = got.value
    const hash = side.sha256(bytes)
    if (!isSuspect(side, head, hash)) return ok({ kind: "bytes", bytes, hash, origin: originOf(head) })
    // Half of it may be there so far; the next reading of the same version is believed.
    side.distrusted.add(head.etag)
    await side.sleep(TORN_MS)
  }
}

/** A server that is not atomic shows an object while it is written: then its bytes are not those that were announced. */
const TORN_MS = 1_000

function isSuspect({ distrusted }: ObjectSide, head: ObjectHead, hash: ContentHash): boolean {
  const claimed = claimedHash(head.metadata)
  return claimed !== undefined && claimed !== hash && !distrusted.has(head.etag)
}

async function inOnePiece(
  body: AsyncIterable<Uint8Array>,
  path: RelativePath,
): Promise<Result<Uint8Array, Trouble>> {
  const pieces: Uint8Array[] = []
  try {
    for await (const piece of body) pieces.push(piece)
  } catch (error) {
    if (error instanceof ContentLost) return err({ ...error.trouble, path })
    throw error
  }
  return ok(pieces.length === 1 && pieces[0] !== undefined ? pieces[0] : Buffer.concat(pieces))
}

async function getVersion(
  side: ObjectSide,
  path: RelativePath,
  version: Version,
): Promise<Result<ObjectRead, Trouble>> {
  const got = await side.store.get(path, { ifMatch: version.token, limitBytes: version.sizeBytes })
  if (!got.ok) {
    const { kind } = got.error
    return kind === "precondition" || kind === "not_found" || kind === "conflict"
      ? err({ code: "changed_since", path })
      : err(troubleOf(got.error, path))
  }
  const { head } = got.value
  if (head.etag !== version.token || readTombstone(head) !== undefined)
    return err({ code: "changed_since", path })
  return got
}

async function readLarge(
  side: ObjectSide,
  at: { readonly path: RelativePath; readonly version: Version; readonly got: ObjectRead },
): Promise<Result<Content, Trouble>> {
  const { path, version, got } = at
  const origin = originOf(got.head)
  const { sizeBytes } = version
  const believed = version.hash ?? claimOf(side, got.head)
  if (believed !== undefined) {
    const open = () => proved(side, { path, version, hash: believed, pieces: got.body })
    return ok({ kind: "stream", sizeBytes, hash: believed, origin, open })
  }
  const hashed = await hashOf(got.body, path)
  if (!hashed.ok) return hashed
  const again = async function* (): AsyncGenerator<Uint8Array> {
    const second = await getVersion(side, path, version)
    if (!second.ok) throw new ContentLost(second.error)
    yield* proved(side, { path, version, hash: hashed.value, pieces: second.value.body })
  }
  return ok({ kind: "stream", sizeBytes, hash: hashed.value, origin, open: again })
}

function claimOf({ distrusted }: ObjectSide, head: ObjectHead): ContentHash | undefined {
  return distrusted.has(head.etag) ? undefined : claimedHash(head.metadata)
}

/** Holds the last piece back until the hash is the one that was named before. */
async function* proved(
  side: ObjectSide,
  at: {
    readonly path: RelativePath
    readonly version: Version
    readonly hash: ContentHash
    readonly pieces: AsyncIterable<Uint8Array>
  },
): AsyncGenerator<Uint8Array> {
  const hasher = createHash("sha256")
  let held: Uint8Array | undefined
  for await (const piece of at.pieces) {
    hasher.update(piece)
    if (held !== undefined) yield held
    held = piece
  }
  if (`sha256:${hasher.digest("hex")}` !== at.hash) {
    side.distrusted.add(at.version.token)
    throw new ContentLost({ code: "hash_mismatch", path: at.path })
  }
  if (held !== undefined) yield held
}

async function hashOf(
  pieces: AsyncIterable<Uint8Array>,
  path: RelativePath,
): Promise<Result<ContentHash, Trouble>> {
  const hasher = createHash("sha256")
  try {
    for await (const piece of pieces) hasher.update(piece)
  } catch (error) {
    if (error instanceof ContentLost) return err({ ...error.trouble, path })
    throw error
  }
  return ok(mustContentHash(`sha256:${hasher.digest("hex")}`))
}

/** Whether the checksum in the token is that of these bytes; a token without one never says so. */
export async function hasContent({ token }: Version, content: Content): Promise<boolean> {
  const checksum = checksumIn(token)
  if (checksum === undefined) return false
  const hasher = createHash(checksum.algorithm)
  if (content.kind === "bytes") return hasher.update(content.bytes).digest("hex") === checksum.hex
  try {
    for await (const piece of content.open()) hasher.update(piece)
  } catch (error) {
    if (error instanceof ContentLost) return false
    throw error
  }
  return hasher.digest("hex") === checksum.hex
}
