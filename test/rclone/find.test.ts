/** Which rclone is run: never one that lies where notes are synced, or that only the current directory makes one. */

import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from "node:fs"
import { writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join, relative } from "node:path"
import { afterEach, beforeEach, describe, expect, test } from "vitest"
import { findProgram, findRclone, parseVersion, programPaths, versionOf } from "../../src/rclone/find.ts"
import { describeEachRclone } from "./real-rclone.ts"

let root = ""
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "bm-find-"))
})
afterEach(() => rmSync(root, { recursive: true }))

const SAYS_NEW = "echo 'rclone v1.73.0'"

/** Makes an executable script below the root and answers its whole path. */
function script(name: string, text: string, mode = 0o755): string {
  const path = join(root, name)
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, `#!/bin/sh\n${text}\n`)
  chmodSync(path, mode)
  return path
}

function find(directories: readonly string[], forbidden: readonly string[] = []): string | undefined {
  const at = (name: string) => (name === "" ? "" : join(root, name))
  return findProgram("rclone", {
    platform: process.platform,
    directories: directories.map(at),
    forbidden: forbidden.map(at),
  })
}

describe("the version", () => {
  test.each([
    ["rclone v1.60.1-DEV\n- os/version: debian", "1.60.1", true, false],
    ["rclone v1.60.0", "1.60.0", false, false],
    ["rclone v1.59.2", "1.59.2", false, false],
    ["rclone v0.99.9", "0.99.9", false, false],
    ["rclone v1.71.0-beta.8523.abc", "1.71.0", true, false],
    ["rclone v1.71.9", "1.71.9", true, false],
    ["rclone v1.72.0", "1.72.0", true, true],
    ["rclone v1.72", "1.72.0", true, true],
    ["rclone v1.76.0-DEV", "1.76.0", true, true],
    ["rclone v1.100.0+dfsg", "1.100.0", true, true],
    ["rclone v2.0.0\r\n", "2.0.0", true, true],
  ])("%j is %s", (text, version, isSupported, isRecommended) => {
    expect(parseVersion(text)).toEqual({ text: version, isSupported, isRecommended })
  })

  test.each(["", "rclone", "1.76.0", "snap v2.63.0", "x\nrclone v1.76.0", "rclone v1", "rclone v1.76x"])(
    "%j is none",
    (text) => expect(parseVersion(text)).toBeUndefined(),
  )
})

describe("the places", () => {
  test.each([
    ["linux", ["/a", "", ".", "b", "/c d/"], ["/a/rclone", "/c d/rclone"]],
    [
      "win32",
      ["C:\\a", "", ".", "b", "\\c", "C:d", '"D:\\e f"', "\\\\host\\share"],
      ["C:\\a\\rclone.exe", "D:\\e f\\rclone.exe", "\\\\host\\share\\rclone.exe"],
    ],
  ] as const)("on %s are the whole directories of PATH, in order", (platform, directories, places) => {
    expect(programPaths("rclone", { platform, directories })).toEqual(places)
  })

  test("keep the ending of a file that has one", () => {
    expect(programPaths("scoop.cmd", { platform: "win32", directories: ["C:\\a"] })).toEqual([
      "C:\\a\\scoop.cmd",
    ])
  })
})

describe("the program", () => {
  test("is the first that can be run", () => {
    mkdirSync(join(root, "a/rclone"), { recursive: true })
    script("b/rclone", SAYS_NEW, 0o644)
    mkdirSync(join(root, "c"))
    symlinkSync("nowhere", join(root, "c/rclone"))
    const path = script("d/rclone", SAYS_NEW)
    script("e/rclone", SAYS_NEW)
    expect(find(["missing", "a", "b", "c", "d", "e"])).toBe(path)
    expect(find(["a", "b", "c"])).toBeUndefined()
  })

  test("is found by way of a link, under the link's name", () => {
    script("real/rclone-1.73", SAYS_NEW)
    mkdirSync(join(root, "bin"))
    symlinkSync("../real/rclone-1.73", join(root, "bin/rclone"))
    expect(find(["bin"])).toBe(join(root, "bin/rclone"))
  })

  test("is not looked for where the user stands", () => {
    const path = script("bin/rclone", SAYS_NEW)
    const fromHere = relative(process.cwd(), dirname(path))
    const at = { platform: process.platform, forbidden: [] }
    expect(findProgram("rclone", { ...at, directories: [dirname(path)] })).toBe(path)
    expect(findProgram("rclone", { ...at, directories: [fromHere, "", "."] })).toBeUndefined()
  })

  test.each<{ readonly rule: string; readonly forbidden: string; readonly directory: string }>([
    { rule: "directly in a forbidden directory", forbidden: "notes/bin", directory: "notes/bin" },
    { rule: "deeper in a forbidden directory", forbidden: "notes", directory: "notes/bin" },
    { rule: "in one that is reached by a link", forbidden: "notes", directory: "linked-bin" },
    { rule: "in one that is forbidden by way of a link", forbidden: "linked-notes", directory: "notes/bin" },
    { rule: "in one by another spelling", forbidden: "notes/../notes/", directory: "notes/./bin" },
    { rule: "outside, where the name leads into one", forbidden: "notes", directory: "leads-in" },
    { rule: "in one, where the name leads outside", forbidden: "notes", directory: "notes/leads-out" },
  ])("is passed over when it lies $rule", ({ forbidden, directory }) => {
    script("notes/bin/rclone", SAYS_NEW)
    const other = script("usr/rclone", SAYS_NEW)
    for (const name of ["leads-in", "notes/leads-out"]) mkdirSync(join(root, name))
    symlinkSync(join(root, "notes/bin"), join(root, "linked-bin"))
    symlinkSync(join(root, "notes"), join(root, "linked-notes"))
    symlinkSync("../notes/bin/rclone", join(root, "leads-in/rclone"))
    symlinkSync("../../usr/rclone", join(root, "notes/leads-out/rclone"))
    expect(find([directory])).toBeDefined()
    expect(find([directory], [forbidden])).toBeUndefined()
    expect(find([directory, "usr"], [forbidden])).toBe(other)
  })

  test("is taken from a directory whose name only begins like a forbidden one", () => {
    mkdirSync(join(root, "notes"))
    const path = script("notes-bin/rclone", SAYS_NEW)
    expect(find(["notes-bin"], ["notes", "not-there"])).toBe(path)
  })
})

