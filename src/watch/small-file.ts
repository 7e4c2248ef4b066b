/**
 * Small files that are read whole, and replaced whole in one step: a crash leaves the old one or the new one.
 *
 * A failure is the system's own word for it.
 */

import { randomBytes } from "node:crypto"
import {
  closeSync,
  fchmodSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs"
import { dirname } from "node:path"
import type { Result } from "../model/result.ts"
import { attempt } from "../model/attempt.ts"

const PRIVATE_FILE = 0o600
const PRIVATE_DIRECTORY = 0o700

/** `undefined` where there is no file, where it is no regular one, and where it cannot be read. */
export function readSmallFile(file: string): string | undefined {
  const read = attempt(() => (statSync(file).isFile() ? readFileSync(file, "utf8") : undefined))
  return read.ok ? read.value : undefined
}

/** Takes the place of whatever has this name, a symbolic link too. */
export function replaceSmallFile(file: string, text: string, mode = PRIVATE_FILE): Result<void, string> {
  const temp = `${file}.${randomBytes(6).toString("hex")}`
  const replaced = attempt(() => {
    mkdirSync(dirname(file), { recursive: true, mode: PRIVATE_DIRECTORY })
    const fd = openSync(temp, "wx", PRIVATE_FILE)
    try {
      writeFileSync(fd, text)
      // Whatever the mask of this shell is.
      fchmodSync(fd, mode)
      fsyncSync(fd)
    } finally {
      closeSync(fd)
    }
    renameSync(temp, file)
  })
  // That it cannot be removed is no reason to hide the error that led here.
  if (!replaced.ok) attempt(() => rmSync(temp, { force: true }))
  return replaced
}

/** True where there was one. */
export function removeSmallFile(file: string): Result<boolean, string> {
  const removed = attempt(() => rmSync(file))
  if (removed.ok) return { ok: true, value: true }
  return removed.error === "ENOENT" ? { ok: true, value: false } : removed
}
