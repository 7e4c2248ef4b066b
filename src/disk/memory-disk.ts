/**
 * A disk in memory for simulations: every method stops at `tick` before and after its effect, so a test can
 * crash the program, edit files or let the clock run at each of these points.
 *
 * A `tick` that throws is the program's death: nothing is cleaned up after it. It should go on throwing, for
 * other calls may be under way; then take `crashed` or `clone` and start again on that.
 * What the user does is in `memory-user.ts`, without ticks and faults.
 */

import { comparePaths, isBelow } from "../model/path.ts"
import type { Result } from "../model/result.ts"
import { attempt, errnoOf, failure } from "./attempt.ts"
import { ContentThrew, type FileContent, piecesOf, throwingOn } from "./content.ts"
import type { Disk, DiskError, DirectoryEntry, DiskStat, FileRead } from "./disk.ts"
import {
  type FileInode,
  inodeOf,
  inodeToStat,
  MemoryTree,
  mustBeReplaceable,
  mustFind,
  type Place,
} from "./memory-tree.ts"
import { MemoryUser } from "./memory-user.ts"

export type DiskMethod = keyof Disk
/** `during`: half of the bytes are read or written, or a file that failed is about to be removed. */
export type TickPhase = "before" | "during" | "after"
/** `path` is the target of `link` and `rename`, and empty for `syncDirectories`. */
export type Tick = (method: DiskMethod, path: string, phase: TickPhase) => void | Promise<void>
/** Names the errno that this call shall fail with, before it has any effect. */
export type FailNext = (method: DiskMethod, path: string) => string | undefined

export interface MemoryDiskOptions {
  readonly nowMs?: () => number
  /** The clock as files see it goes in steps of this size. */
  readonly timeStepMs?: number
  readonly reusesInodes?: boolean
  readonly tick?: Tick
  readonly failNext?: FailNext
}

const PIECE_BYTES_MAX = 1024 * 1024
const FIRST_MS = Date.UTC(2026, 2, 2)

export class MemoryDisk extends MemoryUser implements Disk {
  /** May be set at any time, like `nowMs`. */
  tick: Tick
  failNext: FailNext
  readonly #clock: { nowMs: () => number }
  readonly #options: MemoryDiskOptions

  constructor(options: MemoryDiskOptions = {}, other?: MemoryDisk, how: "copied" | "shared" = "copied") {
    const { timeStepMs = 1, reusesInodes = false } = options
    const isShared = other !== undefined && how === "shared"
    const clock = isShared ? other.#clock : { nowMs: options.nowMs ?? clockOfOneMsPerLook() }
    const stepNs = BigInt(Math.round(timeStepMs * 1e6))
    const nowNs = () => BigInt(Math.floor(clock.nowMs() / timeStepMs)) * stepNs
    super(isShared ? other.inodes : new MemoryTree({ nowNs, reusesInodes }, other?.inodes))
    this.#clock = clock
    this.#options = options
    this.tick = options.tick ?? (() => {})
    this.failNext = options.failNext ?? (() => undefined)
  }

  get nowMs(): () => number {
    return this.#clock.nowMs
  }

  set nowMs(nowMs: () => number) {
    this.#clock.nowMs = nowMs
  }

