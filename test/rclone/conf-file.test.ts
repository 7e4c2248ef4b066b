/** rclone.conf on disk is its owner's alone, whole or not replaced, and has nothing beside it. */

import {
  chmodSync,
  chownSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs"
import { execFileSync } from "node:child_process"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, beforeEach, describe, expect, test } from "vitest"
import { type Conf, putSection, removeSection } from "../../src/rclone/conf.ts"
import { changeConfFile, isOpenToOthers, readConfFile } from "../../src/rclone/conf-file.ts"
import { err, ok } from "../../src/model/result.ts"

let root = ""
let file = ""
beforeEach(() => {
  root = realpathSync(mkdtempSync(join(tmpdir(), "bm-conf-file-")))
  file = join(root, "config", "rclone.conf")
})
afterEach(() => rmSync(root, { recursive: true }))

const OURS = { name: "ours", entries: [{ key: "secret", value: "S" }] }
const OURS_TEXT = "[ours]\nsecret = S\n"
const put = (conf: Conf) => putSection(conf, OURS)
const modeOf = (path: string) => statSync(path).mode & 0o777

function have(text: string | Uint8Array, mode = 0o600): void {
  mkdirSync(join(root, "config"), { recursive: true, mode: 0o755 })
  writeFileSync(file, text)
  chmodSync(file, mode)
}

describe("a file that is not there", () => {
  test("reads as an empty one, and reading makes none", () => {
    const read = readConfFile(file)
    expect(read.ok && [read.value.path, read.value.conf.bytes.length, read.value.mode]).toEqual([
      file,
      0,
      undefined,
    ])
    expect(readdirSync(root)).toEqual([])
  })

  test("is made private, in directories that are private", () => {
    const deep = join(root, "a", "b", "rclone.conf")
    expect(changeConfFile(deep, put)).toEqual({ ok: true, value: { path: deep, isWritten: true } })
    expect(readFileSync(deep, "utf8")).toBe(OURS_TEXT)
    expect([deep, join(root, "a"), join(root, "a", "b")].map(modeOf)).toEqual([0o600, 0o700, 0o700])
    expect(readdirSync(join(root, "a", "b"))).toEqual(["rclone.conf"])
  })

  test("is not made for nothing", () => {
    expect(changeConfFile(file, (conf) => ok(removeSection(conf, "ours")))).toEqual({
      ok: true,
      value: { path: file, isWritten: false },
    })
    expect(readdirSync(root)).toEqual([])
  })
})

describe("a file that is there", () => {
  test("is replaced with nothing left beside it, in a directory that stays as it is", () => {
    const before = Buffer.concat([Buffer.from("[a]\r\nb = "), Buffer.of(0xff, 0xfe), Buffer.from("\r\n")])
    have(before)
    const { ino } = statSync(file)
    expect(changeConfFile(file, put)).toEqual({
      ok: true,
      value: { path: file, isWritten: true, modeBefore: 0o600 },
    })
    const after = Buffer.concat([before, Buffer.from(`\r\n${OURS_TEXT.replaceAll("\n", "\r\n")}`)])
    expect(readFileSync(file).equals(after)).toBe(true)
    expect(statSync(file).ino).not.toBe(ino)
    expect(modeOf(join(root, "config"))).toBe(0o755)
    expect(readdirSync(join(root, "config"))).toEqual(["rclone.conf"])
  })

  test("is not touched where it already is as it shall be", () => {
    have(OURS_TEXT)
    const { ino } = statSync(file)
    expect(changeConfFile(file, put)).toEqual({
      ok: true,
      value: { path: file, isWritten: false, modeBefore: 0o600 },
    })
    expect(statSync(file).ino).toBe(ino)
  })

  test.each([0o644, 0o640, 0o604, 0o620, 0o666])(
    "with mode %o is made private, and its mode is told",
    (mode) => {
      have(OURS_TEXT, mode)
      const read = readConfFile(file)
      expect(read.ok && read.value.mode).toBe(mode)
      expect(isOpenToOthers(mode)).toBe(true)
      expect(modeOf(file)).toBe(mode)
      expect(changeConfFile(file, put)).toEqual({
        ok: true,
        value: { path: file, isWritten: true, modeBefore: mode },
      })
      expect([modeOf(file), readFileSync(file, "utf8")]).toEqual([0o600, OURS_TEXT])
    },
  )

  test.each([0o600, 0o400, undefined])("with mode %o is nobody else's", (mode) => {
    expect(isOpenToOthers(mode)).toBe(false)
  })

  test.skipIf(process.getuid?.() !== 0)("stays its owner's when root writes it", () => {
    have("[a]\n")
    chownSync(file, 1234, 2345)
    expect(changeConfFile(file, put).ok).toBe(true)
    const { uid, gid } = statSync(file)
    expect([uid, gid, modeOf(file)]).toEqual([1234, 2345, 0o600])
  })
})

