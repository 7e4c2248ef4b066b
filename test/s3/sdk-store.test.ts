/**
 * What servers and networks do wrong ends in the right failure, in bounded time, and never in a belief that is false.
 */

import { execFileSync } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, describe, expect, test, vi } from "vitest"
import { ContentLost } from "../../src/model/ports.ts"
import { PATIENCE, SEND_MS_MAX } from "../../src/s3/sdk-patience.ts"
import type { Body, ObjectStore } from "../../src/s3/store.ts"
import {
  type Answering,
  errorXml,
  type Fake,
  listXml,
  openAt,
  type OpenOptions,
  startFake,
  textOf,
} from "./sdk-fake.ts"

const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

async function serve(
  answer: Answering,
  options: OpenOptions = {},
): Promise<{ readonly fake: Fake; readonly store: ObjectStore }> {
  const fake = await startFake(answer)
  cleanups.push(() => fake.stop())
  const store = await fake.open(options)
  cleanups.push(() => store.close())
  return { fake, store }
}

const bytes = (text: string): Body => ({ kind: "bytes", bytes: Buffer.from(text) })
const failure = (kind: string, detail?: unknown) => ({
  ok: false,
  error: { kind, ...(detail !== undefined && { detail }) },
})
const upload = { key: "k", uploadId: "u" }
const parts = [{ number: 1, etag: "900150983cd24fb0d6963f7d28e17f72" }]
/** Of an object of that one part. */
const PARTS_ETAG = "af5da9f45af7a300e3aded972f8ff687-1"

/** Every request that a store makes. */
const REQUESTS: Readonly<Record<string, (store: ObjectStore) => Promise<{ readonly ok: boolean }>>> = {
  list: (store) => store.list({ prefix: "" }),
  head: (store) => store.head("k"),
  get: (store) => store.get("k", {}),
  put: (store) => store.put("k", bytes("x"), { metadata: {} }),
  copy: (store) => store.copy("k", "l", { ifMatch: "e", metadata: {} }),
  remove: (store) => store.remove("k", {}),
  removeOnce: (store) => store.removeOnce("k", { expiresInS: 60, mayStillSend: () => true }),
  startUpload: (store) => store.startUpload("k", { metadata: {} }),
  putPart: (store) => store.putPart(upload, 1, Buffer.from("x")),
  copyPart: (store) => store.copyPart(upload, 1, { key: "k", ifMatch: "e" }),
  complete: (store) => store.complete(upload, parts, {}),
  abort: (store) => store.abort(upload),
  uploads: (store) => store.uploads(""),
}
const requests = Object.entries(REQUESTS)

describe("a page with 200 instead of an answer is nonsense", () => {
  test.each(requests)("%s", async (_, request) => {
    const { store } = await serve((_request, response) => {
      response.writeHead(200, { "content-type": "text/html; charset=utf-8" }).end("<html>Log in</html>")
    })
    expect(await request(store)).toMatchObject(failure("nonsense"))
  })
})

describe("a redirect to another host is not followed", () => {
  test.each(requests)("%s", async (_, request) => {
    const other = await startFake((_request, response) => response.end())
    cleanups.push(() => other.stop())
    const { fake, store } = await serve((_request, response) => {
      const headers = { location: `${other.endpoint}/notes/k`, "x-amz-bucket-region": "eu-west-1" }
      response.writeHead(307, headers).end(errorXml("TemporaryRedirect"))
    })
    expect(await request(store)).toMatchObject(failure("refused"))
    expect(fake.requests.length).toBe(1)
    expect(other.connections()).toBe(0)
  })
})

describe("a server that is not there is unreachable", () => {
  test.each(requests)("%s", async (_, request) => {
    const fake = await startFake(() => undefined)
    await fake.stop()
    const store = await openAt(fake.endpoint)
    cleanups.push(() => store.close())
    expect(await request(store)).toMatchObject(failure("unreachable", "ECONNREFUSED"))
  })
})

describe("a server that never answers is unreachable", () => {
  test.each(requests)("%s", async (_, request) => {
    const { fake, store } = await serve(() => undefined, { patience: { idleMs: 100 } })
    expect(await request(store)).toMatchObject(failure("unreachable"))
    expect(fake.requests.length).toBe(1)
  })
})

describe("a key pair that is refused is said to be", () => {
  test.each(requests)("%s", async (_, request) => {
    const { store } = await serve((_request, response) => {
      response.writeHead(403, { "content-type": "application/xml" }).end(errorXml("InvalidAccessKeyId"))
    })
    const result = await request(store)
    expect(result).toMatchObject(
      request === REQUESTS["head"] ? failure("denied") : failure("credentials", "InvalidAccessKeyId"),
    )
    expect(JSON.stringify(result)).not.toMatch(/SECRET|Signature/)
  })
})

