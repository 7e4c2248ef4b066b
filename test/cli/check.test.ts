import { renameSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { afterEach, beforeEach, expect, test } from "vitest"
import { type CliDevice, CliWorld, writeAt } from "./cli-world.ts"

let world: CliWorld
let a: CliDevice

beforeEach(async () => {
  world = new CliWorld()
  a = await world.device("a")
  a.write("p/a.md", "0123456789\n", "2026-03-02T09:00:00Z")
  a.write("p/b.md", "b\n")
  a.write("q/c.md", "c\n")
  await a.sync()
})
afterEach(() => world.dispose())

interface Found {
  readonly kind: string
  readonly side: string
  readonly path: string
}

async function check(
  ...args: readonly string[]
): Promise<{ readonly code: number; readonly found: readonly string[] }> {
  const { code, json } = await a.bm("cloud", "check", "--json", ...args)
  const findings = json.findings as readonly Found[]
  return { code, found: findings.map(({ kind, side, path }) => `${kind} ${side} ${path}`) }
}

/** Other bytes of the same length, with the old time. */
function corrupt(file: string, content: string): void {
  const { atime, mtime } = statSync(file)
  writeFileSync(file, content)
  utimesSync(file, atime, mtime)
}

test("finds nothing where both sides hold what was recorded, and writes nothing", async () => {
  const before = JSON.stringify([a.tree(), world.tree()])
  const { code, out } = await a.bm("cloud", "check")
  expect([code, out]).toEqual([0, "✓ 3 files identical here and in the cloud (sha256)\n"])
  expect(JSON.stringify([a.tree(), world.tree()])).toBe(before)
})

test("finds changed bytes behind an unchanged size and time, on either side", async () => {
  corrupt(join(world.cloud, "p/a.md"), "0123456x89\n")
  expect(await check()).toEqual({ code: 2, found: ["corrupted remote p/a.md"] })
  corrupt(join(a.dir, "q/c.md"), "x\n")
  expect((await check()).found).toEqual(["corrupted remote p/a.md", "corrupted local q/c.md"])
  const { out } = await a.bm("cloud", "check")
  expect(out).toMatch(
    /^✗ corrupted {2}p\/a\.md {2}cloud bytes differ from the recorded hash, size and time do not$/m,
  )
  expect(out).toMatch(/^2 problems$/m)
  expect(out).toMatch(
    /^ {2}Fix {4}bm cloud history show p\/a\.md --at r\S+ > \S+\/cloud\/p\/a\.md {4}last good version$/m,
  )
})

test("names the recorded hash, the found one, and the run of the last good version", async () => {
  corrupt(join(world.cloud, "p/a.md"), "0123456x89\n")
  const { json } = await a.bm("cloud", "check", "--json")
  expect(json).toMatchObject({ schema: "bm.check/1", ok: false, compared: 3, identical: 2, method: "sha256" })
  expect(json.findings).toMatchObject([
    {
      expected: expect.stringMatching(/^sha256:/),
      found: expect.stringMatching(/^sha256:/),
      last_good: expect.stringMatching(/^r/),
    },
  ])
})

test("takes a version that only one side lost for missing", async () => {
  a.remove("p/b.md")
  rmSync(join(world.cloud, "q/c.md"))
  expect(await check()).toEqual({ code: 2, found: ["missing local p/b.md", "missing remote q/c.md"] })
  expect((await a.bm("cloud", "check")).out).toMatch(
    /^✗ missing +p\/b\.md +in the cloud since r\S+, gone here outside sync$/m,
  )
})

test("takes pending changes for drift, which is no problem", async () => {
  a.write("p/a.md", "edited here\n")
  writeAt(join(world.cloud, "p/b.md"), "edited there\n")
  a.write("new.md", "new\n")
  renameSync(join(a.dir, "q/c.md"), join(a.dir, "q/d.md"))
  expect(await check()).toEqual({
    code: 0,
    found: [
      "drift local new.md",
      "drift local p/a.md",
      "drift remote p/b.md",
      "drift local q/c.md",
      "drift local q/d.md",
    ],
  })
  expect((await a.bm("cloud", "check")).out).toMatch(
    /^~ drift +p\/a\.md +edited here since r\S+; the next sync uploads it$/m,
  )
})

test("says nothing more of a delete that both sides made, and of an edit that both made alike", async () => {
  a.remove("p/b.md")
  rmSync(join(world.cloud, "p/b.md"))
  a.write("q/c.md", "same\n")
  writeAt(join(world.cloud, "q/c.md"), "same\n")
  expect(await check()).toEqual({ code: 0, found: ["drift both p/b.md"] })
})

test("limits itself to paths, a project, or what is here", async () => {
  corrupt(join(world.cloud, "p/a.md"), "0123456x89\n")
  rmSync(join(a.dir, "q/c.md"))
  expect((await check("p")).found).toEqual(["corrupted remote p/a.md"])
  expect((await check("--project", "q")).found).toEqual(["missing local q/c.md"])
  expect((await check("--one-way")).found).toEqual(["corrupted remote p/a.md"])
  expect((await a.bm("cloud", "check", "nope")).code).toBe(1)
  expect((await a.bm("cloud", "check", "--project", "nope")).code).toBe(1)
})

test("leaves ignored files alone", async () => {
  writeAt(join(a.place.stateRoot, ".bmignore"), "*.log\nq/\n")
  a.write("p/x.log", "x\n")
  rmSync(join(world.cloud, "q/c.md"))
  expect(await check()).toEqual({ code: 0, found: [] })
})

test("takes an emptied remote for another one, not for missing files", async () => {
  rmSync(world.cloud, { recursive: true })
  expect((await a.bm("cloud", "check")).code).toBe(7)
})
