/**
 * `check`: reads every file on both sides again, whatever their times say, and compares it with what was recorded.
 *
 * It writes nothing: neither on a side nor in the journal. It holds the journal, so that no run changes what it reads.
 */

import type { ListedFile, Version } from "../model/entry.ts"
import type { SyncError, Trouble } from "../model/errors.ts"
import type { ContentHash } from "../model/ids.ts"
import { comparePaths, isBelow, isReserved, parsePath, type RelativePath } from "../model/path.ts"
import { type Backend, type Content, ContentLost } from "../model/ports.ts"
import { err, ok, type Result } from "../model/result.ts"
import { SIDES, type Side } from "../model/side.ts"
import type { PathState, State } from "../model/state.ts"
import { indexUnknowns, type UnknownIndex } from "../model/unknowns.ts"
import { type Opened, open, requireConfig } from "./bisync.ts"
import { type Finding, type Held, judgePath } from "./check-judge.ts"
import type { Config, Place } from "./config.ts"
import { journalError } from "./ledger.ts"
import { type Listings, listSides } from "./look.ts"
import { recognise } from "./recognise.ts"
import type { Holder } from "./session.ts"
import { isWithin } from "./undo.ts"
import type { World } from "./world.ts"

export interface CheckOptions {
  readonly holder: Holder
  readonly onWait?: () => void
  readonly paths: readonly string[]
  readonly project?: string
  /** Only what is here: that it is in the cloud, with the same bytes. */
  readonly isOneWay: boolean
}

export interface CheckReport {
  readonly config: Config
  readonly compared: number
  readonly identical: number
  /** In byte order of paths. */
  readonly findings: readonly Finding[]
  /** Folder of the remote, where it is one. */
  readonly remoteFolder?: string
}

const CHECK_WAIT_MS = 10_000

export async function check(place: Place, options: CheckOptions): Promise<Result<CheckReport, SyncError>> {
  const config = requireConfig(place)
  if (!config.ok) return config
  const { holder, onWait } = options
  const waiting = {
    holder,
    probing: "never",
    waitMs: CHECK_WAIT_MS,
    ...(onWait !== undefined && { onWait }),
  } as const
  const opening = await open(place, config.value, waiting)
  if (!opening.ok) return opening
  const { opened } = opening.value
  try {
    return await checkOpened(opened, options)
  } finally {
    await opened.close()
  }
}

async function checkOpened(opened: Opened, options: CheckOptions): Promise<Result<CheckReport, SyncError>> {
  const { world, session, config, remote } = opened
  const names = { root: config.syncDir, remote: config.remote }
  // An empty folder in place of the remote is not a thousand missing files.
  const recognised = await recognise(world, session.ledger, names)
  if (!recognised.ok) return recognised
  const loaded = await session.ledger.load()
  if (!loaded.ok) return err(journalError(loaded.error))
  const listings = await listSides(world)
  if (!listings.ok) return listings
  const sights = {
    local: sightsOf(world, listings.value, "local"),
    remote: sightsOf(world, listings.value, "remote"),
  }
  const inScope = scopeOf(options, { state: loaded.value, sights })
  if (!inScope.ok) return inScope
  const held = {
    local: await readSide(world, "local", sights.local, inScope.value),
    remote: await readSide(world, "remote", sights.remote, inScope.value),
  }
  const all = new Set([...loaded.value.paths.keys(), ...held.local.keys(), ...held.remote.keys()])
  const paths = [...all].filter((path) => inScope.value(path) && !world.rules.ignoresFile(path))
  const checked = paths.filter((path) => !options.isOneWay || held.local.has(path)).sort(comparePaths)
  const judged = judgeAll(checked, { state: loaded.value, sights, held })
  const at = remote.remote
  return ok({ config, ...judged, ...(at.kind === "file" && { remoteFolder: at.path }) })
}

type Holdings = ReadonlyMap<RelativePath, Held>

interface Sights {
  readonly files: ReadonlyMap<RelativePath, ListedFile>
  readonly hidden: UnknownIndex
}

function sightsOf(world: World, listings: Listings, side: Side): Sights {
  const { files, unknowns } = listings[side]
  const notes = files.filter(({ path }) => !isReserved(path) && !world.rules.ignoresFile(path))
  return { files: new Map(notes.map((file) => [file.path, file])), hidden: indexUnknowns(unknowns) }
}

function scopeOf(
  options: CheckOptions,
  seen: { readonly state: State; readonly sights: { readonly [S in Side]: Sights } },
): Result<(path: string) => boolean, SyncError> {
  const { paths, project } = options
  const known = [
    ...seen.state.paths.keys(),
    ...seen.sights.local.files.keys(),
    ...seen.sights.remote.files.keys(),
  ]
  const wanted: string[] = []
  for (const text of paths) {
    const parsed = parsePath(text.replace(/^(\.\/)+/, "").replace(/\/+$/, ""))
    const isAll = text === "." || text === "./"
    if (!isAll && (!parsed.ok || !known.some((path) => isWithin(path, [parsed.value]))))
      return err({ code: "not_found", what: "path", name: text })
    if (isAll) return scopeOf({ ...options, paths: [] }, seen)
    if (parsed.ok) wanted.push(parsed.value)
  }
  if (project !== undefined && (project.includes("/") || !known.some((path) => isBelow(path, project))))
    return err({ code: "not_found", what: "project", name: project })
  return ok(
    (path) =>
      (wanted.length === 0 || isWithin(path, wanted)) && (project === undefined || isBelow(path, project)),
  )
}

