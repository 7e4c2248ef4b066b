/**
 * Reaches directories below a root without following a symbolic link on the way: rule 4 of the containment
 * guarantee. The idea is that of `openat`: each directory is opened from the handle of the one above, so
 * a directory that is swapped for a link meanwhile is either the old directory or refused, never followed.
 *
 * Node has no `openat`; on Linux `/proc/self/fd/N/name` is the same thing. Where that does not exist each
 * component is looked at before use, which leaves a gap of microseconds. Keeps no handle between calls.
 */

import {
  closeSync,
  constants,
  existsSync,
  fstatSync,
  lstatSync,
  mkdirSync,
  openSync,
  readlinkSync,
  realpathSync,
  statSync,
} from "node:fs"
import { errnoOf, failure, failureFrom } from "./attempt.ts"
import { segmentsOf } from "./segments.ts"

/** Of Linux on every machine that Node runs on; not among Node's constants. Needs no right to read the directory. */
const O_PATH = 0o10000000
const HANDLES = "/proc/self/fd"
const DIRECTORY_FLAGS = O_PATH | constants.O_DIRECTORY | constants.O_NOFOLLOW

export interface Root {
  readonly directory: string
  readonly deviceNumber: number
  /** Handles close the gap between looking and using; paths are for systems without `/proc`. */
  readonly reachesBy: "handles" | "paths"
}

/** A directory that was reached: `${at}/${name}` is safe to use until `close`. */
export interface Reached {
  readonly at: string
  close(): void
}

/** Throws the system's error when there is no such directory. The root itself may be reached through links. */
export function openRoot(rootDirectory: string, reachesBy: Root["reachesBy"] | undefined): Root {
  const directory = realpathSync(rootDirectory)
  const stat = statSync(directory)
  if (!stat.isDirectory()) throw failure("ENOTDIR", rootDirectory)
  return {
    directory,
    deviceNumber: stat.dev,
    reachesBy: reachesBy ?? (existsSync(HANDLES) ? "handles" : "paths"),
  }
}

/** Calls `use` with a directory below the root. With `makes`, directories that are missing are created. */
export function withDirectory<T>(
  root: Root,
  where: { readonly path: string; readonly makes?: boolean },
  use: (at: string) => T,
): T {
  const reached = reachDirectory(root, {
    path: where.path,
    segments: segmentsOf(where.path),
    makes: where.makes === true,
  })
  try {
    return use(reached.at)
  } finally {
    reached.close()
  }
}

/**
 * As `withDirectory`, for looking at many names: `usual` is the same directory by its usual path, which the system
 * resolves in half the time. Where both were not the same at the end, `use` is called once more with the safe path
 * alone. Look only, and only at names that were listed through `at`: a swap in between shows another file's stat,
 * which no later reading or precondition will confirm, but never hides a name or reaches a byte.
 */
export function withUsualPath<T>(
  root: Root,
  path: string,
  use: (paths: { readonly at: string; readonly usual: string }) => T,
): T {
  return withDirectory(root, { path }, (at) => {
    if (root.reachesBy === "paths") return use({ at, usual: at })
    const usual = path === "" ? root.directory : `${root.directory}/${path}`
    const seen = use({ at, usual })
    return readlinkSync(at) === usual ? seen : use({ at, usual: at })
  })
}

/** Calls `use` with the system's path of a name whose parent was reached. The root has no name: `EINVAL`. */
export function withName<T>(root: Root, path: string, use: (systemPath: string) => T): T {
  const reached = reachParent(root, path)
  try {
    return use(reached.systemPath)
  } finally {
    reached.close()
  }
}

/** As `withName`, for callers that wait in between; they must call `close`. */
export function reachParent(root: Root, path: string): { readonly systemPath: string; close(): void } {
  const segments = segmentsOf(path)
  const name = segments.at(-1)
  if (name === undefined) throw failure("EINVAL", path)
  const reached = reachDirectory(root, { path, segments: segments.slice(0, -1), makes: false })
  return { systemPath: `${reached.at}/${name}`, close: reached.close }
}

interface Walk {
  /** What errors name. */
  readonly path: string
  readonly segments: readonly string[]
  readonly makes: boolean
}

