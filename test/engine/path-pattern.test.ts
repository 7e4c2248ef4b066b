import { expect, test } from "vitest"
import { pathPattern } from "../../src/engine/path-pattern.ts"

test.each<{ rule: string; pattern: string; yes?: readonly string[]; no?: readonly string[] }>([
  {
    rule: "a path means itself and what is below it",
    pattern: "a/b",
    yes: ["a/b", "a/b/c.md"],
    no: ["a/bc", "a", "x/a/b"],
  },
  { rule: "a path may end in a slash or begin with ./", pattern: "./a/", yes: ["a", "a/b"], no: ["ab"] },
  { rule: "* stays within a name", pattern: "a/*.md", yes: ["a/x.md", "a/.md"], no: ["a/b/x.md", "a/x.txt"] },
  {
    rule: "** crosses directories, also none",
    pattern: "a/**/x.md",
    yes: ["a/x.md", "a/b/c/x.md"],
    no: ["x.md", "a/yx.md"],
  },
  { rule: "** at the end means everything below", pattern: "a/**", yes: ["a/x", "a/b/c"], no: ["a", "ab/x"] },
  {
    rule: "? is one character, also a wide one",
    pattern: "?.md",
    yes: ["x.md", "😀.md"],
    no: ["xy.md", "/.md"],
  },
  {
    rule: "other signs are only themselves",
    pattern: "a+(b).m?",
    yes: ["a+(b).md"],
    no: ["aab.md", "a+(b)xmd"],
  },
  { rule: "a line break in a name is a character", pattern: "*.md", yes: ["a\nb.md"] },
  {
    rule: "a name that holds the sign is meant when it is written",
    pattern: "what?",
    yes: ["what?", "whats"],
    no: ["what"],
  },
])("$rule", ({ pattern, yes = [], no = [] }) => {
  const { matches, prefix } = pathPattern(pattern)
  expect(yes.filter((path) => !matches(path))).toEqual([])
  expect(no.filter(matches)).toEqual([])
  expect(yes.every((path) => path.startsWith(prefix))).toBe(true)
})
