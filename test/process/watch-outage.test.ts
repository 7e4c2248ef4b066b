/**
 * The cloud goes away below a watcher and comes back: one line says so and one that it is over, it asks less and less
 * often meanwhile, and what was edited in between arrives by itself.
 */

import { dirname, join } from "node:path"
import { expect, onTestFinished, test } from "vitest"
import { describeServer } from "../servers/describe-server.ts"
import { findServer } from "../servers/install.mjs"
import { startProcess } from "../servers/process.ts"
import { type Server, startServer } from "../servers/server.ts"
import { put } from "./bm.ts"
import { expectEqual, newS3World, on, type S3Device, type S3World } from "./s3-world.ts"
import { expectStops, HOURLY, nextMs, startWatch, TEST_MS_MAX, until, type Watcher } from "./watch-world.ts"

/** What one try may ask while nobody answers: two looks side by side, each tried five times. */
const REQUESTS_EACH_MAX = 10
const TRIES = 3
/** After that many tries that failed the next one is so far away; a part of it is by chance. */
const NEXT_TRY_MS = 1_000 * 2 ** (TRIES - 1)

interface Outage {
  readonly rule: string
  begin(world: S3World, server: Server): void
  /** The same trouble in other words. */
  change?(world: S3World): void
  end(world: S3World, server: Server): Promise<void> | void
}

const OUTAGES: readonly Outage[] = [
  {
    rule: "gets over a server that is killed and started again",
    begin: (_, server) => killServer(server),
    end: (_, server) => restartServer(server),
  },
  {
    rule: "gets over a network that refuses connections for a while, and before that cuts them",
    begin: ({ proxy }) =>
      proxy.faults.push({ act: "cut_body", match: ({ kind }) => kind === "LIST" || kind === "GET" }),
    change: ({ proxy }) => proxy.faults.splice(0, 1, { act: "refuse", match: () => true }),
    end({ proxy }) {
      proxy.faults.length = 0
    },
  },
]

describeServer("versitygw", () => {
  for (const { rule, begin, change, end } of OUTAGES)
    test(rule, { timeout: TEST_MS_MAX }, async () => {
      const { world, server, device, watcher } = await beginWatch()
      begin(world, server)
      world.proxy.reset()
      put(device.dir, "p/meanwhile.md", "meanwhile\n")
      await watcher.says(/Error:/)
      change?.(world)
      await until("three tries have failed", () => isAhead(device, NEXT_TRY_MS))
      const asked = Object.values(world.proxy.counts.all).reduce((sum, requests) => sum + requests, 0)
      expect(asked).toBeGreaterThan(TRIES)
      expect(asked).toBeLessThanOrEqual(TRIES * REQUESTS_EACH_MAX)
      put(device.dir, "p/later.md", "later\n")
      await end(world, server)
      await until("what was edited meanwhile has arrived", () => world.notes().size === 3)
      await watcher.rests()
      expect(watcher.lines(/ /).slice(1)).toEqual([
        expect.stringMatching(/ ✓ Sync completed - 2 files uploaded$/),
        expect.stringMatching(/ Error: Cannot reach the cloud/),
      ])
      await expectStops(device, watcher)
      await expectEqual(world, [device], {
        "p/first.md": "first\n",
        "p/later.md": "later\n",
        "p/meanwhile.md": "meanwhile\n",
      })
    })

  test("says that it is over also where there was nothing to do", { timeout: TEST_MS_MAX }, async () => {
    const { world, device, watcher } = await beginWatch(["--interval", "1"])
    world.proxy.faults.push({ act: "refuse", match: () => true })
    await watcher.says(/Error:/)
    world.proxy.faults.length = 0
    await watcher.says(/ ✓ Syncing again$/m)
    await expectStops(device, watcher)
    expect(watcher.lines(/Error:|Syncing again/)).toHaveLength(2)
  })

  test("says once what a run could not do, and once more when it is done", {
    timeout: TEST_MS_MAX,
  }, async () => {
    const { world, device, watcher } = await beginWatch()
    world.proxy.faults.push({ act: "refuse", ...on("PUT") })
    put(device.dir, "p/meanwhile.md", "meanwhile\n")
    await until("three tries have failed", () => isAhead(device, NEXT_TRY_MS))
    world.proxy.faults.length = 0
    await until("it has arrived", () => world.notes().size === 2)
    await watcher.rests()
    await expectStops(device, watcher)
    expect(watcher.lines(/stopped short/)).toHaveLength(1)
    expect(watcher.lines(/not done/)).toEqual([expect.stringContaining("p/meanwhile.md")])
    expect(watcher.lines(/1 file uploaded/)).toHaveLength(1)
  })
})

/** The next run is at least so far away, and not because it rests. */
function isAhead(device: S3Device, waitMs: number): boolean {
  const aheadMs = nextMs(device) - Date.now()
  return aheadMs > waitMs * 0.75 && aheadMs < 60_000
}

async function beginWatch(args: readonly string[] = HOURLY): Promise<{
  readonly world: S3World
  readonly server: Server
  readonly device: S3Device
  readonly watcher: Watcher
}> {
  // A server of its own, for it is killed.
  const server = await startServer("versitygw")
  onTestFinished(() => server.stop(), TEST_MS_MAX)
  const world = await newS3World(server)
  onTestFinished(() => world.stop(), TEST_MS_MAX)
  const device = world.device("here")
  put(device.dir, "p/first.md", "first\n")
  await device.setUp()
  const watcher = startWatch(device, args)
  await watcher.begins()
  return { world, server, device, watcher }
}

/** The group of the server, which is all that is stopped. */
function killServer({ pid }: Server): void {
  process.kill(-pid, "SIGKILL")
}

/** As it was: the same port, keys and bucket. */
async function restartServer(server: Server): Promise<void> {
  const { path = "" } = findServer("versitygw")
  const again = startProcess({
    path,
    args: [
      "--quiet",
      "--port",
      new URL(server.endpoint).host,
      "--region",
      server.region,
      "posix",
      server.root,
    ],
    environment: { ROOT_ACCESS_KEY: server.accessKeyId, ROOT_SECRET_KEY: server.secretAccessKey },
    logPath: join(dirname(server.root), "log"),
  })
  onTestFinished(() => again.stop())
  await until("the server answers again", async () => {
    try {
      await fetch(server.endpoint)
      return true
    } catch {
      return false
    }
  })
}
