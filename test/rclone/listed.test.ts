/** What rclone lists, as objects and as what is none. */

import { describe, expect, test } from "vitest"
import { headOf, pageOf } from "../../src/rclone/listed.ts"
import type { RcloneRemote } from "../../src/rclone/remote.ts"
import { REMOTE } from "./fake-rclone.ts"

const FOLDER: RcloneRemote = { ...REMOTE, fs: "r:" }
const HASHED: RcloneRemote = { ...FOLDER, checksum: "md5" }
const BUCKET: RcloneRemote = { ...HASHED, isBucketBased: true, isTimeSlow: true }
const LOCAL: RcloneRemote = { ...FOLDER, isLocal: true }
const TIMELESS: RcloneRemote = { ...FOLDER, keepsTimes: false }

const TIME = "2026-02-03T04:05:06.789Z"
const TIME_MS = Date.UTC(2026, 1, 3, 4, 5, 6, 789)
const MD5 = "5d41402abc4b2a76b9719d911017c592"

const item = (more: object = {}) => ({ Path: "d/a.md", Name: "a.md", Size: 5, ModTime: TIME, ...more })
const page = (remote: RcloneRemote, ...items: readonly unknown[]) => pageOf(remote, { list: items })

describe("a version", () => {
  test("is told by the checksum of its storage, where that shows one", () => {
    expect(page(HASHED, item({ Hashes: { md5: MD5, sha1: "x" } })).objects).toEqual([
      { key: "d/a.md", etag: `5:md5:${MD5}`, sizeBytes: 5, lastModifiedMs: TIME_MS, mtimeMs: TIME_MS },
    ])
  })

  test.each([
    ["its storage shows none of this one", HASHED, { Hashes: { md5: "" } }],
    ["its storage shows none of any", HASHED, {}],
    ["there is another one than was asked for", HASHED, { Hashes: { sha1: "x" } }],
    ["its storage has none", FOLDER, { Hashes: { md5: MD5 } }],
  ])("is told by size and time where %s", (_, remote, more) => {
    expect(page(remote, item(more)).objects).toMatchObject([{ etag: `5:t:${TIME_MS}` }])
  })

  test("has the time that it was made in its token, where it lies on this machine", () => {
    const born = { Metadata: { btime: "2026-02-01T00:00:00.5Z" } }
    expect(page(LOCAL, item(born)).objects).toMatchObject([
      { etag: `5:t:${TIME_MS}:b:2026-02-01T00:00:00.5Z` },
    ])
    // Elsewhere a look may tell what a listing does not.
    expect(page(FOLDER, item(born)).objects).toMatchObject([{ etag: `5:t:${TIME_MS}` }])
  })

  test("of an object without a checksum has whole seconds, for a look tells no more", () => {
    const { etag } = page(BUCKET, item()).objects[0] ?? {}
    const head = headOf(BUCKET, { item: item({ ModTime: "2026-02-03T04:05:06Z" }) })
    expect(etag).toBe(`5:t:${TIME_MS - 789}`)
    expect(head?.etag).toBe(etag)
  })

  test.each([
    ["2026-02-03T04:05:06.789924609Z", TIME_MS + 0.924_609],
    ["2026-02-03T04:05:06.7890001Z", TIME_MS + 0.0001],
    ["2026-02-03T04:05:06Z", TIME_MS - 789],
    ["2026-02-03T05:05:06.789+01:00", TIME_MS],
    ["1969-12-31T23:59:59.5Z", -500],
  ])("of %s is told from one of a microsecond later", (shown, atMs) => {
    const [object] = page(FOLDER, item({ ModTime: shown })).objects
    const later = page(FOLDER, item({ ModTime: shown.replace(/(?:\.\d+)?(?=Z|\+)/, ".000001") })).objects[0]
    expect(Number(object?.etag.split(":")[2])).toBeCloseTo(atMs, 3)
    expect(object?.lastModifiedMs).toBe(Math.round(atMs))
    expect(object?.etag).not.toBe(later?.etag)
  })

  test("shows the user's time in a listing where that costs nothing and is kept", () => {
    const { mtimeMs } = page(FOLDER, item()).objects[0] ?? {}
    expect(mtimeMs).toBe(TIME_MS)
    for (const remote of [BUCKET, TIMELESS])
      expect(page(remote, item()).objects[0]).not.toHaveProperty("mtimeMs")
  })
})

