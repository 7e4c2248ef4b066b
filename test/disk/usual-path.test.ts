/** Looking at names by the usual path of their directory, while somebody swaps the directory. */

import {
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, beforeEach, expect, test } from "vitest"
import { openRoot, withUsualPath } from "../../src/disk/contained-path.ts"

let root: string
let outside: string
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "bm-usual-"))
  outside = mkdtempSync(join(tmpdir(), "bm-outside-"))
  mkdirSync(join(root, "notes"))
  writeFileSync(join(root, "notes", "note.md"), "four")
  writeFileSync(join(outside, "note.md"), "of somebody else")
})
afterEach(() => {
  for (const directory of [root, outside]) rmSync(directory, { recursive: true, force: true })
})

test("looks by the usual path where nobody interferes", () => {
  const looks: string[] = []
  const size = withUsualPath(openRoot(root, "handles"), "notes", ({ usual }) => {
    looks.push(usual)
    return lstatSync(`${usual}/note.md`).size
  })
  expect(size).toBe(4)
  expect(looks).toEqual([join(openRoot(root, "handles").directory, "notes")])
})

test("looks again through the handle when the directory was swapped for a link meanwhile", () => {
  let looks = 0
  const seen = withUsualPath(openRoot(root, "handles"), "notes", ({ at, usual }) => {
    looks += 1
    if (looks === 1) {
      renameSync(join(root, "notes"), join(root, "moved"))
      symlinkSync(outside, join(root, "notes"))
    }
    return { names: readdirSync(at), size: lstatSync(`${usual}/note.md`).size }
  })
  expect(looks).toBe(2)
  expect(seen).toEqual({ names: ["note.md"], size: 4 })
})

test("has only one path where the system has no handles", () => {
  withUsualPath(openRoot(root, "paths"), "notes", ({ at, usual }) => expect(at).toBe(usual))
})