describe("a symbolic link", () => {
  test("stays, and what it leads to is replaced there", () => {
    mkdirSync(join(root, "config"))
    mkdirSync(join(root, "dotfiles"))
    const target = join(root, "dotfiles", "real.conf")
    writeFileSync(target, "[a]\n", { mode: 0o644 })
    symlinkSync("../dotfiles/middle", file)
    symlinkSync("real.conf", join(root, "dotfiles", "middle"))
    const changed = changeConfFile(file, put)
    expect(changed.ok && changed.value.path).toBe(target)
    expect(readlinkSync(file)).toBe("../dotfiles/middle")
    expect(lstatSync(target).isFile()).toBe(true)
    expect([readFileSync(file, "utf8"), modeOf(target)]).toEqual([`[a]\n\n${OURS_TEXT}`, 0o600])
    expect(readdirSync(join(root, "config"))).toEqual(["rclone.conf"])
    expect(readdirSync(join(root, "dotfiles"))).toEqual(["middle", "real.conf"])
  })

  test("to nothing yet has the file made where it leads", () => {
    mkdirSync(join(root, "config"))
    symlinkSync("../later/rclone.conf", file)
    const changed = changeConfFile(file, put)
    expect(changed.ok && changed.value.path).toBe(join(root, "later", "rclone.conf"))
    expect([readFileSync(file, "utf8"), modeOf(join(root, "later"))]).toEqual([OURS_TEXT, 0o700])
    expect(lstatSync(file).isSymbolicLink()).toBe(true)
  })

  test("is followed from where its directory really is", () => {
    mkdirSync(join(root, "x", "y"), { recursive: true })
    mkdirSync(join(root, "config"))
    symlinkSync("../beside.conf", join(root, "x", "y", "rclone.conf"))
    symlinkSync("x/y", join(root, "short"))
    const changed = changeConfFile(join(root, "short", "rclone.conf"), put)
    expect(changed.ok && changed.value.path).toBe(join(root, "x", "beside.conf"))
  })

  test("to itself is the system's word", () => {
    mkdirSync(join(root, "config"))
    symlinkSync("rclone.conf", file)
    expect(changeConfFile(file, put)).toEqual({ ok: false, error: { kind: "system", errno: "ELOOP" } })
  })
})

