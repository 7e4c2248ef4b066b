/**
 * Reconciles three trees: base, local, remote. PURE: no clock, no randomness, no order of a map enters a decision.
 *
 * Each path is classified by itself, then renames are paired, then clashes of shape are settled. The cases are
 * Unison's (Pierce and Vouillon 2004), deletion against edit is Mutagen's; docs/reconciliation.md has the table.
 */

import type { Agreed, Notice } from "../model/action.ts"
import { isOrdinary } from "../model/entry.ts"
import type { ContentHash } from "../model/ids.ts"
import { comparePaths, type RelativePath } from "../model/path.ts"
import { unreachable } from "../model/result.ts"
import type { ConflictResolve } from "../model/settings.ts"
import { otherSide, type Side, SIDES } from "../model/side.ts"
import type { PathState } from "../model/state.ts"
import type { Change, Reconciliation } from "../model/change.ts"
import { classify, type Verdict } from "./classify.ts"
import { pairMoves } from "./moves.ts"
import { isConflictName, namesOver, type Names } from "./names.ts"
import { decide } from "./policy.ts"
import { settleShapes } from "./shape.ts"
import { addAncestors, viewOf, type Trees, type View } from "./sight.ts"

export interface ReconcileSettings {
  readonly conflictResolve: ConflictResolve
  /** Assumed skew of a writer's clock that recorded none. */
  readonly skewUnknownMs: number
  readonly canMove: { readonly [S in Side]: boolean }
  readonly earlierHashes?: ReadonlyMap<RelativePath, ReadonlySet<ContentHash>>
}

/**
 * Reconciles the trees into the changes that would make both sides agree.
 *
 * Shape: the result names each path at most once, in byte order. Units: sizes in bytes, times in Unix milliseconds.
 * Errors: none; total for every triple of trees in which content of equal size has been read.
 * Source: docs/reconciliation.md.
 */
export function reconcile(trees: Trees, settings: ReconcileSettings): Reconciliation {
  const view = viewOf(trees)
  const names = namesOver(takenIn(trees, view))
  const hasNewPair = newPairsIn(trees, view)
  const agreed: Agreed[] = []
  const notices: Notice[] = []
  const changes: Change[] = []
  for (const path of unsettledPaths(trees)) {
    const verdict = classifyPath({ trees, view, settings, path })
    if (verdict.kind === "agree") agreed.push({ path, version: verdict.version })
    else if (verdict.kind === "forget") agreed.push({ path })
    else if (verdict.kind === "skip") notices.push(...skipNotice(path, verdict))
    else if (verdict.kind !== "nothing")
      changes.push(changeOf({ path, verdict, settings, names, hasNewPair }))
    if (verdict.kind === "copy" && verdict.isKept) {
      notices.push({
        kind: "kept_changed",
        path,
        side: otherSide(verdict.targetSide),
        detail: verdict.reason,
      })
    }
  }
  const moved = pairMoves({ changes, paths: trees.paths, canMove: settings.canMove })
  const shaped = settleShapes({ changes: moved, paths: trees.paths, view, names })
  return {
    agreed,
    changes: [...shaped.changes].sort((a, b) => comparePaths(a.path, b.path)),
    notices: [...notices, ...shaped.notices],
  }
}

/** Paths where a side differs from the base, or where the base is only a hint; all others need nothing. */
function unsettledPaths(trees: Trees): readonly RelativePath[] {
  const unsettled: RelativePath[] = []
  for (const [path, state] of trees.paths) if (!isSettled(state)) unsettled.push(path)
  return unsettled.sort(comparePaths)
}

function isSettled({ base, local, remote }: PathState): boolean {
  return base !== undefined && !base.isHint && local?.hash === base.hash && remote?.hash === base.hash
}

function classifyPath(at: {
  readonly trees: Trees
  readonly view: View
  readonly settings: ReconcileSettings
  readonly path: RelativePath
}): Verdict {
  const { trees, view, settings, path } = at
  const earlierHashes = settings.earlierHashes?.get(path)
  const verdict = classify({
    base: trees.paths.get(path)?.base,
    local: view.see("local", path),
    remote: view.see("remote", path),
    ...(earlierHashes !== undefined && { earlierHashes }),
  })
  if (verdict.kind !== "delete") return verdict
  // Row 2: nothing is deleted above an unknown. The name may have become a directory that nobody can look into.
  for (const side of SIDES) {
    const why = view.unknownBelow(side, path)
    if (why !== undefined) return { kind: "skip", side, sight: { kind: "unknown", why } }
  }
  return verdict
}

