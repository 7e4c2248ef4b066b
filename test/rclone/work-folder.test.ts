/** Where uploads wait: private files, gone when they are done, whatever became of them. */

import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, beforeEach, expect, test } from "vitest"
import { ContentLost } from "../../src/model/ports.ts"
import { err, ok } from "../../src/model/result.ts"
import { openWorkFolder, type WorkFolder } from "../../src/rclone/work-folder.ts"
import type { Body } from "../../src/store/store.ts"

const NOW_MS = Date.UTC(2026, 1, 3)
const MTIME_MS = Date.UTC(2021, 4, 6, 7, 8, 9, 125)
const HOUR_MS = 3_600_000

let directory = ""
let parent = ""
let work: WorkFolder
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "bm-work-"))
  parent = join(directory, "rclone-uploads")
  work = openWorkFolder(parent, { name: "mine", nowMs: NOW_MS })
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

const bytes = (text: string): Body => ({ kind: "bytes", bytes: Buffer.from(text) })
const fileOf = (body: Body) => ({ name: "upload", body, mtimeMs: MTIME_MS })

test("nothing is made before there is something to send", () => {
  expect(existsSync(parent)).toBe(false)
  work.close()
})

test("a file has its bytes and the user's time while it is used, is nobody else's, and is gone after that", async () => {
  const used = await work.withFile(fileOf(bytes("text")), async () => {
    const path = join(work.path, "upload")
    const { mode, mtimeMs } = statSync(path)
    expect(readFileSync(path, "utf8")).toBe("text")
    expect(mtimeMs).toBe(MTIME_MS)
    if (process.platform !== "win32") {
      expect(mode & 0o777).toBe(0o600)
      expect(statSync(work.path).mode & 0o777).toBe(0o700)
    }
    return ok("sent")
  })
  expect(used).toEqual(ok("sent"))
  expect(readdirSync(work.path)).toEqual([])
})

test("a stream is written piece by piece", async () => {
  async function* open(): AsyncGenerator<Uint8Array> {
    for (const piece of ["a", "", "bc"]) yield Buffer.from(piece)
  }
  await work.withFile(fileOf({ kind: "stream", sizeBytes: 3, open }), async () => {
    expect(readFileSync(join(work.path, "upload"), "utf8")).toBe("abc")
    return ok(undefined)
  })
})

test("a source that breaks off is told to whoever sends it, and nothing stays", async () => {
  const lost = new ContentLost({ code: "changed_since", path: "a.md" })
  async function* open(): AsyncGenerator<Uint8Array> {
    yield Buffer.from("half")
    throw lost
  }
  let isSent = false
  const using = work.withFile(fileOf({ kind: "stream", sizeBytes: 8, open }), async () => {
    isSent = true
    return ok(undefined)
  })
  await expect(using).rejects.toBe(lost)
  expect(isSent).toBe(false)
  expect(readdirSync(work.path)).toEqual([])
})

test("nothing stays of what failed on its way", async () => {
  const failure = err({ kind: "unreachable", detail: "ECONNRESET" } as const)
  expect(await work.withFile(fileOf(bytes("text")), async () => failure)).toEqual(failure)
  await expect(
    work.withFile(fileOf(bytes("text")), async () => {
      throw new RangeError("ours")
    }),
  ).rejects.toThrow(RangeError)
  expect(readdirSync(work.path)).toEqual([])
})

test("a system that takes no file is a failure with its own word", async () => {
  writeFileSync(parent, "a file where the folder should be")
  expect(await work.withFile(fileOf(bytes("text")), async () => ok(undefined))).toEqual(
    err({ kind: "unreachable", detail: "ENOTDIR" }),
  )
})

test("a folder that somebody removed is made again", async () => {
  await work.withFile(fileOf(bytes("text")), async () => ok(undefined))
  rmSync(parent, { recursive: true })
  expect(await work.withFile(fileOf(bytes("text")), async () => ok("sent"))).toEqual(ok("sent"))
})

test("files of one name are never mixed up", async () => {
  const other = openWorkFolder(parent, { name: "other", nowMs: NOW_MS })
  await work.withFile(fileOf(bytes("mine")), async () => {
    await other.withFile(fileOf(bytes("theirs")), async () => {
      expect(readFileSync(join(work.path, "upload"), "utf8")).toBe("mine")
      return ok(undefined)
    })
    expect(await work.withFile(fileOf(bytes("again")), async () => ok(undefined))).toEqual(
      err({ kind: "unreachable", detail: "EEXIST" }),
    )
    expect(readFileSync(join(work.path, "upload"), "utf8")).toBe("mine")
    return ok(undefined)
  })
})

test("what a crash left is removed a day later, and not what somebody is at now", () => {
  const leave = (name: string, ageMs: number): void => {
    const path = join(parent, name)
    mkdirSync(path, { recursive: true })
    writeFileSync(join(path, "upload"), "left")
    utimesSync(path, (NOW_MS - ageMs) / 1000, (NOW_MS - ageMs) / 1000)
  }
  leave("old", 25 * HOUR_MS)
  leave("young", 23 * HOUR_MS)
  openWorkFolder(parent, { name: "next", nowMs: NOW_MS })
  expect(readdirSync(parent)).toEqual(["young"])
})

test("closing removes the folder, and is no trouble where there is none", async () => {
  await work.withFile(fileOf(bytes("text")), async () => ok(undefined))
  work.close()
  expect(readdirSync(parent)).toEqual([])
  work.close()
})
