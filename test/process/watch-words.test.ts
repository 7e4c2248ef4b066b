/**
 * What a watcher prints: events and nothing else under --json, errors and nothing else under --quiet, nothing at all where
 * nothing is to do; and which words of a command line it refuses.
 */

import { execFileSync, spawn, spawnSync } from "node:child_process"
import { chmodSync, renameSync } from "node:fs"
import { join } from "node:path"
import { expect, test } from "vitest"
import { type Cloud, type Device, MAIN, newCloud, put } from "./bm.ts"
import {
  eventsOf,
  expectStops,
  heartbeat,
  HOURLY,
  nextMs,
  startWatch,
  TEST_MS_MAX,
  textIn,
  until,
  untilEqual,
  watcherOf,
} from "./watch-world.ts"

const USAGE = 64

async function begin(): Promise<{ readonly cloud: Cloud; readonly device: Device }> {
  const cloud = newCloud()
  const device = cloud.device("here")
  put(device.dir, "p/first.md", "first\n")
  await device.setUp()
  return { cloud, device }
}

test("prints events and nothing else under --json, the end of the watch last", {
  timeout: TEST_MS_MAX,
}, async () => {
  const { cloud, device } = await begin()
  const watcher = startWatch(device, [...HOURLY, "--json"])
  await watcher.begins()
  put(device.dir, "p/a.md", "a\n")
  await untilEqual(device.dir, cloud.remote)
  await watcher.rests()
  renameSync(device.dir, `${device.dir}-away`)
  await watcher.says(/watch\.trouble/)
  renameSync(`${device.dir}-away`, device.dir)
  await watcher.says(/watch\.recovered/)
  await watcher.rests()
  const ran = await watcher.stop()
  expect(ran, ran.err).toMatchObject({ exit: 0, err: "" })
  const events = eventsOf(ran.out)
  expect(events[0]).toMatchObject({ type: "watch.started", interval_s: 3600, pid: watcher.pid })
  expect(events.at(-1)).toMatchObject({ type: "watch.stopped", reason: "signal", runs: expect.any(Number) })
  const finished = events.filter(({ type }) => type === "run.finished")
  expect(finished).toEqual([expect.objectContaining({ ok: true, exit: 0, uploaded: 1, conflicts: [] })])
  const troubles = events.filter(({ type }) => type.startsWith("watch.")).map(({ type }) => type)
  expect(troubles).toEqual(["watch.started", "watch.trouble", "watch.recovered", "watch.stopped"])
})

test("prints errors and nothing else under --quiet", { timeout: TEST_MS_MAX }, async () => {
  const { cloud, device } = await begin()
  const watcher = startWatch(device, [...HOURLY, "--quiet"])
  await watcher.begins()
  put(device.dir, "p/a.md", "a\n")
  await untilEqual(device.dir, cloud.remote)
  await watcher.rests()
  renameSync(device.dir, `${device.dir}-away`)
  await watcher.says(/Error: .* is not the directory that was synced/)
  renameSync(`${device.dir}-away`, device.dir)
  await watcher.rests()
  const ran = await watcher.stop()
  expect(ran, ran.err).toMatchObject({ exit: 0, out: "" })
  expect(ran.err).toMatch(/^\d\d:\d\d:\d\d Error: .*\n$/)
})

test("prints nothing where nothing is to do", { timeout: TEST_MS_MAX }, async () => {
  const { device } = await begin()
  const watcher = startWatch(device, ["--interval", "1"])
  for (let tick = 0; tick < 4; tick++) {
    const before = nextMs(device)
    await until("it has looked again", () => nextMs(device) > before)
  }
  expect(heartbeat(device)).toMatchObject({ interval_s: 1, pid: watcher.pid })
  const { out, err } = await expectStops(device, watcher)
  expect(out).toMatch(
    /^Watching ~\/notes, every 1s\. Ctrl\+C to stop\.\nStopped after \d+ runs; nothing is half done\.\n$/,
  )
  expect(err).toBe("")
})

test("brings what changed in the cloud at the next interval", { timeout: TEST_MS_MAX }, async () => {
  const { cloud, device } = await begin()
  const watcher = startWatch(device, ["--interval", "1"])
  await watcher.begins()
  put(cloud.remote, "p/theirs.md", "theirs\n")
  await until("it is here", () => textIn(device.dir, "p/theirs.md") === "theirs\n")
  await watcher.says(/ ✓ Sync completed - 1 file downloaded\n/)
  await expectStops(device, watcher)
})

