import { rmSync } from "node:fs"
import { afterEach, beforeEach, describe, expect, test } from "vitest"
import { type CliDevice, CliWorld } from "./cli-world.ts"
import { editBoth, FAR, listed, NEAR, onlyId, OPEN } from "./conflict-world.ts"

let world: CliWorld
let a: CliDevice
let b: CliDevice

beforeEach(async () => {
  world = new CliWorld()
  a = await world.device("a")
  b = await world.device("b")
})
afterEach(() => world.dispose())

describe("list", () => {
  test("shows a decided conflict with its winner, and what it lost", async () => {
    await editBoth([a, b], FAR)
    expect(await listed(b)).toMatchObject([
      {
        state: "decided",
        path: "n.md",
        winner: "local",
        loser: "remote",
        rule: "newer",
        files: null,
        loser_only_lines: 2,
        mergeable: true,
      },
    ])
    const { out, code } = await b.bm("cloud", "conflicts")
    expect(code).toBe(0)
    expect(out).toMatch(/^ID +WHEN +PATH +DECISION +STATE$/m)
    expect(out).toMatch(/^c\S+ +today \d\d:\d\d +n\.md +newer wins: here > cloud +decided$/m)
  })

  test("shows an open conflict with its copies, and says so with --exit-code", async () => {
    expect(await editBoth([a, b], { ...NEAR, ...OPEN })).toBe(6)
    expect(await listed(b)).toMatchObject([
      {
        state: "open",
        rule: "none",
        winner: null,
        loser_only_lines: null,
        mergeable: false,
        files: { local: "n.md.conflict1", remote: "n.md.conflict2" },
      },
    ])
    expect((await b.bm("cloud", "conflicts", "--exit-code")).code).toBe(2)
    expect((await b.bm("cloud", "conflicts")).code).toBe(0)
  })

  test("follows undo, redo and undo again", async () => {
    await editBoth([a, b], FAR)
    const id = await onlyId(b)
    const states: string[] = []
    for (const step of ["undo", "redo", "undo"] as const) {
      await b.takeBack(step, step === "undo" ? id : undefined)
      states.push((await listed(b))[0]?.state ?? "")
    }
    expect(states).toEqual(["undone", "decided", "undone"])
    expect((await b.bm("cloud", "conflicts")).out).toMatch(/undone by r\S+$/m)
  })

  test("calls a conflict resolved when the user merged and removed the copies", async () => {
    await editBoth([a, b], { ...NEAR, ...OPEN })
    b.write("n.md", "both\n")
    b.remove("n.md.conflict1")
    b.remove("n.md.conflict2")
    await b.sync()
    const { json } = await b.bm("cloud", "conflicts", "--json")
    expect(json).toMatchObject({ open: 0, conflicts: [{ state: "resolved", resolved: "by_hand" }] })
  })

  test("names a tie, and filters by path and time", async () => {
    await editBoth([a, b], { ...NEAR, times: ["10:00", "10:00"] })
    expect((await b.bm("cloud", "conflicts")).out).toMatch(/tie: both kept +open$/m)
    expect(await listed(b, "--path", "other/**")).toHaveLength(0)
    expect(await listed(b, "--path", "*.md", "--since", "1h")).toHaveLength(1)
    expect(await listed(b, "--since", "@")).toHaveLength(0)
    expect((await b.bm("cloud", "conflicts", "--since", "soon")).code).toBe(64)
  })

  test("answers without the sync directory and without the remote", async () => {
    await editBoth([a, b], FAR)
    rmSync(b.dir, { recursive: true })
    rmSync(world.cloud, { recursive: true })
    expect(await listed(b)).toMatchObject([{ state: "decided", loser_only_lines: 2 }])
  })

  test("says that nothing is set up on an empty device", async () => {
    rmSync(b.place.stateRoot, { recursive: true })
    expect((await b.bm("cloud", "conflicts")).code).toBe(7)
  })
})

