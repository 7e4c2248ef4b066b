/**
 * What every backend must do: one suite, run by the remote in memory and by folders. A new backend is a five-line test.
 *
 * Settling after a crash is in `contract-settle.ts`; what only folders promise in `contract-folder.ts`.
 */

import { afterEach, beforeEach, describe, expect, test } from "vitest"
import type { DeviceId } from "../../src/model/ids.ts"
import { mustPath } from "../../src/model/path.ts"
import type { Applied, Backend, Content } from "../../src/model/ports.ts"
import type { Operation } from "../../src/model/action.ts"
import { settling, settlingTwice } from "./contract-settle.ts"
import {
  contentOf,
  known,
  moving,
  MTIME_MS,
  removing,
  type Storage,
  streamOf,
  textOf,
  value,
  writing,
} from "./storage.ts"

export interface Get {
  storage(): Storage
  one(): Backend
  two(): Backend
}

/** `isSlow`: a device that dies twice is left to storages in memory, where hundreds of lives cost nothing. */
export function backendContract(
  name: string,
  open: () => Storage,
  options: { readonly isSlow?: boolean } = {},
): void {
  describe(name, () => {
    let storage: Storage
    let one: Backend
    let two: Backend
    beforeEach(() => {
      storage = open()
      one = storage.start("one").backend
      two = storage.start("two").backend
    })
    afterEach(() => storage.close())
    const get: Get = { storage: () => storage, one: () => one, two: () => two }
    describe("listing", () => listing(get))
    describe("looking and reading", () => looking(get))
    describe("staging", () => staging(get))
    describe("writing", () => writingRules(get))
    describe("removing", () => removingRules(get))
    describe("moving", () => movingRules(get))
    describe("settling", () => {
      settling(open)
      if (options.isSlow !== true) settlingTwice(open)
    })
    describe("the epoch", () => epoch(get))
  })
}

const EVERYTHING = { ignoresDirectory: () => false }

async function digestOf(backend: Backend): Promise<string> {
  return value(await backend.list(EVERYTHING)).digest
}

/** Stages and applies; what was applied is made durable. */
export async function carryOut(backend: Backend, operation: Operation, content?: Content): Promise<Applied> {
  const mark = value(await backend.stage(operation, content))
  const applied = value(await backend.apply(operation, mark))
  value(await backend.flush())
  return applied
}

function listing({ storage, one, two }: Get): void {
  test("lists files in byte order of whole paths, whatever UTF-16 says", async () => {
    const names = [
      "\u{1f600}.md",
      "\uff21.md",
      "a/b.md",
      "a.md",
      "a0.md",
      "z",
      "-rf",
      "__proto__",
      "é",
      "a\nb",
    ]
    for (const name of names) storage().write(name, name)
    const { files, count, unknowns } = value(await one().list(EVERYTHING))
    const expected = names.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
    expect(files.map(({ path }) => path)).toEqual(expected)
    expect({ count, unknowns }).toEqual({ count: names.length, unknowns: [] })
  })

  test("shows in the listing the version that a look shows", async () => {
    storage().write("a/b.md", "text", MTIME_MS)
    const [file] = value(await one().list(EVERYTHING)).files
    expect(file).toEqual({ path: "a/b.md", version: value(await one().look(mustPath("a/b.md"))) })
    expect(file?.version).toMatchObject({ sizeBytes: 4, mtimeMs: MTIME_MS })
  })

  test("has equal digests for equal states, on every device", async () => {
    storage().write("a.md", "one")
    storage().write("d/b.md", "two")
    expect(await digestOf(one())).toBe(await digestOf(two()))
    expect(await digestOf(one())).toBe(await digestOf(one()))
  })

  test.each<{ readonly change: string; readonly make: (storage: Storage) => void }>([
    { change: "a new file", make: (on) => on.write("new.md", "x") },
    { change: "another content", make: (on) => on.write("a.md", "longer than before") },
    { change: "another time only", make: (on) => on.write("a.md", "one", MTIME_MS + 60_000) },
    { change: "a file that is gone", make: (on) => on.remove("a.md") },
    {
      change: "the same content under another name",
      make: (on) => {
        on.remove("a.md")
        on.write("b.md", "one", MTIME_MS)
      },
    },
  ])("has another digest after $change", async ({ make }) => {
    storage().write("a.md", "one", MTIME_MS)
    const before = await digestOf(one())
    make(storage())
    expect(await digestOf(one())).not.toBe(before)
  })

  test("never shows a storage that is gone as an empty one", async () => {
    storage().write("a.md", "one")
    const version = await known(one(), "a.md")
    value(await one().createEpoch("e1"))
    storage().vanish()
    const answers = [
      await one().list(EVERYTHING),
      await one().look(mustPath("a.md")),
      await one().look(mustPath("other.md")),
      await one().read(mustPath("a.md"), version),
      await one().readEpoch([]),
      await one().appendEpoch({ nonce: "n", device: "d1" as DeviceId }),
    ]
    expect(answers.map(({ ok }) => ok)).toEqual(answers.map(() => false))
  })
}

