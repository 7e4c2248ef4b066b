/**
 * A folder as a side: the local sync directory, or a `file:` remote (a folder, a network share, a USB disk).
 *
 * Foreign programs write here too, so every change is a guarded one (`disk/guarded.ts`). Nothing is promised to be
 * durable before `flush`, which makes directories durable first and only then takes the temporary names away.
 */

import { tmpdirOf, type FolderDeps } from "./folder-asides.ts"
import type { Operation, Step } from "../model/action.ts"
import type { Listing, Unknown, Version } from "../model/entry.ts"
import type { Trouble } from "../model/errors.ts"
import type { OpId } from "../model/ids.ts"
import { ancestorsOf, parentOf, type RelativePath } from "../model/path.ts"
import { ContentLost, type Backend, type Capabilities, type Content } from "../model/ports.ts"
import { err, ok, type Result } from "../model/result.ts"
import type { Disk } from "../disk/disk.ts"
import { appendEpochFile, createEpochFiles, readEpochFiles } from "../disk/epoch-files.ts"
import { applyGuarded, settleGuarded } from "../disk/guarded.ts"
import { tempPath, trashPath } from "../disk/layout.ts"
import { readVersion } from "../disk/read-version.ts"
import { troubleOf } from "../disk/trouble.ts"
import { versionOf, walk } from "../disk/walk.ts"
import { folderAsides, isReplacedByOther, pendingAsidePaths } from "./folder-asides.ts"

const CAPABILITIES: Capabilities = {
  kind: "folder",
  guard: "guarded_rename",
  hasFileBesideDirectory: false,
  readsAreCheap: true,
  canMove: true,
  keepsTimes: true,
  foldsCase: false,
  lanes: 16,
}

type WriteStep = Extract<Step, { kind: "write" }>

export function folderBackend(deps: FolderDeps): Backend {
  const { disk, device } = deps
  const applied = new Map<OpId, Operation>()
  let hasTemp = false
  return {
    capabilities: CAPABILITIES,
    list: ({ ignoresDirectory }) => listFolder(deps, ignoresDirectory),
    async look(path) {
      const at = await disk.stat(path)
      if (!at.ok) return err(troubleOf(at.error))
      if (at.value?.kind === "file") return ok(versionOf(at.value))
      return lookAgain(deps, path)
    },
    read: (path, version) => readVersion(deps, path, version),
    async stage({ op, step }, content) {
      if (step.kind === "remove") return ok({ op })
      if (step.kind === "move")
        return ok(step.expected.fileId === undefined ? { op } : { op, fileId: step.expected.fileId })
      if (content === undefined) return err({ code: "io", path: step.path, detail: "no content" })
      if (!hasTemp) {
        const made = await disk.makeDirectory(tmpdirOf(device))
        if (!made.ok) return err(troubleOf(made.error, step.path))
        hasTemp = true
      }
      const created = await createTemp(deps, { op, step, content })
      return created.ok ? ok({ op, fileId: created.value }) : created
    },
    async apply(operation) {
      const result = await applyGuarded(deps, operation)
      if (!result.ok) return result
      if (result.value.kind === "applied") applied.set(operation.op, operation)
      else await disk.unlink(tempPath(device, operation.op))
      return result
    },
    async unstage({ op, step }) {
      if (step.kind === "write") await disk.unlink(tempPath(device, op))
    },
    async discardStaged() {
      const entries = await disk.readDirectory(tmpdirOf(device))
      if (entries.ok) for (const { name } of entries.value) await disk.unlink(`${tmpdirOf(device)}/${name}`)
    },
    async flush() {
      const operations = [...applied.values()]
      applied.clear()
      return flushFolder(deps, operations)
    },
    settle: (operation, mark) => settleGuarded(deps, operation, mark),
    ...folderAsides(deps),
    readEpoch: (known) => readEpochFiles(disk, known),
    createEpoch: (id) => createEpochFiles(disk, id),
    appendEpoch: (pair) => appendEpochFile(disk, pair),
  }
}

/** Nothing is at the path; but another device may be about to put something there. */
async function lookAgain(
  deps: FolderDeps,
  path: RelativePath,
): Promise<Result<Version | undefined, Trouble>> {
  const pending = await isReplacedByOther(deps, path)
  if (!pending.ok) return pending
  if (pending.value) return err({ code: "changed_since", path })
  const at = await deps.disk.stat(path)
  if (!at.ok) return err(troubleOf(at.error))
  return ok(at.value?.kind === "file" ? versionOf(at.value) : undefined)
}

