/**
 * T6: hostile names and files on both sides, under the real process. A canary tree outside must never change, the rest
 * still syncs, what is refused stays where it is and is reported, and the second run has nothing to do.
 */

import { execFileSync, spawnSync } from "node:child_process"
import { createHash } from "node:crypto"
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs"
import { createServer } from "node:net"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { expect, onTestFinished, test } from "vitest"
import { type Cloud, type Device, expectSettled, newCloud, notesIn, put, type Ran } from "./bm.ts"

const SWAPPING = `--import=${fileURLToPath(new URL("./swap-parent.mjs", import.meta.url))}`
const isRoot = process.getuid?.() === 0
const isLinux = process.platform === "linux"

interface Hostile {
  readonly cloud: Cloud
  readonly device: Device
  /** A directory outside of everything, with a file `a.md` and a directory `sub`. */
  readonly canary: string
}

/** A device that is set up with a note of its own, one from the remote, and a canary. */
async function begin(): Promise<Hostile> {
  const cloud = newCloud()
  const canary = join(cloud.root, "canary")
  put(canary, "a.md", "outside")
  put(canary, "sub/b.md", "outside, too")
  const before = fingerprint(canary)
  onTestFinished(() => expect(fingerprint(canary)).toBe(before))
  const device = cloud.device("one")
  put(device.dir, "own.md", "own")
  put(cloud.remote, "theirs.md", "theirs")
  await device.setUp()
  return { cloud, device, canary }
}

/** Names, kinds, modes, times and contents of a whole tree. */
function fingerprint(directory: string): string {
  const hash = createHash("sha256")
  for (const name of readdirSync(directory, { recursive: true, encoding: "utf8" }).toSorted()) {
    const stat = lstatSync(join(directory, name), { bigint: true })
    hash.update(`${name}\0${stat.mode}\0${stat.nlink}\0${stat.ino}\0${stat.mtimeNs}\0${stat.size}\n`)
    if (stat.isFile()) hash.update(readFileSync(join(directory, name)))
  }
  return hash.digest("hex")
}

/** The rest syncs: a new note of each side arrives at the other. */
function putProbes({ cloud, device }: Hostile): void {
  put(device.dir, "probe-here.md", "probe, here")
  put(cloud.remote, "probe-there.md", "probe, there")
}

function expectProbes({ cloud, device }: Hostile): void {
  expect(readFileSync(join(cloud.remote, "probe-here.md"), "utf8")).toBe("probe, here")
  expect(readFileSync(join(device.dir, "probe-there.md"), "utf8")).toBe("probe, there")
}

/** Nothing is done any more, and what cannot be synced is said again. */
async function expectNothingToDo(device: Device, exit: number): Promise<void> {
  await expectSettled(device)
  const again = await device.bisync("--json")
  expect(again, again.err).toMatchObject({ exit })
  const last: unknown = JSON.parse(again.out.trim().split("\n").at(-1) ?? "")
  expect(last).toMatchObject({ uploaded: 0, downloaded: 0, deleted: 0, moved: 0, conflicts: [], open: [] })
}

function noticedPaths(ran: Ran): readonly string[] {
  return ran.out
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as { readonly type: string; readonly path: string })
    .flatMap(({ type, path }) => (type === "notice" ? [path] : []))
    .toSorted()
}

test("never writes what belongs to git or to itself, leaves it where it is, and reports it", async () => {
  const hostile = await begin()
  const { cloud, device } = hostile
  const refused = {
    ".git/hooks/post-checkout": "#!/bin/sh\ntouch /tmp/owned\n",
    ".GIT/config": "[core]\n\tfsmonitor = touch /tmp/owned\n",
    "git~1/x": "short name",
    "p/.git./y": "trailing dot",
    "p/.git::$INDEX_ALLOCATION/z": "stream",
    "p/.g\u200cit/config": "ignorable code point",
    ".Basic-Memory/x": "another case",
  }
  for (const [path, text] of Object.entries(refused)) put(cloud.remote, path, text)
  put(cloud.remote, ".basic-memory/evil.md", "among our own files")
  put(cloud.remote, "p/note.md", "beside them")
  putProbes(hostile)
  const gitLink = readFileSync(join(device.dir, ".git"), "utf8")
  const ran = await device.bisync("--json")
  expect(ran, ran.err).toMatchObject({ exit: 2 })
  expectProbes(hostile)
  expect(noticedPaths(ran)).toEqual(
    [
      ".Basic-Memory",
      ".GIT",
      ".git",
      "git~1",
      "p/.git.",
      "p/.git::$INDEX_ALLOCATION",
      "p/.g\u200cit",
    ].toSorted(),
  )
  for (const [path, text] of Object.entries(refused)) {
    expect(readFileSync(join(cloud.remote, path), "utf8")).toBe(text)
    if (path !== ".git/hooks/post-checkout") expect(existsSync(join(device.dir, path)), path).toBe(false)
  }
  expect(readFileSync(join(device.dir, ".git"), "utf8")).toBe(gitLink)
  expect(existsSync(join(device.dir, ".basic-memory/evil.md"))).toBe(false)
  expect(readFileSync(join(device.dir, "p/note.md"), "utf8")).toBe("beside them")
  await expectNothingToDo(device, 2)
})

