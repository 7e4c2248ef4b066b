/**
 * `bm cloud bisync-setup --import` with the real command: the folder of a WebDAV user comes in before the first sync, the
 * plan says the same beforehand, and whatever keeps it from beginning leaves nothing behind.
 */

import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, symlinkSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { expect, test } from "vitest"
import { describeServer } from "../servers/describe-server.ts"
import { type Cloud, type Device, expectSettled, newCloud, newDevice, notesIn, put, type Ran } from "./bm.ts"
import { loggedIn, testWorld, treeOf } from "./cloud-world.ts"
import { TEST_MS_MAX } from "./s3-world.ts"

const OLD = Date.parse("2020-01-02T03:04:05.678Z")
const PRELOAD = `--import=${fileURLToPath(new URL("./signal-at.mjs", import.meta.url))}`
const MOMENTS = 12

test("brings the projects in before the first sync, with their times, and leaves what is there alone", async () => {
  const { cloud, device, mount } = webdavUser()
  put(device.dir, "notes/taken.md", "of the sync directory\n")
  const [there, here] = [treeOf(mount), treeOf(device.dir)]

  const dry = await setUp(cloud, device, mount, "--dry-run")
  expect(dry, dry.err).toMatchObject({ exit: 0 })
  expect(treeOf(device.dir)).toEqual(here)
  expect(existsSync(device.stateRoot)).toBe(false)
  const lines = [
    "  diary: 2 files (16 B)",
    "  notes: 2 files (8 B)",
    "  ! loose.md left: it is in no project; move it into a folder",
    "  ! notes/link.md left: a link; only files are copied",
    "  ! notes/taken.md left: other bytes are here under this name",
    "  2 paths left that would not sync either",
  ]
  expect(between(dry, /^\[4\/5\]/, /^\[5\/5\]/)).toEqual([
    "[4/5] would import 4 files (24 B) from ~/basic-memory-cloud",
    ...lines,
  ])

  const done = await setUp(cloud, device, mount)
  expect(done, done.err).toMatchObject({ exit: 2, err: "" })
  expect(between(done, /^\[4\/5\]/, /^\[5\/5\]/)).toEqual([
    "[4/5] ✓ Imported 4 files (24 B) from ~/basic-memory-cloud",
    ...lines,
  ])
  expect(done.out).toContain("Baseline set: 0 files equal, 0 downloaded, 5 uploaded, 0 replaced")
  expect(treeOf(mount)).toEqual(there)
  const wanted = new Map([
    ["diary/2020/january.md", "january\n"],
    ["diary/private.md", "private\n"],
    ["notes/\u001b[31m.md", "red\n"],
    ["notes/a.md", "one\n"],
    ["notes/taken.md", "of the sync directory\n"],
  ])
  expect(notesIn(device.dir)).toEqual(wanted)
  expect(notesIn(cloud.remote)).toEqual(wanted)
  const time = timeOf(mount)
  expect(Math.abs(time - OLD)).toBeLessThanOrEqual(1)
  expect([timeOf(device.dir), timeOf(cloud.remote)]).toEqual([time, time])
  expect(statSync(join(device.dir, "diary/private.md")).mode & 0o777).toBe(0o600)
  await expectSettled(device)

  const again = await setUp(cloud, device, mount, "--json")
  expect(again, again.err).toMatchObject({ exit: 2 })
  expect(importStepOf(again)).toEqual({
    n: 4,
    name: "import",
    result: "already_done",
    from: mount,
    projects: [
      { project: "diary", files: 0, already: 2, bytes: 0 },
      { project: "notes", files: 0, already: 2, bytes: 0 },
    ],
    left: [
      { path: "loose.md", why: "no_project" },
      { path: "notes/link.md", why: "symlink" },
      { path: "notes/taken.md", why: "different" },
    ],
    ignored: 2,
  })
})

test("a name that would steer the terminal is shown as an escape", async () => {
  const { cloud, device } = webdavUser()
  const from = join(device.home, "old\u001b]0;x\u0007")
  put(from, "p\u001b[2J/a\u001b[1A.md", "mine\n")
  put(device.dir, "p\u001b[2J/a\u001b[1A.md", "hers\n")
  const done = await setUp(cloud, device, from)
  expect(done, done.err).toMatchObject({ exit: 2 })
  expect(done.out).toContain("old\\x1b]0;x\\x07")
  expect(done.out).toContain("  ! p\\x1b[2J/a\\x1b[1A.md left: other bytes are here under this name")
  const refused = await setUp(cloud, device, `${from}-gone`)
  expect(refused.err).toContain("old\\x1b]0;x\\x07-gone - there is no such folder")
  expect(done.out + refused.err).not.toContain("\u001b")
})

