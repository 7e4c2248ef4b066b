/**
 * Brings one file of another folder into the sync directory, or says why it is left where it is.
 *
 * Never replaces: the whole file is written and made durable under a temporary name, and takes its own by a link, which
 * fails where somebody was faster.
 */

import type { Disk, DiskStat } from "../disk/disk.ts"
import { TEMP_DIRECTORY } from "../disk/layout.ts"
import { hashFile, readVersion } from "../disk/read-version.ts"
import { troubleOf } from "../disk/trouble.ts"
import type { ListedFile, UnknownReason } from "../model/entry.ts"
import type { Trouble } from "../model/errors.ts"
import { ancestorsOf, parentOf } from "../model/path.ts"
import { type Content, ContentLost } from "../model/ports.ts"
import { err, ok, type Result } from "../model/result.ts"
import type { ImportTarget } from "./import.ts"
import { random, sha256 } from "./session.ts"

/** `different`: other bytes are there under this name. `no_project`: a file beside the projects. */
export type LeftOut = { readonly path: string } & (
  | { readonly why: "different" | "no_project" | UnknownReason }
  | { readonly why: "trouble"; readonly trouble: Why }
)

type Why = Pick<Trouble, "code" | "detail">

/** What is to be copied counts as copied in a dry run. */
export type Brought = { readonly path: string } & (
  | { readonly kind: "copied"; readonly sizeBytes: number }
  | { readonly kind: "already" }
  | { readonly kind: "left"; readonly left: LeftOut }
)

interface Disks {
  readonly source: Disk
  readonly target: ImportTarget
}

export async function bringFile({ source, target }: Disks, file: ListedFile): Promise<Brought> {
  const { path } = file
  const copied = { path, kind: "copied", sizeBytes: file.version.sizeBytes } as const
  const { disk, writer } = target
  if (disk === undefined) return copied
  const there = await disk.stat(path)
  if (!there.ok) return leave(troubleOf(there.error), path)
  if (there.value !== undefined) return compare({ source, disk }, file, there.value)
  if (writer === undefined)
    return (await isBlocked(disk, path)) ? leave({ code: "in_the_way" }, path) : copied
  const content = await readVersion({ disk: source, sha256 }, path, file.version)
  if (!content.ok) return leave(content.error, path)
  const temp = `${TEMP_DIRECTORY}/${writer}/${random.hex128()}`
  const made = await writeTemp({ source, disk }, file, { temp, content: content.value })
  if (!made.ok) return leave(made.error, path)
  const placed = await place(disk, temp, path)
  await disk.unlink(temp)
  if (placed.ok) return copied
  if (placed.error.detail !== "EEXIST") return leave(placed.error, path)
  const now = await disk.stat(path)
  return now.ok && now.value !== undefined
    ? compare({ source, disk }, file, now.value)
    : leave({ code: "changed_since" }, path)
}

interface Both {
  readonly source: Disk
  readonly disk: Disk
}

async function compare(
  { source, disk }: Both,
  { path, version }: ListedFile,
  there: DiskStat,
): Promise<Brought> {
  if (there.kind !== "file") return leave({ code: "in_the_way" }, path)
  const different = { path, kind: "left", left: { path, why: "different" } } as const
  if (there.sizeBytes !== version.sizeBytes) return different
  const ours = await hashFile(disk, path, sha256)
  if (!ours.ok) return leave(ours.error, path)
  const theirs = await hashFile(source, path, sha256)
  if (!theirs.ok) return leave(theirs.error, path)
  return ours.value.hash === theirs.value.hash ? { path, kind: "already" } : different
}

/** A file stands where a directory would be needed. */
async function isBlocked(disk: Disk, path: string): Promise<boolean> {
  for (const directory of ancestorsOf(path)) {
    const at = await disk.stat(directory)
    if (!at.ok || at.value !== undefined) return !at.ok || at.value?.kind !== "directory"
  }
  return false
}

async function writeTemp(
  { source, disk }: Both,
  { path, version }: ListedFile,
  { temp, content }: { readonly temp: string; readonly content: Content },
): Promise<Result<void, Trouble>> {
  const parent = await disk.makeDirectory(parentOf(temp))
  if (!parent.ok) return err(troubleOf(parent.error, path))
  const bytes = content.kind === "bytes" ? content.bytes : content.open()
  const options = { mtimeMs: version.mtimeMs, ...(await privacyOf(source, path)) }
  try {
    const created = await disk.createFile(temp, bytes, options)
    if (!created.ok) return err(troubleOf(created.error, path))
    if (created.value.sizeBytes === version.sizeBytes) return ok(undefined)
    await disk.unlink(temp)
    return err({ code: "hash_mismatch", path })
  } catch (error) {
    // A file that could not be finished the disk has removed itself.
    if (!(error instanceof ContentLost)) throw error
    return err(error.trouble)
  }
}

const OTHERS = 0o077
const PRIVATE = 0o600

/** What only its owner may read stays so. Other permissions are the user's default here: a mount makes its own up. */
async function privacyOf(source: Disk, path: string): Promise<{ readonly permissions?: number }> {
  const at = await source.stat(path)
  const permissions = at.ok ? at.value?.permissions : undefined
  return permissions !== undefined && (permissions & OTHERS) === 0 ? { permissions: PRIVATE } : {}
}

async function place(disk: Disk, temp: string, path: string): Promise<Result<void, Trouble>> {
  const made = await disk.makeDirectory(parentOf(path))
  if (!made.ok) return err(troubleOf(made.error, path))
  const linked = await disk.link(temp, path)
  return linked.ok ? linked : err(troubleOf(linked.error, path))
}

function leave({ code, detail }: Why, path: string): Brought {
  const trouble = { code, ...(detail !== undefined && { detail }) }
  return { path, kind: "left", left: { path, why: "trouble", trouble } }
}
