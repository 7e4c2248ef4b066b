/**
 * A folder that the existing Python client synced goes on with the real command: nothing is transferred, nothing is lost, and
 * whoever of the two syncs next finds what the other one did, without a conflict that nobody made.
 */

import { readFileSync, renameSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { expect, test } from "vitest"
import { describePythonClient, newPythonDevice, type PythonDevice } from "../cloud/python-client.ts"
import type { Stored } from "../cloud/service.ts"
import { notesIn, put } from "./bm.ts"
import { type AccountDevice, type AccountWorld, succeeds, testWorld } from "./cloud-world.ts"

/** Each command of the Python client takes seconds on a busy machine. */
const TEST_MS_MAX = 600_000
/** With microseconds, as files have them. */
const FINE_MTIME_MS = Date.parse("2026-03-02T10:00:00Z") + 123.4567
const NOTES: Readonly<Record<string, string>> = Object.fromEntries(
  Array.from({ length: 20 }, (_, number) => [`garden/n${number}.md`, `note ${number}\n`]),
)

describePythonClient((server) => adoption(() => testWorld(server())))

function adoption(newWorld: () => Promise<AccountWorld>): void {
  test("a folder of the Python client is adopted as it is, and both sync it in turns", {
    timeout: TEST_MS_MAX,
  }, async () => {
    const world = await newWorld()
    const python = newPythonDevice(join(world.root, "one"), world.cloud)
    await syncsWithPython(python)
    const device = world.device("one")
    const truth = { ...NOTES }
    await adopts(world, device)
    overPlainHttp(device)
    // The file of its filters is as it left it, or rclone would refuse.
    await expectIdle({ world, device }, () => runPython(python, "cloud", "bisync"))
    for (let turn = 0; turn < 2; turn++) {
      await changes({ world, device, truth, name: `ours-${turn}`, sync: () => succeeds(device.bisync()) })
      await expectIdle({ world, device }, () => runPython(python, "cloud", "bisync"))
      await changes({
        world,
        device,
        truth,
        name: `theirs-${turn}`,
        sync: () => runPython(python, "cloud", "bisync"),
      })
      await expectIdle({ world, device }, async () => {
        expect((await succeeds(device.bisync())).out).toBe("✓ Sync completed\n")
      })
    }
    const { out } = await succeeds(device.run("cloud", "conflicts", "--all", "--json"))
    expect(JSON.parse(out)).toMatchObject({ conflicts: [] })
    await succeeds(device.run("cloud", "history", "verify"))
  })
}

async function syncsWithPython(python: PythonDevice): Promise<void> {
  await runPython(python, "cloud", "login")
  await runPython(python, "cloud", "setup", "--bisync")
  // What we rename in the bucket may have no MD5 there, and rclone goes by its time, which it has more exactly than we.
  for (const [path, text] of Object.entries(NOTES)) put(python.dir, path, text, FINE_MTIME_MS)
  await runPython(python, "cloud", "bisync", "--resync")
  await runPython(python, "cloud", "bisync")
}

/** As the provider AWS, rclone sends what it streams over TLS only; the storage of the test has none. */
function overPlainHttp({ files }: AccountDevice): void {
  const conf = readFileSync(files.rcloneConf, "utf8")
  expect(conf).toContain("\nprovider = AWS\n")
  writeFileSync(files.rcloneConf, conf.replace("\nprovider = AWS\n", "\nprovider = Other\n"))
}

/** With the directory, the login and the settings that it finds. */
async function adopts(world: AccountWorld, device: AccountDevice): Promise<void> {
  const before = { here: notesIn(device.dir), there: world.notes(), asked: world.cloud.stored.length }
  const created = world.cloud.asked("POST /proxy/projects/projects").length
  await succeeds(device.login())
  const { out } = await succeeds(device.run("cloud", "bisync-setup", "--json"))
  expect(JSON.parse(out).steps.at(-1)).toMatchObject({
    name: "baseline",
    equal: Object.keys(NOTES).length,
    uploaded: 0,
    downloaded: 0,
    replaced: 0,
  })
  expect(notesIn(device.dir)).toEqual(before.here)
  expect(world.notes()).toEqual(before.there)
  const ofNotes = world.cloud.stored.slice(before.asked).filter(({ isOwn }) => !isOwn)
  expect(ofNotes.filter(({ kind }) => !kind.startsWith("LIST"))).toEqual([])
  expect(world.cloud.asked("POST /proxy/projects/projects")).toHaveLength(created)
  expect((await succeeds(device.bisync())).out).toBe("✓ Sync completed\n")
}

/** A new note, an edit, a rename and a deletion, here and in the bucket, and what they lead to. */
async function changes(turn: {
  readonly world: AccountWorld
  readonly device: AccountDevice
  readonly truth: Record<string, string>
  readonly name: string
  readonly sync: () => Promise<unknown>
}): Promise<void> {
  const { world, device, truth, name, sync } = turn
  const [edited = "", renamed = "", removed = ""] = Object.keys(truth).filter((path) =>
    /\/n\d+\.md$/.test(path),
  )
  put(device.dir, edited, `edited by ${name}\n`)
  put(device.dir, `garden/${name}.md`, `new by ${name}\n`)
  renameSync(join(device.dir, renamed), join(device.dir, `garden/${name}-moved.md`))
  rmSync(join(device.dir, removed))
  truth[`garden/edited-${name}.md`] = `edited by ${name}\n`
  renameSync(join(device.dir, edited), join(device.dir, `garden/edited-${name}.md`))
  truth[`garden/${name}.md`] = `new by ${name}\n`
  truth[`garden/${name}-moved.md`] = truth[renamed] ?? ""
  for (const path of [edited, renamed, removed]) delete truth[path]
  await sync()
  expect(sorted(notesIn(device.dir))).toEqual(sorted(new Map(Object.entries(truth))))
  expect(sorted(world.notes())).toEqual(sorted(new Map(Object.entries(truth))))
}

/** It finds nothing to do: no note is written, here or there. */
async function expectIdle(
  { world, device }: { readonly world: AccountWorld; readonly device: AccountDevice },
  sync: () => Promise<unknown>,
): Promise<void> {
  const notes = () => ({ here: sorted(notesIn(device.dir)), there: sorted(world.notes()) })
  const before = { notes: notes(), asked: world.cloud.stored.length }
  await sync()
  expect(notes()).toEqual(before.notes)
  const ofNotes = world.cloud.stored.slice(before.asked).filter(({ isOwn }) => !isOwn)
  expect(ofNotes.filter((request) => !isLook(request) && !isTouch(request))).toEqual([])
}

/** rclone also reads what it knows no MD5 of, to compare it. */
function isLook({ kind }: Stored): boolean {
  return ["LIST", "LIST_UPLOADS", "HEAD", "GET"].includes(kind)
}

/** Its times are finer than ours, so rclone gives an object that we wrote the whole time of its file. */
function isTouch({ kind, bucket, key, headers }: Stored): boolean {
  return kind === "COPY" && headers["x-amz-copy-source"] === `${bucket}/${key}`
}

async function runPython(python: PythonDevice, ...args: readonly string[]): Promise<void> {
  const ran = await python.run(...args)
  expect(ran.exit, ran.said).toBe(0)
}

function sorted(notes: ReadonlyMap<string, string>): readonly (readonly [string, string])[] {
  return [...notes].toSorted(([a], [b]) => (a < b ? -1 : 1))
}
