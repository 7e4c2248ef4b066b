/**
 * Which directory is which project, which are registered, and which are reported.
 */

import fc from "fast-check"
import { describe, expect, test } from "vitest"
import type { CloudProject } from "../../src/cloud/answers.ts"
import { EMPTY_PROJECT_MAP, type ProjectMap, withEntry } from "../../src/cloud/project-map.ts"
import {
  planProjects,
  type ProjectPlan,
  projectDirectories,
  type TopEntry,
} from "../../src/cloud/projects.ts"

describe("a project is a directory at the top", () => {
  const directory = (name: string): TopEntry => ({ name, kind: "directory", isIgnored: false })

  test("that is real, not ignored, and does not begin with a dot", () => {
    const entries: readonly TopEntry[] = [
      directory("notes"),
      directory(".obsidian"),
      { ...directory("node_modules"), isIgnored: true },
      { name: "README.md", kind: "other", isIgnored: false },
      directory("My Notes"),
      directory("__proto__"),
    ]
    expect(projectDirectories(entries)).toEqual(["My Notes", "__proto__", "notes"])
  })

  test.each(["git~1", "a\ud800", "a/b", "", "a\0"])(
    "and whose name %j is none that syncs otherwise",
    (name) => {
      expect(projectDirectories([directory(name)])).toEqual([])
    },
  )

  test("in the order of bytes", () => {
    const names = ["\u{1f600}", "\uff21", "b", "a"]
    expect(projectDirectories(names.map(directory))).toEqual(["a", "b", "\uff21", "\u{1f600}"])
  })
})

interface Row {
  readonly rule: string
  readonly directories: readonly string[]
  /** Of an earlier run. */
  readonly map?: ProjectMap
  readonly cloud?: readonly CloudProject[]
  /** Directory to project and permalink, after the plan. */
  readonly known?: Readonly<Record<string, readonly [string, string]>>
  /** Directory to project and path. */
  readonly register?: Readonly<Record<string, readonly [string, string]>>
  readonly problems?: Readonly<Record<string, string>>
}

const listed = (name: string, path = name): CloudProject => ({ name, path, isDefault: false })

/** What an earlier run made of these directories, with a cloud that had nothing. */
const earlier = (...directories: readonly string[]): ProjectMap =>
  planProjects({ directories, map: EMPTY_PROJECT_MAP, cloud: [] }).register.reduce(
    withEntry,
    EMPTY_PROJECT_MAP,
  )

