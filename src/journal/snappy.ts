/**
 * Unpacks one block of Snappy, the compression of LevelDB's tables. Only reads; answers `undefined` for what is none.
 * Source: google/snappy format_description.txt.
 */

/** LevelDB's blocks are a few kilobytes; what claims to be more is damaged. */
const UNPACKED_BYTES_MAX = 64 * 1024 * 1024

export function unsnappy(packed: Buffer): Buffer | undefined {
  const size = readSize(packed)
  if (size === undefined || size.value > UNPACKED_BYTES_MAX) return undefined
  const out = Buffer.alloc(size.value)
  let at = size.next
  let written = 0
  while (at < packed.length) {
    const element = readElement(packed, at)
    if (element === undefined || written + element.length > out.length) return undefined
    if (element.kind === "literal") {
      if (element.next > packed.length) return undefined
      packed.copy(out, written, element.next - element.length, element.next)
    } else {
      if (element.offset === 0 || element.offset > written) return undefined
      // Byte by byte: a copy may run into what it is writing.
      for (let i = 0; i < element.length; i++) out[written + i] = out[written + i - element.offset] ?? 0
    }
    written += element.length
    at = element.next
  }
  return written === out.length ? out : undefined
}

type Element =
  | { readonly kind: "literal"; readonly length: number; readonly next: number }
  | { readonly kind: "copy"; readonly length: number; readonly offset: number; readonly next: number }

function readElement(packed: Buffer, at: number): Element | undefined {
  const tag = packed[at] ?? 0
  const high = tag >> 2
  switch (tag & 3) {
    case 0: {
      const extra = high < 60 ? 0 : high - 59
      const length = (extra === 0 ? high : (readBytes(packed, at + 1, extra) ?? -1)) + 1
      return length === 0 ? undefined : { kind: "literal", length, next: at + 1 + extra + length }
    }
    case 1: {
      const low = readBytes(packed, at + 1, 1)
      return low === undefined
        ? undefined
        : { kind: "copy", length: (high & 7) + 4, offset: (tag >> 5) * 256 + low, next: at + 2 }
    }
    default: {
      const width = (tag & 3) === 2 ? 2 : 4
      const offset = readBytes(packed, at + 1, width)
      return offset === undefined
        ? undefined
        : { kind: "copy", length: high + 1, offset, next: at + 1 + width }
    }
  }
}

function readSize(packed: Buffer): { readonly value: number; readonly next: number } | undefined {
  let value = 0
  for (let at = 0; at < 5; at++) {
    const byte = packed[at]
    if (byte === undefined) return undefined
    value += (byte & 127) * 128 ** at
    if (byte < 128) return { value, next: at + 1 }
  }
  return undefined
}

function readBytes(packed: Buffer, at: number, width: number): number | undefined {
  return at + width <= packed.length ? packed.readUIntLE(at, width) : undefined
}