describe("a busy server", () => {
  const storm: Answering = (_request, response) => void response.writeHead(503).end(errorXml("SlowDown"))
  test.each(requests.filter(([name]) => name !== "removeOnce"))(
    "is asked %s again, and is busy in the end",
    async (_, request) => {
      const waits: number[] = []
      const patience = { wait: async (delayMs: number) => void waits.push(delayMs) }
      const { fake, store } = await serve(storm, { patience })
      expect(await request(store)).toMatchObject({ ok: false, error: { kind: "busy", status: 503 } })
      expect(fake.requests.length).toBe(5)
      expect(waits.length).toBe(4)
    },
  )

  test("is asked to delete once only where nothing may be sent twice", async () => {
    const { fake, store } = await serve(storm)
    const removed = await store.removeOnce("k", { expiresInS: 60, mayStillSend: () => true })
    expect(removed).toMatchObject(failure("busy", "SlowDown"))
    expect(fake.requests.length).toBe(1)
  })

  test("is believed when it has calmed down, also by a stream that is opened anew", async () => {
    let opened = 0
    const body: Body = {
      kind: "stream",
      sizeBytes: 4,
      async *open() {
        opened++
        yield Buffer.from("no")
        yield Buffer.from("te")
      },
    }
    const { fake, store } = await serve((request, response) => {
      if (request.number < 3) response.writeHead(503).end(errorXml("SlowDown"))
      else response.writeHead(200, { etag: '"e"' }).end()
    })
    expect(await store.put("k", body, { metadata: {} })).toEqual({ ok: true, value: { etag: "e" } })
    expect(opened).toBe(3)
    expect(fake.requests.map((request) => request.body)).toEqual(["note", "note", "note"])
  })
})

describe("a request whose answer is lost", () => {
  const loseFirst: Answering = (request, response) => {
    if (request.number === 1) response.destroy()
    else response.writeHead(200, { etag: '"e"' }).end()
  }

  test("is sent again by the SDK where its body is at hand", async () => {
    const { fake, store } = await serve(loseFirst, { patience: { attemptsMax: 2 } })
    expect(await store.put("k", bytes("note"), { metadata: {} })).toMatchObject({ ok: true })
    expect(fake.requests.length).toBe(2)
  })

  test("is sent again from the start where its body is a stream, and nothing is printed", async () => {
    const printed = vi.spyOn(console, "warn").mockImplementation(() => undefined)
    cleanups.push(() => printed.mockRestore())
    const body: Body = {
      kind: "stream",
      sizeBytes: 4,
      async *open() {
        yield Buffer.from("note")
      },
    }
    const { fake, store } = await serve(loseFirst, { patience: { attemptsMax: 2 } })
    expect(await store.put("k", body, { metadata: {} })).toMatchObject({ ok: true })
    expect(fake.requests.map((request) => request.body)).toEqual(["note", "note"])
    expect(printed).not.toHaveBeenCalled()
  })

  test("is not sent again once it is too old", async () => {
    let nowMs = 1_700_000_000_000
    const { fake, store } = await serve(
      (_request, response) => {
        nowMs += SEND_MS_MAX + 1
        response.destroy()
      },
      { nowMs: () => nowMs, patience: { attemptsMax: 5 } },
    )
    expect(await store.put("k", bytes("note"), { metadata: {} })).toMatchObject(failure("unreachable"))
    expect(fake.requests.length).toBe(1)
  })
})

describe("a stream that breaks off", () => {
  const brokenAfter = (text: string, sizeBytes: number, end?: Error): Body => ({
    kind: "stream",
    sizeBytes,
    async *open() {
      yield Buffer.from(text)
      if (end !== undefined) throw end
    },
  })

  test.each([
    ["by itself", brokenAfter("no", 4, new ContentLost({ code: "changed_since", path: "k" }))],
    ["too early", brokenAfter("no", 4)],
    ["too late", brokenAfter("notes", 4)],
  ])("%s never becomes an object, and is the caller's to hear", async (_, body) => {
    let ended = 0
    const { store } = await serve((_request, response) => {
      ended++
      response.writeHead(200, { etag: '"e"' }).end()
    })
    await expect(store.put("k", body, { metadata: {} })).rejects.toThrow(ContentLost)
    expect(ended).toBe(0)
  })
})

