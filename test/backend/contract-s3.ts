/**
 * What only buckets promise: the user's times and the writer in the metadata, keys that are no paths, listings in pages
 * and in shards, and large contents in parts.
 *
 * What answers to single requests mean is in `contract-s3-answers.ts`, tombstones in `contract-tombstones.ts`.
 */

import { createHash } from "node:crypto"
import { afterEach, beforeEach, describe, expect, test } from "vitest"
import type { ListedFile } from "../../src/model/entry.ts"
import { mustContentHash } from "../../src/model/ids.ts"
import { CONTROL_DIRECTORY, mustPath } from "../../src/model/path.ts"
import { type Backend, type Content, ContentLost } from "../../src/model/ports.ts"
import type { Operation } from "../../src/model/action.ts"
import { bytesAt, must } from "./bucket-storage.ts"
import { answers, epochs } from "./contract-s3-answers.ts"
import { tombstones } from "./contract-tombstones.ts"
import {
  type BucketStorage,
  carryOut,
  contentOf,
  EVERYTHING,
  type Get,
  known,
  moving,
  MTIME_MS,
  value,
  writing,
} from "./storage.ts"

export interface S3ContractOptions {
  /** How many objects a long listing has, more than a page. */
  readonly keys: number
}

const MEBI = 1024 * 1024

export function s3Contract(
  name: string,
  open: () => BucketStorage | Promise<BucketStorage>,
  { keys }: S3ContractOptions,
): void {
  describe(name, () => {
    let storage: BucketStorage
    let one: Backend
    let two: Backend
    beforeEach(async () => {
      storage = await open()
      one = (await storage.start("one")).backend
      two = (await storage.start("two")).backend
      value(await one.createEpoch("first"))
      value(await two.readEpoch([]))
    })
    afterEach(() => storage.close())
    const get: Get<BucketStorage> = { storage: () => storage, one: () => one, two: () => two }
    describe("metadata", () => metadata(get))
    describe("keys", () => keyRules(get))
    describe("long listings", () => longListings(get, keys))
    describe("large content", () => large(get))
    describe("answers", () => answers(get))
    describe("the epoch of a bucket", () => epochs(get))
    describe("tombstones", () => tombstones(get))
  })
}

function metadata({ storage, one, two }: Get<BucketStorage>): void {
  test("has the user's time as rclone writes it, the hash, the op and the device", async () => {
    const operation = writing("a.md", "text")
    await carryOut(one(), operation, contentOf("text"))
    const { metadata } = await must(storage().bucket.store.head("a.md"))
    expect(metadata["mtime"]).toMatch(/^\d+\.\d+$/)
    expect(Number(metadata["mtime"]) * 1000).toBeCloseTo(MTIME_MS, 3)
    expect(metadata).toMatchObject({
      "bm-op": operation.op,
      "bm-device": "one",
      "bm-sha256": contentOf("text").hash.replace("sha256:", ""),
    })
  })

  test("that rclone wrote gives its time, in whole milliseconds", async () => {
    const text = { kind: "bytes", bytes: Buffer.from("text") } as const
    const mtime = "1700000000.123456789"
    await must(storage().bucket.store.put("a.md", text, { metadata: { mtime } }))
    const version = value(await one().look(mustPath("a.md")))
    expect(version).toMatchObject({ mtimeMs: 1_700_000_000_123 })
    if (version === undefined) throw new Error("a.md is not there")
    const { origin } = value(await one().read(mustPath("a.md"), version))
    expect(origin).toMatchObject({ mtimeMs: 1_700_000_000_123, lineage: [] })
  })

  test("names the device that wrote a version, to those who look", async () => {
    await carryOut(one(), writing("a.md", "text"), contentOf("text"))
    expect(value(await two().look(mustPath("a.md")))).toMatchObject({ device: "one" })
  })

  test("that is missing or nonsense gives the time of the upload, and an unknown writer", async () => {
    const { store } = storage().bucket
    const text = { kind: "bytes", bytes: Buffer.from("text") } as const
    await must(store.put("a.md", text, { metadata: {} }))
    await must(store.put("b.md", text, { metadata: { mtime: "yesterday", "bm-op": "x", "bm-lineage": "y" } }))
    for (const path of ["a.md", "b.md"]) {
      const { lastModifiedMs } = await must(store.head(path))
      const version = value(await one().look(mustPath(path)))
      expect(version).toMatchObject({ mtimeMs: lastModifiedMs, lineage: [] })
      expect(version).not.toHaveProperty("device")
    }
  })

  test("keeps the ops a version was built on, so that an upload over ours leaves ours recognised", async () => {
    const mine = writing("a.md", "mine")
    const mark = value(await one().stage(mine, contentOf("mine")))
    expect(value(await one().apply(mine, mark)).kind).toBe("applied")
    // Not one flush: whatever the answer was, it is lost.
    for (const text of ["theirs", "theirs, again"])
      expect(
        await carryOut(two(), writing("a.md", text, await known(two(), "a.md")), contentOf(text)),
      ).toEqual({ kind: "applied" })
    const later = await storage().start("one")
    expect(value(await later.backend.settle(mine, mark))).toEqual({ kind: "applied" })
    expect(Object.fromEntries(await storage().tree())).toEqual({ "a.md": "theirs, again" })
  })

  test("of a foreign upload over ours leaves ours not applied", async () => {
    const mine = writing("a.md", "mine")
    const mark = value(await one().stage(mine, contentOf("mine")))
    expect(value(await one().apply(mine, mark)).kind).toBe("applied")
    await storage().write("a.md", "foreign")
    const later = await storage().start("one")
    expect(value(await later.backend.settle(mine, mark))).toEqual({ kind: "not_applied" })
    expect(Object.fromEntries(await storage().tree())).toEqual({ "a.md": "foreign" })
  })

  test("that a foreign program kept while it replaced the bytes is not believed for the hash", async () => {
    await carryOut(one(), writing("a.md", "mine"), contentOf("mine"))
    const { store } = storage().bucket
    const { metadata } = await must(store.head("a.md"))
    await must(store.put("a.md", { kind: "bytes", bytes: Buffer.from("foreign") }, { metadata }))
    const version = await known(two(), "a.md")
    expect(version.hash).toBe(contentOf("foreign").hash)
  })
}

