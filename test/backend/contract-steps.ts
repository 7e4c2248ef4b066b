/**
 * What carrying out a step promises: a write, a remove or a move happens to exactly the version that was expected, or
 * not at all.
 *
 * A part of the contract of `contract.ts`.
 */

import { beforeEach, describe, expect, test } from "vitest"
import { mustPath } from "../../src/model/path.ts"
import {
  carryOut,
  contentOf,
  type Get,
  type Hand,
  kept,
  known,
  moving,
  MTIME_MS,
  removing,
  skipUnlessMoved,
  type Storage,
  streamOf,
  value,
  writing,
} from "./storage.ts"

export function writingRules({ storage, one, two }: Get): void {
  test.each(["a.md", "d/e/a.md", "\u{1f600}/__proto__"])(
    "writes %j where nothing was, with its time",
    async (path) => {
      const operation = writing(path, "new")
      const mark = value(await one().stage(operation, contentOf("new")))
      expect(value(await one().apply(operation, mark)).kind).toBe("applied")
      const version = value(await one().flush()).get(operation.op)
      expect(kept(storage(), version)).toEqual(kept(storage(), value(await two().look(mustPath(path)))))
      expect(version).toMatchObject({ sizeBytes: 3, mtimeMs: MTIME_MS })
      expect(await storage().tree()).toEqual(new Map([[path, "new"]]))
      expect(value(await one().flush()).size).toBe(0)
    },
  )

  test("writes content that comes in pieces, and content without a byte", async () => {
    expect((await carryOut(one(), writing("a.md", "pieces"), streamOf("pieces"))).kind).toBe("applied")
    expect((await carryOut(one(), writing("b.md", ""), contentOf(""))).kind).toBe("applied")
    expect(await storage().tree()).toEqual(
      new Map([
        ["a.md", "pieces"],
        ["b.md", ""],
      ]),
    )
  })

  test("replaces exactly the version that was expected", async () => {
    await storage().write("a.md", "old")
    const operation = writing("a.md", "new", await known(one(), "a.md"))
    expect((await carryOut(one(), operation, contentOf("new"))).kind).toBe("applied")
    expect(await storage().tree()).toEqual(new Map([["a.md", "new"]]))
    expect(await storage().staged()).toEqual([])
  })

  describe.each(["before it is staged", "between staging and applying"])(
    "when somebody writes %s",
    (when) => {
      const cases: readonly {
        readonly rule: string
        readonly hasOld: boolean
        readonly make: (storage: Storage) => Hand
        readonly left: ReadonlyMap<string, string>
      }[] = [
        {
          rule: "does not replace a file that appeared",
          hasOld: false,
          make: (on) => on.write("a.md", "theirs"),
          left: new Map([["a.md", "theirs"]]),
        },
        {
          rule: "does not replace an edit",
          hasOld: true,
          make: (on) => on.write("a.md", "theirs"),
          left: new Map([["a.md", "theirs"]]),
        },
        {
          rule: "does not bring back what was removed",
          hasOld: true,
          make: (on) => on.remove("a.md"),
          left: new Map(),
        },
      ]
      test.each(cases)("$rule", async ({ hasOld, make, left }) => {
        if (hasOld) await storage().write("a.md", "old")
        const operation = writing("a.md", "new", hasOld ? await known(one(), "a.md") : undefined)
        if (when === "before it is staged") await make(storage())
        const mark = value(await one().stage(operation, contentOf("new")))
        if (when !== "before it is staged") await make(storage())
        expect(value(await one().apply(operation, mark))).toEqual({ kind: "changed" })
        expect(value(await one().flush()).size).toBe(0)
        expect(await storage().tree()).toEqual(left)
        expect(await storage().staged()).toEqual([])
      })
    },
  )

  test("lets one of two devices win that replace the same version", async () => {
    await storage().write("a.md", "old")
    const mine = writing("a.md", "of one", await known(one(), "a.md"))
    const theirs = writing("a.md", "of two", await known(two(), "a.md"))
    const marks = [
      value(await one().stage(mine, contentOf("of one"))),
      value(await two().stage(theirs, contentOf("of two"))),
    ] as const
    expect(value(await two().apply(theirs, marks[1])).kind).toBe("applied")
    expect(value(await one().apply(mine, marks[0])).kind).toBe("changed")
    value(await one().flush())
    value(await two().flush())
    expect(await storage().tree()).toEqual(new Map([["a.md", "of two"]]))
  })
}

