/** The main job as a user tells it: plans that are kept, decisions that are taken back, edits that survive. */

import { existsSync, readFileSync, rmSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, test } from "vitest"
import { type Cloud, type Device, newCloud, notesIn, put, type Ran } from "./bm.ts"

const TEN = Date.parse("2026-03-02T10:00:00Z")
const MINUTE_MS = 60_000

describe("undo on the command line", () => {
  test("takes back the conflict that is named, and nothing newer", async () => {
    const { a, b } = await twoDevices()
    await disagree(a, b)
    put(b.dir, "later.md", "later\n")
    await done(b.bisync())
    const conflict = await onlyConflict(b)
    await done(b.run("cloud", "undo", conflict))
    expect(read(b, "ideas.md")).toBe("from a\n")
    expect(read(b, "later.md")).toBe("later\n")
    expect((await b.run("cloud", "undo", conflict)).out).toMatch(/^Already undone by r/)
  })

  test("merges where the edit since and the old version touch different lines", async () => {
    const { a, b } = await twoDevices()
    const lines = ["# Plan", "", "one", "", "two", "", "three", ""]
    const text = (change: (line: string) => string) => lines.map(change).join("\n")
    put(
      a.dir,
      "plan.md",
      text((line) => line),
      TEN,
    )
    await syncAll(a, b)
    put(
      a.dir,
      "plan.md",
      text((line) => (line === "one" ? "one from a" : line)),
      TEN + MINUTE_MS,
    )
    put(
      b.dir,
      "plan.md",
      text((line) => (line === "two" ? "two from b" : line)),
      TEN + 5 * MINUTE_MS,
    )
    await syncAll(a, b)
    put(
      b.dir,
      "plan.md",
      text((line) => (line === "two" ? "two from b" : line === "three" ? "three, later" : line)),
    )
    const undone = await done(b.run("cloud", "undo", await onlyConflict(b)))
    expect(undone.out).toMatch(/1 file merged, both sides verified/)
    expect(read(b, "plan.md")).toBe(
      text((line) => (line === "one" ? "one from a" : line === "three" ? "three, later" : line)),
    )
  })

  test("steps back run by run, and redo goes forward again", async () => {
    const { a } = await oneDevice()
    for (const version of ["1", "2", "3"]) {
      put(a.dir, "n.md", `${version}\n`)
      await done(a.bisync())
    }
    await done(a.run("cloud", "undo"))
    expect(read(a, "n.md")).toBe("2\n")
    await done(a.run("cloud", "undo"))
    expect(read(a, "n.md")).toBe("1\n")
    await done(a.run("cloud", "redo"))
    expect(read(a, "n.md")).toBe("2\n")
    await done(a.run("cloud", "redo"))
    expect(read(a, "n.md")).toBe("3\n")
    expect((await a.run("cloud", "redo")).out).toBe("Nothing to redo\n")
  })

  test("makes the files as they were just after a run", async () => {
    const { a, cloud } = await oneDevice()
    put(a.dir, "keep.md", "1\n")
    put(a.dir, "gone.md", "here\n")
    await done(a.bisync())
    const run = await newestRun(a)
    put(a.dir, "keep.md", "2, longer\n")
    put(a.dir, "new.md", "new\n")
    rmSync(join(a.dir, "gone.md"))
    await done(a.bisync())
    await done(a.run("cloud", "undo", "--to", run))
    const then = new Map([
      ["gone.md", "here\n"],
      ["keep.md", "1\n"],
    ])
    expect(notesIn(a.dir)).toEqual(then)
    expect(notesIn(cloud.remote)).toEqual(then)
  })

  test("takes back the last change of a path alone", async () => {
    const { a } = await oneDevice()
    for (const version of ["1", "2"]) {
      put(a.dir, "p/x.md", `x${version}\n`)
      put(a.dir, "p/y.md", `y${version}\n`)
      await done(a.bisync())
    }
    await done(a.run("cloud", "undo", "p/x.md"))
    expect([read(a, "p/x.md"), read(a, "p/y.md")]).toEqual(["x1\n", "y2\n"])
  })

  test("asks again for deletes beyond the limit, and does them when they are confirmed", async () => {
    const { a } = await oneDevice()
    for (let i = 0; i < 30; i++) put(a.dir, `p/${i}.md`, `${i}\n`)
    await done(a.bisync())
    const held = await a.run("cloud", "undo")
    expect([held.exit, held.err]).toEqual([
      4,
      expect.stringMatching(/^Error: Deletion exceeds safety limit \(30 > 25\)/),
    ])
    expect(held.err).not.toMatch(/bm cloud bisync --confirm/)
    await done(a.run("cloud", "undo", "--confirm-deletes", "60"))
    expect(notesIn(a.dir).size).toBe(0)
  })

  test("an undo that was planned and saved is applied exactly", async () => {
    const { a, b, cloud } = await twoDevices()
    await disagree(a, b)
    const file = join(cloud.root, "undo.json")
    await done(b.run("cloud", "undo", await onlyConflict(b), "--dry-run", "--out", file))
    expect(read(b, "ideas.md")).toBe("from b, newer\n")
    await done(b.bisync("--apply", file))
    expect(read(b, "ideas.md")).toBe("from a\n")
    expect((await b.bisync("--apply", file)).exit).not.toBe(1)
  })
})

