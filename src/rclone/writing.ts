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
import type { Answer, Body, Etag, Failure, Metadata, ObjectStore, Upload, Written } from "../store/store.ts"
import { list, member, text } from "./answers.ts"
import { TAKEN_FOR_A_FILE, UNKNOWN } from "./failure.ts"
import { look } from "./reading.ts"
import { configOf } from "./remote.ts"
import type { RcloneSide } from "./side.ts"

/** All requests of a write: with the three minutes in which it may begin that stays within the five of the lease. */
const WRITE_MS_MAX = 110_000
/** Nobody sees it before it is moved; rclone gives up by itself where nothing moves any more. */
const STAGE_MS_MAX = 24 * 3_600_000
const LEFTOVER_MS = 24 * 3_600_000
export const STAGING = ".basic-memory/bisync/tmp/"

type Writing = Pick<
  ObjectStore,
  "put" | "copy" | "remove" | "removeOnce" | "sendWhole" | "complete" | "abort" | "uploads"
>

export function writing(side: RcloneSide): Writing {
  return {
    put: (key, body, { metadata }) => putObject(side, { key, body, metadata }),
    async copy(from, to, { ifMatch, metadata }) {
      const copied = await moveOrCopy(side, "operations/copyfile", { from, to, left: writeTime(side) })
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
  const isDirect = side.remote.isBucketBased || !side.remote.canMove
  const to = isDirect ? key : STAGING + stagingName(side)
  const hashed = hashing(side, body)
  const left = writeTime(side)
  const sent = await upload(side, { to, body: hashed.body, metadata, withinMs: WRITE_MS_MAX })
  if (!sent.ok) return sent
  if (!isDirect) {
    const moved = await moveOrCopy(side, "operations/movefile", { from: to, to: key, left })
    await (moved.ok ? removeLeftovers(side) : removeObject(side, to))
    if (!moved.ok) return moved
  }
  const sizeBytes = body.kind === "bytes" ? body.bytes.length : body.sizeBytes
  return confirm(side, key, { etag: hashed.token() ?? `${sizeBytes}:`, ...mtimeIn(metadata) })
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

/**
 * Without these rclone skips what has the same size and time, and a move then removes its source and keeps the old
 * version; and it removes what is at the goal before it moves. Where two files may share a name it must look first.
 */
function replacing({ remote }: RcloneSide, { looksFirst = false } = {}): object {
  return configOf(remote, {
    IgnoreTimes: true,
    Inplace: true,
    NoCheckDest: !remote.hasDuplicates && !looksFirst,
  })
}

async function moveOrCopy(
  side: RcloneSide,
  command: "operations/copyfile" | "operations/movefile",
  { from, to, left }: { readonly from: string; readonly to: string; readonly left: () => number },
): Answer<unknown> {
  const { fs } = side.remote
  const input = { srcFs: fs, srcRemote: from, dstFs: fs, dstRemote: to }
  const free = await hasNoneBelow(side, to, left())
  if (!free.ok) return free
  const send = (looksFirst: boolean): Answer<unknown> =>
    left() <= 0
      ? Promise.resolve(err({ kind: "too_late", detail: "" }))
      : side.ask(
          command,
          { ...input, ...replacing(side, { looksFirst }) },
          {
            withinMs: left(),
            isRepeatable: false,
          },
        )
  const moved = await send(false)
  // Some storages rename onto nothing only.
  if (moved.ok || (moved.error.kind !== "refused" && moved.error.detail !== UNKNOWN)) return moved
  return send(true)
}

/** Some storages move a file to the name of a directory, and everything that was in there is gone. */
async function hasNoneBelow({ ask, remote }: RcloneSide, key: string, withinMs: number): Answer<void> {
  if (remote.isBucketBased || remote.isLocal) return ok(undefined)
  const input = {
    fs: remote.fs,
    remote: key,
    opt: { noModTime: true, noMimeType: true },
    ...configOf(remote),
  }
  const listed = await ask("operations/list", input, { withinMs, isRepeatable: true })
  if (!listed.ok) return isOfAFile(listed.error) ? ok(undefined) : listed
  return list(member(listed.value, "list")).length === 0
    ? ok(undefined)
    : err({ kind: "refused", detail: "is a directory", via: "rclone" })
}

/** Each storage has its own word for the directory that a file is not. */
function isOfAFile({ kind, detail }: Failure): boolean {
  return kind === "not_found" || kind === "refused" || detail === TAKEN_FOR_A_FILE || detail === UNKNOWN
}

/** What is left of the time in which all requests of one write must be through, that is from now. */
function writeTime({ monotonicMs }: RcloneSide): () => number {
  const untilMs = monotonicMs() + WRITE_MS_MAX
  return () => untilMs - monotonicMs()
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

async function removeObject(side: RcloneSide, key: string): Answer<void> {
  const { remote } = side
  const input = { fs: remote.fs, remote: key, ...configOf(remote) }
  const removed = await side.ask("operations/deletefile", input, {
    withinMs: WRITE_MS_MAX,
    isRepeatable: true,
  })
  if (!removed.ok && removed.error.kind !== "not_found") return removed
  if (remote.hasEmptyDirectories) await removeEmptyParents(side, key)
  return ok(undefined)
}

/** A directory that holds nothing any more would stand in the way of a file of its name. */
async function removeEmptyParents({ ask, remote }: RcloneSide, key: string): Promise<void> {
  for (let end = key.lastIndexOf("/"); end > 0; end = key.lastIndexOf("/", end - 1)) {
    const directory = key.slice(0, end)
    if (directory === ".basic-memory" || directory.startsWith(".basic-memory/")) return
    const input = { fs: remote.fs, remote: directory, ...configOf(remote) }
    const removed = await ask("operations/rmdir", input, { withinMs: WRITE_MS_MAX, isRepeatable: true })
    if (!removed.ok) return
  }
}

async function stagedUploads({ ask, remote }: RcloneSide): Answer<readonly Upload[]> {
  const input = {
    fs: remote.fs,
    remote: STAGING.slice(0, -1),
    opt: { filesOnly: true, noModTime: true },
    ...configOf(remote),
  }
  const listed = await ask("operations/list", input, { withinMs: WRITE_MS_MAX, isRepeatable: true })
  if (!listed.ok) return listed.error.kind === "not_found" ? ok([]) : listed
  return ok(stagedIn(listed.value))
}

/** The sides that have looked already: once in a life is enough. */
const tidied = new WeakSet<RcloneSide>()

/** Of lives that ended between sending a small file and moving it. */
async function removeLeftovers(side: RcloneSide): Promise<void> {
  if (tidied.has(side)) return
  tidied.add(side)
  const uploads = await stagedUploads(side)
  if (!uploads.ok) return
  const old = uploads.value.filter(({ startedMs }) => side.nowMs() - startedMs > LEFTOVER_MS)
  for (const { uploadId } of old) await removeObject(side, STAGING + uploadId)
}

/** Begins with the time, by which a device that comes later tells that nobody is at it any more. */
function stagingName({ random, nowMs }: RcloneSide): string {
  return `${Math.floor(nowMs()).toString(36)}-${random.hex128()}`
}

function stagedIn(answer: unknown): readonly Upload[] {
  return list(member(answer, "list")).flatMap((item): readonly Upload[] => {
    const uploadId = text(member(item, "Name"))
    const started = /^([0-9a-z]+)-[0-9a-f]{32}$/.exec(uploadId)?.[1]
    return started === undefined ? [] : [{ key: "", uploadId, startedMs: Number.parseInt(started, 36) }]
  })
}
