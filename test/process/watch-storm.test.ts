/**
 * Storms below a watched directory: thousands of files at once, large renames, editors that save in their own ways, git.
 * Everything arrives because of hints alone, for the interval is an hour; and no look at the remote meets a half file.
 */

import { execFileSync } from "node:child_process"
import {
  closeSync,
  fsyncSync,
  ftruncateSync,
  openSync,
  renameSync,
  rmSync,
  unlinkSync,
  writeFileSync,
  writeSync,
} from "node:fs"
import { join } from "node:path"
import { expect, test } from "vitest"
import { type Cloud, type Device, expectSettled, hasGit, isMissing, newCloud, notesIn, put } from "./bm.ts"
import {
  expectStops,
  sightingsOf,
  startWatch,
  TEST_MS_MAX,
  until,
  textIn,
  untilEqual,
  type Watcher,
} from "./watch-world.ts"

const DIRECTORIES = 100
const FILES_EACH = 50
const MOVED = 1_000

async function begin(): Promise<{ readonly cloud: Cloud; readonly device: Device }> {
  const cloud = newCloud()
  const device = cloud.device("here")
  await device.setUp()
  return { cloud, device }
}

/** Some are so large that writing them takes more than one call. */
function textOf(number: number): string {
  return `note ${number}\n${"word ".repeat(number % 500 === 0 ? 400_000 : 200)}\nend ${number}\n`
}

test("brings thousands of files that come at once into new directories to the cloud, each of them whole", {
  timeout: TEST_MS_MAX,
}, async () => {
  const { cloud, device } = await begin()
  const texts = new Map<string, string>()
  for (let number = 0; number < DIRECTORIES * FILES_EACH; number++)
    texts.set(`p/d${number % DIRECTORIES}/deep/n${number}.md`, textOf(number))
  const sightings = sightingsOf(cloud.remote, (path, text) => texts.get(path) === text)
  const watcher = startWatch(device)
  await watcher.rests()
  for (const [path, text] of texts) put(device.dir, path, text)
  await until("every file has arrived", () => {
    sightings.look()
    return sightings.seen >= texts.size
  })
  expect(sightings.partial).toEqual([])
  expect(notesIn(cloud.remote)).toEqual(notesIn(device.dir))
  await watcher.rests()
  await expectCalm(device, watcher)
})

test("moves a directory of a thousand files in the cloud, and takes that for no deletes", {
  timeout: TEST_MS_MAX,
}, async () => {
  const { cloud, device } = await begin()
  for (let number = 0; number < MOVED; number++)
    put(device.dir, `p/old/d${number % 10}/n${number}.md`, textOf(number + 1))
  const watcher = startWatch(device)
  await untilEqual(device.dir, cloud.remote)
  await watcher.rests()
  renameSync(join(device.dir, "p/old"), join(device.dir, "p/new"))
  await untilEqual(device.dir, cloud.remote)
  await watcher.rests()
  expect([...notesIn(cloud.remote).keys()].every((path) => path.startsWith("p/new/"))).toBe(true)
  await expectCalm(device, watcher)
  const moved = watcher.lines(/ moved/).map((line) => Number(/(\d+) moved/.exec(line)?.[1]))
  expect(moved.reduce((sum, files) => sum + files, 0)).toBe(MOVED)
  expect(watcher.lines(/deleted/)).toEqual([])
})

interface Editor {
  readonly name: string
  /** In the middle of it only versions that are whole can be read; else the next save waits for this one to arrive. */
  readonly isAtomic: boolean
  save(file: string, text: string): Promise<void>
}

