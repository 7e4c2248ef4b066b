/**
 * What is asked is written as servers understand it, and an answer that is not the answer to it is not believed.
 */

import { afterEach, describe, expect, test } from "vitest"
import { type Answering, errorXml, listXml, type OpenOptions } from "./sdk-fake.ts"
import { bytes, cleanUp, failure, parts, PARTS_ETAG, REQUESTS, serve, upload } from "./sdk-serve.ts"

afterEach(cleanUp)

describe("a listing", () => {
  const listed = async (xml: string | Buffer, options: OpenOptions = {}, page = {}) => {
    const { fake, store } = await serve((_request, response) => void response.end(xml), options)
    return { fake, page: await store.list({ prefix: "", ...page }) }
  }

  test("asks for encoded keys below the remote's prefix, after a key or where a page ended", async () => {
    const { fake, store } = await serve((_request, response) => void response.end(listXml([])), {
      prefix: "p q",
    })
    await store.list({ prefix: "sub/", startAfter: "sub/é" })
    await store.list({ prefix: "", next: "t+1=" })
    const queries = fake.requests.map(({ url }) => Object.fromEntries(new URL(url, "http://h").searchParams))
    expect(queries).toMatchObject([
      { "list-type": "2", "encoding-type": "url", prefix: "p q/sub/", "start-after": "p q/sub/é" },
      { "list-type": "2", "encoding-type": "url", prefix: "p q/", "continuation-token": "t+1=" },
    ])
  })

  test("takes the prefix off", async () => {
    const { page } = await listed(listXml(["p/a", "p/b"]), { prefix: "p" })
    expect(page).toMatchObject({ ok: true, value: { objects: [{ key: "a" }, { key: "b" }] } })
  })

  test.each([
    ["with a key outside of the prefix", listXml(["q/a"])],
    ["that is a page without a type", "<html></html>"],
    ["that is empty", ""],
    ["with a document type", listXml(["p/a"]).replace("?>", "?><!DOCTYPE x>")],
    ["of more than 8 MiB", listXml(["p/a"], " ".repeat(8 * 1024 * 1024))],
    ["that is an error", errorXml("Whatever")],
  ])("%s is nonsense", async (_, xml) => {
    const { page } = await listed(xml, { prefix: "p" })
    expect(page).toMatchObject(failure("nonsense"))
  })

  test("with a key beside what was asked for is nonsense", async () => {
    const { page } = await listed(listXml(["p/sub/a", "p/a"]), { prefix: "p" }, { prefix: "sub/" })
    expect(page).toMatchObject(failure("nonsense"))
  })

  test("that points to where it was asked from is nonsense", async () => {
    const xml = listXml(
      ["a"],
      "<IsTruncated>true</IsTruncated><NextContinuationToken>t</NextContinuationToken>",
    )
    expect((await listed(xml)).page).toMatchObject({ ok: true, value: { next: "t" } })
    expect((await listed(xml, {}, { next: "t" })).page).toMatchObject(failure("nonsense"))
  })

  test.each<readonly [string, Answering]>([
    [
      "cut",
      (_request, response) => {
        response.writeHead(200, { "content-length": 1000 })
        response.write(listXml(["a"]), () => response.destroy())
      },
    ],
    ["stalled", (_request, response) => void response.writeHead(200).write(listXml(["a"]).slice(0, 50))],
  ])("that is %s is unreachable", async (_, answer) => {
    const { store } = await serve(answer, { patience: { idleMs: 100 } })
    expect(await store.list({ prefix: "" })).toMatchObject(failure("unreachable"))
  })

  test("of a bucket that is not there says so", async () => {
    const { store } = await serve((_request, response) => {
      response.writeHead(404).end(errorXml("NoSuchBucket"))
    })
    expect(await store.list({ prefix: "" })).toMatchObject(failure("no_bucket"))
  })
})

