/** Requests to rclone: whatever comes in place of an answer is a value, and nothing stays open. */

import { once } from "node:events"
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { afterEach, beforeEach, describe, expect, test } from "vitest"
import { openRc, type Rc } from "../../src/rclone/rc.ts"
import { must } from "../backend/bucket-storage.ts"
import { startGround } from "./rclone-storage.ts"
import { describeEachRclone } from "./real-rclone.ts"
import { s3Options } from "./remotes.ts"
import { until } from "./until.ts"

type Answering = (request: IncomingMessage, response: ServerResponse) => void

const WITHIN = { withinMs: 10_000 }
const KEYS = { accessKeyId: "a", secretAccessKey: "b", region: "us-east-1" }

let server: Server
let rc: Rc
let answer: Answering = () => {}
let isAlive = true
let sockets = 0
let socketsMax = 0

beforeEach(async () => {
  isAlive = true
  sockets = 0
  socketsMax = 0
  server = createServer((request, response) => {
    request.resume()
    request.on("end", () => answer(request, response))
  })
  server.on("connection", (socket) => {
    sockets += 1
    socketsMax = Math.max(socketsMax, sockets)
    socket.on("close", () => {
      sockets -= 1
    })
  })
  server.listen(0, "127.0.0.1")
  await once(server, "listening")
  const { port } = server.address() as AddressInfo
  rc = openRc({ port, user: "u", password: "p", pid: 0, isAlive: () => isAlive, stop: () => {} })
})
afterEach(async () => {
  rc.close()
  server.closeAllConnections()
  server.close()
  await once(server, "close")
})

const says =
  (status: number, body: string): Answering =>
  (_, response) => {
    response.writeHead(status, { "content-type": "application/json" })
    response.end(body)
  }

/** Half of the answer, and then nothing. */
const breaks: Answering = (_, response) => {
  response.writeHead(200, { "content-length": "100" })
  response.write('{"list": [', () => response.destroy())
}

describe("a call", () => {
  test("is a POST with the password, whose answer comes back as it was sent", async () => {
    let asked: unknown
    server.prependListener("request", ({ method, url, headers }: IncomingMessage) => {
      asked = { method, url, authorization: headers.authorization, type: headers["content-type"] }
    })
    answer = says(200, '{"list": [1, "ä"]}')
    expect(await rc.call("operations/list", { fs: "r:" }, WITHIN)).toEqual({
      ok: true,
      value: { list: [1, "ä"] },
    })
    expect(asked).toEqual({
      method: "POST",
      url: "/operations/list",
      authorization: `Basic ${Buffer.from("u:p").toString("base64")}`,
      type: "application/json",
    })
  })

  test.each<readonly [string, Answering, object]>([
    [
      "rclone's own word for what went wrong",
      says(500, '{"error": "directory not found", "status": 500}'),
      { kind: "not_found", detail: "directory not found", via: "rclone", status: 500 },
    ],
    ["a page", says(200, "<html>"), { kind: "nonsense", status: 200 }],
    ["a page that says no", says(401, "Unauthorized"), { kind: "nonsense", status: 401 }],
    ["an answer of another shape that says no", says(500, "[]"), { kind: "nonsense", status: 500 }],
    ["nothing", says(200, ""), { kind: "nonsense", status: 200 }],
    ["half an answer", breaks, { kind: "unreachable", detail: "ECONNRESET", via: "rclone" }],
    [
      "the end of the connection",
      (request) => request.socket.destroy(),
      { kind: "unreachable", detail: "ECONNRESET", via: "rclone" },
    ],
  ])("that is answered by %s is a failure", async (_, answering, failure) => {
    answer = answering
    expect(await rc.call("x", {}, WITHIN)).toMatchObject({ ok: false, error: failure })
  })

  test("to where nobody listens is a failure", async () => {
    server.close()
    expect(await rc.call("x", {}, WITHIN)).toMatchObject({ error: { kind: "unreachable" } })
    server.listen(0, "127.0.0.1")
  })

  test("of an rclone that has ended says so, whatever the connection said", async () => {
    answer = (request) => {
      isAlive = false
      request.socket.destroy()
    }
    expect(await rc.call("x", {}, WITHIN)).toMatchObject({
      error: { kind: "unreachable", detail: "rclone ended" },
    })
  })

  test.each<readonly [string, Answering]>([
    ["that is not answered", () => {}],
    ["whose answer stops in the middle", (_, response) => void response.write('{"list": [')],
  ])("%s is given up in time, and rclone hears of it", async (_, answering) => {
    let isGivenUp = false
    answer = (request, response) => {
      response.on("close", () => {
        isGivenUp = true
      })
      answering(request, response)
    }
    expect(await rc.call("x", {}, { withinMs: 50 })).toMatchObject({
      ok: false,
      error: { kind: "unreachable", detail: "it took too long" },
    })
    await until(() => isGivenUp && sockets === 0)
  })

  test("uses the connection of the one before, and no more than 64 at once", async () => {
    answer = says(200, "{}")
    for (let count = 0; count < 20; count++) await must(rc.call("x", {}, WITHIN))
    expect(socketsMax).toBe(1)
    const many = await Promise.all(Array.from({ length: 200 }, () => rc.call("x", {}, WITHIN)))
    expect(many.filter(({ ok }) => !ok)).toEqual([])
    expect(socketsMax).toBeLessThanOrEqual(64)
    rc.close()
    await until(() => sockets === 0)
  })
})

