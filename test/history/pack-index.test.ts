/** The index finds what a pack holds, also beyond 2 GiB, and is believed only when its checksum is right. */

import { expect, test } from "vitest"
import { oidOf } from "../../src/history/git-object.ts"
import { encodeIndex, parseIndex } from "../../src/history/pack-index.ts"

const entries = Array.from({ length: 2000 }, (_, i) => ({
  oid: oidOf("blob", Buffer.from(`${i}`)),
  offset: i < 1990 ? 12 + i : 2 ** 31 + i * 2 ** 32,
  crc: (i * 2_654_435_761) >>> 0,
}))
const bytes = encodeIndex(entries, Buffer.alloc(20, 7))

test("every object is found at its offset, and nothing else is found", () => {
  const index = parseIndex(bytes)
  for (const { oid, offset } of entries) expect(index?.offsetOf(Buffer.from(oid, "hex"))).toBe(offset)
  for (const absent of [Buffer.alloc(20, 0), Buffer.alloc(20, 255)])
    expect(index?.offsetOf(absent)).toBeUndefined()
})

test("the entries come back in the order of the pack", () => {
  expect(parseIndex(bytes)?.entries()).toEqual(entries)
})

test("an index without objects is one", () => {
  expect(parseIndex(encodeIndex([], Buffer.alloc(20)))?.count).toBe(0)
})

test.each([
  ["cut", bytes.subarray(0, bytes.length - 30)],
  ["empty", Buffer.alloc(0)],
  ["of zeros", Buffer.alloc(2000)],
  [
    "of a flipped bit",
    Buffer.concat([bytes.subarray(0, 5000), Buffer.from([bytes.readUInt8(5000) ^ 1]), bytes.subarray(5001)]),
  ],
  [
    "of a count beyond its end",
    Buffer.concat([bytes.subarray(0, 1028), Buffer.alloc(4, 255), bytes.subarray(1032)]),
  ],
])("an index that is %s is not believed", (_, damaged) => {
  expect(parseIndex(damaged)).toBeUndefined()
})
