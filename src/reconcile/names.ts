/**
 * Finds free names for versions that have to step aside. PURE.
 *
 * A conflict takes a pair, odd for local and even for remote: `.conflict1` and `.conflict2`, or the next pair that is
 * free on both sides. The copy of a copy counts on the original name, so conflict copies do not grow tails.
 */

import { conflictName, mustPath, type RelativePath } from "../model/path.ts"

const SUFFIX = /\.conflict(\d+)$/
const PAIRS_MAX = 10_000

export interface Names {
  /** A pair of free names, taken from now on. */
  takePair(path: RelativePath): { readonly local: RelativePath; readonly remote: RelativePath }
  /** The name for a file of one side that makes room for a directory. */
  takeOne(path: RelativePath, parity: "odd" | "even" | "any"): RelativePath
}

export function isConflictName(path: string): boolean {
  return SUFFIX.test(path)
}

function conflictStem(path: RelativePath): RelativePath {
  const stem = path.replace(SUFFIX, "")
  return stem === "" || stem.endsWith("/") ? path : mustPath(stem)
}

export function namesOver(isTaken: (path: RelativePath) => boolean): Names {
  const given = new Set<RelativePath>()
  const isFree = (path: RelativePath) => !given.has(path) && !isTaken(path)
  const take = (path: RelativePath) => {
    given.add(path)
    return path
  }
  return {
    takePair(path) {
      const stem = conflictStem(path)
      for (let pair = 0; pair < PAIRS_MAX; pair++) {
        const local = conflictName(stem, 2 * pair + 1)
        const remote = conflictName(stem, 2 * pair + 2)
        if (isFree(local) && isFree(remote)) return { local: take(local), remote: take(remote) }
      }
      throw new Error(`assertion failed: no free conflict name for ${path}`)
    },
    takeOne(path, parity) {
      const stem = conflictStem(path)
      for (
        let number = parity === "even" ? 2 : 1;
        number < 2 * PAIRS_MAX;
        number += parity === "any" ? 1 : 2
      ) {
        const name = conflictName(stem, number)
        if (isFree(name)) return take(name)
      }
      throw new Error(`assertion failed: no free conflict name for ${path}`)
    },
  }
}
