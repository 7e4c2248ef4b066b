/**
 * What every `Disk` must do: one suite, run by the real disk and by the one in memory.
 *
 * Names, directories and containment are in `contract-names.ts`.
 */

import { afterEach, beforeEach, describe, expect, test } from "vitest"
import { type Disk, DiskFailure } from "../../src/disk/disk.ts"
import { ContentLost } from "../../src/model/ports.ts"
import { containment, directories, naming } from "./contract-names.ts"
import {
  bytesOf,
  type DiskWorld,
  drain,
  errnoOf,
  type Get,
  mustHave,
  piecesOf,
  textAt,
} from "./disk-world.ts"

export function diskContract(name: string, open: () => DiskWorld): void {
  describe(name, () => {
    let world: DiskWorld
    let disk: Disk
    beforeEach(() => {
      world = open()
      disk = world.disk
    })
    afterEach(() => world.close())
    const get = { world: () => world, disk: () => disk }
    describe("looking", () => looking(get))
    describe("reading", () => reading(get))
    describe("creating", () => creating(get))
    describe("naming", () => naming(get))
    describe("directories", () => directories(get))
    describe("containment", () => containment(get))
  })
}

function looking({ world, disk }: Get): void {
  test("lists a directory in byte order of names, whatever UTF-16 says", async () => {
    const names = [
      "b.md",
      "a",
      "a.md",
      "\uff21.md",
      "\u{1f600}.md",
      "__proto__",
      "constructor",
      "é",
      "a\nb",
      "-rf",
    ]
    for (const name of names) world().write(name, "x")
    const entries = mustHave(await disk().readDirectory(""))
    const expected = names.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
    expect(entries.map((entry) => entry.name)).toEqual(expected)
    expect(entries.every((entry) => entry.nameBase64 === undefined)).toBe(true)
  })

  test("gives each entry its stat, of the name itself and not of what it points to", async () => {
    world().write("d/file", "four")
    world().putSymlink("d/link")
    world().putSpecial("d/pipe")
    mustHave(await disk().makeDirectory("d/sub"))
    const entries = mustHave(await disk().readDirectory("d"))
    expect(entries.map(({ name, stat }) => [name, stat?.kind])).toEqual([
      ["file", "file"],
      ["link", "symlink"],
      ["pipe", "special"],
      ["sub", "directory"],
    ])
    const [first] = entries
    if (first?.stat === undefined) throw new Error("the entry has no stat")
    // Field by field: an entry's stat may make them only when they are read.
    const { kind, inode, deviceNumber, sizeBytes, mtimeNs, ctimeNs, links, permissions } = first.stat
    expect({ kind, inode, deviceNumber, sizeBytes, mtimeNs, ctimeNs, links, permissions }).toEqual(
      mustHave(await disk().stat("d/file")),
    )
    expect({ sizeBytes, links }).toEqual({ sizeBytes: 4, links: 1 })
  })

  test("keeps a name that holds U+FFFD itself", async () => {
    world().write("a\ufffdb.md", "x")
    const [entry] = mustHave(await disk().readDirectory(""))
    expect(entry).toMatchObject({ name: "a\ufffdb.md", stat: { kind: "file" } })
    expect(entry).not.toHaveProperty("nameBase64")
  })

  test("answers undefined where nothing is, where a parent is absent and where a parent is a file", async () => {
    world().write("file", "x")
    for (const path of ["absent", "absent/x", "file/x"])
      expect(await disk().stat(path)).toEqual({ ok: true, value: undefined })
  })

  test("says that a directory which cannot be read is an error, never empty", async () => {
    world().write("file", "x")
    world().putSymlink("link")
    expect(await errnoOf(disk().readDirectory("absent"))).toBe("ENOENT")
    expect(await errnoOf(disk().readDirectory("file"))).toBe("ENOTDIR")
    expect(await errnoOf(disk().readDirectory("link"))).toBe("ELOOP")
  })

  test("knows the root by the empty path", async () => {
    expect(mustHave(await disk().stat(""))).toMatchObject({ kind: "directory" })
    expect(mustHave(await disk().readDirectory(""))).toEqual([])
    expect(await errnoOf(disk().unlink(""))).toBe("EINVAL")
  })
}

