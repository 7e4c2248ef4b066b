/**
 * Key pairs on disk are their owner's alone, and one that is not is not used.
 */

import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, beforeEach, expect, test } from "vitest"
import { readStoredCredentials, storeCredentials } from "../../src/s3/credentials.ts"

let directory = ""
let file = ""
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "bm-keys-"))
  file = join(directory, "state", "s3-credentials.json")
})
afterEach(() => rmSync(directory, { recursive: true }))

const A = { accessKeyId: "A", secretAccessKey: "SECRET-A" }
const B = { accessKeyId: "B", secretAccessKey: "SECRET-B", sessionToken: "T" }

test("nothing is kept before anything is stored", () => {
  expect(readStoredCredentials(file, "s3://a")).toEqual({ ok: true, value: undefined })
})

test("every remote has its own pair, and the last one stored is it", () => {
  storeCredentials(file, "s3://a", B)
  storeCredentials(file, "s3://b", B)
  storeCredentials(file, "s3://a", A)
  expect(readStoredCredentials(file, "s3://a")).toEqual({ ok: true, value: A })
  expect(readStoredCredentials(file, "s3://b")).toEqual({ ok: true, value: B })
  expect(readStoredCredentials(file, "s3://c")).toEqual({ ok: true, value: undefined })
})

test.each(["__proto__", "constructor"])("%s is a name like any other", (url) => {
  expect(readStoredCredentials(file, url)).toEqual({ ok: true, value: undefined })
  storeCredentials(file, url, A)
  expect(readStoredCredentials(file, url)).toEqual({ ok: true, value: A })
})

test("the file is its owner's alone, also where everybody may read what is made, and nothing is left beside it", () => {
  const before = process.umask
  expect(before()).toBeTypeOf("number")
  expect(storeCredentials(file, "s3://a", A)).toEqual({ ok: true, value: undefined })
  expect(storeCredentials(file, "s3://b", B)).toEqual({ ok: true, value: undefined })
  expect(statSync(file).mode & 0o777).toBe(0o600)
  expect(readdirSync(join(directory, "state"))).toEqual(["s3-credentials.json"])
})

test.each([0o640, 0o604, 0o620])("one with mode %o is neither read nor written", (mode) => {
  storeCredentials(file, "s3://a", A)
  chmodSync(file, mode)
  const refused = { ok: false, error: "others can read it; chmod 600 it" }
  expect(readStoredCredentials(file, "s3://a")).toEqual(refused)
  expect(storeCredentials(file, "s3://b", B)).toEqual(refused)
})

test.each([
  "",
  "{",
  "[]",
  "{}",
  '{"schema":"bm.s3-credentials/2","remotes":{}}',
  '{"schema":"bm.s3-credentials/1","remotes":{"s3://a":{"accessKeyId":"A"}}}',
])("one of another form is neither read nor written over: %j", (text) => {
  storeCredentials(file, "s3://a", A)
  writeFileSync(file, text)
  expect(readStoredCredentials(file, "s3://a")).toEqual({ ok: false, error: "its form is not known" })
  expect(storeCredentials(file, "s3://b", B)).toEqual({ ok: false, error: "its form is not known" })
  expect(readFileSync(file, "utf8")).toBe(text)
})

test("what the system refuses is its word", () => {
  writeFileSync(join(directory, "state"), "")
  expect(readStoredCredentials(file, "s3://a")).toEqual({ ok: false, error: "ENOTDIR" })
  expect(storeCredentials(file, "s3://a", A)).toEqual({ ok: false, error: "ENOTDIR" })
})
