/**
 * The real disk: `Disk` over Node's file system, below one root directory.
 *
 * Every method reaches its directory through `contained-path.ts` and then makes one call on the last name; no
 * handle outlives its call. Calls are synchronous inside, which for small files is several times faster than
 * the thread pool; only what really waits (making durable, large files) is asynchronous.
 */

import { closeSync, constants, fsync, linkSync, openSync, renameSync, rmdirSync, unlinkSync } from "node:fs"
import { promisify } from "node:util"
import { err, ok, type Result } from "../model/result.ts"
import { attempt, errnoOf, failure, failureFrom } from "./attempt.ts"
import {
  isLink,
  openRoot,
  reachParent,
  type Root,
  withDirectory,
  withName,
  withUsualPath,
} from "./contained-path.ts"
import { type FileContent, throwingOn } from "./content.ts"
import { createNewFile, type NewFile } from "./create-file.ts"
import {
  type Disk,
  type DiskError,
  DiskFailure,
  type DirectoryEntry,
  type DiskStat,
  type FileRead,
} from "./disk.ts"
import { entriesOf, statOfName } from "./node-stat.ts"
import { openRegularFile, readPieces, readWhole } from "./read-file.ts"

/** Directories that are made durable at once; each holds a handle open. */
const DIRECTORY_SYNCS_MAX = 64
const fsyncAsync = promisify(fsync)

export interface NodeDiskOptions {
  /** Chosen by the system; `paths` is for tests of what happens where there is no `/proc`. */
  readonly reachesBy?: Root["reachesBy"]
}

/**
 * Opens a directory as a disk. The root may be reached through symbolic links; nothing below it may.
 *
 * Errors: `ENOENT`, `ENOTDIR`, … of the root. Later, `ESTALE` from every method when the root is gone or
 * another file system is there, so that an unmounted disk never reads as an empty one.
 */
export function openNodeDisk(rootDirectory: string, options: NodeDiskOptions = {}): Result<Disk, DiskError> {
  try {
    return ok(new NodeDisk(openRoot(rootDirectory, options.reachesBy)))
  } catch (error) {
    const failed = failureFrom(error, rootDirectory)
    if (failed instanceof DiskFailure) return err(failed.diskError)
    throw failed
  }
}

class NodeDisk implements Disk {
  readonly #root: Root

  constructor(root: Root) {
    this.#root = root
  }

  async readDirectory(path: string): Promise<Result<readonly DirectoryEntry[], DiskError>> {
    return attempt(path, () => withUsualPath(this.#root, path, entriesOf))
  }

  async stat(path: string): Promise<Result<DiskStat | undefined, DiskError>> {
    return attempt(path, () => statWithin(this.#root, path))
  }

  async readFile(path: string): Promise<Result<FileRead, DiskError>> {
    return attempt(path, () => withName(this.#root, path, (at) => readWhole(at, path)))
  }

  async *streamFile(path: string): ReturnType<Disk["streamFile"]> {
    try {
      return yield* readPieces(withName(this.#root, path, (at) => openRegularFile(at, path)))
    } catch (error) {
      throw failureFrom(error, path)
    }
  }

  async createFile(
    path: string,
    content: FileContent,
    options: NonNullable<Parameters<Disk["createFile"]>[2]> = {},
  ): Promise<Result<DiskStat, DiskError>> {
    const { mtimeMs, isDurable = true, permissions } = options
    return throwingOn(
      attempt(path, () => createWithin(this.#root, { path, content, mtimeMs, isDurable, permissions })),
    )
  }

  async link(from: string, to: string): Promise<Result<void, DiskError>> {
    return attempt(to, () =>
      betweenNames(this.#root, { from, to }, (source, target) => {
        // Linux would link the link itself, macOS what it points to.
        if (isLink(source)) throw failure("ELOOP", from)
        linkSync(source, target)
      }),
    )
  }

  async rename(from: string, to: string): Promise<Result<void, DiskError>> {
    return attempt(to, () => betweenNames(this.#root, { from, to }, renameSync))
  }

  async unlink(path: string): Promise<Result<void, DiskError>> {
    return attempt(path, () => withName(this.#root, path, unlinkSync))
  }

  async makeDirectory(path: string): Promise<Result<void, DiskError>> {
    return attempt(path, () => withDirectory(this.#root, { path, makes: true }, () => {}))
  }

  async removeDirectory(path: string): Promise<Result<void, DiskError>> {
    return attempt(path, () => withName(this.#root, path, (at) => removeWithin(at, path)))
  }

  async syncDirectories(paths: Iterable<string>): Promise<Result<void, DiskError>> {
    const left = [...new Set(paths)]
    let failed: Result<void, DiskError> | undefined
    while (left.length > 0) {
      const batch = left.splice(0, DIRECTORY_SYNCS_MAX)
      const synced = await Promise.all(batch.map((path) => attempt(path, () => syncWithin(this.#root, path))))
      failed ??= synced.find((result) => !result.ok)
    }
    return failed ?? ok(undefined)
  }
}

function statWithin(root: Root, path: string): DiskStat | undefined {
  try {
    if (path === "") return withDirectory(root, { path }, (at) => statOfName(`${at}/.`))
    return withName(root, path, statOfName)
  } catch (error) {
    const errno = errnoOf(error)
    if (errno === "ENOENT" || errno === "ENOTDIR") return undefined
    throw error
  }
}

/** The parent stays reached until the file is whole, so that a failed one is removed from where it was made. */
async function createWithin(root: Root, file: NewFile): Promise<DiskStat> {
  const reached = reachParent(root, file.path)
  try {
    return await createNewFile(reached.systemPath, file)
  } finally {
    reached.close()
  }
}

/** Both parents exist once they are reached, so what is absent then is the source. */
function betweenNames(
  root: Root,
  names: { readonly from: string; readonly to: string },
  use: (source: string, target: string) => void,
): void {
  withName(root, names.from, (source) =>
    withName(root, names.to, (target) => {
      try {
        use(source, target)
      } catch (error) {
        throw failureFrom(error, errnoOf(error) === "ENOENT" ? names.from : names.to)
      }
    }),
  )
}

function removeWithin(systemPath: string, path: string): void {
  try {
    rmdirSync(systemPath)
  } catch (error) {
    throw errnoOf(error) === "ENOTDIR" && isLink(systemPath) ? failure("ELOOP", path) : error
  }
}

async function syncWithin(root: Root, path: string): Promise<void> {
  // A handle that only reaches cannot be made durable; this one reads.
  const handle = withDirectory(root, { path }, (at) =>
    openSync(`${at}/.`, constants.O_RDONLY | constants.O_DIRECTORY),
  )
  try {
    await fsyncAsync(handle)
  } catch (error) {
    const errno = errnoOf(error)
    // Some file systems have nothing to make durable in a directory.
    if (errno !== "EINVAL" && errno !== "ENOTSUP") throw error
  } finally {
    closeSync(handle)
  }
}
