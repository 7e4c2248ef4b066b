/**
 * A database in memory with the crash model of a real one: what was not synced may be lost, a batch never in part.
 *
 * Simulations crash it through `tick`, then go on with `afterCrash`.
 */

import { comparePaths } from "../model/path.ts"
import type { KeyChange, KeyValueStore } from "../model/ports.ts"

export interface MemoryStore extends KeyValueStore {
  /** The store as it is found after a crash; with `losesUnsynced` the tail that was never synced is gone. */
  afterCrash(options: { readonly losesUnsynced: boolean }): MemoryStore
  /** Everything in it, in byte order. */
  rows(): readonly (readonly [string, string])[]
}

export interface MemoryStoreOptions {
  readonly rows?: Iterable<readonly [string, string]>
  readonly tick?: (call: string, key: string, phase: "before" | "after") => Promise<unknown>
}

export function memoryStore(options: MemoryStoreOptions = {}): MemoryStore {
  const rows = new Map(options.rows)
  let unsynced: (readonly KeyChange[])[] = []
  const synced = new Map(rows)
  const tick = options.tick ?? (async () => undefined)
  return {
    get: async (key) => rows.get(key),
    async write(changes, { sync }) {
      const first = changes[0]?.key ?? ""
      await tick("write", first, "before")
      putAll(rows, changes)
      unsynced.push(changes)
      if (sync) {
        for (const batch of unsynced) putAll(synced, batch)
        unsynced = []
      }
      await tick("write", first, "after")
    },
    async *range({ from, before, reverse = false, limit = Number.POSITIVE_INFINITY }) {
      const found = [...rows]
        .filter(([key]) => comparePaths(key, from) >= 0 && comparePaths(key, before) < 0)
        .sort(([a], [b]) => comparePaths(a, b))
      yield (reverse ? found.reverse() : found).slice(0, limit)
    },
    close: async () => undefined,
    afterCrash({ losesUnsynced }) {
      return memoryStore({
        rows: losesUnsynced ? synced : rows,
        ...(options.tick !== undefined && { tick: options.tick }),
      })
    },
    rows: () => [...rows].sort(([a], [b]) => comparePaths(a, b)),
  }
}

function putAll(rows: Map<string, string>, changes: readonly KeyChange[]): void {
  for (const { key, value } of changes) {
    if (value === undefined) rows.delete(key)
    else rows.set(key, value)
  }
}
