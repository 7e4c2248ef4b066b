/** Row 2: a disk that is not there, or is there on top of what was, is not a deletion. */

import { expect, test } from "vitest"
import { folderBackend } from "../../src/backend/folder.ts"
import { MemoryDisk } from "../../src/disk/memory-disk.ts"
import type { Base, Listing, Version } from "../../src/model/entry.ts"
import type { DeviceId, RunId, VersionToken } from "../../src/model/ids.ts"
import { mustPath } from "../../src/model/path.ts"
import { compileIgnore } from "../../src/observe/ignore.ts"
import { observe } from "../../src/observe/observe.ts"
import { sha256 } from "../simulation/world.ts"

const PATH = mustPath("m/a.md")
const version: Version = {
  token: "1:3:0:0" as VersionToken,
  sizeBytes: 3,
  mtimeMs: 0,
  hash: sha256("old"),
  fileId: "1",
}
const base: Base = {
  hash: sha256("old"),
  sizeBytes: 3,
  mtimeMs: 0,
  run: "r0" as RunId,
  sequence: 1,
  isHint: false,
}

/** Nothing is listed below `m`, which was a mount point before, or is one now. */
async function look(
  mounts: { readonly before: readonly string[]; readonly now: readonly string[] },
  union = false,
) {
  const disk = new MemoryDisk()
  const listing: Listing = {
    files: [],
    count: 0,
    unknowns: [],
    mounts: mounts.now,
    digest: "",
    sampledMs: 1,
    newestMs: 0,
  }
  const observed = await observe({
    side: "local",
    backend: folderBackend({ disk, device: "d1" as DeviceId, sha256, nowMs: () => 1 }),
    listing,
    paths: new Map([[PATH, { base, local: version, remote: version }]]),
    listedBefore: { digest: "", count: 1, sampledMs: 0, mounts: mounts.before },
    rules: compileIgnore({ global: "", projects: new Map() }),
    acceptsMounts: union,
  })
  if (!observed.ok) throw new Error(observed.error.code)
  return observed.value
}

test.each([
  { what: "is none now", mounts: { before: ["m"], now: [] }, remembered: ["m"] },
  { what: "was none before", mounts: { before: [], now: ["m"] }, remembered: [] },
])("what lay below a mount point that $what is unknown", async ({ mounts, remembered }) => {
  const seen = await look(mounts)
  expect(seen.bodies).toEqual([])
  expect(seen.unknowns).toEqual([{ path: "m", reason: "mount_changed", scope: "subtree" }])
  expect(seen.mounts).toEqual(remembered)
})

test("a union takes the mount points as they are", async () => {
  const seen = await look({ before: ["m"], now: [] }, true)
  expect(seen.bodies).toEqual([{ type: "gone", side: "local", path: PATH }])
  expect(seen.mounts).toEqual([])
})
