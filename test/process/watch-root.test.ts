/**
 * The watched directory goes away and comes back, as a disk that is unmounted, a folder that is moved, or a backup that is
 * put in its place: nothing is deleted in the cloud, one line says so, and what is edited afterwards is seen at once.
 */

import { cpSync, mkdirSync, renameSync, rmSync } from "node:fs"
import { join } from "node:path"
import { expect, test } from "vitest"
import { type Cloud, type Device, expectSettled, newCloud, notesIn, put } from "./bm.ts"
import {
  expectStops,
  nextMs,
  startWatch,
  TEST_MS_MAX,
  textIn,
  until,
  untilEqual,
  type Watcher,
} from "./watch-world.ts"

const NOTES = 40

interface Absence {
  readonly rule: string
  leave(device: Device): void
  comeBack(device: Device): void
}

const SAYS = /Error: .* is not the directory that was synced/
const away = ({ home }: Device) => join(home, "away")

const ABSENCES: readonly Absence[] = [
  {
    rule: "waits for a directory that is moved away, and watches it again when it is back",
    leave: (device) => renameSync(device.dir, away(device)),
    comeBack: (device) => renameSync(away(device), device.dir),
  },
  {
    rule: "waits for a directory in whose place an empty one stands, as where a disk was mounted",
    leave(device) {
      renameSync(device.dir, away(device))
      mkdirSync(device.dir)
    },
    comeBack(device) {
      rmSync(device.dir, { recursive: true })
      renameSync(away(device), device.dir)
    },
  },
  {
    rule: "watches the copy that has come into the place of a directory that went",
    leave(device) {
      cpSync(device.dir, away(device), { recursive: true, preserveTimestamps: true })
      rmSync(device.dir, { recursive: true })
    },
    comeBack: (device) => renameSync(away(device), device.dir),
  },
]

async function begin(args?: readonly string[]): Promise<{
  readonly cloud: Cloud
  readonly device: Device
  readonly watcher: Watcher
}> {
  const cloud = newCloud()
  const device = cloud.device("here")
  for (let number = 0; number < NOTES; number++)
    put(device.dir, `p/d${number % 4}/n${number}.md`, `note ${number}\n`)
  await device.setUp()
  const watcher = startWatch(device, args)
  await watcher.rests()
  return { cloud, device, watcher }
}

/** One after the other, each by a hint of its own. */
async function expectSeen({ remote }: Cloud, { dir }: Device): Promise<void> {
  for (const path of ["p/d1/n1.md", "p/d1/new.md", "new.md", "q/new.md", "q/newer.md"]) {
    put(dir, path, `${path}, when it was back\n`)
    await until(`${path} has arrived`, () => textIn(remote, path) === `${path}, when it was back\n`)
  }
}

for (const { rule, leave, comeBack } of ABSENCES)
  test(rule, { timeout: TEST_MS_MAX }, async () => {
    const { cloud, device, watcher } = await begin()
    const before = notesIn(cloud.remote)
    leave(device)
    await watcher.says(SAYS)
    comeBack(device)
    await watcher.says(/✓ Syncing again/)
    await expectSeen(cloud, device)
    await watcher.rests()
    await expectStops(device, watcher)
    expect(watcher.lines(SAYS)).toHaveLength(1)
    expect(watcher.lines(/Syncing again/)).toHaveLength(1)
    expect(notesIn(cloud.remote)).toEqual(new Map([...before, ...notesIn(device.dir)]))
    await expectSettled(device)
  })

test("sees edits below a directory that was away for a moment only", { timeout: TEST_MS_MAX }, async () => {
  const { cloud, device, watcher } = await begin()
  for (let time = 1; time <= 10; time++) {
    renameSync(device.dir, away(device))
    renameSync(away(device), device.dir)
    put(device.dir, "p/d1/n1.md", `edit ${time}\n`)
    await until("the edit has arrived", () => textIn(cloud.remote, "p/d1/n1.md") === `edit ${time}\n`)
    put(device.dir, `p/new${time}/n.md`, `new ${time}\n`)
    await untilEqual(device.dir, cloud.remote)
  }
  await watcher.rests()
  await expectStops(device, watcher)
  await expectSettled(device)
})

test("finds at its next run that another directory stands there, and watches that one", {
  timeout: TEST_MS_MAX,
}, async () => {
  const { cloud, device, watcher } = await begin()
  const before = nextMs(device)
  // The watcher sleeps meanwhile, so that no run of it meets the directory away.
  watcher.child.kill("SIGSTOP")
  cpSync(device.dir, away(device), { recursive: true, preserveTimestamps: true })
  rmSync(device.dir, { recursive: true })
  renameSync(away(device), device.dir)
  watcher.child.kill("SIGCONT")
  await until("it has looked", () => nextMs(device) !== before)
  await watcher.rests()
  await expectSeen(cloud, device)
  await watcher.rests()
  await expectStops(device, watcher)
  expect(watcher.err()).toBe("")
  await expectSettled(device)
})

test("waits for a remote folder that is away, and deletes nothing here", {
  timeout: TEST_MS_MAX,
}, async () => {
  const { cloud, device, watcher } = await begin()
  const before = notesIn(device.dir)
  renameSync(cloud.remote, `${cloud.remote}-away`)
  put(device.dir, "p/meanwhile.md", "meanwhile\n")
  await watcher.says(/Error: .* is not the remote that was synced/)
  renameSync(`${cloud.remote}-away`, cloud.remote)
  await untilEqual(device.dir, cloud.remote)
  await watcher.rests()
  await expectStops(device, watcher)
  expect(notesIn(device.dir)).toEqual(new Map([...before, ["p/meanwhile.md", "meanwhile\n"]]))
  expect(watcher.lines(/Error/)).toHaveLength(1)
  expect(watcher.lines(/waiting for you/)).toEqual([])
})
