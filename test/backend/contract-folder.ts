/** What only folders promise: replaced files wait in the trash, and directories exist by themselves. */

import { afterEach, beforeEach, describe, expect, test } from "vitest"
import type { Operation } from "../../src/model/action.ts"
import { mustPath } from "../../src/model/path.ts"
import type { Backend } from "../../src/model/ports.ts"
import { EPOCH_DIRECTORY, RETIRED_SUFFIX, trashPath } from "../../src/disk/layout.ts"
import type { DeviceId } from "../../src/model/ids.ts"
import { directoriesOn } from "./contract-settle.ts"
import { DEVICES } from "./folder-storage.ts"
import {
  carryOut,
  contentOf,
  EVERYTHING,
  type FolderStorage,
  type Get as GetFrom,
  known,
  moving,
  removing,
  textOf,
  value,
  writing,
} from "./storage.ts"

const ELEVEN_MINUTES_MS = 11 * 60 * 1000

type Get = GetFrom<FolderStorage>

export function folderContract(name: string, open: () => FolderStorage): void {
  describe(name, () => {
    let storage: FolderStorage
    let one: Backend
    let two: Backend
    beforeEach(() => {
      storage = open()
      one = storage.start("one").backend
      two = storage.start("two").backend
    })
    afterEach(() => storage.close())
    const get: Get = { storage: () => storage, one: () => one, two: () => two }
    describe("asides", () => {
      keeping(get)
      givingBack(get)
    })
    describe("asides of several devices", () => betweenDevices(get))
    describe("directories", () => directories(get))
    describe("thinning the epoch", () => thinning(get))
  })
}

/** Removes or replaces `d/a.md`, which held `old`, and answers the aside. */
async function putAside(
  { storage, one }: Get,
  step: "replace" | "remove",
): Promise<{ readonly operation: Operation; readonly aside: { path: string; token: string; atMs: number } }> {
  storage().write("d/a.md", "old")
  const version = await known(one(), "d/a.md")
  const operation = step === "replace" ? writing("d/a.md", "new", version) : removing("d/a.md", version)
  const applied = await carryOut(one(), operation, step === "replace" ? contentOf("new") : undefined)
  if (applied.kind !== "applied" || applied.aside === undefined) throw new Error("nothing was put aside")
  return { operation, aside: { path: "d/a.md", ...applied.aside } }
}

function keeping(get: Get): void {
  const { storage, one } = get

  test.each(["replace", "remove"] as const)(
    "hold what a %s took away, until they are dropped",
    async (step) => {
      const { operation, aside } = await putAside(get, step)
      const { op } = operation
      const path = mustPath("d/a.md")
      const at = { op, path, token: aside.token }
      expect(value(await one().asides())).toMatchObject([{ ...at, isRetired: false }])
      expect(await textOf(value(await one().readAside(at)))).toBe("old")
      await one().retireAside(op)
      expect(value(await one().asides())).toMatchObject([{ ...at, isRetired: true }])
      expect(await textOf(value(await one().readAside(at)))).toBe("old")
      expect(value(await one().dropAside(at))).toBe("dropped")
      expect(value(await one().dropAside(at))).toBe("gone")
      expect(value(await one().asides())).toEqual([])
      expect(storage().staged()).toEqual([])
    },
  )

  test("are not dropped once an editor saved into them", async () => {
    const { folder } = storage()
    const { operation, aside } = await putAside(get, "replace")
    await one().retireAside(operation.op)
    folder.writeOpened(`${trashPath(DEVICES.one, operation.op)}${RETIRED_SUFFIX}/d/a.md`, "saved late")
    const at = { op: operation.op, path: mustPath("d/a.md"), token: aside.token }
    expect(value(await one().dropAside(at))).toBe("changed")
    expect(await textOf(value(await one().readAside(at)))).toBe("saved late")
  })
}

function givingBack(get: Get): void {
  const { storage, one } = get

  const cases: readonly {
    readonly rule: string
    readonly make: (storage: FolderStorage) => void
    readonly goes: string
    readonly left: Readonly<Record<string, string>>
  }[] = [
    { rule: "at its path", make: () => {}, goes: "d/a.md", left: { "d/a.md": "old" } },
    {
      rule: "at a conflict name where the path is taken",
      make: (on) => on.write("d/a.md", "theirs"),
      goes: "d/a.md.conflict1",
      left: { "d/a.md": "theirs", "d/a.md.conflict1": "old" },
    },
    {
      rule: "at the next free conflict name",
      make: (on) => {
        on.write("d/a.md", "theirs")
        on.write("d/a.md.conflict1", "another")
      },
      goes: "d/a.md.conflict2",
      left: { "d/a.md": "theirs", "d/a.md.conflict1": "another", "d/a.md.conflict2": "old" },
    },
    {
      rule: "beside a file that its directory has become",
      make: (on) => on.write("d", "a file now"),
      goes: "a.md.conflict1",
      left: { d: "a file now", "a.md.conflict1": "old" },
    },
    {
      rule: "at a conflict name where a directory has its name",
      make: (on) => on.write("d/a.md/x.md", "below"),
      goes: "d/a.md.conflict1",
      left: { "d/a.md/x.md": "below", "d/a.md.conflict1": "old" },
    },
  ]
  test.each(cases)("go back $rule", async ({ make, goes, left }) => {
    const { operation } = await putAside(get, "remove")
    await one().retireAside(operation.op)
    make(storage())
    const restored = await one().restoreAside({ op: operation.op, path: mustPath("d/a.md") })
    expect(restored).toEqual({ ok: true, value: goes })
    expect(Object.fromEntries(storage().tree())).toEqual(left)
    expect(value(await one().asides())).toEqual([])
    expect(await one().restoreAside({ op: operation.op, path: mustPath("d/a.md") })).toEqual({
      ok: true,
      value: undefined,
    })
  })
}

