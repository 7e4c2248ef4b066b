/**
 * Finds renames: a delete and a create that carry the same bytes. PURE.
 *
 * Renamed here: same inode and hash, and the source unchanged there (row 22). Renamed there: the new name's hash is
 * the base of the old one, and nobody touched the old one here (row 22b). Pairs are made in byte order. What is not
 * surely a rename stays a delete and a create, which is right too, only dearer.
 */

import type { PathState } from "../model/state.ts"
import { isBelow, type RelativePath } from "../model/path.ts"
import { otherSide, type Side } from "../model/side.ts"
import type { Change } from "../model/change.ts"

type Copy = Extract<Change, { kind: "copy" }>
type Delete = Extract<Change, { kind: "delete" }>

export function pairMoves(options: {
  readonly changes: readonly Change[]
  readonly paths: ReadonlyMap<RelativePath, PathState>
  readonly canMove: { readonly [S in Side]: boolean }
}): readonly Change[] {
  const { changes, paths, canMove } = options
  const moves = new Map<Change, Change>()
  const absorbed = new Set<Change>()
  for (const targetSide of ["local", "remote"] as const) {
    if (!canMove[targetSide]) continue
    const sources = new Map<string, Delete[]>()
    for (const change of changes) {
      if (change.kind !== "delete" || change.targetSide !== targetSide) continue
      const key = sourceKey(change, paths)
      if (key !== undefined) sources.set(key, [...(sources.get(key) ?? []), change])
    }
    for (const change of changes) {
      if (change.kind !== "copy" || change.targetSide !== targetSide || !isNew(change, paths)) continue
      const key = destinationKey(change)
      const source = key === undefined ? undefined : sources.get(key)?.shift()
      if (source === undefined || isTangled(source.path, change.path)) continue
      absorbed.add(source)
      moves.set(change, {
        kind: "move",
        path: source.path,
        to: change.path,
        targetSide,
        version: source.version,
        moved: change.version,
      })
    }
  }
  return moves.size === 0
    ? changes
    : changes.flatMap((change) => (absorbed.has(change) ? [] : [moves.get(change) ?? change]))
}

function isNew(change: Copy, paths: ReadonlyMap<RelativePath, PathState>): boolean {
  return change.replaced === undefined && paths.get(change.path)?.base === undefined
}

/** A name that moves into or out of itself would need a third name on the way. */
function isTangled(from: RelativePath, to: RelativePath): boolean {
  return isBelow(from, to) || isBelow(to, from)
}

function sourceKey(change: Delete, paths: ReadonlyMap<RelativePath, PathState>): string | undefined {
  const base = paths.get(change.path)?.base
  if (base === undefined || base.isHint) return undefined
  if (otherSide(change.targetSide) === "remote") return base.hash
  return base.fileId === undefined ? undefined : `${base.hash} ${base.fileId}`
}

function destinationKey(change: Copy): string | undefined {
  const { hash, fileId } = change.version
  if (hash === undefined) return undefined
  if (otherSide(change.targetSide) === "remote") return hash
  return fileId === undefined ? undefined : `${hash} ${fileId}`
}
