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
import { parseS3Url } from "../../src/s3/address.ts"
import { PATIENCE, SEND_MS_MAX } from "../../src/s3/sdk-patience.ts"
import { openSdkStore } from "../../src/s3/sdk-store.ts"
import type { Body } from "../../src/store/store.ts"
import { type Answering, CREDENTIALS, errorXml, openAt, startFake, textOf } from "./sdk-fake.ts"
import { bytes, cleanUp, cleanups, failure, REQUESTS, requests, serve } from "./sdk-serve.ts"

afterEach(cleanUp)

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
      // Where the length was reached the server has its chance to answer; nobody comes here otherwise.
      if (text.length >= sizeBytes) await new Promise((resolve) => setTimeout(resolve, 200))
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

  test("is not taken from a long request where a short one told it", async () => {
    let nowMs = NOW
    let dateMs = NOW + 60_000
    const { store } = await serve(
      (request, response) => {
        if (request.number === 2) {
          nowMs += 20_000
          dateMs = nowMs + 60_000
        }
        const headers = { date: new Date(dateMs).toUTCString(), etag: '"e"', "content-length": 0 }
        response.writeHead(200, headers).end()
      },
      { nowMs: () => nowMs },
    )
    await store.head("k")
    const told = store.skewMs()
    await store.put("k", bytes("x"), { metadata: {} })
    expect(store.skewMs()).toBe(told)
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

  test("is asked for wherever the SDK found its endpoint", async () => {
    vi.stubEnv("AWS_ENDPOINT_URL_S3", "http://storage.invalid")
    cleanups.push(() => vi.unstubAllEnvs())
    const address = parseS3Url("s3://notes?region=us-east-1")
    if (!address.ok) throw new Error(address.error)
    const options = { credentials: CREDENTIALS, etagForm: "quoted", nowMs: Date.now } as const
    const store = await openSdkStore(address.value, options)
    cleanups.push(() => store.close())
    expect(await store.head("k")).toEqual(failure("nonsense", "an endpoint without TLS"))
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
