/**
 * Tokens on disk are their owner's alone from the moment the file is there, and what is not theirs alone is not used.
 */

import { spawnSync } from "node:child_process"
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { afterEach, beforeEach, describe, expect, test } from "vitest"
import { readTokens, removeTokens, tokenFile, type Tokens, writeTokens } from "../../src/cloud/token-file.ts"
import { bundle } from "./bundle.ts"

let directory = ""
let file = ""
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "bm-tokens-"))
  file = tokenFile(join(directory, "state"))
})
afterEach(() => rmSync(directory, { recursive: true }))

const TOKENS: Tokens = { accessToken: "access-1", refreshToken: "refresh-1", expiresAtS: 1_700_000_000 }
const failed = (word: unknown) => ({ ok: false, error: { kind: "token_file", file, word } })

describe("the file", () => {
  test("has the form that other clients share", () => {
    expect(writeTokens(file, TOKENS)).toEqual({ ok: true, value: undefined })
    expect(file.endsWith("basic-memory-cloud.json")).toBe(true)
    expect(JSON.parse(readFileSync(file, "utf8"))).toEqual({
      access_token: "access-1",
      refresh_token: "refresh-1",
      expires_at: 1_700_000_000,
      token_type: "Bearer",
    })
    expect(readTokens(file)).toEqual({ ok: true, value: TOKENS })
  })

  test("is replaced by what is written next, and nothing is left beside it", () => {
    writeTokens(file, TOKENS)
    const next = { accessToken: "access-2", expiresAtS: 1 }
    expect(writeTokens(file, next).ok).toBe(true)
    expect(readTokens(file)).toEqual({ ok: true, value: next })
    expect(readdirSync(dirname(file))).toEqual(["basic-memory-cloud.json"])
  })

  test("is not there before a login, nor after a logout", () => {
    expect(readTokens(file)).toEqual({ ok: true, value: undefined })
    expect(removeTokens(file)).toEqual({ ok: true, value: false })
    writeTokens(file, TOKENS)
    expect(removeTokens(file)).toEqual({ ok: true, value: true })
    expect(readTokens(file)).toEqual({ ok: true, value: undefined })
    expect(readdirSync(dirname(file))).toEqual([])
  })

  test("of another client may have no refresh token, or fields that we do not know", () => {
    write('{"access_token":"a","refresh_token":null,"expires_at":5,"token_type":"Bearer","scope":"x"}')
    expect(readTokens(file)).toEqual({ ok: true, value: { accessToken: "a", expiresAtS: 5 } })
  })

  test.each([
    "",
    "{",
    "[]",
    "null",
    "{}",
    '{"access_token":"a"}',
    '{"access_token":"","expires_at":5}',
    '{"access_token":"a b","expires_at":5}',
    '{"access_token":"a\\r\\nx: y","expires_at":5}',
    '{"access_token":7,"expires_at":5}',
    '{"access_token":"a","expires_at":"5"}',
    '{"access_token":"a","expires_at":-1}',
    '{"access_token":"a","expires_at":1e300}',
  ])("of another form is not used, and can be logged out of: %j", (text) => {
    write(text)
    expect(readTokens(file)).toEqual(failed("its form is not known"))
    expect(removeTokens(file)).toEqual({ ok: true, value: true })
  })

  test.each([0o640, 0o604, 0o620])("that others can reach, with mode %o, is not used", (mode) => {
    writeTokens(file, TOKENS)
    chmodSync(file, mode)
    expect(readTokens(file)).toEqual(failed("others can read it; chmod 600 it"))
    // A new login makes it private.
    expect(writeTokens(file, TOKENS).ok).toBe(true)
    expect(statSync(file).mode & 0o777).toBe(0o600)
  })

  test("that the system refuses is the system's word", () => {
    writeFileSync(join(directory, "state"), "")
    expect(readTokens(file)).toEqual(failed("ENOTDIR"))
    expect(writeTokens(file, TOKENS)).toEqual(failed(expect.stringMatching(/^(ENOTDIR|EEXIST)$/)))
    rmSync(join(directory, "state"))
    mkdirSync(file, { recursive: true, mode: 0o700 })
    expect(readTokens(file)).toEqual(failed("EISDIR"))
    expect(writeTokens(file, TOKENS)).toEqual(failed("EISDIR"))
    expect(readdirSync(dirname(file))).toEqual(["basic-memory-cloud.json"])
  })
})

test("no file is there with another mode, not for a moment and not where the umask takes nothing away", async () => {
  const module = await bundle({ entry: "src/cloud/token-file.ts", directory })
  const script = join(directory, "watched.mjs")
  writeFileSync(script, WATCHED)
  const child = spawnSync(process.execPath, [script, module, file], { encoding: "utf8" })
  expect(child.stderr).toBe("")
  const seen: unknown = JSON.parse(child.stdout)
  const temporary = { flags: "wx", asked: "600", was: "600" }
  expect(seen).toEqual({
    results: [true, true],
    opened: [temporary, temporary],
    made: [{ asked: "700" }],
    other: [],
    file: "600",
    directory: "700",
  })
})

/** Every door of `node:fs` through which a file could come to be, with the mode it has as soon as it does. */
const WATCHED = `
import fs from "node:fs"
import { syncBuiltinESMExports } from "node:module"
import { dirname } from "node:path"
const [, , module, file] = process.argv
process.umask(0)
const opened = [], made = [], other = []
const bits = (stat) => (stat.mode & 0o777).toString(8)
const real = { ...fs }
fs.openSync = (path, flags, mode) => {
  const fd = real.openSync(path, flags, mode)
  // Node opens its modules by the same door.
  if (String(path).startsWith(dirname(file))) opened.push({ flags, asked: mode?.toString(8), was: bits(real.fstatSync(fd)) })
  return fd
}
fs.mkdirSync = (path, options) => {
  const first = real.mkdirSync(path, options)
  if (first !== undefined) made.push({ asked: options?.mode?.toString(8) })
  return first
}
for (const name of ["open", "writeFile", "appendFile", "createWriteStream", "copyFile", "copyFileSync", "appendFileSync",
  "chmodSync", "fchmodSync", "chmod", "linkSync", "symlinkSync", "cpSync"])
  fs[name] = (...args) => { other.push(name); return real[name](...args) }
fs.writeFileSync = (target, ...args) => {
  if (typeof target !== "number") other.push("writeFileSync")
  return real.writeFileSync(target, ...args)
}
syncBuiltinESMExports()
const { writeTokens } = await import(module)
const results = ["a", "b"].map((accessToken) => writeTokens(file, { accessToken, expiresAtS: 1 }).ok)
const [fileMode, directoryMode] = [file, dirname(file)].map((path) => bits(real.statSync(path)))
real.writeSync(1, JSON.stringify({ results, opened, made, other, file: fileMode, directory: directoryMode }))
`

function write(text: string): void {
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, text, { mode: 0o600 })
}
