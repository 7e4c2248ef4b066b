/**
 * Real servers understand what the store asks, and the store what they answer, whatever promises they keep.
 */

import { createHash, randomBytes } from "node:crypto"
import { afterEach, describe, expect, test, vi } from "vitest"
import { parseS3Url } from "../../src/s3/address.ts"
import { openSdkStore } from "../../src/s3/sdk-store.ts"
import type { Body, Condition, ObjectStore } from "../../src/s3/store.ts"
import { describeServer } from "../servers/describe-server.ts"
import type { S3ServerName, Server } from "../servers/server.ts"
import { textOf } from "./sdk-fake.ts"

interface Ways {
  /** Conditions on Complete hold. */
  readonly completes: boolean
  /** A copy of another version than is meant is refused. */
  readonly copiesConditionally: boolean
  /** A thousand objects are written in seconds. */
  readonly isQuick: boolean
  readonly etagForm?: "quoted" | "bare"
}

const IDEAL: Ways = { completes: true, copiesConditionally: true, isQuick: true }

const SERVERS: Partial<Record<S3ServerName, Ways>> = {
  versitygw: IDEAL,
  rclone: { ...IDEAL, isQuick: false },
  minio: IDEAL,
  ceph: { ...IDEAL, completes: false, copiesConditionally: false, etagForm: "bare" },
}

const stores: ObjectStore[] = []
afterEach(() => {
  for (const store of stores.splice(0)) store.close()
})

async function openStore(
  { bucket, endpoint, accessKeyId, secretAccessKey, region }: Server,
  more: {
    readonly prefix?: string
    readonly bucket?: string
    readonly secretAccessKey?: string
    readonly etagForm?: "quoted" | "bare"
  } = {},
): Promise<ObjectStore> {
  const text = `s3://${more.bucket ?? bucket}/${more.prefix ?? ""}?endpoint=${endpoint}&region=${region}`
  const address = parseS3Url(text)
  if (!address.ok) throw new Error(address.error)
  const store = await openSdkStore(address.value, {
    credentials: { accessKeyId, secretAccessKey: more.secretAccessKey ?? secretAccessKey },
    etagForm: more.etagForm ?? "quoted",
    nowMs: Date.now,
  })
  stores.push(store)
  return store
}

const bytes = (text: string): Body => ({ kind: "bytes", bytes: Buffer.from(text) })
const absent: Condition = { kind: "absent" }
const matching = (etag: string): Condition => ({ kind: "match", etag })
const WRONG = "00000000000000000000000000000000"
const PART_BYTES = 5 * 1024 * 1024
const ODD = ["a b+c.md", "100%25.md", "é😀.md", "q?x=1&y#z.md", 'it\'s "so".md', "d/e f/g.md", "~(a)!*.md"]

async function must<T>(
  answer: Promise<{ readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: unknown }>,
): Promise<T> {
  const result = await answer
  if (!result.ok) throw new Error(JSON.stringify(result.error))
  return result.value
}

async function textAt(store: ObjectStore, key: string): Promise<string> {
  return textOf((await must(store.get(key, {}))).body)
}

