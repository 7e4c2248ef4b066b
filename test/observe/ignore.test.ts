import { describe, expect, test } from "vitest"
import {
  compileIgnore,
  DEFAULT_BMIGNORE,
  type IgnoreRules,
  LINE_CHARS_MAX,
  PATTERNS_MAX,
  patternLines,
} from "../../src/observe/ignore.ts"

const rulesOf = (global: string, projects: Record<string, string> = {}): IgnoreRules =>
  compileIgnore({ global, projects: new Map(Object.entries(projects)) })

describe("global patterns", () => {
  interface Row {
    readonly rule: string
    readonly global: string
    readonly ignored?: readonly string[]
    readonly synced?: readonly string[]
  }
  test.each<Row>([
    {
      rule: "ignores a name at any depth",
      global: "foo",
      ignored: ["foo", "a/foo", "a/foo/b"],
      synced: ["foo2", "a/xfoo"],
    },
    { rule: "anchors a leading slash", global: "/foo", ignored: ["foo", "foo/a"], synced: ["a/foo"] },
    { rule: "anchors a middle slash", global: "a/foo", ignored: ["a/foo"], synced: ["b/a/foo"] },
    {
      rule: "takes a trailing slash for directories only",
      global: "foo/",
      ignored: ["foo/a"],
      synced: ["foo", "a/foo"],
    },
    {
      rule: "lets the last pattern win",
      global: "*.md\n!keep.md",
      ignored: ["a.md"],
      synced: ["keep.md", "x/keep.md"],
    },
    {
      rule: "cannot negate below an ignored directory",
      global: "build\n!build/keep.md",
      ignored: ["build/keep.md"],
    },
    { rule: "finds two stars at the root", global: "**/foo", ignored: ["foo", "a/b/foo"] },
    { rule: "lets two stars be no directory", global: "a/**/b", ignored: ["a/b", "a/x/y/b"], synced: ["b"] },
    { rule: "is case-sensitive", global: "README.md", ignored: ["README.md"], synced: ["readme.md"] },
    { rule: "takes braces literally", global: "{a,b}", ignored: ["{a,b}"], synced: ["a", "b"] },
    { rule: "skips a byte order mark", global: "\uFEFFfoo", ignored: ["foo"] },
    { rule: "reads CRLF lines", global: "foo\r\nbar\r\n", ignored: ["foo", "bar"], synced: ["foo\r"] },
    {
      rule: "skips comments and blank lines",
      global: "# foo\n\n   \n\\#bar",
      ignored: ["#bar"],
      synced: ["foo", " "],
    },
    {
      rule: "trims blanks unless escaped",
      global: "foo  \nbar\\ ",
      ignored: ["foo", "bar "],
      synced: ["bar"],
    },
    { rule: "matches nothing with a bare slash", global: "/\n!/\n//", synced: ["a", "a/b"] },
    {
      rule: "ignores names of Object.prototype only when they are named",
      global: "__proto__",
      ignored: ["__proto__/a"],
      synced: ["constructor", "toString/a"],
    },
    {
      rule: "answers for odd legal names",
      global: "foo",
      synced: ["...", "..a", "a/...", "-rf", "a\nb", "a\\b", "~", "\u{1f600}"],
    },
    {
      rule: "matches nothing with invalid patterns",
      global: "[a\n[z-\n\\\na[[:nope:]]\n(((\n!",
      synced: ["a", "(", "[a"],
    },
  ])("$rule", ({ global, ignored = [], synced = [] }) => {
    const rules = rulesOf(global)
    expect(ignored.filter((path) => !rules.ignoresFile(path))).toEqual([])
    expect(synced.filter((path) => rules.ignoresFile(path))).toEqual([])
  })

  test("tells a directory from a file of the same name", () => {
    const rules = rulesOf("foo/")
    expect(rules.ignoresDirectory("foo")).toBe(true)
    expect(rules.ignoresFile("foo")).toBe(false)
  })
})

