/**
 * Settling: a device dies at every effect of every kind of step, starts again, and looks.
 *
 * Whatever the answer, it is what a user sees, no bytes are lost, and it stays the answer when the device dies again
 * while it looks.
 */

import { expect, test } from "vitest"
import type { Disk } from "../../src/disk/disk.ts"
import type { Operation } from "../../src/model/action.ts"
import type { StagedMark } from "../../src/model/event.ts"
import { ancestorsOf, CONTROL_DIRECTORY, joinPath } from "../../src/model/path.ts"
import type { Backend, Content, Settled } from "../../src/model/ports.ts"
import {
  contentOf,
  Died,
  known,
  moving,
  type Opened,
  removing,
  type Storage,
  textOf,
  value,
  writing,
} from "./storage.ts"

interface Case {
  readonly step: string
  readonly before: Readonly<Record<string, string>>
  readonly after: Readonly<Record<string, string>>
  readonly make: (backend: Backend) => Promise<Operation>
  readonly content?: Content
}

const CASES: readonly Case[] = [
  {
    step: "a new file",
    before: { "a.md": "stays" },
    after: { "a.md": "stays", "b.md": "new" },
    make: async () => writing("b.md", "new"),
    content: contentOf("new"),
  },
  {
    step: "a new file in new directories",
    before: {},
    after: { "d/e/b.md": "new" },
    make: async () => writing("d/e/b.md", "new"),
    content: contentOf("new"),
  },
  {
    step: "a replaced file",
    before: { "d/a.md": "old", "d/b.md": "stays" },
    after: { "d/a.md": "new", "d/b.md": "stays" },
    make: async (backend) => writing("d/a.md", "new", await known(backend, "d/a.md")),
    content: contentOf("new"),
  },
  {
    step: "a removed file",
    before: { "d/e/a.md": "old", "b.md": "stays" },
    after: { "b.md": "stays" },
    make: async (backend) => removing("d/e/a.md", await known(backend, "d/e/a.md")),
  },
  {
    step: "a move beside its old name",
    before: { "d/a.md": "old" },
    after: { "d/b.md": "old" },
    make: async (backend) => moving("d/a.md", "d/b.md", await known(backend, "d/a.md")),
  },
  {
    step: "a move into new directories",
    before: { "d/e/a.md": "old" },
    after: { "f/g/a.md": "old" },
    make: async (backend) => moving("d/e/a.md", "f/g/a.md", await known(backend, "d/e/a.md")),
  },
]

const NAMED = CASES.map((each) => [each.step, each] as const)
const EFFECTS_MAX = 100

export function settling(open: () => Storage): void {
  test.each(NAMED)("of %s that was staged and no more is not applied", async (_, each) => {
    await withStorage(open, each, async (storage) => {
      const { operation, mark } = await stageIn(storage.start("one"), each)
      expect(await settleAgain(storage, operation, mark)).toMatchObject({ kind: "not_applied" })
      await expectState(storage, { operation, each, kind: "not_applied" })
    })
  })

  test.each(NAMED)("of %s that was applied and is durable is applied", async (_, each) => {
    await withStorage(open, each, async (storage) => {
      const device = storage.start("one")
      const { operation, mark } = await stageIn(device, each)
      expect(value(await device.backend.apply(operation, mark)).kind).toBe("applied")
      value(await device.backend.flush())
      expect(await settleAgain(storage, operation, mark)).toMatchObject({ kind: "applied" })
      await expectState(storage, { operation, each, kind: "applied" })
    })
  })

  test.each(NAMED)("of %s is true wherever the device died", async (_, each) => {
    const answers = new Set<string>()
    await atEveryEffect(async (effects) =>
      withStorage(open, each, async (storage) => {
        const { operation, mark, died } = await dieInApply(storage, each, effects)
        const settled = await settleAgain(storage, operation, mark)
        answers.add(settled.kind)
        await expectState(storage, { operation, each, kind: settled.kind })
        return died
      }),
    )
    expect(answers).toEqual(new Set(["not_applied", "applied"]))
  })

  test.each(NAMED)("of %s leaves alone what somebody wrote after the device had died", async (_, each) => {
    await atEveryEffect(async (effects) =>
      withStorage(open, each, async (storage) => {
        const { operation, mark, died } = await dieInApply(storage, each, effects)
        const { step } = operation
        const goal = step.kind === "move" ? step.to : step.path
        if (storage.tree().has(goal)) storage.remove(goal)
        storage.write(goal, "theirs, later")
        await settleAgain(storage, operation, mark)
        expect(storage.tree().get(goal)).toBe("theirs, later")
        expect(storage.staged()).toEqual([])
        return died
      }),
    )
  })
}

