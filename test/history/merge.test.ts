import fc from "fast-check"
import { describe, expect, test } from "vitest"
import { decodeText, type Merge, mergeText, splitLines } from "../../src/history/merge.ts"

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
const merge = (base: string, ours: string, theirs: string): Merge =>
  mergeText({ base: bytes(base), ours: bytes(ours), theirs: bytes(theirs) })

/** The merged text, or the kind of answer where there is none. */
const outcome = (merged: Merge): string =>
  merged.kind === "clean" ? (decodeText(merged.bytes) ?? "?") : merged.kind

const note = (front: string, body = "Text\n"): string => `---\n${front}---\n${body}`

/** Ten lines, each with a line of its own before it where its number is in `at`. */
const insert = (at: readonly number[], word: string): string =>
  Array.from({ length: 10 }, (_, n) => `${at.includes(n) ? `${word} ${n}\n` : ""}line ${n}\n`).join("")

interface Row {
  readonly rule: string
  readonly base: string
  readonly ours: string
  readonly theirs: string
  readonly merged: string
}

describe("lines", () => {
  const abc = "a\nb\nc\nd\ne\n"
  test.each<Row>([
    {
      rule: "joins edits in different places",
      base: abc,
      ours: "A\nb\nc\nd\ne\n",
      theirs: "a\nb\nc\nd\nE\n",
      merged: "A\nb\nc\nd\nE\n",
    },
    {
      rule: "joins an insertion and a deletion",
      base: abc,
      ours: "a\nx\nb\nc\nd\ne\n",
      theirs: "a\nb\nc\ne\n",
      merged: "a\nx\nb\nc\ne\n",
    },
    {
      rule: "takes an edit once that both made",
      base: abc,
      ours: "A\nb\nc\nd\nE\n",
      theirs: "A\nb\nc\nd\ne\n",
      merged: "A\nb\nc\nd\nE\n",
    },
    {
      rule: "asks where both changed one line",
      base: abc,
      ours: "A\nb\nc\nd\ne\n",
      theirs: "X\nb\nc\nd\ne\n",
      merged: "overlap",
    },
    {
      rule: "asks where changes touch",
      base: abc,
      ours: "A\nb\nc\nd\ne\n",
      theirs: "a\nB\nc\nd\ne\n",
      merged: "overlap",
    },
    {
      rule: "asks where both insert at one place",
      base: abc,
      ours: `${abc}f\n`,
      theirs: `${abc}g\n`,
      merged: "overlap",
    },
    {
      rule: "asks where one deletes what the other edits",
      base: abc,
      ours: "a\nb\nd\ne\n",
      theirs: "a\nb\nC\nd\ne\n",
      merged: "overlap",
    },
    {
      rule: "keeps CRLF",
      base: "a\r\nb\r\nc\r\n",
      ours: "A\r\nb\r\nc\r\n",
      theirs: "a\r\nb\r\nC\r\n",
      merged: "A\r\nb\r\nC\r\n",
    },
    {
      rule: "keeps mixed endings",
      base: "a\r\nb\nc\n",
      ours: "a\nb\nc\n",
      theirs: "a\r\nb\nC\r\n",
      merged: "a\nb\nC\r\n",
    },
    {
      rule: "keeps a missing last line break",
      base: "a\nb\nc",
      ours: "A\nb\nc",
      theirs: "a\nb\nC",
      merged: "A\nb\nC",
    },
    {
      rule: "takes a removed last line break",
      base: "a\nb\nc\n",
      ours: "A\nb\nc\n",
      theirs: "a\nb\nc",
      merged: "A\nb\nc",
    },
    {
      rule: "keeps a byte order mark",
      base: "\uFEFFa\nb\nc\n",
      ours: "\uFEFFa\nb\nC\n",
      theirs: "\uFEFFA\nb\nc\n",
      merged: "\uFEFFA\nb\nC\n",
    },
    {
      rule: "merges lines named like properties",
      base: "__proto__\nb\nc\n",
      ours: "__proto__\nb\nconstructor\n",
      theirs: "toString\nb\nc\n",
      merged: "toString\nb\nconstructor\n",
    },
    {
      rule: "asks where both made the file with other lines",
      base: "",
      ours: "a\n",
      theirs: "b\n",
      merged: "overlap",
    },
  ])("$rule", ({ base, ours, theirs, merged }) => {
    expect(outcome(merge(base, ours, theirs))).toBe(merged)
  })

  test("names each overlap by its line in our text", () => {
    expect(merge("a\nb\nc\nd\n", "new\na\nB\nc\nD\n", "a\nX\nc\nY\n")).toEqual({
      kind: "overlap",
      places: 2,
      overlaps: [
        { line: 3, ours: "B\n", theirs: "X\n" },
        { line: 5, ours: "D\n", theirs: "Y\n" },
      ],
    })
  })

  test.each([
    ["NUL", [0]],
    ["bytes that are not UTF-8", [0xc3, 0x28]],
  ])("answers binary for %s", (_, odd) => {
    const [base, ours, theirs] = [bytes("a"), bytes("b"), new Uint8Array(odd)]
    expect(mergeText({ base, ours, theirs }).kind).toBe("binary")
    expect(mergeText({ base: theirs, ours, theirs: base }).kind).toBe("binary")
  })

  test("takes the changed side whatever its bytes are", () => {
    const odd = new Uint8Array([0, 0xff])
    expect(mergeText({ base: bytes("a"), ours: bytes("a"), theirs: odd })).toMatchObject({
      kind: "clean",
      bytes: odd,
    })
  })

  test("merges a long text that has changes at both ends", () => {
    const base = Array.from({ length: 20_000 }, (_, n) => (n % 2 === 0 ? `line ${n}\n` : "\n")).join("")
    expect(outcome(merge(base, `top\n${base}`, `${base}end\n`))).toBe(`top\n${base}end\n`)
  })

  test("asks rather than search long among lines that are all the same", () => {
    const same = "x\n".repeat(50_000)
    expect(outcome(merge(same, `a\n${same}b\n`, `c\n${same}d\n`))).toBe("overlap")
  })
})