  async readDirectory(path: string): Promise<Result<readonly DirectoryEntry[], DiskError>> {
    return this.#call("readDirectory", path, () =>
      [...this.inodes.directoryAt(path).children]
        .map(([name, inode]) => ({ name, stat: inodeToStat(inode) }))
        .sort((a, b) => comparePaths(a.name, b.name)),
    )
  }

  async stat(path: string): Promise<Result<DiskStat | undefined, DiskError>> {
    return this.#call("stat", path, () => this.#statAt(path))
  }

  #statAt(path: string): DiskStat | undefined {
    try {
      const inode = this.inodes.inodeAt(path)
      return inode && inodeToStat(inode)
    } catch (error) {
      const errno = errnoOf(error)
      if (errno === "ENOENT" || errno === "ENOTDIR") return undefined
      throw error
    }
  }

  async readFile(path: string): Promise<Result<FileRead, DiskError>> {
    return this.#call("readFile", path, async () => {
      const file = this.#openFile(path)
      const before = inodeToStat(file)
      const first = file.bytes.subarray(0, before.sizeBytes >> 1)
      await this.tick("readFile", path, "during")
      const second = file.bytes.subarray(first.length, before.sizeBytes)
      return { bytes: concat(first, second), before, after: inodeToStat(file) }
    })
  }

  async *streamFile(path: string): ReturnType<Disk["streamFile"]> {
    await this.tick("streamFile", path, "before")
    this.#failIfAsked("streamFile", path)
    const file = this.#openFile(path)
    const before = inodeToStat(file)
    const pieceBytes = Math.min(PIECE_BYTES_MAX, Math.ceil(before.sizeBytes / 2))
    for (let at = 0; at < Math.min(before.sizeBytes, file.bytes.length); at += pieceBytes) {
      yield file.bytes.slice(at, Math.min(at + pieceBytes, before.sizeBytes))
      await this.tick("streamFile", path, "during")
    }
    const after = inodeToStat(file)
    await this.tick("streamFile", path, "after")
    return { before, after }
  }

  #openFile(path: string): FileInode {
    const inode = inodeOf(this.inodes.placeAt(path))
    if (inode === undefined) throw failure("ENOENT", path)
    if (inode.kind === "file") return inode
    throw failure(inode.kind === "symlink" ? "ELOOP" : "EINVAL", path)
  }

  async createFile(
    path: string,
    content: FileContent,
    options: { readonly mtimeMs?: number; readonly isDurable?: boolean } = {},
  ): Promise<Result<DiskStat, DiskError>> {
    const created = this.#call("createFile", path, async () => {
      const place = this.inodes.placeAt(path)
      if (inodeOf(place) !== undefined) throw failure("EEXIST", path)
      const file = this.inodes.newFile()
      file.isDurable = false
      this.inodes.attach(place, file)
      await this.#fill(file, place, { path, content })
      this.inodes.write(file, file.bytes, options.mtimeMs)
      file.isDurable = options.isDurable !== false
      return inodeToStat(file)
    })
    return throwingOn(created)
  }

  async #fill(
    file: FileInode,
    place: Place,
    from: { readonly path: string; readonly content: FileContent },
  ): Promise<void> {
    try {
      for await (const piece of piecesOf(from.content)) {
        const whole = concat(file.bytes, piece)
        this.inodes.write(file, whole.slice(0, file.bytes.length + (piece.length >> 1)))
        await this.tick("createFile", from.path, "during")
        this.inodes.write(file, whole)
      }
    } catch (error) {
      // Anything else is a tick that threw: the program is dead, and leaves the torn file.
      if (!(error instanceof ContentThrew)) throw error
      await this.tick("createFile", from.path, "during")
      if (inodeOf(place) === file) this.inodes.detach(place)
      throw error
    }
  }

  async link(from: string, to: string): Promise<Result<void, DiskError>> {
    return this.#call("link", to, () => {
      const source = mustFind(this.inodes.placeAt(from), from)
      const target = this.inodes.placeAt(to)
      if (source.kind === "symlink") throw failure("ELOOP", from)
      if (inodeOf(target) !== undefined) throw failure("EEXIST", to)
      if (source.kind === "directory") throw failure("EPERM", to)
      this.inodes.attach(target, source)
    })
  }

  async rename(from: string, to: string): Promise<Result<void, DiskError>> {
    return this.#call("rename", to, () => {
      const [source, target] = [this.inodes.placeAt(from), this.inodes.placeAt(to)]
      const inode = mustFind(source, from)
      const replaced = inodeOf(target)
      // Two names of one file: POSIX wants both to stay.
      if (replaced === inode) return
      if (isBelow(to, from)) throw failure("EINVAL", to)
      if (replaced !== undefined) mustBeReplaceable({ inode, replaced, to })
      this.inodes.move(source, target, inode)
    })
  }

  async unlink(path: string): Promise<Result<void, DiskError>> {
    return this.#call("unlink", path, () => {
      const place = this.inodes.placeAt(path)
      if (mustFind(place, path).kind === "directory") throw failure("EISDIR", path)
      this.inodes.detach(place)
    })
  }

  async makeDirectory(path: string): Promise<Result<void, DiskError>> {
    return this.#call("makeDirectory", path, () => {
      this.inodes.directoryAt(path, { makes: true })
    })
  }

  async removeDirectory(path: string): Promise<Result<void, DiskError>> {
    return this.#call("removeDirectory", path, () => {
      const place = this.inodes.placeAt(path)
      if (this.inodes.directoryAt(path).children.size > 0) throw failure("ENOTEMPTY", path)
      this.inodes.detach(place)
    })
  }

  /** Names are durable at once in memory; only that the directories exist is checked. */
  async syncDirectories(paths: Iterable<string>): Promise<Result<void, DiskError>> {
    return this.#call("syncDirectories", "", () => {
      for (const path of paths) this.inodes.directoryAt(path)
    })
  }

  async #call<T>(
    method: DiskMethod,
    path: string,
    effect: () => T | Promise<T>,
  ): Promise<Result<T, DiskError>> {
    await this.tick(method, path, "before")
    const result = await attempt(path, () => {
      this.#failIfAsked(method, path)
      return effect()
    })
    await this.tick(method, path, "after")
    return result
  }

  #failIfAsked(method: DiskMethod, path: string): void {
    const errno = this.failNext(method, path)
    if (errno !== undefined) throw failure(errno, path)
  }

  /** The same disk as another program has it open: one tree and one clock, but ticks and faults of its own. */
  openedWith(options: Pick<MemoryDiskOptions, "tick" | "failNext">): MemoryDisk {
    const { tick: _, failNext: __, ...basics } = this.#options
    return new MemoryDisk({ ...basics, ...options }, this, "shared")
  }

  clone(): MemoryDisk {
    const { nowMs, tick, failNext } = this
    return new MemoryDisk({ ...this.#options, nowMs, tick, failNext }, this)
  }

  /** The disk as the next start finds it, without ticks and faults. Names survive; unsynced content may not. */
  crashed(options: { readonly losesUnsynced: boolean }): MemoryDisk {
    const copy = new MemoryDisk(
      { ...this.#options, nowMs: this.nowMs, tick: () => {}, failNext: () => undefined },
      this,
    )
    if (options.losesUnsynced) for (const file of copy.inodes.files().values()) tear(file)
    return copy
  }
}

function tear(file: FileInode): void {
  if (file.isDurable) return
  file.bytes = file.bytes.slice(0, file.bytes.length >> 1)
  file.isDurable = true
}

function concat(first: Uint8Array, second: Uint8Array): Uint8Array {
  const whole = new Uint8Array(first.length + second.length)
  whole.set(first)
  whole.set(second, first.length)
  return whole
}

function clockOfOneMsPerLook(): () => number {
  let nowMs = FIRST_MS
  return () => nowMs++
}
