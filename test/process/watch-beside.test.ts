/**
 * Other commands beside a watcher: it holds nothing between its runs, so they take their turn, and it takes its own again
 * without a word of trouble.
 */

import { readFileSync } from "node:fs"
import { join } from "node:path"
import { expect, onTestFinished, test } from "vitest"
import { describeServer } from "../servers/describe-server.ts"
import { ended, put } from "./bm.ts"
import { expectEqual, newS3World, type S3Device, type S3World } from "./s3-world.ts"
import { expectStops, holdOne, nextMs, startWatch, TEST_MS_MAX, until, type Watcher } from "./watch-world.ts"

describeServer("versitygw", (server) => {
  test("waits without a word while another run is at work", { timeout: TEST_MS_MAX }, async () => {
    const { world, device, watcher } = await begin()
    const held = holdOne(world)
    // The hint about it would come first to a watcher that is awake.
    watcher.child.kill("SIGSTOP")
    put(device.dir, "p/theirs.md", "theirs\n")
    const beside = device.start({}, "cloud", "bisync")
    await held.isHeld
    const before = nextMs(device)
    watcher.child.kill("SIGCONT")
    await until("the watcher has met the other run", () => nextMs(device) !== before && isSoon(device))
    put(device.dir, "p/ours.md", "ours\n")
    held.letGo()
    const ran = await ended(beside)
    expect(ran, ran.out + ran.err).toMatchObject({ exit: 0 })
    await until("both have arrived", () => world.notes().size === 3)
    await watcher.rests()
    await expectStops(device, watcher)
    expect(watcher.lines(/error|another sync|lock/i)).toEqual([])
    await expectEqual(world, [device], {
      "p/first.md": "first\n",
      "p/ours.md": "ours\n",
      "p/theirs.md": "theirs\n",
    })
  })

  test("is named by a run beside it while it works, and can be asked all the same", {
    timeout: TEST_MS_MAX,
  }, async () => {
    const { world, device, watcher } = await begin()
    const held = holdOne(world)
    put(device.dir, "p/ours.md", "ours\n")
    await held.isHeld
    const beside = await device.bisync()
    expect(beside, beside.out).toMatchObject({ exit: 8 })
    expect(beside.err).toContain(`Another sync is running (pid ${watcher.pid} on `)
    const status = await device.run("cloud", "status", "--json")
    expect(status, status.err).toMatchObject({ exit: 0 })
    expect(JSON.parse(status.out)).toMatchObject({ watch: { running: true, pid: watcher.pid } })
    held.letGo()
    await until("it has arrived", () => world.notes().size === 2)
    await watcher.rests()
    await expectStops(device, watcher)
    expect(watcher.err()).toBe("")
  })

  test("takes what an undo beside it put back for no edit of its own", { timeout: TEST_MS_MAX }, async () => {
    const { world, device, watcher } = await begin()
    put(device.dir, "p/first.md", "edited\n")
    await until("the edit has arrived", () => world.notes().get("p/first.md") === "edited\n")
    await watcher.rests()
    const status = await device.run("cloud", "status")
    expect(status.out).toContain(`watch runs, pid ${watcher.pid}`)
    const history = await device.run("cloud", "history", "--json")
    expect(history, history.err).toMatchObject({ exit: 0 })
    expect(JSON.parse(history.out)).toMatchObject({ total: 2 })
    const undone = await device.run("cloud", "undo", "--yes")
    expect(undone, undone.err).toMatchObject({ exit: 0 })
    expect(readFileSync(join(device.dir, "p/first.md"), "utf8")).toBe("first\n")
    expect(world.notes().get("p/first.md")).toBe("first\n")
    put(device.dir, "p/later.md", "later\n")
    await until("a later edit has arrived", () => world.notes().size === 2)
    await watcher.rests()
    await expectStops(device, watcher)
    expect(watcher.err()).toBe("")
    await expectEqual(world, [device], { "p/first.md": "first\n", "p/later.md": "later\n" })
  })

  async function begin(): Promise<{
    readonly world: S3World
    readonly device: S3Device
    readonly watcher: Watcher
  }> {
    const world = await newS3World(server())
    onTestFinished(() => world.stop(), TEST_MS_MAX)
    const device = world.device("here")
    put(device.dir, "p/first.md", "first\n")
    await device.setUp()
    const watcher = startWatch(device)
    await watcher.rests()
    return { world, device, watcher }
  }
})

/** The next run is near, and the watcher does not rest. */
function isSoon(device: S3Device): boolean {
  return nextMs(device) < Date.now() + 60_000
}
