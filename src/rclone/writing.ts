/**
 * Writes, copies and removes through rclone. Nothing here keeps a condition; whoever writes holds the remote's lease.
 *
 * Where a storage replaces objects in one step, a small one goes straight to its key. Everywhere else, and always when it
 * is large, it goes to a name of ours first and is moved, so that nobody sees half of it. A request that lasts longer than
 * the lease allows is given up, and rclone stops working on it.
 */

import { createHash } from "node:crypto"
import { err, ok } from "../model/result.ts"
import { ALGORITHMS, checksumIn, checksumToken } from "../store/checksum.ts"
import type { Answer, Body, Etag, Metadata, ObjectStore, Written } from "../store/store.ts"
import { moveOrCopy, replacing, WRITE_MS_MAX, writeTime } from "./moving.ts"
import { look } from "./reading.ts"
import { keeping, removeObject } from "./removing.ts"
import type { RcloneSide } from "./side.ts"
import { removeLeftovers, STAGING, stagedUploads, stagingName } from "./staging.ts"

/** Nobody sees it before it is moved; rclone gives up by itself where nothing moves any more. */
const STAGE_MS_MAX = 24 * 3_600_000

type Writing = Pick<
  ObjectStore,
  "put" | "copy" | "remove" | "removeOnce" | "sendWhole" | "complete" | "abort" | "uploads"
>

export function writing(side: RcloneSide): Writing {
  return {
    put: (key, body, { metadata }) => putObject(side, { key, body, metadata }),
    async copy(from, to, { ifMatch, metadata }) {
      const copied = await copyObject(side, from, to)
      return copied.ok ? confirm(side, to, { etag: ifMatch, ...mtimeIn(metadata) }) : copied
    },
    remove: (key) => removeObject(side, key),
    async removeOnce(key, { mayStillSend }) {
      return mayStillSend() ? removeObject(side, key) : err({ kind: "too_late", detail: "" })
    },
    async sendWhole(_key, body, { metadata }) {
      const uploadId = stagingName(side)
      const hashed = hashing(side, body)
      const sent = await upload(side, {
        to: STAGING + uploadId,
        body: hashed.body,
        metadata,
        withinMs: STAGE_MS_MAX,
      })
      if (!sent.ok) return sent
      const staged = await look(side, STAGING + uploadId)
      return staged.ok
        ? ok({ uploadId, parts: [{ number: 1, etag: hashed.token() ?? staged.value.etag }] })
        : staged
    },
    async complete({ key, uploadId }, [whole]) {
      const from = STAGING + uploadId
      const moved = await moveOrCopy(side, "operations/movefile", { from, to: key, left: writeTime(side) })
      if (!moved.ok) return moved
      return confirm(side, key, { etag: whole?.etag ?? "" })
    },
    abort: ({ uploadId }) => removeObject(side, STAGING + uploadId),
    uploads: () => stagedUploads(side),
  }
}

async function putObject(
  side: RcloneSide,
  { key, body, metadata }: { readonly key: string; readonly body: Body; readonly metadata: Metadata },
): Answer<Written> {
  const hashed = hashing(side, body)
  const sent = await byStaging(side, key, (to) =>
    upload(side, { to, body: hashed.body, metadata, withinMs: WRITE_MS_MAX }),
  )
  if (!sent.ok) return sent
  const sizeBytes = body.kind === "bytes" ? body.bytes.length : body.sizeBytes
  return confirm(side, key, { etag: hashed.token() ?? `${sizeBytes}:`, ...mtimeIn(metadata) })
}

function copyObject(side: RcloneSide, from: string, to: string): Answer<unknown> {
  const left = writeTime(side)
  return byStaging(side, to, (staged) => moveOrCopy(side, "operations/copyfile", { from, to: staged, left }))
}

/** Straight to the key where a storage replaces objects in one step; else by a name of ours, which is moved. */
async function byStaging(
  side: RcloneSide,
  key: string,
  send: (to: string) => Answer<unknown>,
): Answer<unknown> {
  if (side.remote.isBucketBased || !side.remote.canMove) return keeping(side, key, () => send(key))
  const left = writeTime(side)
  const staged = STAGING + stagingName(side)
  const sent = await send(staged)
  if (!sent.ok) return sent
  const moved = await moveOrCopy(side, "operations/movefile", { from: staged, to: key, left })
  await (moved.ok ? removeLeftovers(side) : removeObject(side, staged))
  return moved
}

function upload(
  side: RcloneSide,
  at: { readonly to: string; readonly body: Body; readonly metadata: Metadata; readonly withinMs: number },
): Answer<unknown> {
  const { remote, work, random } = side
  const { to, body, metadata, withinMs } = at
  const name = random.hex128()
  const { mtimeMs = side.nowMs() } = mtimeIn(metadata)
  const input = { srcFs: work.path, srcRemote: name, dstFs: remote.fs, dstRemote: to, ...replacing(side) }
  return work.withFile({ name, body, mtimeMs }, () =>
    side.ask("operations/copyfile", input, { withinMs, isRepeatable: false }),
  )
}

/** How far a storage may round a time and still keep it. */
const ROUNDING_MS = 2_000
/** No version has it, so whatever stands there is found to be new by the next listing. */
const OVERTAKEN: Written = { etag: "overtaken" }

/**
 * The token of what was written. A checksum that is known needs no look; without one the storage is asked, and what does
 * not have our size and time is somebody else's, who was faster.
 */
async function confirm(
  side: RcloneSide,
  key: string,
  { etag, mtimeMs }: { readonly etag: Etag; readonly mtimeMs?: number },
): Answer<Written> {
  if (checksumIn(etag) !== undefined) return ok({ etag })
  const head = await look(side, key)
  if (!head.ok) return head.error.kind === "not_found" ? ok(OVERTAKEN) : head
  const { keepsTimes, isTimeSlow } = side.remote
  const isTimely =
    mtimeMs === undefined ||
    !keepsTimes ||
    isTimeSlow ||
    Math.abs(head.value.lastModifiedMs - mtimeMs) <= ROUNDING_MS
  return ok(
    head.value.sizeBytes === Number.parseInt(etag, 10) && isTimely ? { etag: head.value.etag } : OVERTAKEN,
  )
}

function mtimeIn({ mtime }: Metadata): { readonly mtimeMs?: number } {
  return mtime === undefined ? {} : { mtimeMs: Number(mtime) * 1000 }
}

/** The checksum that the storage will show, computed from the bytes that pass, where it is of a kind that can be. */
function hashing(
  { remote: { checksum } }: RcloneSide,
  body: Body,
): { readonly body: Body; token(): Etag | undefined } {
  const algorithm = ALGORITHMS.find((each) => each === checksum)
  if (algorithm === undefined) return { body, token: () => undefined }
  let hex = ""
  if (body.kind === "bytes") {
    hex = createHash(algorithm).update(body.bytes).digest("hex")
    return { body, token: () => checksumToken(body.bytes.length, algorithm, hex) }
  }
  async function* open(): AsyncGenerator<Uint8Array> {
    if (body.kind !== "stream" || algorithm === undefined) return
    const hasher = createHash(algorithm)
    for await (const piece of body.open()) {
      hasher.update(piece)
      yield piece
    }
    hex = hasher.digest("hex")
  }
  return { body: { ...body, open }, token: () => checksumToken(body.sizeBytes, algorithm, hex) }
}
