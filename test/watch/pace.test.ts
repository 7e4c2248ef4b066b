/** When a watcher runs next, case by case. */

import { describe, expect, test } from "vitest"
import {
  afterHint,
  afterRun,
  isDue,
  isListingDue,
  nextRunMs,
  type Pace,
  PATIENCE_MS,
  QUIET_MS,
} from "../../src/watch/pace.ts"

const START: Pace = { intervalMs: 60_000, sinceMs: 1_000_000, ranMs: 1_000_000, last: "done", failures: 0 }
const MINUTE_MS = 60_000

describe("without a hint", () => {
  test("the interval decides, from the end of the last run", () => {
    expect(nextRunMs(START, 0.5)).toBe(1_060_000)
  })

  test("what waits for the user is looked at again at the interval", () => {
    expect(nextRunMs({ ...START, last: "blocked" }, 0.5)).toBe(1_060_000)
  })

  test("another run at work is waited for a second, and not longer because it was met before", () => {
    const once = afterRun(START, { startedMs: 0, endedMs: 5, ending: "busy", wasDue: true })
    const twice = afterRun(once, { startedMs: 6, endedMs: 7, ending: "busy", wasDue: true })
    expect(nextRunMs(once, 0) - 5).toBe(1_000)
    expect(nextRunMs(twice, 0) - 7).toBe(1_000)
  })
})

describe("a change here", () => {
  test("is synced when it is quiet for a moment", () => {
    const hinted = afterHint(START, 1_010_000)
    expect(nextRunMs(hinted, 0.5)).toBe(1_010_000 + QUIET_MS)
  })

  test("is waited for while more come, but not for long", () => {
    let pace = START
    for (let ms = 0; ms <= 5_000; ms += 10) pace = afterHint(pace, 1_010_000 + ms)
    expect(nextRunMs(pace, 0.5)).toBe(1_010_000 + PATIENCE_MS)
  })

  test("does not put off the interval", () => {
    expect(nextRunMs(afterHint(START, 1_059_990), 0.5)).toBe(1_060_000)
  })

  test("that a run looked at is done with", () => {
    const pace = afterRun(afterHint(START, 10), { startedMs: 70, endedMs: 90, ending: "done", wasDue: true })
    expect(nextRunMs(pace, 0)).toBe(90 + MINUTE_MS)
  })

  test("that came while a run was at work asks for another run", () => {
    const pace = afterRun(afterHint(START, 80), { startedMs: 70, endedMs: 90, ending: "done", wasDue: true })
    expect(nextRunMs(pace, 0)).toBe(80 + QUIET_MS)
  })

  test("that a run could not look at is kept", () => {
    const busy = afterRun(afterHint(START, 10), { startedMs: 70, endedMs: 90, ending: "busy", wasDue: true })
    const done = afterRun(busy, { startedMs: 2_000, endedMs: 2_100, ending: "busy", wasDue: true })
    expect(done.hinted).toBeDefined()
    expect(nextRunMs(done, 0)).toBe(2_100 + 1_000)
  })
})

describe("a run that only follows a hint", () => {
  test("does not put off the interval", () => {
    const pace = afterRun(START, { startedMs: 1_040_000, endedMs: 1_041_000, ending: "done", wasDue: false })
    expect(nextRunMs(pace, 0)).toBe(1_060_000)
  })

  test("is none where the interval is over, or the last run came to nothing", () => {
    expect(isDue(START, 1_059_999)).toBe(false)
    expect(isDue(START, 1_060_000)).toBe(true)
    expect(isDue({ ...START, last: "busy" }, 1_000_001)).toBe(true)
  })
})

test.each([
  { rule: "at each interval", files: 20_000, sinceMs: 1, isSo: true },
  { rule: "every five minutes only where there are very many", files: 20_001, sinceMs: 299_999, isSo: false },
  { rule: "after five minutes where there are very many", files: 20_001, sinceMs: 300_000, isSo: true },
  { rule: "where the clock was set back", files: 20_001, sinceMs: -1, isSo: true },
])("a run that is due lists $rule", ({ files, sinceMs, isSo }) => {
  expect(isListingDue({ files, sinceMs })).toBe(isSo)
})

describe("while the storage is away", () => {
  const failed = (times: number): Pace => {
    let pace = START
    for (let at = 0; at < times; at++)
      pace = afterRun(pace, { startedMs: at, endedMs: at, ending: "away", wasDue: true })
    return { ...pace, ranMs: 0 }
  }

  test("each try waits twice as long, up to a minute", () => {
    const waits = [1, 2, 3, 4, 6, 7, 60].map((times) => nextRunMs(failed(times), 0))
    expect(waits).toEqual([1_000, 2_000, 4_000, 8_000, 32_000, 60_000, 60_000])
  })

  test("a part of the wait is by chance", () => {
    expect(nextRunMs(failed(3), 0.5)).toBe(4_400)
  })

  test("a hint hurries nothing", () => {
    expect(nextRunMs(afterHint(failed(5), 10), 0)).toBe(16_000)
  })

  test("the first run that succeeds makes it forget", () => {
    const back = afterRun(failed(9), { startedMs: 500, endedMs: 600, ending: "done", wasDue: true })
    expect(back.failures).toBe(0)
    expect(nextRunMs(back, 0)).toBe(600 + MINUTE_MS)
  })
})
