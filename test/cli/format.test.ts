import { describe, expect, test } from "vitest"
import {
  boxTable,
  columns,
  displayWidth,
  escapeForTerminal,
  formatAgo,
  formatBytes,
  formatCount,
  formatDelta,
  formatTime,
  formatWhen,
  plural,
} from "../../src/cli/format.ts"

const local = (...at: readonly [number, number, number, number, number]): number =>
  new Date(at[0], at[1] - 1, at[2], at[3], at[4]).getTime()

describe("numbers", () => {
  test.each([
    [0, "0 B"],
    [312, "312 B"],
    [999, "999 B"],
    [1_000, "1.0 KB"],
    [2_100, "2.1 KB"],
    [999_949, "999.9 KB"],
    [999_950, "1.0 MB"],
    [18_400_000, "18.4 MB"],
    [3_000_000_000, "3.0 GB"],
    [9e15, "9.0 PB"],
    [1.5e18, "1,500 PB"],
  ])("shows %d bytes as %s", (n, text) => expect(formatBytes(n)).toBe(text))

  test.each([
    [312, "+312 B"],
    [-40, "-40 B"],
    [0, "+0 B"],
    [-2_100, "-2.1 KB"],
  ])("shows a change of %d bytes as %s", (n, text) => expect(formatDelta(n)).toBe(text))

  test("puts commas between thousands", () => expect(formatCount(1_318)).toBe("1,318"))

  test.each([
    [plural(1, "file"), "1 file"],
    [plural(0, "file"), "0 files"],
    [plural(1_204, "file"), "1,204 files"],
    [plural(2, "copy", "copies"), "2 copies"],
  ])("counts %s", (shown, text) => expect(shown).toBe(text))
})

describe("times", () => {
  const now = local(2026, 3, 2, 10, 6)
  test.each([
    { rule: "today", at: local(2026, 3, 2, 0, 0), text: "today 00:00" },
    { rule: "later today", at: local(2026, 3, 2, 23, 59), text: "today 23:59" },
    { rule: "yesterday", at: local(2026, 3, 1, 18, 40), text: "yesterday 18:40" },
    { rule: "this year", at: local(2026, 2, 1, 9, 0), text: "1 Feb 09:00" },
    { rule: "tomorrow", at: local(2026, 3, 3, 9, 0), text: "3 Mar 09:00" },
    { rule: "another year", at: local(2025, 12, 31, 9, 5), text: "31 Dec 2025 09:05" },
    { rule: "no time", at: Number.NaN, text: "at an unknown time" },
  ])("shows $rule", ({ at, text }) => expect(formatWhen(at, now)).toBe(text))

  test("knows yesterday across a new year", () => {
    expect(formatWhen(local(2025, 12, 31, 18, 40), local(2026, 1, 1, 10, 0))).toBe("yesterday 18:40")
  })

  test.each([
    [-5, "just now"],
    [999, "just now"],
    [Number.NaN, "just now"],
    [1_000, "1 second ago"],
    [59_999, "59 seconds ago"],
    [60_000, "1 minute ago"],
    [120_000, "2 minutes ago"],
    [7_200_000, "2 hours ago"],
    [86_400_000, "1 day ago"],
    [40 * 86_400_000, "40 days ago"],
  ])("shows %d ms as %s", (ms, text) => expect(formatAgo(ms)).toBe(text))

  test("shows the time of day, and dashes for none", () => {
    expect(formatTime(local(2026, 3, 2, 9, 5))).toBe("09:05")
    expect(formatTime(Number.NaN)).toBe("--:--")
  })
})

describe("escapeForTerminal", () => {
  test.each([
    { rule: "an escape sequence", name: "a\u001b[31m", text: "a\\x1b[31m" },
    { rule: "line breaks and tabs", name: "a\r\n\tb", text: "a\\r\\n\\tb" },
    { rule: "NUL and DEL", name: "\0\u007f", text: "\\x00\\x7f" },
    { rule: "C1", name: "\u009b31m", text: "\\x9b31m" },
    {
      rule: "bidirectional controls",
      name: "\u202egnp.md\u2066\u200f\u061c",
      text: "\\u202egnp.md\\u2066\\u200f\\u061c",
    },
    { rule: "line separators", name: "\u2028", text: "\\u2028" },
    { rule: "lone surrogates", name: "a\ud83db\ude00", text: "a\\ud83db\\ude00" },
  ])("shows $rule", ({ name, text }) => expect(escapeForTerminal(name)).toBe(text))

  test.each(["ideas/innovation.md", "日本語 é e\u0301 😀 👨‍👩‍👧", "$(id) `x` \\x1b", "__proto__"])(
    "leaves %s alone",
    (name) => expect(escapeForTerminal(name)).toBe(name),
  )
})

test.each([
  ["abc", 3],
  ["✓ Initialized", 13],
  ["日本", 4],
  ["ｶﾅ", 2],
  ["Ａ", 2],
  ["é", 1],
  ["e\u0301", 1],
  ["😀", 2],
  ["👨‍👩‍👧", 2],
  ["\u2601\ufe0f", 2],
  ["\u001b[32m✓\u001b[0m", 1],
  ["", 0],
])("measures %j as %d columns", (text, width) => expect(displayWidth(text)).toBe(width))

describe("boxTable", () => {
  test("draws the status table of the documents", () => {
    const table = boxTable("Cloud Bisync Status", [
      ["Status", "✓ Initialized"],
      ["Local Directory", "~/basic-memory-cloud-sync"],
      ["Remote", "s3://bucket/tenant-id"],
      ["Last Sync", "2 minutes ago"],
      ["Total Projects", "5"],
    ])
    expect(`\n${table.join("\n")}\n`).toBe(`
Cloud Bisync Status
┏━━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━━━━━━━━━━━━━━┓
┃ Property            ┃ Value                      ┃
┡━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━━━━━━━━━━━━━━┩
│ Status              │ ✓ Initialized              │
│ Local Directory     │ ~/basic-memory-cloud-sync  │
│ Remote              │ s3://bucket/tenant-id      │
│ Last Sync           │ 2 minutes ago              │
│ Total Projects      │ 5                          │
└─────────────────────┴────────────────────────────┘
`)
  })

  test("grows with its content, by columns of the terminal", () => {
    const [, ...table] = boxTable("T", [["Remote", `file:/${"日本".repeat(10)}`]])
    expect(table.map(displayWidth)).toEqual(table.map(() => 19 + 46 + 7))
  })
})

describe("columns", () => {
  test("aligns cells and leaves no blanks at the end", () => {
    const rows = [
      ["RUN", "KIND", "UP", "CONFLICTS"],
      ["r7k9p", "undo", "1", "undid c4m9"],
      ["r7k2q", "bisync", "13", ""],
    ]
    expect(columns(rows, [2])).toEqual([
      "RUN    KIND    UP  CONFLICTS",
      "r7k9p  undo     1  undid c4m9",
      "r7k2q  bisync  13",
    ])
  })

  test("aligns by width and takes rows of different lengths", () => {
    expect(columns([["日本", "x"], ["a"], [], ["abc", "y", "z"]])).toEqual(["日本  x", "a", "", "abc   y  z"])
  })
})
