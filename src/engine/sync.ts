/**
 * Decides a sync: reconciles what was seen, plans it, and holds it back where the brake says so.
 */

import type { Action } from "../model/action.ts"
import type { SyncError } from "../model/errors.ts"
import type { EventBody } from "../model/event.ts"
import { shortId, type ConflictId, type ContentHash } from "../model/ids.ts"
import type { RelativePath } from "../model/path.ts"
import { ok, type Result } from "../model/result.ts"
import { SIDES, type Side } from "../model/side.ts"
import type { PathState, State } from "../model/state.ts"
import { guard } from "../plan/guard.ts"
import { limitToProject, planChanges } from "../plan/plan.ts"
import { reconcile } from "../reconcile/reconcile.ts"
import { pathPrefix } from "../fold/indexes.ts"
import { type Cycle, cycle, type Decide } from "./cycle.ts"
import type { Ledger } from "./ledger.ts"
import type { Look } from "./look.ts"
import type { RunOptions } from "./options.ts"
import { withUnknowns } from "./unknown-notices.ts"
import type { World } from "./world.ts"

export function sync(world: World, ledger: Ledger, options: RunOptions): Promise<Result<Cycle, SyncError>> {
  return cycle(world, ledger, options, decideSync(world, ledger, options))
}

export function decideSync(world: World, ledger: Ledger, options: RunOptions): Decide {
  return async ({ state, look }) => {
    const { profile, project, only, confirmedDeletes } = options
    const paths = only === undefined ? state.paths : partOf(state.paths, only)
    const reconciled = reconcile(
      { paths, unknowns: look.unknowns },
      {
        conflictResolve: profile.conflictResolve,
        skewUnknownMs: world.sides.remote.capabilities.kind === "folder" ? 0 : UNKNOWN_SKEW_MS,
        canMove: {
          local: world.sides.local.capabilities.canMove,
          remote: world.sides.remote.capabilities.canMove,
        },
        earlierHashes: await earlierHashes(ledger, state, isUnion(look)),
      },
    )
    const planned = planChanges({
      ...reconciled,
      notices: withUnknowns(reconciled.notices, look.unknowns),
      paths,
      conflictId: await conflictIds(world, ledger),
    })
    const limited = project === undefined ? planned : limitToProject(planned, project)
    const plan = guard(limited, {
      maxDelete: profile.maxDelete,
      ...(confirmedDeletes !== undefined && { confirmedDeletes }),
      files: filesSeen(state),
    })
    return ok({ plan, bodies: [...plan.actions.flatMap(decisionBodies), ...resolvedByHand(state)] })
  }
}

function partOf(paths: State["paths"], only: ReadonlySet<RelativePath>): State["paths"] {
  return new Map([...only].map((path) => [path, paths.get(path) ?? {}]))
}

/** A writer that recorded no skew of its clock may have been this far off; folders share the file system's clock. */
const UNKNOWN_SKEW_MS = 10_000

export function filesSeen(state: State): { readonly [S in Side]: number } {
  const count = (side: Side) => [...state.paths.values()].filter((path) => path[side] !== undefined).length
  return { local: count("local"), remote: count("remote") }
}

async function conflictIds(world: World, ledger: Ledger): Promise<(about: string) => ConflictId> {
  const taken = new Set(await ledger.conflictIds())
  const head = ledger.head().hash
  return (about) => {
    const id = shortId("c", world.sha256(`${head} ${about}`), (candidate) => taken.has(candidate))
    taken.add(id)
    return id as ConflictId
  }
}

export function decisionBodies(action: Action, index: number): readonly EventBody[] {
  const { conflict, path, base, local, remote } = action
  if (conflict === undefined) return []
  const sights = {
    ...(base !== undefined && { base }),
    ...(local !== undefined && { local }),
    ...(remote !== undefined && { remote }),
  }
  return [
    {
      type: "conflict.decided",
      conflict: conflict.id,
      path,
      number: index + 1,
      decision: conflict,
      ...sights,
    },
  ]
}

/** The user's own way to resolve a conflict: merge, then remove the copies. */
function resolvedByHand(state: State): readonly EventBody[] {
  const isGone = (copy: RelativePath) => state.paths.get(copy)?.local === undefined
  return [...state.openConflicts.values()].flatMap(({ id, copies }): EventBody[] =>
    copies.every(isGone) ? [{ type: "conflict.resolved", conflict: id, how: "by_hand" }] : [],
  )
}

/** In a union: every version that the rivals' path once agreed on. */
async function earlierHashes(
  ledger: Ledger,
  state: State,
  isInUnion: boolean,
): Promise<ReadonlyMap<RelativePath, ReadonlySet<ContentHash>>> {
  const found = new Map<RelativePath, ReadonlySet<ContentHash>>()
  for (const [path, at] of state.paths) {
    if (!isRivalry(at, isInUnion)) continue
    const hashes = new Set<ContentHash>()
    for await (const event of ledger.find(pathPrefix(path))) {
      if (event.type === "done")
        for (const { path: agreed, content } of event.after)
          if (agreed === path && content?.hash !== undefined) hashes.add(content.hash)
      if (event.type === "agreed")
        for (const { path: agreed, version } of event.items)
          if (agreed === path && version !== undefined) hashes.add(version.hash)
    }
    if (hashes.size > 0) found.set(path, hashes)
  }
  return found
}

function isUnion({ bodies }: Look): boolean {
  return bodies.some((body) => body.type === "union.started" && body.scope === "all")
}

/** A path that was forgotten and is new on both sides again is no union: nobody's version is an old one there. */
function isRivalry({ base, local, remote }: PathState, isInUnion: boolean): boolean {
  if (base === undefined ? !isInUnion : !base.isHint) return false
  return (
    SIDES.every((side) => (side === "local" ? local : remote) !== undefined) && local?.hash !== remote?.hash
  )
}