describe("no version", () => {
  test.each([
    ["a file of an unknown size", { Size: -1 }],
    ["a file without a size", { Size: undefined }],
    ["a file without checksum and time", { ModTime: "" }],
    ["a file of no time that a calendar has", { ModTime: "yesterday" }],
    ["a file whose time is the first of a calendar", { ModTime: "0001-01-01T00:00:00Z" }],
    ["a file whose time is the first of Unix", { ModTime: "1970-01-01T00:00:00Z" }],
  ])("is %s, and its name is not free", (_, more) => {
    expect(page(FOLDER, item(more))).toEqual({
      objects: [],
      broken: [],
      unknowns: [{ path: "d/a.md", reason: "special", scope: "path" }],
    })
  })

  test("is two files of one name, whatever they are", () => {
    const listed = page(FOLDER, item(), item({ Size: 6 }), item({ Path: "b.md" }), item({ Size: -1 }))
    expect(listed.objects.map(({ key }) => key)).toEqual(["b.md"])
    expect(listed.unknowns).toContainEqual({ path: "d/a.md", reason: "collision", scope: "path" })
  })

  test("is a name that did not arrive whole", () => {
    const listed = page(FOLDER, item({ Path: "d/a\uFFFD.md" }), item({ Path: "d/a\uFFFD.md" }))
    expect(listed).toEqual({ objects: [], broken: ["d/a\uFFFD.md", "d/a\uFFFD.md"], unknowns: [] })
  })

  test("is in an answer without files", () => {
    for (const answer of [{ list: [] }, { list: null }, {}, null, undefined, "", []])
      expect(pageOf(FOLDER, answer)).toEqual({ objects: [], broken: [], unknowns: [] })
  })

  test("is a time that a file of this machine may have, where it tells when it was made", () => {
    const old = { ModTime: "1970-01-01T00:00:00Z", Metadata: { btime: TIME } }
    expect(page(LOCAL, item(old)).objects).toMatchObject([{ etag: `5:t:0:b:${TIME}` }])
  })
})

describe("a name", () => {
  test("is as it is, and not as rclone shows it", () => {
    expect(page(FOLDER, item({ Path: "d/a␊b‛␊‛‛.md" })).objects[0]?.key).toBe("d/a\nb␊‛.md")
  })
})

describe("a look", () => {
  test("sees nothing where the answer shows no file of a known version", () => {
    for (const answer of [{ item: null }, {}, undefined, { item: item({ Size: -1 }) }, { item: 5 }])
      expect(headOf(FOLDER, answer)).toBeUndefined()
  })

  test("has the user's time, where the storage shows it as the file's", () => {
    expect(headOf(FOLDER, { item: item({ ModTime: "2026-02-03T04:05:06.7894Z" }) })).toEqual({
      etag: `5:t:${TIME_MS + 0.4}`,
      sizeBytes: 5,
      lastModifiedMs: TIME_MS,
      metadata: { mtime: (TIME_MS / 1000).toFixed(3) },
    })
  })

  test("has no time of the user's where the storage keeps none", () => {
    expect(headOf(TIMELESS, { item: item() })).toMatchObject({ lastModifiedMs: TIME_MS, metadata: {} })
  })

  test("has what stands beside the bytes of an object: the user's time, and what our devices wrote without rclone", () => {
    const Metadata = {
      mtime: "2021-05-06T07:08:09.123456789Z",
      "bm-op": "0".repeat(32),
      "bm-device": "one",
      "content-type": "text/markdown",
      tier: "STANDARD",
    }
    expect(headOf(BUCKET, { item: item({ Hashes: { md5: MD5 }, Metadata }) })).toEqual({
      etag: `5:md5:${MD5}`,
      sizeBytes: 5,
      lastModifiedMs: TIME_MS - 789,
      metadata: { mtime: "1620284889.123457", "bm-op": "0".repeat(32), "bm-device": "one" },
    })
  })

  test("has nothing of the user's where an object came without", () => {
    expect(headOf(BUCKET, { item: item({ Metadata: { tier: "STANDARD" } }) })?.metadata).toEqual({})
  })
})