for (const [name, ways] of Object.entries(SERVERS) as [S3ServerName, Ways][])
  describeServer(name, (server) => {
    const open = (prefix: string, more = {}) =>
      openStore(server(), {
        prefix,
        ...(ways.etagForm !== undefined && { etagForm: ways.etagForm }),
        ...more,
      })

    test("an object comes back as it went, with its metadata and the server's clock", async () => {
      const store = await open("whole")
      const metadata = { "bm-op": "abc", note: "1700000000.123" }
      const { etag } = await must(store.put("n/a.md", bytes("a note"), { metadata }))
      expect(etag).not.toMatch(/"/)
      const head = await must(store.head("n/a.md"))
      expect(head).toMatchObject({ etag, sizeBytes: 6, metadata })
      expect(Math.abs(head.lastModifiedMs - Date.now())).toBeLessThan(60_000)
      expect(store.skewMs()).toBe(0)
      const got = await must(store.get("n/a.md", { ifMatch: etag }))
      expect(got.head).toMatchObject({ etag, sizeBytes: 6, metadata })
      expect(await textOf(got.body)).toBe("a note")
      expect((await must(store.list({ prefix: "" }))).objects).toMatchObject([
        { key: "n/a.md", etag, sizeBytes: 6 },
      ])
    })

    // rclone answers it as the time of the object, too; nobody may take that for the time of the upload.
    test("a time in the metadata comes back as it went", async () => {
      const store = await open("time")
      const metadata = { mtime: "1700000000.123" }
      await must(store.put("k", bytes("a note"), { metadata }))
      expect((await must(store.head("k"))).metadata).toMatchObject(metadata)
    })

    test("an empty object is one", async () => {
      const store = await open("empty")
      await must(store.put("e", bytes(""), { metadata: {} }))
      expect(await textAt(store, "e")).toBe("")
    })

    test("a stream comes back as it went", async () => {
      const store = await open("streamed")
      const data = randomBytes(3 * 1024 * 1024)
      const body: Body = {
        kind: "stream",
        sizeBytes: data.length,
        async *open() {
          for (let from = 0; from < data.length; from += 300_000) yield data.subarray(from, from + 300_000)
        },
      }
      await must(store.put("s", body, { metadata: {} }))
      const hash = createHash("sha256")
      for await (const piece of (await must(store.get("s", {}))).body) hash.update(piece)
      expect(hash.digest("hex")).toBe(createHash("sha256").update(data).digest("hex"))
    })

    test("what is not there is not found", async () => {
      const store = await open("nothing")
      expect(await store.head("k")).toMatchObject({ ok: false, error: { kind: "not_found" } })
      expect(await store.get("k", {})).toMatchObject({ ok: false, error: { kind: "not_found" } })
      expect(await store.list({ prefix: "" })).toEqual({ ok: true, value: { objects: [], broken: [] } })
      expect(await store.remove("k", {})).toEqual({ ok: true, value: undefined })
    })

    test("a read of another version is refused", async () => {
      const store = await open("read")
      await must(store.put("k", bytes("1"), { metadata: {} }))
      expect(await store.get("k", { ifMatch: WRONG })).toMatchObject({
        ok: false,
        error: { kind: "precondition" },
      })
    })

    test("a write is refused where its condition does not hold", async () => {
      const store = await open("conditions")
      const refused = { ok: false, error: { kind: "precondition" } }
      const first = await must(store.put("k", bytes("1"), { condition: absent, metadata: {} }))
      expect(await store.put("k", bytes("2"), { condition: absent, metadata: {} })).toMatchObject(refused)
      expect(await store.put("k", bytes("3"), { condition: matching(WRONG), metadata: {} })).toMatchObject(
        refused,
      )
      const second = await must(store.put("k", bytes("4"), { condition: matching(first.etag), metadata: {} }))
      expect(
        await store.put("k", bytes("5"), { condition: matching(first.etag), metadata: {} }),
      ).toMatchObject(refused)
      expect(await store.put("gone", bytes("6"), { condition: matching(WRONG), metadata: {} })).toMatchObject(
        refused,
      )
      expect(await textAt(store, "k")).toBe("4")
      expect(second.etag).not.toBe(first.etag)
    })

    test("odd keys are listed, read and copied by their names", async () => {
      const store = await open("odd ü+")
      for (const key of ODD) await must(store.put(key, bytes(key), { metadata: {} }))
      const listed = await must(store.list({ prefix: "" }))
      expect(listed.objects.map(({ key }) => key).sort()).toEqual([...ODD].sort())
      for (const { key, etag } of listed.objects) {
        expect(await textAt(store, key)).toBe(key)
        await must(store.copy(key, `copy/${key}`, { ifMatch: etag, metadata: {} }))
        expect(await textAt(store, `copy/${key}`)).toBe(key)
        await must(store.removeOnce(key, { expiresInS: 60, mayStillSend: () => true }))
        expect(await store.head(key)).toMatchObject({ ok: false, error: { kind: "not_found" } })
      }
    })

    test("a copy has new metadata, and only of the version that is meant", async () => {
      const store = await open("copied")
      const { etag } = await must(store.put("a", bytes("copied"), { metadata: { op: "1" } }))
      await must(store.copy("a", "b", { ifMatch: etag, metadata: { op: "2" } }))
      expect((await must(store.head("b"))).metadata).toMatchObject({ op: "2" })
      expect(await store.copy("a", "c", { ifMatch: WRONG, metadata: {} })).toMatchObject(
        ways.copiesConditionally ? { ok: false, error: { kind: "precondition" } } : { ok: true },
      )
    })

    test.runIf(ways.isQuick)("a bucket is listed page after page, and from a key on", async () => {
      const store = await open("pages")
      const keys = Array.from({ length: 1005 }, (_, number) => `k${String(number).padStart(4, "0")}`)
      await Promise.all(
        keys.map((key) =>
          store.put(key, bytes(""), { metadata: {} }).then((put) => must(Promise.resolve(put))),
        ),
      )
      const first = await must(store.list({ prefix: "" }))
      expect(first.objects.map(({ key }) => key)).toEqual(keys.slice(0, 1000))
      const second = await must(store.list({ prefix: "", next: first.next ?? "" }))
      expect(second.objects.map(({ key }) => key)).toEqual(keys.slice(1000))
      expect(second.next).toBe(undefined)
      const tail = await must(store.list({ prefix: "", startAfter: "k1001" }))
      expect(tail.objects.map(({ key }) => key)).toEqual(keys.slice(1002))
      const below = await must(store.list({ prefix: "k000" }))
      expect(below.objects.length).toBe(10)
    })

    test("a large object goes up in parts", async () => {
      const store = await open("parts")
      const part = randomBytes(PART_BYTES)
      const metadata = { "bm-op": "abc" }
      const key = "d/large one.bin"
      const uploadId = await must(store.startUpload(key, { metadata }))
      const upload = { key, uploadId }
      const parts = [
        await must(store.putPart(upload, 1, part)),
        await must(store.putPart(upload, 2, Buffer.from("end"))),
      ]
      expect(parts.map(({ number }) => number)).toEqual([1, 2])
      const { etag } = await must(store.complete(upload, parts, { condition: absent }))
      const head = await must(store.head(key))
      expect(head).toMatchObject({ etag, sizeBytes: PART_BYTES + 3, metadata })
      expect(etag).not.toBe("")
    })

    test.runIf(ways.completes)("a large object replaces only what is meant", async () => {
      const store = await open("completed")
      const { etag } = await must(store.put("k", bytes("base"), { metadata: {} }))
      const complete = async (condition: Condition) => {
        const upload = { key: "k", uploadId: await must(store.startUpload("k", { metadata: {} })) }
        const completed = await store.complete(
          upload,
          [await must(store.putPart(upload, 1, Buffer.from("new")))],
          { condition },
        )
        if (!completed.ok) await must(store.abort(upload))
        return completed
      }
      expect(await complete(absent)).toMatchObject({ ok: false, error: { kind: "precondition" } })
      expect(await complete(matching(WRONG))).toMatchObject({ ok: false, error: { kind: "precondition" } })
      expect(await textAt(store, "k")).toBe("base")
      expect(await complete(matching(etag))).toMatchObject({ ok: true })
      expect(await textAt(store, "k")).toBe("new")
    })

    test("uploads that were left behind are found and given up", async () => {
      const store = await open("left")
      const uploadId = await must(store.startUpload("d/k", { metadata: {} }))
      const left = await store.uploads("")
      // rclone does not know the request; it forgets its uploads when it ends.
      if (!left.ok) expect(left.error.kind).toBe("not_implemented")
      else {
        expect(left.value).toMatchObject([{ key: "d/k", uploadId }])
        for (const { startedMs } of left.value) expect(Math.abs(startedMs - Date.now())).toBeLessThan(60_000)
      }
      await must(store.abort({ key: "d/k", uploadId }))
      const after = await store.uploads("")
      if (after.ok) expect(after.value).toEqual([])
    })

    test("a delete that comes late is refused", async () => {
      const store = await open("late")
      await must(store.put("k", bytes("1"), { metadata: {} }))
      const late = { expiresInS: 1, mayStillSend: () => true, signedMsAgo: 120_000 }
      expect(await store.removeOnce("k", late)).toMatchObject({ ok: false })
      expect(await textAt(store, "k")).toBe("1")
    })

    test("a bucket that is not there is said to be so", async () => {
      const store = await open("", { bucket: "not-there" })
      expect(await store.list({ prefix: "" })).toMatchObject({ ok: false, error: { kind: "no_bucket" } })
      expect(await store.put("k", bytes("1"), { metadata: {} })).toMatchObject({
        ok: false,
        error: { kind: "no_bucket" },
      })
    })

    test("a wrong key pair is said to be so", async () => {
      const store = await open("", { secretAccessKey: "another" })
      expect(await store.list({ prefix: "" })).toMatchObject({ ok: false, error: { kind: "credentials" } })
      const removed = await store.removeOnce("k", { expiresInS: 60, mayStillSend: () => true })
      expect(removed).toMatchObject({ ok: false, error: { kind: "credentials" } })
    })
  })

describe("without a key pair", () => {
  test("it is missing, and that is soon known", async () => {
    for (const name of ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"])
      vi.stubEnv(name, undefined)
    for (const name of ["AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"]) vi.stubEnv(name, "/dev/null")
    try {
      const address = parseS3Url("s3://notes?endpoint=http://127.0.0.1:9")
      if (!address.ok) throw new Error(address.error)
      const store = await openSdkStore(address.value, { etagForm: "quoted", nowMs: Date.now })
      stores.push(store)
      const startedMs = performance.now()
      expect(await store.list({ prefix: "" })).toEqual({
        ok: false,
        error: { kind: "credentials", detail: "missing" },
      })
      expect(performance.now() - startedMs).toBeLessThan(10_000)
    } finally {
      vi.unstubAllEnvs()
    }
  })
})