const READS_AT_ONCE = 16

async function readSide(
  world: World,
  side: Side,
  { files }: Sights,
  inScope: (path: string) => boolean,
): Promise<Holdings> {
  const held = new Map<RelativePath, Held>()
  const todo = [...files.values()].filter(({ path }) => inScope(path))
  let next = 0
  const lane = async () => {
    for (let file = todo[next++]; file !== undefined; file = todo[next++])
      held.set(file.path, await readFile(world, side, file))
  }
  await Promise.all(Array.from({ length: Math.min(READS_AT_ONCE, todo.length) }, lane))
  return held
}

/** A file that is saved just now is looked at once more, as what it has become. */
async function readFile(world: World, side: Side, { path, version }: ListedFile): Promise<Held> {
  const backend = world.sides[side]
  const read = await readHash(backend, path, version)
  if (read.ok) return { kind: "file", version, hash: read.value }
  if (read.error.code !== "changed_since") return { kind: "unreadable", detail: read.error.code }
  const again = await backend.look(path)
  if (!again.ok) return { kind: "unreadable", detail: again.error.code }
  if (again.value === undefined) return { kind: "absent" }
  const reread = await readHash(backend, path, again.value)
  return reread.ok
    ? { kind: "file", version: again.value, hash: reread.value }
    : { kind: "unreadable", detail: reread.error.code }
}

/**
 * The hash of the bytes that arrive. What is read in one piece, or from a folder, was hashed for this very read; a large
 * object comes with the hash that was recorded of it, and only its stream tells whether that still holds.
 */
async function readHash(
  backend: Backend,
  path: RelativePath,
  version: Version,
): Promise<Result<ContentHash, Trouble>> {
  const { hash: _, ...unknown } = version
  const read = await backend.read(path, unknown)
  if (!read.ok) return read
  if (read.value.kind === "bytes" || backend.capabilities.readsAreCheap) return ok(read.value.hash)
  const lost = await drain(read.value)
  if (lost === undefined) return ok(read.value.hash)
  if (lost.code !== "hash_mismatch") return err(lost)
  // What was recorded beside the object is not believed a second time: its bytes are hashed first.
  const again = await backend.read(path, unknown)
  if (!again.ok) return again
  return again.value.hash === read.value.hash ? err(lost) : ok(again.value.hash)
}

/** Takes a stream to its end, which it delivers only where all of it is what its hash says. */
async function drain(content: Extract<Content, { kind: "stream" }>): Promise<Trouble | undefined> {
  const pieces = content.open()[Symbol.asyncIterator]()
  try {
    while ((await pieces.next()).done !== true);
    return undefined
  } catch (error) {
    if (error instanceof ContentLost) return error.trouble
    throw error
  }
}

function judgeAll(
  paths: readonly RelativePath[],
  at: {
    readonly state: State
    readonly sights: { readonly [S in Side]: Sights }
    readonly held: { readonly [S in Side]: Holdings }
  },
): Pick<CheckReport, "compared" | "identical" | "findings"> {
  const { state, sights, held } = at
  const newHashes = {
    local: newContents(state, held.local, "local"),
    remote: newContents(state, held.remote, "remote"),
  }
  const findings: Finding[] = []
  let [compared, identical] = [0, 0]
  for (const path of paths) {
    const known: PathState = state.paths.get(path) ?? {}
    const now = {
      local: heldAt(path, sights.local, held.local),
      remote: heldAt(path, sights.remote, held.remote),
    }
    const isHidden = SIDES.some((side) => now[side].kind === "hidden")
    const isRenamed = (side: Side) => known.base !== undefined && newHashes[side].has(known.base.hash)
    const found = judgePath({ path, state: known, held: now, isRenamed })
    if (!isHidden) compared += 1
    if (!isHidden && found.length === 0) identical += 1
    findings.push(...found, ...unreadable(path, sights, now))
  }
  return { compared, identical, findings }
}

function heldAt(path: RelativePath, { hidden }: Sights, held: Holdings): Held {
  const isHidden =
    hidden.covering(path) !== undefined || (!held.has(path) && hidden.hidingAbsence(path) !== undefined)
  return isHidden ? { kind: "hidden" } : (held.get(path) ?? { kind: "absent" })
}

/** A recorded path that cannot be looked at is not known to be whole. */
function unreadable(
  path: RelativePath,
  sights: { readonly [S in Side]: Sights },
  now: { readonly [S in Side]: Held },
): readonly Finding[] {
  return SIDES.flatMap((side): readonly Finding[] => {
    const { hidden } = sights[side]
    const reason = (hidden.covering(path) ?? hidden.hidingAbsence(path))?.reason
    const isTrouble = reason === "unreadable" || reason === "unstable"
    return now[side].kind === "hidden" && isTrouble
      ? [{ kind: "unreadable", side, path, detail: reason }]
      : []
  })
}

/** Content at names that no sync has seen: what is gone elsewhere on that side may have moved there. */
function newContents(state: State, held: Holdings, side: Side): ReadonlySet<ContentHash> {
  const hashes = new Set<ContentHash>()
  for (const [path, now] of held)
    if (
      now.kind === "file" &&
      state.paths.get(path)?.base === undefined &&
      state.paths.get(path)?.[side] === undefined
    )
      hashes.add(now.hash)
  return hashes
}
