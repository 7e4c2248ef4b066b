/**
 * Removes a file, and the directories that hold nothing any more: one would stand in the way of a file of its name.
 *
 * Many storages remove a directory with all that is in it, after rclone saw that it was empty. So none is removed while
 * we put something below it, and nothing is put below one that is being removed.
 */

import { ok } from "../model/result.ts"
import { ancestorsOf } from "../model/path.ts"
import type { Answer } from "../store/store.ts"
import { configOf } from "./remote.ts"
import type { RcloneSide } from "./side.ts"

const REMOVE_MS_MAX = 110_000

interface Directories {
  /** How many writes are at work below each. */
  readonly kept: Map<string, number>
  readonly removed: Map<string, Promise<unknown>>
}

const directories = new WeakMap<RcloneSide["remote"], Directories>()

function directoriesOf({ remote }: RcloneSide): Directories {
  const known = directories.get(remote) ?? { kept: new Map(), removed: new Map() }
  directories.set(remote, known)
  return known
}

/** While `work` puts something at the key, every directory above it stays. */
export async function keeping<T>(side: RcloneSide, key: string, work: () => Promise<T>): Promise<T> {
  const { kept, removed } = directoriesOf(side)
  const above = ancestorsOf(key)
  const count = (by: number) => {
    for (const directory of above) kept.set(directory, (kept.get(directory) ?? 0) + by)
  }
  // From here on none of them begins to be removed; what has begun is waited for.
  count(1)
  try {
    await Promise.all(above.map((directory) => removed.get(directory)))
    return await work()
  } finally {
    count(-1)
  }
}

export async function removeObject(side: RcloneSide, key: string): Answer<void> {
  const { remote } = side
  const input = { fs: remote.fs, remote: key, ...configOf(remote) }
  const removed = await side.ask("operations/deletefile", input, {
    withinMs: REMOVE_MS_MAX,
    isRepeatable: true,
  })
  if (!removed.ok && removed.error.kind !== "not_found") return removed
  if (remote.hasEmptyDirectories) await removeEmptyParents(side, key)
  return ok(undefined)
}

async function removeEmptyParents(side: RcloneSide, key: string): Promise<void> {
  const { kept, removed } = directoriesOf(side)
  for (const directory of ancestorsOf(key)) {
    if (directory === ".basic-memory" || directory.startsWith(".basic-memory/")) return
    // Whoever is at it goes on above it.
    if ((kept.get(directory) ?? 0) > 0 || removed.has(directory)) return
    const removing = removeEmpty(side, directory)
    removed.set(directory, removing)
    const isRemoved = await removing.finally(() => removed.delete(directory))
    if (!isRemoved) return
  }
}

async function removeEmpty({ ask, remote }: RcloneSide, directory: string): Promise<boolean> {
  const input = { fs: remote.fs, remote: directory, ...configOf(remote) }
  const removed = await ask("operations/rmdir", input, { withinMs: REMOVE_MS_MAX, isRepeatable: true })
  return removed.ok
}
