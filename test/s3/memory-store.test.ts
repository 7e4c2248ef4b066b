/**
 * The object store in memory keeps the contract, with every quirk in its own way; crashes and lost answers are where
 * tests put them.
 */

import { describe, expect, test } from "vitest"
import { emptyObjects, foreignPut, memoryStore } from "../../src/store/memory-store.ts"
import type { Failure } from "../../src/store/store.ts"
import { storeContract } from "./store-contract.ts"
import { body, kindOf, must, textAt, type Ways } from "./store-world.ts"

const NOW_MS = 1_700_000_000_000

const WAYS: readonly Ways[] = [
  {},
  { ignoresPutConditions: true },
  { ignoresDeleteCondition: true },
  { ignoresCompleteCondition: true },
  { ignoresCopyCondition: true },
  { ignoresSourceCondition: true },
  { createsOnMatchMissing: true },
  { refusesFileBesideDirectory: true },
  { hidesBelowFile: true },
  { acceptsLatePresigned: true },
  { deleteRaces: true },
  { emptyCompleteEtag: true },
  { wantsBareEtags: true },
]

for (const ways of WAYS)
  describe(`a bucket in memory with ${Object.keys(ways).join() || "no quirks"}`, () => {
    storeContract(async () => {
      const bucket = emptyObjects()
      const etagForm = ways.wantsBareEtags === true ? "bare" : "quoted"
      return {
        store: memoryStore({ bucket, nowMs: () => NOW_MS, quirks: ways, etagForm }),
        async foreignPut(key, text) {
          foreignPut(bucket, key, Buffer.from(text))
        },
      }
    }, ways)
  })

test("refuses every quoted etag where it wants them bare", async () => {
  const store = memoryStore({
    bucket: emptyObjects(),
    nowMs: () => NOW_MS,
    quirks: { wantsBareEtags: true },
    etagForm: "quoted",
  })
  const { etag } = must(await store.put("note", body("1"), { metadata: {} }))
  const options = { metadata: {}, condition: { kind: "match", etag } } as const
  expect(kindOf(await store.put("note", body("2"), options))).toBe("precondition")
})

test("says that it does not know conditions where it lacks them", async () => {
  const quirks = { lacksConditions: true }
  const store = memoryStore({ bucket: emptyObjects(), nowMs: () => NOW_MS, quirks })
  const options = { metadata: {}, condition: { kind: "absent" } } as const
  expect(kindOf(await store.put("note", body("1"), options))).toBe("not_implemented")
  expect(kindOf(await store.put("note", body("1"), { metadata: {} }))).toBe("ok")
})

test("shows in a stale listing what it was told to show", async () => {
  const bucket = emptyObjects()
  const store = memoryStore({ bucket, nowMs: () => NOW_MS, quirks: { staleListings: true } })
  foreignPut(bucket, "old", Buffer.from("old"))
  bucket.listed = new Map(bucket.objects)
  foreignPut(bucket, "new", Buffer.from("new"))
  expect(must(await store.list({ prefix: "" })).objects.map(({ key }) => key)).toEqual(["old"])
})

test("lets a racing DELETE remove what came after it was judged", async () => {
  const bucket = emptyObjects()
  let isJudged = false
  const store = memoryStore({
    bucket,
    nowMs: () => NOW_MS,
    quirks: { deleteRaces: true },
    async tick(request) {
      if (request === "DELETE lands" && !isJudged) {
        isJudged = true
        foreignPut(bucket, "note", Buffer.from("newer"))
      }
      return undefined
    },
  })
  const ifMatch = foreignPut(bucket, "note", Buffer.from("older"))
  must(await store.remove("note", { ifMatch }))
  expect(bucket.objects.has("note")).toBe(false)
})

test.each([
  { rule: "does nothing where a request fails before its effect", phase: "before", isThere: false },
  { rule: "has done it where only the answer is lost", phase: "after", isThere: true },
] as const)("$rule", async ({ phase, isThere }) => {
  const lost: Failure = { kind: "unreachable", detail: "ECONNRESET" }
  const bucket = emptyObjects()
  const store = memoryStore({
    bucket,
    nowMs: () => NOW_MS,
    tick: async (request, key, at) => (`${request} ${key} ${at}` === `PUT note ${phase}` ? lost : undefined),
  })
  expect(await store.put("note", body("1"), { metadata: {} })).toEqual({ ok: false, error: lost })
  expect((await textAt(store, "note")) === "1").toBe(isThere)
})

test("dates objects by the clock that it was given, and says its own time", async () => {
  const store = memoryStore({ bucket: emptyObjects(), nowMs: () => NOW_MS })
  must(await store.put("note", body("1"), { metadata: {} }))
  expect(must(await store.head("note"))).toMatchObject({ lastModifiedMs: NOW_MS, serverMs: NOW_MS })
})

test("makes etags as S3 does", async () => {
  const store = memoryStore({ bucket: emptyObjects(), nowMs: () => NOW_MS })
  const { etag } = must(await store.put("note", body("hello"), { metadata: {} }))
  expect(etag).toBe("5d41402abc4b2a76b9719d911017c592")
  const upload = { key: "parts", uploadId: must(await store.startUpload("parts", { metadata: {} })) }
  const part = must(await store.putPart(upload, 1, Buffer.from("hello")))
  expect(must(await store.complete(upload, [part], {})).etag).toBe("62109206880d38a4010a98e11243924a-1")
})
