/**
 * The folder that an import reads: opened and judged before anything is set up.
 *
 * Owns what keeps an import from beginning, and which patterns are in force for it; copies nothing.
 */

import { join, resolve } from "node:path"
import type { Disk } from "../disk/disk.ts"
import { openNodeDisk } from "../disk/node-disk.ts"
import type { SyncError } from "../model/errors.ts"
import { err, ok, type Result } from "../model/result.ts"
import { compileIgnore, DEFAULT_BMIGNORE, type IgnoreRules } from "../observe/ignore.ts"
import { expandHome, type Place, readIfThere } from "./config.ts"
import { overlaps, type Remote } from "./remote.ts"
import { readRules } from "./rules.ts"
import { realPath } from "./setup-target.ts"

export interface ImportSource {
  readonly directory: string
  readonly disk: Disk
  /** In force for what is brought in, also while the sync directory has none of the projects' own patterns. */
  readonly rules: Pick<IgnoreRules, "ignoresDirectory" | "ignoresFile">
}

/** Judges the folder before anything is set up. */
export async function openImport(
  place: Place,
  asTyped: string,
  target: { readonly syncDir: string; readonly remote: Remote | undefined },
): Promise<Result<ImportSource, SyncError>> {
  const directory = resolve(expandHome(asTyped, place.home))
  const refuse = (why: "missing" | "not_a_directory" | "unreadable", detail: string) =>
    err({ code: "import_refused", dir: directory, why, detail } as const)
  const opened = openNodeDisk(directory)
  if (!opened.ok) {
    const { errno } = opened.error
    return refuse(WHY.get(errno) ?? "unreadable", errno)
  }
  const disk = opened.value
  const within = overlapOf(place, directory, target)
  if (within !== undefined)
    return err({ code: "import_refused", dir: directory, why: "overlaps", detail: within })
  const looked = await disk.readDirectory("")
  if (!looked.ok) return refuse("unreadable", looked.error.errno)
  const rules = await readRules(place, { syncDir: directory, disk })
  return rules.ok ? ok({ directory, disk, rules: withDefaults(place, rules.value) }) : rules
}

const WHY: ReadonlyMap<string, "missing" | "not_a_directory"> = new Map([
  ["ENOENT", "missing"],
  ["ENOTDIR", "not_a_directory"],
])

/** What the folder lies in, or has in it, that must not be copied into itself, or never into notes. */
function overlapOf(
  place: Place,
  directory: string,
  { syncDir, remote }: { readonly syncDir: string; readonly remote: Remote | undefined },
): string | undefined {
  const others = [syncDir, ...(remote?.kind === "file" ? [remote.path] : []), place.stateRoot]
  return others.find((other) => overlaps(realPath(directory), realPath(other)))
}

/** A setup gives the default patterns to a user who has none; here they are in force before they are written. */
function withDefaults(place: Place, rules: IgnoreRules): ImportSource["rules"] {
  if (readIfThere(join(place.stateRoot, ".bmignore")) !== undefined) return rules
  const defaults = compileIgnore({ global: DEFAULT_BMIGNORE, projects: new Map() })
  return {
    ignoresDirectory: (path) => defaults.ignoresDirectory(path) || rules.ignoresDirectory(path),
    ignoresFile: (path) => defaults.ignoresFile(path) || rules.ignoresFile(path),
  }
}