const EDITORS: readonly Editor[] = [
  {
    name: "writes beside the file and renames over it",
    isAtomic: true,
    async save(file, text) {
      writeFileSync(`${file}.tmp-save`, text)
      renameSync(`${file}.tmp-save`, file)
    },
  },
  {
    name: "keeps the old one beside it until the new one is written, as vim does",
    isAtomic: true,
    async save(file, text) {
      writeFileSync(join(file, "../4913"), "")
      unlinkSync(join(file, "../4913"))
      renameSync(file, `${file}~`)
      const handle = openSync(file, "wx")
      writeSync(handle, text)
      fsyncSync(handle)
      closeSync(handle)
      unlinkSync(`${file}~`)
    },
  },
  {
    name: "empties the file and fills it, as VS Code does",
    isAtomic: false,
    save: async (file, text) => writeFileSync(file, text),
  },
  {
    name: "writes in place in two pieces, as Obsidian does",
    isAtomic: false,
    async save(file, text) {
      const handle = openSync(file, "r+")
      writeSync(handle, text.slice(0, text.length >> 1))
      await new Promise<void>((resolve) => setImmediate(resolve))
      writeSync(handle, text.slice(text.length >> 1))
      ftruncateSync(handle, Buffer.byteLength(text))
      closeSync(handle)
    },
  },
]
const SAVES = 40

for (const { name, isAtomic, save } of EDITORS)
  test(`brings the last save of an editor that ${name}, and never half of one`, {
    timeout: TEST_MS_MAX,
  }, async () => {
    const { cloud, device } = await begin()
    const file = join(device.dir, "p/note.md")
    const whole = new Set<string>()
    const sightings = sightingsOf(cloud.remote, (path, text) => path !== "p/note.md" || whole.has(text))
    const keep = async (text: string) => {
      whole.add(text)
      await save(file, text)
    }
    whole.add("begun\n")
    put(device.dir, "p/note.md", "begun\n")
    const watcher = startWatch(device)
    const arrives = (text: string) =>
      until("a save arrives", () => {
        sightings.look()
        return textIn(cloud.remote, "p/note.md") === text
      })
    await arrives("begun\n")
    for (let number = 1; number <= SAVES; number++) {
      await keep(textOf(number))
      sightings.look()
      if (!isAtomic || number % 10 === 0) await arrives(textOf(number))
    }
    await arrives(textOf(SAVES))
    await watcher.rests()
    expect(sightings.partial).toEqual([])
    expect([...notesIn(cloud.remote)]).toEqual([["p/note.md", textOf(SAVES)]])
    await expectCalm(device, watcher)
  })

test("follows a checkout of another branch in a project", { timeout: TEST_MS_MAX }, async ({ skip }) => {
  skip(isMissing(hasGit, "git"), "git is missing")
  const { cloud, device } = await begin()
  const project = join(device.dir, "p")
  const git = (...args: readonly string[]) =>
    execFileSync("git", ["-C", project, "-c", "user.name=t", "-c", "user.email=t@example.org", ...args], {
      env: { PATH: process.env["PATH"] ?? "", HOME: device.home, GIT_CONFIG_NOSYSTEM: "1" },
    })
  for (let number = 0; number < 400; number++)
    put(device.dir, `p/d${number % 20}/n${number}.md`, textOf(number + 1))
  git("init", "-q", "-b", "one")
  git("add", ".")
  git("commit", "-qm", "one")
  git("checkout", "-qb", "two")
  for (let number = 0; number < 200; number++)
    put(device.dir, `p/d${number % 20}/n${number}.md`, `two ${number}\n`)
  for (let number = 380; number < 400; number++) rmSync(join(project, `d${number % 20}/n${number}.md`))
  for (let number = 0; number < 20; number++)
    put(device.dir, `p/two/e${number % 5}/m${number}.md`, `two ${number}\n`)
  git("add", "-A", ".")
  git("commit", "-qm", "two")
  git("checkout", "-q", "one")
  const watcher = startWatch(device)
  for (const branch of ["one", "two", "one", "two"]) {
    git("checkout", "-q", branch)
    if (branch === "one") git("clean", "-qfd")
    await untilEqual(device.dir, cloud.remote)
  }
  await watcher.rests()
  await expectCalm(device, watcher)
})

/** It says no trouble, ends cleanly, and nothing is left to do. */
async function expectCalm(device: Device, watcher: Watcher): Promise<void> {
  await expectStops(device, watcher)
  // What is written while it is read waits for the next run, which comes at once.
  const troubles = watcher.lines(/error|not done|not synced|stopped short|!/i)
  expect(troubles.filter((line) => !line.endsWith("unstable here"))).toEqual([])
  await expectSettled(device)
}