describe("asked for its version", () => {
  const environment = { PATH: process.env["PATH"] }

  test("is given one argument, and of the environment only what it needs to start", async () => {
    const path = script(
      "a b;$(id)/rclone",
      'printf "%s|" "$@" >"$HOME/args"; pwd >"$HOME/cwd"; env >"$HOME/env"; echo rclone v1.73.0',
    )
    const secrets = { AWS_SECRET_ACCESS_KEY: "SECRET", RCLONE_CONFIG_PASS: "SECRET", RCLONE_CONFIG: "/x" }
    const asked = await versionOf(path, { environment: { ...environment, ...secrets, HOME: root } })
    expect(asked).toEqual({
      ok: true,
      value: { text: "1.73.0", isSupported: true, isRecommended: true },
    })
    expect(readFileSync(join(root, "args"), "utf8")).toBe("version|")
    expect(readFileSync(join(root, "cwd"), "utf8")).toBe("/\n")
    const seen = readFileSync(join(root, "env"), "utf8")
    expect(seen).toContain("RCLONE_CONFIG=notfound\n")
    expect(seen).not.toMatch(/SECRET|AWS_/)
  })

  test.each([
    ["echo 'SECRET' >&2; exit 3", "exit code 3"],
    ["echo hello", "no version"],
    ["kill -TERM $$", "killed"],
    ["while :; do echo 0123456789012345678901234567890123456789; done", "ERR_CHILD_PROCESS_STDIO_MAXBUFFER"],
  ])("and doing `%s` it is %s", async (text, why) => {
    const path = script("rclone", text)
    expect(await versionOf(path, { environment })).toEqual({ ok: false, error: why })
  })

  test("and silent, it is killed", async () => {
    const path = script("rclone", 'echo $$ >"$HOME/pid"; exec sleep 600')
    const asked = await versionOf(path, { environment: { ...environment, HOME: root }, timeMsMax: 500 })
    expect(asked).toEqual({ ok: false, error: "no answer in time" })
    const pid = Number(readFileSync(join(root, "pid"), "utf8"))
    expect(() => process.kill(pid, 0)).toThrow("ESRCH")
  })

  test("and not there, or no program at all, it is the system's word", async () => {
    expect(await versionOf(join(root, "none"), { environment })).toEqual({ ok: false, error: "ENOENT" })
    const path = join(root, "rclone")
    writeFileSync(path, "\x7fELF\0\0\0\0", { mode: 0o755 })
    expect((await versionOf(path, { environment })).ok).toBe(false)
    expect(await versionOf(join(path, "below"), { environment })).toEqual({ ok: false, error: "ENOTDIR" })
  })
})

describe("rclone", () => {
  const at = (directories: readonly string[]) => ({
    platform: process.platform,
    directories: directories.map((name) => join(root, name)),
    forbidden: [],
    environment: {},
  })

  test("is missing where PATH has none", async () => {
    expect(await findRclone(at(["none"]))).toEqual({ kind: "missing" })
  })

  test("is found, too old, or broken", async () => {
    const [good, old, bad] = [
      script("good/rclone", SAYS_NEW),
      script("old/rclone", "echo rclone v1.53.3-DEV"),
      script("bad/rclone", "exit 1"),
    ]
    expect(await findRclone(at(["good", "old"]))).toEqual({
      kind: "found",
      path: good,
      version: { text: "1.73.0", isSupported: true, isRecommended: true },
    })
    expect(await findRclone(at(["old", "good"]))).toEqual({
      kind: "too_old",
      path: old,
      version: { text: "1.53.3", isSupported: false, isRecommended: false },
    })
    expect(await findRclone(at(["bad"]))).toEqual({ kind: "broken", path: bad, why: "exit code 1" })
  })

  describeEachRclone(({ name, path }) => {
    test("says its version, and the question leaves nothing in the home", async () => {
      const asked = await versionOf(path, { environment: { HOME: root } })
      const text = name === "rclone" ? "1.76.0" : "1.60.1"
      expect(asked).toEqual({
        ok: true,
        value: { text, isSupported: true, isRecommended: name === "rclone" },
      })
      expect(readdirSync(root)).toEqual([])
    })
  })
})
