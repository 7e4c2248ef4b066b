/**
 * Real rclone loads every `.bmignore.rclone` that we write, and leaves out what we leave out.
 *
 * The patterns are random and the same for the same seed, which stands in each failure with the text that it made.
 * Where the header of the file says that rclone cannot follow (what a negation does to a directory and below one that
 * is excluded), the paths in question are not compared; `isComparable` says it exactly.
 */

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { afterAll, beforeAll, expect, test } from "vitest"
import { isReserved, parentOf } from "../../src/model/path.ts"
import { compileIgnore, DEFAULT_BMIGNORE, type IgnoreRules, patternLines } from "../../src/observe/ignore.ts"
import { rcloneFilter } from "../../src/observe/rclone-filter.ts"
import { describeEachRclone, type RealRclone } from "../rclone/real-rclone.ts"
import { type Prng, prngOf } from "../simulation/random.ts"

const SEEDS = Array.from({ length: 100 }, (_, at) => at + 1)
/** Each starts an rclone, on a machine that may be busy. */
const ALL_MS_MAX = 600_000

const NAMES = [
  "a",
  "b",
  "ab",
  "b.md",
  "a-b",
  "a b",
  "[a]",
  "{a,b}",
  "a*b",
  "a\\b",
  "]",
  "!a",
  "é",
  "Z9",
  "a+",
  "+",
  "-",
  "b ",
  "a\u0085",
]
const DIRECTORIES = ["", "d/", "d/e/", "d/e/d/", "d,e/", "D*/", ".x/", ".x/d/"]
const NEVER = [".git/config", ".GIT/config", "d/.git", "git~1", ".basic-memory/a", ".Basic-Memory/a"]
const TREE = [...DIRECTORIES.flatMap((directory) => NAMES.map((name) => directory + name)), ...NEVER].concat(
  "d/.basic-memory/a",
  "d/.gitignore",
)

let root = ""
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), "bm-filter-"))
  for (const path of TREE) {
    mkdirSync(dirname(join(root, "tree", path)), { recursive: true })
    writeFileSync(join(root, "tree", path), "")
  }
})
afterAll(() => rmSync(root, { recursive: true }))

interface Compared {
  readonly paths: number
  readonly excluded: number
  readonly differences: readonly string[]
}

describeEachRclone((rclone) => {
  test(
    "loads what random patterns become, and excludes what we exclude",
    () => {
      const all = SEEDS.map((seed) => compare(rclone, randomPatterns(seed), `seed ${seed}`))
      expect(all.flatMap(({ differences }) => differences)).toEqual([])
      // A generator that never matches, or that nothing can be compared with, would prove nothing.
      const sum = (of: (one: Compared) => number) => all.reduce((total, one) => total + of(one), 0)
      expect(sum(({ paths }) => paths)).toBeGreaterThan((TREE.length * SEEDS.length) / 2)
      expect(sum(({ excluded }) => excluded)).toBeGreaterThan((TREE.length * SEEDS.length) / 10)
    },
    ALL_MS_MAX,
  )

  test.each([
    { rule: "loads the default patterns", patterns: DEFAULT_BMIGNORE },
    { rule: "loads a negated pattern with a negated class", patterns: "*\n!/?/[!a]\n![!a]/**/[^b]*" },
    { rule: "loads a negated pattern with stars in a class", patterns: "*\n!/[#-**]b" },
    { rule: "finds a file whose name has an escaped star beside another", patterns: "d/**\n!a\\**" },
    { rule: "keeps a range from slashes", patterns: "d[+-9]a" },
    { rule: "keeps a named class from slashes", patterns: "d[[:punct:]]a" },
    { rule: "keeps a negated class from slashes", patterns: "d[!x]a" },
    { rule: "takes a sign that begins a class for itself", patterns: "[!-a]" },
    { rule: "knows a name that ends in what rclone trims", patterns: "a\u0085\nb\\ " },
    { rule: "never lists what is git's or ours", patterns: "!.git\n!.git/**\n!.basic-memory/\n!git~1\n!**" },
  ])("$rule", ({ patterns }) => {
    const { differences, paths } = compare(rclone, patterns, "these")
    expect(differences).toEqual([])
    expect(paths).toBeGreaterThan(0)
  })
})

