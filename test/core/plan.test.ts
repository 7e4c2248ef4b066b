/** Plans: the order of actions, what must hold before each step, what is kept before it, and what is agreed after it. */

import { describe, expect, test } from "vitest"
import type { Action, Plan } from "../../src/model/action.ts"
import { limitToProject, orderActions } from "../../src/plan/plan.ts"
import type { ReconcileSettings } from "../../src/reconcile/reconcile.ts"
import { later, type Tree } from "./row.ts"
import {
  type Folder,
  fileAt,
  hashOf,
  lines,
  named,
  NOW_MS,
  path,
  PLAIN,
  planOf,
  stateOf,
  treesOf,
  versionOf,
} from "./world.ts"

interface Trees {
  readonly base?: Tree
  readonly local?: Tree
  readonly remote?: Tree
  readonly settings?: Partial<ReconcileSettings>
}

function folder(tree: Tree = {}): Folder {
  return new Map(Object.entries(tree).map(([path, at]) => [path, typeof at === "string" ? fileAt(at) : at]))
}

function planned({ base, local, remote, settings }: Trees): Plan {
  const world = { local: folder(local), remote: folder(remote), unknowns: { local: [], remote: [] } }
  return planOf(treesOf(world, stateOf(folder(base), world)), { ...PLAIN, ...settings }).plan
}

function only(trees: Trees): Action {
  const [action, ...others] = planned(trees).actions
  if (action === undefined || others.length > 0) throw new Error("there is not exactly one action")
  return action
}

function idOf(trees: Trees) {
  return only(trees).conflict?.id
}

const x = versionOf(fileAt("x"))
const y = versionOf(fileAt("y"))
const NEWER = { conflictResolve: "newer" } as const

describe("an action", () => {
  test("downloads exactly the listed version over exactly the base", () => {
    const action = only({ base: { p: "x" }, local: { p: "x" }, remote: { p: "y" } })
    expect(action).toMatchObject({
      op: "download",
      change: "update",
      direction: "down",
      reason: "remote_changed",
      risk: "replace",
      path: "p",
      sizeBytes: 1,
      local: x,
      remote: y,
      base: { hash: hashOf("x") },
      makesRoom: false,
    })
    expect(action.steps).toEqual([
      {
        kind: "write",
        side: "local",
        path: "p",
        expected: { kind: "version", version: x },
        source: { kind: "side", side: "remote", path: "p", version: y },
        sizeBytes: 1,
        mtimeMs: NOW_MS,
        hash: hashOf("y"),
      },
    ])
    expect(action.keeps).toEqual([{ side: "local", path: "p", version: x }])
    expect(action.after).toEqual([
      { path: "p", content: { hash: hashOf("y"), sizeBytes: 1, mtimeMs: NOW_MS } },
    ])
  })

  test("creates only where nothing is, and keeps nothing before", () => {
    const action = only({ local: { p: later("y", 5) } })
    expect(action).toMatchObject({
      op: "upload",
      change: "create",
      direction: "up",
      reason: "local_new",
      risk: "none",
    })
    expect(action.steps).toMatchObject([{ expected: { kind: "absent" }, mtimeMs: NOW_MS + 5 }])
    expect(action.keeps).toEqual([])
  })

  test("creates again what changed and was deleted there", () => {
    const action = only({ base: { p: "x" }, local: { p: "y" } })
    expect(action).toMatchObject({
      op: "upload",
      change: "create",
      reason: "changed_vs_deleted",
      risk: "none",
    })
    expect(action.steps).toMatchObject([{ expected: { kind: "absent" } }])
  })

  test("removes exactly the base, keeps it before, and forgets the path", () => {
    const action = only({ base: { p: "x" }, remote: { p: "x" } })
    expect(action).toMatchObject({
      op: "delete",
      change: "delete",
      direction: "up",
      reason: "local_deleted",
      risk: "delete",
    })
    expect(action.steps).toEqual([{ kind: "remove", side: "remote", path: "p", expected: x }])
    expect(action.keeps).toEqual([{ side: "remote", path: "p", version: x }])
    expect(action.after).toEqual([{ path: "p" }])
    expect(action).not.toHaveProperty("isRename")
  })

  test("moves exactly the base, and agrees on it under its new name", () => {
    const action = only({ base: { p: "x" }, local: { q: later("x", 7) }, remote: { p: "x" } })
    expect(action).toMatchObject({
      op: "move",
      change: "move",
      direction: "up",
      reason: "local_moved",
      path: "p",
      to: "q",
    })
    expect(action.steps).toEqual([{ kind: "move", side: "remote", path: "p", to: "q", expected: x }])
    expect(action.keeps).toEqual([])
    expect(action.after).toEqual([
      { path: "p" },
      { path: "q", content: { hash: hashOf("x"), sizeBytes: 1, mtimeMs: NOW_MS + 7 } },
    ])
  })

  test("of a conflict that the newer wins replaces exactly the loser and keeps it before", () => {
    const action = only({
      base: { p: "x" },
      local: { p: later("y", 3000) },
      remote: { p: "z" },
      settings: NEWER,
    })
    const z = versionOf(fileAt("z"))
    expect(action).toMatchObject({
      op: "conflict",
      change: "update",
      direction: "up",
      reason: "both_changed",
      risk: "conflict",
    })
    expect(action.conflict).toMatchObject({
      rule: "newer",
      winner: "local",
      loser: "remote",
      apartMs: 3000,
      tieMs: 2000,
    })
    expect(action.steps).toMatchObject([{ side: "remote", expected: { kind: "version", version: z } }])
    expect(action.keeps).toEqual([{ side: "remote", path: "p", version: z }])
  })

  test("of a conflict that keeps both replaces nothing and frees the name", () => {
    const action = only({ base: { p: "x" }, local: { p: "y" }, remote: { p: later("long", 3000) } })
    expect(action).toMatchObject({ op: "conflict", direction: "both", reason: "both_changed", sizeBytes: 5 })
    expect(action.conflict).toEqual({
      id: action.conflict?.id,
      rule: "none",
      apartMs: 3000,
      tieMs: 2000,
      copies: { local: "p.conflict1", remote: "p.conflict2" },
    })
    expect(action.keeps).toEqual([])
    expect(action.steps.filter((step) => step.kind === "write").map((step) => step.expected.kind)).toEqual([
      "absent",
      "absent",
    ])
    expect(action.after).toEqual([
      { path: "p" },
      { path: "p.conflict1", content: { hash: hashOf("y"), sizeBytes: 1, mtimeMs: NOW_MS } },
      { path: "p.conflict2", content: { hash: hashOf("long"), sizeBytes: 4, mtimeMs: NOW_MS + 3000 } },
    ])
  })

  test("of a tie says that it is one, where the newer would have won", () => {
    const conflict = { base: { p: "x" }, local: { p: "y" }, remote: { p: later("z", 2000) } }
    expect(only({ ...conflict, settings: NEWER }).reason).toBe("tie")
  })

  test("of a file that steps aside frees the name and replaces nothing", () => {
    const [aside] = planned({ local: { p: "f" }, remote: { "p/x": "d" } }).actions
    expect(aside).toMatchObject({
      op: "conflict",
      risk: "conflict",
      keeps: [],
      makesRoom: true,
      conflict: { rule: "none", copies: { local: "p.conflict1" } },
      after: [{ path: "p" }, { path: "p.conflict1" }],
    })
  })

  test("names a conflict by path, base and both versions, and by nothing measured", () => {
    const conflict = { base: { p: "x" }, local: { p: "y" }, remote: { p: "z" } }
    expect(idOf(conflict)).toBe(idOf({ ...conflict, settings: { skewUnknownMs: 10_000 } }))
    expect(idOf(conflict)).not.toBe(idOf({ ...conflict, local: { p: later("y", 1) } }))
    expect(idOf(conflict)).not.toBe(idOf({ ...conflict, base: {} }))
    expect(idOf(conflict)).not.toBe(idOf({ base: { q: "x" }, local: { q: "y" }, remote: { q: "z" } }))
  })
})

