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
  readonly isMove?: true
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
    isMove: true,
  },
  {
    step: "a move into new directories",
    before: { "d/e/a.md": "old" },
    after: { "f/g/a.md": "old" },
    make: async (backend) => moving("d/e/a.md", "f/g/a.md", await known(backend, "d/e/a.md")),
    isMove: true,
  },
]

const NAMED = CASES.map((each) => [each.step, each] as const)
const EFFECTS_MAX = 100
const ELEVEN_MINUTES_MS = 11 * 60_000

type Open = () => Storage | Promise<Storage>

/** `every`: of a storage that is slow to make, only at every so many effects a device dies, beginning with the first. */
export function settling(open: Open, { every = 1 }: { readonly every?: number } = {}): void {
  test.for(NAMED)("of %s that was staged and no more is not applied", async ([, each], { skip }) => {
    await withStorage({ open, each, skip }, async (storage) => {
      const staged = await stageIn(await storage.start("one"), each)
      expect(await settleAgain(storage, staged)).toMatchObject({ kind: "not_applied" })
      await expectState(storage, { ...staged, each, kind: "not_applied" })
    })
  })

  test.for(NAMED)("of %s that was applied and is durable is applied", async ([, each], { skip }) => {
    await withStorage({ open, each, skip }, async (storage) => {
      const device = await storage.start("one")
      const staged = await stageIn(device, each)
      expect(value(await applyIn(device, staged)).kind).toBe("applied")
      value(await device.backend.flush())
      expect(await settleAgain(storage, staged)).toMatchObject({ kind: "applied" })
      await expectState(storage, { ...staged, each, kind: "applied" })
    })
  })

  test.for(NAMED)("of %s is true wherever the device died", async ([, each], { skip }) => {
    const answers = new Set<string>()
    await atEffects(every, async (effects) =>
      withStorage({ open, each, skip }, async (storage) => {
        const { died, ...staged } = await dieInApply(storage, each, effects)
        const settled = await settleAgain(storage, staged)
        answers.add(settled.kind)
        await expectState(storage, { ...staged, each, kind: settled.kind })
        return died
      }),
    )
    expect(answers).toEqual(new Set(["not_applied", "applied"]))
  })

  test.for(NAMED)(
    "of %s leaves alone what somebody wrote after the device had died",
    async ([, each], { skip }) => {
      await atEffects(every, async (effects) =>
        withStorage({ open, each, skip }, async (storage) => {
          const { died, ...staged } = await dieInApply(storage, each, effects)
          const { step } = staged.operation
          const goal = step.kind === "move" ? step.to : step.path
          if ((await storage.tree()).has(goal)) await storage.remove(goal)
          await storage.write(goal, "theirs, later")
          await settleAgain(storage, staged)
          await finishLeft(storage)
          await outliveFlag(storage, staged)
          expect((await storage.tree()).get(goal)).toBe("theirs, later")
          expect(await storage.staged()).toEqual([])
          return died
        }),
      )
    },
  )
}

export function settlingTwice(open: Open): void {
  test.for(NAMED)(
    "of %s is true though the device died again while it looked",
    async ([, each], { skip }) => {
      await atEffects(1, async (inApply) => {
        let diedInApply = false
        await atEffects(1, async (inSettle) =>
          withStorage({ open, each, skip }, async (storage) => {
            const { died, ...staged } = await dieInApply(storage, each, inApply)
            diedInApply = died
            const second = await storage.start("one")
            second.dieAfter(inSettle)
            const diedAgain = await dies(settleIn(second, staged))
            const settled = await settleAgain(storage, staged)
            await expectState(storage, { ...staged, each, kind: settled.kind })
            return diedAgain
          }),
        )
        return diedInApply
      })
    },
  )
}

/** An operation that is on record, with its mark as the journal has it. */
interface Staged {
  readonly operation: Operation
  readonly journal: { mark: StagedMark }
}

async function withStorage<T>(
  given: { readonly open: Open; readonly each: Case; readonly skip: (note: string) => never },
  use: (storage: Storage) => Promise<T>,
): Promise<T> {
  const { open, each, skip } = given
  const storage = await open()
  try {
    const { capabilities } = (await storage.start("one")).backend
    if (each.isMove === true && !capabilities.canMove) skip("nothing is moved here")
    for (const [path, text] of Object.entries(each.before)) await storage.write(path, text)
    return await use(storage)
  } finally {
    await storage.close()
  }
}

