/**
 * How a watcher ends: told to, twice, or not asked at all; in the middle of a run or between two. And that it asks nothing
 * of whoever started it: no input, no terminal, no reader.
 */

import { spawn } from "node:child_process"
import { existsSync, renameSync } from "node:fs"
import { expect, onTestFinished, test } from "vitest"
import { describeServer } from "../servers/describe-server.ts"
import { type Cloud, type Device, expectSettled, MAIN, newCloud, notesIn, put } from "./bm.ts"
import { expectEqual, newS3World } from "./s3-world.ts"
import {
  expectStops,
  heartbeat,
  heartbeatFile,
  holdOne,
  HOURLY,
  startWatch,
  TEST_MS_MAX,
  textIn,
  until,
  type Watcher,
  watcherOf,
} from "./watch-world.ts"

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const
const TWICE = 130

async function begin(): Promise<{ readonly cloud: Cloud; readonly device: Device }> {
  const cloud = newCloud()
  const device = cloud.device("here")
  await device.setUp()
  return { cloud, device }
}

async function expectSeen({ remote }: Cloud, device: Device, path: string): Promise<void> {
  put(device.dir, path, `${path}\n`)
  await until("an edit arrives", () => textIn(remote, path) === `${path}\n`)
}

test.each(SIGNALS)("ends cleanly on %s while it rests", { timeout: TEST_MS_MAX }, async (signal) => {
  const { cloud, device } = await begin()
  const watcher = startWatch(device)
  await watcher.begins()
  await expectSeen(cloud, device, "p/a.md")
  await watcher.rests()
  const ran = await watcher.stop(signal)
  expect(ran, ran.out + ran.err).toMatchObject({ exit: 0, signal: null, err: "" })
  expect(ran.out).toMatch(/\nStopped after \d+ runs; nothing is half done\.\n$/)
  expect(existsSync(heartbeatFile(device))).toBe(false)
  await expectSettled(device)
})

test("ends as soon as it is told to, also before its first run", { timeout: TEST_MS_MAX }, async () => {
  const { device } = await begin()
  const watcher = startWatch(device)
  await watcher.says(/Watching/)
  await expectStops(device, watcher)
  await expectSettled(device)
})

test("leaves nothing half done when it is killed, and nobody takes it for alive", {
  timeout: TEST_MS_MAX,
}, async () => {
  const { cloud, device } = await begin()
  const watcher = startWatch(device)
  await watcher.begins()
  const text = "x".repeat(100_000)
  for (let number = 0; number < 300; number++) put(device.dir, `p/n${number}.md`, `${number} ${text}\n`)
  await until("a run is in the middle of it", () => notesIn(cloud.remote).size > 20)
  const ran = await watcher.stop("SIGKILL")
  expect(ran.signal).toBe("SIGKILL")
  const [here, there] = [notesIn(device.dir), notesIn(cloud.remote)]
  expect([...there].filter(([path, found]) => here.get(path) !== found).map(([path]) => path)).toEqual([])
  expect(there.size).toBeLessThan(here.size)
  // The file is still there; the process is not.
  expect(heartbeat(device)?.pid).toBe(watcher.pid)
  const status = await device.run("cloud", "status", "--json")
  expect(JSON.parse(status.out)).toMatchObject({ watch: { running: false } })
  expect((await device.run("cloud", "status")).out).not.toMatch(/watch runs|Next sync/)

  const next = startWatch(device)
  await until("the next watcher brings the rest", () => notesIn(cloud.remote).size === here.size)
  await next.rests()
  await expectStops(device, next)
  expect(notesIn(cloud.remote)).toEqual(here)
  await expectSettled(device)
})

describeServer("versitygw", (server) => {
  const beginHeld = async () => {
    const world = await newS3World(server())
    onTestFinished(() => world.stop(), TEST_MS_MAX)
    const device = world.device("here")
    put(device.dir, "p/first.md", "first\n")
    await device.setUp()
    const watcher = startWatch(device)
    await watcher.rests()
    const { isHeld, letGo } = holdOne(world)
    put(device.dir, "p/held.md", "held\n")
    await isHeld
    return { world, device, watcher, letGo }
  }

  test("finishes the step that is at work when it is told to stop", { timeout: TEST_MS_MAX }, async () => {
    const { world, device, watcher, letGo } = await beginHeld()
    watcher.child.kill("SIGTERM")
    letGo()
    const ran = await watcher.ended
    expect(ran, ran.out + ran.err).toMatchObject({ exit: 0, signal: null })
    expect(ran.out).toMatch(/\nStopped after \d+ runs; nothing is half done\.\n$/)
    expect(existsSync(heartbeatFile(device))).toBe(false)
    expect(world.notes().get("p/held.md")).toBe("held\n")
    await expectEqual(world, [device], { "p/first.md": "first\n", "p/held.md": "held\n" })
  })

  test("ends at once when it is told twice, and the next run goes on", { timeout: TEST_MS_MAX }, async () => {
    const { world, device, watcher, letGo } = await beginHeld()
    watcher.child.kill("SIGINT")
    watcher.child.kill("SIGTERM")
    // The server still holds what was sent to it.
    const ran = await watcher.ended
    expect(ran, ran.out + ran.err).toMatchObject({ exit: TWICE, signal: null })
    letGo()
    const status = await device.run("cloud", "status", "--json")
    expect(JSON.parse(status.out)).toMatchObject({ watch: { running: false } })
    const next = await device.bisync()
    expect(next, next.err).toMatchObject({ exit: 0 })
    await expectEqual(world, [device], { "p/first.md": "first\n", "p/held.md": "held\n" })
  })
})

