/**
 * One request and its answer: what is sent, to whom, and what is no answer at all.
 */

import { once } from "node:events"
import { createServer } from "node:net"
import { createServer as createTlsServer } from "node:https"
import { gzipSync } from "node:zlib"
import { afterEach, describe, expect, test } from "vitest"
import { HTTP_LIMITS, openHttp } from "../../src/cloud/http.ts"
import { selfSigned } from "./certificate.ts"
import { type FakeHost, json, portOf, type Reply, startHost, stopHosts } from "./fake-host.ts"

const TOKEN = "access-token-of-mine"
const ask = openHttp()
const hurried = openHttp({ ...HTTP_LIMITS, timeoutMs: 100 })

afterEach(stopHosts)

const get = (host: Pick<FakeHost, "url">, by = ask) =>
  by({ method: "GET", url: `${host.url}/x`, bearer: TOKEN })

async function answered(reply: Reply, by = ask) {
  return get(await startHost(() => reply), by)
}

describe("a request", () => {
  test("carries the token, and asks for JSON that is not compressed", async () => {
    const host = await startHost(() => json({ a: 1 }))
    expect(await get(host)).toEqual({ ok: true, value: { status: 200, value: { a: 1 } } })
    const [asked] = host.asked
    expect(asked).toMatchObject({ method: "GET", path: "/x", body: "" })
    expect(asked?.headers).toMatchObject({
      authorization: `Bearer ${TOKEN}`,
      accept: "application/json",
      "accept-encoding": "identity",
    })
  })

  test("carries none where none is given", async () => {
    const host = await startHost(() => json({}))
    await ask({ method: "POST", url: host.url, body: { kind: "json", value: { name: "日本" } } })
    const [asked] = host.asked
    expect(asked?.headers).not.toHaveProperty("authorization")
    expect(asked?.headers["content-type"]).toBe("application/json")
    expect(asked?.body).toBe('{"name":"日本"}')
  })

  test("is a form where it is one", async () => {
    const host = await startHost(() => json({}))
    await ask({ method: "POST", url: host.url, body: { kind: "form", fields: { scope: "a b&c", x: "=" } } })
    const [asked] = host.asked
    expect(asked?.headers["content-type"]).toBe("application/x-www-form-urlencoded")
    expect(asked?.body).toBe("scope=a+b%26c&x=%3D")
  })

  test("without a body says that it has none", async () => {
    const host = await startHost(() => json({}))
    await ask({ method: "POST", url: host.url })
    await ask({ method: "DELETE", url: host.url })
    expect(host.asked.map(({ method, headers }) => [method, headers["content-length"]])).toEqual([
      ["POST", "0"],
      ["DELETE", undefined],
    ])
  })

  test("to where anybody can listen is not made", async () => {
    await expect(ask({ method: "GET", url: "http://example.com/", bearer: TOKEN })).rejects.toThrow(
      /safe URL/,
    )
  })
})

describe("an answer", () => {
  test.each([400, 401, 403, 404, 422, 429, 500, 503])(
    "of status %i is handed on with its JSON",
    async (status) => {
      const value = { detail: "x" }
      expect(await answered(json(value, status))).toEqual({ ok: true, value: { status, value } })
    },
  )

  test.each([
    ["that is empty", 200, ""],
    ["of 204", 204, ""],
    ["that is an error in plain text", 400, "no"],
  ])("%s has no value", async (_, status, text) => {
    expect(await answered({ status, text })).toEqual({ ok: true, value: { status, value: undefined } })
  })

  test.each([
    ["a sign-in page that says 200", 200, "<!doctype html><p>Sign in</p>", "text/html; charset=utf-8"],
    ["a page that does not say that it is one", 200, "\n <html>", "text/plain"],
    ["a page with a 403", 403, "<html>", "text/html"],
    ["a page with a 401", 401, "<html>", "text/html"],
  ])("that is %s is nonsense", async (_, status, text, type) => {
    const headers = { "content-type": type }
    expect(await answered({ status, text, headers })).toEqual({
      ok: false,
      error: { kind: "nonsense", what: "page" },
    })
  })

  test("that is a gateway's page about its own trouble is that trouble", async () => {
    const headers = { "content-type": "text/html" }
    const got = await answered({ status: 502, text: "<html>Bad Gateway", headers })
    expect(got).toEqual({ ok: true, value: { status: 502, value: undefined } })
  })

  test("that is a success and no JSON is nonsense", async () => {
    expect(await answered({ status: 200, text: "fine" })).toEqual({
      ok: false,
      error: { kind: "nonsense", what: "not_json" },
    })
  })

  test("that is compressed though nobody asked is nonsense", async () => {
    const got = await answered((response) => {
      response.writeHead(200, { "content-encoding": "gzip" })
      response.end(gzipSync("{}"))
    })
    expect(got).toEqual({ ok: false, error: { kind: "nonsense", what: "compressed" } })
  })

  test("is read up to its limit and no further", async () => {
    const small = openHttp({ ...HTTP_LIMITS, answerBytesMax: 1000 })
    const text = JSON.stringify("a".repeat(998))
    expect(await answered({ status: 200, text }, small)).toMatchObject({ ok: true })
    const tooLarge = { ok: false, error: { kind: "nonsense", what: "too_large" } }
    expect(await answered({ status: 200, text: `${text} ` }, small)).toEqual(tooLarge)
  })

  test("that never ends is given up at the limit", async () => {
    const small = openHttp({ ...HTTP_LIMITS, answerBytesMax: 100_000 })
    let closed: Promise<unknown> | undefined
    const host = await startHost(() => (response) => {
      closed = once(response, "close")
      const more = () => {
        while (!response.destroyed && response.write("a".repeat(1000)));
      }
      response.on("drain", more)
      more()
    })
    expect(await get(host, small)).toEqual({ ok: false, error: { kind: "nonsense", what: "too_large" } })
    await closed
  })
})

