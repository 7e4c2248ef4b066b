/**
 * What real servers do beyond the contract of object stores (`servers-store.test.ts`): streams, clocks, and refusals.
 */

import { createHash, randomBytes } from "node:crypto"
import { afterEach, describe, expect, test, vi } from "vitest"
import { parseS3Url } from "../../src/s3/address.ts"
import { openSdkStore } from "../../src/s3/sdk-store.ts"
import type { Body, ObjectStore } from "../../src/store/store.ts"
import { describeServer } from "../servers/describe-server.ts"
import type { S3ServerName, Server } from "../servers/server.ts"
import { body, kindOf, must } from "./store-world.ts"

const SERVERS: readonly S3ServerName[] = ["versitygw", "rclone", "minio", "ceph"]

const stores: ObjectStore[] = []
afterEach(() => {
  for (const store of stores.splice(0)) store.close()
})

interface Opening {
  readonly bucket?: string
  readonly secretAccessKey?: string
}

async function openStore(server: Server, opening: Opening = {}): Promise<ObjectStore> {
  const { endpoint, region, accessKeyId } = server
  const text = `s3://${opening.bucket ?? server.bucket}?endpoint=${endpoint}&region=${region}`
  const address = parseS3Url(text)
  if (!address.ok) throw new Error(address.error)
  const store = await openSdkStore(address.value, {
    credentials: { accessKeyId, secretAccessKey: opening.secretAccessKey ?? server.secretAccessKey },
    etagForm: "quoted",
    nowMs: Date.now,
  })
  stores.push(store)
  return store
}

for (const name of SERVERS)
  describeServer(name, (server) => {
    test("a stream comes back as it went", async () => {
      const store = await openStore(server())
      const data = randomBytes(3 * 1024 * 1024)
      const stream: Body = {
        kind: "stream",
        sizeBytes: data.length,
        async *open() {
          for (let from = 0; from < data.length; from += 300_000) yield data.subarray(from, from + 300_000)
        },
      }
      must(await store.put("stream", stream, { metadata: {} }))
      const hash = createHash("sha256")
      for await (const piece of must(await store.get("stream", {})).body) hash.update(piece)
      expect(hash.digest("hex")).toBe(createHash("sha256").update(data).digest("hex"))
    })

    test("shows its clock, which is ours", async () => {
      const store = await openStore(server())
      must(await store.put("clock", body("1"), { metadata: {} }))
      const { lastModifiedMs, serverMs } = must(await store.head("clock"))
      expect(Math.abs((serverMs ?? 0) - lastModifiedMs)).toBeLessThan(60_000)
      expect(store.skewMs()).toBe(0)
    })

    test("says that a bucket is not there", async () => {
      const store = await openStore(server(), { bucket: "not-there" })
      expect(kindOf(await store.list({ prefix: "" }))).toBe("no_bucket")
      expect(kindOf(await store.put("k", body("1"), { metadata: {} }))).toBe("no_bucket")
    })

    test("says that a key pair is wrong", async () => {
      const store = await openStore(server(), { secretAccessKey: "another" })
      expect(kindOf(await store.list({ prefix: "" }))).toBe("credentials")
      const once = { expiresInS: 60, mayStillSend: () => true }
      expect(kindOf(await store.removeOnce("k", once))).toBe("credentials")
    })
  })

describe("without a key pair", () => {
  afterEach(() => vi.unstubAllEnvs())

  test("it is missing, and that is soon known", async () => {
    const nothing = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AWS_REGION"]
    for (const each of nothing) vi.stubEnv(each, undefined)
    for (const each of ["AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"]) vi.stubEnv(each, "/dev/null")
    const address = parseS3Url("s3://notes?endpoint=http://127.0.0.1:9")
    if (!address.ok) throw new Error(address.error)
    const store = await openSdkStore(address.value, { etagForm: "quoted", nowMs: Date.now })
    stores.push(store)
    const startedMs = performance.now()
    const missing = { ok: false, error: { kind: "credentials", detail: "missing" } }
    expect(await store.list({ prefix: "" })).toEqual(missing)
    expect(performance.now() - startedMs).toBeLessThan(10_000)
  })
})
