/**
 * Turns a listing into observations: what is new or different on a side, and what is gone. It reads, never writes.
 *
 * A recorded hash is used again only for exactly the same version token, and only if the file cannot have changed
 * within one tick of the clock since it was last looked at. Gone is only what a complete listing does not show at a
 * place that could be seen.
 */

import type { Listing, Unknown, UnknownReason, Version } from "../model/entry.ts"
import type { EventBody } from "../model/event.ts"
import { comparePaths, isReserved, type RelativePath } from "../model/path.ts"
import type { Backend, Tombstone } from "../model/ports.ts"
import type { Trouble } from "../model/errors.ts"
import { ok, type Result } from "../model/result.ts"
import type { Side } from "../model/side.ts"
import type { ListedSide, PathState } from "../model/state.ts"
import { timeInToken } from "../model/time-token.ts"
import { indexUnknowns } from "../model/unknowns.ts"
import type { IgnoreRules } from "./ignore.ts"

/** File systems and clocks that tick coarsely: what changed this shortly before a look may change again unseen. */
const RACY_WINDOW_MS = 50
const RACY_WINDOW_COARSE_MS = 2_500
const READS_AT_ONCE = 32

export interface ObserveInput {
  readonly side: Side
  readonly backend: Backend
  readonly listing: Listing
  readonly paths: ReadonlyMap<RelativePath, PathState>
  /** The listing before, whose looks are trusted. */
  readonly listedBefore: ListedSide | undefined
  readonly rules: IgnoreRules
  /** A union accepts the mount points as they are now. */
  readonly acceptsMounts: boolean
}

export type SightBody = Extract<EventBody, { type: "observed" | "gone" }>

export interface Observed {
  /** In byte order of paths. */
  readonly bodies: readonly SightBody[]
  /** Deletes under way where a note was. */
  readonly tombstones: readonly Tombstone[]
  readonly unknowns: readonly Unknown[]
  /** Mount points to remember. */
  readonly mounts: readonly string[]
}

export async function observe(input: ObserveInput): Promise<Result<Observed, Trouble>> {
  const { side, backend, listing, paths, rules } = input
  const unknowns: Unknown[] = [...listing.unknowns]
  const tombstones = await tombstonesIn(input)
  if (!tombstones.ok) return tombstones
  for (const { path } of tombstones.value) unknowns.push({ path, reason: "aside", scope: "path" })
  const mounts = settleMounts(input, unknowns)
  const hidden = indexUnknowns(unknowns)
  const seen = new Set<RelativePath>()
  const toRead: {
    readonly path: RelativePath
    readonly version: Version
    readonly before: Version | undefined
  }[] = []
  const bodies: SightBody[] = []
  const besides = backend.capabilities.hasFileBesideDirectory ? filesThatAreDirectories(listing) : undefined
  for (const { path, version } of listing.files) {
    const reason = refusal(path, { rules, besides })
    if (reason !== undefined) unknowns.push({ path, reason, scope: "path" })
    if (reason !== undefined || hidden.covering(path) !== undefined) continue
    seen.add(path)
    const before = paths.get(path)?.[side]
    if (before?.hash !== undefined && before.token === version.token && isSurelyUnchanged(version, input))
      continue
    if (backend.capabilities.readsAreCheap) toRead.push({ path, version, before })
    else if (before?.token !== version.token || before.hash !== undefined)
      bodies.push({ type: "observed", side, path, version })
  }
  await readAll(toRead, async ({ path, version, before }) => {
    const read = await backend.read(path, version)
    if (!read.ok) {
      seen.delete(path)
      unknowns.push({
        path,
        reason: read.error.code === "changed_since" ? "unstable" : "unreadable",
        scope: "path",
      })
    } else if (before?.token !== version.token || before.hash !== read.value.hash) {
      bodies.push({ type: "observed", side, path, version: { ...version, hash: read.value.hash } })
    }
  })
  const gone = goneBodies({ side, paths, seen, unknowns })
  return ok({ bodies: inOrder([...bodies, ...gone]), tombstones: tombstones.value, unknowns, mounts })
}

/** Only a version that the journal does not know can be one. */
async function tombstonesIn({
  side,
  backend,
  listing,
  paths,
}: ObserveInput): Promise<Result<readonly Tombstone[], Trouble>> {
  if (backend.tombstones === undefined) return ok([])
  const news = listing.files.filter(({ path, version }) => paths.get(path)?.[side]?.token !== version.token)
  return backend.tombstones.find(news)
}

