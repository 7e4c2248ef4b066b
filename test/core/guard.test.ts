/** The brake: what stops a plan before its first write, and the one number that lets it through. */

import { describe, expect, test } from "vitest"
import type { Plan } from "../../src/model/action.ts"
import { profileNamed, PROFILE_NAMES } from "../../src/model/settings.ts"
import { otherSide, type Side, SIDES } from "../../src/model/side.ts"
import { countDeletes, totalDeletes } from "../../src/plan/guard.ts"
import { type Folder, fileAt, guarded, named, PLAIN, planOf, stateOf, treesOf, type World } from "./world.ts"

/** `kept` files stay on both sides, `deleted[side]` of the others are still there and gone on the other side. */
function worldOf(kept: number, deleted: { readonly [S in Side]?: number }): { base: Folder; world: World } {
  const base: Folder = new Map()
  const local: Folder = new Map()
  const remote: Folder = new Map()
  const put = (name: string, folders: readonly Folder[]) => {
    for (const folder of [base, ...folders]) folder.set(name, fileAt(name))
  }
  for (let i = 0; i < kept; i++) put(`kept-${i}`, [local, remote])
  for (let i = 0; i < (deleted.local ?? 0); i++) put(`local-${i}`, [local])
  for (let i = 0; i < (deleted.remote ?? 0); i++) put(`remote-${i}`, [remote])
  return { base, world: { local, remote, unknowns: { local: [], remote: [] } } }
}

function blocksOf(
  { base, world }: { readonly base: Folder; readonly world: World },
  options: { readonly maxDelete: number; readonly confirmedDeletes?: number },
) {
  const { plan } = planOf(treesOf(world, stateOf(base, world)), PLAIN)
  return guarded(plan, world, options).blocks
}

describe.each(PROFILE_NAMES.map((name) => [name, profileNamed(name).maxDelete] as const))(
  "%s",
  (name, maxDelete) => {
    test("has the limit that its users were told", () => {
      expect(maxDelete).toBe({ safe: 10, balanced: 25, fast: 50 }[name])
    })

    test.each(SIDES)("deletes as many files as its limit on the %s side", (side) => {
      expect(blocksOf(worldOf(5, { [side]: maxDelete }), { maxDelete })).toEqual([])
    })

    test.each(SIDES)("stops at one more on the %s side", (side) => {
      expect(blocksOf(worldOf(5, { [side]: maxDelete + 1 }), { maxDelete })).toEqual([
        { code: "delete_limit", side, deletes: maxDelete + 1, limit: maxDelete },
      ])
    })

    test("counts each side for itself", () => {
      expect(blocksOf(worldOf(5, { local: maxDelete, remote: maxDelete }), { maxDelete })).toEqual([])
      expect(blocksOf(worldOf(5, { local: maxDelete + 1, remote: maxDelete + 2 }), { maxDelete })).toEqual([
        { code: "delete_limit", side: "local", deletes: maxDelete + 1, limit: maxDelete },
        { code: "delete_limit", side: "remote", deletes: maxDelete + 2, limit: maxDelete },
      ])
    })
  },
)

describe("a confirmed number", () => {
  test.each(
    named([
      { rule: "of both sides together lets the plan through", confirmedDeletes: 13, blocks: 0 },
      { rule: "of one side only does not", confirmedDeletes: 11, blocks: 1 },
      { rule: "that is one too small does not", confirmedDeletes: 12, blocks: 1 },
      { rule: "that is one too large does not", confirmedDeletes: 14, blocks: 1 },
      { rule: "of none does not", confirmedDeletes: 0, blocks: 1 },
    ]),
  )("%s", (_, { confirmedDeletes, blocks }) => {
    expect(blocksOf(worldOf(5, { local: 11, remote: 2 }), { maxDelete: 10, confirmedDeletes })).toHaveLength(
      blocks,
    )
  })

  test("lets a plan through that empties a side", () => {
    const { base, world } = worldOf(0, { local: 2 })
    expect(blocksOf({ base, world }, { maxDelete: 10, confirmedDeletes: 2 })).toEqual([])
    expect(blocksOf({ base, world }, { maxDelete: 10, confirmedDeletes: 3 })).toHaveLength(1)
  })
})