describe("show and diff", () => {
  test("shows versions, times and whether they merge", async () => {
    await editBoth([a, b], FAR)
    const id = await onlyId(b)
    const { out } = await b.bm("cloud", "conflicts", "show", id)
    expect(out).toContain(`Conflict ${id} · n.md · decided in r`)
    expect(out).toMatch(/^ {2}here +\S+ B .* b +winner$/m)
    expect(out).toMatch(/^ {2}cloud +\S+ B .* loser, has 2 lines of its own, in git [0-9a-f]{7}$/m)
    expect(out).toMatch(/^ {2}times 300 s apart, a tie is within 2 s$/m)
    expect(out).toMatch(/^ {2}merge {2}clean: merges line by line$/m)
    const { json } = await b.bm("cloud", "conflicts", "show", id.slice(0, 3), "--json")
    expect(json).toMatchObject({
      schema: "bm.conflict/1",
      conflict: id,
      times: { apart_ms: 300_000, tie_ms: 2000 },
      versions: { local: { size: FAR.b.length, device: "b" }, remote: { size: FAR.a.length } },
      merge: { clean: true, overlaps: [] },
      undo: `bm cloud undo ${id}`,
    })
  })

  test("names the place where both sides changed the same line", async () => {
    await editBoth([a, b], { ...NEAR, ...OPEN })
    const { json } = await b.bm("cloud", "conflicts", "show", await onlyId(b), "--json")
    expect(json.merge).toMatchObject({
      clean: false,
      places: 1,
      overlaps: [{ line: 3, local: "3 by b\n", remote: "3 by a\n" }],
    })
  })

  test("takes the loser for old and the winner for new", async () => {
    await editBoth([a, b], { base: "base\n", a: "A at ten, long\n", b: "B at five past\n" })
    const { out } = await b.bm("cloud", "conflicts", "diff", await onlyId(b))
    expect(out).toMatch(/^--- n\.md {2}cloud .* {2}loser$/m)
    expect(out).toMatch(/^\+\+\+ n\.md {2}here .* \(b\) {2}winner$/m)
    expect(out).toMatch(/^-A at ten, long$/m)
    expect(out).toMatch(/^\+B at five past$/m)
  })

  test("compares what is in the copies of an open conflict now", async () => {
    await editBoth([a, b], { ...NEAR, ...OPEN })
    b.write("n.md.conflict1", "edited since\n")
    const { json } = await b.bm("cloud", "conflicts", "diff", await onlyId(b), "--json")
    expect(json).toMatchObject({ schema: "bm.diff/1", from: "local", to: "remote", removed: 1, added: 5 })
    expect(json.unified).toMatch(/^--- n\.md\n\+\+\+ n\.md\n/)
  })

  test("shows both versions against the base, and reads them when the files are gone", async () => {
    await editBoth([a, b], { ...NEAR, ...OPEN })
    rmSync(b.dir, { recursive: true })
    const { json } = await b.bm("cloud", "conflicts", "diff", await onlyId(b), "--base", "--json")
    expect(json).toMatchObject({
      from: "base",
      to: "both",
      added: 2,
      removed: 2,
      diffs: [{ to: "local" }, { to: "remote" }],
    })
  })

  test("escapes what could steer a terminal", async () => {
    await editBoth([a, b], { base: "base\n", a: "\u001b[31mred\n", b: "plain\n" })
    const { out } = await b.bm("cloud", "conflicts", "diff", await onlyId(b))
    expect(out).toContain("-\\x1b[31mred")
    expect(out).not.toContain("\u001b")
  })

  test("refuses a tool without a terminal, and an id that is none", async () => {
    await editBoth([a, b], FAR)
    expect((await b.bm("cloud", "conflicts", "diff", await onlyId(b), "--tool")).code).toBe(4)
    expect((await b.bm("cloud", "conflicts", "show", "c0000")).code).toBe(1)
  })
})