function betweenDevices(get: Get): void {
  const { storage, one, two } = get

  test("keep their path unknown to everybody until they are retired", async () => {
    const empty = value(await two().list(EVERYTHING)).digest
    const { operation } = await putAside(get, "remove")
    const path = mustPath("d/a.md")
    const pending = value(await two().list(EVERYTHING))
    expect(pending.unknowns).toEqual([{ path, reason: "aside", scope: "path" }])
    expect(pending.digest).not.toBe(empty)
    expect(await two().look(path)).toMatchObject({ ok: false, error: { code: "changed_since" } })
    await one().retireAside(operation.op)
    expect(value(await two().list(EVERYTHING)).unknowns).toEqual([])
    expect(value(await two().look(path))).toBeUndefined()
  })

  test("have another digest at another path", async () => {
    const digests = new Set<string>()
    for (const path of ["a.md", "b.md"]) {
      storage().write(path, "old")
      const operation = removing(path, await known(one(), path))
      await carryOut(one(), operation)
      digests.add(value(await two().list(EVERYTHING)).digest)
      value(await one().restoreAside({ op: operation.op, path: mustPath(path) }))
      storage().remove(path)
    }
    expect(digests.size).toBe(2)
  })

  test("are settled by their own device only, while it may come back", async () => {
    await putAside(get, "remove")
    expect(value(await two().asides())).toEqual([])
    expect(storage().tree().size).toBe(0)
  })

  test("of a device that did not come back give their file back, and are still its own", async () => {
    const { folder } = storage()
    const { operation } = await putAside(get, "remove")
    folder.later(ELEVEN_MINUTES_MS)
    expect(value(await two().asides())).toEqual([])
    expect(Object.fromEntries(storage().tree())).toEqual({ "d/a.md": "old" })
    const restored = await one().restoreAside({ op: operation.op, path: mustPath("d/a.md") })
    expect(restored).toEqual({ ok: true, value: "d/a.md" })
    expect(Object.fromEntries(storage().tree())).toEqual({ "d/a.md": "old" })
    expect(value(await one().asides())).toEqual([])
  })

  test("of a device that did not come back replace nothing", async () => {
    const { folder } = storage()
    await putAside(get, "remove")
    storage().write("d/a.md", "theirs")
    folder.later(ELEVEN_MINUTES_MS)
    value(await two().asides())
    expect(Object.fromEntries(storage().tree())).toEqual({ "d/a.md": "theirs" })
  })
}

function directories(get: Get): void {
  const { storage, one } = get

  test("take along the directories that a remove or a move leaves empty, and no others", async () => {
    const { folder } = storage()
    for (const path of ["d/e/a.md", "d/b.md", "f/g/c.md", "k/l.md"]) storage().write(path, path)
    await folder.disk.makeDirectory("f/empty")
    for (const path of ["d/e/a.md", "f/g/c.md"])
      await carryOut(one(), removing(path, await known(one(), path)))
    await carryOut(one(), moving("k/l.md", "m/l.md", await known(one(), "k/l.md")))
    expect(await directoriesOn(folder.disk)).toEqual(["d", "f", "f/empty", "m"])
  })

  test("make way for a file where they are empty, and not where they hold something", async () => {
    const { folder } = storage()
    await folder.disk.makeDirectory("a.md/x/y")
    storage().write("b.md/c.md", "holds")
    expect((await carryOut(one(), writing("a.md", "new"), contentOf("new"))).kind).toBe("applied")
    const taken = writing("b.md", "new")
    const mark = value(await one().stage(taken, contentOf("new")))
    expect(value(await one().apply(taken, mark))).toEqual({ kind: "changed" })
    expect(Object.fromEntries(storage().tree())).toEqual({ "a.md": "new", "b.md/c.md": "holds" })
  })

  test("that became files or links are in the way of what goes below them, and are not followed", async () => {
    const { folder } = storage()
    storage().write("file", "a file")
    storage().write("d/a.md", "old")
    const version = await known(one(), "d/a.md")
    storage().remove("d/a.md")
    folder.putSymlink("link")
    const refused = [
      writing("file/a.md", "new"),
      writing("link/new.md", "new"),
      writing("link/a.md", "new", version),
      removing("link/a.md", version),
    ]
    for (const operation of refused) {
      const content = operation.step.kind === "write" ? contentOf("new") : undefined
      const mark = value(await one().stage(operation, content))
      expect(await one().apply(operation, mark)).toMatchObject({ ok: false, error: { code: "in_the_way" } })
      await one().unstage(operation)
    }
    expect(Object.fromEntries(storage().tree())).toEqual({ file: "a file" })
    expect(value(await one().asides())).toEqual([])
  })
}

function thinning({ storage, one }: Get): void {
  test("keeps the last 1,000 pairs, and every 16th of those before", async () => {
    const device = "d1" as DeviceId
    value(await one().createEpoch("e"))
    for (let counter = 1; counter <= 1030; counter++)
      storage().write(
        `${EPOCH_DIRECTORY}/${String(counter).padStart(12, "0")}`,
        '{"nonce":"n","device":"d0"}',
      )
    value(await one().appendEpoch({ nonce: "n", device }))
    const chain = value(await one().readEpoch([]))?.chain.map(({ counter }) => counter) ?? []
    expect(chain.slice(0, 3)).toEqual([16, 32, 33])
    expect(chain).toHaveLength(1001)
    expect(value(await one().readEpoch([5, 16, 1029]))?.chain.map(({ counter }) => counter)).toEqual([
      16, 1029, 1030, 1031,
    ])
  })
}