interface Start {
  readonly rule: string
  start(device: Device): Watcher
}

const environmentOf = ({ home }: Device) => ({
  PATH: process.env["PATH"] ?? "",
  HOME: home,
  LC_ALL: "C.UTF-8",
})

const STARTS: readonly Start[] = [
  {
    rule: "does without an input that ended before it began",
    start(device) {
      const watcher = startWatch(device)
      watcher.child.stdin?.end()
      return watcher
    },
  },
  {
    rule: "leaves the words alone that somebody types meanwhile",
    start(device) {
      const watcher = startWatch(device)
      watcher.child.stdin?.write("yes\nq\n\u0004")
      return watcher
    },
  },
  {
    rule: "does without an input that cannot be read",
    start: (device) =>
      watcherOf(
        device,
        spawn("sh", ["-c", 'exec "$0" "$@" <&-', process.execPath, MAIN, "sync", "--watch", ...HOURLY], {
          cwd: device.home,
          env: environmentOf(device),
        }),
      ),
  },
]

for (const { rule, start } of STARTS)
  test(rule, { timeout: TEST_MS_MAX }, async () => {
    const { cloud, device } = await begin()
    const watcher = start(device)
    await watcher.begins()
    await expectSeen(cloud, device, "p/a.md")
    await expectSeen(cloud, device, "p/b.md")
    await watcher.rests()
    await expectStops(device, watcher)
    expect(watcher.err()).toBe("")
  })

/** In a shell without jobs a command in the background ignores Ctrl+C, and what it is told otherwise is its own. */
const IN_BACKGROUND = '"$0" "$@" <&3 & wait $!; echo "ended $?"; exec cat <&3'

test("runs as a background job of a shell, and leaves it what was typed meanwhile", {
  timeout: TEST_MS_MAX,
}, async () => {
  const { cloud, device } = await begin()
  const shell = spawn(
    "sh",
    ["-c", `exec 3<&0; ${IN_BACKGROUND}`, process.execPath, MAIN, "sync", "--watch", ...HOURLY],
    { cwd: device.home, env: environmentOf(device) },
  )
  const watcher = watcherOf(device, shell)
  shell.stdin?.write("typed meanwhile\n")
  await watcher.begins()
  await expectSeen(cloud, device, "p/a.md")
  await watcher.rests()
  const pid = heartbeat(device)?.pid
  expect(pid).toBeGreaterThan(0)
  expect(pid).not.toBe(watcher.pid)
  process.kill(Number(pid), "SIGINT")
  await watcher.says(/ended 0/)
  shell.stdin?.end("typed later\n")
  const ran = await watcher.ended
  expect(ran.out).toMatch(/nothing is half done\.\nended 0\ntyped meanwhile\ntyped later\n$/)
  expect(ran.err).toBe("")
})

test.each(["stdout", "stderr"] as const)(
  "ends cleanly when nobody reads its %s any more",
  { timeout: TEST_MS_MAX },
  async (stream) => {
    const { cloud, device } = await begin()
    const watcher = startWatch(device)
    await watcher.begins()
    watcher.child[stream]?.destroy()
    await expectSeen(cloud, device, "p/a.md")
    if (stream === "stderr") renameSync(cloud.remote, `${cloud.remote}-away`)
    if (stream === "stderr") put(device.dir, "p/b.md", "p/b.md\n")
    const ran = await watcher.ended
    expect(ran).toMatchObject({ exit: 0, signal: null })
    expect(existsSync(heartbeatFile(device))).toBe(false)
    if (stream === "stderr") renameSync(`${cloud.remote}-away`, cloud.remote)
    const next = await device.bisync()
    expect(next, next.err).toMatchObject({ exit: 0 })
    await expectSettled(device)
  },
)
