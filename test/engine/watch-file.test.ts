/** The heartbeat: what is written is read back, and a moment that no calendar has is none. */

import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { expect, onTestFinished, test } from "vitest"
import {
  type Heartbeat,
  readHeartbeat,
  removeHeartbeat,
  timeOrNull,
  writeHeartbeat,
} from "../../src/engine/watch-file.ts"

function newDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), "bm-heartbeat-"))
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
  return directory
}

test.each([
  [Date.UTC(2026, 2, 2, 10, 6), "2026-03-02T10:06:00.000Z"],
  [8.64e15, "+275760-09-13T00:00:00.000Z"],
  [8.64e15 + 1, null],
  [1e300, null],
  [Number.POSITIVE_INFINITY, null],
  [Number.NaN, null],
])("tells %s as %s", (ms, text) => {
  expect(timeOrNull(ms)).toBe(text)
})

test("reads what was written, until it is removed", () => {
  const directory = newDirectory()
  const beat: Heartbeat = {
    schema: "bm.watch/1",
    pid: 4121,
    host: "mira-laptop",
    interval_s: 60,
    next_at: timeOrNull(Number.POSITIVE_INFINITY),
    service: "launchd",
    blocked: null,
  }
  writeHeartbeat(directory, beat)
  expect(readHeartbeat(directory)).toEqual(beat)
  removeHeartbeat(directory)
  expect(readHeartbeat(directory)).toBeUndefined()
})

test.each(["", "null", "{", '{"schema":"bm.watch/2"}'])("finds none in %j", (text) => {
  const directory = newDirectory()
  writeFileSync(join(directory, "watch.json"), text)
  expect(readHeartbeat(directory)).toBeUndefined()
})
