import { statSync } from "node:fs"
import { join } from "node:path"
import { afterEach, beforeEach, describe, expect, test } from "vitest"
import { type CliDevice, CliWorld, writeAt } from "./cli-world.ts"
import { BASE, editBoth, FAR, listed, NEAR, onlyId, OPEN } from "./conflict-world.ts"

const T = (clock: string) => `2026-03-02T${clock}:00Z`

let world: CliWorld
let a: CliDevice
let b: CliDevice

beforeEach(async () => {
  world = new CliWorld()
  a = await world.device("a")
  b = await world.device("b")
})
afterEach(() => world.dispose())

describe("resolve an open conflict", () => {
  test.each([
    { keep: "local", from: NEAR, holds: NEAR.b },
    { keep: "remote", from: NEAR, holds: NEAR.a },
    { keep: "merged", from: FAR, holds: BASE.replace("one", "ONE, by a").replace("five", "FIVE, by b") },
  ])(
    "puts the $keep version at the path, on every device, and removes the copies",
    async ({ keep, from, holds }) => {
      await editBoth([a, b], { ...from, ...OPEN })
      const id = await onlyId(b)
      const { code, out, err } = await b.bm("cloud", "conflicts", "resolve", id, "--keep", keep)
      expect(err).toBe("")
      expect(code).toBe(0)
      expect(out).toMatch(new RegExp(`^✓ Resolved ${id} - n\\.md .*, both sides verified$`, "m"))
      expect(b.tree()).toEqual({ "n.md": holds })
      expect(world.tree()).toEqual({ "n.md": holds })
      expect(await listed(b)).toMatchObject([{ state: "resolved", resolved: "resolve" }])
      expect(await b.sync()).toBe(0)
      await a.sync()
      expect(a.tree()).toEqual({ "n.md": holds })
    },
  )

  test("stamps the file with the time of the command, so that it wins the next comparison", async () => {
    await editBoth([a, b], { ...NEAR, ...OPEN })
    const before = Date.now()
    await b.bm("cloud", "conflicts", "resolve", await onlyId(b), "--keep", "local")
    await a.sync()
    for (const dir of [a.dir, b.dir, world.cloud])
      expect(statSync(join(dir, "n.md")).mtimeMs).toBeGreaterThanOrEqual(before - 1)
  })

  test("takes a copy as it was edited since, and keeps the other in the history", async () => {
    await editBoth([a, b], { ...NEAR, ...OPEN })
    b.write("n.md.conflict1", "edited since\n")
    const { code, json } = await b.bm(
      "cloud",
      "conflicts",
      "resolve",
      await onlyId(b),
      "--keep",
      "local",
      "--json",
    )
    expect(code).toBe(0)
    expect(json).toMatchObject({
      schema: "bm.resolve/1",
      ok: true,
      failed: [],
      resolved: [{ path: "n.md", keep: "local", removed: ["n.md.conflict1", "n.md.conflict2"] }],
    })
    expect(world.tree()).toEqual({ "n.md": "edited since\n" })
  })

  test("takes the content of a file", async () => {
    await editBoth([a, b], { ...NEAR, ...OPEN })
    writeAt(join(b.home, "mine.md"), "by hand\n")
    expect((await b.bm("cloud", "conflicts", "resolve", await onlyId(b), "--use", "mine.md")).code).toBe(0)
    expect(world.tree()).toEqual({ "n.md": "by hand\n" })
  })

  test("leaves both files with --keep both", async () => {
    await editBoth([a, b], { ...NEAR, ...OPEN })
    const before = b.tree()
    expect((await b.bm("cloud", "conflicts", "resolve", await onlyId(b), "--keep", "both")).code).toBe(0)
    expect(b.tree()).toEqual(before)
    expect((await b.bm("cloud", "conflicts", "--json")).json.open).toBe(0)
    expect((await b.bm("cloud", "conflicts", "resolve", await onlyId(b), "--keep", "local")).out).toMatch(
      /^Already resolved/,
    )
  })

  test("refuses a merge of the same place, and names it", async () => {
    await editBoth([a, b], { ...NEAR, ...OPEN })
    const id = await onlyId(b)
    const before = b.tree()
    const { code, err } = await b.bm("cloud", "conflicts", "resolve", id, "--keep", "merged")
    expect(code).toBe(5)
    expect(err).toMatch(new RegExp(`^Error: Cannot merge ${id} - both sides changed the same 1 place$`, "m"))
    expect(err).toMatch(/^ {2}Where {2}n\.md line 3 +here: "3 by b" +cloud: "3 by a"$/m)
    expect(err).toMatch(/--keep local/)
    expect(b.tree()).toEqual(before)
    expect(await listed(b)).toMatchObject([{ state: "open" }])
  })

  test("refuses when the path is taken again, and takes that file as the answer", async () => {
    await editBoth([a, b], { ...NEAR, ...OPEN })
    const id = await onlyId(b)
    b.write("n.md", "mine\n")
    expect((await b.bm("cloud", "conflicts", "resolve", id, "--keep", "local")).code).toBe(5)
    expect(b.read("n.md")).toBe("mine\n")
    expect((await b.bm("cloud", "conflicts", "resolve", id, "--use", join(b.dir, "n.md"))).code).toBe(0)
    expect(world.tree()).toEqual({ "n.md": "mine\n" })
  })

  test("refuses when a copy is gone", async () => {
    await editBoth([a, b], { ...NEAR, ...OPEN })
    b.remove("n.md.conflict2")
    const { code, err } = await b.bm("cloud", "conflicts", "resolve", await onlyId(b), "--keep", "local")
    expect(code).toBe(5)
    expect(err).toContain("n.md.conflict2 is gone")
    expect(b.tree()).toEqual({ "n.md.conflict1": NEAR.b })
  })

  test("finishes what an interrupted resolve began: the choice is there, and a copy is gone", async () => {
    await editBoth([a, b], { ...NEAR, ...OPEN })
    b.write("n.md", NEAR.b)
    b.remove("n.md.conflict1")
    await b.sync()
    expect((await b.bm("cloud", "conflicts", "resolve", await onlyId(b), "--keep", "local")).code).toBe(0)
    expect(world.tree()).toEqual({ "n.md": NEAR.b })
  })

  test("closes a conflict whose name a folder took, and chooses no version there", async () => {
    a.write("d", "a file\n")
    b.write("d/c.md", "in a folder\n")
    await a.sync()
    expect(await b.sync()).toBe(6)
    const id = await onlyId(b)
    expect((await b.bm("cloud", "conflicts", "show", id)).out).toMatch(/^Close it: .* --keep both$/m)
    expect((await b.bm("cloud", "conflicts", "resolve", id, "--keep", "remote")).code).toBe(5)
    expect((await b.bm("cloud", "conflicts", "resolve", id, "--keep", "both")).code).toBe(0)
    expect((await b.bm("cloud", "conflicts", "--json")).json.open).toBe(0)
  })

  test("is taken back by undo, and can then be resolved again", async () => {
    await editBoth([a, b], { ...NEAR, ...OPEN })
    const before = b.tree()
    const id = await onlyId(b)
    const { json } = await b.bm("cloud", "conflicts", "resolve", id, "--keep", "local", "--json")
    await b.takeBack("undo", String(json.run))
    expect(b.tree()).toEqual(before)
    expect(await listed(b)).toMatchObject([{ state: "open" }])
    expect((await b.bm("cloud", "conflicts", "resolve", id, "--keep", "remote")).code).toBe(0)
    expect(world.tree()).toEqual({ "n.md": NEAR.a })
  })

  test("changes nothing in a dry run", async () => {
    await editBoth([a, b], { ...NEAR, ...OPEN })
    const before = [b.tree(), world.tree()]
    const { code, out } = await b.bm(
      "cloud",
      "conflicts",
      "resolve",
      "--path",
      "*.md",
      "--keep",
      "remote",
      "--dry-run",
    )
    expect(code).toBe(0)
    expect(out).toMatch(/^Resolve 1 open conflict with the cloud version · nothing was changed$/m)
    expect([b.tree(), world.tree()]).toEqual(before)
    expect(await listed(b)).toMatchObject([{ state: "open" }])
  })

  test("stops before the first delete beyond the limit, until exactly these are confirmed", async () => {
    const names = Array.from({ length: 13 }, (_, index) => `p/${index}.md`)
    const edit = (device: CliDevice, content: string, at: string) =>
      names.forEach((name) => device.write(name, content, T(at)))
    edit(a, "base\n", "09:00")
    await a.sync()
    await b.sync()
    edit(a, "A\n", "10:00")
    edit(b, "B\n", "10:05")
    await a.sync()
    await b.sync({ profile: "safe" })
    const resolve = ["cloud", "conflicts", "resolve", "--path", "p/**", "--keep", "local"]
    const refused = await b.bm(...resolve)
    expect(refused.code).toBe(4)
    expect(refused.err).toContain("(26 > 25)")
    expect(refused.err).toContain("add --confirm-deletes 52 to it")
    expect(Object.keys(b.tree())).toHaveLength(26)
    expect((await b.bm(...resolve, "--confirm-deletes", "52")).code).toBe(0)
    expect(Object.keys(world.tree())).toEqual([...names].sort())
  })

  test("needs to know which and how", async () => {
    await editBoth([a, b], { ...NEAR, ...OPEN })
    const id = await onlyId(b)
    expect((await b.bm("cloud", "conflicts", "resolve", id)).code).toBe(64)
    expect((await b.bm("cloud", "conflicts", "resolve", "--keep", "local")).code).toBe(64)
    expect((await b.bm("cloud", "conflicts", "resolve", id, "--keep", "mine")).code).toBe(64)
    expect((await b.bm("cloud", "conflicts", "resolve", id, "--keep", "winner")).code).toBe(64)
    expect((await b.bm("cloud", "conflicts", "resolve", id, "--tool")).code).toBe(4)
  })
})

