/** docs/guarantees.md names places, tests and mutants; all of them are there, and no mutant is left out. */

import { readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { expect, test } from "vitest"

const read = (path: string) => readFileSync(fileURLToPath(new URL(`../../${path}`, import.meta.url)), "utf8")
const TABLE = read("docs/guarantees.md")
const MUTANTS = read("test/mutants.mjs")

/** `src/a/b.ts` name, other: the names after a path are words of that file. */
const PLACES = [...TABLE.matchAll(/`(src\/[\w/.-]+\.ts)` ([\w#, ]+)/g)].flatMap(([, file = "", names = ""]) =>
  names.split(",").map((name) => [file, name.trim()] as const),
)
/** `test/a/b.ts` "title": the title stands there as it is written in that file. */
const TESTS = [...TABLE.matchAll(/`(test\/[\w/.-]+\.ts)` "([^"]+)"/g)].map(
  ([, file = "", title = ""]) => [file, title] as const,
)

test("the table names many places and tests", () => {
  expect(PLACES.length).toBeGreaterThan(60)
  expect(TESTS.length).toBeGreaterThan(60)
})

test.each(PLACES)("%s holds %s", (file, name) => {
  expect(read(file)).toMatch(new RegExp(`(^|\\W)${name.replace("#", "#")}(\\W|$)`))
})

test.each(TESTS)("%s says: %s", (file, title) => {
  expect(read(file)).toContain(title)
})

test("every mutant stands in the table, and no other", () => {
  const named = new Set([...TABLE.matchAll(/\bm\d+a?\b/g)].map(([id]) => id))
  const made = new Set([...MUTANTS.matchAll(/^ {4}id: "(\w+)"/gm)].map(([, id = ""]) => id))
  expect([...named].sort()).toEqual([...made].sort())
})
