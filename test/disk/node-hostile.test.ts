/** What only a real file system can do to us. The tree `elsewhere` is the canary: it must never change. */

import { execFileSync } from "node:child_process"
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readlinkSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs"
import { join } from "node:path"
import { afterEach, beforeEach, expect, test } from "vitest"
import { openNodeDisk } from "../../src/disk/node-disk.ts"
import { mustHave, textAt } from "./disk-world.ts"
import { type NodeWorld, openNodeWorld } from "./node-world.ts"

const isLinux = process.platform === "linux"
const isRoot = process.getuid?.() === 0
const bytesOf = (text: string) => new TextEncoder().encode(text)

/** Those that lead below a directory: tests beside this one, in other threads, have theirs. */
function openHandles(directory: string): number {
  return readdirSync("/proc/self/fd").filter((fd) => leadsTo(fd).startsWith(`${directory}/`)).length
}

/** One that was closed since it was listed leads nowhere. */
function leadsTo(fd: string): string {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`)
  } catch {
    return ""
  }
}

let world: NodeWorld
beforeEach(() => {
  world = openNodeWorld()
})
afterEach(() => {
  expect(readdirSync(world.elsewhere)).toEqual(["secret.md", "sub"])
  expect(readFileSync(join(world.elsewhere, "secret.md"), "utf8")).toBe("secret")
  expect(readdirSync(join(world.elsewhere, "sub"))).toEqual([])
  world.close()
})

test("opens a root through a symbolic link, and answers ENOENT or ENOTDIR for no directory", async () => {
  const link = `${world.root}-link`
  symlinkSync(world.root, link)
  world.write("note", "x")
  expect(await textAt(mustHave(openNodeDisk(link)), "note")).toBe("x")
  expect(openNodeDisk(join(world.root, "absent"))).toMatchObject({ ok: false, error: { errno: "ENOENT" } })
  expect(openNodeDisk(join(world.root, "note"))).toMatchObject({ ok: false, error: { errno: "ENOTDIR" } })
})

test("says ESTALE when the root is gone, so that it never reads as empty", async () => {
  world.write("note", "x")
  renameSync(world.root, `${world.root}-away`)
  for (const answer of [
    await world.disk.stat("note"),
    await world.disk.stat(""),
    await world.disk.readDirectory(""),
  ]) {
    expect(answer).toMatchObject({ ok: false, error: { errno: "ESTALE" } })
  }
})

test("refuses a parent that was swapped for a symbolic link, and one that was swapped back is fine", async () => {
  const parent = join(world.root, "a")
  world.write("a/secret.md", "own")
  for (let round = 0; round < 50; round++) {
    renameSync(parent, `${parent}-kept`)
    symlinkSync(world.elsewhere, parent)
    expect(await world.disk.unlink("a/secret.md")).toMatchObject({ ok: false, error: { errno: "ELOOP" } })
    expect(await world.disk.createFile("a/new", bytesOf("x"))).toMatchObject({
      ok: false,
      error: { errno: "ELOOP" },
    })
    rmSync(parent)
    renameSync(`${parent}-kept`, parent)
    expect(await textAt(world.disk, "a/secret.md")).toBe("own")
  }
})

test("removes a failed file from where it was made, though its parent became a link meanwhile", async () => {
  const parent = join(world.root, "a")
  mkdirSync(parent)
  async function* swapping() {
    yield bytesOf("half")
    renameSync(parent, `${parent}-kept`)
    symlinkSync(world.elsewhere, parent)
    throw new Error("lost")
  }
  await expect(world.disk.createFile("a/secret.md", swapping())).rejects.toThrow("lost")
  expect(readdirSync(`${parent}-kept`)).toEqual([])
})

test.skipIf(!isLinux)(
  "lists two names that are not UTF-8 as two, each by its bytes (on Linux: others refuse such names)",
  async () => {
    const names = [
      Buffer.from([0x61, 0xff]),
      Buffer.from([0x61, 0xfe]),
      Buffer.from("a\ufffd"),
      Buffer.from("b"),
    ]
    for (const name of names) writeFileSync(Buffer.concat([Buffer.from(`${world.root}/`), name]), name)
    const entries = mustHave(await world.disk.readDirectory(""))
    expect(
      entries.map(({ name, nameBase64, stat }) => ({ name, nameBase64, sizeBytes: stat?.sizeBytes })),
    ).toEqual([
      { name: "a\ufffd", nameBase64: undefined, sizeBytes: 4 },
      { name: "a\ufffd", nameBase64: Buffer.from([0x61, 0xfe]).toString("base64"), sizeBytes: 2 },
      { name: "a\ufffd", nameBase64: Buffer.from([0x61, 0xff]).toString("base64"), sizeBytes: 2 },
      { name: "b", nameBase64: undefined, sizeBytes: 1 },
    ])
  },
)

test("creates files that the umask allows, and never executable", async () => {
  mustHave(await world.disk.createFile("note", bytesOf("x"), { isDurable: false }))
  expect(lstatSync(join(world.root, "note")).mode & 0o777).toBe(0o666 & ~process.umask())
})

test("reports what the disk stored when it cannot keep a time", async () => {
  const stat = mustHave(await world.disk.createFile("note", bytesOf("x"), { mtimeMs: 253_402_300_799_999 }))
  expect(stat).toEqual(mustHave(await world.disk.stat("note")))
})

test("answers EINVAL for a socket", async () => {
  const code = `require("node:net").createServer().listen(${JSON.stringify(join(world.root, "s"))}, () => process.kill(process.pid, 9))`
  expect(() => execFileSync(process.execPath, ["-e", code], { stdio: "ignore" })).toThrow()
  expect(await world.disk.readFile("s")).toEqual({ ok: false, error: { errno: "EINVAL", path: "s" } })
})

test.skipIf(isRoot)(
  "answers EACCES for a directory that may not be read (skipped as root, who may)",
  async () => {
    world.write("d/note", "x")
    chmodSync(join(world.root, "d"), 0)
    expect(await world.disk.readDirectory("d")).toMatchObject({ ok: false, error: { errno: "EACCES" } })
    expect(await world.disk.stat("d/note")).toMatchObject({ ok: false, error: { errno: "EACCES" } })
    chmodSync(join(world.root, "d"), 0o700)
  },
)

test.skipIf(!isLinux)("closes every handle, also when operations fail", async () => {
  const { disk } = world
  world.write("a/b/note", "x")
  world.putSymlink("a/link")
  await disk.stat("a")
  // What the disk holds for as long as it is open is its root itself.
  expect(openHandles(world.root)).toBe(0)
  for (let round = 0; round < 100; round++) {
    await disk.readDirectory("a/b")
    await disk.readFile("a/b/note")
    await disk.readFile("a/b")
    await disk.stat("a/absent/x")
    await disk.stat("a/link/x")
    await disk.createFile("a/b/note", bytesOf("x"))
    await disk.createFile(`a/b/${round}`, bytesOf("x"), { isDurable: false })
    await disk.rename(`a/b/${round}`, "a/absent/x")
    await disk.syncDirectories(["a/b", "a/absent"])
    for await (const piece of disk.streamFile("a/b/note")) if (piece.length > 0) break
  }
  expect(openHandles(world.root)).toBe(0)
})

test.skipIf(!isLinux || !isRoot)(
  "answers ENOSPC on a full disk and leaves nothing (skipped unless root on Linux)",
  async () => {
    mkdirSync(join(world.root, "small"))
    const mount = join(world.root, "small")
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=64k", "tmpfs", mount])
    try {
      const large = new Uint8Array(256 * 1024)
      async function* pieces() {
        for (let i = 0; i < 4; i++) yield large.subarray(0, 64 * 1024)
      }
      for (const content of [large, pieces()]) {
        const answer = await world.disk.createFile("small/large", content)
        expect(answer).toEqual({ ok: false, error: { errno: "ENOSPC", path: "small/large" } })
      }
      expect(readdirSync(mount)).toEqual([])
      mustHave(await world.disk.createFile("small/little", bytesOf("x")))
      world.write("big", "x")
      expect(await world.disk.link("big", "small/big")).toMatchObject({
        ok: false,
        error: { errno: "EXDEV" },
      })
      expect(mustHave(await world.disk.stat("small"))?.deviceNumber).not.toBe(
        mustHave(await world.disk.stat(""))?.deviceNumber,
      )
      const onMount = mustHave(openNodeDisk(mount))
      execFileSync("umount", [mount])
      expect(await onMount.stat("little")).toMatchObject({ ok: false, error: { errno: "ESTALE" } })
      expect(await onMount.readDirectory("")).toMatchObject({ ok: false, error: { errno: "ESTALE" } })
    } finally {
      if (lstatSync(mount).dev !== lstatSync(world.root).dev) execFileSync("umount", [mount])
    }
  },
)

test("lists and reads 10,000 files in 150 directories", async () => {
  const { disk } = world
  for (let i = 0; i < 150; i++) {
    const directory = `area-${i % 10}/topic-${i}`
    mustHave(await disk.makeDirectory(directory))
    for (let j = 0; j < 67; j++) writeFileSync(join(world.root, directory, `note-${j}.md`), "x".repeat(4096))
  }
  const paths: string[] = []
  async function scan(directory: string): Promise<void> {
    for (const { name, stat } of mustHave(await disk.readDirectory(directory))) {
      const path = directory === "" ? name : `${directory}/${name}`
      if (stat?.kind === "directory") await scan(path)
      else paths.push(path)
    }
  }
  const startedMs = performance.now()
  await scan("")
  const scannedMs = performance.now()
  for (const path of paths) mustHave(await disk.readFile(path))
  const readMs = performance.now()
  console.info(
    `10,050 files: listed in ${Math.round(scannedMs - startedMs)} ms, read in ${Math.round(readMs - scannedMs)} ms`,
  )
  expect(paths).toHaveLength(10_050)
})
