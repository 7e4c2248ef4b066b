/**
 * Identifiers, each a brand of its own so that they cannot be mixed.
 *
 * Run, conflict and plan ids are a letter and the beginning of a hash in Crockford's base 32 without
 * vowels that could spell words; they are as short as they can be while being new to the journal.
 */

declare const brand: unique symbol
type Branded<Name extends string> = string & { readonly [brand]: Name }

/** `sha256:` and 64 hexadecimal digits. */
export type ContentHash = Branded<"ContentHash">
/** What a backend uses to recognise one version of one file: an etag, or inode, size and times. Opaque. */
export type VersionToken = Branded<"VersionToken">
export type DeviceId = Branded<"DeviceId">
export type RunId = Branded<"RunId">
export type ConflictId = Branded<"ConflictId">
export type PlanId = Branded<"PlanId">
/** 128 random bits in hexadecimal: names one write, so that it is recognised after a lost answer or a crash. */
export type OpId = Branded<"OpId">
/** A git object name, 40 hexadecimal digits. */
export type GitOid = Branded<"GitOid">

/** Position of an event in the journal, from 1. */
export type Sequence = number

export type Sha256 = (content: Uint8Array | string) => ContentHash

const HASH = /^sha256:[0-9a-f]{64}$/
const ALPHABET = "0123456789bcdfghjkmnpqrstvwxyzae"
const SHORTEST = 4

function parseContentHash(text: string): ContentHash | undefined {
  return HASH.test(text) ? (text as ContentHash) : undefined
}

/** For a digest this program computed or read back from its own journal. */
export function mustContentHash(text: string): ContentHash {
  const hash = parseContentHash(text)
  if (hash === undefined) throw new Error(`assertion failed: ${JSON.stringify(text)} is not a content hash`)
  return hash
}

/**
 * Returns the shortest new id for this hash: a letter and at least four characters, more where `isTaken` says so.
 */
export function shortId(
  letter: "r" | "c" | "p",
  hash: ContentHash,
  isTaken: (id: string) => boolean,
): string {
  const digits = base32(hash.slice("sha256:".length))
  for (let length = SHORTEST; length < digits.length; length++) {
    const id = letter + digits.slice(0, length)
    if (!isTaken(id)) return id
  }
  throw new Error("assertion failed: every prefix of a 256-bit hash is taken")
}

function base32(hex: string): string {
  let out = ""
  let bits = 0
  let value = 0
  for (const digit of hex) {
    value = (value << 4) | Number.parseInt(digit, 16)
    bits += 4
    if (bits < 5) continue
    bits -= 5
    out += ALPHABET[(value >> bits) & 31]
    value &= (1 << bits) - 1
  }
  return out
}
