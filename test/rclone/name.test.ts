/** Names go to rclone as it says them, and come back as they are. */

import { describe, expect, test } from "vitest"
import { fromRcloneName, toRcloneName } from "../../src/rclone/name.ts"

describe("a name", () => {
  test.each([
    ["notes/ä é 日本.md", "notes/ä é 日本.md"],
    ["a\nb", "a␊b"],
    ["a\tb/c\u007fd", "a␉b/c␡d"],
    ["a␊b", "a‛␊b"],
    ["a␡b", "a‛␡b"],
    ["a‛b", "a‛‛b"],
    ["a‛␊b", "a‛‛‛␊b"],
    ["a‛\nb", "a‛‛␊b"],
    // Every storage has its own exchange for these, and rclone makes it.
    ["a／b", "a／b"],
    ["a‛／b", "a‛／b"],
    ["．", "．"],
    ["␀", "␀"],
    ["a:b?c*d", "a:b?c*d"],
  ])("%j is %j to rclone", (name, said) => {
    expect(toRcloneName(name)).toBe(said)
    expect(fromRcloneName(said)).toBe(name)
  })

  test("of any of these characters, in any order, comes back", () => {
    const characters = ["a", "\n", "\u007f", "\u0001", "\u001f", "␁", "␟", "␡", "‛", "␀", "／"]
    const ofLength = (length: number): readonly string[] =>
      length === 0 ? [""] : ofLength(length - 1).flatMap((start) => characters.map((each) => start + each))
    // A mark before a sign that is not exchanged is a mark that is not one.
    const isTold = (name: string) => !/‛[␀／]/.test(name)
    const names = [1, 2, 3, 4].flatMap(ofLength).filter(isTold)
    expect(names.filter((name) => fromRcloneName(toRcloneName(name)) !== name)).toEqual([])
    expect(new Set(names.map(toRcloneName)).size).toBe(names.length)
  })
})