describe("the order of actions", () => {
  test.each(
    named<Trees & { readonly rule: string; readonly plan: readonly string[] }>([
      {
        rule: "creates and updates first, then renames, deletes last",
        base: { a: "1", b: "2", c: "3", d: "4" },
        local: { b2: "2", c: "33", d: "4", n: "5" },
        remote: { a: "1", b: "2", c: "3", d: "44" },
        plan: [
          "upload: write remote c 33 over 3",
          "download: write local d 44 over 4",
          "upload: write remote n 5",
          "move: move remote b to b2",
          "delete: remove remote a 1",
        ],
      },
      {
        rule: "deletes children before parents, and goes by bytes from the end",
        base: { "d/a": "1", "d/e/b": "2", e: "3" },
        remote: { "d/a": "1", "d/e/b": "2", e: "3" },
        plan: ["delete: remove remote e 3", "delete: remove remote d/e/b 2", "delete: remove remote d/a 1"],
      },
      {
        rule: "makes room first on the side that needs it only",
        base: { p: "1", q: "2" },
        local: { "p/x": "3" },
        remote: { p: "1", q: "2", "q-": "4" },
        plan: [
          "delete: remove remote p 1",
          "upload: write remote p/x 3",
          "download: write local q- 4",
          "delete: remove remote q 2",
        ],
      },
      {
        rule: "is that of paths where several names make room",
        base: { "a/x": "1", "c/x": "2" },
        local: { a: "f", b: "g", c: "h" },
        remote: { "a/x": "1", "b/x": "3", "c/x": "2" },
        plan: [
          "delete: remove remote a/x 1",
          "conflict: move local b to b.conflict1; write remote b.conflict1 g",
          "delete: remove remote c/x 2",
          "upload: write remote a f",
          "download: write local b/x 3",
          "upload: write remote c h",
        ],
      },
    ]),
  )("%s", (_, { plan, ...trees }) => {
    const { actions } = planned(trees)
    expect(lines({ actions, agreed: [], notices: [], blocks: [] })).toEqual(plan)
    expect(orderActions([...actions].reverse())).toEqual(actions)
  })
})

describe("a plan for one project", () => {
  const plan = planned({
    base: { "one/a": "1", "two/b": "2", "one/m": "3" },
    local: {
      "one/a": "11",
      "two/b": "22",
      "two/m": "3",
      "one-/c": "4",
      one2: "5",
      "one/same": "6",
      "two/same": "7",
    },
    remote: { "one/a": "1", "two/b": "2", "one/m": "3", "one/same": "6", "two/same": "7" },
  })

  test("holds only what lies in it, and no move across its border", () => {
    const limited = limitToProject(plan, path("one"))
    expect(lines(limited)).toEqual(["upload: write remote one/a 11 over 1"])
    expect(limited.agreed.map((agreed) => agreed.path)).toEqual(["one/same"])
  })

  test("is all of it where nothing lies elsewhere", () => {
    expect(limitToProject(limitToProject(plan, path("two")), path("two"))).toEqual(
      limitToProject(plan, path("two")),
    )
  })
})

test("a plan has no blocks before it is guarded", () => {
  expect(planned({ base: { p: "x" } }).blocks).toEqual([])
})