test("a project's own patterns are in force for the first sync, and the default ones before they are written", async () => {
  const { cloud, device } = webdavUser()
  const from = join(device.home, "webdav")
  put(from, "p/.bmignore", "drafts\n")
  put(from, "p/drafts/a.md", "draft\n")
  put(from, "p/.env", "secret\n")
  put(from, "p/b.md", "b\n")
  put(cloud.remote, "p/drafts/c.md", "of another device\n")
  const dry = await setUp(cloud, device, from, "--dry-run", "--json")
  expect(importStepOf(dry)).toMatchObject({ projects: [{ files: 2 }], ignored: 2 })
  const done = await setUp(cloud, device, from, "--json")
  expect(done, done.err).toMatchObject({ exit: 0 })
  expect(importStepOf(done)).toMatchObject({ result: "created", projects: [{ files: 2 }], ignored: 2 })
  expect([...notesIn(device.dir).keys()]).toEqual(["p/.bmignore", "p/b.md"])
  expect([...notesIn(cloud.remote).keys()]).toEqual(["p/.bmignore", "p/b.md", "p/drafts/c.md"])
})

interface Refusal {
  readonly what: string
  readonly dir: (device: Device, cloud: Cloud) => string
  readonly exit: number
  readonly code: string
  readonly says: RegExp
}

test.each<Refusal>([
  { what: "is not there", dir: ({ home }) => join(home, "gone"), ...notFound("there is no such folder") },
  {
    what: "is a file",
    dir: ({ home }) => join(home, "basic-memory-cloud/loose.md"),
    ...notFound("it is not a folder"),
  },
  { what: "is the sync directory", dir: ({ dir }) => dir, ...overlapping() },
  { what: "lies in the sync directory", dir: ({ dir }) => join(dir, "notes"), ...overlapping() },
  { what: "holds the sync directory", dir: ({ home }) => home, ...overlapping() },
  { what: "leads to the sync directory", dir: ({ home }) => join(home, "other-name"), ...overlapping() },
  { what: "is the remote", dir: (_, { remote }) => remote, ...overlapping() },
  { what: "is the state", dir: ({ home }) => join(home, ".basic-memory"), ...overlapping() },
  { what: "is no name", dir: () => "", exit: 64, code: "usage", says: /^--import takes a folder$/ },
])("a folder that $what is refused, and nothing is set up", async ({ dir, exit, code, says }) => {
  const { cloud, device } = webdavUser()
  put(device.dir, "notes/here.md", "here\n")
  mkdirSync(device.stateRoot)
  symlinkSync(device.dir, join(device.home, "other-name"))
  const [home, remote] = [treeOf(device.home), treeOf(cloud.remote)]
  const ran = await setUp(cloud, device, dir(device, cloud), "--json")
  expect(ran, ran.err).toMatchObject({ exit, out: "" })
  const error = JSON.parse(ran.err)
  expect(error).toMatchObject({ schema: "bm.error/1", code, exit, changed: false })
  expect(error.message).toMatch(says)
  expect(treeOf(device.home)).toEqual(home)
  expect(treeOf(cloud.remote)).toEqual(remote)
})

test("a folder that may not be read is refused, and nothing is set up", async ({ skip }) => {
  skip(process.getuid?.() !== 0, "another user can be tried as root only")
  const { cloud, device, mount } = webdavUser()
  for (const directory of [cloud.root, cloud.remote, device.home]) chmodSync(directory, 0o777)
  chmodSync(mount, 0o700)
  const remote = `file:${cloud.remote}`
  const words = ["--dir", join(device.home, "new"), "--remote", remote, "--import", mount]
  const ran = await device.runAs(NOBODY, "cloud", "bisync-setup", ...words)
  expect(ran.err).toMatch(/^Error: Cannot import .+basic-memory-cloud - it cannot be read \(EACCES\)\n/)
  expect(ran.exit).toBe(1)
  expect(existsSync(device.stateRoot) || existsSync(join(device.home, "new"))).toBe(false)
})

const NOBODY = 65_534

test("a mount that is not mounted holds no project, and is not taken for an import", async () => {
  const { cloud, device } = webdavUser()
  mkdirSync(join(device.home, "unmounted"))
  const done = await setUp(cloud, device, "unmounted")
  expect(done, done.err).toMatchObject({ exit: 0 })
  expect(done.out).toContain(
    "! Nothing to import: ~/unmounted holds no project; if it is a mount, look whether it is mounted",
  )
})

