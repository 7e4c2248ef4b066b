/**
 * Files that are whole or not there: written under a temporary name, made durable, then renamed into place.
 *
 * Every temporary file of the store lies in `objects/pack` under a name that git takes for an unfinished pack
 * and ignores; what a kill leaves behind is removed by a later writer, never sooner than an hour after.
 */

import { platform } from "node:os"
import { randomBytes } from "node:crypto"
import { mkdir, open, readdir, rename, rm, stat, type FileHandle } from "node:fs/promises"
import { dirname, join } from "node:path"

const TEMPORARY_PREFIX = "tmp_pack_bm_"
const TEMPORARY_AGE_MS_MIN = 3_600_000

export interface TemporaryFile {
  readonly path: string
  readonly file: FileHandle
}

export async function createTemporary(packDirectory: string): Promise<TemporaryFile> {
  const path = join(packDirectory, TEMPORARY_PREFIX + randomBytes(8).toString("hex"))
  return { path, file: await open(path, "wx", 0o600) }
}

/** Writes all of it, however often the system takes only a part. */
export async function writeAll(file: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let written = 0; written < bytes.length; ) {
    const { bytesWritten } = await file.write(bytes, written, bytes.length - written, position + written)
    written += bytesWritten
  }
}

/** Replaces what is at `path`, or creates it, in one durable step. */
export async function replaceFile(options: {
  readonly path: string
  readonly packDirectory: string
  readonly text: string
}): Promise<void> {
  const temporary = await createTemporary(options.packDirectory)
  try {
    await writeAll(temporary.file, Buffer.from(options.text), 0)
    await temporary.file.sync()
    await temporary.file.close()
    await moveIntoPlace({ from: temporary.path, to: options.path })
  } catch (error) {
    await discard(temporary)
    throw error
  }
}

export async function moveIntoPlace(move: { readonly from: string; readonly to: string }): Promise<void> {
  await rename(move.from, move.to)
  await syncDirectory(dirname(move.to))
}

/** Removes a temporary file; that it cannot be removed is no reason to hide the error that led here. */
export async function discard(temporary: TemporaryFile): Promise<void> {
  await temporary.file.close().catch(() => undefined)
  await rm(temporary.path, { force: true }).catch(() => undefined)
}

export async function discardOldTemporaries(packDirectory: string): Promise<void> {
  for (const name of await readdir(packDirectory)) {
    if (!name.startsWith(TEMPORARY_PREFIX)) continue
    const path = join(packDirectory, name)
    const found = await stat(path).catch(() => undefined)
    const isOld = found !== undefined && Date.now() - found.mtimeMs > TEMPORARY_AGE_MS_MIN
    if (isOld) await rm(path, { force: true })
  }
}

/** Creates a directory that only its owner can enter, with its parents, and makes its name durable. */
export async function makeDirectory(path: string): Promise<void> {
  const first = await mkdir(path, { recursive: true, mode: 0o700 })
  if (first === undefined) return
  for (let at = path; at.length >= first.length; at = dirname(at)) await syncDirectory(dirname(at))
}

export async function syncDirectory(path: string): Promise<void> {
  // Windows has no such call; its rename is as durable as it gets.
  if (platform() === "win32") return
  const directory = await open(path, "r")
  try {
    await directory.sync()
  } finally {
    await directory.close()
  }
}
