import { describe, expect, test } from "vitest"
import { DEFAULT_BMIGNORE } from "../../src/observe/ignore.ts"
import { rcloneFilter } from "../../src/observe/rclone-filter.ts"

const linesOf = (patterns: string): readonly string[] =>
  rcloneFilter(patterns)
    .split("\n")
    .filter((line) => line !== "" && !/^# (?! *cannot be said: )/.test(line))

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
  { rule: "keeps an escaped star", patterns: "a\\*", lines: ["- a\\*", "- a\\*/**"] },
  { rule: "keeps a star beside an escaped one", patterns: "a\\**", lines: ["- a\\**", "- a\\**/**"] },
  {
    rule: "drops an escape that rclone would take for a regular expression",
    patterns: "\\d\\#",
    lines: ["- d#", "- d#/**"],
  },
  { rule: "escapes a bracket without a partner", patterns: "a]", lines: ["- a\\]", "- a\\]/**"] },
  { rule: "keeps a class", patterns: "[a-c]?", lines: ["- [a-c]?", "- [a-c]?/**"] },
  { rule: "keeps a named class", patterns: "[[:digit:]_]", lines: ["- [[:digit:]_]", "- [[:digit:]_]/**"] },
  { rule: "says a negated class without slashes", patterns: "[!a]", lines: ["- [^/a]", "- [^/a]/**"] },
  { rule: "keeps an escaped blank at the end of a line", patterns: "a\\ ", lines: ["- a[ ]", "- a /**"] },
  {
    rule: "comments on a class that rclone cannot load",
    patterns: "[]a]",
    lines: ["# cannot be said: []a]"],
  },
  {
    rule: "comments on a range that rclone cannot load",
    patterns: "[z-a]",
    lines: ["# cannot be said: [z-a]"],
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

  test("holds only lines that rclone reads", () => {
    const lines = rcloneFilter("a\n!b\n[\n#x\n;y\n!").split("\n")
    expect(lines.every((line) => line === "" || /^(?:# ?|[-+] \S)/.test(line))).toBe(true)
  })
})
