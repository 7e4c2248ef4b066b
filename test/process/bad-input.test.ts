/**
 * What is not as it was left: directories that are gone or others, full disks, damaged and restored state, a second run.
 * Each says clearly what is wrong with the right exit code, loses nothing, and goes on once it is mended.
 */

import { execFileSync, spawnSync } from "node:child_process"
import {
  appendFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { describe, expect, onTestFinished, test } from "vitest"
import {
  type Cloud,
  type Device,
  ended,
  expectSettled,
  newCloud,
  newDevice,
  notesIn,
  put,
  type Ran,
  versionsInHistory,
} from "./bm.ts"

const SIGNALLING = `--import=${fileURLToPath(new URL("./signal-at.mjs", import.meta.url))}`
const HOUR_MS = 3_600_000
const isLinux = process.platform === "linux"

interface Synced {
  readonly cloud: Cloud
  readonly device: Device
}

/** One device and the remote, with the same three notes. */
async function synced(): Promise<Synced> {
  const cloud = newCloud()
  const device = cloud.device("one")
  for (const path of ["a.md", "d/b.md", "d/c.md"])
    put(device.dir, path, `${path} at first`, Date.now() - HOUR_MS)
  await device.setUp()
  return { cloud, device }
}

function expectError(ran: Ran, expected: { readonly exit: number; readonly says: RegExp }): void {
  expect(ran, ran.out + ran.err).toMatchObject({ exit: expected.exit })
  expect(ran.err).toMatch(expected.says)
  expect(ran.err).toMatch(/^Error: /)
}

async function expectGoesOn({ cloud, device }: Synced): Promise<void> {
  put(device.dir, "later.md", "later")
  const ran = await device.bisync()
  expect(ran, ran.out + ran.err).toMatchObject({ exit: 0 })
  expect(notesIn(device.dir)).toEqual(notesIn(cloud.remote))
  await expectSettled(device)
}

describe("a sync directory that is not the one that was synced", () => {
  test.each<{ readonly what: string; readonly make: (dir: string, cloud: Cloud) => void }>([
    { what: "is gone", make: () => {} },
    { what: "is a new and empty one", make: (dir) => mkdirSync(dir) },
    { what: "is a file", make: (dir) => writeFileSync(dir, "a file") },
    {
      what: "carries another marker",
      make(dir, cloud) {
        cpSync(`${dir}-kept`, dir, { recursive: true, preserveTimestamps: true })
        const marker = join(dir, ".basic-memory/root.json")
        writeFileSync(marker, readFileSync(marker, "utf8").replace(/"root":"[0-9a-f]{4}/, '"root":"0000'))
        expect(existsSync(cloud.remote)).toBe(true)
      },
    },
  ])("stops the run where it $what, and nothing is deleted", async ({ make }) => {
    const at = await synced()
    const { cloud, device } = at
    const before = notesIn(cloud.remote)
    renameSync(device.dir, `${device.dir}-kept`)
    make(device.dir, cloud)
    expectError(await device.bisync("--yes"), { exit: 7, says: /is not the directory that was synced/ })
    expect((await device.bisync("--dry-run")).exit).toBe(7)
    expect(notesIn(cloud.remote)).toEqual(before)
    rmSync(device.dir, { recursive: true, force: true })
    renameSync(`${device.dir}-kept`, device.dir)
    await expectGoesOn(at)
  })
})

describe("a remote folder that is not the one that was synced", () => {
  test.each<{ readonly what: string; readonly make: (remote: string) => void }>([
    { what: "is gone", make: () => {} },
    { what: "is a new and empty one", make: (remote) => mkdirSync(remote) },
    { what: "is a file", make: (remote) => writeFileSync(remote, "a file") },
    {
      what: "carries another epoch",
      make(remote) {
        cpSync(`${remote}-kept`, remote, { recursive: true, preserveTimestamps: true })
        const epoch = join(remote, ".basic-memory/bisync/epoch.json")
        writeFileSync(epoch, readFileSync(epoch, "utf8").replace(/"id":"[0-9a-f]{4}/, '"id":"0000'))
      },
    },
  ])("stops the run where it $what, and nothing is deleted", async ({ make }) => {
    const at = await synced()
    const { cloud, device } = at
    const before = notesIn(device.dir)
    renameSync(cloud.remote, `${cloud.remote}-kept`)
    make(cloud.remote)
    expectError(await device.bisync("--yes"), { exit: 7, says: /is not the remote that was synced/ })
    expect((await device.bisync("--dry-run")).exit).toBe(7)
    expect(notesIn(device.dir)).toEqual(before)
    rmSync(cloud.remote, { recursive: true, force: true })
    renameSync(`${cloud.remote}-kept`, cloud.remote)
    await expectGoesOn(at)
  })
})

describe("setup", () => {
  async function expectRefused(
    ran: Promise<Ran>,
    expected: { readonly exit: number; readonly says: RegExp },
  ) {
    expectError(await ran, expected)
  }

  test("refuses a sync directory and a remote or a state that lie in one another, also through a link", async () => {
    const cloud = newCloud()
    const device = cloud.device("one")
    put(device.dir, "a.md", "a")
    mkdirSync(join(device.dir, "inside"))
    symlinkSync(join(device.dir, "inside"), join(cloud.root, "link"))
    const pairs = [
      [device.dir, join(device.dir, "inside")],
      [device.dir, device.dir],
      [device.dir, join(cloud.root, "link")],
      [join(cloud.remote, "below"), cloud.remote],
      [join(device.stateRoot, "notes"), cloud.remote],
      [device.home, cloud.remote],
    ] as const
    for (const [dir, remote] of pairs) {
      const ran = device.run("cloud", "bisync-setup", "--dir", dir, "--remote", `file:${remote}`)
      await expectRefused(ran, { exit: 64, says: /lie in one another/ })
    }
    expect(existsSync(join(device.stateRoot, "config.json"))).toBe(false)
    expect(readdirSync(cloud.remote)).toEqual([])
    expect(readdirSync(join(device.dir, "inside"))).toEqual([])
  })

  test("refuses the mount directory, what is in it, and links to it", async () => {
    const cloud = newCloud()
    const device = cloud.device("one")
    const mount = join(device.home, "basic-memory-cloud")
    mkdirSync(join(mount, "inside"), { recursive: true })
    symlinkSync(mount, join(device.home, "link"))
    symlinkSync(join(mount, "inside"), join(device.home, "link-inside"))
    for (const dir of [
      mount,
      "~/basic-memory-cloud",
      `${mount}/inside`,
      `${mount}/new`,
      join(device.home, "link"),
      join(device.home, "link-inside"),
      join(device.home, "link/new"),
    ]) {
      const ran = device.run("cloud", "bisync-setup", "--dir", dir, "--remote", `file:${cloud.remote}`)
      await expectRefused(ran, {
        exit: 4,
        says: /^Error: Cannot use .* for bisync - it's the mount directory!/,
      })
    }
    expect(existsSync(join(device.stateRoot, "config.json"))).toBe(false)
    expect(readdirSync(cloud.remote)).toEqual([])
    expect(readdirSync(mount)).toEqual(["inside"])
  })

  test("does not make a remote whose parent is missing, for that may be a disk that is not there", async () => {
    const device = newCloud().device("one")
    const ran = device.run(
      "cloud",
      "bisync-setup",
      "--dir",
      device.dir,
      "--remote",
      `file:${device.home}/mnt/disk/notes`,
    )
    await expectRefused(ran, { exit: 1, says: /ENOENT/ })
    expect(existsSync(join(device.home, "mnt"))).toBe(false)
  })

  test("needs to be done before the first run, and says so", async () => {
    const device = newCloud().device("one")
    expectError(await device.bisync(), {
      exit: 7,
      says: /First bisync requires --resync to establish baseline/,
    })
  })
})

describe("a journal that cannot be used", () => {
  const FLIPS = 12
  const newest = (journal: string, ending: string) => {
    const name = readdirSync(journal)
      .filter((each) => each.endsWith(ending))
      .toSorted()
      .at(-1)
    if (name === undefined) throw new Error(`no ${ending} in ${readdirSync(journal).join(" ")}`)
    return join(journal, name)
  }
  const flip = (file: string, at: number) => {
    const bytes = readFileSync(file)
    bytes[at] = (bytes[at] ?? 0) ^ 0xff
    writeFileSync(file, bytes)
  }

  test.each<{ readonly what: string; readonly damage: (journal: string) => void }>([
    {
      what: "lost the end of its log",
      damage(journal) {
        const log = newest(journal, ".log")
        truncateSync(log, Math.floor(statSync(log).size / 2))
      },
    },
    {
      what: "has a flipped byte in its log",
      damage(journal) {
        const log = newest(journal, ".log")
        flip(log, Math.floor(statSync(log).size / 2))
      },
    },
    { what: "lost a table", damage: (journal) => rmSync(newest(journal, ".ldb")) },
    {
      what: "lost its manifest",
      damage(journal) {
        for (const name of readdirSync(journal)) if (name.startsWith("MANIFEST")) rmSync(join(journal, name))
      },
    },
    { what: "lost its CURRENT", damage: (journal) => rmSync(join(journal, "CURRENT")) },
    {
      what: "is empty",
      damage: (journal) => {
        for (const name of readdirSync(journal)) rmSync(join(journal, name))
      },
    },
    { what: "is gone", damage: (journal) => rmSync(journal, { recursive: true }) },
  ])("stops the run where it $what, and --resync begins a new one beside it", async ({ damage }) => {
    const at = await synced()
    const { cloud, device } = at
    put(device.dir, "a.md", "edited here")
    expect(await device.bisync()).toMatchObject({ exit: 0 })
    rmSync(join(device.dir, "d/b.md"))
    put(cloud.remote, "new.md", "new there")
    const [here, there] = [notesIn(device.dir), notesIn(cloud.remote)]
    const state = device.state()
    damage(join(state, "journal"))
    const stopped = await device.bisync()
    expect(stopped, stopped.out + stopped.err).toMatchObject({ exit: 7 })
    expect(notesIn(device.dir)).toEqual(here)
    expect(notesIn(cloud.remote)).toEqual(there)
    expect((await device.bisync("--resync")).exit).toBe(4)
    const ran = await device.bisync("--resync", "--yes")
    expect(ran, ran.out + ran.err).toMatchObject({ exit: 0 })
    expect(notesIn(device.dir)).toEqual(notesIn(cloud.remote))
    expect([...notesIn(device.dir).keys()]).toEqual(["a.md", "d/b.md", "d/c.md", "new.md"])
    expect(notesIn(device.dir).get("a.md")).toBe("edited here")
    await expectGoesOn(at)
  })

  test("never decides something else where a byte of it is flipped", async () => {
    const { cloud, device } = await synced()
    for (let number = 0; number < 40; number++) put(device.dir, `many/${number}.md`, `text ${number}`)
    expect(await device.bisync()).toMatchObject({ exit: 0 })
    // Opening it anew moves the events from the log into a table.
    put(device.dir, "a.md", "edited here")
    rmSync(join(device.dir, "d/b.md"))
    put(cloud.remote, "new.md", "new there")
    const plan = async () => device.bisync("--dry-run", "--json")
    const actionsOf = ({ out }: Ran) =>
      (JSON.parse(out) as { readonly actions: readonly object[] }).actions.length
    const expected = actionsOf(await plan())
    const journal = join(device.state(), "journal")
    cpSync(journal, `${journal}-kept`, { recursive: true })
    const exits = new Set<number | null>()
    for (let position = 1; position < FLIPS; position++) {
      rmSync(journal, { recursive: true })
      cpSync(`${journal}-kept`, journal, { recursive: true })
      const file = newest(journal, ".ldb")
      flip(file, Math.floor((statSync(file).size * position) / FLIPS))
      const ran = await plan()
      exits.add(ran.exit)
      expect([0, 7], ran.out + ran.err).toContain(ran.exit)
      if (ran.exit === 0) expect(actionsOf(ran)).toBe(expected)
    }
    expect(exits).toContain(7)
  })

  test("is kept where it was moved to, with its history", async () => {
    const { device } = await synced()
    const state = device.state()
    rmSync(join(state, "journal", "CURRENT"))
    const ran = await device.bisync("--resync", "--yes")
    expect(ran).toMatchObject({ exit: 0 })
    const [kept] = readdirSync(join(state, "..")).filter((name) => name.includes(".before-"))
    expect(kept).toBeDefined()
    expect(ran.out + ran.err).toContain(kept)
    expect(readdirSync(join(state, "..", kept ?? "")).toSorted()).toEqual(
      expect.arrayContaining(["history.git", "journal"]),
    )
  })

  test("stops the run where it is an older copy of itself", async () => {
    const at = await synced()
    const { cloud, device } = at
    const journal = join(device.state(), "journal")
    cpSync(journal, `${journal}-older`, { recursive: true })
    put(device.dir, "a.md", "edited here")
    rmSync(join(device.dir, "d/b.md"))
    expect(await device.bisync()).toMatchObject({ exit: 0 })
    rmSync(journal, { recursive: true })
    renameSync(`${journal}-older`, journal)
    const before = notesIn(cloud.remote)
    const stopped = await device.bisync()
    expectError(stopped, { exit: 7, says: /--resync/ })
    expect(notesIn(cloud.remote)).toEqual(before)
    expect(await device.bisync("--resync", "--yes")).toMatchObject({ exit: 0 })
    expect(notesIn(cloud.remote)).toEqual(before)
    await expectGoesOn(at)
  })
})

describe("a side that was restored from an older copy", () => {
  const copy = (from: string, to: string) => execFileSync("cp", ["-a", from, to])

  test("is united with the other where it is the sync directory: nothing is deleted", async () => {
    const at = await synced()
    const { cloud, device } = at
    copy(device.dir, `${device.dir}-older`)
    put(device.dir, "new.md", "new")
    put(device.dir, "a.md", "edited")
    rmSync(join(device.dir, "d/b.md"))
    expect(await device.bisync()).toMatchObject({ exit: 0 })
    rmSync(device.dir, { recursive: true })
    renameSync(`${device.dir}-older`, device.dir)
    const ran = await device.bisync()
    expect(ran, ran.out + ran.err).toMatchObject({ exit: 0 })
    expect([...notesIn(cloud.remote).keys()]).toEqual(["a.md", "d/b.md", "d/c.md", "new.md"])
    expect(notesIn(cloud.remote).get("a.md")).toBe("edited")
    await expectGoesOn(at)
  })

  test("is united with every device that comes by where it is the remote: nothing is deleted", async () => {
    const at = await synced()
    const { cloud, device } = at
    const [second, third] = [cloud.device("two"), cloud.device("three")]
    await second.setUp()
    await third.setUp()
    copy(cloud.remote, `${cloud.remote}-older`)
    put(device.dir, "new.md", "new")
    put(device.dir, "a.md", "edited")
    rmSync(join(device.dir, "d/b.md"))
    for (const each of [device, second, third]) expect(await each.bisync()).toMatchObject({ exit: 0 })
    rmSync(cloud.remote, { recursive: true })
    renameSync(`${cloud.remote}-older`, cloud.remote)
    for (const each of [second, third, device]) {
      const ran = await each.bisync()
      expect(ran, ran.out + ran.err).toMatchObject({ exit: 0 })
      expect([...notesIn(each.dir).keys()]).toEqual(["a.md", "d/b.md", "d/c.md", "new.md"])
      expect(notesIn(each.dir)).toEqual(notesIn(cloud.remote))
      expect(notesIn(each.dir).get("a.md")).toBe("edited")
    }
    await expectGoesOn(at)
  })
})

describe("a configuration that cannot be used", () => {
  test.each<{ readonly what: string; readonly make: (text: string) => string }>([
    { what: "is no JSON", make: (text) => text.slice(0, text.length >> 1) },
    { what: "is empty", make: () => "" },
    { what: "is a list", make: () => "[]" },
    { what: "names no profile", make: (text) => text.replace('"balanced"', '"reckless"') },
    {
      what: "leads out of the state",
      make: (text) => text.replace(/"state": "[^"]*"/, '"state": "../../x"'),
    },
  ])("stops every command where it $what, and names the file", async ({ make }) => {
    const at = await synced()
    const { device } = at
    const file = join(device.stateRoot, "config.json")
    const text = readFileSync(file, "utf8")
    writeFileSync(file, make(text))
    expectError(await device.bisync(), { exit: 1, says: /config\.json/ })
    expectError(await device.run("cloud", "bisync-setup", "--dir", device.dir), {
      exit: 1,
      says: /config\.json/,
    })
    expect(readFileSync(file, "utf8")).toBe(make(text))
    writeFileSync(file, text)
    await expectGoesOn(at)
  })
})

describe("two runs at once, and one that is interrupted", () => {
  test("the second says who is at work and changes nothing", async ({ skip }) => {
    skip(!isLinux, "only Linux says in /proc that a process is stopped")
    const at = await synced()
    const { cloud, device } = at
    put(device.dir, "new.md", "new")
    const env = { NODE_OPTIONS: SIGNALLING, BM_TEST_SIGNAL_AT: "9", BM_TEST_SIGNAL: "SIGSTOP" }
    const first = device.start(env, "cloud", "bisync")
    const finished = ended(first)
    onTestFinished(() => void first.kill("SIGKILL"))
    await until(() => / T /.test(readFileSync(`/proc/${first.pid}/stat`, "utf8")))
    const second = await device.bisync()
    expectError(second, {
      exit: 8,
      says: new RegExp(`Another sync is running \\(pid ${first.pid} on .*bm cloud bisync\\)`),
    })
    expect(existsSync(join(cloud.remote, "new.md"))).toBe(false)
    first.kill("SIGCONT")
    expect(await finished).toMatchObject({ exit: 0 })
    await expectGoesOn(at)
  })

  test.each(["SIGINT", "SIGTERM"])(
    "%s ends a run at a whole point with 130, and the next run goes on",
    async (signal) => {
      const at = await synced()
      const { cloud, device } = at
      for (let number = 0; number < 300; number++) put(device.dir, `many/${number}.md`, `text ${number}`)
      const env = { NODE_OPTIONS: SIGNALLING, BM_TEST_SIGNAL_AT: "300", BM_TEST_SIGNAL: signal }
      const ran = await device.runWith(env, "cloud", "bisync")
      expect(ran, ran.out + ran.err).toMatchObject({ exit: 130 })
      const arrived = [...notesIn(cloud.remote)].filter(([path]) => path.startsWith("many/"))
      expect(arrived.length).toBeGreaterThan(0)
      expect(arrived.length).toBeLessThan(300)
      const here = notesIn(device.dir)
      expect(arrived.filter(([path, text]) => text !== here.get(path))).toEqual([])
      await expectGoesOn(at)
    },
  )
})

test("everything of the state is private from the start", async () => {
  const { device } = await synced()
  put(device.dir, "a.md", "edited")
  expect(await device.bisync()).toMatchObject({ exit: 0 })
  const mode = (path: string) => (statSync(path).mode & 0o777).toString(8)
  const state = device.state()
  expect(mode(device.stateRoot)).toBe("700")
  expect(mode(join(device.stateRoot, "config.json"))).toBe("600")
  expect(mode(join(device.stateRoot, "bisync-state"))).toBe("700")
  expect(mode(state)).toBe("700")
  expect(mode(join(state, "lock.json"))).toBe("600")
  expect(mode(join(state, "status.json"))).toBe("600")
  expect(mode(join(state, "journal"))).toBe("700")
  expect(mode(join(state, "history.git"))).toBe("700")
})

describe("a disk that is full", () => {
  const canMount = isLinux && process.getuid?.() === 0 && spawnSync("unshare", ["-m", "true"]).status === 0
  const reason = "needs Linux and root, to mount small disks"
  const NOTE_BYTES = 200_000

  /** A disk of 4 MB, and a file that fills it but for about two notes. */
  function mountSmall(at: string): { readonly makeRoom: () => void; readonly fill: () => void } {
    mkdirSync(at, { recursive: true })
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=4m", "tmpfs", at])
    onTestFinished(() => void spawnSync("umount", ["-l", at]))
    const ballast = join(at, "ballast")
    return {
      makeRoom: () => rmSync(ballast),
      fill() {
        const { free } = JSON.parse(execFileSync("stat", ["-f", "-c", '{"free":%a}', at]).toString()) as {
          free: number
        }
        const pages = Math.max(0, free - Math.ceil((2.5 * NOTE_BYTES) / 4096))
        appendFileSync(ballast, Buffer.alloc(pages * 4096))
      },
    }
  }

  const note = (number: number) => `${number}\n${"text ".repeat(NOTE_BYTES / 5)}`

  function expectSkipped(ran: Ran): void {
    expect([1, 2], ran.out + ran.err).toContain(ran.exit)
    expect(ran.out + ran.err).toMatch(/no space left/)
  }

  test("on the side of the sync directory holds notes back, and the next run brings them", async ({
    skip,
  }) => {
    skip(!canMount, reason)
    const cloud = newCloud()
    const disk = mountSmall(join(cloud.root, "disk"))
    const device = newDevice(join(cloud.root, "one"), cloud.remote, { dir: join(cloud.root, "disk/notes") })
    put(device.dir, "old.md", note(0))
    await device.setUp()
    disk.fill()
    for (let number = 1; number <= 5; number++) put(cloud.remote, `${number}.md`, note(number))
    put(cloud.remote, "old.md", note(6))
    expectSkipped(await device.bisync())
    expect([note(0), note(6)]).toContain(notesIn(device.dir).get("old.md"))
    for (const [path, text] of notesIn(device.dir))
      if (path !== "old.md") expect(text).toBe(notesIn(cloud.remote).get(path))
    disk.makeRoom()
    await expectGoesOn({ cloud, device })
    expect(notesIn(device.dir).size).toBe(7)
  })

  test("on the side of the remote holds notes back, and the next run brings them", async ({ skip }) => {
    skip(!canMount, reason)
    const base = newCloud()
    const disk = mountSmall(join(base.root, "disk"))
    const remote = join(base.root, "disk/remote")
    mkdirSync(remote)
    const cloud: Cloud = { ...base, remote }
    const device = newDevice(join(base.root, "one"), remote)
    put(device.dir, "old.md", note(0))
    await device.setUp()
    disk.fill()
    for (let number = 1; number <= 5; number++) put(device.dir, `${number}.md`, note(number))
    put(device.dir, "old.md", note(6))
    expectSkipped(await device.bisync())
    expect([note(0), note(6)]).toContain(notesIn(remote).get("old.md"))
    expect(notesIn(device.dir).size).toBe(6)
    disk.makeRoom()
    await expectGoesOn({ cloud, device })
    expect(notesIn(remote).size).toBe(7)
  })

  test("on the side of the state replaces nothing that it cannot keep, and the next run goes on", async ({
    skip,
  }) => {
    skip(!canMount, reason)
    const cloud = newCloud()
    const disk = mountSmall(join(cloud.root, "disk"))
    const device = newDevice(join(cloud.root, "one"), cloud.remote, {
      stateRoot: join(cloud.root, "disk/state"),
    })
    for (let number = 1; number <= 5; number++) put(device.dir, `${number}.md`, note(number))
    await device.setUp()
    // Text packs well; what is to be kept here does not.
    const noise = (seed: number) =>
      execFileSync("head", ["-c", "300000", "/dev/urandom"]).toString("base64") + seed
    for (let number = 1; number <= 5; number++) put(cloud.remote, `${number}.md`, noise(number))
    disk.fill()
    const first = await device.bisync()
    expect(first.out + first.err).toMatch(/no space left/)
    expect(notesIn(device.dir)).toEqual(notesIn(cloud.remote))
    // What is here now could not be kept, so it is not replaced.
    const before = notesIn(device.dir)
    for (let number = 1; number <= 5; number++) put(cloud.remote, `${number}.md`, `later ${number}`)
    const second = await device.bisync()
    expect([1, 2], second.out + second.err).toContain(second.exit)
    expect(second.out + second.err).toMatch(/no space left|could not be kept/)
    expect(notesIn(device.dir)).toEqual(before)
    disk.makeRoom()
    await expectGoesOn({ cloud, device })
    expect(notesIn(device.dir).get("1.md")).toBe("later 1")
    const kept = versionsInHistory(device)
    expect([...before.values()].filter((version) => !kept.has(version))).toEqual([])
  })
})

const DEADLINE_MS = 30_000

async function until(isSo: () => boolean): Promise<void> {
  const deadline = Date.now() + DEADLINE_MS
  while (!isSo()) {
    if (Date.now() > deadline) throw new Error("it did not happen in time")
    await new Promise(setImmediate)
  }
}
