/**
 * `bm sync --pause` and `--resume` beside a real watcher: while it is paused no run begins, and what changed meanwhile is
 * not forgotten. A sync by hand does not wait.
 */

import { statSync } from "node:fs"
import { join } from "node:path"
import { expect, test } from "vitest"
import { type Cloud, type Device, newCloud, put } from "./bm.ts"
import {
  eventsOf,
  expectStops,
  heartbeat,
  nextMs,
  startWatch,
  TEST_MS_MAX,
  textIn,
  until,
} from "./watch-world.ts"

const USAGE = 64
const SHORT_MS = 8_000
/** A watcher looks once a second whether it may go on; the rest is for a busy machine. */
const RESUMED_MS_MAX = 15_000
const HOUR_MS = 3_600_000

async function begin(): Promise<{ readonly cloud: Cloud; readonly device: Device }> {
  const cloud = newCloud()
  const device = cloud.device("here")
  put(device.dir, "p/first.md", "first\n")
  await device.setUp()
  return { cloud, device }
}

async function succeeds(device: Device, ...words: readonly string[]): Promise<string> {
  const ran = await device.run(...words)
  expect(ran, ran.err).toMatchObject({ exit: 0, err: "" })
  return ran.out
}

test("begins no run before the pause is over, and goes on by itself", { timeout: TEST_MS_MAX }, async () => {
  const { cloud, device } = await begin()
  const watcher = startWatch(device, ["--interval", "1", "--json"])
  await watcher.begins()
  const paused = JSON.parse(await succeeds(device, "sync", "--pause", `${SHORT_MS / 1000}s`, "--json"))
  expect(paused).toMatchObject({ schema: "bm.pause/1", ok: true, action: "pause" })
  const untilMs = Date.parse(paused.until)
  expect(untilMs).toBe(Date.parse(paused.since) + SHORT_MS)
  await watcher.says(/watch\.paused/)
  expect(Date.now()).toBeLessThan(untilMs)
  put(device.dir, "p/ours.md", "ours\n")
  put(cloud.remote, "p/theirs.md", "theirs\n")
  await until("the edit arrives", () => textIn(cloud.remote, "p/ours.md") === "ours\n")
  expect(statSync(join(cloud.remote, "p/ours.md")).ctimeMs).toBeGreaterThanOrEqual(untilMs)
  await until("theirs is here", () => textIn(device.dir, "p/theirs.md") === "theirs\n")
  expect(statSync(join(device.dir, "p/theirs.md")).ctimeMs).toBeGreaterThanOrEqual(untilMs)
  await watcher.says(/run\.finished/)
  const ran = await watcher.stop()
  expect(ran, ran.err).toMatchObject({ exit: 0, err: "" })
  const events = eventsOf(ran.out)
  expect(events.map(({ type }) => type).slice(0, 4)).toEqual([
    "watch.started",
    "watch.paused",
    "watch.resumed",
    "run.started",
  ])
  expect(events[1]).toMatchObject({ since: paused.since, until: paused.until })
})

test("goes on soon after it is resumed, with what changed meanwhile", { timeout: TEST_MS_MAX }, async () => {
  const { cloud, device } = await begin()
  const watcher = startWatch(device)
  await watcher.begins()
  await watcher.rests()
  const said = "✓ Paused until you resume it. Resume: bm sync --resume\n"
  expect(await succeeds(device, "sync", "--pause")).toBe(said)
  await watcher.says(/Paused until you resume it/)
  await until("the heartbeat knows no next run", () => heartbeat(device)?.next_at === null)
  put(device.dir, "p/meanwhile.md", "meanwhile\n")
  expect(await succeeds(device, "cloud", "status")).toContain(
    "Next sync     paused until you resume it (bm sync --resume)\n",
  )
  expect(JSON.parse(await succeeds(device, "cloud", "status", "--json"))).toMatchObject({
    watch: {
      running: true,
      pid: watcher.pid,
      service: null,
      next_at: null,
      paused: { since: expect.stringMatching(/^\d{4}-/), until: null },
    },
  })
  expect(textIn(cloud.remote, "p/meanwhile.md")).toBeUndefined()
  const resumedMs = Date.now()
  expect(await succeeds(device, "sync", "--resume")).toBe("✓ Resumed\n")
  await until("the edit arrives", () => textIn(cloud.remote, "p/meanwhile.md") === "meanwhile\n")
  expect(Date.now() - resumedMs).toBeLessThan(RESUMED_MS_MAX)
  await watcher.rests()
  const running = JSON.parse(await succeeds(device, "cloud", "status", "--json"))
  expect(running).toMatchObject({ watch: { running: true, paused: null } })
  expect(await succeeds(device, "sync", "--resume")).toBe("Nothing was paused\n")
  const ran = await expectStops(device, watcher)
  expect(ran.err).toBe("")
  expect(watcher.lines(/paused/i)).toEqual([
    expect.stringMatching(/^\d\d:\d\d:\d\d Paused until you resume it \(bm sync --resume\)$/),
    expect.stringMatching(/^\d\d:\d\d:\d\d ✓ No longer paused$/),
  ])
})

