/**
 * Creates files that did not exist: opens exclusively, writes all bytes, sets the time, makes them durable.
 *
 * Whatever fails, the file is removed again, if it still is the one that was created. Never touches a file
 * that was there before, and never follows a link that was put in its place.
 */

import {
  closeSync,
  constants,
  fchmodSync,
  fstatSync,
  fsync,
  futimesSync,
  lstatSync,
  openSync,
  unlinkSync,
  write,
  writeSync,
} from "node:fs"
import { promisify } from "node:util"
import { assert } from "../model/result.ts"
import { errnoOf, failure } from "./attempt.ts"
import { type FileContent, piecesOf } from "./content.ts"
import type { DiskStat } from "./disk.ts"
import { statOfHandle } from "./node-stat.ts"

const CREATE_FLAGS = constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY | constants.O_NOFOLLOW
const fsyncAsync = promisify(fsync)
const writeAsync = promisify(write)

export interface NewFile {
  readonly path: string
  readonly content: FileContent
  readonly mtimeMs: number | undefined
  readonly isDurable: boolean
  /** As the umask has it where none are given. */
  readonly permissions: number | undefined
}

export async function createNewFile(systemPath: string, file: NewFile): Promise<DiskStat> {
  const handle = openSync(systemPath, CREATE_FLAGS, file.permissions ?? 0o666)
  const created = fstatSync(handle, { bigint: true })
  let isOpen = true
  try {
    // Never wider than in the end, not even before the first byte: the umask has only taken away so far.
    if (file.permissions !== undefined) fchmodSync(handle, file.permissions)
    await writeContent(handle, file)
    if (file.mtimeMs !== undefined) setModified(handle, file.mtimeMs)
    // In the thread pool, so that many files become durable at once.
    if (file.isDurable) await fsyncAsync(handle)
    const stat = statOfHandle(handle)
    // Network disks may report a failed write only here. The handle is gone either way.
    isOpen = false
    closeSync(handle)
    return stat
  } catch (error) {
    if (isOpen) closeSync(handle)
    removeCreated(systemPath, created.ino)
    throw error
  }
}

function removeCreated(systemPath: string, inode: bigint): void {
  try {
    if (lstatSync(systemPath, { bigint: true }).ino === inode) unlinkSync(systemPath)
  } catch (error) {
    // The failure that brought us here is the one to report.
    if (errnoOf(error) === undefined) throw error
  }
}

async function writeContent(handle: number, file: NewFile): Promise<void> {
  if (file.content instanceof Uint8Array) {
    for (let at = 0; at < file.content.length; ) {
      at += progressOf(writeSync(handle, file.content, at), file.path)
    }
    return
  }
  for await (const piece of piecesOf(file.content)) {
    for (let at = 0; at < piece.length; ) {
      at += progressOf((await writeAsync(handle, piece, at)).bytesWritten, file.path)
    }
  }
}

/** A system that takes nothing and names no reason would keep us here for ever. */
function progressOf(bytesWritten: number, path: string): number {
  if (bytesWritten === 0) throw failure("EIO", path)
  return bytesWritten
}

/** Below what Node up to 22 stores, and enough for a double to be on the right side of a millisecond. */
const HALF_MICROSECOND_MS = 0.0005

/**
 * Sets the modification time so that it reads back as the same whole milliseconds.
 *
 * Node takes seconds as a double. 1772445600.001 as a double is a little less, and Node up to 22 cuts it to
 * microseconds towards zero, which loses one; half a microsecond away from zero is cut off again. Node 24
 * keeps nanoseconds and so what was added, where it must be upwards, for milliseconds are cut downwards.
 * So what was stored is looked at. As text, because Node takes a negative number for "now".
 */
function setModified(handle: number, mtimeMs: number): void {
  assert(Number.isSafeInteger(mtimeMs), "a modification time is whole milliseconds")
  const wantedNs = BigInt(mtimeMs) * 1_000_000n
  for (const nudgeMs of [0, Math.sign(mtimeMs) * HALF_MICROSECOND_MS, HALF_MICROSECOND_MS]) {
    const seconds = ((mtimeMs + nudgeMs) / 1000).toString()
    futimesSync(handle, seconds, seconds)
    if (fstatSync(handle, { bigint: true }).mtimeNs === wantedNs) return
  }
}
