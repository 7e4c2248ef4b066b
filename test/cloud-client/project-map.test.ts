/**
 * The map of directories and projects, as it is kept, read back and asked.
 */

import fc from "fast-check"
import { describe, expect, test } from "vitest"
import {
  EMPTY_PROJECT_MAP,
  findDirectory,
  formatProjectMap,
  parseProjectMap,
  prefixOf,
  type ProjectEntry,
  type ProjectMap,
  projectsOfPaths,
  withEntry,
} from "../../src/cloud/project-map.ts"
import { projectPermalinkOf } from "../../src/cloud/permalink.ts"
import { planProjects, projectDirectories } from "../../src/cloud/projects.ts"

function entry(directory: string, project = directory): ProjectEntry {
  const permalink = projectPermalinkOf(project)
  if (permalink === undefined) throw new Error(`${project} has no permalink`)
  return { directory, project, permalink, prefix: prefixOf(directory) }
}

const MAP: ProjectMap = [entry("My Notes"), entry("basic-memory", "main"), entry("v1.0")]

describe("the file", () => {
  test("names directory, project, permalink and where the files are", () => {
    expect(JSON.parse(formatProjectMap([entry("basic-memory", "main")]))).toEqual({
      schema: "bm.projects/1",
      projects: [{ directory: "basic-memory", project: "main", permalink: "main", prefix: "basic-memory/" }],
    })
  })

  test("reads back what was written, whatever the names", () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.string({ unit: "grapheme" })), (names) => {
        const entries = names.map((name) => ({ name, kind: "directory", isIgnored: false }) as const)
        const directories = projectDirectories(entries)
        const map = planProjects({ directories, map: [], cloud: [] }).register
        expect(parseProjectMap(formatProjectMap(map))).toEqual(map)
      }),
      { numRuns: 500 },
    )
  })

  const valid = { directory: "a", project: "a", permalink: "a", prefix: "a/" }
  test.each([
    "",
    "[]",
    "{}",
    { schema: "bm.projects/2", projects: [] },
    { schema: "bm.projects/1" },
    { schema: "bm.projects/1", projects: [{ ...valid, directory: "../a", prefix: "../a/" }] },
    { schema: "bm.projects/1", projects: [{ ...valid, directory: "..", prefix: "../" }] },
    { schema: "bm.projects/1", projects: [{ ...valid, prefix: "b/" }] },
    { schema: "bm.projects/1", projects: [{ ...valid, permalink: "a/b" }] },
    { schema: "bm.projects/1", projects: [{ ...valid, permalink: "" }] },
    { schema: "bm.projects/1", projects: [{ ...valid, project: "" }] },
    { schema: "bm.projects/1", projects: [valid, valid] },
    { schema: "bm.projects/1", projects: [valid, { ...valid, directory: "b", prefix: "b/" }] },
  ])("is not read in part: %j", (content) => {
    expect(parseProjectMap(typeof content === "string" ? content : JSON.stringify(content))).toBeUndefined()
  })
})

test("an entry takes the place of what had its directory or its permalink, in byte order", () => {
  const map = ["b", "\u{1f600}x", "\uff21中", "a"]
    .map((name) => entry(name))
    .reduce(withEntry, EMPTY_PROJECT_MAP)
  expect(map.map(({ directory }) => directory)).toEqual(["a", "b", "\uff21中", "\u{1f600}x"])
  expect(withEntry([entry("My Notes"), entry("x")], entry("my_notes"))).toEqual([
    entry("my_notes"),
    entry("x"),
  ])
  expect(withEntry([entry("a", "old")], entry("a", "new"))).toEqual([entry("a", "new")])
})

test("the projects of changed files are each named once, and files at the top belong to none", () => {
  const paths = [
    "My Notes/a.md",
    "My Notes/b/c.md",
    "README.md",
    "unknown/a.md",
    "v1.0",
    "v1.0x",
    "basic-memory/x",
  ]
  expect(projectsOfPaths(MAP, paths).map(({ project }) => project)).toEqual(["My Notes", "main"])
  expect(projectsOfPaths(MAP, [])).toEqual([])
})

test.each([
  ["a directory", "My Notes", "My Notes"],
  ["the project's name, which is another", "main", "basic-memory"],
  ["a permalink", "my-notes", "My Notes"],
  ["a name with that permalink", "MY_NOTES", "My Notes"],
  ["a directory that is no project of the cloud's", "!!!", "!!!"],
  ["a directory that the disk spells in another way", "é!", "e\u0301!"],
  ["a project whose directory is gone", "v1.0", undefined],
  ["nothing", "other", undefined],
  ["nothing, in signs", "???", undefined],
])("a user who names %s means it: %j", (_, text, directory) => {
  const directories = ["!!!", "My Notes", "basic-memory", "e\u0301!"]
  expect(findDirectory(text, { directories, map: MAP })).toBe(directory)
})
