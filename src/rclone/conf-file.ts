/**
 * rclone.conf on disk: read as it is, and replaced in one step by a file that was its owner's alone from its first byte.
 *
 * A symbolic link stays, and what it leads to is replaced. There is no backup, because it would hold the same keys; a
 * failure leaves the old file and nothing beside it. rclone writes this file too, to renew tokens: what changed between
 * reading and replacing is read again.
 */

import { randomBytes } from "node:crypto"
import {
  closeSync,
  constants,
  fchownSync,
  fstatSync,
  fsyncSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  type BigIntStats,
  writeFileSync,
} from "node:fs"
import { platform } from "node:os"
import { basename, dirname, join, resolve } from "node:path"
import { err, ok, type Result } from "../model/result.ts"
import { attempt } from "../model/attempt.ts"
import { type Conf, type ConfTrouble, parseConf } from "./conf.ts"

export interface ConfFile {
  /** Where the bytes are: the end of the symbolic links, where there are any. */
  readonly path: string
  readonly conf: Conf
  /** Permissions; absent where there is no file, and on Windows. */
  readonly mode?: number
}

export type ConfFileTrouble =
  | ConfTrouble
  | { readonly kind: "not_a_file" }
  | { readonly kind: "too_large"; readonly sizeBytes: number }
  /** Somebody else writes it, again and again. */
  | { readonly kind: "changing" }
  | { readonly kind: "system"; readonly errno: string }

export interface ConfChange {
  readonly path: string
  /** False where it already was as it shall be. */
  readonly isWritten: boolean
  /** What the permissions were; absent where there was no file, and on Windows. */
  readonly modeBefore?: number
}

type Seen = ConfFile & { readonly stat?: BigIntStats }

const PRIVATE_FILE = 0o600
const PRIVATE_DIRECTORY = 0o700
const OTHERS = 0o077
const SIZE_BYTES_MAX = 4 * 1024 * 1024
const TRIES_MAX = 5
const LINKS_MAX = 40
const LEFTOVER_AGE_MS_MIN = 3_600_000

/** A file that is not there reads as an empty one. */
export function readConfFile(file: string): Result<ConfFile, ConfFileTrouble> {
  const seen = look(file)
  if (!seen.ok) return seen
  const { path, conf, mode } = seen.value
  return ok({ path, conf, ...(mode !== undefined && { mode }) })
}

/** Other people can read keys in a file with this mode, or put their own there. */
export function isOpenToOthers(mode: number | undefined): boolean {
  return mode !== undefined && (mode & OTHERS) !== 0
}

/** Replaces the file by what `change` makes of it; a file that is as wished and private is not touched. */
export function changeConfFile<E>(
  file: string,
  change: (conf: Conf) => Result<Uint8Array, E>,
): Result<ConfChange, ConfFileTrouble | E> {
  for (let tries = 0; tries < TRIES_MAX; tries++) {
    const seen = look(file)
    if (!seen.ok) return seen
    const { path, conf, mode } = seen.value
    const wanted = change(conf)
    if (!wanted.ok) return wanted
    const report = { path, ...(mode !== undefined && { modeBefore: mode }) }
    const isSame = Buffer.compare(wanted.value, conf.bytes) === 0
    if (isSame && !isOpenToOthers(mode)) return ok({ ...report, isWritten: false })
    const replaced = attempt(() => replace(seen.value, wanted.value))
    if (!replaced.ok) return systemTrouble(replaced.error)
    if (replaced.value) return ok({ ...report, isWritten: true })
  }
  return err({ kind: "changing" })
}

function systemTrouble(errno: string) {
  return err({ kind: "system", errno } as const)
}

function look(file: string): Result<Seen, ConfFileTrouble> {
  const read = attempt(() => {
    const path = throughLinks(file)
    return { path, found: readBounded(path) }
  })
  if (!read.ok) return systemTrouble(read.error)
  const { path, found } = read.value
  if (found.kind === "not_a_file" || found.kind === "too_large") return err(found)
  const parsed = parseConf(found.kind === "missing" ? new Uint8Array() : found.bytes)
  if (!parsed.ok) return parsed
  if (found.kind === "missing") return ok({ path, conf: parsed.value })
  const { stat } = found
  const mode = platform() === "win32" ? undefined : Number(stat.mode) & 0o777
  return ok({ path, conf: parsed.value, stat, ...(mode !== undefined && { mode }) })
}

