/**
 * Paths of notes: relative, `/`-separated, NFC or not exactly as given, compared as UTF-8 bytes.
 *
 * `parsePath` is the only door from outside text to a `RelativePath`; it holds rule 1 of the
 * containment guarantee (no empty, `.`, `..` or NUL segment, nothing absolute). `isReserved` holds
 * rule 2: what belongs to git or to us is never a note, on either side.
 */

import { err, ok, type Result } from "./result.ts"

declare const relativePath: unique symbol
export type RelativePath = string & { readonly [relativePath]: true }

export type PathProblem =
  | "empty"
  | "absolute"
  | "dot_segment"
  | "empty_segment"
  | "nul"
  | "lone_surrogate"
  | "too_long"

/** Longest name that common disks take, in bytes of UTF-8. */
const NAME_BYTES_MAX = 255
/** Longest key that S3 takes, in bytes of UTF-8. */
export const PATH_BYTES_MAX = 1024

export const CONTROL_DIRECTORY = ".basic-memory"

export function parsePath(text: string): Result<RelativePath, PathProblem> {
  if (text === "") return err("empty")
  if (text.startsWith("/")) return err("absolute")
  if (text.includes("\0")) return err("nul")
  if (!text.isWellFormed()) return err("lone_surrogate")
  for (const segment of text.split("/")) {
    if (segment === "") return err("empty_segment")
    if (segment === "." || segment === "..") return err("dot_segment")
  }
  if (utf8Length(text) > PATH_BYTES_MAX) return err("too_long")
  return ok(text as RelativePath)
}

/** For text that this program made itself or already parsed once, such as a path read back from the journal. */
export function mustPath(text: string): RelativePath {
  const parsed = parsePath(text)
  if (!parsed.ok) throw new Error(`assertion failed: ${JSON.stringify(text)} is not a path (${parsed.error})`)
  return parsed.value
}

/**
 * Orders by UTF-8 bytes, the order of S3 and of the journal.
 *
 * UTF-16 code units sort the same way except that surrogates (D800–DFFF) come before E000–FFFF,
 * though what they encode comes after; the two ranges are swapped before they are compared.
 */
export function comparePaths(a: string, b: string): number {
  const length = Math.min(a.length, b.length)
  for (let i = 0; i < length; i++) {
    const x = a.charCodeAt(i)
    const y = b.charCodeAt(i)
    if (x !== y) return bytesRank(x) - bytesRank(y)
  }
  return a.length - b.length
}

function bytesRank(unit: number): number {
  if (unit < 0xd800) return unit
  return unit < 0xe000 ? unit + 0x2000 : unit - 0x800
}

export function parentOf(path: string): string {
  const slash = path.lastIndexOf("/")
  return slash < 0 ? "" : path.slice(0, slash)
}

export function nameOf(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1)
}

/** Every directory above `path`, nearest first; the root is not named. */
export function ancestorsOf(path: string): string[] {
  const out: string[] = []
  for (let at = parentOf(path); at !== ""; at = parentOf(at)) out.push(at)
  return out
}

export function isBelow(path: string, directory: string): boolean {
  return (
    directory === "" ||
    (path.length > directory.length && path.startsWith(directory) && path[directory.length] === "/")
  )
}

export function joinPath(directory: string, name: string): string {
  return directory === "" ? name : `${directory}/${name}`
}

/** True for what is never a note: our control directory at the root, and `.git` anywhere, in any spelling a disk may fold. */
export function isReserved(path: string): boolean {
  const segments = path.split("/")
  if (foldName(segments[0] ?? "") === CONTROL_DIRECTORY) return true
  return segments.some(isGitName)
}

/**
 * `.git` as NTFS and HFS+ may read it: case, trailing dots and spaces, the short name `git~1`, a stream
 * suffix, code points that HFS+ drops. Source: git's own `is_ntfs_dotgit` and `is_hfs_dotgit`.
 */
export function isGitName(name: string): boolean {
  if (name.length < 4 || !mayBeGitName(name.charCodeAt(0))) return false
  const folded = foldName(name)
  return folded === ".git" || /^git~\d+$/.test(folded)
}

/** Nearly every name is told apart by its first character: `.`, `g`, `G`, or one that HFS+ may drop. */
function mayBeGitName(first: number): boolean {
  return first === 0x2e || first === 0x67 || first === 0x47 || first >= 0x200c
}

const HFS_IGNORED = /[\u200c-\u200f\u202a-\u202e\u206a-\u206f\ufeff]/g

function foldName(name: string): string {
  const bare = name.replace(HFS_IGNORED, "")
  const colon = bare.indexOf(":")
  return (colon < 0 ? bare : bare.slice(0, colon)).replace(/[ .]+$/, "").toLowerCase()
}

/**
 * Returns the name that a version gets when the path itself goes to another version: `a.md` → `a.md.conflict1`.
 * A name that would pass 255 bytes, or a path 1024, has its stem cut at a code point; where the directory alone
 * leaves no room, the copy goes to a directory above it.
 */
export function conflictName(path: RelativePath, number: number): RelativePath {
  const suffix = `.conflict${number}`
  let directory = parentOf(path)
  while (roomIn(directory) < CODE_POINT_BYTES_MAX + suffix.length) directory = parentOf(directory)
  let stem = nameOf(path)
  while (utf8Length(stem) + suffix.length > roomIn(directory))
    stem = stem.slice(0, stem.length - lastCodePointLength(stem))
  return mustPath(joinPath(directory, stem + suffix))
}

const CODE_POINT_BYTES_MAX = 4

/** Longest name that a directory leaves room for, in bytes. */
function roomIn(directory: string): number {
  return Math.min(NAME_BYTES_MAX, PATH_BYTES_MAX - utf8Length(joinPath(directory, "")))
}

function lastCodePointLength(text: string): number {
  const last = text.charCodeAt(text.length - 1)
  return last >= 0xdc00 && last <= 0xdfff && text.length > 1 ? 2 : 1
}

export function utf8Length(text: string): number {
  let bytes = 0
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i)
    if (unit < 0x80) bytes += 1
    else if (unit < 0x800) bytes += 2
    else if (unit >= 0xd800 && unit < 0xdc00) {
      bytes += 4
      i++
    } else bytes += 3
  }
  return bytes
}
