/**
 * Inodes and names in memory, with the times and link counts that ext4 would show.
 *
 * Synchronous and without faults; `memory-disk.ts` adds those. Content is never changed in place but replaced
 * as a whole, so that whoever was given bytes keeps them. Throws `DiskFailure` as the system would answer.
 */

import { comparePaths, joinPath } from "../model/path.ts"
import { failure } from "./attempt.ts"
import type { DiskStat } from "./disk.ts"
import { segmentsOf } from "./segments.ts"

interface InodeBasics {
  readonly number: number
  links: number
  mtimeNs: bigint
  ctimeNs: bigint
}

export interface FileInode extends InodeBasics {
  readonly kind: "file"
  bytes: Uint8Array
  /** False: a power loss tears its content. */
  isDurable: boolean
}

export interface DirectoryInode extends InodeBasics {
  readonly kind: "directory"
  readonly children: Map<string, Inode>
}

export interface OtherInode extends InodeBasics {
  readonly kind: "symlink" | "special"
}

export type Inode = FileInode | DirectoryInode | OtherInode

/** A name in a directory, whether or not something has it. */
export interface Place {
  readonly directory: DirectoryInode
  readonly name: string
}

export interface TreeOptions {
  readonly nowNs: () => bigint
  /** A freed inode number goes to the next file, as on ext4. */
  readonly reusesInodes: boolean
}

const NO_BYTES = new Uint8Array(0)

export class MemoryTree {
  readonly #options: TreeOptions
  readonly #root: DirectoryInode
  #lastNumber: number
  readonly #freeNumbers: number[]

  constructor(options: TreeOptions, copied?: MemoryTree) {
    this.#options = options
    this.#lastNumber = copied === undefined ? 1 : copied.#lastNumber
    this.#freeNumbers = copied === undefined ? [] : [...copied.#freeNumbers]
    this.#root = copied === undefined ? this.newDirectory() : copyDirectory(copied.#root, new Map())
  }

  /** The directory itself, never through a link. With `makes`, what is missing is created. */
  directoryAt(path: string, options: { readonly makes: boolean } = { makes: false }): DirectoryInode {
    return this.#walk(path, segmentsOf(path), options.makes)
  }

  /** The place of a name whose parent exists; the root has none. */
  placeAt(path: string, options: { readonly makes: boolean } = { makes: false }): Place {
    const segments = segmentsOf(path)
    const name = segments.at(-1)
    if (name === undefined) throw failure("EINVAL", path)
    return { directory: this.#walk(path, segments.slice(0, -1), options.makes), name }
  }

  /** `undefined` where nothing has the name; an absent parent is a failure. */
  inodeAt(path: string): Inode | undefined {
    if (path === "") return this.#root
    return inodeOf(this.placeAt(path))
  }

  #walk(path: string, segments: readonly string[], makes: boolean): DirectoryInode {
    let directory = this.#root
    for (const name of segments) {
      let child = directory.children.get(name)
      if (child === undefined && makes) {
        child = this.newDirectory()
        this.attach({ directory, name }, child)
      }
      if (child === undefined) throw failure("ENOENT", path)
      if (child.kind !== "directory") throw failure(child.kind === "symlink" ? "ELOOP" : "ENOTDIR", path)
      directory = child
    }
    return directory
  }

  newFile(): FileInode {
    return { ...this.#basics(), kind: "file", bytes: NO_BYTES, isDurable: true }
  }

  newDirectory(): DirectoryInode {
    return { ...this.#basics(), kind: "directory", children: new Map() }
  }

  newOther(kind: OtherInode["kind"]): OtherInode {
    return { ...this.#basics(), kind }
  }

  #basics(): InodeBasics {
    const now = this.#options.nowNs()
    const number = this.#freeNumbers.pop() ?? ++this.#lastNumber
    return { number, links: 0, mtimeNs: now, ctimeNs: now }
  }

  /** Gives an inode a name; what had the name loses it. */
  attach(place: Place, inode: Inode): void {
    const replaced = inodeOf(place)
    inode.links++
    inode.ctimeNs = this.#options.nowNs()
    place.directory.children.set(place.name, inode)
    if (replaced !== undefined) this.#unlink(replaced)
    this.#touch(place.directory)
  }

  detach(place: Place): void {
    const inode = inodeOf(place)
    if (inode === undefined) return
    place.directory.children.delete(place.name)
    this.#unlink(inode)
    this.#touch(place.directory)
  }

  /** Both names in one step, so that no link count passes through zero. */
  move(from: Place, to: Place, inode: Inode): void {
    this.attach(to, inode)
    this.detach(from)
  }

  write(file: FileInode, bytes: Uint8Array, mtimeMs?: number): void {
    file.bytes = bytes
    this.#touch(file)
    if (mtimeMs !== undefined) file.mtimeNs = BigInt(mtimeMs) * 1_000_000n
  }

  #touch(inode: Inode): void {
    inode.mtimeNs = this.#options.nowNs()
    inode.ctimeNs = inode.mtimeNs
  }

  #unlink(inode: Inode): void {
    inode.links--
    inode.ctimeNs = this.#options.nowNs()
    if (inode.links > 0) return
    if (this.#options.reusesInodes) this.#freeNumbers.push(inode.number)
    if (inode.kind === "directory") for (const child of inode.children.values()) this.#unlink(child)
  }

  /** Every file by its path, in byte order. */
  files(): ReadonlyMap<string, FileInode> {
    const found: (readonly [string, FileInode])[] = []
    collectFiles(this.#root, "", found)
    return new Map(found.sort(([a], [b]) => comparePaths(a, b)))
  }
}

export function inodeOf(place: Place): Inode | undefined {
  return place.directory.children.get(place.name)
}

export function mustFind(place: Place, path: string): Inode {
  const inode = inodeOf(place)
  if (inode === undefined) throw failure("ENOENT", path)
  return inode
}

/** What `rename` may put `inode` over. */
export function mustBeReplaceable(names: {
  readonly inode: Inode
  readonly replaced: Inode
  readonly to: string
}): void {
  const { inode, replaced, to } = names
  if (replaced.kind === "directory") {
    if (inode.kind !== "directory") throw failure("EISDIR", to)
    if (replaced.children.size > 0) throw failure("ENOTEMPTY", to)
  } else if (inode.kind === "directory") throw failure("ENOTDIR", to)
}

export function inodeToStat(inode: Inode): DiskStat {
  return {
    kind: inode.kind,
    inode: inode.number.toString(),
    deviceNumber: "1",
    sizeBytes: inode.kind === "file" ? inode.bytes.length : 0,
    mtimeNs: inode.mtimeNs.toString(),
    ctimeNs: inode.ctimeNs.toString(),
    links: inode.links,
  }
}

/** Files with several names stay one file in the copy. */
function copyDirectory(directory: DirectoryInode, copies: Map<Inode, Inode>): DirectoryInode {
  const copy: DirectoryInode = { ...directory, children: new Map() }
  for (const [name, child] of directory.children) {
    const childCopy =
      copies.get(child) ?? (child.kind === "directory" ? copyDirectory(child, copies) : { ...child })
    copies.set(child, childCopy)
    copy.children.set(name, childCopy)
  }
  return copy
}

function collectFiles(
  directory: DirectoryInode,
  path: string,
  found: (readonly [string, FileInode])[],
): void {
  for (const [name, child] of directory.children) {
    const childPath = joinPath(path, name)
    if (child.kind === "directory") collectFiles(child, childPath, found)
    if (child.kind === "file") found.push([childPath, child])
  }
}
