import { describe, expect, test } from "vitest"
import { DEFAULT_BMIGNORE } from "../../src/observe/ignore.ts"
import { rcloneFilter } from "../../src/observe/rclone-filter.ts"

const linesOf = (patterns: string): readonly string[] =>
  rcloneFilter(patterns)
    .split("# From .bmignore:\n")
    .slice(1)
    .flatMap((rules) => rules.split("\n"))
    .filter((line) => line !== "")

interface Row {
  readonly rule: string
  readonly patterns: string
  readonly lines: readonly string[]
}

test.each<Row>([
  { rule: "says a name twice", patterns: "foo", lines: ["- foo", "- foo/**"] },
  { rule: "says a directory once", patterns: "foo/", lines: ["- foo/**"] },
  { rule: "keeps a leading slash", patterns: "/a", lines: ["- /a", "- /a/**"] },
  { rule: "anchors a middle slash", patterns: "a/b", lines: ["- /a/b", "- /a/b/**"] },
  {
    rule: "reverses the order and includes what is negated",
    patterns: "*.md\n!keep.md",
    lines: ["+ keep.md", "+ keep.md/**", "- *.md", "- *.md/**"],
  },
  {
    rule: "lets a glob float instead of two leading stars",
    patterns: "**/foo",
    lines: ["- foo", "- foo/**"],
  },
  { rule: "lets several segments float", patterns: "**/a/b", lines: ["- a/b", "- a/b/**"] },
  {
    rule: "says two stars in the middle in both ways",
    patterns: "a/**/b",
    lines: ["- /a/b", "- /a/b/**", "- /a/**/b", "- /a/**/b/**"],
  },
  { rule: "says everything below once", patterns: "a/**", lines: ["- /a/**"] },
  {
    rule: "keeps the files directly in a directory whose directories are ignored",
    patterns: "a/**/",
    lines: ["- /a/*/**"],
  },
  { rule: "says everything", patterns: "**", lines: ["- **"] },
  { rule: "says every directory", patterns: "**/", lines: ["- */**"] },
  { rule: "folds stars inside a name", patterns: "a**b***c", lines: ["- a*b*c", "- a*b*c/**"] },
  { rule: "escapes braces", patterns: "{a,b}", lines: ["- \\{a,b\\}", "- \\{a,b\\}/**"] },
  { rule: "keeps an escaped star", patterns: "a\\*", lines: ["- a[*]", "- a[*]/**"] },
  { rule: "keeps a star beside an escaped one", patterns: "a\\**", lines: ["- a[*]*", "- a[*]*/**"] },
  {
    rule: "drops an escape that rclone would take for a regular expression",
    patterns: "\\d\\#",
    lines: ["- d#", "- d#/**"],
  },
  { rule: "escapes a bracket without a partner", patterns: "a]", lines: ["- a\\]", "- a\\]/**"] },
  { rule: "keeps a class", patterns: "[a-c]?", lines: ["- [a-c]?", "- [a-c]?/**"] },
  { rule: "says a named class by its members", patterns: "[[:digit:]_]", lines: ["- [0-9_]", "- [0-9_]/**"] },
  {
    rule: "keeps a negated class from slashes, and a slash from where rclone looks for directories",
    patterns: "!/?/[!a]",
    lines: ["+ /?/[^\\x2fa]", "+ /?/[^\\x2fa]/**"],
  },
  { rule: "keeps a range from slashes", patterns: "[+-9]", lines: ["- [+-.0-9]", "- [+-.0-9]/**"] },
  {
    rule: "keeps a named class from slashes",
    patterns: "[[:graph:]]",
    lines: ["- [\\x21-.0-~]", "- [\\x21-.0-~]/**"],
  },
  {
    rule: "says stars in a class so that two are no path",
    patterns: "![#-**]b",
    lines: ["+ [#-\\x2a\\x2a]b", "+ [#-\\x2a\\x2a]b/**"],
  },
  {
    rule: "takes the first member for itself, also a bracket",
    patterns: "[]a]",
    lines: ["- [\\x5da]", "- [\\x5da]/**"],
  },
  {
    rule: "takes an escaped member for itself",
    patterns: "[a\\]\\-z]",
    lines: ["- [a\\x5d\\x2dz]", "- [a\\x5d\\x2dz]/**"],
  },
  {
    rule: "takes a sign that cannot be between two members for itself",
    patterns: "[!-a]",
    lines: ["- [^\\x2f\\x2da]", "- [^\\x2f\\x2da]/**"],
  },
  {
    rule: "leaves of a range that is none what it begins with",
    patterns: "[z-a]",
    lines: ["- [z]", "- [z]/**"],
  },
  { rule: "keeps an escaped blank at the end of a line", patterns: "a\\ ", lines: ["- a[ ]", "- a /**"] },
  {
    rule: "keeps what only rclone takes for a blank",
    patterns: "a\u0085",
    lines: ["- a[\u0085]", "- a\u0085/**"],
  },
  {
    rule: "comments on a class with a name that nobody knows",
    patterns: "[[:foo:]]",
    lines: ["# cannot be said: [[:foo:]]"],
  },
  {
    rule: "comments on a class of wide characters, which git takes for several",
    patterns: "[😀-\uFFFD]",
    lines: ["# cannot be said: [😀-\uFFFD]"],
  },
  { rule: "comments on a class without an end", patterns: "[a", lines: ["# cannot be said: [a"] },
  {
    rule: "skips comments, blank lines and a byte order mark",
    patterns: "\uFEFF# x\r\n\r\nfoo/\r\n",
    lines: ["- foo/**"],
  },
  { rule: "says nothing for nothing", patterns: "", lines: [] },
])("$rule", ({ patterns, lines }) => {
  expect(linesOf(patterns)).toEqual(lines)
})

describe("the file", () => {
  test("begins with what it cannot express", () => {
    const text = rcloneFilter(DEFAULT_BMIGNORE)
    expect(text).toMatch(/^# Written by bm/)
    for (const word of ["reversed", "middle anchors", "a/**/b", "{}", "two rules", "negation"])
      expect(text).toContain(word)
    expect(text).toContain("\n- .git\n- .git/**\n")
  })

  test("excludes what is never synced before any pattern, whatever the patterns say", () => {
    const text = rcloneFilter("!.git\n!.basic-memory/\n!**")
    const rules = text.split("\n").filter((line) => /^[-+]/.test(line))
    expect(rules.slice(0, 6)).toEqual([
      "- /.[Bb][Aa][Ss][Ii][Cc]-[Mm][Ee][Mm][Oo][Rr][Yy]",
      "- /.[Bb][Aa][Ss][Ii][Cc]-[Mm][Ee][Mm][Oo][Rr][Yy]/**",
      "- .[Gg][Ii][Tt]",
      "- .[Gg][Ii][Tt]/**",
      "- [Gg][Ii][Tt]~[0-9]",
      "- [Gg][Ii][Tt]~[0-9]/**",
    ])
    expect(rules.slice(6)).toEqual(["+ **", "+ .basic-memory/**", "+ .git", "+ .git/**"])
  })

  test("holds only lines that rclone reads", () => {
    const lines = rcloneFilter("a\n!b\n[\n#x\n;y\n!").split("\n")
    expect(lines.every((line) => line === "" || /^(?:# ?|[-+] \S)/.test(line))).toBe(true)
  })
})
