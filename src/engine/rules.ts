/**
 * Reads the ignore patterns in force: the global `.bmignore` and one per project. Keeps the rclone form of the global
 * ones beside it, made anew when it is not what the patterns say.
 */

import { readFileSync } from "node:fs"
import { join } from "node:path"
import type { Disk } from "../disk/disk.ts"
import type { SyncError } from "../model/errors.ts"
import { isReserved } from "../model/path.ts"
import { ok, type Result } from "../model/result.ts"
import { compileIgnore, DEFAULT_BMIGNORE, type IgnoreRules } from "../observe/ignore.ts"
import { rcloneFilter } from "../observe/rclone-filter.ts"
import { errnoOf, type Place, writePrivate } from "./config.ts"

const IGNORE_FILE = ".bmignore"
const RCLONE_FILE = ".bmignore.rclone"
const IGNORE_BYTES_MAX = 1_000_000

export async function readRules(
  place: Place,
  disk: Disk,
  { isTenant = false }: { readonly isTenant?: boolean } = {},
): Promise<IgnoreRules> {
  const global = readText(join(place.stateRoot, IGNORE_FILE)) ?? ""
  return compileIgnore({ global, projects: await projectPatterns(disk), ignoresDotDirectories: isTenant })
}

/** Writes the default patterns where the user has none. */
export function ensureIgnoreFile(place: Place): Result<void, SyncError> {
  const file = join(place.stateRoot, IGNORE_FILE)
  return readText(file) === undefined ? writePrivate(file, DEFAULT_BMIGNORE) : ok(undefined)
}

export function refreshRcloneFilter(place: Place): Result<void, SyncError> {
  const { file, wanted, found } = rcloneForm(place)
  return found === wanted ? ok(undefined) : writePrivate(file, wanted)
}

/** The patterns are there, and their rclone form says the same. */
export function areRulesFresh(place: Place): boolean {
  const { wanted, found } = rcloneForm(place)
  return found === wanted && readText(join(place.stateRoot, IGNORE_FILE)) !== undefined
}

function rcloneForm(place: Place): {
  readonly file: string
  readonly wanted: string
  readonly found: string | undefined
} {
  const file = join(place.stateRoot, RCLONE_FILE)
  const patterns = readText(join(place.stateRoot, IGNORE_FILE)) ?? ""
  return { file, wanted: rcloneFilter(patterns), found: readText(file) }
}

async function projectPatterns(disk: Disk): Promise<ReadonlyMap<string, string>> {
  const patterns = new Map<string, string>()
  const root = await disk.readDirectory("")
  if (!root.ok) return patterns
  for (const { name, stat, nameBase64 } of root.value) {
    if (stat?.kind !== "directory" || nameBase64 !== undefined || isReserved(name)) continue
    const at = await disk.stat(`${name}/${IGNORE_FILE}`)
    if (!at.ok || at.value?.kind !== "file" || at.value.sizeBytes > IGNORE_BYTES_MAX) continue
    const file = await disk.readFile(`${name}/${IGNORE_FILE}`)
    if (file.ok) patterns.set(name, new TextDecoder().decode(file.value.bytes))
  }
  return patterns
}

function readText(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8")
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return undefined
    throw error
  }
}
