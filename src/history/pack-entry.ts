/**
 * One object as it lies in a pack: a header of type and size, then its zlib stream. Compresses, inflates, reads.
 *
 * Deltas are recognised and never read here. Small objects are handled at once, in the calling thread, because
 * a hand-over costs more than the work; larger ones in zlib's threads.
 * Source: git's Documentation/gitformat-pack.
 */

import { closeSync, openSync, readSync } from "node:fs"
import type { FileHandle } from "node:fs/promises"
import { promisify } from "node:util"
import { deflate, deflateSync, inflate, inflateSync } from "node:zlib"
import type { GitObject, ObjectType } from "./git-object.ts"
import type { PackEntry } from "./pack-index.ts"

export interface EntryHeader {
  /** Absent: a delta, or a type that git does not have. */
  readonly type: ObjectType | undefined
  readonly sizeBytes: number
  readonly headerBytes: number
}

const TYPES: readonly (ObjectType | undefined)[] = [undefined, "commit", "tree", "blob", "tag"]
const AT_ONCE_BYTES_MAX = 64 * 1024
/** Below this a small compressor finds as much as a large one, and is made three times as fast. */
const TINY_BYTES_MAX = 4 * 1024
const FIRST_READ_BYTES = 4 * 1024
const HEADER_BYTES_MAX = 10
/** How much of a pack is read in one piece, unless one entry is larger. */
const WINDOW_BYTES = 1024 * 1024

const deflateLater = promisify<Uint8Array, Buffer>(deflate)
const inflateLater = promisify<Uint8Array, object, Buffer>(inflate)

export async function encodeEntry(type: ObjectType, body: Uint8Array): Promise<Buffer> {
  return Buffer.concat([encodeHeader(type, body.length), await compress(body)])
}

export async function decodeEntry(header: EntryHeader, bytes: Buffer): Promise<Buffer> {
  const options = { maxOutputLength: header.sizeBytes + 1, chunkSize: Math.max(header.sizeBytes + 1, 64) }
  const zlibStream = bytes.subarray(header.headerBytes)
  return header.sizeBytes <= AT_ONCE_BYTES_MAX
    ? inflateSync(zlibStream, options)
    : inflateLater(zlibStream, { maxOutputLength: options.maxOutputLength })
}

/** Absent: the bytes end within the header. */
export function parseHeader(bytes: Buffer): EntryHeader | undefined {
  const first = bytes[0]
  if (first === undefined) return undefined
  let sizeBytes = first & 15
  let scale = 16
  let headerBytes = 1
  for (let byte = first; (byte & 0x80) !== 0; headerBytes++) {
    const next = bytes[headerBytes]
    if (next === undefined || headerBytes >= HEADER_BYTES_MAX) return undefined
    byte = next
    sizeBytes += (byte & 0x7f) * scale
    scale *= 128
  }
  return { type: TYPES[(first >> 4) & 7], sizeBytes, headerBytes }
}

/** Reads the object at an offset; `delta` if it is stored as a difference to another, absent if nothing whole is there. */
export async function readEntryAt(
  packPath: string,
  offset: number,
): Promise<GitObject | "delta" | undefined> {
  const file = openSync(packPath, "r")
  try {
    const start = readPiece(file, offset, FIRST_READ_BYTES)
    const header = parseHeader(start)
    if (header === undefined) return undefined
    if (header.type === undefined) return "delta"
    const neededBytes = header.headerBytes + compressedBytesMax(header.sizeBytes)
    const bytes = neededBytes <= start.length ? start : readPiece(file, offset, neededBytes)
    const body = await decodeEntry(header, bytes)
    return body.length === header.sizeBytes ? { type: header.type, body } : undefined
  } finally {
    closeSync(file)
  }
}

export function readHeaderAt(packPath: string, offset: number): EntryHeader | undefined {
  const file = openSync(packPath, "r")
  try {
    return parseHeader(readPiece(file, offset, HEADER_BYTES_MAX))
  } finally {
    closeSync(file)
  }
}

/** Reads entries one after the other; they are the pack's own, in its order, and `end` is where the last one ends. */
export async function* readEntries(
  file: FileHandle,
  entries: readonly PackEntry[],
  end: number,
): AsyncGenerator<{ readonly entry: PackEntry; readonly bytes: Buffer }> {
  let window: Buffer = Buffer.alloc(0)
  let windowAt = 0
  for (const [i, entry] of entries.entries()) {
    const entryEnd = entries[i + 1]?.offset ?? end
    if (entryEnd > windowAt + window.length) {
      windowAt = entry.offset
      const lengthBytes = Math.min(Math.max(WINDOW_BYTES, entryEnd - entry.offset), end - entry.offset)
      window = await readFully(file, windowAt, lengthBytes)
    }
    yield { entry, bytes: window.subarray(entry.offset - windowAt, entryEnd - windowAt) }
  }
}

function encodeHeader(type: ObjectType, sizeBytes: number): Buffer {
  const bytes: number[] = []
  let byte = (TYPES.indexOf(type) << 4) | (sizeBytes & 15)
  for (let rest = Math.floor(sizeBytes / 16); rest > 0; rest = Math.floor(rest / 128)) {
    bytes.push(byte | 0x80)
    byte = rest & 0x7f
  }
  return Buffer.from([...bytes, byte])
}

function compress(body: Uint8Array): Buffer | Promise<Buffer> {
  if (body.length > AT_ONCE_BYTES_MAX) return deflateLater(body)
  return deflateSync(body, { memLevel: body.length <= TINY_BYTES_MAX ? 5 : 8 })
}

/** Zlib's own bound, generously: incompressible bytes grow a little. */
function compressedBytesMax(sizeBytes: number): number {
  return sizeBytes + Math.ceil(sizeBytes / 512) + 256
}

function readPiece(file: number, position: number, lengthBytes: number): Buffer {
  const piece = Buffer.allocUnsafe(lengthBytes)
  let filled = 0
  while (filled < lengthBytes) {
    const count = readSync(file, piece, filled, lengthBytes - filled, position + filled)
    if (count === 0) break
    filled += count
  }
  return piece.subarray(0, filled)
}

/** Shorter than asked for only where the file ends. */
async function readFully(file: FileHandle, position: number, lengthBytes: number): Promise<Buffer> {
  const piece = Buffer.allocUnsafe(lengthBytes)
  let filled = 0
  while (filled < lengthBytes) {
    const { bytesRead } = await file.read(piece, filled, lengthBytes - filled, position + filled)
    if (bytesRead === 0) break
    filled += bytesRead
  }
  return piece.subarray(0, filled)
}
