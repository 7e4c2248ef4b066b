/** The disk in memory keeps the contract, with times in steps and inodes used again. */

import { MemoryDisk } from "../../src/disk/memory-disk.ts"
import { diskContract } from "./contract.ts"

diskContract("MemoryDisk", () => {
  const disk = new MemoryDisk({ reusesInodes: true, timeStepMs: 0.5 })
  return {
    disk,
    write: (path, text) => disk.userWrite(path, text),
    putSymlink: (path) => disk.putSymlink(path),
    putSpecial: (path) => disk.putSpecial(path),
    close: () => {},
  }
})
