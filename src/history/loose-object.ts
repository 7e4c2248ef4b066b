/**
 * Objects that have a file to themselves: the versions that are too large for a pack and for memory.
 *
 * Writing streams once: compressed into a temporary file while both hashes are taken, made durable, read back
 * from the disk, and only then given its name. Whatever goes wrong on the way leaves nothing behind.
 */

import { createHash } from "node:crypto"
import { once } from "node:events"
import { dirname, join } from "node:path"
import { constants, createDeflate } from "node:zlib"
import type { GitOid } from "../model/ids.ts"
import { ContentLost, type Content } from "../model/ports.ts"
import {
  createTemporary,
  discard,
  makeDirectory,
  moveIntoPlace,
  writeAll,
  type TemporaryFile,
} from "./durable-file.ts"
import { mustOid, objectHeader, type GitObject, type ObjectType } from "./git-object.ts"
import { damaged } from "./git-trouble.ts"
import { inflateFile, verified } from "./inflate-file.ts"

const COMPRESSION_LEVEL = 1
/** After so many bytes it is known whether it is worth it: most attachments are compressed already. */
const SAMPLE_BYTES = 2 * 1024 * 1024
const WORTHWHILE_SHARE_MAX = 0.9
const OUTPUT_BYTES = 64 * 1024
const HEADER_BYTES_MAX = 32

export function loosePath(gitDirectory: string, oid: GitOid): string {
  return join(gitDirectory, "objects", oid.slice(0, 2), oid.slice(2))
}

export async function writeLoose(gitDirectory: string, content: Content): Promise<GitOid> {
  const temporary = await createTemporary(join(gitDirectory, "objects", "pack"))
  try {
    const oid = await compressInto(temporary, content)
    await temporary.file.sync()
    await temporary.file.close()
    await readBack(temporary.path, oid)
    const path = loosePath(gitDirectory, oid)
    await makeDirectory(dirname(path))
    await moveIntoPlace({ from: temporary.path, to: path })
    return oid
  } catch (error) {
    await discard(temporary)
    throw error
  }
}

/** Absent: it does not begin as a git object does. */
export async function readLoose(path: string): Promise<GitObject | undefined> {
  const pieces: Buffer[] = []
  for await (const piece of inflateFile(path, 0)) pieces.push(piece)
  const whole = Buffer.concat(pieces)
  const header = parseLooseHeader(whole)
  return header && { type: header.type, body: whole.subarray(header.text.length) }
}

export async function* streamLoose(path: string, oid: GitOid): AsyncGenerator<Uint8Array> {
  const pieces = inflateFile(path, 0)
  try {
    let start = Buffer.alloc(0)
    while (!start.includes(0) && start.length < HEADER_BYTES_MAX) {
      const next = await pieces.next()
      if (next.done === true) break
      start = Buffer.concat([start, next.value])
    }
    const header = parseLooseHeader(start)
    if (header === undefined) throw damaged(oid, "damaged")
    yield* verified(oid, header.text, chain(start.subarray(header.text.length), pieces))
  } finally {
    await pieces.return(undefined)
  }
}

async function* chain(first: Uint8Array, rest: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  if (first.length > 0) yield first
  yield* rest
}

async function compressInto(temporary: TemporaryFile, content: Content): Promise<GitOid> {
  const sizeBytes = content.kind === "bytes" ? content.bytes.length : content.sizeBytes
  const header = Buffer.from(objectHeader("blob", sizeBytes), "latin1")
  const sha1 = createHash("sha1").update(header)
  const sha256 = createHash("sha256")
  let seenBytes = 0
  async function* hashed(): AsyncGenerator<Uint8Array> {
    yield header
    for await (const piece of piecesOf(content)) {
      sha1.update(piece)
      sha256.update(piece)
      seenBytes += piece.length
      yield piece
    }
  }
  let at = 0
  for await (const compressed of deflated(hashed())) {
    await writeAll(temporary.file, compressed, at)
    at += compressed.length
  }
  if (seenBytes !== sizeBytes || `sha256:${sha256.digest("hex")}` !== content.hash) {
    throw new ContentLost({ code: "hash_mismatch", path: content.hash, detail: "stream" })
  }
  return mustOid(sha1.digest("hex"))
}

/** Takes the next piece only when the one before is compressed and handed on. */
async function* deflated(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer> {
  const deflate = createDeflate({ level: COMPRESSION_LEVEL, chunkSize: OUTPUT_BYTES })
  const ready: Buffer[] = []
  const seen = { inBytes: 0, outBytes: 0, isSampled: false }
  deflate.on("data", (compressed: Buffer) => {
    seen.outBytes += compressed.length
    ready.push(compressed)
  })
  try {
    for await (const piece of pieces) {
      await settled((done) => deflate.write(piece, done))
      yield* ready.splice(0)
      seen.inBytes += piece.length
      if (seen.isSampled || seen.inBytes < SAMPLE_BYTES) continue
      seen.isSampled = true
      if (seen.outBytes < seen.inBytes * WORTHWHILE_SHARE_MAX) continue
      await settled((done) => deflate.params(constants.Z_NO_COMPRESSION, constants.Z_DEFAULT_STRATEGY, done))
    }
    const ended = once(deflate, "end")
    deflate.end()
    await ended
    yield* ready
  } finally {
    deflate.destroy()
  }
}

function settled(start: (done: (error?: Error | null) => void) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    start((error) => (error ? reject(error) : resolve()))
  })
}

async function* piecesOf(content: Content): AsyncGenerator<Uint8Array> {
  if (content.kind === "bytes") yield content.bytes
  else yield* content.open()
}

async function readBack(path: string, oid: GitOid): Promise<void> {
  for await (const _ of verified(oid, "", inflateFile(path, 0)));
}

function parseLooseHeader(start: Buffer): { readonly type: ObjectType; readonly text: string } | undefined {
  const text = start.toString("latin1", 0, start.indexOf(0) + 1)
  const [, type] = /^(blob|tree|commit|tag) \d+\0$/.exec(text) ?? []
  return isType(type) ? { type, text } : undefined
}

function isType(text: string | undefined): text is ObjectType {
  return text !== undefined && ["blob", "tree", "commit", "tag"].includes(text)
}
