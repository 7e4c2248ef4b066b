/**
 * Two devices at once on a remote that tells neither checksums nor times of the user, only when it got a file, in whole
 * seconds. In every round both edit, make, rename and delete, many times the same note and to the same size, and both
 * run at the same moment. No version is lost, and in the end all hold the same.
 */

import { existsSync, mkdirSync, renameSync, rmSync } from "node:fs"
import { dirname, join } from "node:path"
import { isDeepStrictEqual } from "node:util"
import { expect, onTestFinished, test } from "vitest"
import { describeEachRclone, type RealRclone } from "../rclone/real-rclone.ts"
import { startWebdav, type Webdav } from "../servers/webdav.ts"
import { ended, hasGit, isMissing, notesIn, put, type Ran, versionsInHistory } from "./bm.ts"
import { newFolderWorld, type RcloneDevice } from "./rclone-world.ts"
import { TEST_MS_MAX } from "./s3-world.ts"

const ROUNDS = process.env["SOAK"] === undefined ? 4 : 60
const SEED = Number(process.env["SEED"] ?? 20261125)
const NOTES = 12
/** Runs one after the other in which two devices must have become equal: two each, and two more. */
const RUNS_TO_SETTLE = 6
/** A round is some twenty seconds of requests one after the other. */
const LONG_MS = ROUNDS * 100_000

describeEachRclone((rclone) =>
  test(
    "two devices at once lose no version over webdav, and become equal after each round",
    async ({ skip }) => {
      if (isMissing(hasGit, "git")) skip("git is not there")
      const { webdav, devices } = await begin(rclone)
      const random = randomOf(SEED)
      for (let round = 0; round < ROUNDS; round++) {
        const where = `seed ${SEED}, round ${round}`
        for (const [index, device] of devices.entries())
          change(device.dir, { random, text: `round ${String(round).padStart(3)} of ${index}` })
        const versions = new Set(everything(webdav, devices))
        for (const ran of await Promise.all(devices.map(sync))) expectEnded(ran, where)
        expectKept(versions, { webdav, devices, where })
        await settle({ webdav, devices, where })
        expectKept(versions, { webdav, devices, where })
      }
      for (const device of devices) {
        const dry = await device.bisync("--dry-run", "--json")
        expect(JSON.parse(dry.out), dry.err).toMatchObject({ verdict: "nothing", actions: [] })
      }
    },
    LONG_MS,
  ),
)

interface Both {
  readonly webdav: Webdav
  readonly devices: readonly RcloneDevice[]
}

async function begin(rclone: RealRclone): Promise<Both> {
  const webdav = await startWebdav()
  onTestFinished(() => webdav.stop(), TEST_MS_MAX)
  const { endpoint, user, password } = webdav
  const pass = rclone.run(["obscure", password]).trim()
  const sections = { r: { type: "webdav", vendor: "other", url: endpoint, user, pass } }
  const world = newFolderWorld(rclone.path)
  const devices = ["here", "there"].map((name) => world.device(name, { sections, url: "rclone:r:notes" }))
  for (let number = 0; number < NOTES; number++)
    put(devices[0]?.dir ?? "", `d/n${number}.md`, `first of ${number}\n`)
  for (const device of devices) await device.setUp()
  return { webdav: { ...webdav, root: join(webdav.root, "notes") }, devices }
}

/** No limit of ours: whoever comes second waits for the first. */
function sync(device: RcloneDevice): Promise<Ran> {
  return ended(device.start({}, "cloud", "bisync"))
}

/** 2: a note was written to while it was looked at; 6: both versions are kept as files; 8: the other one was at it. */
function expectEnded(ran: Ran, where: string): void {
  expect([0, 2, 6, 8], `${where}\n${ran.out}${ran.err}`).toContain(ran.exit)
}

async function settle({ webdav, devices, where }: Both & { readonly where: string }): Promise<void> {
  const areEqual = () => devices.every(({ dir }) => isDeepStrictEqual(notesIn(dir), notesIn(webdav.root)))
  for (let run = 0; run < RUNS_TO_SETTLE && !areEqual(); run++) {
    const device = devices[run % devices.length]
    if (device === undefined) return
    const ran = await sync(device)
    expect([0, 6], `${where}\n${ran.out}${ran.err}`).toContain(ran.exit)
  }
  for (const { dir } of devices) expect(notesIn(dir), where).toEqual(notesIn(webdav.root))
}

type Random = (below: number) => number

/** Three edits of one size, a new note, a rename and two deletes, of notes that the other device changes too. */
function change(dir: string, { random, text }: { readonly random: Random; readonly text: string }): void {
  const some = () => `d/n${random(NOTES)}.md`
  for (let edit = 0; edit < 3; edit++) put(dir, some(), `${text}, edit ${edit}\n`)
  put(dir, `new/n${random(NOTES)}.md`, `${text}, new\n`)
  const from = some()
  if (existsSync(join(dir, from))) move(dir, from, `moved/n${random(NOTES)}.md`)
  for (const path of [some(), `moved/n${random(NOTES)}.md`]) rmSync(join(dir, path), { force: true })
}

/** What stood at the goal is the user's to replace. */
function move(dir: string, from: string, to: string): void {
  mkdirSync(dirname(join(dir, to)), { recursive: true })
  renameSync(join(dir, from), join(dir, to))
}

function everything({ root }: Webdav, devices: readonly RcloneDevice[]): readonly string[] {
  return [root, ...devices.map(({ dir }) => dir)].flatMap((directory) => [...notesIn(directory).values()])
}

/** Every version is a note somewhere, or in the history of a device. */
function expectKept(
  versions: ReadonlySet<string>,
  { webdav, devices, where }: Both & { readonly where: string },
): void {
  const kept = new Set(everything(webdav, devices))
  for (const device of devices) for (const text of versionsInHistory(device)) kept.add(text)
  expect(
    [...versions].filter((text) => !kept.has(text)),
    where,
  ).toEqual([])
}

/** Numbers below a bound, the same for the same seed: mulberry32. */
function randomOf(seed: number): Random {
  let state = seed >>> 0
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below
  }
}
