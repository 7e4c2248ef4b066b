/**
 * What every object store does, whoever is behind it: the reference in memory and the SDK in front of real servers.
 *
 * A server that is known to bend a rule is named with it in `ways`, and then the suite expects the bent rule: nothing is
 * skipped, so a server that has learned better fails here and gets its due.
 */

import { beforeEach, describe, expect, test } from "vitest"
import { comparePaths } from "../../src/model/path.ts"
import type { Body, ObjectStore, Page } from "../../src/store/store.ts"
import { uploadRules } from "./store-contract-uploads.ts"
import { body, kindOf, must, type OpenStore, textAt, unless, type Ways, WRONG } from "./store-world.ts"

/** Every test gets an empty bucket. */
export function storeContract(open: () => Promise<OpenStore>, ways: Ways = {}): void {
  let opened: OpenStore
  beforeEach(async () => {
    opened = await open()
  })
  const get = () => opened
  describe("listing", () => listingRules(get, ways))
  describe("reading", () => readingRules(get))
  describe("writing", () => writingRules(get, ways))
  describe("copying", () => copyingRules(get, ways))
  describe("removing", () => removingRules(get, ways))
  describe("uploading in parts", () => uploadRules(get, ways))
}

async function allPages(store: ObjectStore, prefix: string): Promise<readonly Page[]> {
  const pages: Page[] = []
  let next: string | undefined
  do {
    const page = must(await store.list({ prefix, ...(next !== undefined && { next }) }))
    pages.push(page)
    next = page.next
  } while (next !== undefined && pages.length < 10)
  return pages
}

const keysOf = (pages: readonly Page[]) => pages.flatMap(({ objects }) => objects.map(({ key }) => key))

const ORDERED = ["A", "a b", "a-b", "a.b", "a/b", "a/c/d", "ab", "z", "é", "\uff5a", "\u{1f600}"]
const ODD = [
  "plus+a",
  "a&b=c",
  "%41%2F",
  'it\'s "so"',
  "what#? [x] {y}",
  "<i>&amp;",
  "~!$*()",
  "e\u0301",
  "\\",
]
const BREAKING = ["c\u0001d", "n\nl", "t\tb", "\ufffd"]
const PAGE_KEYS = 1000

function listingRules(get: () => OpenStore, ways: Ways): void {
  test("shows nothing in an empty bucket", async () => {
    expect(must(await get().store.list({ prefix: "" }))).toEqual({ objects: [], broken: [] })
  })

  test("shows of an object what a look at it shows", async () => {
    const { store } = get()
    must(await store.put("a/note.md", body("hello"), { metadata: {} }))
    const { etag, sizeBytes, lastModifiedMs } = must(await store.head("a/note.md"))
    const [object] = must(await store.list({ prefix: "" })).objects
    expect(object).toMatchObject({ key: "a/note.md", etag, sizeBytes })
    // A header has whole seconds, a listing may have more.
    expect(Math.floor((object?.lastModifiedMs ?? 0) / 1000)).toBe(Math.floor(lastModifiedMs / 1000))
  })

  test("shows keys in the order of their UTF-8 bytes", async () => {
    const { store } = get()
    for (const key of ORDERED.toReversed()) must(await store.put(key, body(key), { metadata: {} }))
    expect(ORDERED.toSorted(comparePaths)).toEqual(ORDERED)
    expect(keysOf(await allPages(store, ""))).toEqual(ORDERED)
  })

  test.each([
    { prefix: "a/", shown: ["a/b", "a/c/d"] },
    { prefix: "a", shown: ["a b", "a-b", "a.b", "a/b", "a/c/d", "ab"] },
    { prefix: "a/c", shown: ["a/c/d"] },
    { prefix: "é", shown: ["é"] },
    { prefix: "nothing/", shown: [] },
  ])("shows the keys that begin with $prefix", async ({ prefix, shown }) => {
    const { store } = get()
    for (const key of ORDERED) must(await store.put(key, body(key), { metadata: {} }))
    expect(keysOf(await allPages(store, prefix))).toEqual(shown)
  })

  test("begins after a key, whether it is there or not", async () => {
    const { store } = get()
    for (const key of ["a", "b/1", "b/2", "c"]) must(await store.put(key, body(key), { metadata: {} }))
    expect(keysOf([must(await store.list({ prefix: "", startAfter: "b/1" }))])).toEqual(["b/2", "c"])
    expect(keysOf([must(await store.list({ prefix: "b/", startAfter: "b/1" }))])).toEqual(["b/2"])
    expect(keysOf([must(await store.list({ prefix: "", startAfter: "bb" }))])).toEqual(["c"])
  })

  test("shows a thousand keys a page, and every key once", async () => {
    const { store } = get()
    const keys = Array.from({ length: PAGE_KEYS + 3 }, (_, n) => `n/${String(n).padStart(5, "0")} +.md`)
    const waiting = [...keys]
    const lane = async () => {
      for (let key = waiting.pop(); key !== undefined; key = waiting.pop())
        must(await store.put(key, body(key), { metadata: {} }))
    }
    await Promise.all(Array.from({ length: 16 }, lane))
    const pages = await allPages(store, "n/")
    expect(pages.map(({ objects }) => objects.length)).toEqual([PAGE_KEYS, 3])
    expect(keysOf(pages)).toEqual(keys)
  })

  test.each(ODD)("gives back %s as it was", async (name) => {
    const { store } = get()
    const key = `odd/${name}`
    must(await store.put(key, body(name), { metadata: {} }))
    expect(keysOf(await allPages(store, "odd/"))).toEqual([key])
    expect(await textAt(store, key)).toBe(name)
    must(await store.remove(key, {}))
    expect(keysOf(await allPages(store, ""))).toEqual([])
  })

  test.each(BREAKING)("never takes %j for another key, and counts it if it cannot read it", async (name) => {
    const { store } = get()
    must(await store.put(`odd/${name}`, body(name), { metadata: {} }))
    const { objects, broken } = must(await store.list({ prefix: "odd/" }))
    expect(objects.length + broken.length).toBe(1)
    if (ways.renamesControlCharacters !== true) for (const { key } of objects) expect(key).toBe(`odd/${name}`)
  })

  test("keeps and shows a key beside keys below it", async () => {
    const { store } = get()
    must(await store.put("both", body("file"), { metadata: {} }))
    const below = await store.put("both/below", body("below"), { metadata: {} })
    expect(below.ok).toBe(ways.refusesFileBesideDirectory !== true)
    expect(await textAt(store, "both")).toBe("file")
    const isShown = below.ok && ways.hidesBelowFile !== true
    expect(keysOf(await allPages(store, ""))).toEqual(isShown ? ["both", "both/below"] : ["both"])
  })
}

