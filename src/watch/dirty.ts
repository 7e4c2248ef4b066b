/**
 * What the hints have named since a run last took notice: some files, or too much to name.
 *
 * It is always right to look at more. A file that is written again right after a hint about it may bring no other one, so
 * what was named last is named to the next run too: whenever the pace asks for one because of it, and rather longer.
 */

import { TOLD_ONCE_MS } from "./pace.ts"

export interface Dirty {
  /** Without a path: anything may have changed. */
  add(path: string | undefined, nowMs: number): void
  /** Paths relative to the directory; nothing where everything is to be looked at. */
  take(nowMs: number): readonly string[] | undefined
}

/** To look at more files one by one is no faster than to look at all of them. */
const PATHS_MAX = 200
/** A run takes what is named some time after it began. */
const NAMED_MS = 10 * TOLD_ONCE_MS

export function makeDirty(): Dirty {
  const namedMs = new Map<string, number>()
  let isAnything = false
  return {
    add(path, nowMs) {
      if (path === undefined || namedMs.size >= PATHS_MAX) isAnything = true
      else namedMs.set(path, nowMs)
    },
    take(nowMs) {
      const taken = isAnything ? undefined : [...namedMs.keys()]
      isAnything = false
      for (const [path, atMs] of namedMs) if (Math.abs(nowMs - atMs) >= NAMED_MS) namedMs.delete(path)
      return taken
    },
  }
}
