/**
 * T1: the laws on random trees, edits, renames and unknown places, made from an agreed base.
 *
 * A case is a row of bytes that a small machine reads as a story, so fast-check shrinks it to a short one. A failure
 * prints its seed; `FC_SEED=… FC_PATH=…` replays it, `T1_RUNS` sets the number. Without them it is the same cases each
 * time; `SOAK=1` makes ten million that nobody has seen.
 */

import fc from "fast-check"
import { expect, test } from "vitest"
import { isBelow } from "../../src/model/path.ts"
import { type Side, SIDES } from "../../src/model/side.ts"
import { type Given, mustKeepLaws } from "./laws.ts"
import { clear, type Folder, fileAt, folderOf, NOW_MS, put, rename, UNREADABLE, unknownAt } from "./world.ts"
import type { Unknown } from "../../src/model/entry.ts"

const PATHS = [
  "a",
  "b",
  "c",
  "a/b",
  "a/c",
  "a/b/c",
  "a/b/d",
  "b/a",
  "b/c",
  "b/c/a",
  "z",
  "z/a",
  "a.conflict1",
  "a.conflict2",
  "a/b.conflict1",
  "a/b.conflict2",
  "b.conflict3",
  "B",
]
const DIRECTORIES = ["", "a", "a/b", "b", "b/c", "z"]
const CONTENTS = ["1", "2", "3", "four", "five", "sixsix"]
const LATER_MS = [0, 1000, 2000, 2001, -2001, 60_000]
const PATH_REASONS = ["unreadable", "unstable", "ignored", "file_and_directory"] as const

const BYTES_MAX = 72
const CHUNK = 20_000

const isSoak = process.env["SOAK"] === "1"
const runs = Number(process.env["T1_RUNS"] ?? (isSoak ? 10_000_000 : 100_000))
const replaySeed = process.env["FC_SEED"]
const replayPath = process.env["FC_PATH"]

test(
  "keeps every law on random trees and edits",
  async () => {
    const ownSeed = isSoak ? Date.now() % 0x7fffffff : 1
    const seed = replaySeed === undefined ? ownSeed : Number(replaySeed)
    let left = replayPath === undefined ? runs : 1
    for (let chunk = 0; left > 0; chunk++) {
      fc.assert(
        fc.property(story, (bytes) => {
          mustKeepLaws(tell(bytes))
        }),
        {
          seed: seed + chunk,
          numRuns: Math.min(CHUNK, left),
          ...(replayPath !== undefined && { path: replayPath }),
        },
      )
      left -= CHUNK
      // Lets the test runner breathe; nothing waits.
      await new Promise((resolve) => setImmediate(resolve))
    }
    expect(left).toBeLessThanOrEqual(0)
  },
  6 * 3_600_000,
)

const story = fc.uint8Array({ maxLength: BYTES_MAX, size: "max" }).map((bytes) => bytes)

/** Reads bytes as choices; a story that ends early goes on with zeros. */
class Dice {
  readonly #bytes: Uint8Array
  #at = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  below(count: number): number {
    const byte = this.#bytes[this.#at] ?? 0
    this.#at += 1
    return byte % count
  }

  one<T>(from: readonly T[]): T {
    const value = from[this.below(from.length)]
    if (value === undefined) throw new Error("nothing to choose from")
    return value
  }
}

function tell(bytes: Uint8Array): Given {
  const dice = new Dice(bytes)
  const options = dice.below(256)
  const story = dice.below(16)
  const base: Folder = new Map()
  for (let left = dice.below(9); left > 0; left--) {
    const path = dice.one(PATHS)
    put(base, path, fileAt(dice.one(CONTENTS), { fileId: `base ${path}` }))
  }
  const world = { local: new Map(base), remote: new Map(base) }
  for (const side of SIDES) for (let left = dice.below(6); left > 0; left--) edit(dice, world[side], side)
  const unknowns: { [S in Side]: Unknown[] } = { local: [], remote: [] }
  if (story >= 8) for (let left = story & 3; left >= 0; left--) hide(dice, world, unknowns)
  return {
    base,
    world: { ...world, unknowns },
    isHint: (options & 7) === 7,
    forgetsCovered: (options & 8) !== 0,
    isLazy: (options & 16) !== 0,
    settings: {
      conflictResolve: (options & 32) === 0 ? "none" : "newer",
      skewUnknownMs: story === 7 ? 10_000 : 0,
      canMove: { local: (options & 64) === 0, remote: (options & 128) === 0 },
    },
  }
}

function edit(dice: Dice, folder: Folder, side: Side): void {
  const verb = dice.below(8)
  const path = dice.one(PATHS)
  if (verb < 4) {
    const content = dice.one(CONTENTS)
    const mtimeMs = NOW_MS + dice.one(LATER_MS)
    put(folder, path, fileAt(content, { mtimeMs, fileId: `${side} ${path} ${content}` }))
  } else if (verb < 6) clear(folder, path)
  else rename(folder, path, dice.one(PATHS))
}

function hide(
  dice: Dice,
  world: { readonly [S in Side]: Folder },
  unknowns: { readonly [S in Side]: Unknown[] },
): void {
  const side = dice.one(SIDES)
  const folder = world[side]
  const kind = dice.below(8)
  if (kind < 3) {
    const path = dice.one([...PATHS, ""])
    if (path !== "") for (const at of folder.keys()) if (isBelow(path, at)) folder.delete(at)
    if (!unknowns[side].some((other) => isBelow(path, other.path) || isBelow(other.path, path)))
      unknowns[side].push(unknownAt(path, "subtree", "symlink"))
  } else if (kind < 6) {
    const path = dice.one(PATHS)
    const reason = side === "local" ? dice.one(PATH_REASONS.slice(0, 3)) : dice.one(PATH_REASONS)
    if (unknowns[side].some((other) => isBelow(other.path, path) || other.path === path)) return
    const isBoth = reason === "file_and_directory"
    if (isBoth && ![...folder.keys()].some((at) => isBelow(at, path))) return
    if (isBoth) for (const at of folder.keys()) if (isBelow(path, at)) return
    if (isBoth) folder.set(path, fileAt("beside"))
    else put(folder, path, folder.get(path) ?? fileAt("hidden"))
    unknowns[side].push(unknownAt(path, "path", reason))
  } else {
    const directory = dice.one(DIRECTORIES)
    const inside = [...folder.keys()].filter((at) => isBelow(at, directory))
    const name = dice.one(PATHS)
    if (directory !== "" && inside.length === 0) return
    if (unknowns[side].some(({ path }) => path === name || isBelow(path, name))) return
    // The name goes away for all who can only read UTF-8: a file, or a directory with all that is in it.
    rename(folder, name, `${directory === "" ? "" : `${directory}/`}${UNREADABLE}`)
    put(folder, `${directory === "" ? "" : `${directory}/`}${UNREADABLE}2`, fileAt("nameless"))
    unknowns[side].push(unknownAt(directory, "absent_children", "not_utf8"))
  }
}

test("tells the same story from the same bytes", () => {
  const bytes = Uint8Array.from({ length: 40 }, (_, i) => (i * 37) & 255)
  expect(tell(bytes)).toEqual(tell(bytes))
  expect(folderOf({ a: "1" }).get("a")?.content).toBe("1")
})
