/**
 * Reads the ignore patterns in force: the global `.bmignore` and one per project. Keeps the rclone form of the global
 * ones beside it, made anew when it is not what the patterns say.
 *
 * A sync never takes patterns that are there and cannot be read for none: what they keep here would be uploaded.
 */

import { readFileSync, statSync } from "node:fs"
import { join } from "node:path"
import type { Disk, DiskError, FileRead } from "../disk/disk.ts"
import type { SyncError } from "../model/errors.ts"
import { isReserved } from "../model/path.ts"
import { err, ok, type Result } from "../model/result.ts"
import { compileIgnore, DEFAULT_BMIGNORE, type IgnoreRules } from "../observe/ignore.ts"
import { isOurForm, rcloneFilter } from "../observe/rclone-filter.ts"
import { errnoOf, type Place, writePrivate } from "./config.ts"

const IGNORE_FILE = ".bmignore"
const RCLONE_FILE = ".bmignore.rclone"
const IGNORE_BYTES_MAX = 1_000_000

/** What `readFileSync` and the disk say of a file that is there, in words; anything else stands by its own name. */
const WHY: ReadonlyMap<string, string> = new Map([
  ["EACCES", "there is no permission to read it"],
  ["EPERM", "there is no permission to read it"],
  ["EISDIR", "it is a directory"],
  ["EFBIG", "it is larger than 1 MB"],
  ["ELOOP", "it is a link that leads to itself"],
  ["EIO", "the disk cannot read it"],
])

export interface RulesOf {
  readonly syncDir: string
  /** Absent where the directory is not there, which is said by whoever needs it. */
  readonly disk: Disk | undefined
  /** The remote is the storage of an account. */
  readonly isTenant?: boolean
}

/** All of them, or why one cannot be used. */
export async function readRules(
  place: Place,
  { syncDir, disk, isTenant = false }: RulesOf,
): Promise<Result<IgnoreRules, SyncError>> {
  const global = readText(ignoreFile(place))
  if (!global.ok) return global
  const projects = new Map<string, string>()
  for (const { project, path, read } of disk === undefined ? [] : await projectFiles(disk)) {
    if (read.ok) projects.set(project, new TextDecoder().decode(read.value.bytes))
    else if (!hasGone(read.error)) return err(unreadable(join(syncDir, path), read.error.errno))
  }
  return ok(compileIgnore({ global: global.value ?? "", projects, ignoresDotDirectories: isTenant }))
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
  if (!found.ok || found.value === undefined) return false
  return found.value === wanted || (!isOurForm(found.value) && isNewer(rcloneFile(place), ignoreFile(place)))
}

/** The client that was here before makes one too. To its rclone another file is another sync, which it refuses. */
function isNewer(file: string, than: string): boolean {
  const [made, from] = [file, than].map((each) => statSync(each, { throwIfNoEntry: false })?.mtimeMs)
  return made !== undefined && from !== undefined && made >= from
}

function ignoreFile(place: Place): string {
  return join(place.stateRoot, IGNORE_FILE)
}

function rcloneFile(place: Place): string {
  return join(place.stateRoot, RCLONE_FILE)
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
    if (at.ok && at.value?.kind !== "file") continue
    const isTooLarge = at.ok && (at.value?.sizeBytes ?? 0) > IGNORE_BYTES_MAX
    const read = isTooLarge ? err({ errno: "EFBIG", path }) : at.ok ? await disk.readFile(path) : at
    files.push({ project: name, path, read })
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