describe("a file", () => {
  test.each([
    ["r:x/", "d/a.md", "/%5Br%3Ax/%5D/d/a.md"],
    ["my r:", "ä ?#%[].md", "/%5Bmy%20r%3A%5D/%C3%A4%20%3F%23%25%5B%5D.md"],
  ])("of %j named %j is asked for without a doubt", async (remote, path, target) => {
    let asked: string | undefined
    answer = (request, response) => {
      asked = request.url
      response.end("bytes")
    }
    expect(await bytesOf(await must(rc.open(remote, path)))).toBe("bytes")
    expect(asked).toBe(target)
  })

  test.each<readonly [string, Answering, object]>([
    ["is not there", says(404, "not found"), { kind: "not_found" }],
    [
      "is refused",
      says(500, '{"error": "failed to find object: permission denied"}'),
      { kind: "denied", detail: "permission denied", status: 500 },
    ],
    ["breaks the connection", (request) => request.socket.destroy(), { kind: "unreachable" }],
  ])("that %s is a failure", async (_, answering, failure) => {
    answer = answering
    expect(await rc.open("r:", "a")).toMatchObject({ ok: false, error: failure })
    await until(() => sockets <= 1)
  })

  test("that breaks off throws to whoever reads it", async () => {
    answer = breaks
    await expect(bytesOf(await must(rc.open("r:", "a")))).rejects.toThrow()
  })

  test("that nobody reads does no harm when it breaks off, and is let go with all others", async () => {
    answer = (_, response) => {
      response.writeHead(200, { "content-length": String(1 << 24) })
      response.write(Buffer.alloc(1 << 20))
    }
    const opened = await Promise.all([must(rc.open("r:", "a")), must(rc.open("r:", "b"))])
    expect(sockets).toBe(2)
    server.closeAllConnections()
    await until(() => sockets === 0)
    rc.close()
    await until(() => opened.every(({ destroyed }) => destroyed))
  })

  test("that is no longer wanted lets its connection go", async () => {
    answer = (_, response) => {
      response.writeHead(200, { "content-length": String(1 << 24) })
      response.write(Buffer.alloc(1 << 20))
    }
    for await (const piece of await must(rc.open("r:", "a"))) {
      expect(Buffer.isBuffer(piece)).toBe(true)
      break
    }
    await until(() => sockets === 0)
  })
})

/** A storage that takes requests and never answers one. */
describeEachRclone((rclone) => {
  test.each([
    ["operations/list", { fs: "r:bucket/", remote: "" }],
    ["operations/stat", { fs: "r:bucket/", remote: "a.md", opt: { filesOnly: true } }],
    ["operations/deletefile", { fs: "r:bucket/", remote: "a.md" }],
    ["operations/copyfile", { srcFs: "/", srcRemote: "etc/hosts", dstFs: "r:bucket/", dstRemote: "a.md" }],
  ])("%s that is given up is given up by rclone too", async (command, input) => {
    let arrived = 0
    answer = () => {
      arrived += 1
    }
    const { port } = server.address() as AddressInfo
    const ground = await startGround(rclone, {
      ...s3Options({ ...KEYS, endpoint: `http://127.0.0.1:${port}`, bucket: "bucket" }),
    })
    try {
      const asked = ground.rc.call(command, { ...input, _config: { NoCheckDest: true } }, { withinMs: 1_000 })
      await until(() => arrived > 0)
      expect(await asked).toMatchObject({ error: { kind: "unreachable", detail: "it took too long" } })
      await until(() => sockets === 0)
      const before = arrived
      expect((await ground.rc.call("core/version", {}, WITHIN)).ok).toBe(true)
      const stats = await must(ground.rc.call("core/stats", {}, WITHIN))
      expect(stats).not.toHaveProperty("transferring")
      expect(arrived).toBe(before)
    } finally {
      ground.close()
    }
  })
})

async function bytesOf(message: IncomingMessage): Promise<string> {
  const pieces: Uint8Array[] = []
  for await (const piece of message as AsyncIterable<Uint8Array>) pieces.push(piece)
  return Buffer.concat(pieces).toString()
}
