/**
 * The user of a disk in memory: edits, saves, renames and deletes as people and their editors do, and looks.
 *
 * Has no ticks, no faults and no waiting, so that a simulation may call it at any tick of the program.
 */

import { CONTROL_DIRECTORY, isBelow } from "../model/path.ts"
import { inodeOf, type MemoryTree, mustFind } from "./memory-tree.ts"

const encoder = new TextEncoder()

export class MemoryUser {
  protected readonly inodes: MemoryTree

  protected constructor(inodes: MemoryTree) {
    this.inodes = inodes
  }

  /** Overwrites in place, as a plain program does: same inode, all its names. Makes the parents it needs. */
  userWrite(path: string, content: string | Uint8Array, mtimeMs?: number): void {
    const place = this.inodes.placeAt(path, { makes: true })
    const present = inodeOf(place)
    const file = present?.kind === "file" ? present : this.inodes.newFile()
    if (file !== present) this.inodes.attach(place, file)
    file.isDurable = true
    this.inodes.write(file, toBytes(content), mtimeMs)
  }

  /** Saves as editors do: a new file takes the name, the old inode loses it. */
  userReplace(path: string, content: string | Uint8Array, mtimeMs?: number): void {
    const place = this.inodes.placeAt(path, { makes: true })
    const file = this.inodes.newFile()
    this.inodes.write(file, toBytes(content), mtimeMs)
    this.inodes.attach(place, file)
  }

  /** A file, or a directory with everything in it. */
  userRemove(path: string): void {
    const place = this.inodes.placeAt(path)
    mustFind(place, path)
    this.inodes.detach(place)
  }

  userRename(from: string, to: string): void {
    const source = this.inodes.placeAt(from)
    const inode = mustFind(source, from)
    const target = this.inodes.placeAt(to, { makes: true })
    if (inodeOf(target) !== inode) this.inodes.move(source, target, inode)
  }

  putSymlink(path: string): void {
    this.inodes.attach(this.inodes.placeAt(path, { makes: true }), this.inodes.newOther("symlink"))
  }

  /** A FIFO, socket or device. */
  putSpecial(path: string): void {
    this.inodes.attach(this.inodes.placeAt(path, { makes: true }), this.inodes.newOther("special"))
  }

  /** When content or name of a file last changed. */
  changedMs(path: string): number {
    return Number(mustFind(this.inodes.placeAt(path), path).ctimeNs / 1_000_000n)
  }

  /** What the user has: every file but those of the control directory, in byte order of paths. */
  tree(): ReadonlyMap<string, Uint8Array> {
    return new Map([...this.all()].filter(([path]) => !isBelow(path, CONTROL_DIRECTORY)))
  }

  /** Every file, in byte order of paths. */
  all(): ReadonlyMap<string, Uint8Array> {
    return new Map([...this.inodes.files()].map(([path, file]) => [path, file.bytes]))
  }
}

function toBytes(content: string | Uint8Array): Uint8Array {
  return typeof content === "string" ? encoder.encode(content) : content.slice()
}