async function listFolder(
  deps: FolderDeps,
  ignoresDirectory: (path: string) => boolean,
): Promise<Result<Listing, Trouble>> {
  const listed = await walk(deps.disk, {
    ignoresDirectory,
    nowMs: deps.nowMs,
    reportsGit: deps.isRemote === true,
  })
  if (!listed.ok) return listed
  const pending = await pendingAsidePaths(deps.disk)
  if (!pending.ok) return pending
  if (pending.value.length === 0) return listed
  // A name whose file is just being replaced by some device is not gone.
  const present = new Set<string>(listed.value.files.map(({ path }) => path))
  const unknowns: Unknown[] = pending.value
    .filter((path) => !present.has(path))
    .map((path) => ({ path, reason: "aside", scope: "path" }))
  return ok({
    ...listed.value,
    unknowns: [...listed.value.unknowns, ...unknowns],
    digest: deps.sha256([listed.value.digest, ...pending.value].join("\0")),
  })
}

async function createTemp(
  { disk, device }: FolderDeps,
  { op, step, content }: { readonly op: OpId; readonly step: WriteStep; readonly content: Content },
): Promise<Result<string, Trouble>> {
  const bytes = content.kind === "bytes" ? content.bytes : content.open()
  const options = { mtimeMs: step.mtimeMs, ...(await permissionsToKeep(disk, step)) }
  try {
    const created = await disk.createFile(tempPath(device, op), bytes, options)
    if (!created.ok) return err(troubleOf(created.error, step.path))
    const { inode, sizeBytes } = created.value
    if (sizeBytes === (content.kind === "bytes" ? content.bytes.length : content.sizeBytes)) return ok(inode)
    await disk.unlink(tempPath(device, op))
    return err({ code: "hash_mismatch", path: step.path })
  } catch (error) {
    if (!(error instanceof ContentLost)) throw error
    await disk.unlink(tempPath(device, op))
    return err(error.trouble)
  }
}

/** A private note stays private when its content is replaced. */
async function permissionsToKeep(disk: Disk, step: WriteStep): Promise<{ readonly permissions?: number }> {
  if (step.expected.kind === "absent") return {}
  const at = await disk.stat(step.path)
  const permissions = at.ok ? at.value?.permissions : undefined
  return permissions === undefined ? {} : { permissions }
}

async function flushFolder(
  deps: FolderDeps,
  operations: readonly Operation[],
): Promise<Result<ReadonlyMap<OpId, Version>, Trouble>> {
  const { disk, device } = deps
  const versions = new Map<OpId, Version>()
  const synced = await syncExisting(disk, await existingDirectories(deps, operations))
  if (!synced.ok) return synced
  for (const { op, step } of operations) {
    if (step.kind === "remove") continue
    if (step.kind === "write") await disk.unlink(tempPath(device, op))
    const at = await disk.stat(step.kind === "move" ? step.to : step.path)
    if (!at.ok) return err(troubleOf(at.error))
    if (at.value?.kind === "file") versions.set(op, versionOf(at.value))
  }
  return ok(versions)
}

/** A directory that a user took away meanwhile, or put a link in its place, has no names of ours to make durable. */
async function syncExisting(disk: Disk, directories: ReadonlySet<string>): Promise<Result<void, Trouble>> {
  const together = await disk.syncDirectories(directories)
  if (together.ok) return together
  for (const directory of directories) {
    const synced = await disk.syncDirectories([directory])
    if (!synced.ok && !GONE.has(synced.error.errno)) return err(troubleOf(synced.error))
  }
  return ok(undefined)
}

const GONE: ReadonlySet<string> = new Set(["ENOENT", "ENOTDIR", "ELOOP"])

/** Directories whose names changed; new ones were named in their parents, so those count too. */
async function existingDirectories(
  { disk, device }: FolderDeps,
  operations: readonly Operation[],
): Promise<ReadonlySet<string>> {
  const touched = new Set<string>()
  for (const { op, step } of operations) {
    for (const path of step.kind === "move" ? [step.path, step.to] : [step.path]) {
      touched.add(parentOf(path))
      if (step.kind !== "remove") for (const directory of ancestorsOf(parentOf(path))) touched.add(directory)
    }
    if (step.kind !== "write" || step.expected.kind === "version") touched.add(trashPath(device, op))
  }
  const existing = new Set<string>([""])
  for (const directory of touched) {
    const at = await disk.stat(directory)
    if (at.ok && at.value?.kind === "directory") existing.add(directory)
  }
  return existing
}
