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
import { addAncestors, type View } from "./sight.ts"

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
    // Where the file comes from, too: an aside of a name below it says that somebody is just clearing the directory.
    const covered =
      landing === undefined
        ? undefined
        : (view.unknownBelow(landing.targetSide, landing.path) ??
          view.unknownBelow(otherSide(landing.targetSide), landing.path))
    if (landing === undefined) shaped.push(change)
    else if (covered !== undefined) {
      notices.push({ kind: "unknown", side: landing.targetSide, path: landing.path, detail: covered.reason })
    } else if (!directories.has(landing.path)) shaped.push(change)
    else {
      const side = otherSide(landing.targetSide)
      const to = names.takeOne(landing.path, side === "local" ? "odd" : "even")
      shaped.push({ kind: "sidestep", path: landing.path, to, side, version: landing.version })
      shaped.push(...withoutLanding(change))
    }
  }
  return view.isClear
    ? { changes: shaped, notices }
    : withoutBlocked({ changes: shaped, notices }, paths, view)
}

/**
 * Leaves out what cannot land, because something unknown keeps a file where it needs a directory, or the reverse.
 * What is left out gives no room either, so it looks again until nothing more is; every round leaves out one or more.
 */
function withoutBlocked(
  { changes, notices }: Shaped,
  paths: ReadonlyMap<RelativePath, PathState>,
  view: View,
): Shaped {
  const staying = {
    local: stayingOn("local", changes, { paths, view }),
    remote: stayingOn("remote", changes, { paths, view }),
  }
  const blocked = new Map<Change, Notice>()
  for (const change of changes) {
    const landing = landingOf(change)
    if (landing === undefined) continue
    const { path, targetSide: side } = landing
    const { files, directories } = staying[side]
    if (directories.has(path) || ancestorsOf(path).some((at) => files.has(at)))
      blocked.set(change, { kind: "unknown", side, path, detail: "in_the_way" })
  }
  if (blocked.size === 0) return { changes, notices }
  const left = {
    changes: changes.flatMap((change) => (blocked.has(change) ? withoutLanding(change) : [change])),
    notices: [...notices, ...blocked.values()],
  }
  return withoutBlocked(left, paths, view)
}

/** The files that no change takes away from a side, and the directories above them. */
function stayingOn(
  side: Side,
  changes: readonly Change[],
  { paths, view }: { readonly paths: ReadonlyMap<RelativePath, PathState>; readonly view: View },
): { readonly files: ReadonlySet<string>; readonly directories: ReadonlySet<string> } {
  const leaving = new Set<string>()
  for (const change of changes) if (leavesSide(change, side)) leaving.add(change.path)
  const files = new Set<string>()
  const directories = new Set<string>()
  for (const [path, state] of paths) {
    if (state[side] === undefined || leaving.has(path)) continue
    addAncestors(directories, path)
    const sight = view.see(side, path)
    // Row 20: a key that stands beside keys below it is in nobody's way.
    if (sight.kind !== "unknown" || sight.why.reason !== "file_and_directory") files.add(path)
  }
  return { files, directories }
}

function leavesSide(change: Change, side: Side): boolean {
  if (change.kind === "sidestep") return change.side === side
  return (change.kind === "delete" || change.kind === "move") && change.targetSide === side
}

interface Landing {
  readonly path: RelativePath
  readonly targetSide: Side
  readonly version: Version
}

/** The file that a change puts at a name on its target side. */
function landingOf(change: Change): Landing | undefined {
  if (change.kind === "copy") return change
  if (change.kind === "move") return { path: change.to, targetSide: change.targetSide, version: change.moved }
  return undefined
}

/** What is left of a rename that cannot land: the old name goes, as it would had nobody seen that it is one. */
function withoutLanding(change: Change): readonly Change[] {
  if (change.kind !== "move") return []
  const { path, targetSide, version } = change
  const reason = targetSide === "local" ? "remote_deleted" : "local_deleted"
  return [{ kind: "delete", path, targetSide, version, reason, isRename: true }]
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
  for (const [path, state] of paths) {
    if (!removed.has(path) && (state.local !== undefined || state.remote !== undefined))
      addAncestors(directories, path)
  }
  for (const path of added) addAncestors(directories, path)
  return directories
}