function readingRules(get: () => OpenStore): void {
  test("gives an object's bytes with what a look shows", async () => {
    const { store } = get()
    const { etag } = must(await store.put("note", body("hello"), { metadata: { mtime: "1.5" } }))
    const { head } = must(await store.get("note", { ifMatch: etag }))
    expect(head).toMatchObject({ etag, sizeBytes: 5, metadata: { mtime: "1.5" } })
    expect(must(await store.head("note"))).toMatchObject({ etag, sizeBytes: 5, metadata: { mtime: "1.5" } })
    expect(await textAt(store, "note")).toBe("hello")
  })

  test("gives an object without bytes", async () => {
    must(await get().store.put("empty", body(""), { metadata: {} }))
    expect(await textAt(get().store, "empty")).toBe("")
  })

  test("says that a key is not there", async () => {
    expect(kindOf(await get().store.head("missing"))).toBe("not_found")
    expect(kindOf(await get().store.get("missing", {}))).toBe("not_found")
  })

  test("refuses another version than the one that was asked for", async () => {
    const { store, foreignPut } = get()
    const { etag } = must(await store.put("note", body("1"), { metadata: {} }))
    await foreignPut("note", "2")
    expect(kindOf(await store.get("note", { ifMatch: etag }))).toBe("precondition")
    must(await store.remove("note", {}))
    expect(kindOf(await store.get("note", { ifMatch: etag }))).toBe("precondition")
  })

  test("refuses what is larger than it may be", async () => {
    const { store } = get()
    must(await store.put("note", body("hello"), { metadata: {} }))
    expect(kindOf(await store.get("note", { limitBytes: 4 }))).toBe("nonsense")
    expect(kindOf(await store.get("note", { limitBytes: 5 }))).toBe("ok")
  })
}

function writingRules(get: () => OpenStore, ways: Ways): void {
  const put = (key: string, text: string, condition?: Parameters<ObjectStore["put"]>[2]["condition"]) =>
    get().store.put(key, body(text), { metadata: {}, ...(condition !== undefined && { condition }) })
  const absent = { kind: "absent" } as const

  test("takes a stream, opened once, for the same object as its bytes", async () => {
    const { store } = get()
    let opens = 0
    async function* pieces() {
      opens++
      yield Buffer.from("hel")
      yield Buffer.from("lo")
    }
    const stream: Body = { kind: "stream", sizeBytes: 5, open: pieces }
    const { etag } = must(await store.put("stream", stream, { metadata: {} }))
    expect(etag).toBe(must(await put("bytes", "hello")).etag)
    expect(await textAt(store, "stream")).toBe("hello")
    expect(opens).toBe(1)
  })

  test("keeps metadata until the next write, and none of it after", async () => {
    const { store } = get()
    const metadata = { mtime: "1732000000.123456789", "bm-op": "0123abcd", "bm-skew": "-12" }
    must(await store.put("note", body("1"), { metadata }))
    expect(must(await store.head("note")).metadata).toMatchObject(metadata)
    must(await put("note", "2"))
    expect(Object.keys(must(await store.head("note")).metadata)).not.toContain("bm-op")
  })

  test("creates only where nothing is", async () => {
    expect(kindOf(await put("note", "1", absent))).toBe("ok")
    expect(kindOf(await put("note", "2", absent))).toBe(unless(ways.ignoresPutConditions))
    expect(await textAt(get().store, "note")).toBe(ways.ignoresPutConditions === true ? "2" : "1")
  })

  test("replaces only the version that is meant", async () => {
    const { etag } = must(await put("note", "1"))
    await get().foreignPut("note", "2")
    const stale = await put("note", "3", { kind: "match", etag })
    expect(kindOf(stale)).toBe(unless(ways.ignoresPutConditions))
    const current = must(await get().store.head("note")).etag
    expect(kindOf(await put("note", "4", { kind: "match", etag: current }))).toBe("ok")
    expect(await textAt(get().store, "note")).toBe("4")
  })

  test("replaces nothing where nothing is", async () => {
    const replaced = await put("missing", "1", { kind: "match", etag: WRONG })
    const isCreated = ways.ignoresPutConditions === true || ways.createsOnMatchMissing === true
    expect(kindOf(replaced)).toBe(unless(isCreated))
    expect(kindOf(await get().store.head("missing"))).toBe(isCreated ? "ok" : "not_found")
  })
}

