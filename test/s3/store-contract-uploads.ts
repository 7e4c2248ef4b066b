/** The part of the contract of object stores that is about uploads in parts. */

import { expect, test } from "vitest"
import { body, kindOf, must, type OpenStore, textAt, unless, type Ways, WRONG } from "./store-world.ts"

/** The least that S3 takes for a part which is not the last. */
const PART_BYTES = 5 * 1024 * 1024

export function uploadRules(get: () => OpenStore, ways: Ways): void {
  const begin = async (key: string) => ({
    key,
    uploadId: must(await get().store.startUpload(key, { metadata: { "bm-op": "7" } })),
  })

  test("shows one object of all parts, and nothing before the end", async () => {
    const { store } = get()
    const upload = await begin("large é.bin")
    const large = must(await store.putPart(upload, 1, Buffer.alloc(PART_BYTES, "a")))
    const small = must(await store.putPart(upload, 2, Buffer.from("end")))
    expect(kindOf(await store.head(upload.key))).toBe("not_found")
    expect(must(await store.list({ prefix: "" })).objects).toEqual([])
    const { etag } = must(await store.complete(upload, [large, small], {}))
    const head = must(await store.head(upload.key))
    expect(head).toMatchObject({ etag, sizeBytes: PART_BYTES + 3, metadata: { "bm-op": "7" } })
    expect((await textAt(store, upload.key))?.slice(-4)).toBe("aend")
  })

  test.each([
    { rule: "creates only where nothing is", condition: () => ({ kind: "absent" }) as const },
    {
      rule: "replaces only the version that is meant",
      condition: (stale: string) => ({ kind: "match", etag: stale }) as const,
    },
  ])("$rule", async ({ condition }) => {
    const { store, foreignPut } = get()
    const { etag } = must(await store.put("note", body("1"), { metadata: {} }))
    await foreignPut("note", "2")
    const upload = await begin("note")
    const part = must(await store.putPart(upload, 1, Buffer.from("3")))
    const completed = await store.complete(upload, [part], { condition: condition(etag) })
    expect(kindOf(completed)).toBe(unless(ways.ignoresCompleteCondition))
    expect(await textAt(store, "note")).toBe(completed.ok ? "3" : "2")
    if (!completed.ok) must(await store.abort(upload))
  })

  test("replaces the version that is meant", async () => {
    const { store } = get()
    const { etag } = must(await store.put("note", body("1"), { metadata: {} }))
    const upload = await begin("note")
    const part = must(await store.putPart(upload, 1, Buffer.from("2")))
    must(await store.complete(upload, [part], { condition: { kind: "match", etag } }))
    expect(await textAt(store, "note")).toBe("2")
  })

  test("takes a part from an object, in the version that is meant", async () => {
    const { store } = get()
    const { etag } = must(await store.put("from é+", body("bytes"), { metadata: {} }))
    const upload = await begin("to")
    const wrong = await store.copyPart(upload, 1, { key: "from é+", ifMatch: WRONG })
    expect(kindOf(wrong)).toBe(unless(ways.ignoresSourceCondition))
    const part = await store.copyPart(upload, 1, { key: "from é+", ifMatch: etag })
    must(await store.complete(upload, [must(part)], { condition: { kind: "absent" } }))
    expect(await textAt(store, "to")).toBe("bytes")
  })

  test("lists uploads that go on, and none that ended", async () => {
    const { store } = get()
    const going = await begin("a/going")
    const given = await begin("a/given up")
    const other = await begin("b/other")
    must(await store.abort(given))
    const found = must(await store.uploads("a/"))
    expect(found).toEqual([{ ...going, startedMs: expect.any(Number) }])
    must(await store.abort(going))
    must(await store.abort(other))
    expect(must(await store.uploads(""))).toEqual([])
  })

  test("refuses to go on with what was given up", async () => {
    const { store } = get()
    const upload = await begin("gone")
    const part = must(await store.putPart(upload, 1, Buffer.from("1")))
    must(await store.abort(upload))
    expect((await store.complete(upload, [part], {})).ok).toBe(false)
    expect(kindOf(await store.head("gone"))).toBe("not_found")
  })
}