function looking({ storage, one }: Get): void {
  test("sees nothing where nothing is, also below a name that is a file's", async () => {
    storage().write("a.md", "text")
    expect(value(await one().look(mustPath("b.md")))).toBeUndefined()
    expect(value(await one().look(mustPath("none/b.md")))).toBeUndefined()
    expect(value(await one().look(mustPath("a.md/b.md")))).toBeUndefined()
  })

  test("reads exactly the version that was seen", async () => {
    storage().write("a.md", "text ä \0")
    const version = value(await one().look(mustPath("a.md")))
    if (version === undefined) throw new Error("a.md is not there")
    const content = value(await one().read(mustPath("a.md"), version))
    expect(await textOf(content)).toBe("text ä \0")
    expect(content.hash).toBe(contentOf("text ä \0").hash)
  })

  test.each<{ readonly what: string; readonly make: (storage: Storage) => void }>([
    { what: "was edited", make: (on) => on.write("a.md", "other text") },
    { what: "was edited to the same size", make: (on) => on.write("a.md", "TEXT", MTIME_MS + 5000) },
    { what: "is gone", make: (on) => on.remove("a.md") },
    {
      what: "was removed and written again",
      make: (on) => {
        on.remove("a.md")
        on.write("other.md", "takes the inode")
        on.write("a.md", "text", MTIME_MS)
      },
    },
  ])("says changed_since instead of reading a file that $what", async ({ make }) => {
    storage().write("a.md", "text", MTIME_MS)
    const version = await known(one(), "a.md")
    make(storage())
    expect(await one().read(mustPath("a.md"), version)).toMatchObject({
      ok: false,
      error: { code: "changed_since", path: "a.md" },
    })
  })
}

function staging({ storage, one, two }: Get): void {
  test("changes nothing that anybody sees", async () => {
    storage().write("a.md", "old")
    const version = await known(one(), "a.md")
    const before = await digestOf(two())
    value(await one().stage(writing("a.md", "new", version), contentOf("new")))
    value(await one().stage(writing("d/b.md", "new"), contentOf("new")))
    value(await one().stage(removing("a.md", version), undefined))
    value(await one().stage(moving("a.md", "c.md", version), undefined))
    expect(storage().tree()).toEqual(new Map([["a.md", "old"]]))
    expect(await digestOf(two())).toBe(before)
  })

  test("leaves nothing behind once it is given up", async () => {
    storage().write("a.md", "old")
    const version = await known(one(), "a.md")
    const given: readonly (readonly [Operation, Content | undefined])[] = [
      [writing("a.md", "new", version), contentOf("new")],
      [writing("b.md", "new"), streamOf("new")],
      [removing("a.md", version), undefined],
      [moving("a.md", "c.md", version), undefined],
    ]
    for (const [operation, content] of given) value(await one().stage(operation, content))
    for (const [operation] of given) await one().unstage(operation)
    expect(storage().staged()).toEqual([])
    expect(storage().tree()).toEqual(new Map([["a.md", "old"]]))
  })

  test("hands on the trouble of content that breaks off, and leaves nothing of it", async () => {
    const staged = await one().stage(writing("a.md", "new"), streamOf("new", { breaks: true }))
    expect(staged).toEqual({ ok: false, error: { code: "changed_since", path: "source.md" } })
    expect(storage().staged()).toEqual([])
  })

  test("discards what this device staged, and nothing that another did", async () => {
    value(await one().stage(writing("a.md", "mine"), contentOf("mine")))
    const theirs = writing("b.md", "theirs")
    const mark = value(await two().stage(theirs, contentOf("theirs")))
    await storage().start("one").backend.discardStaged()
    expect(value(await two().apply(theirs, mark)).kind).toBe("applied")
    value(await two().flush())
    expect(storage().tree()).toEqual(new Map([["b.md", "theirs"]]))
    expect(storage().staged()).toEqual([])
  })
}