describe("limits", () => {
  test.each([
    { profile: "safe", limit: 10 },
    { profile: "balanced", limit: 25 },
    { profile: "fast", limit: 50 },
  ])("$profile lets $limit deletes through and stops one more", async ({ profile, limit }) => {
    const { a } = await oneDevice()
    for (let i = 0; i < 2 * limit + 5; i++) put(a.dir, `p/${i}.md`, `${i}\n`)
    await done(a.bisync())
    for (let i = 0; i <= limit; i++) rmSync(join(a.dir, `p/${i}.md`))
    const held = await a.bisync("--profile", profile)
    expect([held.exit, held.err.split("\n")[0]]).toEqual([
      4,
      `Error: Deletion exceeds safety limit (${limit + 1} > ${limit})`,
    ])
    put(a.dir, "p/0.md", "0\n")
    await done(a.bisync("--profile", profile))
    expect((await a.bisync("--max-delete", "0")).exit).toBe(0)
  })
})

describe("a saved plan", () => {
  test("is refused when its file was edited, or when it is of another device", async () => {
    const { a, b, cloud } = await twoDevices()
    put(a.dir, "n.md", "n\n")
    const file = join(cloud.root, "plan.json")
    await done(a.bisync("--dry-run", "--out", file))
    expect((await b.bisync("--apply", file)).exit).toBe(5)
    const text = readFileSync(file, "utf8")
    put(cloud.root, "edited.json", text.replace('"path": "n.md"', '"path": "m.md"'))
    const edited = await a.bisync("--apply", join(cloud.root, "edited.json"))
    expect([edited.exit, edited.err]).toEqual([5, expect.stringMatching(/digest/)])
    expect(existsSync(join(cloud.remote, "n.md"))).toBe(false)
    await done(a.bisync("--apply", file))
    expect(notesIn(cloud.remote)).toEqual(new Map([["n.md", "n\n"]]))
  })

  test("leaves what came after it to the next run", async () => {
    const { a, cloud } = await oneDevice()
    put(a.dir, "n.md", "n\n")
    const file = join(cloud.root, "plan.json")
    await done(a.bisync("--dry-run", "--out", file))
    put(a.dir, "later.md", "later\n")
    await done(a.bisync("--apply", file))
    expect([...notesIn(cloud.remote).keys()]).toEqual(["n.md"])
    await done(a.bisync())
    expect([...notesIn(cloud.remote).keys()].sort()).toEqual(["later.md", "n.md"])
  })
})

describe("setup", () => {
  test("says truly whether git in the sync directory leads to the history", async () => {
    const cloud = newCloud()
    const gitOf = async (device: Device) => {
      const { out } = await done(
        device.run(
          "cloud",
          "bisync-setup",
          "--dir",
          device.dir,
          "--remote",
          `file:${cloud.remote}`,
          "--json",
        ),
      )
      const { steps } = JSON.parse(out) as {
        readonly steps: readonly { readonly name: string; readonly git?: boolean }[]
      }
      return steps.find(({ name }) => name === "directory")?.git
    }
    const [a, b] = [cloud.device("a"), cloud.device("b")]
    put(b.dir, ".git/HEAD", "ref: refs/heads/mine\n")
    expect([await gitOf(a), await gitOf(a), await gitOf(b)]).toEqual([true, true, false])
    expect(read(b, ".git/HEAD")).toBe("ref: refs/heads/mine\n")
  })
})

describe("a sync directory that was made anew", () => {
  test("is filled again after another setup, and deletes nothing in the cloud", async () => {
    const { a, cloud } = await oneDevice()
    for (const name of ["a.md", "b.md", "c.md"]) put(a.dir, name, `${name}\n`)
    await done(a.bisync())
    const notes = notesIn(cloud.remote)
    rmSync(a.dir, { recursive: true })
    expect((await a.bisync()).exit).toBe(7)
    await a.setUp()
    await done(a.bisync())
    expect(notesIn(cloud.remote)).toEqual(notes)
    expect(notesIn(a.dir)).toEqual(notes)
  })
})

async function oneDevice(): Promise<{ readonly cloud: Cloud; readonly a: Device }> {
  const cloud = newCloud()
  const a = cloud.device("a")
  await a.setUp()
  return { cloud, a }
}

async function twoDevices(): Promise<{ readonly cloud: Cloud; readonly a: Device; readonly b: Device }> {
  const { cloud, a } = await oneDevice()
  const b = cloud.device("b")
  await b.setUp()
  return { cloud, a, b }
}

/** Both edit the same note; b's is newer and wins. */
async function disagree(a: Device, b: Device): Promise<void> {
  put(a.dir, "ideas.md", "base\n", TEN - 60 * MINUTE_MS)
  await syncAll(a, b)
  put(a.dir, "ideas.md", "from a\n", TEN)
  put(b.dir, "ideas.md", "from b, newer\n", TEN + 5 * MINUTE_MS)
  await syncAll(a, b)
}

async function syncAll(...devices: readonly Device[]): Promise<void> {
  for (const device of devices) await done(device.bisync())
}

async function done(running: Promise<Ran>): Promise<Ran> {
  const ran = await running
  expect(ran, ran.out + ran.err).toMatchObject({ exit: 0 })
  return ran
}

async function onlyConflict(device: Device): Promise<string> {
  const { out } = await device.run("cloud", "conflicts", "--json")
  const { conflicts } = JSON.parse(out) as { readonly conflicts: readonly { readonly conflict: string }[] }
  expect(conflicts).toHaveLength(1)
  return conflicts[0]?.conflict ?? ""
}

async function newestRun(device: Device): Promise<string> {
  const { out } = await device.run("cloud", "history", "--json")
  const { runs } = JSON.parse(out) as { readonly runs: readonly { readonly run: string }[] }
  return runs[0]?.run ?? ""
}

function read(device: Device, path: string): string {
  return readFileSync(join(device.dir, path), "utf8")
}
