/**
 * Walks a folder into a listing, in byte order of whole paths. Never follows a link, never opens a file.
 *
 * What cannot be spoken about is a value in the listing: links, special files, unreadable directories, names that are
 * not UTF-8, mount points that came or went. A directory that cannot be read is never an empty one.
 */

import { createHash } from "node:crypto"
import type { ListedFile, Listing, Unknown, UnknownReason, Version } from "../model/entry.ts"
import type { Trouble } from "../model/errors.ts"
import type { VersionToken } from "../model/ids.ts"
import {
  comparePaths,
  CONTROL_DIRECTORY,
  isGitName,
  isReserved,
  joinPath,
  parsePath,
  PATH_BYTES_MAX,
  type RelativePath,
} from "../model/path.ts"
import { err, ok, type Result } from "../model/result.ts"
import type { DirectoryEntry, Disk, DiskStat } from "./disk.ts"
import { troubleOf } from "./trouble.ts"

/** Deeper trees than this are reported, not walked. */
const DEPTH_MAX = 200
const NS_PER_MS = 1_000_000n

interface Walk {
  readonly disk: Disk
  readonly ignoresDirectory: (path: string) => boolean
  readonly reportsGit: boolean
  /** One line per file, path and token: what the digest is over, and what `files` is made of. */
  readonly lines: string[]
  readonly unknowns: Unknown[]
  readonly mounts: string[]
  newestNs: string
}

export async function walk(
  disk: Disk,
  options: {
    readonly ignoresDirectory: (path: string) => boolean
    readonly nowMs: () => number
    /** A repository here is something that is refused, not the user's own. */
    readonly reportsGit?: boolean
  },
): Promise<Result<Listing, Trouble>> {
  const sampledMs = options.nowMs()
  const root = await disk.stat("")
  if (!root.ok) return err(troubleOf(root.error))
  if (root.value === undefined) return err({ code: "not_found", path: "" })
  const state: Walk = {
    disk,
    ignoresDirectory: options.ignoresDirectory,
    reportsGit: options.reportsGit === true,
    lines: [],
    unknowns: [],
    mounts: [],
    newestNs: "0",
  }
  const entries = await disk.readDirectory("")
  if (!entries.ok) return err(troubleOf(entries.error))
  await walkEntries(state, { path: "", stat: root.value, entries: entries.value, depth: 0 })
  return ok(listingOf(state, sampledMs))
}

function listingOf(state: Walk, sampledMs: number): Listing {
  const { lines, unknowns, mounts } = state
  let files: readonly ListedFile[] | undefined
  return {
    get files() {
      files ??= lines.map(parseLine)
      return files
    },
    count: lines.length,
    unknowns,
    mounts,
    digest: digestOf(state),
    sampledMs,
    newestMs: Number(BigInt(state.newestNs) / 1000n) / 1000,
  }
}

function parseLine(line: string): ListedFile {
  const end = line.indexOf("\0")
  return {
    path: line.slice(0, end) as RelativePath,
    version: versionOfToken(line.slice(end + 1) as VersionToken),
  }
}

interface WalkedDirectory {
  readonly path: string
  readonly stat: DiskStat
  readonly entries: readonly DirectoryEntry[]
  readonly depth: number
}

async function walkEntries(state: Walk, directory: WalkedDirectory): Promise<void> {
  for (const entry of inPathOrder(directory.entries)) {
    const path = joinPath(directory.path, entry.name)
    if (directory.path === "" ? isReserved(entry.name) : isGitName(entry.name)) {
      if (!isExpectedHere(state, directory, entry.name)) putUnknown(state, path, "reserved")
      continue
    }
    if (entry.nameBase64 !== undefined) {
      state.unknowns.push({
        path: directory.path,
        reason: "not_utf8",
        scope: "absent_children",
        nameBase64: entry.nameBase64,
      })
    } else if (entry.stat === undefined) {
      putUnknown(state, path, "unreadable")
    } else {
      await walkEntry(state, { path, stat: entry.stat, directory })
    }
  }
}

/** Our own directory is everywhere, and a user's repositories are in the user's own folder; other spellings are not. */
function isExpectedHere({ reportsGit }: Walk, directory: WalkedDirectory, name: string): boolean {
  return name === ".git" ? !reportsGit : directory.path === "" && name === CONTROL_DIRECTORY
}

