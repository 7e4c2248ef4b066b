/** The loop with runs that a test lets end, on the clock of this machine. */

import { expect, test } from "vitest"
import { startLoop } from "../../src/watch/loop.ts"
import type { Ending } from "../../src/watch/pace.ts"

const clock = { nowMs: () => Date.now() }

/** Runs that end when they are told to. */
function runs() {
  const waiting: ((ending: Ending) => void)[] = []
  const begun: (() => void)[] = []
  let count = 0
  return {
    run: () =>
      new Promise<Ending>((resolve) => {
        count += 1
        waiting.push(resolve)
        begun.shift()?.()
      }),
    end: (ending: Ending) => waiting.shift()?.(ending),
    count: () => count,
    /** When the next run begins, if none is at work. */
    begins: () =>
      waiting.length > 0 ? Promise.resolve() : new Promise<void>((resolve) => begun.push(resolve)),
  }
}

test("runs at once, on a hint, and not in between", async () => {
  const each = runs()
  const loop = startLoop({ intervalMs: 3_600_000, clock, random: () => 0, run: each.run })
  await each.begins()
  each.end("done")
  loop.hint()
  await each.begins()
  expect(each.count()).toBe(2)
  each.end("done")
  loop.stop()
  expect(await loop.ended).toBe(2)
})

test("runs again for what changed while a run was at work", async () => {
  const each = runs()
  const loop = startLoop({ intervalMs: 3_600_000, clock, random: () => 0, run: each.run })
  await each.begins()
  loop.hint()
  each.end("done")
  await each.begins()
  each.end("done")
  loop.stop()
  expect(await loop.ended).toBe(2)
})

test("lets the run at work end when it is told to stop, and begins no other", async () => {
  const each = runs()
  const loop = startLoop({ intervalMs: 1, clock, random: () => 0, run: each.run })
  await each.begins()
  loop.stop()
  each.end("done")
  expect(await loop.ended).toBe(1)
})

test("stops while it waits", async () => {
  const each = runs()
  let isWaiting: () => void = () => undefined
  const waits = new Promise<void>((resolve) => {
    isWaiting = resolve
  })
  const loop = startLoop({
    intervalMs: 3_600_000,
    clock,
    random: () => 0,
    run: each.run,
    onNext: () => isWaiting(),
  })
  await each.begins()
  each.end("done")
  await waits
  loop.stop()
  expect(await loop.ended).toBe(1)
})

test("runs nothing while it is paused", async () => {
  const each = runs()
  let untilMs: number | undefined = Date.now() + 3_600_000
  const told: number[] = []
  let isTold: () => void = () => undefined
  const tells = new Promise<void>((resolve) => {
    isTold = resolve
  })
  const loop = startLoop({
    intervalMs: 1,
    clock,
    random: () => 0,
    run: each.run,
    pausedUntilMs: () => untilMs,
    onNext: (atMs) => {
      told.push(atMs)
      isTold()
    },
  })
  await tells
  expect(each.count()).toBe(0)
  expect(told[0]).toBe(untilMs)
  untilMs = undefined
  loop.hint()
  await each.begins()
  each.end("done")
  loop.stop()
  expect(await loop.ended).toBe(1)
})