function skipNotice(path: RelativePath, verdict: Extract<Verdict, { kind: "skip" }>): readonly Notice[] {
  const { why } = verdict.sight
  return isOrdinary(why.reason) ? [] : [{ kind: "unknown", path, side: verdict.side, detail: why.reason }]
}

function changeOf(at: {
  readonly path: RelativePath
  readonly verdict: Extract<Verdict, { kind: "copy" | "delete" | "conflict" }>
  readonly settings: ReconcileSettings
  readonly names: Names
  readonly hasNewPair: (side: Side, path: RelativePath) => boolean
}): Change {
  const { path, verdict, settings, names } = at
  switch (verdict.kind) {
    case "copy": {
      const { kind, targetSide, version, replaced, reason } = verdict
      return { kind, path, targetSide, version, reason, ...(replaced !== undefined && { replaced }) }
    }
    case "delete":
      return { ...verdict, path, isRename: at.hasNewPair(otherSide(verdict.targetSide), path) }
    case "conflict": {
      // Two devices that meet on a conflict name: the later one takes the next number, in every profile. Either
      // copy was promised to stay visible, and neither is a new version of the other.
      const isMeeting = isConflictName(path) && verdict.reason === "both_new"
      const decision = decide(verdict, {
        resolve: isMeeting ? "none" : settings.conflictResolve,
        skewUnknownMs: settings.skewUnknownMs,
      })
      const { kind, local, remote, reason } = verdict
      const change = { kind, path, local, remote, reason, decision } as const
      if (decision.rule !== "none") return change
      if (isConflictName(path)) return { ...change, copies: { local: names.takeOne(path, "any") } }
      return { ...change, copies: names.takePair(path) }
    }
    default:
      return unreachable(verdict)
  }
}

/** Tells whether a name that went away on a side was kept twice there, as new conflict copies, and not deleted. */
function newPairsIn(trees: Trees, view: View): (side: Side, path: RelativePath) => boolean {
  const copies: { [S in Side]?: ReadonlySet<RelativePath> } = {}
  return (side, path) => {
    const isNew = (copies[side] ??= newCopiesOn(side, trees, view))
    if (isNew.size === 0 || isConflictName(path)) return false
    const names = namesOver(() => false)
    for (let pair = 0; pair < CONFLICT_PAIRS_LOOKED_AT; pair++) {
      const { local, remote } = names.takePair(path)
      if (isNew.has(local) && isNew.has(remote)) return true
    }
    return false
  }
}

function newCopiesOn(side: Side, { paths }: Trees, view: View): ReadonlySet<RelativePath> {
  const copies = new Set<RelativePath>()
  for (const [path, { base }] of paths) {
    if (base === undefined && isConflictName(path) && view.see(side, path).kind === "file") copies.add(path)
  }
  return copies
}

const CONFLICT_PAIRS_LOOKED_AT = 8

/** Tells which names are not free: a file, a directory, a base, or something unknown has them. */
function takenIn(trees: Trees, view: View): (path: RelativePath) => boolean {
  let directories: Set<string> | undefined
  const isDirectory = (path: RelativePath) => {
    if (directories === undefined) {
      directories = new Set()
      for (const other of trees.paths.keys()) addAncestors(directories, other)
    }
    return directories.has(path)
  }
  return (path) =>
    trees.paths.get(path)?.base !== undefined ||
    SIDES.some((side) => isTakenOn(view, side, path)) ||
    isDirectory(path)
}

function isTakenOn(view: View, side: Side, path: RelativePath): boolean {
  if (view.unknownBelow(side, path) !== undefined) return true
  const sight = view.see(side, path)
  // A name that cannot be read is not ours: ours can. Were it taken nevertheless, the write would find it there.
  return sight.kind === "file" || (sight.kind === "unknown" && sight.why.scope !== "absent_children")
}