function refusal(
  path: RelativePath,
  { rules, besides }: { readonly rules: IgnoreRules; readonly besides: ReadonlySet<string> | undefined },
): UnknownReason | undefined {
  if (isReserved(path)) return "reserved"
  if (rules.ignoresFile(path)) return "ignored"
  return besides?.has(path) === true ? "file_and_directory" : undefined
}

/** Row 20: a key `p` beside keys below `p/` cannot both be here. */
function filesThatAreDirectories({ files }: Listing): ReadonlySet<string> {
  const names = new Set<string>(files.map(({ path }) => path))
  const both = new Set<string>()
  for (const { path } of files) {
    for (let slash = path.indexOf("/"); slash >= 0; slash = path.indexOf("/", slash + 1)) {
      const directory = path.slice(0, slash)
      if (names.has(directory)) both.add(directory)
    }
  }
  return both
}

/** True unless the file may have been written again in the same tick as when it was last looked at. */
function isSurelyUnchanged(version: Version, { backend, listedBefore }: ObserveInput): boolean {
  const isFolder = backend.capabilities.kind === "folder"
  const newestMs = isFolder ? newestTimeMs(version) : timeInToken(version.token)
  if (newestMs === undefined) return true
  const windowMs = isFolder ? racyWindowMs(version) : racyWindowOf(newestMs)
  return listedBefore !== undefined && newestMs < listedBefore.sampledMs - windowMs
}

/** Times of a folder's token: `inode:size:mtimeNs:ctimeNs`. */
function newestTimeMs({ token }: Version): number {
  const [, , mtimeNs, ctimeNs] = token.split(":")
  return Math.max(Number(mtimeNs), Number(ctimeNs)) / 1e6
}

/** For a whole listing, of which only the newest time is known. */
export function racyWindowOf(newestMs: number): number {
  return newestMs % 1000 === 0 ? RACY_WINDOW_COARSE_MS : RACY_WINDOW_MS
}

function racyWindowMs({ token }: Version): number {
  return /000000000(?::|$)/.test(token) ? RACY_WINDOW_COARSE_MS : RACY_WINDOW_MS
}

/** Where a name that we cannot read may be this one, it is not seen either; whoever decides knows that from the unknowns. */
function goneBodies(at: {
  readonly side: Side
  readonly paths: ReadonlyMap<RelativePath, PathState>
  readonly seen: ReadonlySet<RelativePath>
  readonly unknowns: readonly Unknown[]
}): readonly SightBody[] {
  const hidden = indexUnknowns(at.unknowns)
  const gone: SightBody[] = []
  for (const [path, state] of at.paths) {
    if (state[at.side] === undefined || at.seen.has(path)) continue
    if (hidden.covering(path) !== undefined) continue
    gone.push({ type: "gone", side: at.side, path })
  }
  return gone
}

/**
 * A directory that was a mount point and is none now, or the reverse, is unknown as long as something is known below
 * it: a disk that is not there is not a deletion. It is remembered as it was until a union accepts it.
 */
function settleMounts(
  { listing, listedBefore, paths, acceptsMounts }: ObserveInput,
  unknowns: Unknown[],
): readonly string[] {
  const before = new Set(listedBefore?.mounts ?? listing.mounts)
  const now = new Set(listing.mounts)
  const changed = [...new Set([...before, ...now])].filter((path) => before.has(path) !== now.has(path))
  if (changed.length === 0 || acceptsMounts) return listing.mounts
  const kept = new Set(now)
  for (const path of changed) {
    if (!hasBaseBelow(paths, path)) continue
    unknowns.push({ path, reason: "mount_changed", scope: "subtree" })
    if (before.has(path)) kept.add(path)
    else kept.delete(path)
  }
  return [...kept].sort()
}

function hasBaseBelow(paths: ReadonlyMap<RelativePath, PathState>, directory: string): boolean {
  for (const [path, { base }] of paths)
    if (base !== undefined && path.startsWith(`${directory}/`)) return true
  return false
}

export function inOrder(bodies: readonly SightBody[]): readonly SightBody[] {
  return [...bodies].sort((a, b) => comparePaths(a.path, b.path))
}

export async function readAll<T>(items: readonly T[], read: (item: T) => Promise<void>): Promise<void> {
  let next = 0
  const lane = async () => {
    for (let item = items[next++]; item !== undefined; item = items[next++]) await read(item)
  }
  await Promise.all(Array.from({ length: Math.min(READS_AT_ONCE, items.length) }, lane))
}
