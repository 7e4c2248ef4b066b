/**
 * What each side shows at a path, out of the folded state and the places nobody can speak about.
 *
 * Trouble spreads downwards: below a path that is unknown every path is unknown on that side, so that a project
 * behind a symbolic link, or a disk that is not mounted, never looks like a deletion.
 */

import type { Unknown, Version } from "../model/entry.ts"
import { ancestorsOf, parentOf, type RelativePath } from "../model/path.ts"
import type { Side } from "../model/side.ts"
import type { PathState } from "../model/state.ts"

export type Sight =
  | { readonly kind: "absent" }
  | { readonly kind: "file"; readonly version: Version }
  | { readonly kind: "unknown"; readonly why: Unknown }

export interface Trees {
  readonly paths: ReadonlyMap<RelativePath, PathState>
  readonly unknowns: { readonly [S in Side]: readonly Unknown[] }
}

export interface View {
  see(side: Side, path: RelativePath): Sight
  /** A place below `directory` that is unknown on this side, if there is one. */
  unknownBelow(side: Side, directory: string): Unknown | undefined
}

const ABSENT: Sight = { kind: "absent" }

export function viewOf(trees: Trees): View {
  const index = { local: indexUnknowns(trees.unknowns.local), remote: indexUnknowns(trees.unknowns.remote) }
  return {
    see(side, path) {
      const unknowns = index[side]
      const why = unknowns.isEmpty ? undefined : unknowns.covering(path)
      if (why !== undefined) return { kind: "unknown", why }
      const version = trees.paths.get(path)?.[side]
      if (version !== undefined) return { kind: "file", version }
      const unreadable = unknowns.childrenUnknown.get(parentOf(path))
      return unreadable === undefined ? ABSENT : { kind: "unknown", why: unreadable }
    },
    unknownBelow: (side, directory) => index[side].below.get(directory),
  }
}

interface UnknownIndex {
  readonly isEmpty: boolean
  covering(path: string): Unknown | undefined
  readonly childrenUnknown: ReadonlyMap<string, Unknown>
  readonly below: ReadonlyMap<string, Unknown>
}

function indexUnknowns(unknowns: readonly Unknown[]): UnknownIndex {
  const byPath = new Map<string, Unknown>()
  const subtrees = new Map<string, Unknown>()
  const childrenUnknown = new Map<string, Unknown>()
  const below = new Map<string, Unknown>()
  for (const unknown of unknowns) {
    if (unknown.scope === "absent_children") childrenUnknown.set(unknown.path, unknown)
    else byPath.set(unknown.path, unknown)
    if (unknown.scope === "subtree") subtrees.set(unknown.path, unknown)
    for (const directory of ancestorsOf(unknown.path))
      if (!below.has(directory)) below.set(directory, unknown)
  }
  const rootUnknown = subtrees.get("")
  return {
    isEmpty: unknowns.length === 0,
    covering(path) {
      if (rootUnknown !== undefined) return rootUnknown
      const own = byPath.get(path)
      if (own !== undefined || subtrees.size === 0) return own
      for (const directory of ancestorsOf(path)) {
        const above = subtrees.get(directory)
        if (above !== undefined) return above
      }
      return undefined
    },
    childrenUnknown,
    below,
  }
}
