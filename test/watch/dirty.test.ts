/** What hints have named, and what a run is told of it. */

import { expect, test } from "vitest"
import { makeDirty } from "../../src/watch/dirty.ts"
import { TOLD_ONCE_MS } from "../../src/watch/pace.ts"

test("each file is named once, in the order of the first hints", () => {
  const dirty = makeDirty()
  for (const path of ["b.md", "a.md", "b.md"]) dirty.add(path, 0)
  expect(dirty.take(1_000)).toEqual(["b.md", "a.md"])
  expect(dirty.take(1_001)).toEqual([])
})

test("a file that was named right before is named to the next run too, and to no other one", () => {
  const dirty = makeDirty()
  dirty.add("a.md", 1_000)
  // The run began when it was not quiet for long enough, and took what is named later.
  expect(dirty.take(1_000 + 2 * TOLD_ONCE_MS)).toEqual(["a.md"])
  expect(dirty.take(3_000)).toEqual(["a.md"])
  expect(dirty.take(3_001)).toEqual([])
})

test("where one hint names nothing, everything is to be looked at, once", () => {
  const dirty = makeDirty()
  dirty.add("a.md", 0)
  dirty.add(undefined, 0)
  expect(dirty.take(1_000)).toBeUndefined()
  expect(dirty.take(1_001)).toEqual([])
})

test("too many files to look at one by one are everything", () => {
  const dirty = makeDirty()
  for (let number = 0; number < 300; number++) dirty.add(`${number}.md`, 0)
  expect(dirty.take(1_000)).toBeUndefined()
  expect(dirty.take(1_001)).toEqual([])
})

test("a clock that was set back names nothing for ever", () => {
  const dirty = makeDirty()
  dirty.add("a.md", 1_000_000)
  expect(dirty.take(1_000)).toEqual(["a.md"])
  expect(dirty.take(1_001)).toEqual([])
})
