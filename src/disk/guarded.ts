/**
 * Changes files in a way that cannot lose what somebody else writes at the same moment.
 *
 * Foreign programs write here too and take no locks, so "check, then rename over it" loses their save. Instead the
 * target is renamed aside, what was really moved is verified, and the new file is linked in, which fails if a file
 * has appeared meanwhile. At every instant each version is at its path, in `trash/`, or in the history store.
 *
 *     stage:  write tmp, fsync       apply:  target → trash ── verify ─┬─ same:  link(tmp, target) ─┬─ done
 *                                                                     │                            └─ EEXIST: somebody saved; changed
 *                                                                     └─ other: link it back; changed
 */

import type { Operation, Step } from "../model/action.ts"
import type { Version } from "../model/entry.ts"
import type { Trouble } from "../model/errors.ts"
import type { StagedMark } from "../model/event.ts"
import type { ContentHash, DeviceId, OpId, Sha256 } from "../model/ids.ts"
import { conflictName, joinPath, mustPath, nameOf, parentOf, type RelativePath } from "../model/path.ts"
import type { Applied, Settled } from "../model/ports.ts"
import { err, ok, type Result } from "../model/result.ts"
import type { Disk, DiskStat } from "./disk.ts"
import { asidePath, RETIRED_SUFFIX, tempPath, trashPath } from "./layout.ts"
import { hashFile } from "./read-version.ts"
import { troubleOf } from "./trouble.ts"
import { isSameFile, tokenOf } from "./walk.ts"

export interface Guarded {
  readonly disk: Disk
  readonly device: DeviceId
  readonly sha256: Sha256
  readonly nowMs: () => number
}

type Attempt<T> = Promise<Result<T, Trouble>>
type WriteStep = Extract<Step, { kind: "write" }>
type RemoveStep = Extract<Step, { kind: "remove" }>
type MoveStep = Extract<Step, { kind: "move" }>

/** A directory that another action empties and removes may vanish between creating it and linking into it. */
const PLACE_ATTEMPTS_MAX = 3
const COPY_NAMES_MAX = 1000

export async function applyGuarded(guarded: Guarded, { op, step }: Operation): Attempt<Applied> {
  switch (step.kind) {
    case "write":
      return step.expected.kind === "absent"
        ? placeNew(guarded, op, step)
        : replace(guarded, op, step, step.expected.version)
    case "remove":
      return remove(guarded, op, step)
    case "move":
      return move(guarded, op, step)
  }
}

async function placeNew({ disk, device }: Guarded, op: OpId, step: WriteStep): Attempt<Applied> {
  await removeEmptyDirectories(disk, step.path)
  const placed = await place(disk, tempPath(device, op), step.path)
  if (placed.ok) return ok({ kind: "applied" })
  return placed.error.detail === "EEXIST" ? ok({ kind: "changed" }) : placed
}

async function replace(guarded: Guarded, op: OpId, step: WriteStep, expected: Version): Attempt<Applied> {
  const { disk, device } = guarded
  const aside = await moveAside(guarded, op, step.path, expected)
  if (!aside.ok) return aside
  if (aside.value === "changed") return ok({ kind: "changed" })
  const placed = await place(disk, tempPath(device, op), step.path)
  if (placed.ok) return ok({ kind: "applied", aside: aside.value })
  // Somebody saved between our rename and our link: theirs stays, and what we moved is kept in the history store.
  const isTaken = placed.error.detail === "EEXIST"
  const back = await returnAside(guarded, op, step.path)
  if (!back.ok) return back
  return isTaken ? ok({ kind: "changed" }) : placed
}

async function remove(guarded: Guarded, op: OpId, step: RemoveStep): Attempt<Applied> {
  const aside = await moveAside(guarded, op, step.path, step.expected)
  if (!aside.ok) return aside
  if (aside.value === "changed") return ok({ kind: "changed" })
  await prune(guarded.disk, parentOf(step.path))
  return ok({ kind: "applied", aside: aside.value })
}

