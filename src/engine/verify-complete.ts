/**
 * Compares what is stored beside the events with what the events alone say: every row of the folded state, every key
 * of the indexes. A base that no event explains was written by nobody, or the event that explained it is gone.
 */

import type { RelativePath } from "../model/path.ts"
import type { KeyValueStore } from "../model/ports.ts"
import type { State } from "../model/state.ts"
import { INDEX_RANGE } from "../fold/indexes.ts"
import { allRows, ROOT_KEY, type Row, smallStateFromRows, STATE_RANGE } from "../fold/rows.ts"
import { damageText } from "./store-errors.ts"
import type { VerifyCheckOf, Unexplained } from "./verify.ts"
import { emptyKeySum, type Read, withKey } from "./verify-reading.ts"

const PATH_PREFIX = "s!path!"
const LISTED_MAX = 100

export async function checkComplete(store: KeyValueStore, read: Read): Promise<VerifyCheckOf<"complete">> {
  try {
    const differing = await differingRows(store, read.state)
    const unexplained = differing
      .filter(({ key }) => key.startsWith(PATH_PREFIX))
      .map((row) => unexplainedPath(row, read.state))
    const rows = [
      ...new Set(
        differing
          .filter(({ key }) => !key.startsWith(PATH_PREFIX))
          .map(({ key }) => key.split("!", 2).join("!")),
      ),
    ]
    if (!(await hasIndexes(store, read))) rows.push("i!")
    if (unexplained.length === 0 && rows.length === 0) return { name: "complete" }
    return {
      name: "complete",
      finding: "unexplained",
      unexplained: unexplained.slice(0, LISTED_MAX),
      ...(rows.length > 0 && { rows }),
    }
  } catch (error) {
    const why = damageText(error)
    if (why === undefined) throw error
    return { name: "complete", finding: "unreadable", why }
  }
}

interface Differing {
  readonly key: string
  readonly stored: string | undefined
}

async function differingRows(store: KeyValueStore, state: State): Promise<readonly Differing[]> {
  const expected = new Map<string, string>(allRows(state))
  const differing: Differing[] = []
  for await (const rows of store.range(STATE_RANGE)) {
    for (const [key, stored] of rows) {
      const wanted = expected.get(key)
      expected.delete(key)
      if (wanted !== stored && !(key === ROOT_KEY && wanted !== undefined && isSameObject(wanted, stored)))
        differing.push({ key, stored })
    }
  }
  for (const key of expected.keys()) differing.push({ key, stored: undefined })
  return differing
}

/** The root's facts are kept in the order in which they were learned, which says nothing. */
function isSameObject(a: string, b: string): boolean {
  try {
    return JSON.stringify(sorted(JSON.parse(a))) === JSON.stringify(sorted(JSON.parse(b)))
  } catch {
    return false
  }
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted)
  if (typeof value !== "object" || value === null) return value
  return Object.entries(value)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, each]) => [key, sorted(each)])
}

function unexplainedPath({ key, stored }: Differing, { paths, root }: State): Unexplained {
  const path = key.slice(PATH_PREFIX.length) as RelativePath
  const explained = paths.get(path)?.base?.run
  const found = stored === undefined ? undefined : runOf([key, stored])
  return { path, between: [explained, found ?? root.lastRun] }
}

function runOf(row: Row): string | undefined {
  try {
    const state = smallStateFromRows([row, [ROOT_KEY, '{"root":{},"check":{}}']])
    return [...(state?.state.paths.values() ?? [])][0]?.base?.run
  } catch {
    // What no longer is JSON, or no path, names no run.
    return undefined
  }
}

async function hasIndexes(store: KeyValueStore, { indexKeys }: Read): Promise<boolean> {
  let found = emptyKeySum
  for await (const rows of store.range(INDEX_RANGE)) for (const [key] of rows) found = withKey(found, key)
  return found.count === indexKeys.count && found.sum === indexKeys.sum
}