export function removingRules({ storage, one }: Get): void {
  test("removes exactly the version that was expected", async () => {
    await storage().write("d/a.md", "old")
    await storage().write("d/b.md", "stays")
    const operation = removing("d/a.md", await known(one(), "d/a.md"))
    expect((await carryOut(one(), operation)).kind).toBe("applied")
    expect(await storage().tree()).toEqual(new Map([["d/b.md", "stays"]]))
  })

  test.each<{
    readonly rule: string
    readonly make: (storage: Storage) => Hand
    readonly left: string
  }>([
    { rule: "does not remove an edit", make: (on) => on.write("a.md", "theirs"), left: "theirs" },
    {
      rule: "does not remove an edit of the same size",
      make: (on) => on.write("a.md", "OLD", MTIME_MS + 5000),
      left: "OLD",
    },
  ])("$rule", async ({ make, left }) => {
    await storage().write("a.md", "old", MTIME_MS)
    const operation = removing("a.md", await known(one(), "a.md"))
    const mark = value(await one().stage(operation, undefined))
    await make(storage())
    expect(value(await one().apply(operation, mark))).toEqual({ kind: "changed" })
    expect((await storage().tree()).get("a.md")).toBe(left)
  })

  test("says that it is gone already, where the storage can tell", async () => {
    await storage().write("a.md", "old", MTIME_MS)
    const operation = removing("a.md", await known(one(), "a.md"))
    const mark = value(await one().stage(operation, undefined))
    await storage().remove("a.md")
    const { kind } = value(await one().apply(operation, mark))
    const cannotTell = storage().traits?.removesWhatIsGone === true
    expect(cannotTell ? ["applied", "changed"] : ["changed"]).toContain(kind)
    expect(await storage().tree()).toEqual(new Map())
  })
}

export function movingRules({ storage, one, two }: Get): void {
  beforeEach((context) => skipUnlessMoved(context, one()))

  test.each(["b.md", "new/deep/b.md", "d/b.md"])("moves to %j with bytes and time", async (to) => {
    await storage().write("d/a.md", "text", MTIME_MS)
    const operation = moving("d/a.md", to, await known(one(), "d/a.md"))
    const mark = value(await one().stage(operation, undefined))
    expect(value(await one().apply(operation, mark)).kind).toBe("applied")
    const version = value(await one().flush()).get(operation.op)
    const seen = value(await two().look(mustPath(to)))
    expect(kept(storage(), version)).toEqual(kept(storage(), seen))
    const moved = kept(storage(), { sizeBytes: 4, mtimeMs: MTIME_MS })
    expect(kept(storage(), version)).toMatchObject(moved ?? {})
    expect(await storage().tree()).toEqual(new Map([[to, "text"]]))
    expect(value(await one().asides())).toEqual([])
  })

  test.each<{
    readonly rule: string
    readonly make: (storage: Storage) => Hand
    readonly left: Readonly<Record<string, string>>
  }>([
    {
      rule: "does not move onto a file that appeared",
      make: (on) => on.write("b.md", "theirs"),
      left: { "a.md": "old", "b.md": "theirs" },
    },
    {
      rule: "does not move a file that was edited",
      make: (on) => on.write("a.md", "theirs"),
      left: { "a.md": "theirs" },
    },
    { rule: "does not move a file that is gone", make: (on) => on.remove("a.md"), left: {} },
  ])("$rule", async ({ make, left }) => {
    await storage().write("a.md", "old", MTIME_MS)
    const operation = moving("a.md", "b.md", await known(one(), "a.md"))
    const mark = value(await one().stage(operation, undefined))
    await make(storage())
    expect(value(await one().apply(operation, mark))).toEqual({ kind: "changed" })
    expect(Object.fromEntries(await storage().tree())).toEqual(left)
    expect(value(await one().flush()).size).toBe(0)
  })

  test("swaps nothing: of two moves that meet on one name, one finds it taken", async () => {
    await storage().write("a.md", "of a")
    await storage().write("b.md", "of b")
    const first = moving("a.md", "c.md", await known(one(), "a.md"))
    const second = moving("b.md", "c.md", await known(two(), "b.md"))
    const kinds = await Promise.all([carryOut(one(), first), carryOut(two(), second)])
    expect(kinds.map(({ kind }) => kind).toSorted()).toEqual(["applied", "changed"])
    expect([...(await storage().tree()).values()].toSorted()).toEqual(["of a", "of b"])
  })
}