describe("front matter", () => {
  test.each<Row>([
    {
      rule: "joins inline lists as sets",
      base: note("tags: [a]\n"),
      ours: note("tags: [a, b]\n"),
      theirs: note("tags: [a, c]\n"),
      merged: note("tags: [a, b, c]\n"),
    },
    {
      rule: "takes removals of either side",
      base: note("tags: [a, b, c]\n"),
      ours: note("tags: [b, c, x]\n"),
      theirs: note("tags: [a, b]\n"),
      merged: note("tags: [b, x]\n"),
    },
    {
      rule: "joins block lists",
      base: note("tags:\n  - a\n"),
      ours: note("tags:\n  - a\n  - b\n"),
      theirs: note("tags:\n  - a\n  - c\n"),
      merged: note("tags:\n  - a\n  - b\n  - c\n"),
    },
    {
      rule: "writes the joined list in our style",
      base: note("tags: [a]\n"),
      ours: note("tags:\n- a\n- b\n"),
      theirs: note("tags: [c]\n"),
      merged: note("tags:\n- b\n- c\n"),
    },
    {
      rule: "joins lists that both added",
      base: note("title: T\n"),
      ours: note("title: T\ntags: [a]\n"),
      theirs: note("title: T\ntags: [b]\n"),
      merged: note("title: T\ntags: [a, b]\n"),
    },
    {
      rule: "writes an emptied block list inline",
      base: note("tags:\n- a\n- b\n"),
      ours: note("tags:\n- b\n"),
      theirs: note("tags:\n- a\n"),
      merged: note("tags: []\n"),
    },
    {
      rule: "joins keys changed on one side each",
      base: note("a: 1\nb: 1\n"),
      ours: note("a: 2\nb: 1\n"),
      theirs: note("a: 1\nb: 2\n"),
      merged: note("a: 2\nb: 2\n"),
    },
    {
      rule: "joins keys that each side added",
      base: note("a: 1\n"),
      ours: note("a: 1\nb: 2\n"),
      theirs: note("a: 1\nc: 3\n"),
      merged: note("a: 1\nb: 2\nc: 3\n"),
    },
    {
      rule: "takes a whole nested value from the side that changed it",
      base: note("a: 1\nm:\n  x: 1\n"),
      ours: note("a: 2\nm:\n  x: 1\n"),
      theirs: note("a: 1\nm:\n  x: 2\n  # why\n"),
      merged: note("a: 2\nm:\n  x: 2\n  # why\n"),
    },
    {
      rule: "merges the body beside it",
      base: note("tags: [a]\n", "1\n2\n3\n"),
      ours: note("tags: [b]\n", "0\n2\n3\n"),
      theirs: note("tags: [c]\n", "1\n2\n4\n"),
      merged: note("tags: [b, c]\n", "0\n2\n4\n"),
    },
    {
      rule: "keeps CRLF",
      base: "---\r\ntags: [a]\r\n---\r\n",
      ours: "---\r\ntags: [a, b]\r\n---\r\n",
      theirs: "---\r\ntags: [c]\r\n---\r\n",
      merged: "---\r\ntags: [b, c]\r\n---\r\n",
    },
    {
      rule: "asks where a scalar changed on both sides",
      base: note("title: a\n"),
      ours: note("title: b\n"),
      theirs: note("title: c\n"),
      merged: "overlap",
    },
    {
      rule: "asks where a nested value changed on both sides",
      base: note("m:\n  x: 1\n"),
      ours: note("m:\n  x: 2\n"),
      theirs: note("m:\n  x: 3\n"),
      merged: "overlap",
    },
    {
      rule: "asks where a key was removed and changed",
      base: note("tags: [a]\n"),
      ours: note(""),
      theirs: note("tags: [a, b]\n"),
      merged: "overlap",
    },
    {
      rule: "asks where the body overlaps too",
      base: note("tags: [a]\n"),
      ours: note("tags: [b]\n", "x\n"),
      theirs: note("tags: [c]\n", "y\n"),
      merged: "overlap",
    },
    {
      rule: "asks where an item is not a plain word",
      base: note("tags: [a]\n"),
      ours: note("tags: [a, {b: c}]\n"),
      theirs: note("tags: [c]\n"),
      merged: "overlap",
    },
    {
      rule: "asks where an item has a comment",
      base: note("tags: [a]\n"),
      ours: note("tags: [b] # why\n"),
      theirs: note("tags: [c]\n"),
      merged: "overlap",
    },
    {
      rule: "asks where a list has an item twice",
      base: note("n: [a]\n"),
      ours: note("n: [a, a]\n"),
      theirs: note("n: [a, b]\n"),
      merged: "overlap",
    },
    {
      rule: "asks where a key stands twice",
      base: note("tags: [a]\n"),
      ours: note("tags: [b]\ntags: [b]\n"),
      theirs: note("tags: [c]\n"),
      merged: "overlap",
    },
    {
      rule: "asks where the text is no mapping",
      base: note("- a\n"),
      ours: note("- b\n"),
      theirs: note("- c\n"),
      merged: "overlap",
    },
    {
      rule: "asks where a front matter has no end",
      base: "---\ntags: [a]\n",
      ours: "---\ntags: [b]\n",
      theirs: "---\ntags: [c]\n",
      merged: "overlap",
    },
    {
      rule: "does not let both sides add one key in two places",
      base: note("a: 1\nb: 1\nc: 1\n"),
      ours: note("x: 1\na: 1\nb: 1\nc: 1\n"),
      theirs: note("a: 1\nb: 1\nc: 1\nx: 2\n"),
      merged: "overlap",
    },
    {
      rule: "is a list of tags for __proto__ too",
      base: note("__proto__: [a]\n"),
      ours: note("__proto__: [a, b]\n"),
      theirs: note("__proto__: [a, c]\n"),
      merged: note("__proto__: [a, b, c]\n"),
    },
  ])("$rule", ({ base, ours, theirs, merged }) => {
    expect(outcome(merge(base, ours, theirs))).toBe(merged)
  })

  test("names the keys that were merged as sets", () => {
    const merged = merge(note("t: [a]\nu: 1\n"), note("t: [b]\nu: 1\n"), note("t: [c]\nu: 2\n"))
    expect(merged).toMatchObject({ kind: "clean", frontMatter: ["t"] })
  })
})