/** No path is any of them. Servers over folders refuse most. */
const NO_PATHS = ["a//b.md", "/a.md", "a/../b.md", "./a.md", "a/./b.md", "a/..", "../a.md", "x/"]

function keyRules({ storage, one }: Get<BucketStorage>): void {
  test("that end in a slash and hold nothing are neither notes nor trouble", async () => {
    const { store } = storage().bucket
    const empty = { kind: "bytes", bytes: Buffer.from("") } as const
    await must(store.put("d/", empty, { metadata: {} }))
    await storage().write("d/a.md", "text")
    const { files, unknowns } = value(await one().list(EVERYTHING))
    expect({ paths: files.map(({ path }) => path), unknowns }).toEqual({ paths: ["d/a.md"], unknowns: [] })
  })

  test.each(NO_PATHS)("%j is an unknown, or refused by the server, and never a note", async (key) => {
    await storage().write("b.md", "text")
    const text = { kind: "bytes", bytes: Buffer.from("no path") } as const
    const put = await storage().bucket.store.put(key, text, { metadata: {} })
    // What the server made of it is what its own listing says.
    const listed = await must(storage().bucket.store.list({ prefix: "" }))
    const isThere = put.ok && listed.objects.some((object) => object.key === key)
    const { files, unknowns } = value(await one().list(EVERYTHING))
    expect(unknowns.map(({ path, scope }) => ({ path, scope }))).toEqual(
      isThere ? [{ path: key, scope: "path" }] : [],
    )
    expect(files.map(({ path }) => path)).not.toContain(key)
  })

  test("with control characters are notes as the server names them, or trouble that hides nothing", async () => {
    const { store } = storage().bucket
    const text = { kind: "bytes", bytes: Buffer.from("x") } as const
    await store.put("d/a\nb.md", text, { metadata: {} })
    await storage().write("b.md", "text")
    const { objects, broken } = await must(store.list({ prefix: "" }))
    const shown = objects.map(({ key }) => key).filter((key) => !key.startsWith(CONTROL_DIRECTORY))
    const { files, unknowns } = value(await one().list(EVERYTHING))
    expect(files.map(({ path }) => path)).toEqual(shown)
    expect(unknowns).toEqual(
      broken.flatMap((key) => [
        { path: key, reason: "not_utf8", scope: "path" },
        { path: "d", reason: "not_utf8", scope: "absent_children" },
      ]),
    )
  })

  test("with a replacement character are trouble, in the directory that they lie in", async () => {
    const text = { kind: "bytes", bytes: Buffer.from("x") } as const
    await must(storage().bucket.store.put("d/a\uFFFDb.md", text, { metadata: {} }))
    await storage().write("d/c.md", "text")
    const { files, unknowns } = value(await one().list(EVERYTHING))
    expect(files.map(({ path }) => path)).toEqual(["d/c.md"])
    expect(unknowns).toEqual([
      { path: "d/a\uFFFDb.md", reason: "not_utf8", scope: "path" },
      { path: "d", reason: "not_utf8", scope: "absent_children" },
    ])
  })

  test("below our own prefix are nobody's notes", async () => {
    await storage().write(".basic-memory/bisync/other.json", "{}")
    await storage().write(".basic-memory-not/a.md", "text")
    const { files, unknowns } = value(await one().list(EVERYTHING))
    expect({ paths: files.map(({ path }) => path), unknowns }).toEqual({
      paths: [".basic-memory-not/a.md"],
      unknowns: [],
    })
  })
}

