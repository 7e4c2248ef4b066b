/**
 * Busy servers are asked again, less and less at once, and never for ever.
 */

import { expect, test } from "vitest"
import { err, ok, type Result } from "../../src/model/result.ts"
import { createLimiter, LANES_MAX, PATIENCE } from "../../src/s3/sdk-patience.ts"
import type { Failure } from "../../src/store/store.ts"

const BUSY: Failure = { kind: "busy", detail: "SlowDown", status: 503 }
const GONE: Failure = { kind: "unreachable", detail: "ECONNRESET" }
const never = { isRetried: () => false }

function limited(monotonicMs: () => number = () => 0) {
  const waits: number[] = []
  const patience = {
    ...PATIENCE,
    random: () => 0.5,
    wait: async (delayMs: number) => void waits.push(delayMs),
  }
  return { waits, limiter: createLimiter(patience, monotonicMs) }
}

function answers(...given: readonly Result<string, Failure>[]) {
  let asked = 0
  return { ask: async () => given[Math.min(asked++, given.length - 1)] ?? err(BUSY), asked: () => asked }
}

test("an answer is handed on, and nobody waits", async () => {
  const { limiter, waits } = limited()
  expect(await limiter.run(answers(ok("done")).ask, never)).toEqual(ok("done"))
  expect(waits).toEqual([])
})

test("a busy server is asked again, after longer and longer", async () => {
  const { limiter, waits } = limited()
  const { ask } = answers(err(BUSY), err(BUSY), err(BUSY), ok("done"))
  expect(await limiter.run(ask, never)).toEqual(ok("done"))
  expect(waits).toEqual([500, 1000, 2000])
})

test("one that stays busy is said to be so in the end", async () => {
  const { limiter, waits } = limited()
  const { ask, asked } = answers(err(BUSY))
  expect(await limiter.run(ask, never)).toEqual(err(BUSY))
  expect(asked()).toBe(5)
  expect(waits.reduce((sum, each) => sum + each)).toBeLessThan(60_000)
})

test("any other failure is asked again only where that is said", async () => {
  const { limiter } = limited()
  const once = answers(err(GONE), ok("done"))
  expect(await limiter.run(once.ask, never)).toEqual(err(GONE))
  const twice = answers(err(GONE), ok("done"))
  expect(await limiter.run(twice.ask, { isRetried: ({ kind }) => kind === "unreachable" })).toEqual(
    ok("done"),
  )
})

test("nobody asks again later than a minute after the first time", async () => {
  let nowMs = 0
  const { limiter } = limited(() => nowMs)
  let asked = 0
  const ask = async () => {
    asked++
    nowMs += 40_000
    return err(BUSY)
  }
  expect(await limiter.run(ask, never)).toEqual(err(BUSY))
  expect(asked).toBe(2)
})

test("a storm uses up what all requests have together, and success gives it back", async () => {
  const { limiter } = limited()
  let asked = 0
  const storm = async () => {
    asked++
    return err(BUSY)
  }
  const failed = await Promise.all(Array.from({ length: 1000 }, () => limiter.run(storm, never)))
  expect(failed.every(({ ok: isOk }) => !isOk)).toBe(true)
  expect(asked).toBe(1000 + 128)
  for (let each = 0; each < 2; each++) await limiter.run(answers(ok("done")).ask, never)
  const { ask } = answers(err(BUSY), ok("done"))
  expect(await limiter.run(ask, never)).toEqual(ok("done"))
})

test("a busy server gets fewer requests at once, and slowly more when it is not", async () => {
  const { limiter } = limited()
  let running = 0
  const most = async (result: Result<string, Failure>): Promise<number> => {
    let max = 0
    const ask = async () => {
      max = Math.max(max, ++running)
      await new Promise(setImmediate)
      running--
      return result
    }
    await Promise.all(Array.from({ length: 200 }, () => limiter.run(ask, never)))
    return max
  }
  expect(await most(ok("done"))).toBe(LANES_MAX)
  await most(err(BUSY))
  const after = await most(ok("done"))
  expect(after).toBeLessThan(LANES_MAX / 2)
  for (let each = 0; each < 20; each++) await most(ok("done"))
  expect(await most(ok("done"))).toBe(LANES_MAX)
})

test("a mistake that is thrown takes no lane with it", async () => {
  const { limiter } = limited()
  const broken = async (): Promise<Result<string, Failure>> => {
    throw new Error("a mistake")
  }
  await Promise.allSettled(Array.from({ length: LANES_MAX * 2 }, () => limiter.run(broken, never)))
  expect(await limiter.run(answers(ok("done")).ask, never)).toEqual(ok("done"))
})
