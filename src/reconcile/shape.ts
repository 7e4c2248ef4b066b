/**
 * Settles clashes of shape: a path that would be a file and a directory at once. PURE.
 *
 * The directory keeps the path, because what is below it has no other place; the file keeps its bytes under a
 * conflict name (rows 12a, 14, 16, 18). A change that would put a file where something unknown lies below is left
 * for later: nobody can say what it would cover.
 */

import type { Notice } from "../model/action.ts"
import { ancestorsOf, type RelativePath } from "../model/path.ts"
import type { PathState } from "../model/state.ts"
import type { Version } from "../model/entry.ts"
import { otherSide, type Side } from "../model/side.ts"
import type { Change } from "../model/change.ts"
import type { Names } from "./names.ts"
import type { View } from "./sight.ts"

export interface Shaped {
  readonly changes: readonly Change[]
  readonly notices: readonly Notice[]
}

export function settleShapes(options: {
  readonly changes: readonly Change[]
  readonly paths: ReadonlyMap<RelativePath, PathState>
  readonly view: View
  readonly names: Names
}): Shaped {
  const { changes, paths, view, names } = options
  if (!changes.some(createsName)) return { changes, notices: [] }
  const directories = directoriesAfter(changes, paths)
  const shaped: Change[] = []
  const notices: Notice[] = []
  for (const change of changes) {
    const landing = landingOf(change)
    const covered = landing === undefined ? undefined : view.unknownBelow(landing.targetSide, landing.path)
    if (landing === undefined) shaped.push(change)
    else if (covered !== undefined) {
      notices.push({ kind: "unknown", side: landing.targetSide, path: landing.path, detail: covered.reason })
    } else if (directories.has(landing.path)) {
      const side = otherSide(landing.targetSide)
      const to = names.takeOne(landing.path, side === "local" ? "odd" : "even")
      shaped.push({ kind: "sidestep", path: landing.path, to, side, version: landing.version })
      if (change.kind === "move") shaped.push(sourceDelete(change))
    } else shaped.push(change)
  }
  return { changes: shaped, notices }
}

/** The file that a change puts at a name on its target side. */
function landingOf(
  change: Change,
): { readonly path: RelativePath; readonly targetSide: Side; readonly version: Version } | undefined {
  if (change.kind === "copy") return change
  if (change.kind === "move") return { path: change.to, targetSide: change.targetSide, version: change.moved }
  return undefined
}

function sourceDelete({ path, targetSide, version }: Extract<Change, { kind: "move" }>): Change {
  return {
    kind: "delete",
    path,
    targetSide,
    version,
    reason: targetSide === "local" ? "remote_deleted" : "local_deleted",
    isRename: true,
  }
}

function createsName(change: Change): boolean {
  return (
    (change.kind === "copy" && change.replaced === undefined) ||
    change.kind === "move" ||
    change.kind === "conflict"
  )
}

/** Every directory that has a file below it once the changes are made. */
function directoriesAfter(
  changes: readonly Change[],
  paths: ReadonlyMap<RelativePath, PathState>,
): ReadonlySet<string> {
  const removed = new Set<RelativePath>()
  const added: RelativePath[] = []
  for (const change of changes) {
    if (change.kind === "delete" || change.kind === "move") removed.add(change.path)
    if (change.kind === "move") added.push(change.to)
    if (change.kind === "copy") added.push(change.path)
  }
  const directories = new Set<string>()
  const addAncestors = (path: RelativePath) => {
    for (const directory of ancestorsOf(path)) {
      if (directories.has(directory)) return
      directories.add(directory)
    }
  }
  for (const [path, state] of paths) {
    if (!removed.has(path) && (state.local !== undefined || state.remote !== undefined)) addAncestors(path)
  }
  for (const path of added) addAncestors(path)
  return directories
}
