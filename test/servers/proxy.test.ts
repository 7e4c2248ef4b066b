/** The proxy: that it is transparent, that it counts, and that each of its faults is the one it says. */

import {
  CompleteMultipartUploadCommand,
  CopyObjectCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
  UploadPartCommand,
} from "@aws-sdk/client-s3"
import { getSignedUrl } from "@aws-sdk/s3-request-presigner"
import { afterEach, beforeEach, expect, test } from "vitest"
import { describeServer } from "./describe-server.ts"
import { type Fault, type Proxy, startProxy } from "./proxy.ts"
import type { Seen } from "./request.ts"
import type { S3ServerName, Server } from "./server.ts"

const BEHIND: readonly S3ServerName[] = ["versitygw", "rclone", "minio", "ceph"]
// A machine that is busy with other tests takes its time to create a bucket.
const HOOK_MS_MAX = 60_000
const PART_BYTES = 5 * 1024 * 1024

for (const name of BEHIND)
  describeServer(name, (server) => {
    let proxy: Proxy
    let client: S3Client
    let Bucket: string

    beforeEach(async () => {
      proxy = await startProxy(server())
      client = clientOf(proxy, server())
      Bucket = await server().newBucket()
    }, HOOK_MS_MAX)
    afterEach(async () => {
      client.destroy()
      await proxy.stop()
    }, HOOK_MS_MAX)

    const put = (Key: string, Body: string, conditions: { IfMatch?: string; IfNoneMatch?: string } = {}) =>
      client.send(new PutObjectCommand({ Bucket, Key, Body, ...conditions }))
    const text = async (Key: string) => {
      const { Body } = await client.send(new GetObjectCommand({ Bucket, Key }))
      return Body?.transformToString()
    }
    const list = async (more: { StartAfter?: string; MaxKeys?: number; ContinuationToken?: string } = {}) =>
      client.send(new ListObjectsV2Command({ Bucket, EncodingType: "url", ...more }))
    // Ceph encodes more than others, and versitygw nothing.
    const keys = async () => {
      const { Contents = [], EncodingType } = await list()
      return Contents.map(({ Key = "" }) => (EncodingType === "url" ? decodeURIComponent(Key) : Key))
    }
    const on = (kind: Seen["kind"]) => ({ match: (request: Seen) => request.kind === kind })

    test("passes signed requests through and counts them by kind and class", async () => {
      await put("d/a b.md", "hello")
      await put("x/.basic-memory/epoch", "ours")
      expect(await text("d/a b.md")).toBe("hello")
      const head = await client.send(new HeadObjectCommand({ Bucket, Key: "d/a b.md" }))
      expect(head.ContentLength).toBe(5)
      await client.send(new CopyObjectCommand({ Bucket, Key: "c.md", CopySource: `${Bucket}/d/a%20b.md` }))
      await client.send(new DeleteObjectCommand({ Bucket, Key: "d/a b.md" }))
      expect(await keys()).toEqual(["c.md", "x/.basic-memory/epoch"])
      expect(proxy.counts.notes).toMatchObject({ PUT: 1, COPY: 1, GET: 1, HEAD: 1, DELETE: 1, LIST: 1 })
      expect(proxy.counts.own).toMatchObject({ PUT: 1, GET: 0 })
      expect(proxy.counts.all).toMatchObject({ PUT: 2 })
      expect(proxy.requests[0]).toMatchObject({ method: "PUT", key: "d/a b.md", status: 200, faults: [] })
      proxy.reset()
      expect(proxy.counts.all.PUT).toBe(0)
      expect(proxy.requests).toEqual([])
    })

    test("passes a multipart upload and a presigned delete through", async () => {
      const at = { Bucket, Key: "large.bin" }
      const { UploadId } = await client.send(new CreateMultipartUploadCommand(at))
      const Body = Buffer.alloc(PART_BYTES, 7)
      const part = await client.send(new UploadPartCommand({ ...at, UploadId, PartNumber: 1, Body }))
      const MultipartUpload = { Parts: [{ PartNumber: 1, ETag: part.ETag }] }
      await client.send(new CompleteMultipartUploadCommand({ ...at, UploadId, MultipartUpload }))
      expect((await client.send(new HeadObjectCommand(at))).ContentLength).toBe(PART_BYTES)
      const signed = await getSignedUrl(client, new DeleteObjectCommand(at), { expiresIn: 60 })
      expect((await fetch(signed, { method: "DELETE" })).status).toBe(204)
      expect(await keys()).toEqual([])
      expect(proxy.counts.all).toMatchObject({ CREATE_UPLOAD: 1, PART: 1, COMPLETE: 1, DELETE: 1 })
    })

    test("keeps conditions from the server where it is told to, and signs again", async () => {
      await put("a.md", "one")
      await expect(put("a.md", "two", { IfNoneMatch: "*" })).rejects.toMatchObject(HTTP(412))
      proxy.faults.push({ act: "ignore_conditions", match: () => true })
      await put("a.md", "two", { IfNoneMatch: "*" })
      expect(await text("a.md")).toBe("two")
      const removal = new DeleteObjectCommand({
        Bucket,
        Key: "a.md",
        IfMatch: '"00000000000000000000000000000000"',
      })
      const signed = await getSignedUrl(client, removal, {
        expiresIn: 60,
        unhoistableHeaders: new Set(["if-match"]),
      })
      expect(signed).toContain("X-Amz-SignedHeaders=host%3Bif-match")
      const headers = { "if-match": '"00000000000000000000000000000000"' }
      expect((await fetch(signed, { method: "DELETE", headers })).status).toBe(204)
      expect(await keys()).toEqual([])
    })

    test("lets the server act and loses the answer", async () => {
      proxy.faults.push({ act: "lose_response", times: 1, ...on("PUT") })
      await expect(put("a.md", "one")).rejects.toThrow(/socket hang up|ECONNRESET/)
      expect(await text("a.md")).toBe("one")
      expect(proxy.requests[0]).toMatchObject({ serverStatus: 200, faults: ["lose_response"] })
      expect(proxy.requests[0]?.status).toBeUndefined()
      await put("a.md", "two")
    })

    test.each<{ fault: Fault; how: object }>([
      { fault: { act: "503", ...on("PUT") }, how: { ...HTTP(503), name: "SlowDown" } },
      { fault: { act: "refuse", ...on("PUT") }, how: { code: "ECONNRESET" } },
      { fault: { act: "cut_body", ...on("PUT") }, how: { code: "ECONNRESET" } },
      { fault: { act: "stall", ...on("PUT") }, how: { name: "AbortError" } },
    ])("keeps a write from the server by $fault.act", async ({ fault, how }) => {
      proxy.faults.push(fault)
      const write = new PutObjectCommand({ Bucket, Key: "a.md", Body: "some words" })
      const abortSignal = AbortSignal.timeout(fault.act === "stall" ? 300 : 10_000)
      await expect(client.send(write, { abortSignal })).rejects.toMatchObject(how)
      expect(await keys()).toEqual([])
    })

    test("cuts the body of a read", async () => {
      await put("a.md", "x".repeat(100_000))
      proxy.faults.push({ act: "cut_body", times: 1, ...on("GET") })
      await expect(text("a.md")).rejects.toThrow("aborted")
      expect(await text("a.md")).toHaveLength(100_000)
    })

    test("answers with a page instead of a listing", async () => {
      proxy.faults.push({ act: "html", ...on("LIST") })
      const answer = await fetch(`${proxy.endpoint}/${Bucket}?list-type=2`)
      expect(answer.status).toBe(200)
      expect(await answer.text()).toMatch(/^<!DOCTYPE html>/)
    })

    test("answers the same token again", async () => {
      for (const key of ["a.md", "b.md", "c.md"]) await put(key, key)
      proxy.faults.push({ act: "repeat_token", ...on("LIST") })
      const short = await list()
      expect(short).toMatchObject({ IsTruncated: true, KeyCount: 3 })
      const again = await list({ ContinuationToken: short.NextContinuationToken ?? "" })
      expect(again).toMatchObject({ IsTruncated: true, NextContinuationToken: short.NextContinuationToken })
      const paged = await list({ MaxKeys: 1 })
      const next = await list({ MaxKeys: 1, ContinuationToken: paged.NextContinuationToken ?? "" })
      expect(next).toMatchObject({ IsTruncated: true, NextContinuationToken: paged.NextContinuationToken })
    })

    test("lists as it was before the rule stood", async () => {
      await put("a.md", "one")
      await put("b +.md", "one")
      const before = (await list()).Contents
      proxy.faults.push({ act: "stale_list", ...on("LIST") })
      await put("a.md", "changed")
      await put("new.md", "one")
      await client.send(new DeleteObjectCommand({ Bucket, Key: "b +.md" }))
      expect(await list()).toMatchObject({ Contents: before, KeyCount: 2 })
      expect((await list({ MaxKeys: 1 })).Contents).toEqual(before?.slice(0, 1))
      expect((await list({ StartAfter: "a.md" })).Contents).toEqual(before?.slice(1))
      expect(await text("a.md")).toBe("changed")
      proxy.faults.length = 0
      expect(await keys()).toEqual(["a.md", "new.md"])
    })

    test("lists what is older than the rule allows to hide", async () => {
      proxy.faults.push({ act: "stale_list", staleMs: 0, ...on("LIST") })
      await put("a.md", "one")
      expect(await keys()).toEqual(["a.md"])
    })

    test("holds a write back until it is let go, and an answer too", async () => {
      await put("a.md", "first")
      const seen: string[] = []
      const until = async (request: Seen) => {
        seen.push(`${request.key} ${await textBeside(server(), Bucket)}`)
      }
      proxy.faults.push({ act: "hold", until, ...on("PUT") }, { act: "hold_response", until, ...on("PUT") })
      await put("a.md", "second")
      expect(seen).toEqual(["a.md first", "a.md second"])
    })

    test("delays requests side by side", async () => {
      await put("a.md", "one")
      proxy.reset()
      proxy.delayMs = 100
      await Promise.all(Array.from({ length: 20 }, () => text("a.md")))
      expect(proxy.inFlightMax()).toBe(20)
    })
  })

function HTTP(status: number): object {
  return { $metadata: { httpStatusCode: status } }
}

function clientOf(proxy: { readonly endpoint: string }, server: Server): S3Client {
  return new S3Client({
    endpoint: proxy.endpoint,
    region: server.region,
    credentials: { accessKeyId: server.accessKeyId, secretAccessKey: server.secretAccessKey },
    forcePathStyle: true,
    maxAttempts: 1,
    requestChecksumCalculation: "WHEN_REQUIRED",
    responseChecksumValidation: "WHEN_REQUIRED",
  })
}

/** What the server itself says of `a.md`, past the proxy. */
async function textBeside(server: Server, Bucket: string): Promise<string | undefined> {
  const client = clientOf(server, server)
  const { Body } = await client.send(new GetObjectCommand({ Bucket, Key: "a.md" }))
  const text = await Body?.transformToString()
  client.destroy()
  return text
}