describe("a project's patterns", () => {
  interface Row {
    readonly rule: string
    readonly global?: string
    readonly projects: Record<string, string>
    readonly ignored?: readonly string[]
    readonly synced?: readonly string[]
  }
  test.each<Row>([
    {
      rule: "hold in their directory only",
      projects: { p: "foo" },
      ignored: ["p/foo", "p/a/foo"],
      synced: ["foo", "q/foo"],
    },
    {
      rule: "are anchored at their directory",
      projects: { p: "/foo\na/b" },
      ignored: ["p/foo", "p/a/b"],
      synced: ["p/x/foo", "p/x/a/b", "a/b"],
    },
    {
      rule: "may negate a global one",
      global: "*.tmp",
      projects: { p: "!keep.tmp" },
      ignored: ["p/a.tmp", "keep.tmp"],
      synced: ["p/x/keep.tmp"],
    },
    {
      rule: "may negate a globally ignored directory with what is in it",
      global: "build",
      projects: { p: "!build" },
      ignored: ["build/a"],
      synced: ["p/build/a"],
    },
    {
      rule: "cannot reach into a globally ignored directory",
      global: "build",
      projects: { p: "!build/a" },
      ignored: ["p/build/a"],
    },
    {
      rule: "never ignore their own directory",
      projects: { p: "/\n//\np\n" },
      ignored: ["p/p"],
      synced: ["p/a", "p"],
    },
    {
      rule: "ignore everything below with a star",
      projects: { p: "*" },
      ignored: ["p/a", "p/a/b"],
      synced: ["p", "q/a"],
    },
    {
      rule: "ignore everything below with two stars",
      projects: { p: "**" },
      ignored: ["p/a", "p/a/b"],
      synced: ["p", "q/a"],
    },
    {
      rule: "take the name of the directory literally",
      projects: { "q*[a]?": "foo" },
      ignored: ["q*[a]?/foo"],
      synced: ["qx/foo", "qxab/foo"],
    },
    {
      rule: "hold in a directory with a line break in its name",
      projects: { "a\nb": "foo" },
      ignored: ["a\nb/foo"],
      synced: ["b/foo"],
    },
  ])("$rule", ({ global = "", projects, ignored = [], synced = [] }) => {
    const rules = rulesOf(global, projects)
    expect(ignored.filter((path) => !rules.ignoresFile(path))).toEqual([])
    expect(synced.filter((path) => rules.ignoresFile(path))).toEqual([])
  })

  test("hold in a directory called __proto__", () => {
    const rules = compileIgnore({ global: "", projects: new Map([["__proto__", "foo"]]) })
    expect(rules.ignoresFile("__proto__/foo")).toBe(true)
    expect(rules.ignoresFile("other/foo")).toBe(false)
  })
})

describe("digest", () => {
  test("does not depend on comments, endings or the order of projects", () => {
    const one = compileIgnore({
      global: "# x\na\r\nb\n",
      projects: new Map([
        ["p", "c"],
        ["q", "d"],
        ["r", "#"],
      ]),
    })
    const two = compileIgnore({
      global: "a\nb",
      projects: new Map([
        ["q", "d"],
        ["p", "c\n"],
      ]),
    })
    expect(one.digest).toBe(two.digest)
  })

  test.each([
    ["the order of patterns", rulesOf("a\n!b"), rulesOf("!b\na")],
    ["the project of a pattern", rulesOf("", { p: "a" }), rulesOf("", { q: "a" })],
    ["the place of a pattern", rulesOf("a"), rulesOf("", { p: "a" })],
  ])("depends on %s", (_, one, two) => {
    expect(one.digest).not.toBe(two.digest)
  })
})

describe("limits", () => {
  test.each([
    ["a line that is too long", `${"a".repeat(LINE_CHARS_MAX + 1)}\nfoo`, 1],
    ["patterns after too many", "foo\n".repeat(PATTERNS_MAX + 2), 2],
    ["a pattern that costs too much on a deep path", "**/a/**/a/**/a/**/b\nfoo", 1],
  ])("drop and count %s", (_, global, dropped) => {
    const rules = rulesOf(global)
    expect(rules.dropped).toBe(dropped)
    expect(rules.ignoresFile("foo")).toBe(true)
  })

  test("fold two stars that follow each other", () => {
    expect(patternLines("**/**/**/**/a\n!a/**/***/**/b\n**/**").patterns).toEqual(["**/a", "!a/**/b", "**"])
  })

  test.each(["*a*a*a*a*a*a*a*a*a*a*a*b", "a/**/a/**/b", "*/*/*/*/*/*/*/*/*/*/*/b", `${"?".repeat(400)}*b`])(
    "answer soon for %s",
    (pattern) => {
      const rules = rulesOf(pattern, { a: pattern })
      const startedMs = performance.now()
      rules.ignoresFile(`${"a/".repeat(500)}z`)
      rules.ignoresFile("a".repeat(1000))
      expect(performance.now() - startedMs).toBeLessThan(5_000)
    },
  )
})

test("ignores what the requirement document lists, by default", () => {
  const rules = rulesOf(DEFAULT_BMIGNORE)
  const names = [
    ".git/config",
    "p/.DS_Store",
    "p/node_modules/a",
    "a.tmp",
    ".env",
    "p/__pycache__/a",
    ".pytest_cache/a",
  ]
  const more = [".ruff_cache/a", ".vscode/a", ".idea/a", "memory.db", "memory.db-shm", "memory.db-wal"]
  expect([...names, ...more].filter((path) => !rules.ignoresFile(path))).toEqual([])
  expect(["notes/a.md", ".gitignore", "env", "tmp"].filter((path) => rules.ignoresFile(path))).toEqual([])
})

test("answers false without patterns", () => {
  const rules = rulesOf("# nothing\n", { p: "\n" })
  expect(rules.ignoresDirectory("p")).toBe(false)
  expect(rules.ignoresFile("p/a")).toBe(false)
})
