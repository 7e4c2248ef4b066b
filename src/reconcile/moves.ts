/**
 * Finds renames: a delete and a create that carry the same bytes. PURE.
 *
 * Renamed here: same inode and hash, and the source unchanged there (row 22). Renamed there: the new name's hash is
 * the base of the old one, and nobody touched the old one here (row 22b). Pairs are made in byte order. What is not
 * surely a rename stays a delete and a create, which is right too, only dearer.
 */

import type { PathState } from "../model/state.ts"
import { ancestorsOf, type RelativePath } from "../model/path.ts"
import { otherSide, type Side, SIDES } from "../model/side.ts"
import type { Change } from "../model/change.ts"
import { addAncestors } from "./sight.ts"

type Copy = Extract<Change, { kind: "copy" }>
type Delete = Extract<Change, { kind: "delete" }>

/**
 * Pairs what was renamed. A rename that cannot be made in one step stays a delete and a copy, marked as a rename so
 * that the brake does not count it: the target side cannot move, or a name has to make room before others land.
 */
export function pairMoves(options: {
  readonly changes: readonly Change[]
  readonly paths: ReadonlyMap<RelativePath, PathState>
  readonly canMove: { readonly [S in Side]: boolean }
}): readonly Change[] {
  const { changes, canMove } = options
  const paired = new Map<Change, Change | undefined>()
  for (const targetSide of SIDES) {
    const pairs = pairsOn(targetSide, options)
    if (pairs.length === 0) continue
    const landings = landingsOn(targetSide, changes)
    for (const { source, copy } of pairs) {
      if (!canMove[targetSide] || makesRoom(source.path, landings)) {
        paired.set(source, { ...source, isRename: true })
        continue
      }
      const { path, version } = source
      paired.set(source, undefined)
      paired.set(copy, { kind: "move", path, to: copy.path, targetSide, version, moved: copy.version })
    }
  }
  if (paired.size === 0) return changes
  return changes
    .map((change) => (paired.has(change) ? paired.get(change) : change))
    .filter((change) => change !== undefined)
}

function pairsOn(
  targetSide: Side,
  {
    changes,
    paths,
  }: { readonly changes: readonly Change[]; readonly paths: ReadonlyMap<RelativePath, PathState> },
): readonly { readonly source: Delete; readonly copy: Copy }[] {
  const sources = new Map<string, Delete[]>()
  for (const change of changes) {
    if (change.kind !== "delete" || change.targetSide !== targetSide) continue
    const key = sourceKey(change, paths)
    if (key === undefined) continue
    const sameContent = sources.get(key)
    if (sameContent === undefined) sources.set(key, [change])
    else sameContent.push(change)
  }
  if (sources.size === 0) return []
  for (const sameContent of sources.values()) sameContent.reverse()
  return changes.flatMap((copy) => {
    if (copy.kind !== "copy" || copy.targetSide !== targetSide || !isNew(copy, paths)) return []
    const key = destinationKey(copy)
    const source = key === undefined ? undefined : sources.get(key)?.pop()
    return source === undefined ? [] : [{ source, copy }]
  })
}

function isNew(change: Copy, paths: ReadonlyMap<RelativePath, PathState>): boolean {
  return change.replaced === undefined && paths.get(change.path)?.base === undefined
}

interface Landings {
  readonly files: ReadonlySet<string>
  readonly directories: ReadonlySet<string>
}

function landingsOn(targetSide: Side, changes: readonly Change[]): Landings {
  const files = new Set<string>()
  const directories = new Set<string>()
  for (const change of changes) {
    if (change.kind !== "copy" || change.targetSide !== targetSide) continue
    files.add(change.path)
    addAncestors(directories, change.path)
  }
  return { files, directories }
}

/** Renames come after what they would have to make room for, and one that ends in itself would need a third name. */
function makesRoom(path: RelativePath, { files, directories }: Landings): boolean {
  return directories.has(path) || ancestorsOf(path).some((directory) => files.has(directory))
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
