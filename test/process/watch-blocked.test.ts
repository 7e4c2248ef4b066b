/**
 * A run that the brake holds back waits for its user: the watcher says so once and how to go on, and goes on by itself as
 * soon as somebody let it through, by a command beside it or by the plan that it saved.
 */

import { readFileSync, rmSync, statSync } from "node:fs"
import { join } from "node:path"
import { expect, test } from "vitest"
import { type Cloud, type Device, expectSettled, newCloud, notesIn, put, type Ran } from "./bm.ts"
import {
  eventsOf,
  expectStops,
  filesIn,
  heartbeat,
  HOURLY,
  nextMs,
  startWatch,
  TEST_MS_MAX,
  textIn,
  until,
  untilEqual,
  type Watcher,
} from "./watch-world.ts"

const NOTES = 40
const DELETES = 26
const CONFIRM = ["--confirm-deletes", String(DELETES)]
const EVERY_SECOND = ["--interval", "1"]
/** Less than an interval of a second. */
const TICK_MS = 900

test("says once that it waits, and goes on by itself when it is let through", {
  timeout: TEST_MS_MAX,
}, async () => {
  const { cloud, device, watcher } = await beginBlocked(EVERY_SECOND)
  put(device.dir, "p/later.md", "later\n")
  for (let again = 0; again < 3; again++) {
    const before = nextMs(device)
    await until("it has tried again", () => nextMs(device) > before + TICK_MS)
  }
  expect(filesIn(cloud.remote)).toHaveLength(NOTES)
  expect(watcher.lines(/Error|waiting/)).toEqual([
    expect.stringMatching(/ Error: Deletion exceeds safety limit \(26 > 25\)$/),
    expect.stringMatching(/ {3}waiting for you: bm cloud bisync --confirm-deletes 26$/),
  ])
  const status = await device.run("cloud", "status")
  expect(status.out).toMatch(
    /waiting for you: Deletion exceeds safety limit \(26 > 25\) \(bm cloud bisync --confirm-deletes 26\)/,
  )
  const plan = heartbeat(device)?.blocked?.plan
  expect(plan).toMatch(/^p/)
  const asJson = await device.run("cloud", "status", "--json")
  expect(JSON.parse(asJson.out)).toMatchObject({ watch: { running: true, blocked_plan: plan } })

  const confirmed = await patiently(() => device.bisync(...CONFIRM))
  expect(confirmed, confirmed.err).toMatchObject({ exit: 0 })
  await until("it waits no more", () => !isBlocked(device))
  await untilEqual(device.dir, cloud.remote)
  put(device.dir, "p/after.md", "after\n")
  await until("a later edit arrives", () => textIn(cloud.remote, "p/after.md") === "after\n")
  await expectStops(device, watcher)
  expect(watcher.lines(/Error|waiting/)).toHaveLength(2)
  await expectSettled(device)
})

test("goes on when its user brings back what would be deleted", { timeout: TEST_MS_MAX }, async () => {
  const { cloud, device, watcher } = await beginBlocked()
  for (let number = 0; number < DELETES; number++) put(device.dir, `p/n${number}.md`, `note ${number}\n`)
  await watcher.says(/Syncing again|Sync completed/)
  await watcher.rests()
  expect(isBlocked(device)).toBe(false)
  await expectStops(device, watcher)
  expect(watcher.lines(/Error/)).toHaveLength(1)
  expect(notesIn(cloud.remote)).toEqual(notesIn(device.dir))
  await expectSettled(device)
})

test("saves the plan that it waits with, which can be applied once and exactly", {
  timeout: TEST_MS_MAX,
}, async () => {
  const { cloud, device, watcher } = await beginBlocked([...HOURLY, "--json"])
  await watcher.says(/watch\.blocked.*\n/)
  const blocked = eventsOf(watcher.out()).filter(({ type }) => type === "watch.blocked")
  expect(blocked).toEqual([expect.objectContaining({ code: "delete_limit", file: expect.any(String) })])
  const [saved, plan] = [String(blocked[0]?.["file"]), String(blocked[0]?.["plan"])]
  expect(JSON.parse(readFileSync(saved, "utf8"))).toMatchObject({
    schema: "bm.plan/1",
    plan,
    verdict: "blocked",
  })
  expect(statSync(saved).mode & 0o077).toBe(0)

  const bare = await patiently(() => device.bisync("--apply", saved))
  expect(bare, bare.out).toMatchObject({ exit: 4 })
  expect(bare.err).toMatch(/Deletion exceeds safety limit[^]*Nothing was changed/)
  expect(filesIn(cloud.remote)).toHaveLength(NOTES)
  const applied = await patiently(() => device.bisync("--apply", saved, ...CONFIRM))
  expect(applied, applied.err).toMatchObject({ exit: 0 })
  expect(applied.out).toContain(`plan ${plan} applied exactly`)
  expect(notesIn(cloud.remote)).toEqual(notesIn(device.dir))
  const again = await patiently(() => device.bisync("--apply", saved, ...CONFIRM))
  expect(again, again.out).toMatchObject({ exit: 5 })
  put(device.dir, "p/after.md", "after\n")
  await until("a later edit arrives", () => textIn(cloud.remote, "p/after.md") === "after\n")
  await watcher.rests()
  const ran = await watcher.stop()
  expect(ran, ran.err).toMatchObject({ exit: 0, err: "" })
  expect(eventsOf(ran.out).filter(({ type }) => type === "watch.blocked")).toHaveLength(1)
  await expectSettled(device)
})

async function beginBlocked(args: readonly string[] = HOURLY): Promise<{
  readonly cloud: Cloud
  readonly device: Device
  readonly watcher: Watcher
}> {
  const cloud = newCloud()
  const device = cloud.device("here")
  for (let number = 0; number < NOTES; number++) put(device.dir, `p/n${number}.md`, `note ${number}\n`)
  await device.setUp()
  const watcher = startWatch(device, args)
  await watcher.begins()
  // It sees them all at once, as a directory that is removed.
  watcher.child.kill("SIGSTOP")
  for (let number = 0; number < DELETES; number++) rmSync(join(device.dir, `p/n${number}.md`))
  watcher.child.kill("SIGCONT")
  await until("it waits for its user", () => isBlocked(device))
  return { cloud, device, watcher }
}

function isBlocked(device: Device): boolean {
  return (heartbeat(device)?.blocked ?? null) !== null
}

/** As somebody does who is told that a run of the watcher is at work: once more. */
async function patiently(run: () => Promise<Ran>): Promise<Ran> {
  let ran = await run()
  await until("no other run is at work", async () => {
    if (ran.exit !== 8) return true
    ran = await run()
    return false
  })
  return ran
}
