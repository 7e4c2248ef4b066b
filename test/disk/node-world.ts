/** A real directory for one test: the disk below it, and a tree outside it that must never change. */

import { execFileSync } from "node:child_process"
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { type NodeDiskOptions, openNodeDisk } from "../../src/disk/node-disk.ts"
import { type DiskWorld, mustHave } from "./disk-world.ts"

export interface NodeWorld extends DiskWorld {
  readonly root: string
  readonly elsewhere: string
}

export function openNodeWorld(options: NodeDiskOptions = {}): NodeWorld {
  const parent = mkdtempSync(join(tmpdir(), "bm-disk-"))
  const [root, elsewhere] = [join(parent, "root"), join(parent, "elsewhere")]
  mkdirSync(root)
  mkdirSync(join(elsewhere, "sub"), { recursive: true })
  writeFileSync(join(elsewhere, "secret.md"), "secret")
  const inRoot = (path: string) => {
    mkdirSync(dirname(join(root, path)), { recursive: true })
    return join(root, path)
  }
  return {
    root,
    elsewhere,
    disk: mustHave(openNodeDisk(root, options)),
    write: (path, text) => writeFileSync(inRoot(path), text),
    putSymlink: (path) => symlinkSync(elsewhere, inRoot(path)),
    putSpecial: (path) => execFileSync("mkfifo", [inRoot(path)]),
    close: () => rmSync(parent, { recursive: true, force: true }),
  }
}
