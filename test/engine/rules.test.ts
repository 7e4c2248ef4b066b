/** Ignore patterns that are there and cannot be read, and what is written beside them. */

import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, utimesSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, beforeEach, describe, expect, test } from "vitest"
import { type FailNext, MemoryDisk } from "../../src/disk/memory-disk.ts"
import { areRulesFresh, ensureIgnoreFile, readRules, refreshRcloneFilter } from "../../src/engine/rules.ts"
import { DEFAULT_BMIGNORE } from "../../src/observe/ignore.ts"
import { rcloneFilter } from "../../src/observe/rclone-filter.ts"

let root = ""
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "bm-rules-"))
})
afterEach(() => rmSync(root, { recursive: true }))

const placeOf = () => ({ home: root, stateRoot: root })
const ignoreFile = () => join(root, ".bmignore")
const rcloneFile = () => join(root, ".bmignore.rclone")

describe("global patterns that cannot be read", () => {
  interface Row {
    readonly rule: string
    readonly make: () => void
    readonly why: string
  }
  describe.each<Row>([
    { rule: "a directory", make: () => mkdirSync(ignoreFile()), why: "it is a directory" },
    {
      rule: "a link to itself",
      make: () => symlinkSync(".bmignore", ignoreFile()),
      why: "it is a link that leads to itself",
    },
  ])("$rule", ({ make, why }) => {
    const refusal = () => ({ ok: false, error: { code: "config_unreadable", file: ignoreFile(), why } })
    beforeEach(make)

    test("stop whatever needs them, whether the directory is there or not", async () => {
      for (const disk of [undefined, new MemoryDisk()])
        expect(await readRules(placeOf(), { syncDir: root, disk })).toEqual(refusal())
    })
    test("stop a setup, which does not write over them", () => {
      expect(ensureIgnoreFile(placeOf())).toEqual(refusal())
    })
    test("are not said in rclone's words, and what was said stays", () => {
      writeFileSync(rcloneFile(), "- kept\n")
      expect(refreshRcloneFilter(placeOf())).toEqual(refusal())
      expect(readFileSync(rcloneFile(), "utf8")).toBe("- kept\n")
      expect(areRulesFresh(placeOf())).toBe(false)
    })
  })
})

describe("patterns of a project", () => {
  interface Row {
    readonly rule: string
    readonly failNext: FailNext
    readonly why?: string
  }
  const failing =
    (method: string, errno: string): FailNext =>
    (called, path) =>
      called === method && path === "notes/.bmignore" ? errno : undefined
  test.each<Row>([
    {
      rule: "stop a sync when there is no permission",
      failNext: failing("readFile", "EACCES"),
      why: "there is no permission to read it",
    },
    {
      rule: "stop a sync when the disk fails",
      failNext: failing("readFile", "EIO"),
      why: "the disk cannot read it",
    },
    {
      rule: "stop a sync when the disk fails to look at them",
      failNext: failing("stat", "EIO"),
      why: "the disk cannot read it",
    },
    {
      rule: "stop a sync with the system's word for a rare trouble",
      failNext: failing("readFile", "EMFILE"),
      why: "EMFILE",
    },
    { rule: "are none when they go while they are read", failNext: failing("readFile", "ENOENT") },
    {
      rule: "are left to the run when their project cannot be looked into",
      failNext: failing("stat", "EACCES"),
    },
    { rule: "stop nothing when they can be read", failNext: () => undefined },
  ])("$rule", async ({ failNext, why }) => {
    const disk = new MemoryDisk({ failNext })
    disk.userWrite("notes/.bmignore", "secret\n")
    const file = join("/sync", "notes/.bmignore")
    expect(await readRules(placeOf(), { syncDir: "/sync", disk })).toMatchObject(
      why === undefined ? { ok: true } : { ok: false, error: { code: "config_unreadable", file, why } },
    )
  })

  test("of more than a megabyte are not passed over in silence", async () => {
    const disk = new MemoryDisk()
    disk.userWrite("notes/.bmignore", "secret\n".repeat(150_000))
    expect(await readRules(placeOf(), { syncDir: "/sync", disk })).toMatchObject({
      ok: false,
      error: { code: "config_unreadable", why: "it is larger than 1 MB" },
    })
  })
})

describe("the rclone form", () => {
  test("is made of the default patterns, then fresh until they change", () => {
    expect(areRulesFresh(placeOf())).toBe(false)
    expect([ensureIgnoreFile(placeOf()).ok, refreshRcloneFilter(placeOf()).ok]).toEqual([true, true])
    expect(readFileSync(rcloneFile(), "utf8")).toBe(rcloneFilter(DEFAULT_BMIGNORE))
    expect(areRulesFresh(placeOf())).toBe(true)
    writeFileSync(ignoreFile(), "other\n")
    expect(areRulesFresh(placeOf())).toBe(false)
  })

  test("that another program made stays until the patterns change", () => {
    const at = (file: string, seconds: number) => utimesSync(file, seconds, seconds)
    writeFileSync(ignoreFile(), "a\n")
    writeFileSync(rcloneFile(), "- a\n- a/**\n")
    at(ignoreFile(), 1_000)
    at(rcloneFile(), 1_000)
    expect([areRulesFresh(placeOf()), refreshRcloneFilter(placeOf()).ok]).toEqual([true, true])
    expect(readFileSync(rcloneFile(), "utf8")).toBe("- a\n- a/**\n")
    at(ignoreFile(), 2_000)
    expect([areRulesFresh(placeOf()), refreshRcloneFilter(placeOf()).ok]).toEqual([false, true])
    expect(readFileSync(rcloneFile(), "utf8")).toBe(rcloneFilter("a\n"))
  })

  test("is trouble of the state where it cannot be written", () => {
    writeFileSync(ignoreFile(), "a\n")
    mkdirSync(rcloneFile())
    expect(areRulesFresh(placeOf())).toBe(false)
    expect(refreshRcloneFilter(placeOf())).toMatchObject({ ok: false, error: { code: "state_write_failed" } })
  })
})
