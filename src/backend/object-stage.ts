/**
 * Brings bytes close to a bucket: small ones wait in memory, large ones go up in parts, which nobody sees before they
 * are completed. Changes nothing that anyone sees.
 */

import type { Operation, Step } from "../model/action.ts"
import type { Version } from "../model/entry.ts"
import type { Trouble } from "../model/errors.ts"
import type { StagedMark } from "../model/event.ts"
import type { ContentHash, OpId } from "../model/ids.ts"
import type { RelativePath } from "../model/path.ts"
import { type Content, ContentLost, SMALL_FILE_BYTES_MAX } from "../model/ports.ts"
import { err, ok, type Result } from "../model/result.ts"
import { originOf, sameTime, timeOnly, toMetadata } from "../store/metadata.ts"
import type { Metadata, ObjectHead, Part } from "../store/store.ts"
import { sourceOf, unlessLost } from "./object-source.ts"
import { SINGLE_PUT_BYTES_MAX, type ObjectSide, troubleOf } from "./object-side.ts"

/** Servers take 5 MiB and more per part, and 10,000 parts. */
const PART_BYTES = 8 * 1024 * 1024
const PARTS_MAX = 10_000
const PARTS_AT_ONCE = 4
/** Remembered from the first upload in parts until none is left at the server. */
export const BEGUN = "begun"

type MoveStep = Extract<Step, { kind: "move" }>
type Multipart = { readonly uploadId: string; readonly parts: readonly Part[] }

export async function stageObject(
  side: ObjectSide,
  operation: Operation,
  content: Content | undefined,
): Promise<Result<StagedMark, Trouble>> {
  const { op, step } = operation
  if (step.kind === "remove") return ok({ op })
  if (step.kind === "move") return stageMove(side, op, step)
  const replaced = step.expected.kind === "version" ? step.expected.version : undefined
  const { keepsMetadata } = side.store.traits
  const lineage =
    replaced === undefined || !keepsMetadata ? ok([]) : await lineageOf(side, step.path, replaced)
  if (!lineage.ok) return lineage
  if (content === undefined) return err({ code: "io", path: step.path, detail: "no content" })
  const isSmall = content.kind === "bytes" || content.sizeBytes <= SMALL_FILE_BYTES_MAX
  if (isSmall || !goesInParts(side)) {
    if (step.sizeBytes > SINGLE_PUT_BYTES_MAX) return err({ code: "too_large", path: step.path })
    const held = isSmall ? await inOnePiece(content) : ok(content)
    if (!held.ok) return held
    side.staged.set(op, { content: held.value, lineage: lineage.value })
    return ok({ op })
  }
  const { mtimeMs } = step
  const metadata = metadataOf(side, { op, mtimeMs, hash: content.hash, lineage: lineage.value })
  const sent = await oneAtATime(side, () => sendParts(side, { path: step.path, content, metadata }))
  if (!sent.ok) return sent
  side.staged.set(op, { content, lineage: lineage.value, upload: { ...sent.value, metadata } })
  return ok({ op, fileId: sent.value.uploadId })
}

async function inOnePiece(content: Content): Promise<Result<Content, Trouble>> {
  if (content.kind === "bytes") return ok(content)
  const pieces: Uint8Array[] = []
  try {
    for await (const piece of content.open()) pieces.push(piece)
  } catch (error) {
    if (error instanceof ContentLost) return err(error.trouble)
    throw error
  }
  return ok({ kind: "bytes", bytes: Buffer.concat(pieces), hash: content.hash })
}

/** Complete must keep our conditions, or the lease does. */
function goesInParts({ verdict, epoch }: ObjectSide): boolean {
  return verdict.completes || epoch.last()?.mode === "lease"
}

/** A copy in parts is begun here, so that a crash leaves its name in the journal. */
async function stageMove(side: ObjectSide, op: OpId, step: MoveStep): Promise<Result<StagedMark, Trouble>> {
  const { path, to, expected } = step
  const source = await side.store.head(path)
  if (!source.ok && source.error.kind !== "not_found") return err(troubleOf(source.error, path))
  // What is not as it was planned is found again, and said, when the move is applied.
  if (!source.ok || source.value.etag !== expected.token || side.verdict.copies !== "by_parts") {
    side.staged.set(op, { lineage: [], ...(source.ok && { source: source.value }) })
    return ok({ op })
  }
  const metadata = metadataOfMove(side, { op, source: source.value, hash: expected.hash })
  side.memory.write("uploads", BEGUN)
  const started = await side.store.startUpload(to, { metadata })
  if (!started.ok) return err(troubleOf(started.error, to))
  side.staged.set(op, {
    lineage: [],
    source: source.value,
    upload: { uploadId: started.value, parts: [], metadata },
  })
  return ok({ op, fileId: started.value })
}

