/**
 * The trash of a folder: replaced files that wait until no editor can still be writing to them.
 *
 * Only the device that put a file aside settles it. Others see that its name is not gone, and may give it back when
 * the device has not come back for ten minutes.
 */

import type { Version } from "../model/entry.ts"
import type { Trouble } from "../model/errors.ts"
import type { DeviceId, OpId, Sha256 } from "../model/ids.ts"
import { mustPath, parentOf, parsePath, type RelativePath } from "../model/path.ts"
import type { AsideFound, Backend } from "../model/ports.ts"
import { err, ok, type Result } from "../model/result.ts"
import type { Disk, DiskStat } from "../disk/disk.ts"
import { prune, putBack } from "../disk/guarded.ts"
import { RETIRED_SUFFIX, TEMP_DIRECTORY, TRASH_DIRECTORY, trashPath } from "../disk/layout.ts"
import { readVersion } from "../disk/read-version.ts"
import { troubleOf } from "../disk/trouble.ts"
import { tokenOf, versionOf } from "../disk/walk.ts"

export interface FolderDeps {
  readonly disk: Disk
  readonly device: DeviceId
  readonly sha256: Sha256
  readonly nowMs: () => number
  /** Others fill it: what it may not hold is reported. */
  readonly isRemote?: boolean
}

type AsideMethods = Pick<Backend, "asides" | "retireAside" | "dropAside" | "restoreAside" | "readAside">

const FOREIGN_ASIDE_AGE_MS = 10 * 60 * 1000

export function tmpdirOf(device: DeviceId): string {
  return `${TEMP_DIRECTORY}/${device}`
}

export function folderAsides(deps: FolderDeps): AsideMethods {
  const { disk, device } = deps
  const retired = (op: OpId) => trashPath(device, op) + RETIRED_SUFFIX
  return {
    async asides() {
      const rescued = await rescueForeignAsides(deps)
      if (!rescued.ok) return rescued
      const found = await findAsides(disk, device)
      return found.ok
        ? ok(
            found.value.map(({ op, path, stat, isRetired }) => ({
              op,
              path,
              token: tokenOf(stat),
              changedMs: Number(BigInt(stat.ctimeNs) / 1_000_000n),
              isRetired,
            })),
          )
        : found
    },
    async retireAside(op) {
      await disk.rename(trashPath(device, op), retired(op))
    },
    async dropAside({ op, path, token }) {
      const file = `${retired(op)}/${path}`
      const at = await disk.stat(file)
      if (!at.ok) return err(troubleOf(at.error))
      if (at.value === undefined) return ok("gone")
      if (tokenOf(at.value) !== token) return ok("changed")
      const dropped = await disk.unlink(file)
      if (!dropped.ok) return err(troubleOf(dropped.error))
      await prune(disk, parentOf(file))
      return ok("dropped")
    },
    async restoreAside({ op, path }) {
      await disk.rename(retired(op), trashPath(device, op))
      return putBack(deps, op, path)
    },
    async readAside({ op, path }) {
      for (const directory of [retired(op), trashPath(device, op)]) {
        const file = `${directory}/${path}`
        const at = await disk.stat(file)
        if (!at.ok) return err(troubleOf(at.error))
        if (at.value?.kind === "file") return readVersion(deps, file, versionOf(at.value) satisfies Version)
      }
      return err({ code: "not_found", path })
    },
  }
}

interface FoundAside extends Omit<AsideFound, "token" | "changedMs"> {
  readonly stat: DiskStat
}

/** Paths named by an operation of any device that has not been finished. */
export async function pendingAsidePaths(disk: Disk): Promise<Result<readonly RelativePath[], Trouble>> {
  const devices = await listDirectory(disk, TRASH_DIRECTORY)
  if (!devices.ok) return devices
  const paths: RelativePath[] = []
  for (const device of devices.value) {
    const found = await findAsides(disk, device as DeviceId, { pendingOnly: true })
    if (!found.ok) return found
    for (const { path } of found.value) paths.push(path)
  }
  return ok(paths)
}