/** Also the end of links that lead to nothing yet: the file is made there. */
function throughLinks(file: string): string {
  let at = resolve(file)
  for (let links = 0; links < LINKS_MAX; links++) {
    const stat = lstatSync(at, { throwIfNoEntry: false })
    if (stat?.isSymbolicLink() !== true) return at
    at = resolve(realpathSync(dirname(at)), readlinkSync(at))
  }
  // The system says it in its own word.
  return realpathSync(at)
}

type Found =
  | { readonly kind: "missing" }
  | { readonly kind: "not_a_file" }
  | { readonly kind: "too_large"; readonly sizeBytes: number }
  | { readonly kind: "file"; readonly bytes: Uint8Array; readonly stat: BigIntStats }

/** One descriptor for both: what is read is what was looked at. A pipe does not keep us waiting. */
function readBounded(path: string): Found {
  if (statSync(path, { throwIfNoEntry: false }) === undefined) return { kind: "missing" }
  const fd = openSync(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0))
  try {
    const stat = fstatSync(fd, { bigint: true })
    if (!stat.isFile()) return { kind: "not_a_file" }
    const sizeBytes = Number(stat.size)
    if (sizeBytes > SIZE_BYTES_MAX) return { kind: "too_large", sizeBytes }
    return { kind: "file", bytes: readFileSync(fd), stat }
  } finally {
    closeSync(fd)
  }
}

/** False where the file is no longer the one that was seen; then nothing has changed. */
function replace({ path, stat }: Seen, bytes: Uint8Array): boolean {
  const directory = dirname(path)
  mkdirSync(directory, { recursive: true, mode: PRIVATE_DIRECTORY })
  const temporary = join(directory, `${temporaryPrefix(path)}${randomBytes(6).toString("hex")}`)
  const fd = openSync(temporary, "wx", PRIVATE_FILE)
  try {
    try {
      // Run by root for somebody else, it stays theirs.
      if (stat !== undefined && Number(stat.uid) !== fstatSync(fd).uid)
        fchownSync(fd, Number(stat.uid), Number(stat.gid))
      writeFileSync(fd, bytes)
      fsyncSync(fd)
    } finally {
      closeSync(fd)
    }
    if (!isUnchanged(path, stat)) {
      rmSync(temporary)
      return false
    }
    renameSync(temporary, path)
  } catch (error) {
    rmSync(temporary, { force: true })
    throw error
  }
  // The file is in its place: what fails now is no failure to write it.
  attempt(() => syncDirectory(directory))
  attempt(() => removeLeftovers(path))
  return true
}

function isUnchanged(path: string, before: BigIntStats | undefined): boolean {
  const now = lstatSync(path, { bigint: true, throwIfNoEntry: false })
  if (now === undefined || before === undefined) return now === before
  const names = ["dev", "ino", "size", "mtimeNs", "ctimeNs"] as const
  return names.every((name) => now[name] === before[name])
}

function temporaryPrefix(path: string): string {
  return `.${basename(path)}.bm-`
}

/** What a kill in the middle of an earlier write left: it holds keys. Younger ones may be another process's. */
function removeLeftovers(path: string): void {
  const directory = dirname(path)
  for (const name of readdirSync(directory)) {
    if (!name.startsWith(temporaryPrefix(path))) continue
    const leftover = join(directory, name)
    const ageMs = Date.now() - (lstatSync(leftover, { throwIfNoEntry: false })?.mtimeMs ?? Infinity)
    if (ageMs > LEFTOVER_AGE_MS_MIN) rmSync(leftover, { force: true })
  }
}

/** Windows has no such call; its rename is as durable as it gets. */
function syncDirectory(directory: string): void {
  if (platform() === "win32") return
  const fd = openSync(directory, "r")
  try {
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
}
