/** What simulations rely on: ticks, crashes, faults, other people's edits. */

import { expect, test } from "vitest"
import { MemoryDisk } from "../../src/disk/memory-disk.ts"
import { mustHave, textAt } from "./disk-world.ts"

const bytesOf = (text: string) => new TextEncoder().encode(text)
const textsOf = (files: ReadonlyMap<string, Uint8Array>) =>
  Object.fromEntries([...files].map(([path, bytes]) => [path, new TextDecoder().decode(bytes)]))

class Crash extends Error {}

/** Dies at the tick of that number, and at every one after it. */
function dyingAt(number: number): () => void {
  let ticks = 0
  return () => {
    if (++ticks >= number) throw new Crash()
  }
}

async function* breakingContent() {
  yield bytesOf("half")
  throw new Error("lost")
}

test.each([
  { dies: "before it begins", tick: 1, left: {} },
  { dies: "in the middle of the bytes", tick: 2, left: { note: "con" } },
  { dies: "after the last byte", tick: 3, left: { note: "content" } },
])("leaves what is there when the program dies $dies", async ({ tick, left }) => {
  const disk = new MemoryDisk({ tick: dyingAt(tick) })
  await expect(disk.createFile("note", bytesOf("content"))).rejects.toBeInstanceOf(Crash)
  expect(textsOf(disk.crashed({ losesUnsynced: false }).all())).toEqual(left)
})

test("tears content that was not made durable when the power fails, and keeps every name", async () => {
  const disk = new MemoryDisk()
  mustHave(await disk.createFile("durable", bytesOf("content")))
  mustHave(await disk.createFile("cached", bytesOf("content"), { isDurable: false }))
  mustHave(await disk.link("cached", "second name"))
  disk.userWrite("theirs", "content")
  const after = disk.crashed({ losesUnsynced: true })
  expect(textsOf(after.all())).toEqual({
    cached: "con",
    "second name": "con",
    durable: "content",
    theirs: "content",
  })
  expect(textsOf(disk.all())).toMatchObject({ cached: "content" })
  expect(mustHave(await after.stat("cached"))?.links).toBe(2)
})

test("leaves the torn file when the program dies while its content fails", async () => {
  const disk = new MemoryDisk({ tick: dyingAt(3) })
  await expect(disk.createFile("note", breakingContent())).rejects.toBeInstanceOf(Crash)
  expect(textsOf(disk.all())).toEqual({ note: "half" })
})

test("lets an edit fall between the two halves of a read, and shows it in the stat after", async () => {
  const disk = new MemoryDisk()
  disk.userWrite("note", "aaaa")
  disk.tick = (_method, _path, phase) => {
    if (phase === "during") disk.userWrite("note", "bbbb")
  }
  const read = mustHave(await disk.readFile("note"))
  expect(new TextDecoder().decode(read.bytes)).toBe("aabb")
  expect(read.after.mtimeNs).not.toBe(read.before.mtimeNs)
  expect(read.after.inode).toBe(read.before.inode)
})

test("reads on from the old inode when an editor saves by rename", async () => {
  const disk = new MemoryDisk()
  disk.userWrite("note", "aaaa")
  disk.tick = (_method, _path, phase) => {
    if (phase === "during") disk.userReplace("note", "bbbb")
  }
  const read = mustHave(await disk.readFile("note"))
  expect(new TextDecoder().decode(read.bytes)).toBe("aaaa")
  expect(read.after.links).toBe(0)
  expect(mustHave(await disk.stat("note"))?.inode).not.toBe(read.before.inode)
})

test("fails a call as it was told to, without any effect, once", async () => {
  const disk = new MemoryDisk()
  let fails = 1
  disk.failNext = (method) => (method === "createFile" && fails-- > 0 ? "ENOSPC" : undefined)
  expect(await disk.createFile("a", bytesOf("x"))).toEqual({
    ok: false,
    error: { errno: "ENOSPC", path: "a" },
  })
  expect(disk.all().size).toBe(0)
  mustHave(await disk.createFile("a", bytesOf("x")))
})

test("cuts times to steps, so that an edit within a step shows no newer time", async () => {
  let nowMs = 1000.7
  const disk = new MemoryDisk({ nowMs: () => nowMs, timeStepMs: 4 })
  disk.userWrite("note", "one")
  const before = mustHave(await disk.stat("note"))
  nowMs = 1003.9
  disk.userWrite("note", "two")
  expect(mustHave(await disk.stat("note"))).toEqual(before)
  expect(before?.mtimeNs).toBe("1000000000")
  disk.nowMs = () => 1004
  disk.userWrite("note", "two")
  expect(mustHave(await disk.stat("note"))?.mtimeNs).toBe("1004000000")
})

test.each([true, false])("gives a freed inode number out again: %s", async (reusesInodes) => {
  const disk = new MemoryDisk({ reusesInodes })
  disk.userWrite("a", "x")
  const freed = mustHave(await disk.stat("a"))?.inode
  disk.userRemove("a")
  disk.userWrite("b", "x")
  expect(mustHave(await disk.stat("b"))?.inode === freed).toBe(reusesInodes)
})

test("gives no inode number out while the file has another name", async () => {
  const disk = new MemoryDisk({ reusesInodes: true })
  disk.userWrite("a", "x")
  mustHave(await disk.link("a", "b"))
  mustHave(await disk.unlink("a"))
  disk.userWrite("c", "y")
  const [b, c] = [mustHave(await disk.stat("b")), mustHave(await disk.stat("c"))]
  expect(b?.links).toBe(1)
  expect(c?.inode).not.toBe(b?.inode)
})

test("shows the user's files without the control directory, in byte order", async () => {
  const disk = new MemoryDisk()
  for (const path of [".basic-memory/x", "b", "a/c", "a.md", "__proto__"]) disk.userWrite(path, path)
  expect([...disk.tree().keys()]).toEqual(["__proto__", "a.md", "a/c", "b"])
  expect([...disk.all().keys()]).toEqual([".basic-memory/x", "__proto__", "a.md", "a/c", "b"])
})

test("clones so that neither changes the other, and hard links stay linked", async () => {
  const disk = new MemoryDisk()
  disk.userWrite("d/a", "x")
  mustHave(await disk.link("d/a", "b"))
  const copy = disk.clone()
  copy.userWrite("b", "y")
  copy.userRename("d", "e/f")
  expect(await textAt(copy, "e/f/a")).toBe("y")
  expect(textsOf(disk.all())).toEqual({ "d/a": "x", b: "x" })
})