describe("resolve a decided conflict", () => {
  test.each([
    { keep: "winner", holds: FAR.b },
    { keep: "local", holds: FAR.b },
    { keep: "loser", holds: FAR.a },
    { keep: "remote", holds: FAR.a },
    { keep: "merged", holds: BASE.replace("one", "ONE, by a").replace("five", "FIVE, by b") },
  ])("puts the $keep version at the path", async ({ keep, holds }) => {
    await editBoth([a, b], FAR)
    const { code, err } = await b.bm("cloud", "conflicts", "resolve", await onlyId(b), "--keep", keep)
    expect(err).toBe("")
    expect(code).toBe(0)
    expect(b.tree()).toEqual({ "n.md": holds })
    expect(world.tree()).toEqual({ "n.md": holds })
    expect(await listed(b)).toMatchObject([{ state: "resolved" }])
  })

  test("puts the losing version beside the winner with --keep both", async () => {
    await editBoth([a, b], FAR)
    expect((await b.bm("cloud", "conflicts", "resolve", await onlyId(b), "--keep", "both")).code).toBe(0)
    expect(world.tree()).toEqual({ "n.md": FAR.b, "n.md.conflict1": FAR.a })
  })

  test("keeps an edit made since, merged where it can be", async () => {
    await editBoth([a, b], FAR)
    b.write("n.md", `${FAR.b}six, since\n`)
    expect((await b.bm("cloud", "conflicts", "resolve", await onlyId(b), "--keep", "merged")).code).toBe(0)
    expect(b.read("n.md")).toContain("six, since")
    expect(b.read("n.md")).toContain("ONE, by a")
  })

  test("never throws away an edit made since in the same place", async () => {
    await editBoth([a, b], NEAR)
    b.write("n.md", BASE.replace("three", "3 again"))
    const { code } = await b.bm("cloud", "conflicts", "resolve", await onlyId(b), "--keep", "loser")
    expect(code).toBe(5)
    expect(b.read("n.md")).toContain("3 again")
    b.remove("n.md")
    expect((await b.bm("cloud", "conflicts", "resolve", await onlyId(b), "--keep", "loser")).code).toBe(5)
  })

  test("refuses what was undone", async () => {
    await editBoth([a, b], FAR)
    const id = await onlyId(b)
    await b.takeBack("undo", id)
    expect((await b.bm("cloud", "conflicts", "resolve", id, "--keep", "merged")).code).toBe(5)
  })
})
