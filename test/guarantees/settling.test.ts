/** §5.1, §5.10: what an interrupted step did is told by what only that step can have left. */

import { expect, test } from "vitest"
import { folderBackend } from "../../src/backend/folder.ts"
import { emptyBucket, memoryBackend } from "../../src/backend/memory.ts"
import { MemoryDisk } from "../../src/disk/memory-disk.ts"
import type { DeviceId } from "../../src/model/ids.ts"
import type { Backend } from "../../src/model/ports.ts"
import { contentOf, known, sha256, value, writing } from "../backend/storage.ts"

const NOW_MS = Date.UTC(2026, 2, 2)

async function carryOut(backend: Backend, operation: ReturnType<typeof writing>, text: string) {
  const mark = value(await backend.stage(operation, contentOf(text)))
  expect(value(await backend.apply(operation, mark))).toMatchObject({ kind: "applied" })
  return mark
}

test("a file is ours by its inode, whatever a user has made of it by now", async () => {
  const disk = new MemoryDisk()
  const start = () => folderBackend({ disk, device: "d1" as DeviceId, sha256, nowMs: () => NOW_MS })
  disk.userWrite("a.md", "old")
  const operation = writing("a.md", "new", await known(start(), "a.md"))
  const mark = await carryOut(start(), operation, "new")
  disk.userWrite("a.md", "new, and edited")
  expect(value(await start().settle(operation, mark))).toMatchObject({ kind: "applied" })
  expect(Buffer.from(disk.tree().get("a.md") ?? []).toString()).toBe("new, and edited")
})

test("a file is not ours by its bytes alone", async () => {
  const disk = new MemoryDisk()
  const start = () => folderBackend({ disk, device: "d1" as DeviceId, sha256, nowMs: () => NOW_MS })
  const operation = writing("a.md", "new")
  const mark = value(await start().stage(operation, contentOf("new")))
  disk.userWrite("a.md", "new")
  expect(value(await start().settle(operation, mark))).toEqual({ kind: "not_applied" })
})

test("an object is ours though somebody has built on it already", async () => {
  const bucket = emptyBucket()
  const start = () => memoryBackend({ bucket, sha256, nowMs: () => NOW_MS })
  const ours = writing("a.md", "ours")
  const mark = await carryOut(start(), ours, "ours")
  for (let next = 0; next < 8; next++) {
    expect(value(await start().settle(ours, mark)), `${next} later`).toMatchObject({ kind: "applied" })
    await carryOut(start(), writing("a.md", `theirs ${next}`, await known(start(), "a.md")), `theirs ${next}`)
  }
})