function writingRules({ storage, one, two }: Get): void {
  test.each(["a.md", "d/e/a.md", "\u{1f600}/__proto__"])(
    "writes %j where nothing was, with its time",
    async (path) => {
      const operation = writing(path, "new")
      const mark = value(await one().stage(operation, contentOf("new")))
      expect(value(await one().apply(operation, mark)).kind).toBe("applied")
      const version = value(await one().flush()).get(operation.op)
      expect(version).toEqual(value(await two().look(mustPath(path))))
      expect(version).toMatchObject({ sizeBytes: 3, mtimeMs: MTIME_MS })
      expect(storage().tree()).toEqual(new Map([[path, "new"]]))
      expect(value(await one().flush()).size).toBe(0)
    },
  )

  test("writes content that comes in pieces, and content without a byte", async () => {
    expect((await carryOut(one(), writing("a.md", "pieces"), streamOf("pieces"))).kind).toBe("applied")
    expect((await carryOut(one(), writing("b.md", ""), contentOf(""))).kind).toBe("applied")
    expect(storage().tree()).toEqual(
      new Map([
        ["a.md", "pieces"],
        ["b.md", ""],
      ]),
    )
  })

  test("replaces exactly the version that was expected", async () => {
    storage().write("a.md", "old")
    const operation = writing("a.md", "new", await known(one(), "a.md"))
    expect((await carryOut(one(), operation, contentOf("new"))).kind).toBe("applied")
    expect(storage().tree()).toEqual(new Map([["a.md", "new"]]))
    expect(storage().staged()).toEqual([])
  })

  describe.each(["before it is staged", "between staging and applying"])(
    "when somebody writes %s",
    (when) => {
      const cases: readonly {
        readonly rule: string
        readonly hasOld: boolean
        readonly make: (storage: Storage) => void
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
        if (hasOld) storage().write("a.md", "old")
        const operation = writing("a.md", "new", hasOld ? await known(one(), "a.md") : undefined)
        if (when === "before it is staged") make(storage())
        const mark = value(await one().stage(operation, contentOf("new")))
        if (when !== "before it is staged") make(storage())
        expect(value(await one().apply(operation, mark))).toEqual({ kind: "changed" })
        expect(value(await one().flush()).size).toBe(0)
        expect(storage().tree()).toEqual(left)
        expect(storage().staged()).toEqual([])
      })
    },
  )

  test("lets one of two devices win that replace the same version", async () => {
    storage().write("a.md", "old")
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
    expect(storage().tree()).toEqual(new Map([["a.md", "of two"]]))
  })
}

function removingRules({ storage, one }: Get): void {
  test("removes exactly the version that was expected", async () => {
    storage().write("d/a.md", "old")
    storage().write("d/b.md", "stays")
    const operation = removing("d/a.md", await known(one(), "d/a.md"))
    expect((await carryOut(one(), operation)).kind).toBe("applied")
    expect(storage().tree()).toEqual(new Map([["d/b.md", "stays"]]))
  })

  test.each<{
    readonly rule: string
    readonly make: (storage: Storage) => void
    readonly left: string | undefined
  }>([
    { rule: "does not remove an edit", make: (on) => on.write("a.md", "theirs"), left: "theirs" },
    {
      rule: "does not remove an edit of the same size",
      make: (on) => on.write("a.md", "OLD", MTIME_MS + 5000),
      left: "OLD",
    },
    { rule: "says so when it is gone already", make: (on) => on.remove("a.md"), left: undefined },
  ])("$rule", async ({ make, left }) => {
    storage().write("a.md", "old", MTIME_MS)
    const operation = removing("a.md", await known(one(), "a.md"))
    const mark = value(await one().stage(operation, undefined))
    make(storage())
    expect(value(await one().apply(operation, mark))).toEqual({ kind: "changed" })
    expect(storage().tree().get("a.md")).toBe(left)
  })
}

