/** Setup and daily commands over a real S3 server: what is said when it does not let us in, and what it promises. */

import { existsSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { afterEach, beforeEach, describe, expect, test } from "vitest"
import { credentialsFile } from "../../src/engine/store-access.ts"
import { describeServer } from "../servers/describe-server.ts"
import { startProxy } from "../servers/proxy.ts"
import type { Server } from "../servers/server.ts"
import { CliWorld } from "./cli-world.ts"
import { type Keys, StoreDevice } from "./store-world.ts"

let world: CliWorld

beforeEach(() => {
  world = new CliWorld()
})
afterEach(() => world.dispose())

/** Nobody listens there. */
const DEAD = "s3://notes?endpoint=http://127.0.0.1:9&region=us-east-1"

describeServer("versitygw", (server) => {
  interface Refusal {
    readonly rule: string
    readonly url: (server: Server) => string
    readonly keys?: (keys: Keys) => Keys | undefined
    readonly exit: number
    readonly code: string
    readonly says: RegExp
  }
  const REFUSALS: readonly Refusal[] = [
    {
      rule: "a URL that is none is wrong usage",
      url: () => "s3:///prefix",
      exit: 64,
      code: "usage",
      says: /bucket/,
    },
    {
      rule: "credentials in the URL are refused and not repeated",
      url: () => "s3://AKIA:hidden-secret@notes/prefix",
      exit: 64,
      code: "usage",
      says: /^(?!.*hidden-secret)/s,
    },
    {
      rule: "a missing pair is a refusal where nobody can be asked",
      url: ({ url }) => url,
      keys: () => undefined,
      exit: 4,
      code: "credentials",
      says: /no terminal to ask on/,
    },
    {
      rule: "an unknown key is said to be unknown",
      url: ({ url }) => url,
      keys: (keys) => ({ ...keys, accessKeyId: "nobody" }),
      exit: 1,
      code: "credentials",
      says: /access key is not known/,
    },
    {
      rule: "a wrong secret is said to be wrong",
      url: ({ url }) => url,
      keys: (keys) => ({ ...keys, secretAccessKey: "not-the-secret" }),
      exit: 1,
      code: "credentials",
      says: /secret key is wrong/,
    },
    {
      rule: "a bucket that is not there is not made",
      url: (at) => at.urlOf("elsewhere"),
      exit: 1,
      code: "not_found",
      says: /no such bucket/,
    },
    {
      rule: "a server that does not answer cannot be reached",
      url: () => DEAD,
      exit: 1,
      code: "cloud_unreachable",
      says: /Cannot reach the cloud/,
    },
  ]

  test.each(REFUSALS)(
    "setup: $rule, and nothing is made anywhere",
    async ({ url, keys = (given) => given, exit, code, says }) => {
      const a = new StoreDevice(world, "a", keys(server()))
      const { code: exited, err } = await a.setUp(url(server()), "--json")
      const error = JSON.parse(err)
      expect([exited, error.code], err).toEqual([exit, code])
      expect(error.message).toMatch(says)
      expect(error.fix.length).toBeGreaterThan(0)
      expect(err).not.toContain(a.keys?.secretAccessKey ?? "no secret")
      expect([existsSync(a.dir), existsSync(a.place.stateRoot)]).toEqual([false, false])
    },
    60_000,
  )

  test("a dry run of setup looks whether it is let in, and writes nothing anywhere", async () => {
    const { bucket, url } = await newRemote(server())
    const a = new StoreDevice(world, "a", server())
    const { code, out } = await a.setUp(url, "--dry-run")
    expect(code, out).toBe(0)
    expect(out).toMatch(/^\[2\/5\] would probe what conditional writes do there$/m)
    expect(readdirSync(join(server().root, bucket))).toEqual([])
    expect([existsSync(a.dir), existsSync(a.place.stateRoot)]).toEqual([false, false])
    const bad = new StoreDevice(world, "b", { ...server(), secretAccessKey: "not-the-secret" })
    expect((await bad.setUp(url, "--dry-run")).code).toBe(1)
  })

  test("two devices are set up, told what holds, and share their notes", async () => {
    const { url } = await newRemote(server())
    const [a, b] = [new StoreDevice(world, "a", server()), new StoreDevice(world, "b", server())]
    a.write("p/one.md", "one\n")
    const first = await a.setUp(url)
    expect(first.code, first.err).toBe(0)
    expect(first.out).toMatch(/^\[1\/5\] ✓ Remote s3:\/\/.* found$/m)
    expect(first.out).toMatch(
      /^\[2\/5\] ✓ Server probed.*: every write .*; other programs may write there too \(tier [AB]\)$/m,
    )
    expect(first.out).toMatch(/1 uploaded/)
    expect((await b.setUp(url)).code).toBe(0)
    expect(b.read("p/one.md")).toBe("one\n")
    b.write("p/one.md", "one, edited\n")
    expect((await b.bm("cloud", "bisync")).code).toBe(0)
    expect((await a.bm("cloud", "bisync")).code).toBe(0)
    expect(a.read("p/one.md")).toBe("one, edited\n")
    expect((await a.bm("cloud", "bisync", "--project", "p")).code).toBe(0)
    expect((await a.bm("cloud", "bisync", "--project", "q")).code).toBe(1)
    expect((await a.setUp(url)).out).toMatch(/^\[2\/5\] ✓ Server probed.* already: /m)
  })

  test("a pair that is typed is kept privately once it was accepted, and is enough from then on", async () => {
    const { url } = await newRemote(server())
    const a = new StoreDevice(world, "a")
    const asked: string[] = []
    const refused = await a.setUpAsked(url, (why) => {
      asked.push(why)
      return Promise.resolve({ ...server(), secretAccessKey: "not-the-secret" })
    })
    expect(refused).toMatchObject({ ok: false, error: { trouble: { code: "credentials" } } })
    expect(existsSync(credentialsFile(a.place))).toBe(false)
    const { accessKeyId, secretAccessKey } = server()
    const ready = await a.setUpAsked(url, (why) => {
      asked.push(why)
      return Promise.resolve({ accessKeyId, secretAccessKey })
    })
    expect(ready.ok, JSON.stringify(ready)).toBe(true)
    expect(asked).toEqual(["missing", "missing"])
    const none = await new StoreDevice(world, "b").setUpAsked(url, () => Promise.resolve(undefined))
    expect(none).toMatchObject({ ok: false, error: { trouble: { detail: "missing_asked" } } })
    expect(statSync(credentialsFile(a.place)).mode & 0o777).toBe(0o600)
    a.write("n.md", "n\n")
    const { code, out } = await a.bm("cloud", "bisync")
    expect([code, out]).toEqual([0, "✓ Sync completed - 1 file uploaded\n"])
  })

  test("a run says what keeps the cloud from answering, each in its own words", async () => {
    const { bucket, url } = await newRemote(server())
    const a = new StoreDevice(world, "a", server())
    expect((await a.setUp(url)).code).toBe(0)
    const failed = async (keys: Keys | undefined = server()) => {
      a.keys = keys
      const { code, err } = await a.bm("cloud", "bisync")
      return [code, err.split("\n")[0]]
    }
    expect(await failed({ ...server(), accessKeyId: "nobody" })).toEqual([
      1,
      expect.stringMatching(/^Error: The access key is not known there/),
    ])
    expect(await failed({ ...server(), secretAccessKey: "no" })).toEqual([
      1,
      expect.stringMatching(/^Error: The secret key is wrong/),
    ])
    a.keys = undefined
    expect((await a.bm("cloud", "bisync", "--dry-run")).err).toMatch(
      /^Error: No key pair for the cloud was found$/m,
    )
    renameSync(join(server().root, bucket), join(server().root, `${bucket}-away`))
    expect(await failed()).toEqual([1, expect.stringMatching(/^Error: There is no such bucket/)])
    renameSync(join(server().root, `${bucket}-away`), join(server().root, bucket))
    a.moveTo(DEAD)
    expect(await failed()).toEqual([1, expect.stringMatching(/^Error: Cannot reach the cloud/)])
    expect((await a.bm("cloud", "status")).code).toBe(0)
  }, 60_000)

  test("a bucket that was emptied is not the remote any more", async () => {
    const { bucket, url } = await newRemote(server())
    const a = new StoreDevice(world, "a", server())
    a.write("n.md", "n\n")
    expect((await a.setUp(url)).code).toBe(0)
    for (const name of readdirSync(join(server().root, bucket)))
      rmSync(join(server().root, bucket, name), { recursive: true })
    const { code, err } = await a.bm("cloud", "bisync")
    expect(code).toBe(7)
    expect(err).toMatch(/no epoch/)
    expect(err).not.toMatch(/disk/)
    expect(a.read("n.md")).toBe("n\n")
  })

  test("check reads every object again and finds bytes that changed behind their etag", async () => {
    const { bucket, url } = await newRemote(server())
    const a = new StoreDevice(world, "a", server())
    a.write("p/small.md", "0123456789\n")
    a.write("p/large.bin", `${"x".repeat(9 * 1024 * 1024)}\n`)
    expect((await a.setUp(url)).code).toBe(0)
    const well = await a.bm("cloud", "check")
    expect([well.code, well.out]).toEqual([0, "✓ 2 files identical here and in the cloud (sha256)\n"])
    for (const name of ["small.md", "large.bin"]) {
      const file = join(server().root, bucket, "p", name)
      const bytes = readFileSync(file)
      bytes[5] = 0x21
      // In place, so that what the server keeps beside the bytes stays as it is.
      writeFileSync(file, bytes, { flag: "r+" })
    }
    const { code, out } = await a.bm("cloud", "check")
    expect(code, out).toBe(2)
    expect(out).toMatch(/^✗ corrupted +p\/large\.bin +cloud bytes differ/m)
    expect(out).toMatch(/^✗ corrupted +p\/small\.md +cloud bytes differ/m)
    expect(out).not.toMatch(/history show/)
  }, 60_000)

  test("doctor tells latency, clock and guard, and probes only when it may repair", async () => {
    const { url } = await newRemote(server())
    const a = new StoreDevice(world, "a", server())
    expect((await a.setUp(url)).code).toBe(0)
    const well = await a.bm("doctor")
    expect(well.code, well.out).toBe(0)
    expect(well.out).toMatch(/^✓ cloud +\d+ ms, lets this device in; every write /m)
    expect(well.out).toMatch(/^[✓!] clock +[\d.]+ s /m)
    rmSync(join(a.state(), "probe.json"))
    expect((await a.bm("doctor")).out).toMatch(/^! cloud .*not known yet.*fix: bm doctor --fix$/m)
    expect(existsSync(join(a.state(), "probe.json"))).toBe(false)
    expect((await a.bm("doctor", "--fix")).out).toMatch(/^✓ cloud .*every write .*fixed$/m)
    expect(existsSync(join(a.state(), "probe.json"))).toBe(true)
    a.keys = { ...server(), secretAccessKey: "no" }
    const broken = await a.bm("doctor")
    expect(broken.code).toBe(2)
    expect(broken.out).toMatch(/^✗ cloud +The secret key is wrong/m)
  })

  test("a week after the last probe a run asks again, and does not forget what it saw; a dry run does not ask", async () => {
    const { url } = await newRemote(server())
    const a = new StoreDevice(world, "a", server())
    expect((await a.setUp(url)).code).toBe(0)
    const file = join(a.state(), "probe.json")
    const old = JSON.parse(readFileSync(file, "utf8"))
    old.at = "2026-01-01T00:00:00.000Z"
    // As if the server had lost this race once: that it wins it now is luck.
    old.verdict.findings.race_match = "fails"
    writeFileSync(file, JSON.stringify(old))
    expect((await a.bm("cloud", "bisync", "--dry-run")).code).toBe(0)
    expect(JSON.parse(readFileSync(file, "utf8")).at).toBe(old.at)
    expect((await a.bm("cloud", "bisync")).code).toBe(0)
    const renewed = JSON.parse(readFileSync(file, "utf8"))
    expect(renewed.at).not.toBe(old.at)
    expect(renewed.verdict).toMatchObject({
      tier: "C",
      findings: { race_match: "fails", match_right: "holds" },
    })
  })

  describe("a server that keeps fewer promises", () => {
    test("is told to be used by one device at a time, where it ignores conditions", async () => {
      const proxy = await startProxy(server(), {
        faults: [{ match: () => true, act: "ignore_conditions" }],
      })
      try {
        const url = proxy.urlOf(await server().newBucket())
        const [a, b] = [new StoreDevice(world, "a", server()), new StoreDevice(world, "b", server())]
        const { code, out, err } = await a.setUp(url)
        expect(code, err).toBe(0)
        expect(out).toMatch(/^\[2\/5\] ✓ Server probed.*a lease: one device writes at a time/m)
        expect(out).toMatch(/^! turn on the versions of the bucket/m)
        expect((await b.setUp(url)).code).toBe(0)
        a.write("n.md", "n\n")
        expect((await a.bm("cloud", "bisync")).code).toBe(0)
        expect((await b.bm("cloud", "bisync")).code).toBe(0)
        expect(b.read("n.md")).toBe("n\n")
        expect((await b.bm("cloud", "status")).out).toMatch(
          /^ {2}Guard +a lease: one device writes at a time/m,
        )
      } finally {
        await proxy.stop()
      }
    }, 120_000)

    test("takes a second device only where the user says so, where its listings lag", async () => {
      const proxy = await startProxy(server(), {
        faults: [
          { match: () => true, act: "ignore_conditions" },
          {
            match: ({ key }) => key.includes("/probe/"),
            act: "stale_list",
            staleMs: 2000,
          },
        ],
      })
      try {
        const url = proxy.urlOf(await server().newBucket())
        const [a, b] = [new StoreDevice(world, "a", server()), new StoreDevice(world, "b", server())]
        const first = await a.setUp(url)
        expect(first.code, first.err).toBe(0)
        expect(first.out).toMatch(/^\[2\/5\] ! Server probed.*only one device may write there/m)
        const second = await b.setUp(url)
        expect(second.code, second.out).toBe(4)
        expect(second.err).toMatch(/cannot keep two devices apart/)
        expect(existsSync(join(b.place.stateRoot, "config.json"))).toBe(false)
        expect((await b.setUp(url, "--unsafe-multi-writer")).code).toBe(0)
      } finally {
        await proxy.stop()
      }
    }, 120_000)
  })
})

async function newRemote(server: Server): Promise<{ readonly bucket: string; readonly url: string }> {
  const bucket = await server.newBucket()
  return { bucket, url: server.urlOf(bucket) }
}
