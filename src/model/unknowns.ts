/**
 * Answers what is unknown at a path. Trouble spreads downwards: below an unknown path every path is unknown too.
 */

import type { Unknown } from "./entry.ts"
import { ancestorsOf, parentOf } from "./path.ts"

export interface UnknownIndex {
  readonly isEmpty: boolean
  /** Why nothing can be said about this path, whether or not it is listed. */
  covering(path: string): Unknown | undefined
  /**
   * Why this path may be there although it was not listed: its name, or that of a directory above it which was not
   * listed either, may be one that we cannot read. A directory with a new, unreadable name was not deleted.
   */
  hidingAbsence(path: string, isDirectoryListed?: (directory: string) => boolean): Unknown | undefined
  /** By directory: a place in it that is unknown. */
  readonly below: ReadonlyMap<string, Unknown>
}

export function indexUnknowns(unknowns: readonly Unknown[]): UnknownIndex {
  const byPath = new Map<string, Unknown>()
  const childrenUnknown = new Map<string, Unknown>()
  const below = new Map<string, Unknown>()
  for (const unknown of unknowns) {
    if (unknown.scope === "absent_children") childrenUnknown.set(unknown.path, unknown)
    else byPath.set(unknown.path, unknown)
    const holders = ancestorsOf(unknown.path)
    if (unknown.scope === "absent_children") holders.push(unknown.path)
    for (const directory of holders) if (!below.has(directory)) below.set(directory, unknown)
  }
  const rootUnknown = byPath.get("")
  return {
    isEmpty: unknowns.length === 0,
    covering(path) {
      if (rootUnknown !== undefined) return rootUnknown
      const own = byPath.get(path)
      if (own !== undefined || byPath.size === 0) return own
      for (const directory of ancestorsOf(path)) {
        const above = byPath.get(directory)
        // Where a key `p` stands beside keys `p/x`, only `p` itself is in doubt (row 20).
        if (above !== undefined && above.reason !== "file_and_directory") return above
      }
      return undefined
    },
    hidingAbsence(path, isDirectoryListed = () => true) {
      if (childrenUnknown.size === 0) return undefined
      for (let name = path; name !== ""; name = parentOf(name)) {
        const directory = parentOf(name)
        const unreadable = childrenUnknown.get(directory)
        if (unreadable !== undefined || isDirectoryListed(directory)) return unreadable
      }
      return undefined
    },
    below,
  }
}