function reachDirectory(root: Root, walk: Walk): Reached {
  try {
    return root.reachesBy === "handles" ? reachByHandles(root, walk) : reachByPaths(root, walk)
  } catch (error) {
    throw failureFrom(error, walk.path)
  }
}

function reachByHandles(root: Root, walk: Walk): Reached {
  return reachAtOnce(root, walk) ?? reachByComponents(root, walk)
}

/**
 * Opens the whole path in one step and asks the system which directory that is. Its answer has no links in it, so if
 * it is the path that was meant, no link was followed. Anything else is walked, to say what is wrong.
 */
function reachAtOnce(root: Root, { segments }: Walk): Reached | undefined {
  const meant = segments.length === 0 ? root.directory : `${root.directory}/${segments.join("/")}`
  const handle = openOrNothing(meant)
  if (handle === undefined) return undefined
  if (readlinkSync(`${HANDLES}/${handle}`) === meant && fstatSync(handle).dev === root.deviceNumber) {
    return { at: `${HANDLES}/${handle}`, close: () => closeSync(handle) }
  }
  closeSync(handle)
  return undefined
}

function openOrNothing(directory: string): number | undefined {
  try {
    return openSync(directory, DIRECTORY_FLAGS)
  } catch {
    return undefined
  }
}

function reachByComponents(root: Root, walk: Walk): Reached {
  let handle = openRootHandle(root, walk)
  try {
    for (const name of walk.segments) {
      const next = openComponent(`${HANDLES}/${handle}/${name}`, walk)
      const last = handle
      handle = next
      closeSync(last)
    }
  } catch (error) {
    closeSync(handle)
    throw error
  }
  return { at: `${HANDLES}/${handle}`, close: () => closeSync(handle) }
}

function openRootHandle(root: Root, walk: Walk): number {
  const handle = orStale(walk, () => openSync(root.directory, DIRECTORY_FLAGS))
  if (fstatSync(handle).dev === root.deviceNumber) return handle
  closeSync(handle)
  throw failure("ESTALE", walk.path)
}

/** Linux says `ENOTDIR` of a link that was not to be followed; it is told apart so that nobody takes it for a file. */
function openComponent(systemPath: string, walk: Walk): number {
  try {
    return openSync(systemPath, DIRECTORY_FLAGS)
  } catch (error) {
    const errno = errnoOf(error)
    if (errno === "ENOTDIR" && isLink(systemPath)) throw failure("ELOOP", walk.path)
    if (errno !== "ENOENT" || !walk.makes) throw error
  }
  makeOne(systemPath)
  return openComponent(systemPath, { ...walk, makes: false })
}

function reachByPaths(root: Root, walk: Walk): Reached {
  let at = root.directory
  if (orStale(walk, () => statSync(at).dev) !== root.deviceNumber) throw failure("ESTALE", walk.path)
  for (const name of walk.segments) {
    at = `${at}/${name}`
    if (walk.makes && lstatSync(at, { throwIfNoEntry: false }) === undefined) makeOne(at)
    const stat = lstatSync(at)
    if (!stat.isDirectory()) throw failure(stat.isSymbolicLink() ? "ELOOP" : "ENOTDIR", walk.path)
  }
  return { at, close: () => {} }
}

/**
 * A root that is gone, or whose disk was unmounted, must never read as a root with nothing in it: every
 * operation fails, also `stat`. Only the device is compared, for network disks renumber their directories.
 */
function orStale<T>(walk: Walk, open: () => T): T {
  try {
    return open()
  } catch (error) {
    const errno = errnoOf(error)
    if (errno === "ENOENT" || errno === "ENOTDIR") throw failure("ESTALE", walk.path)
    throw error
  }
}

export function isLink(systemPath: string): boolean {
  return lstatSync(systemPath, { throwIfNoEntry: false })?.isSymbolicLink() === true
}

function makeOne(systemPath: string): void {
  try {
    mkdirSync(systemPath)
  } catch (error) {
    // Somebody else made it; what it is will be judged by opening it.
    if (errnoOf(error) !== "EEXIST") throw error
  }
}