function longListings({ storage, one, two }: Get<BucketStorage>, keys: number): void {
  const names = Array.from(
    { length: keys },
    (_, number) => `d${number % 7}/k${String(number).padStart(5, "0")}.md`,
  )
  const linesOf = (files: readonly ListedFile[]) =>
    files.map(({ path, version }) => `${path} ${version.token}`)

  /** One after the other would take long on a server. */
  const fill = async (): Promise<void> => {
    for (let at = 0; at < names.length; at += 64)
      await Promise.all(names.slice(at, at + 64).map((name) => storage().write(name, name)))
  }

  test("are whole, and the same in shards as page after page, whatever changed meanwhile", async () => {
    await fill()
    const plain = value(await one().list(EVERYTHING))
    expect(plain.files.map(({ path }) => path)).toEqual(names.toSorted())
    const { shards = [] } = plain
    expect(shards.length).toBe(Math.ceil(keys / 1000) - 1)
    const inShards = value(await two().list({ ...EVERYTHING, shards }))
    expect(linesOf(inShards.files)).toEqual(linesOf(plain.files))
    expect(inShards.digest).toBe(plain.digest)
    // Shards are only hints: what they were made of may be gone.
    const [border = ""] = shards
    await storage().remove(border)
    await storage().write(`${border}0`, "after the border")
    await storage().write("0", "before everything")
    await storage().write("zz/é.md", "after everything")
    const now = value(await one().list(EVERYTHING))
    expect(now.count).toBe(keys + 2)
    for (const odd of [
      shards,
      [...shards].toReversed(),
      [...shards, ...shards],
      ["zzz", "é", ""],
      names.slice(0, 200),
    ]) {
      const sharded = value(await two().list({ ...EVERYTHING, shards: odd }))
      expect(linesOf(sharded.files)).toEqual(linesOf(now.files))
    }
    await changingMeanwhile(shards)
  })

  /** Every key that was there before and after is there; nothing is there twice. */
  const changingMeanwhile = async (shards: readonly string[]): Promise<void> => {
    const before = value(await one().list(EVERYTHING))
    for (const given of [[], shards]) {
      let pages = 0
      storage().bucket.disturb(async ({ name }, phase) => {
        if (name !== "list" || phase !== "after") return undefined
        pages += 1
        await storage().write(`d0/k00000.md${pages}`, "new at the front")
        await storage().write(`d6/z${pages}.md`, "new at the back")
        return undefined
      })
      const seen = value(await two().list({ ...EVERYTHING, shards: given }))
      storage().bucket.disturb(undefined)
      const paths = seen.files.map(({ path }) => path)
      expect(new Set(paths).size).toBe(paths.length)
      const missing = before.files.filter(({ path }) => !paths.includes(path))
      expect(missing).toEqual([])
    }
  }

  test("are nothing where one page fails", async () => {
    await fill()
    const { shards = [] } = value(await one().list(EVERYTHING))
    for (const given of [[], shards]) {
      let pages = 0
      storage().bucket.disturb(({ name }, phase) => {
        if (name !== "list" || phase !== "after") return undefined
        pages += 1
        return pages === 2 ? { kind: "unreachable", detail: "cut" } : undefined
      })
      expect(await one().list({ ...EVERYTHING, shards: given })).toMatchObject({
        ok: false,
        error: { code: "unreachable" },
      })
      storage().bucket.disturb(undefined)
    }
  })
}

const LARGE_BYTES = 20 * MEBI + 5

/** Like noise, so that no part equals another. */
function largeContent(options: { readonly breaksAtBytes?: number } = {}): Content {
  const pieces = Array.from({ length: 21 }, (_, index) => {
    const piece = Buffer.alloc(index < 20 ? MEBI : 5, `${index} `)
    piece.write(`piece ${index}`.slice(0, piece.length))
    return piece
  })
  const { breaksAtBytes = Number.POSITIVE_INFINITY } = options
  const hasher = createHash("sha256")
  for (const piece of pieces) hasher.update(piece)
  return {
    kind: "stream",
    sizeBytes: LARGE_BYTES,
    hash: mustContentHash(`sha256:${hasher.digest("hex")}`),
    async *open() {
      let sent = 0
      for (const piece of pieces) {
        if (sent >= breaksAtBytes) throw new ContentLost({ code: "changed_since", path: "source.md" })
        yield piece
        sent += piece.length
      }
    },
  }
}