/** Calls with 0, 1, 2, … effects, or every so many of them, until the device lives to the end. */
async function atEffects(every: number, dies: (effects: number) => Promise<boolean>): Promise<void> {
  for (let effects = 0; effects < EFFECTS_MAX; effects += every) if (!(await dies(effects))) return
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

async function stageIn({ backend }: Opened, { make, content }: Case): Promise<Staged> {
  const operation = await make(backend)
  return { operation, journal: { mark: value(await backend.stage(operation, content)) } }
}

function applyIn({ backend }: Opened, { operation, journal }: Staged): ReturnType<Backend["apply"]> {
  return backend.apply(operation, journal.mark, noting(journal))
}

function settleIn({ backend }: Opened, { operation, journal }: Staged): ReturnType<Backend["settle"]> {
  return backend.settle(operation, journal.mark, noting(journal))
}

/** The journal knows of a last request before it leaves. */
function noting(journal: Staged["journal"]): () => Promise<void> {
  return async () => {
    journal.mark = { ...journal.mark, isSent: true }
  }
}

async function dieInApply(
  storage: Storage,
  each: Case,
  effects: number,
): Promise<Staged & { readonly died: boolean }> {
  const device = await storage.start("one")
  const staged = await stageIn(device, each)
  device.dieAfter(effects)
  return { ...staged, died: await dies(applyIn(device, staged)) }
}

/** A new life settles, and asks twice: the record of the first answer may have been lost. */
async function settleAgain(storage: Storage, staged: Staged): Promise<Settled> {
  const first = value(await settleIn(await storage.start("one"), staged))
  const device = await storage.start("one")
  const second = value(await settleIn(device, staged))
  expect(second.kind).toBe(first.kind)
  await device.backend.retireAside(staged.operation.op)
  await device.backend.discardStaged()
  return second
}

/**
 * A delete whose last request may still be under way is left alone, and finished by anybody once it cannot arrive any
 * more. True where there was one.
 */
async function finishLeft(storage: Storage): Promise<boolean> {
  const { bucket } = storage
  if (bucket === undefined) return false
  const left = await bucket.tombstones()
  if (left.length === 0) return false
  const find = async () => {
    const { backend } = await storage.start("two")
    const { files } = value(await backend.list({ ignoresDirectory: () => false }))
    const { tombstones } = backend
    if (tombstones === undefined) throw new Error("a tombstone, and nobody who finds it")
    const found = value(await tombstones.find(files))
    return { found, finish: async () => value(await tombstones.finish(found)) }
  }
  const early = await find()
  expect(early.found).toMatchObject(left.map((path) => ({ path, isAbandoned: false })))
  expect(await early.finish()).toBe(0)
  expect(await bucket.tombstones()).toEqual(left)
  bucket.later(ELEVEN_MINUTES_MS)
  expect(await (await find()).finish()).toBe(left.length)
  return true
}

/** The flag of a life that ended keeps others away while what it sent may land; then its own device takes it away. */
async function outliveFlag(storage: Storage, staged: Staged): Promise<void> {
  if (storage.bucket === undefined || (await storage.bucket.flags()).length === 0) return
  storage.bucket.later(ELEVEN_MINUTES_MS)
  value(await settleIn(await storage.start("one"), staged))
}

/** What a user sees is what was answered; what was replaced or removed waits in an aside, or is where it was. */
async function expectState(
  storage: Storage,
  at: Staged & { readonly each: Case; readonly kind: Settled["kind"] },
): Promise<void> {
  const { operation, each } = at
  const kind = (await finishLeft(storage)) ? "applied" : at.kind
  await outliveFlag(storage, at)
  const tree = await storage.tree()
  expect(Object.fromEntries(tree)).toEqual(kind === "applied" ? each.after : each.before)
  expect(await storage.staged()).toEqual([])
  const { backend } = await storage.start("one")
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
  const needed = directoriesOf(tree.keys())
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