/** Asked only where nobody ever read the metadata of what is replaced. */
async function lineageOf(
  side: ObjectSide,
  path: RelativePath,
  { token, lineage }: Version,
): Promise<Result<readonly OpId[], Trouble>> {
  if (lineage !== undefined) return ok(lineage)
  const head = await side.store.head(path)
  if (!head.ok)
    return err(
      head.error.kind === "not_found" ? { code: "changed_since", path } : troubleOf(head.error, path),
    )
  return head.value.etag === token
    ? ok(originOf(head.value).lineage ?? [])
    : err({ code: "changed_since", path })
}

export function metadataOf(
  side: ObjectSide,
  at: {
    readonly op: OpId
    readonly mtimeMs: number
    readonly hash: ContentHash | undefined
    readonly lineage: readonly OpId[]
  },
): Metadata {
  const { op, mtimeMs, hash, lineage } = at
  const skewMs = side.store.skewMs()
  if (!side.store.traits.keepsMetadata) return timeOnly(mtimeMs)
  return toMetadata({
    op,
    lineage,
    deviceName: side.deviceName,
    mtimeMs,
    ...(hash !== undefined && { hash }),
    ...(skewMs !== undefined && { skewMs }),
  })
}

export function metadataOfMove(
  side: ObjectSide,
  at: { readonly op: OpId; readonly source: ObjectHead; readonly hash: ContentHash | undefined },
): Metadata {
  const { op, source, hash } = at
  const { mtimeMs } = originOf(source)
  return { ...metadataOf(side, { op, mtimeMs, hash, lineage: [] }), ...sameTime(source) }
}

/** Sixteen large files at once would hold sixteen times the parts. */
const busy = new WeakMap<ObjectSide, Promise<unknown>>()
async function oneAtATime<T>(side: ObjectSide, work: () => Promise<T>): Promise<T> {
  const before = busy.get(side) ?? Promise.resolve()
  const mine = before.then(work, work)
  busy.set(side, mine)
  return mine
}

async function sendParts(
  side: ObjectSide,
  at: {
    readonly path: RelativePath
    readonly content: Extract<Content, { kind: "stream" }>
    readonly metadata: Metadata
  },
): Promise<Result<Multipart, Trouble>> {
  const { path, content, metadata } = at
  side.memory.write("uploads", BEGUN)
  if (side.store.sendWhole !== undefined) return sendWhole(side.store.sendWhole, at)
  const started = await side.store.startUpload(path, { metadata })
  if (!started.ok) return err(troubleOf(started.error, path))
  const upload = { key: path, uploadId: started.value }
  const sent = await sendAll(side, { upload, content, path })
  if (sent.ok) return ok({ uploadId: upload.uploadId, parts: sent.value })
  await side.store.abort(upload)
  return sent
}

async function sendWhole(
  sending: NonNullable<ObjectSide["store"]["sendWhole"]>,
  at: {
    readonly path: RelativePath
    readonly content: Content
    readonly metadata: Metadata
  },
): Promise<Result<Multipart, Trouble>> {
  const { path, content, metadata } = at
  const source = sourceOf(content)
  const sent = await unlessLost(() => sending(path, source.body, { metadata }))
  return sent.ok ? sent : err(source.lost() ?? troubleOf(sent.error, path))
}

async function sendAll(
  side: ObjectSide,
  at: {
    readonly upload: { readonly key: string; readonly uploadId: string }
    readonly content: Extract<Content, { kind: "stream" }>
    readonly path: RelativePath
  },
): Promise<Result<readonly Part[], Trouble>> {
  const { upload, content, path } = at
  const parts: Part[] = []
  const underWay = new Set<Promise<void>>()
  let trouble: Trouble | undefined
  const send = (number: number, bytes: Uint8Array): void => {
    const sending = side.store.putPart(upload, number, bytes).then((sent) => {
      if (sent.ok) parts.push(sent.value)
      else trouble ??= troubleOf(sent.error, path)
      underWay.delete(sending)
    })
    underWay.add(sending)
  }
  try {
    let number = 1
    for await (const bytes of inParts(content)) {
      send(number++, bytes)
      if (underWay.size >= PARTS_AT_ONCE) await Promise.race(underWay)
      if (trouble !== undefined) break
    }
  } catch (error) {
    await Promise.all(underWay)
    if (error instanceof ContentLost) return err(error.trouble)
    throw error
  }
  await Promise.all(underWay)
  return trouble === undefined ? ok(parts.sort((a, b) => a.number - b.number)) : err(trouble)
}

/** Pieces as large as a part must be. */
async function* inParts(content: Extract<Content, { kind: "stream" }>): AsyncGenerator<Uint8Array> {
  const partBytes = Math.max(PART_BYTES, Math.ceil(content.sizeBytes / PARTS_MAX))
  let held: Uint8Array[] = []
  let heldBytes = 0
  for await (const piece of content.open()) {
    held.push(piece)
    heldBytes += piece.length
    while (heldBytes >= partBytes) {
      const all = Buffer.concat(held)
      yield all.subarray(0, partBytes)
      held = [all.subarray(partBytes)]
      heldBytes = all.length - partBytes
    }
  }
  if (heldBytes > 0) yield Buffer.concat(held)
}