describe("a redirect", () => {
  test.each([301, 302, 303, 307, 308])(
    "of status %i is not followed, and no other host hears of it",
    async (status) => {
      const other = await startHost(() => json({}))
      const location = `${other.url}/x?y=z`
      const got = await answered({ status, text: "", headers: { location } })
      expect(got).toEqual({ ok: false, error: { kind: "redirected", status, origin: other.url } })
      expect(other.asked).toEqual([])
    },
  )

  test("within the host is not followed either", async () => {
    const host = await startHost(() => ({ status: 307, text: "", headers: { location: "/x/" } }))
    expect(await get(host)).toEqual({
      ok: false,
      error: { kind: "redirected", status: 307, origin: host.url },
    })
    expect(host.asked).toHaveLength(1)
  })

  test.each(["http://evil.example/", "javascript:x", "https://a@evil.example/", "https://[", ""])(
    "to %j does not say where to",
    async (location) => {
      const got = await answered((response) => {
        if (location !== "") response.setHeader("location", location)
        response.writeHead(302).end()
      })
      expect(got).toEqual({ ok: false, error: { kind: "redirected", status: 302 } })
    },
  )
})

describe("nobody proper answers", () => {
  const unreachable = (word: string) => ({ ok: false, error: { kind: "unreachable", word } })

  test("where no server is", async () => {
    const host = await startHost(() => json({}))
    await stopHosts()
    expect(await get(host)).toEqual(unreachable("ECONNREFUSED"))
  })

  test("where a name has several addresses, and no server is at any", async () => {
    const host = await startHost(() => json({}))
    await stopHosts()
    expect(await get({ url: host.url.replace("127.0.0.1", "localhost") })).toEqual(
      unreachable("ECONNREFUSED"),
    )
  })

  test("where no host of that name is", async () => {
    expect(await get({ url: "https://nobody.invalid" })).toMatchObject({
      ok: false,
      error: { kind: "unreachable", word: expect.stringMatching(/^(ENOTFOUND|EAI_AGAIN)$/) },
    })
  })

  test("where the connection breaks before the answer", async () => {
    expect(await answered((response) => response.destroy())).toEqual(unreachable("ECONNRESET"))
  })

  test("where the connection breaks in its middle", async () => {
    const got = await answered((response) => {
      response.writeHead(200, { "content-type": "application/json", "content-length": "100" })
      response.write('{"a":', () => response.destroy())
    })
    expect(got).toEqual(unreachable("ECONNRESET"))
  })

  test("where the request is taken and nothing follows", async () => {
    expect(await answered(() => {}, hurried)).toEqual(unreachable("ETIMEDOUT"))
  })

  test("where the answer stops in its middle", async () => {
    const got = await answered((response) => {
      response.writeHead(200)
      response.write("{")
    }, hurried)
    expect(got).toEqual(unreachable("ETIMEDOUT"))
  })

  test("where it is not HTTP", async () => {
    const server = createServer((socket) => socket.on("error", () => {}).end("220 mail\r\n"))
    server.listen(0, "127.0.0.1")
    await once(server, "listening")
    const got = await get({ url: `http://127.0.0.1:${portOf(server)}` })
    server.close()
    expect(got).toMatchObject({
      ok: false,
      error: { kind: "unreachable", word: expect.stringMatching(/^HPE_/) },
    })
  })

  test("where it is not TLS", async () => {
    const host = await startHost(() => json({}))
    const got = await get({ url: host.url.replace("http:", "https:") })
    expect(got).toMatchObject({
      ok: false,
      error: { kind: "unreachable", word: expect.stringMatching(/SSL|TLS|EPROTO/) },
    })
  })

  test("where nobody vouches for the server, whatever the environment says", async () => {
    let requests = 0
    const server = createTlsServer(selfSigned(), (_, response) => {
      requests += 1
      response.end("{}")
    })
    server.listen(0, "127.0.0.1")
    await once(server, "listening")
    const before = process.env["NODE_TLS_REJECT_UNAUTHORIZED"]
    process.env["NODE_TLS_REJECT_UNAUTHORIZED"] = "0"
    const got = await get({ url: `https://localhost:${portOf(server)}` })
    if (before === undefined) delete process.env["NODE_TLS_REJECT_UNAUTHORIZED"]
    else process.env["NODE_TLS_REJECT_UNAUTHORIZED"] = before
    server.close()
    expect(got).toEqual(unreachable("DEPTH_ZERO_SELF_SIGNED_CERT"))
    expect(requests).toBe(0)
  })
})
