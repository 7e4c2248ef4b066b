/**
 * Looks at both sides: lists them, and unless both listings are the ones that last needed nothing, observes what is
 * different. Only reads.
 */

import type { Listing, Unknown } from "../model/entry.ts"
import type { SyncError, Trouble } from "../model/errors.ts"
import type { EventBody, UnionReason } from "../model/event.ts"
import type { RunId } from "../model/ids.ts"
import type { RelativePath } from "../model/path.ts"
import type { Tombstone } from "../model/ports.ts"
import { err, ok, type Result } from "../model/result.ts"
import { SIDES, type Side } from "../model/side.ts"
import type { State } from "../model/state.ts"
import { observe, type Observed, racyWindowOf } from "../observe/observe.ts"
import { resolveContents } from "../observe/resolve.ts"
import type { Ledger } from "./ledger.ts"
import type { World } from "./world.ts"

export type Listings = { readonly [S in Side]: Listing }

export async function listSides(
  world: World,
  options: {
    readonly shards?: readonly string[] | undefined
    /** Done with what is here while the remote, which may be far away, is still being listed. */
    readonly meanwhile?: (local: Listing) => Promise<unknown>
  } = {},
): Promise<Result<Listings, SyncError>> {
  const { shards, meanwhile } = options
  const ignoresDirectory = world.rules.ignoresDirectory
  const listLocal = async () => {
    const listed = await world.sides.local.list({ ignoresDirectory })
    if (listed.ok) await meanwhile?.(listed.value)
    return listed
  }
  const [local, remote] = await Promise.all([
    listLocal(),
    world.sides.remote.list({ ignoresDirectory, ...(shards !== undefined && { shards }) }),
  ])
  if (!local.ok) return err({ code: "side_unreadable", side: "local", trouble: local.error })
  if (!remote.ok) return err({ code: "side_unreadable", side: "remote", trouble: remote.error })
  return ok({ local: local.value, remote: remote.value })
}

/**
 * True if a run would surely find nothing to do: both listings and the settings are those for which there was nothing.
 * A plan is a pure function of these, and no file is so young that it may have changed unseen.
 */
export function isSettled(state: State, listings: Listings, settings: string): boolean {
  const { settled, unfinishedRun, openUndo } = state.root
  if (
    settled === undefined ||
    unfinishedRun !== undefined ||
    openUndo !== undefined ||
    state.intents.size > 0
  )
    return false
  if (settled.settings !== settings) return false
  return SIDES.every((side) => isAsSettled(state, side, listings[side]))
}

/** One side is as it was when there was nothing to do. */
export function isAsSettled({ root }: State, side: Side, { newestMs, digest }: Listing): boolean {
  const before = root.listed[side]
  const isOld = before !== undefined && newestMs < before.sampledMs - racyWindowOf(newestMs)
  return isOld && root.settled?.[side] === digest
}

export interface Look {
  /** What to journal: observations and unions. */
  readonly bodies: readonly EventBody[]
  /** Absent where only some paths were looked at. */
  readonly listings?: Listings
  readonly mounts: { readonly [S in Side]: readonly string[] }
  readonly unknowns: { readonly [S in Side]: readonly Unknown[] }
  /** Deletes under way in the remote. */
  readonly tombstones: readonly Tombstone[]
  /** The state once `bodies` are journaled. */
  readonly state: State
}

/** What was seen here while the remote was still being listed. */
export interface Ahead {
  readonly listing: Listing
  readonly paths: State["paths"]
  readonly acceptsMounts: boolean
  readonly observed: Result<Observed, Trouble>
}

