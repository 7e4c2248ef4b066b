import { describe, expect, test } from "vitest"
import { type Diff, DIFF_BYTES_MAX, linesOnlyIn, unifiedDiff } from "../../src/history/diff.ts"

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
const diffOf = (from: Uint8Array, to: Uint8Array): Diff =>
  unifiedDiff({ path: "a.md", fromLabel: "old", toLabel: "new", from, to })
const textOf = (from: string, to: string): string => diffOf(bytes(from), bytes(to)).unified
const list = (word: string): Uint8Array =>
  bytes(Array.from({ length: 4_000 }, (_, n) => `${word} ${n}\n`).join(""))

describe("unifiedDiff", () => {
  test("names path, version and part in its headers and the heading above a hunk", () => {
    const head = "# Innovation\n\nOne\nTwo\n\n## Next\n\nThree\nFour\nFive\n"
    const diff = unifiedDiff({
      path: "ideas/innovation.md",
      fromLabel: "cloud 10:00 (mira-phone)  loser",
      toLabel: "here 10:05 (mira-laptop)  winner",
      from: bytes(`${head}- Ask Jo about pricing\n- Second prototype in April\n## Risks\n`),
      to: bytes(`${head}- Prototype is done\n`),
    })
    expect(diff).toEqual({
      binary: false,
      added: 1,
      removed: 3,
      unified: `--- ideas/innovation.md  cloud 10:00 (mira-phone)  loser
+++ ideas/innovation.md  here 10:05 (mira-laptop)  winner
@@ -8,6 +8,4 @@ ## Next
 Three
 Four
 Five
-- Ask Jo about pricing
-- Second prototype in April
-## Risks
+- Prototype is done
`,
    })
  })

  interface Row {
    readonly rule: string
    readonly from: string
    readonly to: string
    readonly hunks: string
  }
  test.each<Row>([
    { rule: "begins an empty range one line earlier", from: "", to: "a\n", hunks: "@@ -0,0 +1,1 @@\n+a\n" },
    { rule: "shows a removed file", from: "a\nb\n", to: "", hunks: "@@ -1,2 +0,0 @@\n-a\n-b\n" },
    {
      rule: "says which side has no last line break",
      from: "a",
      to: "a\n",
      hunks: "@@ -1,1 +1,1 @@\n-a\n\\ No newline at end of file\n+a\n",
    },
    {
      rule: "says that neither has a last line break",
      from: "a\nb",
      to: "a\nc",
      hunks: "@@ -1,2 +1,2 @@\n a\n-b\n\\ No newline at end of file\n+c\n\\ No newline at end of file\n",
    },
    {
      rule: "shows a change of line endings",
      from: "a\n",
      to: "a\r\n",
      hunks: "@@ -1,1 +1,1 @@\n-a\n+a\r\n",
    },
    { rule: "is empty where the texts are equal", from: "a\n", to: "a\n", hunks: "" },
  ])("$rule", ({ from, to, hunks }) => {
    expect(textOf(from, to)).toBe(hunks === "" ? "" : `--- a.md  old\n+++ a.md  new\n${hunks}`)
  })

  test("counts lines that look like headers", () => {
    const diff = diffOf(bytes("-- x\n"), bytes("++ y\n++ z\n"))
    expect({ added: diff.added, removed: diff.removed }).toEqual({ added: 2, removed: 1 })
  })

  test.each([
    ["NUL", new Uint8Array([97, 0])],
    ["bytes that are not UTF-8", new Uint8Array([0xff, 0xfe])],
    ["more than a mebibyte", new Uint8Array(DIFF_BYTES_MAX + 1).fill(97)],
  ])("answers binary for %s", (_, odd) => {
    const unified = "--- a.md  old\n+++ a.md  new\nBinary files differ\n"
    expect(diffOf(odd, bytes("a"))).toEqual({ binary: true, added: 0, removed: 0, unified })
    expect(diffOf(bytes("a"), odd).binary).toBe(true)
    expect(diffOf(odd, odd).unified).toBe("")
  })

  test("shows one replacement where too much differs to compare", () => {
    const diff = diffOf(list("old"), list("new"))
    expect({ added: diff.added, removed: diff.removed }).toEqual({ added: 4_000, removed: 4_000 })
    expect(diff.unified).toContain("\n@@ -1,4000 +1,4000 @@\n-old 0\n")
  })
})

describe("linesOnlyIn", () => {
  interface Row {
    readonly rule: string
    readonly a: string
    readonly b: string
    readonly only: readonly string[]
  }
  test.each<Row>([
    { rule: "lists lines in the order of the first text", a: "x\nb\ny\n", b: "b\n", only: ["x", "y"] },
    { rule: "does not list a line that was moved", a: "x\ny\n", b: "y\nx\n", only: [] },
    { rule: "lists what is there more often", a: "x\nx\n", b: "x\n", only: ["x"] },
    { rule: "does not list blank lines", a: "x\n\n \n", b: "x\n", only: [] },
    { rule: "does not see a change of endings", a: "x\r\ny", b: "x\ny\n", only: [] },
    { rule: "lists __proto__ like any line", a: "__proto__\n", b: "", only: ["__proto__"] },
  ])("$rule", ({ a, b, only }) => {
    expect(linesOnlyIn(bytes(a), bytes(b))).toEqual(only)
  })

  test("is absent for bytes that are not text", () => {
    expect(linesOnlyIn(new Uint8Array([0]), bytes("a"))).toBeUndefined()
  })
})
