/**
 * T0: the laws on every small case: one name with every shape and kind of unknown, two names with files and
 * directories, three names for renames, and conflict names that are taken.
 */

import { describe, expect, test } from "vitest"
import type { Unknown } from "../../src/model/entry.ts"
import type { ConflictResolve } from "../../src/model/settings.ts"
import { SIDES } from "../../src/model/side.ts"
import { mustKeepLaws } from "./laws.ts"
import { type FileAt, type Folder, fileAt, NOW_MS, UNREADABLE, unknownAt } from "./world.ts"

/** Contents by path; what is unknown stands beside them. */
interface Shape {
  readonly files: { readonly [path: string]: string }
  readonly unknowns?: readonly Unknown[]
}

const LATER = { tie: [0, 2000], local: [5000, 0], remote: [0, 5000] } as const
const RESOLVES: readonly ConflictResolve[] = ["none", "newer"]
const BOTH_CAN_MOVE = [true, false] as const
const HINTS = [false, true] as const

const counts: { [group: string]: number } = {}

describe("every law holds for", () => {
  test("one name, with every shape and every kind of unknown", () => {
    const known = ["", "a", "b", "c"].map(
      (content): Shape => ({ files: content === "" ? {} : { p: content } }),
    )
    const directories: readonly Shape[] = [
      { files: { "p/x": "a" } },
      { files: { "p/x": "b" } },
      { files: { "p/y": "a" } },
      { files: { "p/x": "a", "p/y": "c" } },
      { files: { "p/x/x": "a" } },
    ]
    const unknown: readonly Shape[] = [
      { files: {}, unknowns: [unknownAt("p", "subtree", "symlink")] },
      { files: { "p/x": "b" }, unknowns: [unknownAt("p", "subtree", "mount_changed")] },
      { files: { p: "b" }, unknowns: [unknownAt("p", "path", "unreadable")] },
      { files: {}, unknowns: [unknownAt("p", "path", "aside")] },
      { files: { "p/x": "a", "p/u": "hidden" }, unknowns: [unknownAt("p/u", "path", "unstable")] },
      { files: { "p/x": "b" }, unknowns: [unknownAt("p/u", "subtree", "symlink")] },
      { files: {}, unknowns: [unknownAt("p/x", "subtree", "symlink")] },
      { files: { [`p/${UNREADABLE}`]: "nameless" }, unknowns: [unknownAt("p", "absent_children")] },
      {
        files: { "p/x": "a", [`p/${UNREADABLE}`]: "nameless" },
        unknowns: [unknownAt("p", "absent_children")],
      },
      { files: { [`${UNREADABLE}/x`]: "a" }, unknowns: [unknownAt("", "absent_children")] },
      { files: { p: "a", [UNREADABLE]: "nameless" }, unknowns: [unknownAt("", "absent_children")] },
      { files: {}, unknowns: [unknownAt("")] },
    ]
    const beside: Shape = {
      files: { p: "a", "p/x": "b" },
      unknowns: [unknownAt("p", "path", "file_and_directory")],
    }
    const shapes = [...known, ...directories]
    const sides = [...shapes, ...unknown]
    tryAll("one name", { bases: shapes, locals: sides, remotes: [...sides, beside] })
  })

  test("two names, each of them nothing, a file or a directory", () => {
    const trees = product(shapesAt("p"), shapesAt("q"))
    tryAll("two names", { bases: trees, locals: trees, remotes: trees, laters: ["remote"] })
  })

  test("three names, for every way of renaming among them", () => {
    const trees = product(
      product(filesAt("p"), filesAt("q")).map(({ files }) => files),
      filesAt("r/p"),
    )
    tryAll("three names", { bases: trees, locals: trees, remotes: trees, laters: ["local"], hints: [false] })
  })

  test("a name and both of its conflict names", () => {
    const trees = product(
      product(filesAt("p"), filesAt("p.conflict1")).map(({ files }) => files),
      filesAt("p.conflict2"),
    )
    tryAll("conflict names", { bases: trees, locals: trees, remotes: trees, laters: ["tie"], moves: [true] })
  })

  test("all of them, which are many", () => {
    const total = Object.values(counts).reduce((sum, count) => sum + count, 0)
    console.log(`T0: ${total} combinations`, counts)
    expect(total).toBeGreaterThan(200_000)
  })
})

function shapesAt(name: string): readonly Shape["files"][] {
  return [
    {},
    { [name]: "a" },
    { [name]: "b" },
    { [`${name}/x`]: "a" },
    { [`${name}/x`]: "b", [`${name}/y`]: "a" },
  ]
}

function filesAt(name: string): readonly Shape["files"][] {
  return [{}, { [name]: "a" }, { [name]: "b" }]
}

function product(left: readonly Shape["files"][], right: readonly Shape["files"][]): readonly Shape[] {
  return left.flatMap((one) => right.map((other) => ({ files: { ...one, ...other } })))
}

function tryAll(
  group: string,
  all: {
    readonly bases: readonly Shape[]
    readonly locals: readonly Shape[]
    readonly remotes: readonly Shape[]
    readonly laters?: readonly (keyof typeof LATER)[]
    readonly hints?: readonly boolean[]
    readonly moves?: readonly boolean[]
  },
): void {
  let count = 0
  for (const base of all.bases) {
    const baseFolder = folderAt(base, new Map(), 0)
    for (const later of all.laters ?? (["tie", "local", "remote"] as const)) {
      const [localMs, remoteMs] = LATER[later]
      const locals = all.locals.map((shape) => ({ shape, folder: folderAt(shape, baseFolder, localMs) }))
      const remotes = all.remotes.map((shape) => ({ shape, folder: folderAt(shape, baseFolder, remoteMs) }))
      for (const local of locals) {
        for (const remote of remotes) {
          const unknowns = { local: local.shape.unknowns ?? [], remote: remote.shape.unknowns ?? [] }
          const world = { local: local.folder, remote: remote.folder, unknowns }
          for (const conflictResolve of RESOLVES) {
            for (const canMove of all.moves ?? BOTH_CAN_MOVE) {
              for (const isHint of all.hints ?? HINTS) {
                const isUncertain = SIDES.some((side) => unknowns[side].length > 0)
                const settings = {
                  conflictResolve,
                  skewUnknownMs: 0,
                  canMove: { local: canMove, remote: canMove },
                }
                mustKeepLaws({
                  base: baseFolder,
                  world,
                  settings,
                  isHint,
                  forgetsCovered: isUncertain && isHint,
                  isRepeat: !canMove,
                })
                count += 1
              }
            }
          }
        }
      }
    }
  }
  counts[group] = (counts[group] ?? 0) + count
}

/** What did not change keeps its time and id; what has the content of a name that is gone was renamed. */
function folderAt({ files }: Shape, base: Folder, laterMs: number): Folder {
  const folder: Folder = new Map()
  for (const [path, content] of Object.entries(files))
    folder.set(path, fileIn({ files }, { path, content, base, laterMs }))
  return folder
}

function fileIn(
  { files }: Shape,
  { path, content, base, laterMs }: { path: string; content: string; base: Folder; laterMs: number },
): FileAt {
  const same = base.get(path)
  if (same?.content === content) return same
  for (const [from, file] of base) if (file.content === content && files[from] === undefined) return file
  return fileAt(content, { mtimeMs: NOW_MS + laterMs, fileId: `${path} ${content}` })
}