describe("an error in an answer with 200 is a failure", () => {
  const asked = ["copy", "copyPart", "complete"]
  test.each(
    asked.flatMap((name) =>
      ["", "\n", "  \r\n "].flatMap((tail) => [
        { name, code: "PreconditionFailed", tail, kind: "precondition" },
        { name, code: "InternalError", tail, kind: "unreachable" },
      ]),
    ),
  )("$name: $code, ending with $tail", async ({ name, code, tail, kind }) => {
    // Servers that need long keep the connection alive with white space before their answer.
    const { store } = await serve(
      (_request, response) => void response.writeHead(200).end(`\n ${errorXml(code)}${tail}`),
    )
    expect(await REQUESTS[name]?.(store)).toMatchObject(failure(kind))
  })

  test.each(asked)("%s: a result of another request is nonsense", async (name) => {
    const { store } = await serve((_request, response) => void response.writeHead(200).end(listXml([])))
    expect(await REQUESTS[name]?.(store)).toMatchObject(failure("nonsense"))
  })
})

describe("a completed upload whose etag is not said", () => {
  const nameless =
    (etag: string): Answering =>
    (request, response) => {
      if (request.method === "HEAD") response.writeHead(200, { etag: `"${etag}"`, "content-length": 3 }).end()
      else response.end("<CompleteMultipartUploadResult><ETag></ETag></CompleteMultipartUploadResult>")
    }

  test("is looked at", async () => {
    const { store } = await serve(nameless(PARTS_ETAG))
    expect(await store.complete(upload, parts, {})).toEqual({ ok: true, value: { etag: PARTS_ETAG } })
  })

  test("is nobody's where another object is there", async () => {
    const { store } = await serve(nameless("0123456789abcdef0123456789abcdef"))
    expect(await store.complete(upload, parts, {})).toMatchObject(failure("conflict"))
  })
})

describe("a condition is written as the server understands it", () => {
  test.each([
    ["quoted", '"e"'],
    ["bare", "e"],
  ] as const)("%s", async (etagForm, expected) => {
    const { fake, store } = await serve(
      (request, response) => {
        const isComplete = request.url.includes("uploadId")
        response.writeHead(200, { etag: '"e"' })
        response.end(
          isComplete ? "<CompleteMultipartUploadResult><ETag>e</ETag></CompleteMultipartUploadResult>" : "",
        )
      },
      { etagForm },
    )
    const condition = { kind: "match", etag: "e" } as const
    await store.put("k", bytes("x"), { condition, metadata: {} })
    await store.complete(upload, parts, { condition })
    await store.remove("k", { ifMatch: "e" })
    expect(fake.requests.map(({ headers }) => headers["if-match"])).toEqual([expected, expected, expected])
    await store.put("k", bytes("x"), { condition: { kind: "absent" }, metadata: {} })
    expect(fake.requests.at(-1)?.headers["if-none-match"]).toBe("*")
  })
})

test("a delete of a key that is gone is done, also under a condition", async () => {
  const { store } = await serve(
    (_request, response) => void response.writeHead(404).end(errorXml("NoSuchKey")),
  )
  expect(await store.remove("k", { ifMatch: "e" })).toEqual({ ok: true, value: undefined })
  expect(await store.removeOnce("k", { expiresInS: 60, mayStillSend: () => true })).toEqual({
    ok: true,
    value: undefined,
  })
})

