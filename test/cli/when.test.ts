import { describe, expect, test } from "vitest"
import { parseWhen } from "../../src/cli/when.ts"

const NOW = new Date(2026, 2, 2, 10, 6, 7).getTime()
const HOUR = 3_600_000

describe("moments", () => {
  test.each([
    ["2026-03-02T10:00Z", Date.UTC(2026, 2, 2, 10)],
    ["2026-03-02t10:00z", Date.UTC(2026, 2, 2, 10)],
    ["2026-03-02T10:00:05Z", Date.UTC(2026, 2, 2, 10, 0, 5)],
    ["2026-03-02T10:06:11.020Z", Date.UTC(2026, 2, 2, 10, 6, 11, 20)],
    ["2026-03-02T10:00+02:00", Date.UTC(2026, 2, 2, 8)],
    ["2026-03-02T10:00-0530", Date.UTC(2026, 2, 2, 15, 30)],
    ["2026-03-02 10:00", new Date(2026, 2, 2, 10).getTime()],
    ["2026-03-02T10:00:30", new Date(2026, 2, 2, 10, 0, 30).getTime()],
    ["2026-03-02", new Date(2026, 2, 2).getTime()],
    ["2024-02-29", new Date(2024, 1, 29).getTime()],
    ["10:00", new Date(2026, 2, 2, 10).getTime()],
    ["9:05", new Date(2026, 2, 2, 9, 5).getTime()],
    ["today", new Date(2026, 2, 2).getTime()],
    ["yesterday", new Date(2026, 2, 1).getTime()],
    ["30s", NOW - 30_000],
    ["30m", NOW - HOUR / 2],
    ["2h", NOW - 2 * HOUR],
    ["2h ago", NOW - 2 * HOUR],
    ["3d", NOW - 72 * HOUR],
    ["2w", NOW - 14 * 24 * HOUR],
    ["  10:00 ", new Date(2026, 2, 2, 10).getTime()],
  ])("reads %s", (text, ms) => expect(parseWhen(text, NOW)).toEqual({ kind: "moment", ms }))

  test("knows yesterday on the first day of a month", () => {
    const now = new Date(2026, 2, 1, 10).getTime()
    expect(parseWhen("yesterday", now)).toEqual({ kind: "moment", ms: new Date(2026, 1, 28).getTime() })
  })
})

describe("runs", () => {
  test.each([
    ["r7k2q", "r7k2q", false],
    ["r7k2q-", "r7k2q", true],
    ["r7", "r7", false],
    ["rfaze", "rfaze", false],
    ["@", "@", false],
    ["@-", "@-", false],
    ["@--", "@-", true],
  ])("reads %s", (text, run, before) => expect(parseWhen(text, NOW)).toEqual({ kind: "run", run, before }))
})

test.each([
  "",
  " ",
  "r",
  "r-",
  "r7k2q--",
  "r7k2q.5",
  "R7K2Q",
  "rilou",
  "c4m9",
  "@@",
  "./r7k2q",
  "tomorrow",
  "2",
  "2x",
  "-2h",
  "1.5h",
  "9999999h",
  "24:00",
  "10:60",
  "10",
  "2026-02-29",
  "2026-13-01",
  "2026-00-10",
  "2026-3-2",
  "0000-01-01",
  "2026-03-02T24:00Z",
  "2026-03-02T10:00+99:00",
  "2026-03-02T10:00 Z",
  "2026-03-02T10:00Z; rm",
])("does not guess at %j", (text) => expect(parseWhen(text, NOW)).toBeUndefined())