test("reports here, too, what other disks take for git's, and paths that are too long for a remote", async () => {
  const hostile = await begin()
  const { cloud, device } = hostile
  const long = Array.from({ length: 5 }, (_, index) => `${index}`.repeat(240)).join("/")
  for (const path of [".GIT/x", "p/git~1/y", long]) put(device.dir, path, path)
  putProbes(hostile)
  const ran = await device.bisync("--json")
  expect(ran, ran.err).toMatchObject({ exit: 2 })
  expectProbes(hostile)
  expect(noticedPaths(ran)).toEqual([".GIT", long, "p/git~1"].toSorted())
  expect([...notesIn(cloud.remote).keys()]).toEqual([
    "own.md",
    "probe-here.md",
    "probe-there.md",
    "theirs.md",
  ])
  expect(notesIn(device.dir).size).toBe(7)
  await expectNothingToDo(device, 2)
})

test("leaves a user's own repositories alone without a word", async () => {
  const hostile = await begin()
  const { cloud, device } = hostile
  put(device.dir, "p/.git/config", "[core]\n")
  put(device.dir, "p/note.md", "note")
  putProbes(hostile)
  expect(await device.bisync()).toMatchObject({ exit: 0 })
  expectProbes(hostile)
  expect(existsSync(join(cloud.remote, "p/.git"))).toBe(false)
  expect(readFileSync(join(device.dir, "p/.git/config"), "utf8")).toBe("[core]\n")
  await expectNothingToDo(device, 0)
})

test("carries odd names through both ways, byte by byte", async () => {
  const hostile = await begin()
  const { cloud, device } = hostile
  const names = [
    "a\nb.md",
    "a\rb.md",
    "tab\there.md",
    "\u001b[31mred.md",
    `"double" and 'single'.md`,
    "$(id).md",
    "`id`.md",
    "; rm -rf x.md",
    "-rf",
    "--force",
    "__proto__",
    "constructor",
    "hasOwnProperty.md",
    "a..b",
    "...",
    "..a",
    "back\\slash.md",
    "C:drive.md",
    "NUL",
    "trailing dot.",
    "trailing space ",
    "*?[x].md",
    "\u{1f600}\uff21.md",
    "\uff21.md",
    "\u{1f600}.md",
    "e\u0301.md",
    "\u00e9.md",
    "\u202egnp.md",
    "\ufeffbom.md",
    "n".repeat(255),
    "ä".repeat(127),
  ]
  for (const [index, name] of names.entries()) {
    put(device.dir, `here/${name}`, `here ${index}`)
    put(cloud.remote, `there/${name}/${name}`, `there ${index}`)
  }
  putProbes(hostile)
  const ran = await device.bisync("--json")
  expect(ran, ran.err).toMatchObject({ exit: 0 })
  expectProbes(hostile)
  for (const [index, name] of names.entries()) {
    expect(readFileSync(join(cloud.remote, "here", name), "utf8")).toBe(`here ${index}`)
    expect(readFileSync(join(device.dir, "there", name, name), "utf8")).toBe(`there ${index}`)
  }
  expect(notesIn(device.dir)).toEqual(notesIn(cloud.remote))
  await expectNothingToDo(device, 0)
})

test("says odd names on a terminal without what would move its cursor", async () => {
  const { device, cloud } = await begin()
  put(cloud.remote, "\u001b[2J\u202e\u0007\u009b.md", "x")
  const shown = await device.bisync("--dry-run")
  expect(shown).toMatchObject({ exit: 0 })
  // oxlint-disable-next-line no-control-regex
  expect(shown.out).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e]/)
})