async function move(guarded: Guarded, op: OpId, step: MoveStep): Attempt<Applied> {
  const { disk } = guarded
  const before = await disk.stat(step.path)
  if (!before.ok) return err(troubleOf(before.error))
  if (before.value === undefined || tokenOf(before.value) !== step.expected.token)
    return ok({ kind: "changed" })
  await removeEmptyDirectories(disk, step.to)
  const linked = await place(disk, step.path, step.to)
  if (!linked.ok)
    return linked.error.detail === "EEXIST" || linked.error.code === "not_found"
      ? ok({ kind: "changed" })
      : linked
  return finishMove(guarded, op, step)
}

/** Both names are there; takes the old one away unless it has become another file. */
async function finishMove({ disk, device }: Guarded, op: OpId, step: MoveStep): Attempt<Applied> {
  const aside = asidePath(device, op, step.path)
  const moved = await renameAside(disk, step.path, aside)
  if (!moved.ok) return moved.error.code === "not_found" ? ok({ kind: "applied" }) : moved
  const [old, renamed] = [await disk.stat(aside), await disk.stat(step.to)]
  const isOurs = old.ok && renamed.ok && old.value !== undefined && old.value.inode === renamed.value?.inode
  if (!isOurs) {
    const back = await putBack({ disk, device }, op, step.path)
    return back.ok ? ok({ kind: "applied" }) : back
  }
  const dropped = await disk.unlink(aside)
  if (!dropped.ok) return err(troubleOf(dropped.error, step.path))
  await prune(disk, parentOf(aside))
  await prune(disk, parentOf(step.path))
  return ok({ kind: "applied" })
}

/** Renames the file aside and verifies, byte by byte, that it is the version that was expected. */
async function moveAside(
  guarded: Guarded,
  op: OpId,
  path: RelativePath,
  expected: Version,
): Attempt<"changed" | { readonly token: string; readonly atMs: number }> {
  const { disk, device, sha256, nowMs } = guarded
  const before = await disk.stat(path)
  if (!before.ok) return err(troubleOf(before.error))
  if (before.value?.kind !== "file" || tokenOf(before.value) !== expected.token) return ok("changed")
  const aside = asidePath(device, op, path)
  const moved = await renameAside(disk, path, aside)
  if (!moved.ok) return moved.error.code === "not_found" ? ok("changed") : moved
  const found = await hashFile(disk, aside, sha256)
  if (found.ok && isExpected(found.value, expected))
    return ok({ token: tokenOf(found.value.stat), atMs: Math.floor(nowMs()) })
  const back = await putBack(guarded, op, path)
  return back.ok ? ok("changed") : back
}

function isExpected(
  found: { readonly hash: ContentHash; readonly stat: DiskStat },
  { token, hash }: Version,
): boolean {
  return isSameFile(found.stat, token) && (hash === undefined || found.hash === hash)
}

async function renameAside(disk: Disk, path: RelativePath, aside: string): Attempt<void> {
  const made = await disk.makeDirectory(parentOf(aside))
  if (!made.ok) return err(troubleOf(made.error, path))
  const moved = await disk.rename(path, aside)
  return moved.ok ? moved : err(troubleOf(moved.error, path))
}

/** Creates the parents and links the file in; `EEXIST` where something already has the name. */
async function place(disk: Disk, from: string, path: RelativePath): Attempt<void> {
  for (let attempt = 1; ; attempt++) {
    const made = await disk.makeDirectory(parentOf(path))
    if (!made.ok && made.error.errno !== "ENOENT") return err(troubleOf(made.error, path))
    const linked = await disk.link(from, path)
    if (linked.ok) return linked
    if (linked.error.errno !== "ENOENT" || attempt === PLACE_ATTEMPTS_MAX)
      return err(troubleOf(linked.error, path))
  }
}