test("killed at any moment, no name has half a file and nothing is lost; the next one finishes", {
  timeout: 2 * TEST_MS_MAX,
}, async () => {
  const counted = webdavUser()
  const file = join(counted.cloud.root, "calls")
  const words = wordsOf(counted.cloud, counted.device, counted.mount)
  const env = { NODE_OPTIONS: PRELOAD, BM_TEST_COUNT_TO: file }
  const whole = await counted.device.runWith(env, ...words)
  expect(whole, whole.err).toMatchObject({ exit: 2 })
  const wanted = notesIn(counted.device.dir)
  const calls = Number(readFileSync(file, "utf8"))
  let killed = 0
  for (let moment = 0; moment < MOMENTS; moment++) {
    const { cloud, device, mount } = webdavUser(`one-${moment}`)
    const there = treeOf(mount)
    const at = String(1 + Math.floor(((moment + 0.5) * calls) / MOMENTS))
    const kill = { NODE_OPTIONS: PRELOAD, BM_TEST_SIGNAL_AT: at }
    const ran = await device.runWith(kill, ...wordsOf(cloud, device, mount))
    if (ran.signal === "SIGKILL") killed += 1
    for (const [path, text] of notesIn(device.dir))
      expect(text, `${path}, killed at call ${at}`).toBe(wanted.get(path))
    const finished = await setUp(cloud, device, mount)
    expect(finished, finished.err).toMatchObject({ exit: 2 })
    await device.bisync()
    expect(notesIn(device.dir), `killed at call ${at}`).toEqual(wanted)
    expect(notesIn(cloud.remote), `killed at call ${at}`).toEqual(wanted)
    expect(treeOf(mount)).toEqual(there)
    expect(tempsOf(device)).toEqual([])
  }
  expect(killed).toBeGreaterThan(MOMENTS / 2)
})

describeServer("versitygw", (server) => {
  test("of an account the projects are made known to the cloud before the first sync", {
    timeout: TEST_MS_MAX,
  }, async () => {
    const world = await testWorld(server())
    const device = await loggedIn(world, "one")
    const mount = join(device.home, "basic-memory-cloud")
    put(mount, "diary/a.md", "a\n")
    put(mount, "work/b.md", "b\n")
    const dry = await device.run("cloud", "bisync-setup", "--import", "~/basic-memory-cloud", "--dry-run")
    expect(dry, dry.err).toMatchObject({ exit: 0 })
    expect(dry.out).toContain("would import 2 files (4 B) from ~/basic-memory-cloud")
    expect(existsSync(device.dir)).toBe(false)
    const done = await device.setUp("--import", "~/basic-memory-cloud")
    expect(done.out).toContain(
      "Found 2 new local projects, creating on cloud...\n✓ Created project: diary\n✓ Created project: work\n",
    )
    expect(Object.fromEntries(world.notes())).toEqual({ "diary/a.md": "a\n", "work/b.md": "b\n" })
  })
})

/** Somebody who has notes on the mount of the WebDAV time. */
function webdavUser(name = "one") {
  const cloud = newCloud()
  const device = newDevice(join(cloud.root, name), cloud.remote)
  const mount = join(device.home, "basic-memory-cloud")
  put(mount, "notes/a.md", "one\n", OLD)
  put(mount, "notes/\u001b[31m.md", "red\n")
  put(mount, "notes/taken.md", "of the mount\n")
  put(mount, "notes/node_modules/x.js", "x\n")
  put(mount, "diary/2020/january.md", "january\n")
  put(mount, "diary/private.md", "private\n")
  chmodSync(join(mount, "diary/private.md"), 0o600)
  put(mount, "loose.md", "loose\n")
  put(mount, ".obsidian/app.json", "{}\n")
  symlinkSync("a.md", join(mount, "notes/link.md"))
  return { cloud, device, mount }
}

function wordsOf({ remote }: Cloud, { dir }: Device, from: string): readonly string[] {
  return ["cloud", "bisync-setup", "--dir", dir, "--remote", `file:${remote}`, "--import", from]
}

function setUp(cloud: Cloud, device: Device, from: string, ...more: readonly string[]): Promise<Ran> {
  return device.run(...wordsOf(cloud, device, from), ...more)
}

/** From the line that begins so up to the one before the other. */
function between({ out }: Ran, from: RegExp, to: RegExp): readonly string[] {
  const lines = out.split("\n")
  return lines.slice(
    lines.findIndex((line) => from.test(line)),
    lines.findIndex((line) => to.test(line)),
  )
}

function importStepOf({ out }: Ran): unknown {
  const { schema, steps } = JSON.parse(out)
  expect(schema).toBe("bm.setup/1")
  return steps.find(({ name }: { readonly name: string }) => name === "import")
}

/** Of `notes/a.md`, in the whole milliseconds that are kept. */
function timeOf(directory: string): number {
  return Number(statSync(join(directory, "notes/a.md"), { bigint: true }).mtimeMs)
}

function tempsOf({ dir }: Device): readonly string[] {
  const temps = join(dir, ".basic-memory/tmp")
  return readdirSync(temps, { recursive: true, encoding: "utf8" }).filter((name) =>
    statSync(join(temps, name)).isFile(),
  )
}

function notFound(says: string): Pick<Refusal, "exit" | "code" | "says"> {
  return { exit: 1, code: "not_found", says: new RegExp(` - ${says}$`) }
}

function overlapping(): Pick<Refusal, "exit" | "code" | "says"> {
  return { exit: 64, code: "usage", says: / lie in one another$/ }
}