test.each([
  "--watch --interval 0",
  "--watch --interval abc",
  "--watch --interval -1",
  "--watch --interval",
  "--interval 5",
  "--watch --dry-run",
  "--watch --confirm-deletes 3",
])("refuses sync %s", { timeout: TEST_MS_MAX }, async (words) => {
  const { device } = await begin()
  const ran = await device.run("sync", ...words.split(" "))
  expect(ran, ran.err).toMatchObject({ exit: USAGE, out: "" })
  expect(ran.err).toMatch(/^Error: /)
  const asJson = await device.run("sync", ...words.split(" "), "--json")
  expect(asJson, asJson.out).toMatchObject({ exit: USAGE, out: "" })
  expect(JSON.parse(asJson.err)).toMatchObject({ schema: "bm.error/1", code: "usage", exit: USAGE })
})

test("says how to begin where nothing is set up yet", async () => {
  const device = newCloud().device("here")
  const ran = await device.run("sync", "--watch")
  expect(ran, ran.out).toMatchObject({ exit: 7, out: "" })
  expect(ran.err).toMatch(/requires --resync[^]*bm cloud bisync-setup/)
})

/** Sets the clock of the process back by an hour as soon as a file is there. */
const CLOCK = `
  import { existsSync } from "node:fs"
  const now = Date.now
  let isBack = false
  Date.now = () => {
    isBack ||= existsSync(process.env.BM_TEST_CLOCK_BACK)
    return now() - (isBack ? 3_600_000 : 0)
  }`

test("waits for nothing longer because the clock was set back", { timeout: TEST_MS_MAX }, async () => {
  const { cloud, device } = await begin()
  const env = {
    NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(CLOCK)}`,
    BM_TEST_CLOCK_BACK: join(device.home, "clock-back"),
  }
  const watcher = startWatch(device, ["--interval", "2"], env)
  await watcher.begins()
  put(device.home, "clock-back", "")
  put(cloud.remote, "p/theirs.md", "theirs\n")
  await until("the interval is over", () => textIn(device.dir, "p/theirs.md") === "theirs\n")
  expect(nextMs(device)).toBeLessThan(Date.now() - 3_000_000)
  put(device.dir, "p/ours.md", "ours\n")
  await until("an edit arrives", () => textIn(cloud.remote, "p/ours.md") === "ours\n")
  await expectStops(device, watcher)
})

const NOBODY = 65_534
const isRoot = process.getuid?.() === 0
const hasSetpriv = process.platform === "linux" && isRoot && spawnSync("setpriv", ["--version"]).status === 0

test("syncs on where one project cannot be read, and says so once", { timeout: TEST_MS_MAX }, async ({
  skip,
}) => {
  skip(isRoot && !hasSetpriv, "root may read everything, and there is no setpriv to be another user")
  const { cloud, device } = await begin()
  for (const path of ["shut/n.md", "open/n.md"]) put(device.dir, path, `${path}\n`)
  const before = await device.bisync()
  expect(before, before.err).toMatchObject({ exit: 0 })
  chmodSync(join(device.dir, "shut"), 0)
  chmodSync(cloud.root, 0o755)
  if (isRoot) execFileSync("chown", ["-R", `${NOBODY}:${NOBODY}`, cloud.root])
  const as = isRoot ? ["setpriv", `--reuid=${NOBODY}`, `--regid=${NOBODY}`, "--clear-groups", "--"] : []
  const [program = "", ...args] = [...as, process.execPath, MAIN, "sync", "--watch", "--interval", "1"]
  const watcher = watcherOf(
    device,
    spawn(program, args, {
      cwd: device.home,
      env: { PATH: process.env["PATH"] ?? "", HOME: device.home, LC_ALL: "C.UTF-8" },
    }),
  )
  await watcher.begins()
  put(device.dir, "open/n.md", "edited\n")
  put(device.dir, "open/m.md", "new\n")
  await until(
    "the other project is synced",
    () => textIn(cloud.remote, "open/m.md") === "new\n" && textIn(cloud.remote, "open/n.md") === "edited\n",
  )
  for (let time = 1; time <= 3; time++) {
    const before = nextMs(device)
    put(device.dir, "open/n.md", `edited again ${time}\n`)
    await until("it is synced again", () => textIn(cloud.remote, "open/n.md") === `edited again ${time}\n`)
    await until("it has looked at everything again", () => nextMs(device) > before)
  }
  expect(textIn(cloud.remote, "shut/n.md")).toBe("shut/n.md\n")
  await expectStops(device, watcher)
  expect(watcher.lines(/not synced/)).toEqual([expect.stringMatching(/not synced shut /)])
  chmodSync(join(device.dir, "shut"), 0o755)
})