/** Gives an aside its name back, or a conflict name where the name is taken. Answers where it is now. */
export async function putBack(
  { disk, device }: Pick<Guarded, "disk" | "device">,
  op: OpId,
  path: RelativePath,
): Attempt<RelativePath | undefined> {
  const aside = asidePath(device, op, path)
  let wanted = path
  for (let number = 0; number <= COPY_NAMES_MAX; number++) {
    const name = number === 0 ? wanted : conflictName(wanted, number)
    const linked = await giveBack(disk, aside, name)
    if (linked.ok) {
      await prune(disk, parentOf(aside))
      return ok(name)
    }
    if (linked.error.detail === "EEXIST" && (await isOneFile(disk, aside, name))) {
      // An earlier life linked it and died before it took the other name away.
      await disk.unlink(aside)
      await prune(disk, parentOf(aside))
      return ok(name)
    }
    if (linked.error.code === "not_found") return ok(undefined)
    // A directory of this path has become a file: the copy goes beside it.
    if (linked.error.code === "in_the_way" && parentOf(wanted) !== "")
      wanted = mustPath(joinPath(parentOf(parentOf(wanted)), nameOf(wanted)))
    else if (linked.error.detail !== "EEXIST") return linked
  }
  return err({ code: "in_the_way", path })
}

/** Gives what was renamed aside a name that nothing has; `EEXIST` where something has it. */
async function giveBack(disk: Disk, aside: string, path: RelativePath): Attempt<void> {
  const at = await disk.stat(aside)
  if (!at.ok) return err(troubleOf(at.error, path))
  if (at.value?.kind === "directory") return giveDirectoryBack(disk, aside, path)
  const linked = await place(disk, aside, path)
  if (!linked.ok) return isWithoutLinks(linked.error) ? giveBackByName(disk, aside, path) : linked
  const dropped = await disk.unlink(aside)
  return dropped.ok ? dropped : err(troubleOf(dropped.error, path))
}

function isWithoutLinks({ detail }: Trouble): boolean {
  return (
    detail === "EPERM" ||
    detail === "ENOTSUP" ||
    detail === "EOPNOTSUPP" ||
    detail === "ENOSYS" ||
    detail === "EMLINK"
  )
}

/** Where the disk cannot link, a look and a rename are the best there is; setup refuses such disks, this one changed since. */
async function giveBackByName(disk: Disk, aside: string, path: RelativePath): Attempt<void> {
  const at = await disk.stat(path)
  if (!at.ok) return err(troubleOf(at.error, path))
  if (at.value !== undefined) return err({ code: "in_the_way", path, detail: "EEXIST" })
  const moved = await disk.rename(aside, path)
  return moved.ok ? moved : err(troubleOf(moved.error, path))
}

/** The file had become a directory just before the rename. A directory replaces nothing but an empty one. */
async function giveDirectoryBack(disk: Disk, aside: string, path: RelativePath): Attempt<void> {
  const made = await disk.makeDirectory(parentOf(path))
  if (!made.ok) return err(troubleOf(made.error, path))
  const moved = await disk.rename(aside, path)
  if (moved.ok) return moved
  const isTaken = moved.error.errno === "ENOTDIR" || moved.error.errno === "ENOTEMPTY"
  return err(troubleOf(isTaken ? { ...moved.error, errno: "EEXIST" } : moved.error, path))
}

async function isOneFile(disk: Disk, one: string, other: string): Promise<boolean> {
  const [a, b] = [await disk.stat(one), await disk.stat(other)]
  return a.ok && b.ok && a.value !== undefined && a.value.inode === b.value?.inode
}

