/**
 * What every backend must do: one suite, run by the remote in memory, by folders and by buckets. A new backend is a
 * five-line test.
 *
 * What carrying out a step promises is in `contract-steps.ts`, settling after a crash in `contract-settle.ts`; what only
 * folders promise in `contract-folder.ts`, what only buckets do in `contract-s3.ts`.
 */

import { afterEach, beforeEach, describe, expect, test } from "vitest"
import type { DeviceId } from "../../src/model/ids.ts"
import { mustPath } from "../../src/model/path.ts"
import type { Backend, Content } from "../../src/model/ports.ts"
import type { Operation } from "../../src/model/action.ts"
import { settling, settlingTwice } from "./contract-settle.ts"
import { movingRules, removingRules, writingRules } from "./contract-steps.ts"
import {
  contentOf,
  EVERYTHING,
  type Get,
  type Hand,
  kept,
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

/**
 * `isSlow`: a device that dies twice is left to storages in memory, where hundreds of lives cost nothing. `every`: as
 * settling takes it.
 */
export function backendContract(
  name: string,
  open: () => Storage | Promise<Storage>,
  options: { readonly isSlow?: boolean; readonly every?: number } = {},
): void {
  describe(name, () => {
    let storage: Storage
    let one: Backend
    let two: Backend
    beforeEach(async () => {
      storage = await open()
      one = (await storage.start("one")).backend
      two = (await storage.start("two")).backend
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
      settling(open, options)
      if (options.isSlow !== true) settlingTwice(open)
    })
    describe("the epoch", () => epoch(get))
  })
}

const NAMES = ["\u{1f600}.md", "\uff21.md", "a/b.md", "a.md", "a0.md", "z", "-rf", "__proto__", "é", "a\nb"]
const CHANGED = { ok: false, error: { code: "changed_since", path: "a.md" } }

async function digestOf(backend: Backend): Promise<string> {
  return value(await backend.list(EVERYTHING)).digest
}

function listing({ storage, one, two }: Get): void {
  test("lists files in byte order of whole paths, whatever UTF-16 says", async () => {
    const cannot = storage().traits?.cannotName ?? []
    const names = NAMES.filter((name) => !cannot.includes(name))
    for (const name of names) await storage().write(name, name)
    const { files, count, unknowns } = value(await one().list(EVERYTHING))
    const expected = names.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
    expect(files.map(({ path }) => path)).toEqual(expected)
    expect({ count, unknowns }).toEqual({ count: names.length, unknowns: [] })
  })

  test("shows in the listing the version that a look shows", async () => {
    await storage().write("a/b.md", "text", MTIME_MS)
    const [file] = value(await one().list(EVERYTHING)).files
    const seen = value(await one().look(mustPath("a/b.md")))
    expect(kept(storage(), seen)).toMatchObject(kept(storage(), { sizeBytes: 4, mtimeMs: MTIME_MS }) ?? {})
    if (storage().traits?.listsUploadTimes === true) {
      const { token, sizeBytes } = file?.version ?? {}
      expect(file).toMatchObject({ path: "a/b.md", version: { isUploadTime: true } })
      expect({ token, sizeBytes }).toEqual({ token: seen?.token, sizeBytes: 4 })
      // Who wrote it is for a look to tell.
    } else expect(file).toEqual({ path: "a/b.md", version: { ...seen, lineage: undefined } })
  })

  test("has equal digests for equal states, on every device", async () => {
    await storage().write("a.md", "one")
    await storage().write("d/b.md", "two")
    expect(await digestOf(one())).toBe(await digestOf(two()))
    expect(await digestOf(one())).toBe(await digestOf(one()))
  })

  test.each<{ readonly change: string; readonly make: (storage: Storage) => Hand }>([
    { change: "a new file", make: (on) => on.write("new.md", "x") },
    { change: "another content", make: (on) => on.write("a.md", "longer than before") },
    { change: "a file that is gone", make: (on) => on.remove("a.md") },
    {
      change: "the same content under another name",
      make: async (on) => {
        await on.remove("a.md")
        await on.write("b.md", "one", MTIME_MS)
      },
    },
  ])("has another digest after $change", async ({ make }) => {
    await storage().write("a.md", "one", MTIME_MS)
    const before = await digestOf(one())
    await make(storage())
    expect(await digestOf(one())).not.toBe(before)
  })

  test("has another digest after another time only, unless equal contents are one version", async () => {
    await storage().write("a.md", "one", MTIME_MS)
    const before = await digestOf(one())
    await storage().write("a.md", "one", MTIME_MS + 60_000)
    const isUnseen = storage().traits?.equalContentIsOneVersion === true
    expect((await digestOf(one())) === before).toBe(isUnseen)
  })

  test("never shows a storage that is gone as an empty one", async () => {
    await storage().write("a.md", "one")
    const version = await known(one(), "a.md")
    value(await one().createEpoch("e1"))
    await storage().vanish()
    const looks = [await one().look(mustPath("a.md")), await one().look(mustPath("other.md"))]
    const answers = [
      await one().list(EVERYTHING),
      await one().read(mustPath("a.md"), version),
      await one().readEpoch([]),
      await one().appendEpoch({ nonce: "n", device: "d1" as DeviceId }),
      ...(storage().traits?.looksCannotTell === true ? [] : looks),
    ]
    expect(answers.map(({ ok }) => ok)).toEqual(answers.map(() => false))
  })
}

function looking({ storage, one }: Get): void {
  test("sees nothing where nothing is, also below a name that is a file's", async () => {
    await storage().write("a.md", "text")
    expect(value(await one().look(mustPath("b.md")))).toBeUndefined()
    expect(value(await one().look(mustPath("none/b.md")))).toBeUndefined()
    expect(value(await one().look(mustPath("a.md/b.md")))).toBeUndefined()
  })

  test("reads exactly the version that was seen", async () => {
    await storage().write("a.md", "text ä \0")
    const version = value(await one().look(mustPath("a.md")))
    if (version === undefined) throw new Error("a.md is not there")
    const content = value(await one().read(mustPath("a.md"), version))
    expect(await textOf(content)).toBe("text ä \0")
    expect(content.hash).toBe(contentOf("text ä \0").hash)
  })

  test.each<{ readonly what: string; readonly make: (storage: Storage) => Hand }>([
    { what: "was edited", make: (on) => on.write("a.md", "other text") },
    { what: "was edited to the same size", make: (on) => on.write("a.md", "TEXT", MTIME_MS + 5000) },
    { what: "is gone", make: (on) => on.remove("a.md") },
  ])("says changed_since instead of reading a file that $what", async ({ make }) => {
    await storage().write("a.md", "text", MTIME_MS)
    const version = await known(one(), "a.md")
    await make(storage())
    expect(await one().read(mustPath("a.md"), version)).toMatchObject(CHANGED)
  })

  test("says changed_since of a file that was written again as it was, unless equal contents are one version", async () => {
    await storage().write("a.md", "text", MTIME_MS)
    const version = await known(one(), "a.md")
    await storage().remove("a.md")
    await storage().write("other.md", "takes the inode")
    await storage().write("a.md", "text", MTIME_MS)
    const read = await one().read(mustPath("a.md"), version)
    if (storage().traits?.equalContentIsOneVersion === true) expect(await textOf(value(read))).toBe("text")
    else expect(read).toMatchObject(CHANGED)
  })
}

function staging({ storage, one, two }: Get): void {
  test("changes nothing that anybody sees", async () => {
    await storage().write("a.md", "old")
    const version = await known(one(), "a.md")
    const before = await digestOf(two())
    value(await one().stage(writing("a.md", "new", version), contentOf("new")))
    value(await one().stage(writing("d/b.md", "new"), contentOf("new")))
    value(await one().stage(removing("a.md", version), undefined))
    value(await one().stage(moving("a.md", "c.md", version), undefined))
    expect(await storage().tree()).toEqual(new Map([["a.md", "old"]]))
    expect(await digestOf(two())).toBe(before)
  })

  test("leaves nothing behind once it is given up", async () => {
    await storage().write("a.md", "old")
    const version = await known(one(), "a.md")
    const given: readonly (readonly [Operation, Content | undefined])[] = [
      [writing("a.md", "new", version), contentOf("new")],
      [writing("b.md", "new"), streamOf("new")],
      [removing("a.md", version), undefined],
      [moving("a.md", "c.md", version), undefined],
    ]
    for (const [operation, content] of given) value(await one().stage(operation, content))
    for (const [operation] of given) await one().unstage(operation)
    expect(await storage().staged()).toEqual([])
    expect(await storage().tree()).toEqual(new Map([["a.md", "old"]]))
  })

  test("hands on the trouble of content that breaks off, and leaves nothing of it", async () => {
    const staged = await one().stage(writing("a.md", "new"), streamOf("new", { breaks: true }))
    expect(staged).toEqual({ ok: false, error: { code: "changed_since", path: "source.md" } })
    expect(await storage().staged()).toEqual([])
  })

  test("discards what this device staged, and nothing that another did", async () => {
    value(await one().stage(writing("a.md", "mine"), contentOf("mine")))
    const theirs = writing("b.md", "theirs")
    const mark = value(await two().stage(theirs, contentOf("theirs")))
    await (await storage().start("one")).backend.discardStaged()
    expect(value(await two().apply(theirs, mark)).kind).toBe("applied")
    value(await two().flush())
    expect(await storage().tree()).toEqual(new Map([["b.md", "theirs"]]))
    expect(await storage().staged()).toEqual([])
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
    expect(await storage().staged()).toEqual([])
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
    const pairs = added
      .flatMap((each) => (each.ok ? [each.value] : []))
      .toSorted((a, b) => a.counter - b.counter)
    const { chain } = value(await one().readEpoch([])) ?? { chain: [] }
    if (storage().traits?.replacesInSight === true) {
      // Some may have heard nonsense, and theirs may have landed all the same.
      expect(chain).toEqual(expect.arrayContaining(pairs))
      expect(new Set(chain.map(({ nonce }) => nonce)).size).toBe(chain.length)
    } else {
      expect(pairs.map(({ counter }) => counter)).toEqual([1, 2, 3, 4, 5, 6, 7, 8])
      expect(chain).toEqual(pairs)
    }
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
