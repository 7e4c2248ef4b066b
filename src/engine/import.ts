/**
 * Brings the projects of another folder into the sync directory before its first sync: what people kept on a WebDAV mount.
 *
 * Copies and never replaces; the folder itself is only read. What is not a project, cannot be read or is there with other
 * bytes is named, so that nobody takes the folder for done with while something is left in it.
 */

import type { Disk } from "../disk/disk.ts"
import { troubleOf } from "../disk/trouble.ts"
import { walk } from "../disk/walk.ts"
import type { ListedFile, Listing } from "../model/entry.ts"
import type { SyncError } from "../model/errors.ts"
import type { DeviceId } from "../model/ids.ts"
import { ancestorsOf, comparePaths, isReserved, parentOf } from "../model/path.ts"
import { err, ok, type Result } from "../model/result.ts"
import { type Brought, bringFile, type LeftOut } from "./import-file.ts"
import type { ImportSource } from "./import-source.ts"
import { clock } from "./session.ts"
import type { StepResult } from "./setup.ts"

/** Files that are copied at the same time. */
const LANES = 8

export interface ImportTarget {
  /** Absent where a dry run finds no sync directory yet. */
  readonly disk: Disk | undefined
  /** Whose temporary files these are; absent in a dry run, which writes nothing. */
  readonly writer?: DeviceId
}

export interface ImportedProject {
  readonly project: string
  /** Copied, or to be copied. */
  readonly files: number
  readonly sizeBytes: number
  /** There before with the same bytes. */
  readonly already: number
}

export interface ImportReport {
  readonly directory: string
  readonly result: StepResult
  readonly projects: readonly ImportedProject[]
  /** In byte order of paths. */
  readonly left: readonly LeftOut[]
  /** Paths that would not sync either, a whole directory as one. */
  readonly ignored: number
}

/**
 * Copies what is not there, or, without a writer, says what would be copied.
 *
 * Shape: a file takes its name only when it is whole and durable, by a link that fails where the name is taken. Whoever
 * dies in the middle leaves temporary files of the writer, which its next run discards; a second import goes on.
 * Errors: the folder went away; what was copied is not known to be durable. Trouble with a file is part of the report.
 */
export async function importProjects(
  source: ImportSource,
  target: ImportTarget,
): Promise<Result<ImportReport, SyncError>> {
  const listed = await walk(source.disk, {
    ignoresDirectory: (path) => isHidden(path) || source.rules.ignoresDirectory(path),
    nowMs: clock.nowMs,
  })
  const names = listed.ok ? await projectsOf(source) : []
  if (!listed.ok || names === undefined)
    return err({ code: "import_refused", dir: source.directory, why: "unreadable" })
  const { wanted, left, ignored } = sortOut(listed.value, source)
  const brought = await bringAll(source, target, wanted)
  const empty = names.filter(
    (name) =>
      !wanted.some(({ path }) => path.startsWith(`${name}/`)) && !left.some(({ path }) => path === name),
  )
  if (target.disk !== undefined && target.writer !== undefined) {
    for (const name of empty) await target.disk.makeDirectory(name)
    const synced = await target.disk.syncDirectories(namedIn(brought))
    if (!synced.ok)
      return err({ code: "setup_failed", what: "keep what was imported", trouble: troubleOf(synced.error) })
  }
  const hasCopied = brought.some(({ kind }) => kind === "copied")
  return ok({
    directory: source.directory,
    result: !hasCopied ? "already_done" : target.writer === undefined ? "would_create" : "created",
    projects: names.map((project) => totalOf(project, brought)),
    left: [...left, ...brought.flatMap((each) => (each.kind === "left" ? [each.left] : []))].sort((a, b) =>
      comparePaths(a.path, b.path),
    ),
    ignored,
  })
}

/** At the top such names belong to programs: to editors, to git, to us, and in the cloud to the service. */
function isHidden(path: string): boolean {
  return path.startsWith(".")
}

/** Also those without a file. */
async function projectsOf({ disk, rules }: ImportSource): Promise<readonly string[] | undefined> {
  const entries = await disk.readDirectory("")
  if (!entries.ok) return undefined
  return entries.value
    .filter(({ stat, nameBase64 }) => stat?.kind === "directory" && nameBase64 === undefined)
    .map(({ name }) => name)
    .filter((name) => !isHidden(name) && !isReserved(name) && !rules.ignoresDirectory(name))
}

interface Sorted {
  readonly wanted: readonly ListedFile[]
  readonly left: readonly LeftOut[]
  readonly ignored: number
}

function sortOut({ files, unknowns }: Listing, { rules }: ImportSource): Sorted {
  const isOut = (path: string) => isHidden(path) || rules.ignoresFile(path)
  const kept = files.filter(({ path }) => !isOut(path))
  // A name that is not UTF-8 has no path: what is named is the directory that it is in.
  const strange = unknowns.filter(
    ({ path, reason, nameBase64 }) => reason !== "ignored" && (nameBase64 !== undefined || !isOut(path)),
  )
  return {
    wanted: kept.filter(({ path }) => path.includes("/")),
    left: [
      ...kept
        .filter(({ path }) => !path.includes("/"))
        .map(({ path }) => ({ path, why: "no_project" }) as const),
      ...strange.map(({ path, reason }) => ({ path, why: reason })),
    ],
    ignored: files.length - kept.length + unknowns.length - strange.length,
  }
}

async function bringAll(
  source: ImportSource,
  target: ImportTarget,
  wanted: readonly ListedFile[],
): Promise<readonly Brought[]> {
  const brought: Brought[] = []
  for (let at = 0; at < wanted.length; at += LANES) {
    const lanes = wanted.slice(at, at + LANES).map((file) => bringFile({ source: source.disk, target }, file))
    brought.push(...(await Promise.all(lanes)))
  }
  return brought
}

/** Directories with a new name in them; new ones were named in their parents, so those count too. */
function namedIn(brought: readonly Brought[]): ReadonlySet<string> {
  const copied = brought.filter(({ kind }) => kind === "copied")
  return new Set(["", ...copied.flatMap(({ path }) => [parentOf(path), ...ancestorsOf(parentOf(path))])])
}

function totalOf(project: string, brought: readonly Brought[]): ImportedProject {
  const own = brought.filter(({ path }) => path.startsWith(`${project}/`))
  const copied = own.filter((each) => each.kind === "copied")
  return {
    project,
    files: copied.length,
    sizeBytes: copied.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
    already: own.filter(({ kind }) => kind === "already").length,
  }
}
