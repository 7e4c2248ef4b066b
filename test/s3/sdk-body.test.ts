/**
 * Bodies are handed out whole or not at all, and handed in as they were announced.
 */

import { once } from "node:events"
import { Readable } from "node:stream"
import { afterEach, expect, test } from "vitest"
import { ContentLost } from "../../src/model/ports.ts"
import { wholeBody, withoutStalls } from "../../src/s3/sdk-body.ts"
import { textOf } from "./sdk-fake.ts"
import { cleanUp, serve } from "./sdk-serve.ts"

afterEach(cleanUp)

const limits = (sizeBytes: number) => ({ sizeBytes, idleMs: 1000 })

test.each([
  ["fewer", 5],
  ["more", 3],
])("%s bytes than were announced are lost", async (_, sizeBytes) => {
  const body = Readable.from([Buffer.from("note")], { objectMode: false })
  await expect(textOf(wholeBody(body, limits(sizeBytes)))).rejects.toThrow(ContentLost)
  expect(body.destroyed).toBe(true)
})

test("whoever leaves early ends the connection", async () => {
  const body = new Readable({ read() {} })
  body.push("no")
  for await (const piece of wholeBody(body, limits(4))) {
    expect(String(piece)).toBe("no")
    break
  }
  expect(body.destroyed).toBe(true)
})

test("a slow reader is no stalled server", async () => {
  const body = new Readable({ read() {} })
  body.push("no")
  const pieces = withoutStalls(body, 50)
  await pieces.next()
  await new Promise((resolve) => setTimeout(resolve, 150))
  body.push("te")
  body.push(null)
  expect(String((await pieces.next()).value)).toBe("te")
  expect(await pieces.next()).toMatchObject({ done: true })
})

test("a stalled server is given up", async () => {
  const body = new Readable({ read() {} })
  const closed = once(body, "close").catch(() => undefined)
  await expect(withoutStalls(body, 50).next()).rejects.toMatchObject({ code: "ETIMEDOUT" })
  await closed
  expect(body.destroyed).toBe(true)
})

test("a large body is sent at once, over a connection that stays", async () => {
  const { fake, store } = await serve((_request, response) => {
    response.writeHead(200, { etag: '"e"' }).end()
  })
  const large = { kind: "bytes", bytes: Buffer.alloc(3 * 1024 * 1024, "x") } as const
  for (let each = 0; each < 3; each++)
    expect(await store.put("k", large, { metadata: {} })).toMatchObject({ ok: true })
  expect(fake.requests.map(({ body }) => body.length)).toEqual(Array(3).fill(large.bytes.length))
  expect(fake.requests.map(({ headers }) => headers.expect)).toEqual(Array(3).fill(undefined))
  expect(fake.connections()).toBe(1)
})