function compare(rclone: RealRclone, patterns: string, label: string): Compared {
  const filter = rcloneFilter(patterns)
  const listed = list(rclone, filter)
  if (typeof listed === "string")
    return { paths: 0, excluded: 0, differences: [`${label}: ${listed}\n${filter}`] }
  const said = patternLines(patterns).patterns.filter(
    (one) => !rcloneFilter(one).includes("# cannot be said: "),
  )
  const rules = rulesOf(said)
  const negated = said.filter((one) => one.startsWith("!")).map((one) => rulesOf([withoutNegation(one)]))
  const paths = TREE.filter((path) => isReserved(path) || isComparable(path, rules, negated))
  const excluded = paths.filter((path) => isReserved(path) || rules.ignoresFile(path))
  const left = new Set(excluded)
  const differences = paths
    .filter((path) => listed.has(path) === left.has(path))
    .map(
      (path) => `${label}: rclone ${listed.has(path) ? "takes" : "leaves"} ${path}\n${patterns}\n${filter}`,
    )
  return { paths: paths.length, excluded: excluded.length, differences }
}

/** No negation is about a directory above the path, or about a path below a directory that is ignored. */
function isComparable(path: string, rules: IgnoreRules, negated: readonly IgnoreRules[]): boolean {
  const directory = parentOf(path)
  if (negated.some((one) => one.ignoresDirectory(directory))) return false
  return !rules.ignoresDirectory(directory) || !negated.some((one) => one.ignoresFile(path))
}

function withoutNegation(pattern: string): string {
  return pattern.slice(1).replace(/^[!#]/, "\\$&")
}

function rulesOf(patterns: readonly string[]): IgnoreRules {
  return compileIgnore({ global: patterns.join("\n"), projects: new Map() })
}

/** What rclone lists, or what it says where it refuses. */
function list(rclone: RealRclone, filter: string): ReadonlySet<string> | string {
  const file = join(root, `${rclone.name}.filter`)
  writeFileSync(file, filter)
  try {
    const listed = rclone.run(["lsf", "-R", "--files-only", "--filter-from", file, join(root, "tree")])
    return new Set(listed.split("\n").filter((path) => path !== ""))
  } catch (error) {
    return String(error)
  }
}

function randomPatterns(seed: number): string {
  const prng = prngOf(seed)
  return Array.from({ length: 1 + prng.below(6) }, () => randomPattern(prng)).join("\n")
}

function randomPattern(prng: Prng): string {
  const body = prng.chance(0.5) ? likePath(prng) : randomSegments(prng)
  return `${prng.chance(0.3) ? "!" : ""}${prng.chance(0.2) ? "/" : ""}${body}${prng.chance(0.2) ? "/" : ""}`
}

/** A path of the tree, or the end of one, with a few characters said in other ways. */
function likePath(prng: Prng): string {
  const path = prng.pick(TREE)
  const from = prng.chance(0.5) ? 0 : prng.below(path.length)
  return Array.from(path.slice(from), (char) => (prng.chance(0.25) ? sayOtherwise(char, prng) : char)).join(
    "",
  )
}

function sayOtherwise(char: string, prng: Prng): string {
  if (char === "/") return prng.pick(["/**/", "?", "[+-9]", "[!a]", "[^a-z]", "[[:punct:]]"])
  return prng.pick([
    "?",
    "*",
    "**",
    `\\${char}`,
    `[${char}]`,
    `[!${char}]`,
    `[\\${char}-z]`,
    `[!-${char}]`,
    randomClass(prng),
  ])
}

function randomSegments(prng: Prng): string {
  return Array.from({ length: 1 + prng.below(3) }, () =>
    prng.chance(0.2) ? "**" : prng.chance(0.3) ? prng.pick(["d", "e", "D*", "?"]) : randomSegment(prng),
  ).join("/")
}

function randomSegment(prng: Prng): string {
  const pieces = Array.from({ length: 1 + prng.below(3) }, () => {
    if (prng.chance(0.35)) return randomClass(prng)
    if (prng.chance(0.4)) return prng.pick(["*", "**", "***", "?", "*.md"])
    return prng.pick([
      "a",
      "b",
      "ab",
      "a-b",
      "é",
      "{a,b}",
      "{",
      "]",
      "[",
      "+",
      ".",
      "$",
      "\\*",
      "\\[",
      "\\\\",
      "\\]",
      "\\d",
      "\\ ",
      " ",
      "\u0085",
    ])
  })
  return pieces.join("")
}

function randomClass(prng: Prng): string {
  const members = Array.from({ length: 1 + prng.below(4) }, () =>
    prng.pick([
      "a",
      "b",
      "z",
      "é",
      "!",
      "^",
      "-",
      "*",
      "**",
      "]",
      "\\]",
      "\\-",
      "\\\\",
      "{",
      "}",
      ",",
      " ",
      "[",
      "a-c",
      "+-9",
      "*-z",
      "z-a",
      "[:alpha:]",
      "[:punct:]",
      "[:space:]",
      "[:foo:]",
      "😀",
      "\uFFFD",
    ]),
  )
  return `[${prng.pick(["", "", "!", "^"])}${members.join("")}]`
}