function movingRules({ storage, one, two }: Get): void {
  test.each(["b.md", "new/deep/b.md", "d/b.md"])("moves to %j with bytes and time", async (to) => {
    storage().write("d/a.md", "text", MTIME_MS)
    const operation = moving("d/a.md", to, await known(one(), "d/a.md"))
    const mark = value(await one().stage(operation, undefined))
    expect(value(await one().apply(operation, mark)).kind).toBe("applied")
    const version = value(await one().flush()).get(operation.op)
    expect(version).toEqual(value(await two().look(mustPath(to))))
    expect(version).toMatchObject({ sizeBytes: 4, mtimeMs: MTIME_MS })
    expect(storage().tree()).toEqual(new Map([[to, "text"]]))
    expect(value(await one().asides())).toEqual([])
  })

  test.each<{
    readonly rule: string
    readonly make: (storage: Storage) => void
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
    storage().write("a.md", "old", MTIME_MS)
    const operation = moving("a.md", "b.md", await known(one(), "a.md"))
    const mark = value(await one().stage(operation, undefined))
    make(storage())
    expect(value(await one().apply(operation, mark))).toEqual({ kind: "changed" })
    expect(Object.fromEntries(storage().tree())).toEqual(left)
    expect(value(await one().flush()).size).toBe(0)
  })

  test("swaps nothing: of two moves that meet on one name, one finds it taken", async () => {
    storage().write("a.md", "of a")
    storage().write("b.md", "of b")
    const first = moving("a.md", "c.md", await known(one(), "a.md"))
    const second = moving("b.md", "c.md", await known(two(), "b.md"))
    const kinds = await Promise.all([carryOut(one(), first), carryOut(two(), second)])
    expect(kinds.map(({ kind }) => kind).toSorted()).toEqual(["applied", "changed"])
    expect([...storage().tree().values()].toSorted()).toEqual(["of a", "of b"])
  })
}

function epoch({ storage, one, two }: Get): void {
  const [deviceOne, deviceTwo] = ["d1" as DeviceId, "d2" as DeviceId]

  test("is nothing before it is created, and is created once", async () => {
    expect(value(await one().readEpoch([]))).toBeUndefined()
    value(await one().createEpoch("first"))
    expect(await two().createEpoch("second")).toMatchObject({ ok: false, error: { detail: "EEXIST" } })
    expect(value(await two().readEpoch([]))).toMatchObject({ id: "first", chain: [] })
  })

  test("cannot be added to where there is none", async () => {
    expect(await one().appendEpoch({ nonce: "n", device: deviceOne })).toMatchObject({ ok: false })
    expect(value(await one().readEpoch([]))).toBeUndefined()
  })

  test("is no note, and not seen in a listing", async () => {
    value(await one().createEpoch("e"))
    const before = await digestOf(one())
    value(await one().appendEpoch({ nonce: "n", device: deviceOne }))
    expect(value(await two().list(EVERYTHING))).toMatchObject({ files: [], unknowns: [], digest: before })
    expect(storage().staged()).toEqual([])
  })

  test("gives increasing counters to devices that add at the same moment, none twice", async () => {
    value(await one().createEpoch("e"))
    const added = await Promise.all(
      Array.from({ length: 8 }, (_, index) =>
        index % 2 === 0
          ? one().appendEpoch({ nonce: `n${index}`, device: deviceOne })
          : two().appendEpoch({ nonce: `n${index}`, device: deviceTwo }),
      ),
    )
    const pairs = added.map(value).toSorted((a, b) => a.counter - b.counter)
    expect(pairs.map(({ counter }) => counter)).toEqual([1, 2, 3, 4, 5, 6, 7, 8])
    expect(value(await one().readEpoch([]))?.chain).toEqual(pairs)
  })

  test("answers the known counters that are kept, and every newer pair, oldest first", async () => {
    value(await one().createEpoch("e"))
    const pairs = []
    for (const nonce of ["a", "b", "c", "d", "e"])
      pairs.push(value(await one().appendEpoch({ nonce, device: deviceOne })))
    const counters = async (asked: readonly number[]) =>
      value(await two().readEpoch(asked))?.chain.map(({ counter }) => counter)
    expect(await counters([1, 3])).toEqual([1, 3, 4, 5])
    expect(await counters([5])).toEqual([5])
    expect(await counters([5, 99])).toEqual([5])
    expect(value(await two().readEpoch([4]))?.chain).toEqual(pairs.slice(3))
  })
}