/** Looks what an interrupted operation did; finishes what both names show, puts back what is only half done. */
export async function settleGuarded(
  guarded: Guarded,
  { op, step }: Operation,
  mark: StagedMark,
): Attempt<Settled> {
  const { disk, device } = guarded
  const goal = step.kind === "move" ? step.to : step.path
  const at = await disk.stat(goal)
  if (!at.ok) return err(troubleOf(at.error))
  const isThere = mark.fileId !== undefined && at.value?.inode === mark.fileId
  if (step.kind === "move" && isThere) {
    const source = await disk.stat(step.path)
    if (!source.ok) return err(troubleOf(source.error))
    if (source.value?.inode === mark.fileId) await finishMove(guarded, op, step)
    else await dropOldName(guarded, op, step)
    return ok({ kind: "applied" })
  }
  const aside = await disk.stat(asidePath(device, op, step.path))
  if (!aside.ok) return err(troubleOf(aside.error))
  if (step.kind === "write" && isThere) {
    await disk.unlink(tempPath(device, op))
    const token =
      step.expected.kind === "absent"
        ? undefined
        : await asideToken(guarded, op, step.path, step.expected.version)
    return ok({
      kind: "applied",
      ...(token !== undefined && { aside: { token, atMs: Math.floor(guarded.nowMs()) } }),
    })
  }
  if (step.kind === "remove" && aside.value !== undefined && at.value === undefined) {
    const token = await asideToken(guarded, op, step.path, step.expected)
    if (token !== undefined) {
      await prune(disk, parentOf(step.path))
      return ok({ kind: "applied", aside: { token, atMs: Math.floor(guarded.nowMs()) } })
    }
  }
  if (aside.value !== undefined) {
    const back = await returnAside(guarded, op, step.path)
    if (!back.ok) return back
  }
  if (step.kind === "write") await disk.unlink(tempPath(device, op))
  return ok({ kind: "not_applied" })
}

/** Only of the version that was replaced. What an editor has written into since is nobody's to drop. */
async function asideToken(
  { disk, device, sha256 }: Guarded,
  op: OpId,
  path: RelativePath,
  expected: Version,
): Promise<string | undefined> {
  const found = await hashFile(disk, asidePath(device, op, path), sha256)
  return found.ok && isExpected(found.value, expected) ? tokenOf(found.value.stat) : undefined
}

/** The move had come as far as to rename its old name aside; another file that was caught gets its name back. */
async function dropOldName({ disk, device }: Guarded, op: OpId, step: MoveStep): Promise<void> {
  const aside = asidePath(device, op, step.path)
  const at = await disk.stat(aside)
  if (!at.ok) return
  if (at.value !== undefined && !(await isOneFile(disk, aside, step.to))) {
    await putBack({ disk, device }, op, step.path)
    return
  }
  if (at.value !== undefined) await disk.unlink(aside)
  await prune(disk, parentOf(aside))
  await prune(disk, parentOf(step.path))
}

/** An aside of an interrupted operation goes back; where a user has saved since, its bytes are in the history store. */
async function returnAside({ disk, device }: Guarded, op: OpId, path: RelativePath): Attempt<void> {
  const linked = await giveBack(disk, asidePath(device, op, path), path)
  const isTaken = !linked.ok && (linked.error.detail === "EEXIST" || linked.error.code === "in_the_way")
  // An earlier life may have linked it and died before it took the other name away.
  if (isTaken && !(await isOneFile(disk, asidePath(device, op, path), path))) {
    await disk.rename(trashPath(device, op), trashPath(device, op) + RETIRED_SUFFIX)
    return ok(undefined)
  }
  if (!linked.ok && !isTaken) return linked
  if (!linked.ok) await disk.unlink(asidePath(device, op, path))
  await prune(disk, parentOf(asidePath(device, op, path)))
  return ok(undefined)
}

/** Removes the directory if it is empty, and then its parents likewise; an earlier life may have begun with it. */
export async function prune(disk: Disk, directory: string): Promise<void> {
  for (let at = directory; at !== ""; at = parentOf(at)) {
    const removed = await disk.removeDirectory(at)
    if (!removed.ok && removed.error.errno !== "ENOENT") return
  }
}

/** A file may land where only empty directories are. */
async function removeEmptyDirectories(disk: Disk, path: string): Promise<void> {
  const at: Result<DiskStat | undefined, unknown> = await disk.stat(path)
  if (!at.ok || at.value?.kind !== "directory") return
  const entries = await disk.readDirectory(path)
  if (!entries.ok) return
  for (const entry of entries.value) {
    if (entry.stat?.kind !== "directory") return
    await removeEmptyDirectories(disk, `${path}/${entry.name}`)
  }
  await disk.removeDirectory(path)
}
