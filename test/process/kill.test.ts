/**
 * T4: the real process is killed, as `kill -9` does, at 50 moments spread over a run that does everything a run can do.
 * Whatever the moment: no file of a user is torn or lost, and the next run ends as if nothing had happened.
 */

import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from "node:fs"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { expect, test } from "vitest"
import {
  type Cloud,
  type Device,
  expectSettled,
  expectSoundHistory,
  hasGit,
  isMissing,
  newCloud,
  notesIn,
  put,
  type Ran,
  versionsInHistory,
} from "./bm.ts"

const MOMENTS = 50
const PRELOAD = `--import=${fileURLToPath(new URL("./signal-at.mjs", import.meta.url))}`
const FILES_UNTOUCHED = 30
const MINUTE_MS = 60_000
const TEST_MS_MAX = 5 * MINUTE_MS

/** What the users of both sides make of their notes between two runs, and what both sides must hold afterwards. */
interface Round {
  readonly number: number
  readonly profile: "balanced" | "safe"
}

test(
  "ends as if nothing had happened, wherever a run was killed",
  async ({ skip }) => {
    skip(isMissing(hasGit, "git"), "git is not here")
    const cloud = newCloud()
    const device = cloud.device("one")
    begin(cloud, device)
    await device.setUp()
    const written = new Set(notesIn(device.dir).values())
    const calls = {
      balanced: await countCalls(cloud, device, written, 1),
      safe: await countCalls(cloud, device, written, 2),
    }
    let killed = 0
    for (let moment = 0; moment < MOMENTS; moment++) {
      const round: Round = { number: moment + 3, profile: moment % 2 === 0 ? "balanced" : "safe" }
      const before = change(cloud, device, round, written)
      const at = 1 + Math.floor(((moment + 0.5) * calls[round.profile]) / MOMENTS)
      const ran = await runKilled(device, round, at)
      if (ran.signal === "SIGKILL") killed += 1
      const where = `round ${round.number}, ${round.profile}, killed at call ${at}`
      expectWhole(cloud, device, written, where)
      expectKept(cloud, device, before, where)
      await expectFinished(cloud, device, round, where)
    }
    expectKept(cloud, device, written, "at the end")
    expectSoundHistory(device)
    expect(killed).toBeGreaterThan(MOMENTS * 0.9)
    const other = cloud.device("two")
    await other.setUp()
    expect(notesIn(other.dir)).toEqual(notesIn(device.dir))
  },
  TEST_MS_MAX,
)

function begin(cloud: Cloud, device: Device): void {
  for (let number = 0; number < FILES_UNTOUCHED; number++)
    put(device.dir, `untouched/${number % 5}/${number}.md`, `untouched ${number}\n`)
  for (const name of ["edit/here.md", "edit/here-too.md", "edit/there.md", "d/e/moves-0.md"])
    put(device.dir, name, `${name} at first\n`)
  put(device.dir, "new/0-here.md", "new 0, here\n")
  put(device.dir, "big.md", `first\n${"x".repeat(200_000)}`)
  put(cloud.remote, "new/0-there.md", "new 0, there\n")
  put(cloud.remote, "f/moves-there-0.md", "moves there\n")
}

async function countCalls(
  cloud: Cloud,
  device: Device,
  written: Set<string>,
  number: number,
): Promise<number> {
  const round: Round = { number, profile: number % 2 === 1 ? "balanced" : "safe" }
  change(cloud, device, round, written)
  const file = join(cloud.root, "calls")
  const env = { NODE_OPTIONS: PRELOAD, BM_TEST_COUNT_TO: file }
  const ran = await device.runWith(env, "cloud", "bisync", "--profile", round.profile)
  expect(ran, ran.err).toMatchObject({ exit: 6 })
  expect(notesIn(device.dir)).toEqual(notesIn(cloud.remote))
  await expectFinished(cloud, device, round, `round ${number}, not killed`)
  return Number(readFileSync(file, "utf8"))
}

function runKilled(device: Device, { profile }: Round, at: number): Promise<Ran> {
  const env = { NODE_OPTIONS: PRELOAD, BM_TEST_SIGNAL_AT: String(at) }
  return device.runWith(env, "cloud", "bisync", "--profile", profile)
}

