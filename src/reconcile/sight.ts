/**
 * What each side shows at a path, out of the folded state and the places nobody can speak about.
 *
 * Trouble spreads downwards: below a path that is unknown every path is unknown on that side, so that a project
 * behind a symbolic link, or a disk that is not mounted, never looks like a deletion.
 */

import type { Unknown, Version } from "../model/entry.ts"
import { ancestorsOf, type RelativePath } from "../model/path.ts"
import type { Side } from "../model/side.ts"
import type { PathState } from "../model/state.ts"
import { indexUnknowns } from "../model/unknowns.ts"

export type Sight =
  | { readonly kind: "absent" }
  | { readonly kind: "file"; readonly version: Version }
  | { readonly kind: "unknown"; readonly why: Unknown }

export interface Trees {
  readonly paths: ReadonlyMap<RelativePath, PathState>
  readonly unknowns: { readonly [S in Side]: readonly Unknown[] }
}

export interface View {
  /** True if nothing is unknown on either side. */
  readonly isClear: boolean
  see(side: Side, path: RelativePath): Sight
  /** A place in `directory` that is unknown on this side, if there is one. */
  unknownBelow(side: Side, directory: string): Unknown | undefined
}

const ABSENT: Sight = { kind: "absent" }

export function viewOf(trees: Trees): View {
  const index = { local: indexUnknowns(trees.unknowns.local), remote: indexUnknowns(trees.unknowns.remote) }
  const listed: { [S in Side]?: ReadonlySet<string> } = {}
  const directoriesOn = (side: Side) => (listed[side] ??= directoriesListed(trees, side))
  return {
    isClear: index.local.isEmpty && index.remote.isEmpty,
    see(side, path) {
      const why = index[side].covering(path)
      if (why !== undefined) return { kind: "unknown", why }
      const version = trees.paths.get(path)?.[side]
      if (version !== undefined) return { kind: "file", version }
      const unreadable = index[side].hidingAbsence(path, (directory) => directoriesOn(side).has(directory))
      // A directory that was listed has its name; that name is no file's.
      if (unreadable === undefined || directoriesOn(side).has(path)) return ABSENT
      return { kind: "unknown", why: unreadable }
    },
    unknownBelow: (side, directory) => index[side].below.get(directory),
  }
}

function directoriesListed({ paths, unknowns }: Trees, side: Side): ReadonlySet<string> {
  const directories = new Set<string>()
  for (const [path, state] of paths) if (state[side] !== undefined) addAncestors(directories, path)
  for (const { path, reason } of unknowns[side]) if (isListed(reason)) addAncestors(directories, path)
  return directories
}

/** An aside names an absent path, and a mount that is gone may have taken its directory along. */
function isListed(reason: Unknown["reason"]): boolean {
  return reason !== "aside" && reason !== "mount_changed"
}

/** Adds every directory above `path`; one that is there already has its own there too. */
export function addAncestors(directories: Set<string>, path: string): void {
  for (const directory of ancestorsOf(path)) {
    if (directories.has(directory)) return
    directories.add(directory)
  }
}