/** True while an unfinished operation of another device holds the file of this path. */
export async function isReplacedByOther(
  { disk, device }: FolderDeps,
  path: RelativePath,
): Promise<Result<boolean, Trouble>> {
  const devices = await listDirectory(disk, TRASH_DIRECTORY)
  if (!devices.ok) return devices
  for (const other of devices.value) {
    if (other === device) continue
    const ops = await listDirectory(disk, `${TRASH_DIRECTORY}/${other}`)
    if (!ops.ok) return ops
    for (const op of ops.value) {
      if (op.endsWith(RETIRED_SUFFIX)) continue
      const at = await disk.stat(`${TRASH_DIRECTORY}/${other}/${op}/${path}`)
      if (!at.ok) return err(troubleOf(at.error))
      if (at.value?.kind === "file") return ok(true)
    }
  }
  return ok(false)
}

async function rescueForeignAsides({ disk, device, nowMs }: FolderDeps): Promise<Result<void, Trouble>> {
  const devices = await listDirectory(disk, TRASH_DIRECTORY)
  if (!devices.ok) return devices
  for (const other of devices.value as readonly DeviceId[]) {
    if (other === device) continue
    const found = await findAsides(disk, other, { pendingOnly: true })
    if (!found.ok) return found
    for (const { op, path, stat } of found.value) {
      const isOld = nowMs() - Number(BigInt(stat.ctimeNs) / 1_000_000n) > FOREIGN_ASIDE_AGE_MS
      if (!isOld) continue
      // `link` fails where the name is taken, so nothing is replaced; the owner still finds its aside.
      const made = await disk.makeDirectory(parentOf(path))
      if (made.ok) await disk.link(`${trashPath(other, op)}/${path}`, path)
    }
  }
  return ok(undefined)
}

async function findAsides(
  disk: Disk,
  device: DeviceId,
  options: { readonly pendingOnly?: boolean } = {},
): Promise<Result<readonly FoundAside[], Trouble>> {
  const ops = await listDirectory(disk, `${TRASH_DIRECTORY}/${device}`)
  if (!ops.ok) return ops
  const found: FoundAside[] = []
  for (const name of ops.value) {
    const isRetired = name.endsWith(RETIRED_SUFFIX)
    if (isRetired && options.pendingOnly === true) continue
    const op = (isRetired ? name.slice(0, -RETIRED_SUFFIX.length) : name) as OpId
    const files = await filesBelow(disk, `${TRASH_DIRECTORY}/${device}/${name}`, "")
    if (!files.ok) return files
    for (const { path, stat } of files.value) found.push({ op, path, stat, isRetired })
  }
  return ok(found)
}

async function filesBelow(
  disk: Disk,
  root: string,
  path: string,
): Promise<Result<readonly { readonly path: RelativePath; readonly stat: DiskStat }[], Trouble>> {
  const entries = await disk.readDirectory(path === "" ? root : `${root}/${path}`)
  if (!entries.ok) return entries.error.errno === "ENOENT" ? ok([]) : err(troubleOf(entries.error))
  const files: { readonly path: RelativePath; readonly stat: DiskStat }[] = []
  for (const { name, stat } of entries.value) {
    const at = path === "" ? name : `${path}/${name}`
    if (stat?.kind === "file" && parsePath(at).ok) files.push({ path: mustPath(at), stat })
    if (stat?.kind !== "directory") continue
    const below = await filesBelow(disk, root, at)
    if (!below.ok) return below
    files.push(...below.value)
  }
  return ok(files)
}

async function listDirectory(disk: Disk, path: string): Promise<Result<readonly string[], Trouble>> {
  const entries = await disk.readDirectory(path)
  if (entries.ok) return ok(entries.value.map(({ name }) => name))
  return entries.error.errno === "ENOENT" || entries.error.errno === "ENOTDIR"
    ? ok([])
    : err(troubleOf(entries.error))
}
