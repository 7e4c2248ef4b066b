/**
 * Reads the ignore patterns in force: the global `.bmignore` and one per project. Keeps the rclone form of the global
 * ones beside it, made anew when it is not what the patterns say.
 *
 * A sync never takes patterns that are there and cannot be read for none: what they keep here would be uploaded.
 */

import { readFileSync } from "node:fs"
import { join } from "node:path"
import type { Disk, DiskError, FileRead } from "../disk/disk.ts"
import type { SyncError } from "../model/errors.ts"
import { isReserved } from "../model/path.ts"
import { err, ok, type Result } from "../model/result.ts"
import { compileIgnore, DEFAULT_BMIGNORE, type IgnoreRules } from "../observe/ignore.ts"
import { rcloneFilter } from "../observe/rclone-filter.ts"
import { errnoOf, type Place, writePrivate } from "./config.ts"

const IGNORE_FILE = ".bmignore"
const RCLONE_FILE = ".bmignore.rclone"
const IGNORE_BYTES_MAX = 1_000_000

/** What `readFileSync` and the disk say of a file that is there, in words; anything else stands by its own name. */
const WHY: ReadonlyMap<string, string> = new Map([
  ["EACCES", "there is no permission to read it"],
  ["EPERM", "there is no permission to read it"],
  ["EISDIR", "it is a directory"],
  ["ELOOP", "it is a link that leads to itself"],
  ["EIO", "the disk cannot read it"],
])

/** Asked by every sync before it looks at anything: whether all patterns can be read. */
export async function requireRules(
  place: Place,
  local: {
    readonly syncDir: string
    /** Absent where the directory is not there, which is said by whoever needs it. */
    readonly disk: Disk | undefined
  },
): Promise<Result<void, SyncError>> {
  const global = readText(ignoreFile(place))
  if (!global.ok) return global
  for (const { path, read } of local.disk === undefined ? [] : await projectFiles(local.disk)) {
    if (!read.ok && !hasGone(read.error)) return err(unreadable(join(local.syncDir, path), read.error.errno))
  }
  return ok(undefined)
}

/** Throws where the global patterns cannot be read: a sync has asked `requireRules`, so they were lost since. */
export async function readRules(
  place: Place,
  disk: Disk,
  { isTenant = false }: { readonly isTenant?: boolean } = {},
): Promise<IgnoreRules> {
  const global = readText(ignoreFile(place))
  if (!global.ok) throw new Error(`cannot use ${global.error.file} - ${global.error.why}`)
  const projects = await projectPatterns(disk)
  return compileIgnore({ global: global.value ?? "", projects, ignoresDotDirectories: isTenant })
}

/** Writes the default patterns where the user has none. */
export function ensureIgnoreFile(place: Place): Result<void, SyncError> {
  const found = readText(ignoreFile(place))
  if (!found.ok) return found
  return found.value === undefined ? writePrivate(ignoreFile(place), DEFAULT_BMIGNORE) : ok(undefined)
}

export function refreshRcloneFilter(place: Place): Result<void, SyncError> {
  const patterns = readText(ignoreFile(place))
  if (!patterns.ok) return patterns
  const wanted = rcloneFilter(patterns.value ?? "")
  return hasRcloneForm(place, wanted) ? ok(undefined) : writePrivate(rcloneFile(place), wanted)
}

/** The patterns are there, and their rclone form says the same. */
export function areRulesFresh(place: Place): boolean {
  const patterns = readText(ignoreFile(place))
  if (!patterns.ok || patterns.value === undefined) return false
  return hasRcloneForm(place, rcloneFilter(patterns.value))
}

/** One that cannot be read is not the one that is wanted; whoever writes it finds out why. */
function hasRcloneForm(place: Place, wanted: string): boolean {
  const found = readText(rcloneFile(place))
  return found.ok && found.value === wanted
}

function ignoreFile(place: Place): string {
  return join(place.stateRoot, IGNORE_FILE)
}

function rcloneFile(place: Place): string {
  return join(place.stateRoot, RCLONE_FILE)
}

async function projectPatterns(disk: Disk): Promise<ReadonlyMap<string, string>> {
  const patterns = new Map<string, string>()
  for (const { project, read } of await projectFiles(disk))
    if (read.ok) patterns.set(project, new TextDecoder().decode(read.value.bytes))
  return patterns
}

interface ProjectFile {
  readonly project: string
  readonly path: string
  readonly read: Result<FileRead, DiskError>
}

async function projectFiles(disk: Disk): Promise<readonly ProjectFile[]> {
  const files: ProjectFile[] = []
  const root = await disk.readDirectory("")
  if (!root.ok) return files
  for (const { name, stat, nameBase64 } of root.value) {
    if (stat?.kind !== "directory" || nameBase64 !== undefined || isReserved(name)) continue
    const path = `${name}/${IGNORE_FILE}`
    const at = await disk.stat(path)
    if (!at.ok && isShut(at.error)) continue
    if (at.ok && (at.value?.kind !== "file" || at.value.sizeBytes > IGNORE_BYTES_MAX)) continue
    files.push({ project: name, path, read: at.ok ? await disk.readFile(path) : at })
  }
  return files
}

/** A project that cannot be looked into has nothing that could be uploaded, and is reported by the run. */
function isShut({ errno }: DiskError): boolean {
  return errno === "EACCES" || errno === "EPERM" || errno === "ELOOP"
}

/** Between the look at it and the attempt to read it. */
function hasGone({ errno }: DiskError): boolean {
  return errno === "ENOENT" || errno === "ENOTDIR"
}

/** `undefined` where there is no such file. */
function readText(
  file: string,
): Result<string | undefined, Extract<SyncError, { code: "config_unreadable" }>> {
  try {
    return ok(readFileSync(file, "utf8"))
  } catch (error) {
    return errnoOf(error) === "ENOENT" ? ok(undefined) : err(unreadable(file, errnoOf(error)))
  }
}

function unreadable(file: string, errno: string): Extract<SyncError, { code: "config_unreadable" }> {
  return { code: "config_unreadable", file, why: WHY.get(errno) ?? errno }
}
