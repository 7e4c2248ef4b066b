/**
 * The file system as this program uses it: a handful of operations below one root.
 *
 * Paths are relative to the root and `/`-separated; the empty string is the root itself. No operation follows
 * a symbolic link, neither as the last name nor as a directory on the way: such a path answers `ELOOP`. So
 * nothing here can reach outside the root, whatever anybody puts into it while we work.
 * `node-disk.ts` is the real one, `memory-disk.ts` the one that tests crash at every call.
 */

import type { Result } from "../model/result.ts"

/** What the system said, by its own name (`ENOENT`, `EEXIST`, `ENOSPC`, …). */
export interface DiskError {
  readonly errno: string
  readonly path: string
}

export type DiskKind = "file" | "directory" | "symlink" | "special"

export interface DiskStat {
  readonly kind: DiskKind
  readonly inode: string
  /** Of the file system; compare with the parent's only, never across runs. */
  readonly deviceNumber: string
  readonly sizeBytes: number
  /** Nanoseconds since 1970, decimal, so that no digit is lost. */
  readonly mtimeNs: string
  readonly ctimeNs: string
  readonly links: number
  /** Who may read and write it, as nine bits; absent where the disk has no such thing. */
  readonly permissions?: number
}

export interface DirectoryEntry {
  readonly name: string
  /** The name's bytes in base64, only when they are not UTF-8; `name` is then only a picture of them. */
  readonly nameBase64?: string
  /** Absent: it vanished, or could not be looked at. */
  readonly stat?: DiskStat
}

export interface FileRead {
  readonly bytes: Uint8Array
  /** From the open file, before the first byte and after the last. */
  readonly before: DiskStat
  readonly after: DiskStat
}

export interface Disk {
  /** Everything in a directory, in byte order of names. A directory that cannot be read is an error, never empty. */
  readDirectory(path: string): Promise<Result<readonly DirectoryEntry[], DiskError>>
  /** `undefined` where nothing is, also when a parent is absent or is a file. */
  stat(path: string): Promise<Result<DiskStat | undefined, DiskError>>
  /** Reads a regular file whole. Opens without following links and without blocking; anything but a file is `EINVAL`. */
  readFile(path: string): Promise<Result<FileRead, DiskError>>
  /** Reads a regular file in pieces; throws `DiskFailure`. The last value is the file's stat before and after. */
  streamFile(
    path: string,
  ): AsyncGenerator<Uint8Array, { readonly before: DiskStat; readonly after: DiskStat }, void>
  /** Creates a file that must not exist (`EEXIST`), writes it, sets its time and makes its content durable. */
  createFile(
    path: string,
    content: Uint8Array | AsyncIterable<Uint8Array>,
    options?: { readonly mtimeMs?: number; readonly isDurable?: boolean; readonly permissions?: number },
  ): Promise<Result<DiskStat, DiskError>>
  /** A second name for a file; `EEXIST` where something is at `to`. */
  link(from: string, to: string): Promise<Result<void, DiskError>>
  /** Moves a name. Where something is at `to` it is replaced, so `to` is always a fresh name of ours. */
  rename(from: string, to: string): Promise<Result<void, DiskError>>
  unlink(path: string): Promise<Result<void, DiskError>>
  /** Creates the directory and every parent that is missing. */
  makeDirectory(path: string): Promise<Result<void, DiskError>>
  /** Removes an empty directory (`ENOTEMPTY` otherwise). */
  removeDirectory(path: string): Promise<Result<void, DiskError>>
  /** Makes the names in these directories durable. */
  syncDirectories(paths: Iterable<string>): Promise<Result<void, DiskError>>
}

export class DiskFailure extends Error {
  readonly diskError: DiskError
  constructor(diskError: DiskError) {
    super(`${diskError.errno} ${diskError.path}`)
    this.diskError = diskError
  }
}
