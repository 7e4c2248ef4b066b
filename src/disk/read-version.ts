/**
 * Reads exactly one version of a file, or says that it changed. What was read is what was hashed.
 *
 * A small file is read in one piece. A large one is read twice: once to hash it, and once more while it is sent;
 * the second reading fails at its end if the file changed meanwhile, so that a torn file is never published.
 */

import { createHash } from "node:crypto"
import type { Version } from "../model/entry.ts"
import type { Trouble } from "../model/errors.ts"
import { mustContentHash, type ContentHash, type Sha256 } from "../model/ids.ts"
import { type Content, ContentLost, SMALL_FILE_BYTES_MAX } from "../model/ports.ts"
import { err, ok, type Result } from "../model/result.ts"
import { type Disk, DiskFailure, type DiskStat } from "./disk.ts"
import { troubleOf } from "./trouble.ts"
import { tokenOf } from "./walk.ts"

export async function readVersion(
  deps: { readonly disk: Disk; readonly sha256: Sha256 },
  path: string,
  version: Version,
): Promise<Result<Content, Trouble>> {
  const changed = err({ code: "changed_since", path } as const)
  if (version.sizeBytes <= SMALL_FILE_BYTES_MAX) {
    const read = await deps.disk.readFile(path)
    if (!read.ok) return err(readTrouble(read.error.errno, path))
    const { bytes, before, after } = read.value
    if (tokenOf(before) !== version.token || tokenOf(after) !== version.token) return changed
    return ok({ kind: "bytes", bytes, hash: deps.sha256(bytes) })
  }
  const hashed = await hashFile(deps.disk, path, deps.sha256)
  if (!hashed.ok) return hashed
  if (tokenOf(hashed.value.stat) !== version.token) return changed
  const { hash } = hashed.value
  return ok({
    kind: "stream",
    sizeBytes: version.sizeBytes,
    hash,
    open: () => secondReading(deps.disk, { path, version, hash }),
  })
}

/** Hands out the file again and holds its end back until hash and stat agree with the first reading. */
async function* secondReading(
  disk: Disk,
  expected: { readonly path: string; readonly version: Version; readonly hash: ContentHash },
): AsyncGenerator<Uint8Array> {
  const { path, version } = expected
  const lost = new ContentLost({ code: "changed_since", path })
  const hasher = createHash("sha256")
  const pieces = disk.streamFile(path)
  let held: Uint8Array | undefined
  for (;;) {
    const next = await nextPiece(pieces, path)
    if (next.done === true) {
      const isSame =
        tokenOf(next.value.before) === version.token && tokenOf(next.value.after) === version.token
      if (!isSame || `sha256:${hasher.digest("hex")}` !== expected.hash) throw lost
      break
    }
    hasher.update(next.value)
    if (held !== undefined) yield held
    held = next.value
  }
  if (held !== undefined) yield held
}

async function nextPiece(
  pieces: ReturnType<Disk["streamFile"]>,
  path: string,
): ReturnType<ReturnType<Disk["streamFile"]>["next"]> {
  try {
    return await pieces.next()
  } catch (error) {
    if (error instanceof DiskFailure) throw new ContentLost(readTrouble(error.diskError.errno, path))
    throw error
  }
}

/** Hashes a file as it is, whatever its size; a file that changes meanwhile is `changed_since`. */
export async function hashFile(
  disk: Disk,
  path: string,
  sha256: Sha256,
): Promise<Result<{ readonly hash: ContentHash; readonly stat: DiskStat }, Trouble>> {
  const at = await disk.stat(path)
  if (!at.ok) return err(readTrouble(at.error.errno, path))
  if (at.value === undefined) return err({ code: "not_found", path })
  if (at.value.sizeBytes <= SMALL_FILE_BYTES_MAX) {
    const read = await disk.readFile(path)
    if (!read.ok) return err(readTrouble(read.error.errno, path))
    const { bytes, before, after } = read.value
    return tokenOf(before) === tokenOf(after)
      ? ok({ hash: sha256(bytes), stat: after })
      : err({ code: "changed_since", path })
  }
  return hashStream(disk, path)
}

async function hashStream(
  disk: Disk,
  path: string,
): Promise<Result<{ readonly hash: ContentHash; readonly stat: DiskStat }, Trouble>> {
  const hasher = createHash("sha256")
  const pieces = disk.streamFile(path)
  try {
    for (;;) {
      const next = await pieces.next()
      if (next.done !== true) {
        hasher.update(next.value)
        continue
      }
      const { before, after } = next.value
      if (tokenOf(before) !== tokenOf(after)) return err({ code: "changed_since", path })
      return ok({ hash: mustContentHash(`sha256:${hasher.digest("hex")}`), stat: after })
    }
  } catch (error) {
    if (error instanceof DiskFailure) return err(readTrouble(error.diskError.errno, path))
    throw error
  }
}

/** A file that vanished or became something else was changed; anything else is the disk's trouble. */
function readTrouble(errno: string, path: string): Trouble {
  if (errno === "ENOENT" || errno === "ENOTDIR" || errno === "EINVAL" || errno === "ELOOP")
    return { code: "changed_since", path, detail: errno }
  const trouble = troubleOf({ errno, path })
  return trouble.code === "no_permission" ? { ...trouble, code: "unreadable" } : trouble
}