/** Makes the changes of a round; answers every version that is at a path before the run. */
function change(cloud: Cloud, device: Device, { number }: Round, written: Set<string>): ReadonlySet<string> {
  const last = number - 1
  const here = (path: string, text: string, mtimeMs?: number) => put(device.dir, path, text, mtimeMs)
  const there = (path: string, text: string, mtimeMs?: number) => put(cloud.remote, path, text, mtimeMs)
  for (const path of notesIn(device.dir).keys())
    if (/\.conflict\d+$/.test(path)) rmSync(join(device.dir, path))
  here(`new/${number}-here.md`, `new ${number}, here\n`)
  here(`new-${number}/deep/here.md`, `new ${number}, deep\n`)
  if (last > 0) rmSync(join(device.dir, `new-${last}`), { recursive: true, force: true })
  rmSync(join(device.dir, `new/${last}-here.md`))
  here("edit/here.md", `edit ${number}, here\n`)
  here("edit/here-too.md", `edit ${number}, here too\n`)
  here("big.md", `${number}\n${"x".repeat(200_000)}`)
  move(device.dir, `${movesIn(last)}/moves-${last}.md`, `${movesIn(number)}/moves-${number}.md`)
  there(`new/${number}-there.md`, `new ${number}, there\n`)
  rmSync(join(cloud.remote, `new/${last}-there.md`))
  there("edit/there.md", `edit ${number}, there\n`)
  move(cloud.remote, `f/moves-there-${last}.md`, `f/moves-there-${number}.md`)
  const now = Math.floor(Date.now() / 1000) * 1000
  for (const [path, laterMs] of CONFLICTS) {
    here(path, `conflict ${number}, here\n${path}\n`, now - 5 * MINUTE_MS)
    there(path, `conflict ${number}, there\n${path}\n`, now - 5 * MINUTE_MS + laterMs)
  }
  const versions = new Set([...notesIn(device.dir).values(), ...notesIn(cloud.remote).values()])
  for (const version of versions) written.add(version)
  return versions
}

/** By how much the remote version is newer. */
const CONFLICTS = [
  ["conflict/here-is-newer.md", -MINUTE_MS],
  ["conflict/there-is-newer.md", MINUTE_MS],
  ["conflict/tie.md", 0],
] as const

/** Renames go to and fro between two directories, so that one is emptied and made again. */
function movesIn(number: number): string {
  return number % 2 === 0 ? "d/e" : "g"
}

function move(directory: string, from: string, to: string): void {
  mkdirSync(dirname(join(directory, to)), { recursive: true })
  renameSync(join(directory, from), join(directory, to))
}

/** No file at a user's path is anything but a whole version that a user wrote. */
function expectWhole(cloud: Cloud, device: Device, written: ReadonlySet<string>, where: string): void {
  for (const directory of [device.dir, cloud.remote]) {
    const torn = [...notesIn(directory)].filter(([, text]) => !written.has(text)).map(([path]) => path)
    expect(torn, where).toEqual([])
  }
}

/** Every version is on a side, in the history store, or in the trash of a side. */
function expectKept(cloud: Cloud, device: Device, versions: ReadonlySet<string>, where: string): void {
  const kept = new Set([
    ...notesIn(device.dir).values(),
    ...notesIn(cloud.remote).values(),
    ...versionsInHistory(device),
  ])
  for (const directory of [device.dir, cloud.remote]) {
    const trash = join(directory, ".basic-memory/trash")
    if (existsSync(trash)) for (const text of notesIn(trash).values()) kept.add(text)
  }
  expect(
    [...versions].filter((version) => !kept.has(version)),
    where,
  ).toEqual([])
}

async function expectFinished(cloud: Cloud, device: Device, round: Round, where: string): Promise<void> {
  const ran = await device.bisync("--profile", round.profile)
  expect([0, 6], `${where}\n${ran.out}${ran.err}`).toContain(ran.exit)
  const local = notesIn(device.dir)
  expect(local, where).toEqual(notesIn(cloud.remote))
  const found = [...local.keys()].filter((path) => !path.startsWith("untouched/")).map(withoutPair)
  expect(found.toSorted(), where).toEqual(expectedPaths(round))
  expect([...local.keys()].filter((path) => path.startsWith("untouched/"))).toHaveLength(FILES_UNTOUCHED)
  const { number, profile } = round
  for (const [path, text] of local) {
    const [, side] = withoutPair(path).split(", ")
    if (side !== undefined) expect(text, where).toContain(`conflict ${number}, ${side}`)
  }
  if (profile === "balanced") {
    expect(local.get("conflict/here-is-newer.md"), where).toContain(`conflict ${number}, here`)
    expect(local.get("conflict/there-is-newer.md"), where).toContain(`conflict ${number}, there`)
  }
  await expectSettled(device)
  for (const directory of [device.dir, cloud.remote])
    expect(
      readdirSync(directory).filter((name) => name.startsWith("new-")),
      where,
    ).toEqual([`new-${number}`])
}

/** A pair takes the next numbers that are free, odd for the local version and even for the remote one. */
function withoutPair(path: string): string {
  const number = /\.conflict(\d+)$/.exec(path)?.[1]
  if (number === undefined) return path
  return path.replace(/\.conflict\d+$/, Number(number) % 2 === 1 ? ", here" : ", there")
}

function expectedPaths({ number, profile }: Round): readonly string[] {
  const kept = profile === "safe" ? CONFLICTS.map(([path]) => path) : ["conflict/tie.md"]
  const decided = CONFLICTS.map(([path]) => path).filter((path) => !kept.includes(path))
  const paths = [
    "big.md",
    ...decided,
    ...kept.flatMap((path) => [`${path}, here`, `${path}, there`]),
    "edit/here-too.md",
    "edit/here.md",
    "edit/there.md",
    `f/moves-there-${number}.md`,
    `${movesIn(number)}/moves-${number}.md`,
    `new-${number}/deep/here.md`,
    `new/${number}-here.md`,
    `new/${number}-there.md`,
  ]
  return paths.toSorted()
}