function reading({ world, disk }: Get): void {
  test("reads a file whole, with its stat before and after", async () => {
    world().write("a/note.md", "hello")
    const read = mustHave(await disk().readFile("a/note.md"))
    expect(new TextDecoder().decode(read.bytes)).toBe("hello")
    expect(read.before).toEqual(read.after)
    expect(read.before).toEqual(mustHave(await disk().stat("a/note.md")))
  })

  test("reads an empty file as no bytes", async () => {
    world().write("empty", "")
    expect(mustHave(await disk().readFile("empty")).bytes).toHaveLength(0)
    expect(await drain(disk(), "empty")).toMatchObject({ text: "", before: { sizeBytes: 0 } })
  })

  test("streams a file of several pieces, with its stat before and after", async () => {
    const text = "0123456789abcdef".repeat(200_000)
    world().write("large", text)
    const drained = await drain(disk(), "large")
    expect(drained.text === text).toBe(true)
    expect(drained.before).toEqual(drained.after)
  })

  test("answers EINVAL for anything but a file, and never waits for a FIFO", async () => {
    world().putSpecial("pipe")
    mustHave(await disk().makeDirectory("d"))
    for (const path of ["pipe", "d", ""]) expect(await errnoOf(disk().readFile(path))).toBe("EINVAL")
    await expect(drain(disk(), "pipe")).rejects.toMatchObject({
      diskError: { errno: "EINVAL", path: "pipe" },
    })
  })

  test("answers ENOENT, ENOTDIR or ELOOP with the path that was asked for", async () => {
    world().write("file", "x")
    world().putSymlink("link")
    expect(await disk().readFile("absent/x")).toEqual({
      ok: false,
      error: { errno: "ENOENT", path: "absent/x" },
    })
    expect(await disk().readFile("file/x")).toEqual({
      ok: false,
      error: { errno: "ENOTDIR", path: "file/x" },
    })
    expect(await disk().readFile("link")).toEqual({ ok: false, error: { errno: "ELOOP", path: "link" } })
    await expect(drain(disk(), "absent")).rejects.toBeInstanceOf(DiskFailure)
  })
}

/** Division alone cuts towards zero, and would turn the last millisecond before 1970 into the first after. */
function floorToMs(ns: bigint): bigint {
  const rest = ((ns % 1_000_000n) + 1_000_000n) % 1_000_000n
  return (ns - rest) / 1_000_000n
}

function creating({ world, disk }: Get): void {
  test("creates a file with its bytes and its time", async () => {
    const stat = mustHave(
      await disk().createFile("note.md", bytesOf("hello"), { mtimeMs: 1_772_445_600_000 }),
    )
    expect(await textAt(disk(), "note.md")).toBe("hello")
    expect(stat).toMatchObject({ kind: "file", sizeBytes: 5, mtimeNs: "1772445600000000000", links: 1 })
    expect(stat).toEqual(mustHave(await disk().stat("note.md")))
  })

  test.each([
    0, -1, 1, 999, 1001, -1001, -1999, -86_400_001, 1_772_445_600_001, 1_772_445_600_999, 4_102_444_800_123,
  ])("keeps the time %i ms, cut downwards to milliseconds", async (mtimeMs) => {
    const stat = mustHave(await disk().createFile("note.md", bytesOf("x"), { mtimeMs }))
    expect(floorToMs(BigInt(stat.mtimeNs))).toBe(BigInt(mtimeMs))
  })

  test("writes every piece of a stream, and an empty one as an empty file", async () => {
    mustHave(await disk().createFile("streamed", piecesOf(["a", "", "bc"])))
    mustHave(await disk().createFile("empty", piecesOf([]), { isDurable: false }))
    expect(await textAt(disk(), "streamed")).toBe("abc")
    expect(await textAt(disk(), "empty")).toBe("")
  })

  test("answers EEXIST and leaves what is there, be it a file, a directory or a link", async () => {
    world().write("file", "old")
    world().putSymlink("link")
    mustHave(await disk().makeDirectory("d"))
    for (const path of ["file", "link", "d"])
      expect(await errnoOf(disk().createFile(path, bytesOf("new")))).toBe("EEXIST")
    expect(await textAt(disk(), "file")).toBe("old")
  })

  test("removes the file and throws on what the content threw", async () => {
    const lost = new ContentLost({ code: "unreachable", path: "far.md" })
    async function* breaking() {
      yield bytesOf("half")
      throw lost
    }
    await expect(disk().createFile("note.md", breaking())).rejects.toBe(lost)
    expect(mustHave(await disk().readDirectory(""))).toEqual([])
  })

  test("needs the parent to be there", async () => {
    expect(await errnoOf(disk().createFile("absent/x", bytesOf("x")))).toBe("ENOENT")
  })
}