test("does not follow links of either side, and does not mind them", async () => {
  const hostile = await begin()
  const { cloud, device, canary } = hostile
  for (const directory of [device.dir, cloud.remote]) {
    symlinkSync(join(canary, "a.md"), join(directory, "to-file.md"))
    symlinkSync(canary, join(directory, "to-directory"))
    symlinkSync(join(canary, "none"), join(directory, "to-nothing"))
    symlinkSync("/etc/passwd", join(directory, "to-passwd"))
  }
  put(cloud.remote, "real/a.md", "inside")
  symlinkSync(canary, join(device.dir, "real"))
  put(device.dir, "real-here/a.md", "inside")
  symlinkSync(canary, join(cloud.remote, "real-here"))
  putProbes(hostile)
  const ran = await device.bisync()
  expect(ran, ran.err).toMatchObject({ exit: 0 })
  expectProbes(hostile)
  expect(readlinkSync(join(device.dir, "real"))).toBe(canary)
  expect(readlinkSync(join(cloud.remote, "real-here"))).toBe(canary)
  expect(readFileSync(join(cloud.remote, "real/a.md"), "utf8")).toBe("inside")
  await expectNothingToDo(device, 0)
})

test("does not take a project behind a link for a deletion, on either side", async () => {
  const { cloud, device, canary } = await begin()
  for (const project of ["p", "q"])
    for (const name of ["a.md", "d/b.md"]) put(device.dir, `${project}/${name}`, name)
  expect(await device.bisync()).toMatchObject({ exit: 0 })
  const elsewhere = join(cloud.root, "elsewhere")
  mkdirSync(elsewhere)
  renameSync(join(device.dir, "p"), join(elsewhere, "p"))
  symlinkSync(join(elsewhere, "p"), join(device.dir, "p"))
  renameSync(join(cloud.remote, "q"), join(elsewhere, "q"))
  symlinkSync(canary, join(cloud.remote, "q"))
  const ran = await device.bisync("--confirm-deletes", "0")
  expect(ran, ran.err).toMatchObject({ exit: 0 })
  expect([...notesIn(cloud.remote).keys()].filter((path) => path.startsWith("p/"))).toEqual([
    "p/a.md",
    "p/d/b.md",
  ])
  expect([...notesIn(device.dir).keys()].filter((path) => path.startsWith("q/"))).toEqual([
    "q/a.md",
    "q/d/b.md",
  ])
  expect([...notesIn(elsewhere).keys()]).toEqual(["p/a.md", "p/d/b.md", "q/a.md", "q/d/b.md"])
  await expectNothingToDo(device, 0)
})

test("writes nothing through a parent that is swapped for a link, again and again", async () => {
  const { cloud, device, canary } = await begin()
  for (let number = 0; number < 60; number++) {
    put(cloud.remote, `p/${number % 3}/${number}.md`, `there ${number}`)
    put(device.dir, `p/here/${number}.md`, `here ${number}`)
  }
  const env = { NODE_OPTIONS: SWAPPING, BM_TEST_SWAP: `${join(device.dir, "p")}:${canary}` }
  const swapped = await device.runWith(env, "cloud", "bisync")
  // 1: what was placed could not be made durable, so nothing was recorded as done.
  expect([0, 1, 2], swapped.out + swapped.err).toContain(swapped.exit)
  expect([...notesIn(cloud.remote).keys()].filter((path) => !path.startsWith("p/"))).toEqual([
    "own.md",
    "theirs.md",
  ])
  const ran = await device.bisync()
  expect(ran, ran.err).toMatchObject({ exit: 0 })
  expect(notesIn(device.dir)).toEqual(notesIn(cloud.remote))
  expect(notesIn(device.dir).size).toBe(122)
  await expectNothingToDo(device, 0)
})

test("passes by pipes, sockets and devices without opening them", async ({ skip }) => {
  skip(!isLinux, "only Linux has these for sure")
  const hostile = await begin()
  const { cloud, device } = hostile
  for (const directory of [device.dir, cloud.remote]) {
    execFileSync("mkfifo", [join(directory, "pipe.md")])
    const server = createServer().listen(join(directory, "socket.md"))
    await new Promise((resolve) => server.once("listening", resolve))
    onTestFinished(() => void server.close())
    if (isRoot) execFileSync("mknod", [join(directory, "device.md"), "c", "1", "3"])
  }
  put(cloud.remote, "kind.md", "a file there")
  execFileSync("mkfifo", [join(device.dir, "kind.md")])
  putProbes(hostile)
  const ran = await device.bisync()
  expect(ran, ran.err).toMatchObject({ exit: 0 })
  expectProbes(hostile)
  expect(statSync(join(device.dir, "kind.md")).isFIFO()).toBe(true)
  expect(readFileSync(join(cloud.remote, "kind.md"), "utf8")).toBe("a file there")
  await expectNothingToDo(device, 0)
})