describe("a delete that is sent once", () => {
  test("is signed for as long as it may live, and carries nothing else", async () => {
    const { fake, store } = await serve((_request, response) => void response.writeHead(204).end(), {
      prefix: "p",
    })
    expect(await store.removeOnce("a b+é", { expiresInS: 60, mayStillSend: () => true })).toMatchObject({
      ok: true,
    })
    const [request] = fake.requests
    expect(request).toMatchObject({ method: "DELETE", body: "" })
    expect(request?.url).toMatch(/^\/notes\/p\/a%20b%2B%C3%A9\?.*X-Amz-Expires=60&/)
  })

  test("is not sent where it may not any more", async () => {
    const { fake, store } = await serve((_request, response) => void response.writeHead(204).end())
    let asked = 0
    // It is asked early, and once more when the connection stands.
    const late = { expiresInS: 60, mayStillSend: () => ++asked < 2 }
    expect(await store.removeOnce("k", late)).toMatchObject(failure("too_late"))
    expect(asked).toBe(2)
    expect(await store.removeOnce("k", { expiresInS: 60, mayStillSend: () => false })).toMatchObject(
      failure("too_late"),
    )
    expect(fake.requests.length).toBe(0)
  })

  test("is not sent again when its answer is lost", async () => {
    const { fake, store } = await serve((_request, response) => void response.destroy(), {
      patience: { attemptsMax: 5 },
    })
    expect(await store.removeOnce("k", { expiresInS: 60, mayStillSend: () => true })).toMatchObject(
      failure("unreachable", "ECONNRESET"),
    )
    expect(fake.requests.length).toBe(1)
  })

  test("of a bucket that is gone is not done", async () => {
    const { store } = await serve(
      (_request, response) => void response.writeHead(404).end(errorXml("NoSuchBucket")),
    )
    expect(await store.removeOnce("k", { expiresInS: 60, mayStillSend: () => true })).toMatchObject(
      failure("no_bucket"),
    )
  })

  test("is signed by the server's clock", async () => {
    const serverMs = Date.now() + 3_600_000
    const { fake, store } = await serve((_request, response) => {
      response.writeHead(204, { date: new Date(serverMs).toUTCString() }).end()
    })
    await store.remove("k", {})
    await store.removeOnce("k", { expiresInS: 60, mayStillSend: () => true })
    const signed = new URL(fake.requests[1]?.url ?? "", "http://h").searchParams.get("X-Amz-Date") ?? ""
    const [, y, mo, d, h, mi, s] = /^(....)(..)(..)T(..)(..)(..)Z$/.exec(signed) ?? []
    const signedMs = Date.parse(`${y}-${mo}-${d}T${h}:${mi}:${s}Z`)
    expect(Math.abs(signedMs - serverMs)).toBeLessThan(5000)
  })
})

describe("uploads that were left behind", () => {
  const page = (uploads: readonly string[], more = "") => {
    const entries = uploads.map(
      (key) =>
        `<Upload><Key>${key}</Key><UploadId>u</UploadId><Initiated>2026-11-25T10:00:00.000Z</Initiated></Upload>`,
    )
    return `<ListMultipartUploadsResult>${more}${entries.join("")}</ListMultipartUploadsResult>`
  }
  const more =
    "<IsTruncated>true</IsTruncated><NextKeyMarker>p/a</NextKeyMarker><NextUploadIdMarker>u</NextUploadIdMarker>"

  test("are found page after page, without those of others", async () => {
    const { fake, store } = await serve(
      (request, response) =>
        void response.end(request.number === 1 ? page(["other/a", "p/a"], more) : page(["p/d/b", "q"])),
      { prefix: "p" },
    )
    const startedMs = Date.parse("2026-11-25T10:00:00Z")
    expect(await store.uploads("")).toEqual({
      ok: true,
      value: [
        { key: "a", uploadId: "u", startedMs },
        { key: "d/b", uploadId: "u", startedMs },
      ],
    })
    const [first, second] = fake.requests.map(({ url }) => new URL(url, "http://h").searchParams)
    // MinIO takes a prefix for a whole key.
    expect(first?.has("prefix")).toBe(false)
    expect(Object.fromEntries(second ?? [])).toMatchObject({ "key-marker": "p/a", "upload-id-marker": "u" })
  })

  test("are found below a prefix within the remote", async () => {
    const { store } = await serve((_request, response) => void response.end(page(["p/a", "p/d/b"])), {
      prefix: "p",
    })
    expect(await store.uploads("d/")).toMatchObject({ ok: true, value: [{ key: "d/b" }] })
  })
})