describe("laws", () => {
  const line = fc.constantFrom(
    "a",
    "b",
    "c",
    "",
    "---",
    "tags: [a]",
    "tags: [a, b]",
    "title: x",
    "- y",
    "__proto__",
  )
  const ending = fc.constantFrom("\n", "\n", "\r\n")
  const text = fc
    .tuple(fc.array(fc.tuple(line, ending), { maxLength: 12 }), fc.boolean())
    .map(([lines, isCut]) =>
      lines
        .flat()
        .join("")
        .slice(0, isCut ? -1 : undefined),
    )
  const options = { numRuns: 2_000 }

  test("gives the changed side when only one changed, and the common one when both agree", () => {
    const anyBytes = fc.oneof(text.map(bytes), fc.uint8Array({ maxLength: 20 }))
    fc.assert(
      fc.property(anyBytes, anyBytes, (base, x) => {
        const inputs = [
          { base, ours: base, theirs: x },
          { base, ours: x, theirs: base },
          { base, ours: x, theirs: x },
        ]
        for (const input of inputs)
          expect(mergeText(input)).toEqual({ kind: "clean", bytes: x, frontMatter: [] })
      }),
      options,
    )
  })

  test("is clean from both sides or from neither, at as many places", () => {
    fc.assert(
      fc.property(text, text, text, (base, ours, theirs) => {
        const one = merge(base, ours, theirs)
        const two = merge(base, theirs, ours)
        expect(two.kind).toBe(one.kind)
        if (one.kind === "overlap" && two.kind === "overlap") expect(two.places).toBe(one.places)
        if (one.kind === "clean" && two.kind === "clean" && one.frontMatter.length === 0) {
          expect([...splitLines(outcome(two))].sort()).toEqual([...splitLines(outcome(one))].sort())
        }
      }),
      options,
    )
  })

  test("has no line that neither side has, unless it merged a list", () => {
    fc.assert(
      fc.property(text, text, text, (base, ours, theirs) => {
        const merged = merge(base, ours, theirs)
        if (merged.kind !== "clean" || merged.frontMatter.length > 0) return
        const known = new Set([...splitLines(ours), ...splitLines(theirs)])
        expect(splitLines(outcome(merged)).filter((one) => !known.has(one))).toEqual([])
      }),
      options,
    )
  })

  test("has every line that one side added to a text of different lines", () => {
    const places = fc.array(fc.nat({ max: 9 }), { maxLength: 3 })
    fc.assert(
      fc.property(places, places, (mine, yours) => {
        const isApart = !mine.some((at) => yours.includes(at))
        const merged = merge(insert([], ""), insert(mine, "mine"), insert(yours, "yours"))
        expect(merged.kind).toBe(isApart ? "clean" : "overlap")
        if (!isApart) return
        for (const at of mine) expect(outcome(merged)).toContain(`mine ${at}\nline ${at}\n`)
        for (const at of yours) expect(outcome(merged)).toContain(`yours ${at}\nline ${at}\n`)
      }),
      options,
    )
  })
})
