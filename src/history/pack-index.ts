/**
 * The index of a pack, version 2: where in the pack each object begins, and the CRC-32 of its compressed bytes.
 *
 * An index is searched as it lies in memory, 28 bytes for each object; nothing is unpacked from it but for
 * consolidation. Offsets from 2 GiB on stand in a second table of 64-bit numbers.
 * Source: git's Documentation/gitformat-pack.
 */

import { createHash } from "node:crypto"
import type { GitOid } from "../model/ids.ts"
import { mustOid, OID_BYTES } from "./git-object.ts"

export interface PackEntry {
  readonly oid: GitOid
  readonly offset: number
  readonly crc: number
}

export interface PackIndex {
  readonly count: number
  offsetOf(oid: Buffer): number | undefined
  /** Every entry, in the order of the pack. */
  entries(): PackEntry[]
}

const MAGIC = 0xff744f63
const FANOUT_AT = 8
const NAMES_AT = FANOUT_AT + 256 * 4
const TRAILER_BYTES = 2 * OID_BYTES
const LARGE_OFFSET = 0x80000000

export function encodeIndex(packEntries: readonly PackEntry[], packSha: Buffer): Buffer {
  const entries = packEntries.toSorted((a, b) => (a.oid < b.oid ? -1 : 1))
  const large = entries.filter((entry) => entry.offset >= LARGE_OFFSET)
  const layout = layoutOf(entries.length)
  const out = Buffer.alloc(layout.largeAt + large.length * 8 + TRAILER_BYTES)
  out.writeUInt32BE(MAGIC, 0)
  out.writeUInt32BE(2, 4)
  writeFanout(out, entries)
  let largeCount = 0
  for (const [i, entry] of entries.entries()) {
    out.write(entry.oid, NAMES_AT + i * OID_BYTES, "hex")
    out.writeUInt32BE(entry.crc, layout.crcsAt + i * 4)
    const isLarge = entry.offset >= LARGE_OFFSET
    out.writeUInt32BE(isLarge ? LARGE_OFFSET + largeCount : entry.offset, layout.offsetsAt + i * 4)
    if (isLarge) out.writeBigUInt64BE(BigInt(entry.offset), layout.largeAt + largeCount++ * 8)
  }
  packSha.copy(out, out.length - TRAILER_BYTES)
  sha1(out.subarray(0, out.length - OID_BYTES)).copy(out, out.length - OID_BYTES)
  return out
}

/** Absent: not an index of version 2, or damaged; what it lists is then not to be relied on. */
export function parseIndex(bytes: Buffer): PackIndex | undefined {
  if (bytes.length < NAMES_AT + TRAILER_BYTES) return undefined
  if (bytes.readUInt32BE(0) !== MAGIC || bytes.readUInt32BE(4) !== 2) return undefined
  const count = bytes.readUInt32BE(NAMES_AT - 4)
  if (bytes.length < layoutOf(count).largeAt + TRAILER_BYTES) return undefined
  const end = bytes.length - OID_BYTES
  if (!sha1(bytes.subarray(0, end)).equals(bytes.subarray(end))) return undefined
  return indexOver(bytes, count)
}

function indexOver(bytes: Buffer, count: number): PackIndex {
  const layout = layoutOf(count)
  function offsetAt(i: number): number {
    const offset = bytes.readUInt32BE(layout.offsetsAt + i * 4)
    if (offset < LARGE_OFFSET) return offset
    return Number(bytes.readBigUInt64BE(layout.largeAt + (offset - LARGE_OFFSET) * 8))
  }
  return {
    count,
    offsetOf(oid) {
      const first = oid[0] ?? 0
      let low = first === 0 ? 0 : bytes.readUInt32BE(FANOUT_AT + (first - 1) * 4)
      let high = bytes.readUInt32BE(FANOUT_AT + first * 4)
      while (low < high) {
        const middle = (low + high) >>> 1
        const at = NAMES_AT + middle * OID_BYTES
        const order = oid.compare(bytes, at, at + OID_BYTES)
        if (order === 0) return offsetAt(middle)
        if (order < 0) high = middle
        else low = middle + 1
      }
      return undefined
    },
    entries() {
      const entries = Array.from({ length: count }, (_, i) => ({
        oid: mustOid(bytes.toString("hex", NAMES_AT + i * OID_BYTES, NAMES_AT + (i + 1) * OID_BYTES)),
        offset: offsetAt(i),
        crc: bytes.readUInt32BE(layout.crcsAt + i * 4),
      }))
      return entries.sort((a, b) => a.offset - b.offset)
    },
  }
}

function layoutOf(count: number): { crcsAt: number; offsetsAt: number; largeAt: number } {
  const crcsAt = NAMES_AT + count * OID_BYTES
  return { crcsAt, offsetsAt: crcsAt + count * 4, largeAt: crcsAt + count * 8 }
}

/** For each first byte: how many names begin with it or a smaller one. */
function writeFanout(out: Buffer, entries: readonly PackEntry[]): void {
  const counts = Array.from({ length: 256 }, () => 0)
  for (const entry of entries) {
    const first = Number.parseInt(entry.oid.slice(0, 2), 16)
    counts[first] = (counts[first] ?? 0) + 1
  }
  let total = 0
  for (const [first, count] of counts.entries()) {
    total += count
    out.writeUInt32BE(total, FANOUT_AT + first * 4)
  }
}

function sha1(bytes: Buffer): Buffer {
  return createHash("sha1").update(bytes).digest()
}