describe("refused, and left as it is, is", () => {
  test.each([
    { rule: "an encrypted file", text: "RCLONE_ENCRYPT_V0:\nAAAA\n", error: { kind: "encrypted" } },
    { rule: "one that rclone cannot read", text: "[a]\nb\n", error: { kind: "malformed", line: 2 } },
    {
      rule: "one that is no configuration by its size",
      text: "#".repeat(4 * 1024 * 1024 + 1),
      error: { kind: "too_large", sizeBytes: 4 * 1024 * 1024 + 1 },
    },
  ])("$rule", ({ text, error }) => {
    have(text, 0o644)
    expect(readConfFile(file)).toEqual({ ok: false, error })
    expect(changeConfFile(file, put)).toEqual({ ok: false, error })
    expect([readFileSync(file, "utf8"), modeOf(file)]).toEqual([text, 0o644])
    expect(readdirSync(join(root, "config"))).toEqual(["rclone.conf"])
  })

  test("a directory", () => {
    mkdirSync(file, { recursive: true })
    expect(changeConfFile(file, put)).toEqual({ ok: false, error: { kind: "not_a_file" } })
  })

  test("a pipe, without waiting for somebody to write", () => {
    mkdirSync(join(root, "config"))
    execFileSync("mkfifo", [file])
    expect(changeConfFile(file, put)).toEqual({ ok: false, error: { kind: "not_a_file" } })
  })

  test("any file, where the change is refused", () => {
    have("[a]\n")
    expect(changeConfFile(file, () => err("no"))).toEqual({ ok: false, error: "no" })
    expect(readFileSync(file, "utf8")).toBe("[a]\n")
  })

  test("a place below a file, in the system's word", () => {
    writeFileSync(join(root, "config"), "")
    expect(changeConfFile(file, put)).toEqual({ ok: false, error: { kind: "system", errno: "ENOTDIR" } })
  })

  test("a name that leaves no room for another beside it", () => {
    const long = join(root, "n".repeat(250))
    writeFileSync(long, "[a]\n")
    expect(changeConfFile(long, put)).toEqual({ ok: false, error: { kind: "system", errno: "ENAMETOOLONG" } })
    expect([readFileSync(long, "utf8"), readdirSync(root).length]).toEqual(["[a]\n", 1])
  })
})

describe("somebody else who writes it", () => {
  test("between reading and replacing loses nothing", () => {
    have("[a]\ntoken = old\n")
    let reads = 0
    const changed = changeConfFile(file, (conf) => {
      reads++
      if (reads === 1) writeFileSync(file, "[a]\ntoken = new\n")
      return put(conf)
    })
    expect([changed.ok, reads]).toEqual([true, 2])
    expect(readFileSync(file, "utf8")).toBe(`[a]\ntoken = new\n\n${OURS_TEXT}`)
    expect(readdirSync(join(root, "config"))).toEqual(["rclone.conf"])
  })

  test("to make it first loses nothing", () => {
    let reads = 0
    const changed = changeConfFile(file, (conf) => {
      reads++
      if (reads === 1) have("[a]\n")
      return put(conf)
    })
    expect([changed.ok, readFileSync(file, "utf8")]).toEqual([true, `[a]\n\n${OURS_TEXT}`])
  })

  test("without an end is waited out a few times only, and nothing is left", () => {
    have("")
    let reads = 0
    const changed = changeConfFile(file, (conf) => {
      reads++
      writeFileSync(file, `[a]\ncount = ${reads}\n`)
      return put(conf)
    })
    expect(changed).toEqual({ ok: false, error: { kind: "changing" } })
    expect(readFileSync(file, "utf8")).toBe(`[a]\ncount = ${reads}\n`)
    expect(readdirSync(join(root, "config"))).toEqual(["rclone.conf"])
  })
})

test("what a kill left beside it is removed once it is old, and nothing of another's", () => {
  have("[a]\n")
  const [old, young, foreign] = [
    ".rclone.conf.bm-000000000000",
    ".rclone.conf.bm-ffffffffffff",
    "rclone.conf123",
  ]
  const beside = (name = "") => join(root, "config", name)
  for (const name of [old, young, foreign]) writeFileSync(beside(name), "SECRET")
  for (const name of [old, foreign]) utimesSync(beside(name), 1_000_000_000, 1_000_000_000)
  expect(changeConfFile(file, put).ok).toBe(true)
  expect(readdirSync(join(root, "config")).sort()).toEqual([young, "rclone.conf", foreign])
})