function copyingRules(get: () => OpenStore, ways: Ways): void {
  const copy = (
    from: string,
    to: string,
    options: { readonly ifMatch: string; readonly isGuarded?: boolean },
  ) => {
    const condition = options.isGuarded === true ? { condition: { kind: "absent" } as const } : {}
    return get().store.copy(from, to, { ifMatch: options.ifMatch, metadata: { "bm-op": "2" }, ...condition })
  }
  const source = async () =>
    must(await get().store.put("from é+", body("bytes"), { metadata: { "bm-op": "1" } }))

  test("takes the bytes along, and the metadata that is given", async () => {
    const { etag } = await source()
    const copied = await copy("from é+", "to", { ifMatch: etag })
    expect(await textAt(get().store, "to")).toBe("bytes")
    const head = must(await get().store.head("to"))
    expect(head).toMatchObject({ etag: must(copied).etag, metadata: { "bm-op": "2" } })
  })

  test("takes only the version that is meant", async () => {
    await source()
    expect(kindOf(await copy("from é+", "to", { ifMatch: WRONG }))).toBe(unless(ways.ignoresSourceCondition))
    expect(kindOf(await copy("missing", "to", { ifMatch: WRONG }))).toBe("precondition")
  })

  test("leaves what is at its goal", async () => {
    const { etag } = await source()
    must(await get().store.put("to", body("in the way"), { metadata: {} }))
    const copied = await copy("from é+", "to", { ifMatch: etag, isGuarded: true })
    expect(kindOf(copied)).toBe(unless(ways.ignoresCopyCondition))
    expect(await textAt(get().store, "to")).toBe(copied.ok ? "bytes" : "in the way")
  })
}

function removingRules(get: () => OpenStore, ways: Ways): void {
  const note = async () => must(await get().store.put("note", body("1"), { metadata: {} })).etag
  const isThere = async () => (await get().store.head("note")).ok
  const mayStillSend = () => true

  test("removes an object, and is content where there is none", async () => {
    await note()
    expect(kindOf(await get().store.remove("note", {}))).toBe("ok")
    expect(await isThere()).toBe(false)
    expect(kindOf(await get().store.remove("note", {}))).toBe("ok")
  })

  test("removes the version that is meant, and is content where it is gone", async () => {
    const ifMatch = await note()
    expect(kindOf(await get().store.remove("note", { ifMatch }))).toBe("ok")
    expect(await isThere()).toBe(false)
    expect(kindOf(await get().store.remove("note", { ifMatch }))).toBe("ok")
  })

  test("removes no other version", async () => {
    const ifMatch = await note()
    await get().foreignPut("note", "2")
    expect(kindOf(await get().store.remove("note", { ifMatch }))).toBe(unless(ways.ignoresDeleteCondition))
    expect(await isThere()).toBe(ways.ignoresDeleteCondition !== true)
  })

  test("removes once while there is time, and is content where there is nothing", async () => {
    await note()
    expect(kindOf(await get().store.removeOnce("note", { expiresInS: 60, mayStillSend }))).toBe("ok")
    expect(await isThere()).toBe(false)
    expect(kindOf(await get().store.removeOnce("note", { expiresInS: 60, mayStillSend }))).toBe("ok")
  })

  test("sends nothing when the time is over", async () => {
    await note()
    const late = await get().store.removeOnce("note", { expiresInS: 60, mayStillSend: () => false })
    expect(kindOf(late)).toBe("too_late")
    expect(await isThere()).toBe(true)
  })

  test("is refused by the server where it comes too late", async () => {
    await note()
    const late = await get().store.removeOnce("note", { expiresInS: 1, mayStillSend, signedMsAgo: 120_000 })
    expect(late.ok).toBe(ways.acceptsLatePresigned === true)
    expect(await isThere()).toBe(!late.ok)
  })
}
