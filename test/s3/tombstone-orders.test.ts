/**
 * Every order of two deleters and three writers (more crashes and takeovers with SOAK=1), with crashes, lost requests, delays and clocks that
 * lie: no write that was acknowledged is ever deleted. Without any one of the rules, one is.
 */

import { describe, expect, test } from "vitest"
import type { Moment } from "../../src/model/elapsed.ts"
import { search } from "../protocol/model.ts"
import { RULES, type Rules, tombstoneProtocol } from "./tombstone-model.ts"

const SIZE = { deleters: 2, writers: 3, attempts: process.env.SOAK === undefined ? 2 : 3 }
/** Enough to find what is wrong. */
const TWIN_SIZE = { deleters: 2, writers: 1, attempts: 2 }

test("loses no acknowledged write in any order", { timeout: 600_000 }, () => {
  const { states, violation, way, taken } = search(tombstoneProtocol(RULES, SIZE))
  console.info(`tombstone: ${states} states`)
  expect(violation, way.join(" > ")).toBeUndefined()
  for (const step of ["takes over its own", "takes over another's", "removes", "writes anew"])
    expect(taken).toContain(step)
})

const never: Moment = { monotonicMs: 0, wallMs: 0 }

describe("finds a lost write", () => {
  test.each<{ readonly rule: string; readonly rules: Partial<Rules> }>([
    { rule: "where a DELETE may leave at any time", rules: { mayStillSend: () => true } },
    { rule: "where its clock starts at the answer", rules: { startsClock: "at_answer" } },
    {
      rule: "where only the monotonic clock is asked",
      rules: {
        mayStillSend: (since, now) =>
          RULES.mayStillSend(never, { ...never, monotonicMs: now.monotonicMs - since.monotonicMs }),
      },
    },
    {
      rule: "where only the wall clock is asked",
      rules: {
        mayStillSend: (since, now) =>
          RULES.mayStillSend(never, { ...never, wallMs: now.wallMs - since.wallMs }),
      },
    },
    {
      rule: "where a tombstone is anybody's after a minute",
      rules: { isAbandonedAfter: (ageMs) => ageMs >= 60_000 },
    },
    {
      rule: "where its owner takes it over although a DELETE was sent",
      rules: { mayTakeOver: ({ isOwn, isAbandoned }) => isOwn || isAbandoned },
    },
    {
      rule: "where an owner knows its tombstone by the operation alone",
      rules: { isSameTombstone: (found, mine) => found?.op === mine.op },
    },
    { rule: "where the server takes a DELETE however late", rules: { expiresMs: Number.POSITIVE_INFINITY } },
    { rule: "where a writer takes a tombstone for a base", rules: { isTombstoneABase: true } },
  ])("$rule", { timeout: 600_000 }, ({ rules }) => {
    const { states, violation, way } = search(tombstoneProtocol({ ...RULES, ...rules }, TWIN_SIZE))
    console.info(`${states} states: ${way.join(" > ")}`)
    expect(violation).toBeDefined()
  })
})
