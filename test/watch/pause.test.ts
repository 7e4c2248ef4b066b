/** The pause: how long, until when, and that nothing but a whole file of ours pauses anything. */

import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, beforeEach, describe, expect, test } from "vitest"
import { parseDuration, pause, readPause, resume } from "../../src/watch/pause.ts"

const NOW_MS = Date.UTC(2026, 2, 2, 10, 6)
const HOUR_MS = 3_600_000

let stateRoot: string
let file: string

beforeEach(() => {
  stateRoot = join(mkdtempSync(join(tmpdir(), "bm-pause-")), "state")
  file = join(stateRoot, "watch-pause.json")
})

afterEach(() => {
  rmSync(join(stateRoot, ".."), { recursive: true, force: true })
})

describe("a length", () => {
  test.each([
    ["90s", 90_000],
    ["30m", 30 * 60_000],
    ["2h", 2 * HOUR_MS],
    ["1d", 24 * HOUR_MS],
    ["1w", 7 * 24 * HOUR_MS],
    [" 2h ", 2 * HOUR_MS],
  ])("%s is one", (text, ms) => {
    expect(parseDuration(text)).toBe(ms)
  })

  test.each(["", "2", "h", "0m", "-1h", "1.5h", "2 h", "2H", "1h30m", "1y", "1234567s", "∞"])(
    "%s is none",
    (text) => {
      expect(parseDuration(text)).toBeUndefined()
    },
  )

  test("at its longest still ends at a moment that can be written", () => {
    const longestMs = parseDuration("999999w") ?? Number.NaN
    expect(pause(stateRoot, NOW_MS + longestMs, NOW_MS).ok).toBe(true)
    expect(readPause(stateRoot, NOW_MS)?.untilMs).toBe(NOW_MS + longestMs)
  })
})

describe("a pause", () => {
  test("lasts until its end, and not a moment longer", () => {
    expect(readPause(stateRoot, NOW_MS)).toBeUndefined()
    const untilMs = NOW_MS + 2 * HOUR_MS
    expect(pause(stateRoot, untilMs, NOW_MS)).toEqual({ ok: true, value: { sinceMs: NOW_MS, untilMs } })
    expect(readPause(stateRoot, NOW_MS)).toEqual({ sinceMs: NOW_MS, untilMs })
    expect(readPause(stateRoot, untilMs - 1)).toEqual({ sinceMs: NOW_MS, untilMs })
    expect(readPause(stateRoot, untilMs)).toBeUndefined()
  })

  test("without an end lasts until it is resumed", () => {
    expect(pause(stateRoot, undefined, NOW_MS).ok).toBe(true)
    expect(readPause(stateRoot, NOW_MS + 1e12)).toEqual({ sinceMs: NOW_MS })
    expect(resume(stateRoot, NOW_MS)).toEqual({ ok: true, value: true })
    expect(readPause(stateRoot, NOW_MS)).toBeUndefined()
    expect(resume(stateRoot, NOW_MS)).toEqual({ ok: true, value: false })
  })

  test("that is over by itself is nothing to resume", () => {
    pause(stateRoot, NOW_MS + HOUR_MS, NOW_MS)
    expect(resume(stateRoot, NOW_MS + HOUR_MS)).toEqual({ ok: true, value: false })
    expect(readdirSync(stateRoot)).toEqual([])
    pause(stateRoot, NOW_MS + HOUR_MS, NOW_MS)
    expect(resume(stateRoot, NOW_MS + HOUR_MS - 1)).toEqual({ ok: true, value: true })
  })

  test("takes the place of the one before", () => {
    pause(stateRoot, undefined, NOW_MS)
    pause(stateRoot, NOW_MS + HOUR_MS, NOW_MS + 1)
    expect(readPause(stateRoot, NOW_MS + 2)).toEqual({ sinceMs: NOW_MS + 1, untilMs: NOW_MS + HOUR_MS })
    expect(readdirSync(stateRoot)).toEqual(["watch-pause.json"])
  })

  test("is a file that only its owner reads", () => {
    pause(stateRoot, undefined, NOW_MS)
    expect(statSync(file).mode & 0o777).toBe(0o600)
    expect(statSync(stateRoot).mode & 0o777).toBe(0o700)
  })
})

describe("nothing is paused by", () => {
  test.each([
    ["an empty file", ""],
    ["half a file", '{"schema":"bm.pause-file/1","since":"2026-03-02T10:0'],
    ["a list", "[]"],
    ["nothing", "null"],
    ["another schema", '{"schema":"bm.pause-file/2","since":"2026-03-02T10:06:00.000Z","until":null}'],
    ["no beginning", '{"schema":"bm.pause-file/1","until":null}'],
    ["no word about its end", '{"schema":"bm.pause-file/1","since":"2026-03-02T10:06:00.000Z"}'],
    [
      "an end that is no time",
      '{"schema":"bm.pause-file/1","since":"2026-03-02T10:06:00.000Z","until":"later"}',
    ],
    [
      "an end that is no text",
      '{"schema":"bm.pause-file/1","since":"2026-03-02T10:06:00.000Z","until":9e15}',
    ],
  ])("%s", (_, text) => {
    mkdirSync(stateRoot, { recursive: true })
    writeFileSync(file, text)
    expect(readPause(stateRoot, NOW_MS)).toBeUndefined()
    expect(resume(stateRoot, NOW_MS)).toEqual({ ok: true, value: true })
  })

  test("a directory of that name, which is said to be in the way", () => {
    mkdirSync(file, { recursive: true })
    expect(readPause(stateRoot, NOW_MS)).toBeUndefined()
    expect(pause(stateRoot, undefined, NOW_MS)).toMatchObject({
      ok: false,
      error: { code: "state_write_failed", trouble: { path: file } },
    })
    expect(readdirSync(stateRoot)).toEqual(["watch-pause.json"])
  })
})

test("a pause that cannot be written says where, and leaves nothing", () => {
  writeFileSync(stateRoot, "in the way")
  expect(pause(stateRoot, undefined, NOW_MS)).toMatchObject({
    ok: false,
    error: { code: "state_write_failed", trouble: { path: file } },
  })
  expect(readdirSync(join(stateRoot, ".."))).toEqual(["state"])
})
