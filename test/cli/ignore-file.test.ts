/** `.bmignore` and a sync: patterns that cannot be read stop it, and a dry run writes nothing beside them. */

import { chmodSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest"
import { DEFAULT_BMIGNORE } from "../../src/observe/ignore.ts"
import { CliWorld } from "./cli-world.ts"

let world: CliWorld
beforeAll(() => {
  world = new CliWorld()
})
afterAll(() => world.dispose())

const isRoot = process.getuid?.() === 0

async function newDevice(name: string) {
  const device = await world.device(name)
  const state = device.place.stateRoot
  return { device, ignoreFile: join(state, ".bmignore"), rcloneFile: join(state, ".bmignore.rclone"), state }
}

test("a dry run does not write the rclone form, the next run does", async () => {
  const { device, ignoreFile, rcloneFile, state } = await newDevice("dry")
  const before = readFileSync(rcloneFile, "utf8")
  writeFileSync(ignoreFile, "private\n")
  expect((await device.bm("cloud", "bisync", "--dry-run")).code).toBe(0)
  expect(readFileSync(rcloneFile, "utf8")).toBe(before)
  rmSync(rcloneFile)
  const names = readdirSync(state)
  expect((await device.bm("cloud", "bisync", "--dry-run")).code).toBe(0)
  expect(readdirSync(state)).toEqual(names)
  expect((await device.bm("cloud", "bisync")).code).toBe(0)
  expect(readFileSync(rcloneFile, "utf8")).toContain("\n- private\n")
})

test.each([{ args: [] }, { args: ["--dry-run"] }, { args: ["--resync", "--yes"] }])(
  "patterns that cannot be read stop a sync and upload nothing ($args)",
  async ({ args }) => {
    const { device, ignoreFile } = await newDevice(`unreadable${args.join("")}`)
    const before = world.tree()
    device.write("private.md", "ignored until now")
    rmSync(ignoreFile)
    mkdirSync(ignoreFile)
    const ran = await device.bm("cloud", "bisync", ...args)
    expect(ran.code).toBe(1)
    expect(ran.err).toContain(`Cannot use ${ignoreFile} - it is a directory`)
    expect(ran.err).toContain("move it away")
    expect(ran.err).not.toContain("bug")
    expect(world.tree()).toEqual(before)
  },
)

test.each([
  { args: ["cloud", "check"] },
  { args: ["cloud", "conflicts", "resolve", "c0000", "--keep", "local"] },
])("patterns that cannot be read are said by whatever needs them ($args)", async ({ args }) => {
  const { device, ignoreFile } = await newDevice(`needs-${args.join("-")}`)
  device.write(`${args.join("-")}.md`, "a note")
  expect((await device.bm("cloud", "bisync")).code).toBe(0)
  rmSync(ignoreFile)
  mkdirSync(ignoreFile)
  const ran = await device.bm(...args)
  expect(ran.code, ran.out + ran.err).toBe(1)
  expect(ran.err).toContain(`Error: Cannot use ${ignoreFile} - it is a directory\n`)
  expect(ran.err).toContain("  Fix    mend that file, or move it away")
})

test("patterns that cannot be read are a line of the status, which shows the rest", async () => {
  const { device, ignoreFile } = await newDevice("status")
  rmSync(ignoreFile)
  mkdirSync(ignoreFile)
  const shown = await device.bm("cloud", "status")
  expect(shown.code).toBe(0)
  expect(shown.out).toMatch(/│ Total Projects +│ unknown +│/)
  expect(shown.out).toMatch(
    /\n {2}Patterns +Cannot use .+\.bmignore - it is a directory \(mend that file, .+\)\n/,
  )
  const { json } = await device.bm("cloud", "status", "--json")
  expect(json).toMatchObject({ projects: { total: null, error: "internal", message: expect.any(String) } })
})

test("a project's patterns above a megabyte stop a sync", async () => {
  const { device } = await newDevice("large")
  device.write("large/.bmignore", "private.md\n".repeat(100_000))
  device.write("large/private.md", "ignored until now")
  const before = world.tree()
  const ran = await device.bm("cloud", "bisync")
  expect(ran.code).toBe(1)
  expect(ran.err).toContain(`Cannot use ${join(device.dir, "large/.bmignore")} - it is larger than 1 MB`)
  expect(world.tree()).toEqual(before)
})

test.skipIf(isRoot)("patterns without permission to read stop a sync, of a project too", async () => {
  const { device, ignoreFile } = await newDevice("shut")
  const before = world.tree()
  device.write("notes/private.md", "ignored until now")
  device.write("notes/.bmignore", "private.md\n")
  for (const file of [ignoreFile, join(device.dir, "notes/.bmignore")]) {
    chmodSync(file, 0o000)
    onTestFinished(() => rmSync(file, { force: true }))
    const ran = await device.bm("cloud", "bisync")
    expect(ran.code).toBe(1)
    expect(ran.err).toContain(`Cannot use ${file} - there is no permission to read it`)
    expect(world.tree()).toEqual(before)
    chmodSync(file, 0o600)
  }
})

test("a setup does not write over patterns that cannot be read; moved away, it makes new ones", async () => {
  const { device, ignoreFile } = await newDevice("doctor")
  rmSync(ignoreFile)
  mkdirSync(ignoreFile)
  const setUp = () => device.bm("cloud", "bisync-setup", "--remote", `file:${world.cloud}`, "--yes")
  const refused = await setUp()
  expect(refused.code).toBe(1)
  expect(refused.err).toContain(`Cannot use ${ignoreFile} - it is a directory`)
  expect((await device.bm("doctor")).out).toMatch(/^! filters /m)
  renameSync(ignoreFile, `${ignoreFile}.away`)
  expect((await setUp()).code).toBe(0)
  expect(readFileSync(ignoreFile, "utf8")).toBe(DEFAULT_BMIGNORE)
  expect((await device.bm("cloud", "bisync")).code).toBe(0)
})
