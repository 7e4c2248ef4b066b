/**
 * Turns what the disk, zlib and git say into `Trouble` values: the one place of this room where errors are caught.
 *
 * Inside the room a failure of the world travels as an exception up to `attempt`; no public function throws one.
 * An error that is neither the world's nor ours to expect is a bug, and goes on as it is.
 */

import type { Trouble } from "../model/errors.ts"
import { ContentLost } from "../model/ports.ts"
import { err, ok, type Result } from "../model/result.ts"

/** How the store itself is called in troubles: never a path of this machine. */
export const STORE_NAME = "history.git"

export async function attempt<T>(path: string, work: () => Promise<T>): Promise<Result<T, Trouble>> {
  try {
    return ok(await work())
  } catch (error) {
    const trouble = troubleOf(error, path)
    if (trouble === undefined) throw error
    return err(trouble)
  }
}

/** Absent: this error is a bug of ours. */
export function troubleOf(error: unknown, path: string): Trouble | undefined {
  if (error instanceof ContentLost) return error.trouble
  const word = wordOf(error)
  if (word === undefined) return undefined
  return { code: codeOf(word), path, detail: word }
}

export function isDamage(error: unknown): boolean {
  return troubleOf(error, "")?.code === "hash_mismatch"
}

export function isAbsent(error: unknown): boolean {
  const word = wordOf(error)
  return word === "ENOENT" || word === "ENOTDIR"
}

export function isTaken(error: unknown): boolean {
  return wordOf(error) === "EEXIST"
}

/** The error of an object that is there and is not what its name says. */
export function damaged(oid: string, detail: string): ContentLost {
  return new ContentLost({ code: "hash_mismatch", path: oid, detail })
}

/** A word of the system (`ENOSPC`) or of zlib (`Z_DATA_ERROR`); Node's own `ERR_…` are bugs, one excepted. */
function wordOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !("code" in error) || typeof error.code !== "string") return undefined
  if (error.code === "ERR_BUFFER_TOO_LARGE") return "Z_DATA_ERROR"
  return /^(E[A-Z0-9]+|Z_[A-Z_]+)$/.test(error.code) ? error.code : undefined
}

function codeOf(word: string): Trouble["code"] {
  switch (word) {
    case "ENOSPC":
    case "EDQUOT":
      return "no_space"
    case "EACCES":
    case "EPERM":
      return "no_permission"
    case "EROFS":
      return "read_only"
    case "ENOENT":
      return "not_found"
    default:
      return word.startsWith("Z_") ? "hash_mismatch" : "io"
  }
}