function writingLarge(path: string, content: Content): Operation {
  const { op, step } = writing(path, "")
  if (step.kind !== "write") throw new Error("not a write")
  return {
    op,
    step: {
      ...step,
      source: { kind: "history", hash: content.hash },
      sizeBytes: LARGE_BYTES,
      hash: content.hash,
    },
  }
}

function large({ storage, one, two }: Get<BucketStorage>): void {
  test("comes back as it went, with its time, and leaves no upload", async () => {
    const content = largeContent()
    const operation = writingLarge("d/large.bin", content)
    const mark = value(await one().stage(operation, content))
    expect([...(await storage().tree()).keys()]).toEqual([])
    expect(value(await one().apply(operation, mark)).kind).toBe("applied")
    const version = value(await one().flush()).get(operation.op)
    expect(version).toEqual(value(await two().look(mustPath("d/large.bin"))))
    expect(version).toMatchObject({ sizeBytes: LARGE_BYTES, mtimeMs: MTIME_MS, device: "one" })
    expect(await storage().staged()).toEqual([])
    const bytes = await bytesAt(storage().bucket.store, "d/large.bin")
    expect(`sha256:${createHash("sha256").update(bytes).digest("hex")}`).toBe(content.hash)
    if (version === undefined) throw new Error("no version")
    const read = value(await two().read(mustPath("d/large.bin"), version))
    expect(read).toMatchObject({ kind: "stream", hash: content.hash, sizeBytes: LARGE_BYTES })
  })

  test("moves with its time", async () => {
    const content = largeContent()
    await carryOut(one(), writingLarge("large.bin", content), content)
    const operation = moving("large.bin", "d/large.bin", {
      ...(await seen(two(), "large.bin")),
      hash: content.hash,
    })
    expect((await carryOut(two(), operation)).kind).toBe("applied")
    expect(await seen(one(), "d/large.bin")).toMatchObject({ sizeBytes: LARGE_BYTES, mtimeMs: MTIME_MS })
    expect([...(await storage().tree()).keys()]).toEqual(["d/large.bin"])
    expect(await storage().staged()).toEqual([])
  })

  test("whose source breaks publishes nothing, and leaves no upload", async () => {
    const content = largeContent({ breaksAtBytes: 12 * MEBI })
    const operation = writingLarge("large.bin", content)
    // Where parts have no conditions it is sent in one piece, when it is applied.
    const staged = await one().stage(operation, content)
    const broken = staged.ok ? await one().apply(operation, staged.value) : staged
    expect(broken).toEqual({ ok: false, error: { code: "changed_since", path: "source.md" } })
    expect(await storage().tree()).toEqual(new Map())
    expect(await storage().staged()).toEqual([])
  })

  test("that finds its path taken publishes nothing, and leaves no upload", async () => {
    const content = largeContent()
    const operation = writingLarge("large.bin", content)
    const mark = value(await one().stage(operation, content))
    await storage().write("large.bin", "theirs")
    expect(value(await one().apply(operation, mark))).toEqual({ kind: "changed" })
    expect(await storage().tree()).toEqual(new Map([["large.bin", "theirs"]]))
    expect(await storage().staged()).toEqual([])
  })

  test("that was staged by a life that ended is given up by the next one, a day later and not before", async () => {
    const content = largeContent()
    value(await one().stage(writingLarge("large.bin", content), content))
    const before = await storage().staged()
    await (await storage().start("one")).backend.discardStaged()
    expect(await storage().staged()).toEqual(before)
    storage().bucket.later(25 * 3_600_000)
    await (await storage().start("one")).backend.discardStaged()
    expect(await storage().staged()).toEqual([])
    expect(await storage().tree()).toEqual(new Map())
  })

  test("that another program wrote under a false hash breaks once, and is read right then", async () => {
    const content = largeContent()
    await carryOut(one(), writingLarge("large.bin", content), content)
    const { store } = storage().bucket
    const bytes = Buffer.alloc(9 * MEBI, "foreign ")
    const { metadata } = await must(store.head("large.bin"))
    await must(store.put("large.bin", { kind: "bytes", bytes }, { metadata }))
    const version = await seen(two(), "large.bin")
    const drain = async (read: Content): Promise<string> => {
      if (read.kind === "bytes") throw new Error("not a stream")
      const hasher = createHash("sha256")
      for await (const piece of read.open()) hasher.update(piece)
      return `sha256:${hasher.digest("hex")}`
    }
    const first = value(await two().read(mustPath("large.bin"), version))
    await expect(drain(first)).rejects.toMatchObject({ trouble: { code: "hash_mismatch" } })
    const second = value(await two().read(mustPath("large.bin"), version))
    expect(await drain(second)).toBe(second.hash)
  })
}

async function seen(backend: Backend, path: string) {
  const version = value(await backend.look(mustPath(path)))
  if (version === undefined) throw new Error(`nothing is at ${path}`)
  return version
}
