/**
 * The house rules that a machine can hold: who may import whom, and how large a file or a function may be.
 *
 * docs/ARCHITECTURE.md has the same table in words.
 */

import { readdirSync, readFileSync, statSync } from "node:fs"
import { dirname, join, relative, resolve } from "node:path"
import { describe, expect, test } from "vitest"

const ROOT = resolve(import.meta.dirname, "..")
const SRC = join(ROOT, "src")
const FILE_LINES_MAX = 400
const FUNCTION_LINES_MAX = 70

interface Room {
  /** Other rooms. */
  readonly rooms: readonly string[]
  readonly packages: readonly string[]
  readonly node: boolean
  readonly isPure?: boolean
}

const ROOMS: Readonly<Record<string, Room>> = {
  model: { rooms: [], packages: [], node: false, isPure: true },
  fold: { rooms: ["model"], packages: [], node: false, isPure: true },
  reconcile: { rooms: ["model"], packages: [], node: false, isPure: true },
  plan: { rooms: ["model"], packages: [], node: false, isPure: true },
  disk: { rooms: ["model"], packages: [], node: true },
  observe: { rooms: ["model"], packages: ["ignore"], node: false },
  execute: { rooms: ["model"], packages: [], node: false },
  journal: { rooms: ["model"], packages: ["level"], node: true },
  history: { rooms: ["model"], packages: ["isomorphic-git", "node-diff3", "diff"], node: true },
  store: { rooms: ["model"], packages: [], node: true },
  s3: {
    rooms: ["model", "store"],
    packages: ["@aws-sdk/client-s3", "@aws-sdk/s3-request-presigner"],
    node: true,
  },
  rclone: { rooms: ["model", "store"], packages: [], node: true },
  cloud: { rooms: ["model"], packages: [], node: true },
  watch: { rooms: ["model"], packages: ["chokidar"], node: true },
  backend: { rooms: ["model", "disk", "store"], packages: [], node: true },
  engine: {
    rooms: [
      "model",
      "fold",
      "reconcile",
      "plan",
      "disk",
      "store",
      "s3",
      "rclone",
      "cloud",
      "watch",
      "observe",
      "execute",
      "journal",
      "history",
      "backend",
    ],
    packages: [],
    node: true,
  },
  cli: { rooms: ["index.ts"], packages: ["clipanion"], node: true },
}

const files = listFiles(SRC)

describe.each(Object.entries(ROOMS))("room %s", (name, room) => {
  test.each(files.filter((file) => roomOf(file) === name).map((file) => [relative(ROOT, file), file]))(
    "%s imports only what its room may",
    (_, file) => {
      expect(importsOf(file).flatMap((from) => complaint(file, name, room, from))).toEqual([])
    },
  )
})

test("every file lies in a room, and index.ts is the only one outside", () => {
  expect(files.filter((file) => !(roomOf(file) in ROOMS)).map((file) => relative(SRC, file))).toEqual([
    "index.ts",
  ])
})

test.each(files.map((file) => [relative(ROOT, file), file]))("%s is of a readable size", (_, file) => {
  const lines = readFileSync(file, "utf8").split("\n")
  expect(lines.length).toBeLessThanOrEqual(FILE_LINES_MAX)
  expect(longFunctions(lines)).toEqual([])
})

test.each(files.filter((file) => ROOMS[roomOf(file)]?.isPure).map((file) => [relative(ROOT, file), file]))(
  "%s is pure: no waiting, no clock, no chance",
  (name, file) => {
    const code = withoutComments(readFileSync(file, "utf8"))
    expect(code).not.toMatch(/\bDate\.now\(|\bnew Date\(\)|\bMath\.random\(|\bperformance\.|\bsetTimeout\(/)
    if (name !== "src/model/ports.ts") expect(code).not.toMatch(/\basync\b|\bawait\b|\bPromise</)
  },
)

test.each(files.map((file) => [relative(ROOT, file), file]))(
  "%s begins by saying what it owns",
  (_, file) => {
    expect(readFileSync(file, "utf8").replace(/^#!.*\n/, "")).toMatch(/^\/\*\*/)
  },
)

test("process is read in cli only", () => {
  const readers = files.filter((file) =>
    /\bprocess\.|from "node:process"/.test(withoutComments(readFileSync(file, "utf8"))),
  )
  expect(readers.filter((file) => roomOf(file) !== "cli").map((file) => relative(SRC, file))).toEqual([])
})

function complaint(file: string, name: string, room: Room, from: string): readonly string[] {
  if (from.startsWith("node:")) return room.node ? [] : [`${from} in a room without node`]
  if (!from.startsWith(".")) return room.packages.some((each) => from === each) ? [] : [`package ${from}`]
  const target = relative(SRC, resolve(dirname(file), from))
  if (target === "index.ts") return room.rooms.includes("index.ts") ? [] : ["the public surface"]
  const other = target.split("/")[0] ?? ""
  if (other === name || room.rooms.includes(other)) return []
  return [`room ${other}: ${target}`]
}

function importsOf(file: string): readonly string[] {
  const code = readFileSync(file, "utf8")
  const named = code.matchAll(/^(?:import|export)\b[^"';]*?from "([^"]+)"/gms)
  const dynamic = code.matchAll(/\bimport\("([^"]+)"\)/g)
  return [...named, ...dynamic].flatMap(([, from]) => from ?? [])
}

/** Top-level functions and methods by their indentation, which the formatter keeps. */
function longFunctions(lines: readonly string[]): readonly string[] {
  const long: string[] = []
  let start: { readonly line: number; readonly name: string; readonly end: string } | undefined
  lines.forEach((line, index) => {
    if (start === undefined) {
      const found =
        /^( {0,2})(?:export )?(?:override |private |protected |static )*(?:async )?(?:function\*? (\w+)|([\w#]+)\([^)]*\).*\{$)/.exec(
          line,
        )
      if (found !== null && !/^\s*(if|for|while|switch)\b/.test(line))
        start = { line: index, name: found[2] ?? found[3] ?? "", end: `${found[1]}}` }
    } else if (line === start.end) {
      if (index - start.line + 1 > FUNCTION_LINES_MAX)
        long.push(`${start.name}: ${index - start.line + 1} lines`)
      start = undefined
    }
  })
  return long
}

function withoutComments(code: string): string {
  return code.replace(/\/\*[\s\S]*?\*\//g, "").replace(/(^|\s)\/\/.*$/gm, "")
}

function roomOf(file: string): string {
  return relative(SRC, file).split("/")[0] ?? ""
}

function listFiles(directory: string): string[] {
  return readdirSync(directory)
    .map((name) => join(directory, name))
    .flatMap((path) => (statSync(path).isDirectory() ? listFiles(path) : path.endsWith(".ts") ? [path] : []))
}