describe("a plan", () => {
  test.each<Row>([
    {
      rule: "registers what nobody knows, under its own name and at its permalink",
      directories: ["My Notes", "v1.0", "日本語"],
      register: {
        "My Notes": ["My Notes", "my-notes"],
        "v1.0": ["v1.0", "v1"],
        日本語: ["日本語", "日本語"],
      },
    },
    {
      rule: "reports a name of which nothing is left",
      directories: ["!!!", "½", "سلام"],
      problems: { "!!!": "no_permalink", "½": "no_permalink", سلام: "no_permalink" },
    },
    {
      rule: "registers nothing that is in the map, also where the cloud does not list it",
      directories: ["My Notes"],
      map: earlier("My Notes"),
      known: { "My Notes": ["My Notes", "my-notes"] },
    },
    {
      rule: "recognises a project of the cloud by its name",
      directories: ["My Notes"],
      cloud: [listed("My Notes", "/app/data/my-notes")],
      known: { "My Notes": ["My Notes", "my-notes"] },
    },
    {
      rule: "recognises one by where its files are",
      directories: ["basic-memory"],
      cloud: [listed("main", "/app/data/basic-memory/")],
      known: { "basic-memory": ["main", "main"] },
    },
    {
      rule: "recognises a name that a disk took apart into letters and marks",
      directories: ["re\u0301sume\u0301"],
      cloud: [listed("résumé", "/app/data/resume")],
      known: { "re\u0301sume\u0301": ["résumé", "resume"] },
    },
    {
      rule: "sends a name as everybody else spells it, and keeps the directory as the disk does",
      directories: ["re\u0301sume\u0301"],
      register: { "re\u0301sume\u0301": ["résumé", "resume"] },
    },
    {
      rule: "does not mistake the end of a path for the whole of it",
      directories: ["notes"],
      cloud: [listed("Other", "/app/data/work/notes")],
      register: { notes: ["notes", "notes"] },
    },
    {
      rule: "reports a name that collides with another project of the cloud",
      directories: ["My Notes"],
      cloud: [listed("my-notes", "/app/data/my-notes")],
      problems: { "My Notes": "my-notes has my-notes" },
    },
    {
      rule: "reports a name that collides with the place of another project",
      directories: ["Basic Memory"],
      cloud: [listed("main", "/app/data/basic-memory")],
      problems: { "Basic Memory": "main has basic-memory" },
    },
    {
      rule: "registers, of two new names with one permalink, the one that is spelt so",
      directories: ["My Notes", "my-notes", "my_notes"],
      register: { "my-notes": ["my-notes", "my-notes"] },
      problems: { "My Notes": "my-notes has my-notes", my_notes: "my-notes has my-notes" },
    },
    {
      rule: "registers the first where none is spelt so",
      directories: ["my_notes", "My Notes"],
      register: { "My Notes": ["My Notes", "my-notes"] },
      problems: { my_notes: "My Notes has my-notes" },
    },
    {
      rule: "reports one that comes later and is spelt so",
      directories: ["My Notes", "my-notes"],
      map: earlier("My Notes"),
      cloud: [listed("My Notes", "/app/data/my-notes")],
      known: { "My Notes": ["My Notes", "my-notes"] },
      problems: { "my-notes": "My Notes has my-notes" },
    },
    {
      rule: "prefers the name to the place, and gives a project to one directory only",
      directories: ["basic-memory", "main"],
      cloud: [listed("main", "/app/data/basic-memory")],
      known: { main: ["main", "main"] },
      problems: { "basic-memory": "main has basic-memory" },
    },
    {
      rule: "follows a directory that was renamed to a name of the same permalink",
      directories: ["MyNotes"],
      map: earlier("My Notes"),
      cloud: [listed("My Notes", "/app/data/my-notes")],
      known: { MyNotes: ["My Notes", "my-notes"] },
    },
    {
      rule: "registers a renamed directory anew where the cloud has lost the project",
      directories: ["MyNotes"],
      map: earlier("My Notes"),
      known: { "My Notes": ["My Notes", "my-notes"] },
      register: { MyNotes: ["MyNotes", "my-notes"] },
    },
    {
      rule: "keeps what it knows of a directory that is gone",
      directories: [],
      map: earlier("gone"),
      cloud: [listed("gone")],
      known: { gone: ["gone", "gone"] },
    },
    {
      rule: "leaves alone what the cloud has and this device does not",
      directories: [],
      cloud: [listed("main"), listed("!!!", "/app/data/x")],
    },
    {
      rule: "does not adopt a project that nobody can ask for",
      directories: ["!!!"],
      cloud: [listed("!!!", "/app/data/x")],
      problems: { "!!!": "no_permalink" },
    },
  ])(
    "$rule",
    ({ directories, map = EMPTY_PROJECT_MAP, cloud = [], known = {}, register = {}, problems = {} }) => {
      const plan = planProjects({ directories, map, cloud })
      const entries = (from: ProjectMap) =>
        from.map(({ directory, project, permalink }) => [directory, [project, permalink]] as const)
      expect(Object.fromEntries(entries(plan.map))).toEqual(known)
      expect(Object.fromEntries(entries(plan.register))).toEqual(register)
      expect(Object.fromEntries(plan.problems.map((each) => [each.directory, problemText(each)]))).toEqual(
        problems,
      )
      for (const { directory, prefix } of [...plan.map, ...plan.register])
        expect(prefix).toBe(`${directory}/`)
    },
  )

  test("treats names that objects have by themselves as any other", () => {
    const directories = ["__proto__", "constructor"]
    const plan = planProjects({ directories, map: EMPTY_PROJECT_MAP, cloud: [listed("toString")] })
    expect(plan.register.map((each) => [each.directory, each.permalink])).toEqual([
      ["__proto__", "proto"],
      ["constructor", "constructor"],
    ])
    expect(planProjects({ directories, map: plan.register, cloud: [] })).toMatchObject({
      register: [],
      problems: [],
    })
  })

  test("says which directories are no project of the cloud's at the moment", () => {
    const cloud = [listed("here")]
    const plan = planProjects({
      directories: ["here", "lost", "new", "!!!"],
      map: earlier("here", "lost"),
      cloud,
    })
    expect(plan.notOnCloud).toEqual(["!!!", "lost", "new"])
  })
})

function problemText(problem: ProjectPlan["problems"][number]): string {
  return problem.why === "no_permalink" ? problem.why : `${problem.rival} has ${problem.permalink}`
}