export function settlingTwice(open: () => Storage): void {
  test.each(NAMED)("of %s is true though the device died again while it looked", async (_, each) => {
    await atEveryEffect(async (inApply) => {
      let diedInApply = false
      await atEveryEffect(async (inSettle) =>
        withStorage(open, each, async (storage) => {
          const { operation, mark, died } = await dieInApply(storage, each, inApply)
          diedInApply = died
          const second = storage.start("one")
          second.dieAfter(inSettle)
          const diedAgain = await dies(second.backend.settle(operation, mark))
          const settled = await settleAgain(storage, operation, mark)
          await expectState(storage, { operation, each, kind: settled.kind })
          return diedAgain
        }),
      )
      return diedInApply
    })
  })
}

async function withStorage<T>(
  open: () => Storage,
  each: Case,
  use: (storage: Storage) => Promise<T>,
): Promise<T> {
  const storage = open()
  try {
    for (const [path, text] of Object.entries(each.before)) storage.write(path, text)
    return await use(storage)
  } finally {
    storage.close()
  }
}

/** Calls with 0, 1, 2, … effects, until the device lives to the end. */
async function atEveryEffect(dies: (effects: number) => Promise<boolean>): Promise<void> {
  for (let effects = 0; effects < EFFECTS_MAX; effects++) if (!(await dies(effects))) return
  throw new Error(`still dying after ${EFFECTS_MAX} effects`)
}

async function dies(call: Promise<unknown>): Promise<boolean> {
  try {
    await call
    return false
  } catch (error) {
    if (error instanceof Died) return true
    throw error
  }
}

async function stageIn(
  { backend }: Opened,
  { make, content }: Case,
): Promise<{ readonly operation: Operation; readonly mark: StagedMark }> {
  const operation = await make(backend)
  return { operation, mark: value(await backend.stage(operation, content)) }
}

async function dieInApply(
  storage: Storage,
  each: Case,
  effects: number,
): Promise<{ readonly operation: Operation; readonly mark: StagedMark; readonly died: boolean }> {
  const device = storage.start("one")
  const { operation, mark } = await stageIn(device, each)
  device.dieAfter(effects)
  return { operation, mark, died: await dies(device.backend.apply(operation, mark)) }
}

/** A new life settles, and asks twice: the record of the first answer may have been lost. */
async function settleAgain(storage: Storage, operation: Operation, mark: StagedMark): Promise<Settled> {
  const first = value(await storage.start("one").backend.settle(operation, mark))
  const { backend } = storage.start("one")
  const second = value(await backend.settle(operation, mark))
  expect(second.kind).toBe(first.kind)
  await backend.retireAside(operation.op)
  await backend.discardStaged()
  return second
}

/** What a user sees is what was answered; what was replaced or removed waits in an aside, or is where it was. */
async function expectState(
  storage: Storage,
  at: { readonly operation: Operation; readonly each: Case; readonly kind: Settled["kind"] },
): Promise<void> {
  const { operation, each, kind } = at
  expect(Object.fromEntries(storage.tree())).toEqual(kind === "applied" ? each.after : each.before)
  expect(storage.staged()).toEqual([])
  const { backend } = storage.start("one")
  const asides = value(await backend.asides())
  if (storage.folder === undefined) return
  const { step } = operation
  const replaces = step.kind === "remove" || (step.kind === "write" && step.expected.kind === "version")
  expect(asides.map(({ op, path, isRetired }) => ({ op, path, isRetired }))).toEqual(
    replaces && kind === "applied" ? [{ op: operation.op, path: step.path, isRetired: true }] : [],
  )
  for (const aside of asides) expect(await textOf(value(await backend.readAside(aside)))).toBe("old")
  // The next plan wants the same directories again, so those may wait for it.
  const wanted = kind === "applied" ? [] : ancestorsOf(step.kind === "move" ? step.to : step.path)
  const needed = directoriesOf(storage.tree().keys())
  const found = await directoriesOn(storage.folder.disk)
  expect(found.filter((path) => needed.includes(path) || !wanted.includes(path))).toEqual(needed)
}

/** Every directory but our own, in order. */
export async function directoriesOn(disk: Disk, directory = ""): Promise<readonly string[]> {
  const entries = await disk.readDirectory(directory)
  if (!entries.ok) throw new Error(`${directory}: ${entries.error.errno}`)
  const found: string[] = []
  for (const { name, stat } of entries.value) {
    const path = joinPath(directory, name)
    if (stat?.kind === "directory" && path !== CONTROL_DIRECTORY)
      found.push(path, ...(await directoriesOn(disk, path)))
  }
  return found
}

/** The directories that must be there, and no empty one. */
function directoriesOf(paths: Iterable<string>): readonly string[] {
  const directories = new Set<string>()
  for (const path of paths)
    for (let slash = path.indexOf("/"); slash >= 0; slash = path.indexOf("/", slash + 1))
      directories.add(path.slice(0, slash))
  return [...directories].toSorted()
}
