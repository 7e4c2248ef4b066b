/** §5.2, §5.9: what must outlive a power loss is made durable, file and name, before anything relies on it. */

import fs from "node:fs"
import { open } from "node:fs/promises"
import { syncBuiltinESMExports } from "node:module"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest"
import { contentOf, sha256, value, writing } from "../backend/storage.ts"
import { must } from "../simulation/world.ts"

/** Inodes that were made durable, in their order. */
let synced: bigint[] = []
let directory = ""
let restore = () => {}

beforeEach(async () => {
  synced = []
  directory = fs.mkdtempSync(join(tmpdir(), "bm-durable-"))
  const probe = await open(directory)
  const handles = Object.getPrototypeOf(probe) as { sync: (this: { readonly fd: number }) => Promise<void> }
  await probe.close()
  const { fsync } = fs
  const { sync } = handles
  const note = (handle: number) => synced.push(fs.fstatSync(handle, { bigint: true }).ino)
  handles.sync = function noted() {
    note(this.fd)
    return sync.call(this)
  }
  fs.fsync = ((handle: number, done: fs.NoParamCallback) => {
    note(handle)
    fsync(handle, done)
  }) as typeof fs.fsync
  syncBuiltinESMExports()
  // The modules take the functions when they are loaded.
  vi.resetModules()
  restore = () => {
    handles.sync = sync
    fs.fsync = fsync
    syncBuiltinESMExports()
    vi.resetModules()
  }
})
afterEach(() => {
  restore()
  fs.rmSync(directory, { recursive: true, force: true })
})

const inodeOf = (path: string) => fs.statSync(join(directory, path), { bigint: true }).ino

test("a version that is kept is durable with its pack, its index and the branch that leads to it", async () => {
  const { openGitHistory } = await import("../../src/history/git-history.ts")
  const writer = must(await openGitHistory({ directory }).begin())
  const oid = must(await writer.add(Buffer.from("kept")))
  const changes = [{ path: "a.md", oid }] as unknown as Parameters<typeof writer.commit>[0]["changes"]
  must(await writer.commit({ changes, message: "keep", atMs: 0 }))
  must(await writer.finish())
  const packs = fs.readdirSync(join(directory, "objects/pack")).map((name) => `objects/pack/${name}`)
  expect(packs).toHaveLength(2)
  for (const path of [...packs, "objects/pack", "refs/heads/main", "refs/heads"])
    expect(synced, path).toContain(inodeOf(path))
})

test("a large version that is kept is durable", async () => {
  const { openGitHistory } = await import("../../src/history/git-history.ts")
  const oid = must(await openGitHistory({ directory }).keepLarge(contentOf("large")))
  const path = `objects/${oid.slice(0, 2)}/${oid.slice(2)}`
  for (const each of [path, dirname(path), "objects"]) expect(synced, each).toContain(inodeOf(each))
})

describe("a note that is written", () => {
  test("is durable before it gets its name, and its name once it is flushed", async () => {
    const { openNodeDisk } = await import("../../src/disk/node-disk.ts")
    const { folderBackend } = await import("../../src/backend/folder.ts")
    const disk = must(openNodeDisk(directory))
    const device = "d1" as Parameters<typeof folderBackend>[0]["device"]
    const backend = folderBackend({ disk, device, sha256, nowMs: () => 0 })
    const operation = writing("d/e/a.md", "new")
    const mark = value(await backend.stage(operation, contentOf("new")))
    expect(synced).toContain(inodeOf(`.basic-memory/tmp/d1/${operation.op}`))
    value(await backend.apply(operation, mark))
    value(await backend.flush())
    for (const path of ["d/e", "d", "."]) expect(synced, path).toContain(inodeOf(path))
  })
})