/** Names that often meet in one permalink, and some that have none. */
const name = fc.oneof(
  fc.constantFrom(
    "a",
    "A",
    "a b",
    "a-b",
    "A_B",
    "aB",
    "a.b",
    "!!!",
    "½",
    "é",
    "e\u0301",
    "中文",
    "中文A",
    "a/",
    "سلام",
  ),
  fc.string({ unit: "grapheme", minLength: 1, maxLength: 4 }),
)
const directories = fc
  .uniqueArray(name)
  .map((names) =>
    projectDirectories(names.map((each) => ({ name: each, kind: "directory", isIgnored: false }))),
  )
const cloud = fc.uniqueArray(
  fc.record({
    name,
    path: fc.oneof(
      name,
      name.map((each) => `/app/data/${each}`),
    ),
    isDefault: fc.boolean(),
  }),
  { selector: (project) => project.name },
)
/** A map as it comes about: of what was here before, with a cloud that had something else. */
const map = fc
  .record({ directories, cloud })
  .map((facts) => afterAll(planProjects({ ...facts, map: EMPTY_PROJECT_MAP })).map)
const facts = fc.record({ directories, map, cloud })

/** Everything that was to be registered is. */
function afterAll(plan: ProjectPlan): {
  readonly map: ProjectMap
  readonly created: readonly CloudProject[]
} {
  return {
    map: plan.register.reduce(withEntry, plan.map),
    created: plan.register.map((entry) => listed(entry.project, `/app/data/${entry.permalink}`)),
  }
}

const RUNS = { numRuns: 500 }

describe("whatever is there", () => {
  test("every directory is known, registered or reported, and only one of these", () => {
    fc.assert(
      fc.property(facts, (given) => {
        const plan = planProjects(given)
        const known = plan.map
          .map((each) => each.directory)
          .filter((each) => given.directories.includes(each))
        const all = [...known, ...[...plan.register, ...plan.problems].map((each) => each.directory)]
        expect(all.sort()).toEqual([...given.directories].sort())
      }),
      RUNS,
    )
  })

  test("no directory and no permalink is in the map twice, before and after registering", () => {
    fc.assert(
      fc.property(facts, (given) => {
        const plan = planProjects(given)
        const here = plan.map.filter((each) => given.directories.includes(each.directory))
        for (const entries of [plan.map, [...here, ...plan.register], afterAll(plan).map]) {
          expect(new Set(entries.map((each) => each.directory)).size).toBe(entries.length)
          expect(new Set(entries.map((each) => each.permalink)).size).toBe(entries.length)
        }
      }),
      RUNS,
    )
  })

  test("once everything is registered, nothing is to be registered, and the rest is reported again", () => {
    fc.assert(
      fc.property(facts, (given) => {
        const plan = planProjects(given)
        const { map, created } = afterAll(plan)
        // Whatever the cloud says it has by then.
        for (const cloud of [given.cloud, []]) {
          const registered = planProjects({ ...given, map, cloud }).register.map((each) => each.directory)
          for (const { directory } of map) expect(registered).not.toContain(directory)
        }
        const again = planProjects({ ...given, map, cloud: [...given.cloud, ...created] })
        expect(again.register).toEqual([])
        expect(again.map).toEqual(map)
        expect(again.problems.map((each) => each.directory)).toEqual(
          plan.problems.map((each) => each.directory),
        )
      }),
      RUNS,
    )
  })

  test("what the cloud has under a directory's name is not created again", () => {
    fc.assert(
      fc.property(facts, (given) => {
        const names = new Set(given.cloud.map((each) => each.name.normalize("NFC")))
        for (const { project } of planProjects(given).register) expect(names).not.toContain(project)
      }),
      RUNS,
    )
  })

  test("a failed registration is tried again, and nothing else", () => {
    fc.assert(
      fc.property(facts, fc.array(fc.boolean(), { minLength: 10, maxLength: 10 }), (given, fates) => {
        const plan = planProjects(given)
        const made = plan.register.filter((_, index) => fates[index % fates.length])
        const map = made.reduce(withEntry, plan.map)
        const created = made.map((entry) => listed(entry.project, `/app/data/${entry.permalink}`))
        const again = planProjects({ ...given, map, cloud: [...given.cloud, ...created] })
        expect(again.register).toEqual(plan.register.filter((each) => !made.includes(each)))
      }),
      RUNS,
    )
  })

  test("the order in which directories are named says nothing", () => {
    fc.assert(
      fc.property(facts, (given) => {
        const backward = { ...given, directories: [...given.directories].reverse() }
        expect(planProjects(backward)).toEqual(planProjects(given))
      }),
      RUNS,
    )
  })
})