async function walkEntry(
  state: Walk,
  at: { readonly path: string; readonly stat: DiskStat; readonly directory: WalkedDirectory },
): Promise<void> {
  const { path, stat, directory } = at
  switch (stat.kind) {
    case "symlink":
    case "special":
      putUnknown(state, path, stat.kind)
      return
    case "file":
      putFile(state, path, stat)
      return
    case "directory": {
      if (stat.deviceNumber !== directory.stat.deviceNumber) state.mounts.push(path)
      if (state.ignoresDirectory(path)) {
        putUnknown(state, path, "ignored")
        return
      }
      const entries = await state.disk.readDirectory(path)
      if (!entries.ok || directory.depth >= DEPTH_MAX) putUnknown(state, path, "unreadable")
      else await walkEntries(state, { path, stat, entries: entries.value, depth: directory.depth + 1 })
      return
    }
  }
}

/** Names come from the system and have no `/`, `.` or NUL problem; only their length may be one. */
function putFile(state: Walk, path: string, stat: DiskStat): void {
  if (path.length > PATH_BYTES_MAX / 3 && !parsePath(path).ok) {
    putUnknown(state, path, "too_long")
    return
  }
  const { mtimeNs, ctimeNs } = stat
  if (isLater(mtimeNs, state.newestNs)) state.newestNs = mtimeNs
  if (isLater(ctimeNs, state.newestNs)) state.newestNs = ctimeNs
  // Joined, not added up: a sum of strings keeps all its parts alive until somebody reads it.
  state.lines.push([path, "\0", stat.inode, ":", stat.sizeBytes, ":", mtimeNs, ":", ctimeNs].join(""))
}

/** Compares decimal numbers of which the second is not negative. */
function isLater(a: string, b: string): boolean {
  if (a.startsWith("-")) return false
  return a.length === b.length ? a > b : a.length > b.length
}

function putUnknown(state: Walk, path: string, reason: UnknownReason): void {
  state.unknowns.push({ path, reason, scope: "subtree" })
}

/** Whole paths sort by `name/` for a directory: `a.md` comes before `a/b`. */
function inPathOrder(entries: readonly DirectoryEntry[]): readonly DirectoryEntry[] {
  if (!entries.some((entry) => entry.stat?.kind === "directory")) return entries
  const key = (entry: DirectoryEntry) => (entry.stat?.kind === "directory" ? `${entry.name}/` : entry.name)
  return [...entries].sort((a, b) => comparePaths(key(a), key(b)))
}

function digestOf(state: Walk): string {
  const hash = createHash("sha256")
  hash.update(state.lines.join("\n"))
  for (const { path, reason, scope, nameBase64 } of state.unknowns)
    hash.update(`${reason}\0${scope}\0${path}\0${nameBase64 ?? ""}\n`)
  for (const path of state.mounts) hash.update(`mount\0${path}\n`)
  return hash.digest("hex")
}

/** A version of a file on a folder: inode, size and both times say that nobody touched it. */
export function versionOf(stat: DiskStat): Version {
  return versionOfToken(tokenOf(stat))
}

function versionOfToken(token: VersionToken): Version {
  const [inode = "", size = "", mtimeNs = ""] = token.split(":")
  return { token, sizeBytes: Number(size), mtimeMs: wholeMs(BigInt(mtimeNs)), fileId: inode }
}

/** Rounds down also before 1970, where integer division would round up. */
function wholeMs(ns: bigint): number {
  return Number((ns - (((ns % NS_PER_MS) + NS_PER_MS) % NS_PER_MS)) / NS_PER_MS)
}

export function tokenOf(stat: DiskStat): VersionToken {
  return `${stat.inode}:${stat.sizeBytes}:${stat.mtimeNs}:${stat.ctimeNs}` as VersionToken
}

/** True if only the name of the file may have changed: renaming and linking touch the change time alone. */
export function isSameFile(stat: DiskStat, token: string): boolean {
  return token.startsWith(`${stat.inode}:${stat.sizeBytes}:${stat.mtimeNs}:`)
}