describe("a body that comes", () => {
  const read = async (answer: Answering): Promise<string> => {
    const { store } = await serve(answer, { patience: { idleMs: 100 } })
    const got = await store.get("k", {})
    if (!got.ok) throw new Error(got.error.detail)
    return textOf(got.value.body)
  }
  const lost = (text: string | RegExp) => expect.objectContaining({ detail: expect.stringMatching(text) })

  test("is handed out whole", async () => {
    const whole = "note".repeat(100_000)
    expect(
      await read(
        (_request, response) =>
          void response.writeHead(200, { etag: '"e"', "content-length": whole.length }).end(whole),
      ),
    ).toBe(whole)
  })

  test("empty is handed out too", async () => {
    expect(
      await read(
        (_request, response) => void response.writeHead(200, { etag: '"e"', "content-length": 0 }).end(),
      ),
    ).toBe("")
  })

  test.each<readonly [string, Answering, RegExp]>([
    [
      "cut",
      (_request, response) => {
        response.writeHead(200, { etag: '"e"', "content-length": 10 }).write("half", () => response.destroy())
      },
      /ECONNRESET/,
    ],
    [
      "stalled",
      (_request, response) =>
        void response.writeHead(200, { etag: '"e"', "content-length": 10 }).write("half"),
      /ETIMEDOUT|TimeoutError/,
    ],
  ])("%s is lost, and says so", async (_, answer, detail) => {
    await expect(read(answer)).rejects.toMatchObject({ trouble: lost(detail) })
  })

  test("without a length is no object", async () => {
    await expect(
      read((_request, response) => void response.writeHead(200, { etag: '"e"' }).end("note")),
    ).rejects.toThrow("an object without etag or size")
  })

  test("larger than was asked for is refused before it is read", async () => {
    const { store } = await serve((_request, response) => {
      response.writeHead(200, { etag: '"e"', "content-length": 1e9 }).write("x")
    })
    expect(await store.get("k", { limitBytes: 10 })).toMatchObject(failure("nonsense"))
  })

  test("leaves its connection to the next request", async () => {
    const { fake, store } = await serve((_request, response) => {
      response.writeHead(200, { etag: '"e"', "content-length": 4 }).end("note")
    })
    for (let each = 0; each < 5; each++) {
      const got = await store.get("k", {})
      if (got.ok) await textOf(got.value.body)
      await store.head("k")
    }
    expect(fake.connections()).toBe(1)
  })
})

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
    const { store } = await serve(
      (_request, response) => void response.writeHead(200).end(errorXml(code) + tail),
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

describe("the server's clock", () => {
  const NOW = 1_700_000_000_000
  const skewAfter = async (dateMs: number, status = 200): Promise<number | undefined> => {
    const { store } = await serve(
      (_request, response) => {
        response
          .writeHead(status, { date: new Date(dateMs).toUTCString(), etag: '"e"', "content-length": 0 })
          .end()
      },
      { nowMs: () => NOW },
    )
    expect(store.skewMs()).toBe(undefined)
    await store.head("k")
    return store.skewMs()
  }

  test.each([0, 1000, -1000])(
    "is not told apart from ours where its header is too coarse: %i ms",
    async (skewMs) => {
      expect(await skewAfter(NOW + skewMs)).toBe(0)
    },
  )

  test.each([3000, 3_600_000, -3_600_000])("is known by its answers: %i ms", async (skewMs) => {
    expect(Math.abs(((await skewAfter(NOW + skewMs)) ?? 0) - skewMs)).toBeLessThanOrEqual(500)
  })

  test("is known by its refusals", async () => {
    expect(Math.abs(((await skewAfter(NOW + 3_600_000, 403)) ?? 0) - 3_600_000)).toBeLessThanOrEqual(500)
  })
})

describe("TLS", () => {
  test("is verified for every request, whatever the environment says", async () => {
    const directory = mkdtempSync(join(tmpdir(), "bm-tls-"))
    cleanups.push(() => rmSync(directory, { recursive: true }))
    const [key, cert] = [join(directory, "key"), join(directory, "cert")]
    const subject = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    const made = [
      "req",
      "-x509",
      "-newkey",
      "ec",
      "-pkeyopt",
      "ec_paramgen_curve:P-256",
      "-nodes",
      "-days",
      "2",
    ]
    execFileSync("openssl", [...made, ...subject, "-keyout", key, "-out", cert], { stdio: "ignore" })
    const fake = await startFake((_request, response) => void response.end(), {
      key: readFileSync(key),
      cert: readFileSync(cert),
    })
    cleanups.push(() => fake.stop())
    vi.stubEnv("NODE_TLS_REJECT_UNAUTHORIZED", "0")
    cleanups.push(() => vi.unstubAllEnvs())
    const warned = vi.spyOn(process, "emitWarning").mockImplementation(() => undefined)
    cleanups.push(() => warned.mockRestore())
    const store = await fake.open()
    cleanups.push(() => store.close())
    for (const [name, request] of requests)
      expect(await request(store), name).toMatchObject(failure("unreachable", "DEPTH_ZERO_SELF_SIGNED_CERT"))
    const large: Body = { kind: "bytes", bytes: Buffer.alloc(3 * 1024 * 1024) }
    expect(await store.put("k", large, { metadata: {} })).toMatchObject(failure("unreachable"))
    expect(fake.requests.length).toBe(0)
  })

  test("that is answered without TLS is unreachable", async () => {
    const server = createServer((socket) => {
      socket.on("error", () => undefined)
      socket.on("data", () => socket.end("HTTP/1.1 400 Bad Request\r\n\r\n"))
    })
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
    cleanups.push(() => new Promise((resolve) => server.close(resolve)))
    const bound = server.address()
    const port = typeof bound === "object" && bound !== null ? bound.port : 0
    const store = await openAt(`https://127.0.0.1:${port}`)
    cleanups.push(() => store.close())
    expect(await store.head("k")).toMatchObject(failure("unreachable"))
  })
})

test("what a user waits for has a limit in every case", () => {
  expect(PATIENCE).toMatchObject({ connectMs: 10_000, idleMs: 30_000, attemptsMax: 5 })
})