/** Looks at what is new here ahead of everything else; nothing where nothing is. */
export async function lookAhead(
  world: World,
  ledger: Ledger,
  at: { readonly listing: Listing; readonly acceptsMounts: boolean },
): Promise<Ahead | undefined> {
  const { listing } = at
  if (isAsSettled(ledger.state(), "local", listing)) return undefined
  const loaded = await ledger.load()
  // Why it cannot be read is said by whoever needs it.
  if (!loaded.ok) return undefined
  const { paths } = loaded.value
  return { ...at, paths, observed: await observeSide(world, loaded.value, { ...at, side: "local" }) }
}

export async function look(
  world: World,
  ledger: Ledger,
  options: {
    readonly listings: Listings
    readonly ahead: Ahead | undefined
    readonly first: readonly EventBody[]
    readonly unions: readonly UnionReason[]
    readonly run: RunId
  },
): Promise<Result<Look, SyncError>> {
  const { listings, unions, run } = options
  const before = ledger.state()
  const acceptsMounts = unions.length > 0
  const observeIn = (side: Side) =>
    observeSide(world, before, { side, listing: listings[side], acceptsMounts })
  const { ahead } = options
  const isStill =
    ahead?.listing === listings.local && ahead.paths === before.paths && ahead.acceptsMounts === acceptsMounts
  const local = isStill ? ahead.observed : await observeIn("local")
  const remote = await observeIn("remote")
  if (!local.ok) return err({ code: "side_unreadable", side: "local", trouble: local.error })
  if (!remote.ok) return err({ code: "side_unreadable", side: "remote", trouble: remote.error })
  const observed = { local: local.value, remote: remote.value }
  // A union comes before what made it necessary is remembered: whoever dies in between finds the one or neither.
  const started = unions.map((reason): EventBody => ({ type: "union.started", reason, scope: "all" }))
  const seen = [...started, ...options.first, ...observed.local.bodies, ...observed.remote.bodies]
  const sight = ledger.imagine(seen, run)
  const resolved = await resolveContents({ sides: world.sides, paths: sight.paths })
  const known = [...seen, ...resolved.bodies]
  const state = resolved.bodies.length === 0 ? sight : ledger.imagine(known, run)
  const scope = newlyIgnored(state, world)
  const frozen: readonly EventBody[] =
    scope.length === 0 ? [] : [{ type: "union.started", reason: "ignored", scope }]
  const bodies = [...known, ...frozen]
  return ok({
    bodies,
    listings,
    tombstones: observed.remote.tombstones,
    mounts: { local: observed.local.mounts, remote: observed.remote.mounts },
    unknowns: {
      local: [...observed.local.unknowns, ...resolved.unknowns.local],
      remote: [...observed.remote.unknowns, ...resolved.unknowns.remote],
    },
    state: frozen.length === 0 ? state : ledger.imagine(bodies, run),
  })
}

function observeSide(
  { sides, rules }: World,
  { paths, root }: State,
  at: { readonly side: Side; readonly listing: Listing; readonly acceptsMounts: boolean },
): Promise<Result<Observed, Trouble>> {
  return observe({ ...at, backend: sides[at.side], paths, listedBefore: root.listed[at.side], rules })
}

/** A path that becomes ignored is frozen: when it no longer is, its old base justifies no deletion. */
function newlyIgnored(state: State, { rules }: World): readonly RelativePath[] {
  const frozen: RelativePath[] = []
  for (const [path, { base }] of state.paths) {
    if (base !== undefined && !base.isHint && rules.ignoresFile(path)) frozen.push(path)
  }
  return frozen
}

export function listedBodies(
  { listings, mounts }: Pick<Look, "listings" | "mounts">,
  settles: string | undefined,
): readonly EventBody[] {
  if (listings === undefined) return []
  return SIDES.map((side): EventBody => {
    const { digest, count, sampledMs, shards } = listings[side]
    const listed = {
      type: "side.listed",
      side,
      complete: true,
      count,
      digest,
      sampledMs,
      mounts: mounts[side],
      ...(shards !== undefined && { shards }),
    } as const
    return side === "remote" && settles !== undefined ? { ...listed, settles } : listed
  })
}
