/** Folders under test: a real directory, and one in memory whose inodes are used again. */

import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { folderBackend } from "../../src/backend/folder.ts"
import type { Disk } from "../../src/disk/disk.ts"
import { TEMP_DIRECTORY } from "../../src/disk/layout.ts"
import { MemoryDisk } from "../../src/disk/memory-disk.ts"
import { type NodeDiskOptions, openNodeDisk } from "../../src/disk/node-disk.ts"
import type { DeviceId } from "../../src/model/ids.ts"
import { comparePaths, CONTROL_DIRECTORY, isBelow } from "../../src/model/path.ts"
import {
  type DeviceName,
  type FolderStorage,
  mortalDisk,
  mortality,
  MTIME_MS,
  type Opened,
  sha256,
} from "./storage.ts"

export const DEVICES = { one: "d1", two: "d2" } as unknown as { readonly [Name in DeviceName]: DeviceId }

/** `disk` opens the folder anew, as a device does when it starts. */
function startOn(disk: () => Disk, nowMs: () => number): (device: DeviceName) => Opened {
  return (device) => {
    const { dieAfter, tick } = mortality()
    const mortal = mortalDisk(disk(), tick)
    return { backend: folderBackend({ disk: mortal, device: DEVICES[device], sha256, nowMs }), dieAfter }
  }
}

function isOurs(path: string): boolean {
  return path === CONTROL_DIRECTORY || isBelow(path, CONTROL_DIRECTORY)
}

function isStaged(path: string): boolean {
  return isBelow(path, TEMP_DIRECTORY)
}

export function openDirectory(options: NodeDiskOptions = {}): FolderStorage {
  const parent = mkdtempSync(join(tmpdir(), "bm-backend-"))
  const [root, elsewhere] = [join(parent, "root"), join(parent, "elsewhere")]
  mkdirSync(root)
  mkdirSync(elsewhere)
  writeFileSync(join(elsewhere, "a.md"), "old")
  let laterMs = 0
  const files = () =>
    readdirSync(root, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name).slice(root.length + 1))
      .sort(comparePaths)
  const inRoot = (path: string) => {
    mkdirSync(dirname(join(root, path)), { recursive: true })
    return join(root, path)
  }
  const open = () => {
    const opened = openNodeDisk(root, options)
    if (!opened.ok) throw new Error(opened.error.errno)
    return opened.value
  }
  return {
    start: startOn(open, () => Date.now() + laterMs),
    write(path, text, mtimeMs = MTIME_MS - 1000) {
      writeFileSync(inRoot(path), text)
      utimesSync(join(root, path), mtimeMs / 1000, mtimeMs / 1000)
    },
    remove: (path) => removeFile(root, path),
    tree: () =>
      new Map(
        files()
          .filter((path) => !isOurs(path))
          .map((path) => [path, readFileSync(join(root, path), "utf8")]),
      ),
    staged: () => files().filter(isStaged),
    vanish: () => renameSync(root, `${root}-gone`),
    folder: {
      disk: open(),
      putSymlink: (path) => symlinkSync(elsewhere, inRoot(path)),
      writeOpened: (file, text) => writeFileSync(join(root, file), text),
      later(ms) {
        laterMs += ms
      },
    },
    close: () => rmSync(parent, { recursive: true, force: true }),
  }
}

/** As file managers and `rm -r` leave it: the directories that held nothing else go too. */
function removeFile(root: string, path: string): void {
  rmSync(join(root, path))
  for (let at = dirname(path); at !== "." && readdirSync(join(root, at)).length === 0; at = dirname(at))
    rmSync(join(root, at), { recursive: true })
}

export function openMemoryDisk(): FolderStorage {
  const root = new MemoryDisk({ reusesInodes: true })
  let isGone = false
  const failNext = () => (isGone ? "ESTALE" : undefined)
  const open = () => root.openedWith({ failNext })
  const isEmpty = (path: string) => ![...root.all().keys()].some((file) => isBelow(file, path))
  return {
    start: startOn(open, () => root.nowMs()),
    write: (path, text, mtimeMs = MTIME_MS - 1000) => root.userWrite(path, text, mtimeMs),
    remove(path) {
      root.userRemove(path)
      for (let at = dirname(path); at !== "." && isEmpty(at); at = dirname(at)) root.userRemove(at)
    },
    tree: () => new Map([...root.tree()].map(([path, bytes]) => [path, Buffer.from(bytes).toString()])),
    staged: () => [...root.all().keys()].filter(isStaged),
    vanish() {
      isGone = true
    },
    folder: {
      disk: root,
      putSymlink: (path) => root.putSymlink(path),
      writeOpened: (file, text) => root.userWrite(file, text),
      later(ms) {
        const { nowMs } = root
        root.nowMs = () => nowMs() + ms
      },
    },
    close: () => {},
  }
}
