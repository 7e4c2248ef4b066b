/**
 * Looks at the files of a LevelDB database by their own checksums, without opening it. Never writes.
 *
 * LevelDB drops a damaged record of its log without a word when it opens, and removes the log; the block of a table that
 * is never read may be damaged for years. So `verify` looks first. What it cannot follow it does not judge: a torn end of
 * a log is what a power loss leaves of writes that nobody was promised.
 * Source: leveldb doc/log_format.md and doc/table_format.md.
 */

import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { unsnappy } from "./snappy.ts"

const BLOCK_BYTES = 32 * 1024
const HEADER_BYTES = 7
const RECORD_TYPE_MAX = 4
const FOOTER_BYTES = 48
const TRAILER_BYTES = 5
const TABLE_MAGIC = 0xdb4775248b80fb57n

/** The names of the files that are damaged. */
export function damagedFiles(directory: string): readonly string[] {
  return namesIn(directory).filter((name) => {
    const bytes = bytesOf(join(directory, name))
    if (bytes === undefined) return false
    return name.endsWith(".log") ? isLogDamaged(bytes) : isTableDamaged(bytes)
  })
}

function namesIn(directory: string): readonly string[] {
  try {
    return readdirSync(directory)
      .filter((name) => /^\d+\.(log|ldb|sst)$/.test(name))
      .sort()
  } catch {
    return []
  }
}

/** Absent: a run at work has removed it meanwhile, or it cannot be read; opening the database will say so. */
function bytesOf(file: string): Buffer | undefined {
  try {
    return readFileSync(file)
  } catch {
    return undefined
  }
}

/** A bad record with a good one behind it: what was written later is whole, so this one was, too. */
export function isLogDamaged(bytes: Buffer): boolean {
  let hasBad = false
  for (let block = 0; block < bytes.length; block += BLOCK_BYTES) {
    const end = Math.min(block + BLOCK_BYTES, bytes.length)
    for (let at = block; at + HEADER_BYTES <= end; ) {
      const length = bytes.readUInt16LE(at + 4)
      const type = bytes.readUInt8(at + 6)
      const next = at + HEADER_BYTES + length
      const isGood =
        next <= end &&
        type > 0 &&
        type <= RECORD_TYPE_MAX &&
        isIntact(bytes.readUInt32LE(at), bytes.subarray(at + 6, next))
      if (isGood && hasBad) return true
      if (!isGood) hasBad = true
      if (next > end) break
      at = next
    }
  }
  return false
}

/** A table without its last bytes was never finished, and belongs to no database; if it does, reading it fails. */
export function isTableDamaged(bytes: Buffer): boolean {
  const footer = bytes.length - FOOTER_BYTES
  if (footer < 0 || bytes.readBigUInt64LE(bytes.length - 8) !== TABLE_MAGIC) return false
  try {
    const cursor = { bytes, at: footer }
    const meta = readHandle(cursor)
    const index = readHandle(cursor)
    const handles = [...handlesIn(readBlock(bytes, meta)), ...handlesIn(readBlock(bytes, index))]
    for (const handle of handles) checkBlock(bytes, handle)
    return false
  } catch (error) {
    if (error instanceof Damage || error instanceof RangeError) return true
    throw error
  }
}

class Damage extends Error {}

interface Handle {
  readonly offset: number
  readonly size: number
}

interface Cursor {
  readonly bytes: Buffer
  at: number
}

function checkBlock(bytes: Buffer, { offset, size }: Handle): void {
  const end = offset + size + TRAILER_BYTES
  if (end > bytes.length || !isIntact(bytes.readUInt32LE(end - 4), bytes.subarray(offset, end - 4)))
    throw new Damage()
}

function readBlock(bytes: Buffer, handle: Handle): Buffer {
  checkBlock(bytes, handle)
  const body = bytes.subarray(handle.offset, handle.offset + handle.size)
  const compression = bytes.readUInt8(handle.offset + handle.size)
  if (compression === 0) return body
  const plain = compression === 1 ? unsnappy(body) : undefined
  if (plain === undefined) throw new Damage()
  return plain
}

/** Entries are (shared, unshared, value length, key rest, value); the end of the block lists its restart points. */
function handlesIn(block: Buffer): readonly Handle[] {
  const restarts = block.readUInt32LE(block.length - 4)
  const end = block.length - 4 - restarts * 4
  const handles: Handle[] = []
  const cursor = { bytes: block, at: 0 }
  while (cursor.at < end) {
    readVarint(cursor)
    const keyRest = readVarint(cursor)
    const length = readVarint(cursor)
    const value = cursor.at + keyRest
    handles.push(readHandle({ bytes: block, at: value }))
    cursor.at = value + length
  }
  return handles
}

function readHandle(cursor: Cursor): Handle {
  return { offset: readVarint(cursor), size: readVarint(cursor) }
}

function readVarint(cursor: Cursor): number {
  let value = 0
  for (let factor = 1; factor < 2 ** 50; factor *= 128) {
    const byte = cursor.bytes.readUInt8(cursor.at++)
    value += (byte & 127) * factor
    if (byte < 128) return value
  }
  throw new Damage()
}

/** Stored sums are rotated and shifted, so that a sum over sums is not trivial. */
function isIntact(stored: number, content: Buffer): boolean {
  const sum = crc32c(content)
  return (((sum >>> 15) | (sum << 17)) + 0xa282ead8) >>> 0 === stored
}

const TABLE = Uint32Array.from({ length: 256 }, (_, index) => {
  let value = index
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0x82f63b78 : value >>> 1
  return value
})

function crc32c(content: Buffer): number {
  let sum = 0xffffffff
  for (const byte of content) sum = (sum >>> 8) ^ (TABLE[(sum ^ byte) & 255] ?? 0)
  return (sum ^ 0xffffffff) >>> 0
}
