/**
 * What only buckets promise: the user's times and the writer in the metadata, keys that are no paths, and listings in
 * pages and in shards.
 *
 * Large contents are in `contract-large.ts`, what answers to single requests mean in `contract-s3-answers.ts`, tombstones
 * in `contract-tombstones.ts`.
 */

import { afterEach, beforeEach, describe, expect, test } from "vitest"
import type { ListedFile } from "../../src/model/entry.ts"
import { mustPath } from "../../src/model/path.ts"
import type { Backend } from "../../src/model/ports.ts"
import { must } from "./bucket-storage.ts"
import { large } from "./contract-large.ts"
import { answers, epochs } from "./contract-s3-answers.ts"
import { tombstones } from "./contract-tombstones.ts"
import {
  type BucketStorage,
  carryOut,
  contentOf,
  EVERYTHING,
  type Get,
  known,
  MTIME_MS,
  moving,
  skipUnlessMoved,
  value,
  writing,
} from "./storage.ts"

export interface S3ContractOptions {
  /** How many objects a long listing has, more than a page. */
  readonly keys: number
  /** False of remotes where only the user's time stands beside the bytes. */
  readonly keepsMetadata?: boolean
}

export function s3Contract(
  name: string,
  open: () => BucketStorage | Promise<BucketStorage>,
  { keys, keepsMetadata = true }: S3ContractOptions,
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
    if (keepsMetadata) describe("metadata", () => metadata(get))
    describe("keys", () => keyRules(get))
    describe("long listings", () => longListings(get, keys))
    describe("large content", () => large(get, { keepsMetadata }))
    describe("answers", () => answers(get, { keepsMetadata }))
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

  test("keeps every digit of that time when the object moves", async (context) => {
    skipUnlessMoved(context, one())
    const { store } = storage().bucket
    const mtime = "1700000000.123456789"
    await must(store.put("a.md", { kind: "bytes", bytes: Buffer.from("text") }, { metadata: { mtime } }))
    await carryOut(one(), moving("a.md", "b.md", await known(one(), "a.md")))
    expect(await must(store.head("b.md"))).toMatchObject({ metadata: { mtime } })
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
  test("that end in a slash and hold nothing are neither notes nor trouble", async ({ skip }) => {
    if (storage().traits?.cannotName?.includes("d/") === true) skip("nothing that is here ends in a slash")
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

  test("with control characters are notes, or trouble that hides nothing where the server cannot show them", async () => {
    const { traits, bucket } = storage()
    const text = { kind: "bytes", bytes: Buffer.from("x") } as const
    await must(bucket.store.put("d/a\nb.md", text, { metadata: {} }))
    await storage().write("b.md", "text")
    const { files, unknowns } = value(await one().list(EVERYTHING))
    const notes = files.map(({ path }) => path)
    if (traits?.cannotName?.includes("a\nb") === true) {
      const hidden = unknowns.filter(({ path, scope }) => path === "d" && scope === "absent_children")
      // One of them shows another name in its place.
      expect(notes.length + hidden.length).toBe(2)
      expect(notes).toContain("b.md")
    } else expect({ notes, unknowns }).toEqual({ notes: ["b.md", "d/a\nb.md"], unknowns: [] })
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
    const hasPages = storage().traits?.listsInOnePage !== true
    expect(shards.length).toBe(hasPages ? Math.ceil(keys / 1000) - 1 : 0)
    const inShards = value(await two().list({ ...EVERYTHING, shards }))
    expect(linesOf(inShards.files)).toEqual(linesOf(plain.files))
    expect(inShards.digest).toBe(plain.digest)
    // Shards are only hints: what they were made of may be gone.
    const [border = names[0] ?? ""] = shards
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
    const failing = storage().traits?.listsInOnePage === true ? 1 : 2
    for (const given of [[], shards]) {
      let pages = 0
      storage().bucket.disturb(({ name }, phase) => {
        if (name !== "list" || phase !== "after") return undefined
        pages += 1
        return pages === failing ? { kind: "unreachable", detail: "cut" } : undefined
      })
      expect(await one().list({ ...EVERYTHING, shards: given })).toMatchObject({
        ok: false,
        error: { code: "unreachable" },
      })
      storage().bucket.disturb(undefined)
    }
  })
}