describe.each(SIDES)("a plan that would empty the %s side", (side) => {
  test("stops where the side had two files", () => {
    expect(blocksOf(worldOf(0, { [side]: 2 }), { maxDelete: 50 })).toEqual([
      { code: "side_emptied", side, files: 2 },
    ])
  })

  test("goes on where the side had one file", () => {
    expect(blocksOf(worldOf(0, { [side]: 1 }), { maxDelete: 50 })).toEqual([])
  })

  test("stops for both reasons where there are two", () => {
    expect(blocksOf(worldOf(0, { [side]: 11 }), { maxDelete: 10 }).map(({ code }) => code)).toEqual([
      "delete_limit",
      "side_emptied",
    ])
  })

  test("goes on where one file stays", () => {
    expect(blocksOf(worldOf(1, { [side]: 2 }), { maxDelete: 50 })).toEqual([])
  })

  test("goes on where another file comes", () => {
    const { base, world } = worldOf(0, { [side]: 2 })
    world[otherSide(side)].set("new", fileAt("new"))
    expect(blocksOf({ base, world }, { maxDelete: 50 })).toEqual([])
  })

  test("goes on where an update only replaces a file", () => {
    const { base, world } = worldOf(1, { [side]: 1 })
    world[otherSide(side)].set("kept-0", fileAt("edited"))
    expect(blocksOf({ base, world }, { maxDelete: 50 })).toEqual([])
  })
})

/** A directory that was renamed here; with new file ids it looks copied and then deleted. */
function renamed(count: number, newFileIds: boolean) {
  const base: Folder = new Map()
  const local: Folder = new Map()
  for (let i = 0; i < count; i++) {
    base.set(`d/${i}`, fileAt(`c${i}`))
    local.set(`e/${i}`, newFileIds ? fileAt(`c${i}`, { fileId: `new-${i}` }) : fileAt(`c${i}`))
  }
  return { base, world: { local, remote: new Map(base), unknowns: { local: [], remote: [] } } }
}

describe("what counts as a delete", () => {
  test("is no file of a renamed directory", () => {
    expect(blocksOf(renamed(60, false), { maxDelete: 10 })).toEqual([])
  })

  test("is no file of a directory renamed here where the remote cannot move", () => {
    const { base, world } = renamed(60, false)
    const settings = { ...PLAIN, canMove: { local: true, remote: false } }
    const { plan } = planOf(treesOf(world, stateOf(base, world)), settings)
    expect(totalDeletes(plan)).toBe(0)
    expect(guarded(plan, world, { maxDelete: 10 }).blocks).toEqual([])
  })

  test("is each file of a directory that was copied and then deleted", () => {
    expect(blocksOf(renamed(11, true), { maxDelete: 10 })).toMatchObject([
      { code: "delete_limit", deletes: 11 },
    ])
  })

  test("is no name whose conflict copies appeared", () => {
    const base: Folder = new Map()
    const remote: Folder = new Map()
    for (let i = 0; i < 60; i++) {
      base.set(`${i}`, fileAt(`c${i}`))
      for (const number of [1, 2]) remote.set(`${i}.conflict${number}`, fileAt(`${i} ${number}`))
    }
    const world = { local: new Map(base), remote, unknowns: { local: [], remote: [] } }
    expect(blocksOf({ base, world }, { maxDelete: 10 })).toEqual([])
  })

  test("is counted by side and in all", () => {
    const { base, world } = worldOf(1, { local: 3, remote: 4 })
    const { plan }: { plan: Plan } = planOf(treesOf(world, stateOf(base, world)), PLAIN)
    expect([
      countDeletes(plan.actions, "local"),
      countDeletes(plan.actions, "remote"),
      totalDeletes(plan),
    ]).toEqual([3, 4, 7])
  })

  test("changes nothing else in the plan", () => {
    const { base, world } = worldOf(1, { local: 30 })
    const { plan } = planOf(treesOf(world, stateOf(base, world)), PLAIN)
    const { blocks, ...rest } = guarded(plan, world, { maxDelete: 10 })
    expect(blocks).toHaveLength(1)
    expect({ ...rest, blocks: [] }).toEqual(plan)
  })
})