test.skipIf(!isLinux)(
  "reports names that are not UTF-8, on either side, and deletes nothing beside them",
  async () => {
    const hostile = await begin()
    const { cloud, device } = hostile
    put(device.dir, "d/known.md", "known")
    put(device.dir, "d/known-too.md", "known, too")
    expect(await device.bisync()).toMatchObject({ exit: 0 })
    const odd = (directory: string, last: number) =>
      Buffer.concat([Buffer.from(`${directory}/d/x`), Buffer.from([last])])
    for (const last of [0xfe, 0xff]) writeFileSync(odd(device.dir, last), "here")
    writeFileSync(odd(cloud.remote, 0xe9), "there")
    rmSync(join(device.dir, "d/known.md"))
    rmSync(join(cloud.remote, "d/known-too.md"))
    putProbes(hostile)
    const ran = await device.bisync()
    expect(ran, ran.err).toMatchObject({ exit: 2 })
    expectProbes(hostile)
    for (const last of [0xfe, 0xff]) expect(readFileSync(odd(device.dir, last), "utf8")).toBe("here")
    expect(readFileSync(odd(cloud.remote, 0xe9), "utf8")).toBe("there")
    expect(existsSync(join(cloud.remote, "d/known.md"))).toBe(true)
    expect(existsSync(join(device.dir, "d/known-too.md"))).toBe(true)
    expect(readdirSync(join(cloud.remote, "d"))).toHaveLength(2)
    await expectNothingToDo(device, 2)
  },
)

/** Another user's process meets what root would not notice. */
const hasSetpriv = isLinux && isRoot && spawnSync("setpriv", ["--version"]).status === 0

test("reports files that it may not read, and does not take them for deleted", async ({ skip }) => {
  skip(isRoot, "root may read everything")
  const hostile = await begin()
  await expectUnreadable(hostile, (...args) => hostile.device.bisync(...args))
})

test("reports files that another user may not read, and does not take them for deleted", async ({ skip }) => {
  skip(!hasSetpriv, "needs root and setpriv, to run as another user")
  const hostile = await begin()
  execFileSync("chown", ["-R", "65534:65534", hostile.cloud.root])
  chmodSync(hostile.cloud.root, 0o755)
  await expectUnreadable(hostile, (...args) => hostile.device.runAs(65534, "cloud", "bisync", ...args))
})

async function expectUnreadable(
  hostile: Hostile,
  bisync: (...args: readonly string[]) => Promise<Ran>,
): Promise<void> {
  const { cloud, device } = hostile
  const owned = (...args: Parameters<typeof put>) => {
    put(...args)
    if (isRoot) execFileSync("chown", ["-R", "65534:65534", device.dir, cloud.remote])
  }
  owned(device.dir, "secret.md", "one")
  owned(device.dir, "closed/a.md", "two")
  owned(cloud.remote, "closed-there/a.md", "three")
  expect(await bisync()).toMatchObject({ exit: 0 })
  owned(device.dir, "secret.md", "edited")
  owned(device.dir, "probe-here.md", "probe, here")
  owned(cloud.remote, "probe-there.md", "probe, there")
  for (const path of [
    join(device.dir, "secret.md"),
    join(device.dir, "closed"),
    join(cloud.remote, "closed-there"),
  ]) {
    chmodSync(path, 0o000)
    onTestFinished(() => chmodSync(path, 0o700))
  }
  const ran = await bisync()
  expect(ran, ran.err).toMatchObject({ exit: 2 })
  expectProbes(hostile)
  expect(ran.out).toContain("secret.md")
  expect(readFileSync(join(cloud.remote, "secret.md"), "utf8")).toBe("one")
  expect(readFileSync(join(cloud.remote, "closed/a.md"), "utf8")).toBe("two")
  expect(readFileSync(join(device.dir, "closed-there/a.md"), "utf8")).toBe("three")
}
