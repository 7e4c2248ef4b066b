/** §5.2, §5.3: whoever saves at the very moment in which a file is replaced or removed keeps what was saved. */

import { describe, expect, test } from "vitest"
import { folderBackend } from "../../src/backend/folder.ts"
import { MemoryDisk } from "../../src/disk/memory-disk.ts"
import { ContentLost } from "../../src/model/ports.ts"
import type { Operation } from "../../src/model/action.ts"
import type { DeviceId } from "../../src/model/ids.ts"
import type { Version } from "../../src/model/entry.ts"
import { mustPath } from "../../src/model/path.ts"
import { contentOf, known, removing, sha256, textOf, value, writing } from "../backend/storage.ts"
import { must } from "../simulation/world.ts"
import { agree, publish, START, treeOf } from "./story.ts"

const NOW_MS = Date.UTC(2026, 2, 2)
const PATH = mustPath("d/a.md")

function begin() {
  const disk = new MemoryDisk()
  disk.userWrite(PATH, "old")
  const backend = folderBackend({ disk, device: "d1" as DeviceId, sha256, nowMs: () => NOW_MS })
  const texts = () =>
    Object.fromEntries([...disk.all()].map(([path, bytes]) => [path, Buffer.from(bytes).toString()]))
  return { disk, backend, texts }
}

describe.each<{ readonly step: string; readonly make: (old: Version) => Operation }>([
  { step: "replaced", make: (old) => writing(PATH, "new", old) },
  { step: "removed", make: (old) => removing(PATH, old) },
])("a file that is $step", ({ make }) => {
  test.each([
    { how: "another file", save: (disk: MemoryDisk) => disk.userReplace(PATH, "theirs") },
    { how: "in place", save: (disk: MemoryDisk) => disk.userWrite(PATH, "theirs") },
  ])("stays as somebody saved it just before it goes aside: $how", async ({ save }) => {
    const { disk, backend, texts } = begin()
    const operation = make(await known(backend, PATH))
    const mark = value(await backend.stage(operation, contentOf("new")))
    disk.tick = (method, _, phase) => {
      if (method !== "rename" || phase !== "before") return
      disk.tick = () => {}
      save(disk)
    }
    expect(value(await backend.apply(operation, mark))).toEqual({ kind: "changed" })
    expect(texts()).toEqual({ [PATH]: "theirs" })
  })
})

test("a file that is replaced stays as somebody saved it just after it went aside", async () => {
  const { disk, backend, texts } = begin()
  const operation = writing(PATH, "new", await known(backend, PATH))
  const mark = value(await backend.stage(operation, contentOf("new")))
  let renames = 0
  disk.tick = (method, _, phase) => {
    if (method === "rename" && phase === "after" && ++renames === 1) disk.userWrite(PATH, "theirs")
  }
  expect(value(await backend.apply(operation, mark))).toEqual({ kind: "changed" })
  expect(texts()[PATH]).toBe("theirs")
})

test("what an editor still saves into a replaced file comes back as a file", async () => {
  const story = await agree("folder")
  const { simulation, first, second } = story
  second.save("a.md", "alpha two")
  await publish(story)
  must(await first.sync())
  simulation.nowMs += 5_000
  must(await first.sync())
  const asides = [...first.disk.all().keys()].filter((path) => path.startsWith(".basic-memory/trash/"))
  expect(asides).toHaveLength(1)
  for (const aside of asides) simulation.edit(first.name, ["a.md"], () => first.disk.userWrite(aside, "late"))
  simulation.nowMs += 70_000
  must(await first.sync())
  expect(treeOf(first)).toEqual({ ...START, "a.md": "alpha two", "a.md.conflict1": "late" })
})

describe("§5.6: is not read torn", () => {
  test("a small file, whenever somebody writes to it", async () => {
    const { disk, backend } = begin()
    const version = await known(backend, PATH)
    disk.tick = (method, _, phase) => {
      if (method === "readFile" && phase === "during") disk.userWrite(PATH, "new")
    }
    expect(await backend.read(PATH, version)).toMatchObject({ ok: false, error: { code: "changed_since" } })
  })

  test("a large file, though it is written to after it was hashed", async () => {
    const { disk, backend } = begin()
    disk.userWrite(PATH, "x".repeat(9 * 1024 * 1024))
    const content = value(await backend.read(PATH, value(await backend.look(PATH)) as Version))
    if (content.kind !== "stream") throw new Error("a large file comes in pieces")
    disk.userWrite(PATH, "y".repeat(9 * 1024 * 1024))
    await expect(textOf(content)).rejects.toThrow(ContentLost)
  })
})