test("runs by hand although it is paused, while a watcher that is started then begins nothing", {
  timeout: TEST_MS_MAX,
}, async () => {
  const { cloud, device } = await begin()
  expect(await succeeds(device, "sync", "--pause", "2h")).toMatch(
    /^✓ Paused until .*\. Resume: bm sync --resume\n$/,
  )
  const watcher = startWatch(device, ["--interval", "1"])
  await watcher.says(/Paused until /)
  await until("the heartbeat names the end of the pause", () => nextMs(device) > Date.now() + HOUR_MS)
  for (const command of [["sync"], ["cloud", "bisync"]]) {
    put(device.dir, "p/by-hand.md", `${command.join(" ")}\n`)
    expect(await succeeds(device, ...command)).toMatch(/^✓ Sync completed/)
    expect(textIn(cloud.remote, "p/by-hand.md")).toBe(`${command.join(" ")}\n`)
  }
  const ran = await expectStops(device, watcher)
  expect(ran.out).toMatch(/\nStopped after 0 runs; nothing is half done\.\n$/)
})

test("takes a length after a space or a sign, and the last pause counts", async () => {
  const { device } = await begin()
  for (const [words, ms] of [
    [["--pause", "90s"], 90_000],
    [["--pause=30m"], 30 * 60_000],
    [["--pause", "1d"], 24 * HOUR_MS],
    [["--pause=1w"], 7 * 24 * HOUR_MS],
  ] as const) {
    const { since, until: end } = JSON.parse(await succeeds(device, "sync", ...words, "--json"))
    expect(Date.parse(end) - Date.parse(since)).toBe(ms)
    const status = JSON.parse(await succeeds(device, "cloud", "status", "--json"))
    expect(status).toMatchObject({ watch: { running: false, paused: { since, until: end } } })
  }
  expect(JSON.parse(await succeeds(device, "sync", "--resume", "--json"))).toEqual({
    schema: "bm.pause/1",
    ok: true,
    action: "resume",
    changed: true,
  })
})

test.each([
  ["--pause 2x", /takes a length such as 90s, 30m, 2h, 1d or 1w, not "2x"/],
  ["--pause=", /takes a length such as 90s, 30m, 2h, 1d or 1w, not ""/],
  ["--pause=1h 2h", /takes one length, not "1h" and "2h"/],
  ["2h", /takes options only, not "2h"/],
  ["--watch 2h", /takes options only, not "2h"/],
  ["--pause --resume", /--pause and --resume exclude each other/],
  ["--watch --pause", /--watch and --pause exclude each other/],
  ["--pause 2h --dry-run", /--pause and --dry-run exclude each other/],
  ["--resume --project p", /--resume and --project exclude each other/],
  ["--pause --interval 5", /--pause and --interval exclude each other/],
  ["--resume --confirm-deletes 3", /run it without --resume/],
])("refuses sync %s", async (words, says) => {
  const { device } = await begin()
  const ran = await device.run("sync", ...words.split(" "))
  expect(ran, ran.out).toMatchObject({ exit: USAGE, out: "" })
  expect(ran.err).toMatch(says)
  const status = JSON.parse(await succeeds(device, "cloud", "status", "--json"))
  expect(status).toMatchObject({ watch: { paused: null } })
})

test("pauses nothing where nothing is set up, and says how to begin", async () => {
  const device = newCloud().device("here")
  const ran = await device.run("sync", "--pause", "2h")
  expect(ran, ran.out).toMatchObject({ exit: 7, out: "" })
  expect(ran.err).toMatch(/bm cloud bisync-setup/)
  expect(await succeeds(device, "sync", "--resume")).toBe("Nothing was paused\n")
})
