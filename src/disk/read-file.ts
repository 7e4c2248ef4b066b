/**
 * Reads regular files: whole, or in pieces. Opens without following a link and without blocking, so neither a
 * link nor a FIFO that was put where a file was can lead astray or stop the program.
 *
 * Reads no further than the size that the file had when opened; that it grew meanwhile shows in `after`.
 */

import { closeSync, constants, openSync, read, readSync } from "node:fs"
import { promisify } from "node:util"
import { errnoOf, failure } from "./attempt.ts"
import type { DiskStat, FileRead } from "./disk.ts"
import { statOfHandle } from "./node-stat.ts"

const READ_FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK
const PIECE_BYTES = 1024 * 1024
/** Largest file that is read in one piece; `fs.readSync` takes no more. */
const WHOLE_BYTES_MAX = 2 ** 31 - 1
const readAsync = promisify(read)

export interface OpenFile {
  readonly handle: number
  readonly before: DiskStat
}

/** Whoever gets the handle closes it. */
export function openRegularFile(systemPath: string, path: string): OpenFile {
  const handle = openForReading(systemPath, path)
  try {
    const before = statOfHandle(handle)
    if (before.kind !== "file") throw failure("EINVAL", path)
    return { handle, before }
  } catch (error) {
    closeSync(handle)
    throw error
  }
}

/** A socket cannot be opened at all (`ENXIO`); it is no more a file than a FIFO. */
function openForReading(systemPath: string, path: string): number {
  try {
    return openSync(systemPath, READ_FLAGS)
  } catch (error) {
    throw errnoOf(error) === "ENXIO" ? failure("EINVAL", path) : error
  }
}

export function readWhole(systemPath: string, path: string): FileRead {
  const { handle, before } = openRegularFile(systemPath, path)
  try {
    if (before.sizeBytes > WHOLE_BYTES_MAX) throw failure("EFBIG", path)
    const bytes = readUpTo(handle, before.sizeBytes)
    return { bytes, before, after: statOfHandle(handle) }
  } finally {
    closeSync(handle)
  }
}

function readUpTo(handle: number, sizeBytes: number): Uint8Array {
  // Not from Node's shared pool: a kept note would keep its neighbours.
  const buffer = Buffer.allocUnsafeSlow(sizeBytes)
  let filled = 0
  while (filled < sizeBytes) {
    const count = readSync(handle, buffer, filled, sizeBytes - filled, filled)
    if (count === 0) break
    filled += count
  }
  return filled === sizeBytes ? buffer : buffer.subarray(0, filled)
}

/** Closes the handle at the end, also when the reader stops early. */
export async function* readPieces(
  file: OpenFile,
): AsyncGenerator<Uint8Array, { readonly before: DiskStat; readonly after: DiskStat }, void> {
  const { handle, before } = file
  try {
    for (let position = 0; position < before.sizeBytes; ) {
      const length = Math.min(PIECE_BYTES, before.sizeBytes - position)
      const buffer = Buffer.allocUnsafeSlow(length)
      const { bytesRead } = await readAsync(handle, buffer, 0, length, position)
      if (bytesRead === 0) break
      position += bytesRead
      yield bytesRead === length ? buffer : buffer.subarray(0, bytesRead)
    }
    return { before, after: statOfHandle(handle) }
  } finally {
    closeSync(handle)
  }
}
