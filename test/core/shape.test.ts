/** Rows 12a to 20: a name that is a file here and a directory there. All but row 20 hold mirrored too. */

import { describe, expect, test } from "vitest"
import { expectRow, later, mirroredRow, type Row, told } from "./row.ts"
import { named, PLAIN, planOf, stateOf, treesOf, unknownAt } from "./world.ts"

const NEWER = { conflictResolve: "newer" } as const
const STEP_ASIDE = "conflict: move local p to p.conflict1; write remote p.conflict1 f"

const rows: readonly Row[] = [
  {
    rule: "12a: a new file steps aside for a new directory",
    local: { p: "f" },
    remote: { "p/x": "d" },
    plan: [STEP_ASIDE, "download: write local p/x d"],
  },
  {
    rule: "12a: a new file steps aside in every profile, however new it is",
    local: { p: later("f", 60_000) },
    remote: { "p/x": "d" },
    settings: NEWER,
    plan: [STEP_ASIDE, "download: write local p/x d"],
  },
  {
    rule: "12a: a file takes the next name of its side where its own is taken",
    local: { p: "f", "p.conflict1": "c", "p.conflict2": "c" },
    remote: { "p/x": "d", "p.conflict1": "c", "p.conflict2": "c" },
    agreed: ["p.conflict1", "p.conflict2"],
    plan: [
      "conflict: move local p to p.conflict3; write remote p.conflict3 f",
      "download: write local p/x d",
    ],
  },
  {
    rule: "12a: a file steps aside for a directory of directories",
    local: { p: "f" },
    remote: { "p/q/x": "d", "p/r": "e" },
    plan: [STEP_ASIDE, "download: write local p/q/x d", "download: write local p/r e"],
  },
  {
    rule: "13: a file that became a directory here makes room there",
    base: { p: "f" },
    local: { "p/x": "d" },
    remote: { p: "f" },
    plan: ["delete: remove remote p f", "upload: write remote p/x d"],
  },
  {
    rule: "14: a file changed there steps aside for the directory it became here",
    base: { p: "x" },
    local: { "p/x": "d" },
    remote: { p: "f" },
    notices: ["kept_changed p remote"],
    plan: ["conflict: move remote p to p.conflict2; write local p.conflict2 f", "upload: write remote p/x d"],
  },
  {
    rule: "15: an unchanged file here goes for the directory it became there",
    base: { p: "f" },
    local: { p: "f" },
    remote: { "p/x": "d" },
    plan: ["delete: remove local p f", "download: write local p/x d"],
  },
  {
    rule: "16: a file changed here steps aside for the directory it became there",
    base: { p: "x" },
    local: { p: "f" },
    remote: { "p/x": "d" },
    notices: ["kept_changed p local"],
    plan: [STEP_ASIDE, "download: write local p/x d"],
  },
  {
    rule: "17: a directory that became a file here goes there",
    base: { "p/x": "d", "p/q/y": "e" },
    local: { p: "f" },
    remote: { "p/x": "d", "p/q/y": "e" },
    plan: ["delete: remove remote p/q/y e", "delete: remove remote p/x d", "upload: write remote p f"],
  },
  {
    rule: "18: a file steps aside where a child of the directory changed there",
    base: { "p/x": "d" },
    local: { p: "f" },
    remote: { "p/x": "e" },
    notices: ["kept_changed p/x remote"],
    plan: [STEP_ASIDE, "download: write local p/x e"],
  },
  {
    rule: "18: a file steps aside where the directory has a new child there, and the unchanged ones go",
    base: { "p/x": "d" },
    local: { p: "f" },
    remote: { "p/x": "d", "p/y": "e" },
    plan: [STEP_ASIDE, "download: write local p/y e", "delete: remove remote p/x d"],
  },
  {
    rule: "19: a directory that is gone here keeps there what changed or is new",
    base: { "p/x": "d", "p/y": "d", "p/z": "d" },
    remote: { "p/x": "d", "p/y": "e", "p/new": "n" },
    notices: ["kept_changed p/y remote"],
    agreed: ["forget p/z"],
    plan: ["download: write local p/new n", "download: write local p/y e", "delete: remove remote p/x d"],
  },
  {
    rule: "19a: a file that became a directory on both sides is forgotten",
    base: { p: "f" },
    local: { "p/x": "d", "p/y": "l" },
    remote: { "p/x": "d", "p/z": "r" },
    agreed: ["forget p", "p/x"],
    plan: ["upload: write remote p/y l", "download: write local p/z r"],
  },
  {
    rule: "19a: children of a new directory on both sides are in conflict by themselves",
    base: { p: "f" },
    local: { "p/x": later("l", 9000) },
    remote: { "p/x": "r" },
    settings: NEWER,
    agreed: ["forget p"],
    plan: ["conflict: write remote p/x l over r"],
  },
  {
    rule: "a file deep below steps aside for a directory",
    local: { "d/e/p": "f" },
    remote: { "d/e/p/x": "d" },
    plan: [
      "conflict: move local d/e/p to d/e/p.conflict1; write remote d/e/p.conflict1 f",
      "download: write local d/e/p/x d",
    ],
  },
  {
    rule: "a file lands where a directory was emptied on both sides",
    base: { "p/x": "d" },
    local: { p: "f" },
    agreed: ["forget p/x"],
    plan: ["upload: write remote p f"],
  },
  {
    rule: "union: a file steps aside, and nothing is deleted",
    base: { p: "f", "p2/x": "d" },
    local: { p: "f", p2: "g" },
    remote: { "p/x": "d", "p2/x": "d" },
    isHint: true,
    plan: [
      STEP_ASIDE,
      "conflict: move local p2 to p2.conflict1; write remote p2.conflict1 g",
      "download: write local p/x d",
      "download: write local p2/x d",
    ],
  },
  {
    rule: "2: no file lands where something unknown lies below, and nothing lands below the file",
    local: { p: "f" },
    remote: { "p/x": "d" },
    unknowns: { remote: [unknownAt("p/u", "subtree", "special")] },
    notices: ["unknown p remote", "unknown p/x local"],
    plan: [],
  },
  {
    rule: "2: no file lands where a directory has an unreadable name",
    base: { "p/x": "d" },
    local: { p: "f" },
    remote: { "p/x": "d" },
    unknowns: { remote: [unknownAt("p", "absent_children")] },
    notices: ["unknown p remote"],
    plan: ["delete: remove remote p/x d"],
  },
  {
    rule: "2: nothing lands below a file that cannot be read",
    remote: { "p/x": "d" },
    local: { p: "f" },
    unknowns: { local: [unknownAt("p", "path", "unstable")] },
    notices: ["unknown p/x local"],
    plan: [],
  },
]

describe("a file here, a directory there", () => {
  test.each(named(rows))("%s", expectRow)
  test.each(named(rows.map(mirroredRow)))("mirrored, %s", expectRow)
})

describe("a renamed file", () => {
  test.each(
    named<Row>([
      {
        rule: "steps aside where its new name is a directory there",
        base: { q: "f" },
        local: { p: "f" },
        remote: { q: "f", "p/x": "d" },
        plan: [STEP_ASIDE, "download: write local p/x d", "delete (rename): remove remote q f"],
      },
      {
        rule: "steps aside where its new name there is a directory here",
        base: { q: "f" },
        local: { q: "f", "p/x": "d" },
        remote: { p: "f" },
        plan: [
          "conflict: move remote p to p.conflict2; write local p.conflict2 f",
          "upload: write remote p/x d",
          "delete (rename): remove local q f",
        ],
      },
      {
        rule: "moves to where a directory made room",
        base: { q: "f", "p/x": "d" },
        local: { p: "f" },
        remote: { q: "f", "p/x": "d" },
        plan: ["delete: remove remote p/x d", "move: move remote q to p"],
      },
      {
        rule: "moves below a name that was a file",
        base: { q: "f", p: "d" },
        local: { "p/q": "f" },
        remote: { q: "f", p: "d" },
        plan: ["delete: remove remote p d", "move: move remote q to p/q"],
      },
      {
        rule: "moves below a name that was renamed itself, whatever their order",
        base: { a: "f", z: "d" },
        local: { "z/a": "f", y: "d" },
        remote: { a: "f", z: "d" },
        plan: [
          "delete (rename): remove remote z d",
          "upload: write remote y d",
          "move: move remote a to z/a",
        ],
      },
    ]),
  )("%s", expectRow)
})

describe("20: keys `p` and `p/x` beside each other", () => {
  const BESIDE = { remote: [unknownAt("p", "path", "file_and_directory")] }
  test.each(
    named<Row>([
      {
        rule: "are a problem at `p`, and `p/x` is synced",
        base: {},
        remote: { p: "f", "p/x": "d" },
        unknowns: BESIDE,
        plan: ["download: write local p/x d"],
      },
      {
        rule: "let new children be uploaded",
        base: { "p/x": "d" },
        local: { "p/x": "d", "p/y": "n" },
        remote: { p: "f", "p/x": "d" },
        unknowns: BESIDE,
        plan: ["upload: write remote p/y n"],
      },
      {
        rule: "let new children be uploaded although `p` was synced once",
        base: { p: "f" },
        local: { "p/y": "n" },
        remote: { p: "f", "p/x": "d" },
        unknowns: BESIDE,
        notices: ["unknown p remote"],
        plan: ["download: write local p/x d", "upload: write remote p/y n"],
      },
      {
        rule: "keep the file here, below which nothing can land",
        base: { p: "f" },
        local: { p: "f" },
        remote: { p: "f", "p/x": "d" },
        unknowns: BESIDE,
        notices: ["unknown p/x local"],
        plan: [],
      },
      {
        rule: "delete the child that a user deleted here, and nothing else",
        base: { "p/x": "d", "p/y": "d" },
        local: { "p/y": "d" },
        remote: { p: "f", "p/x": "d", "p/y": "d" },
        unknowns: BESIDE,
        plan: ["delete: remove remote p/x d"],
      },
    ]),
  )("%s", expectRow)

  test("are reported when a side is told about them", () => {
    const row: Row = {
      rule: "",
      local: { p: "f" },
      remote: { p: "f", "p/x": "d" },
      unknowns: BESIDE,
      plan: [],
    }
    expect(told(row).notices).toContain("unknown p remote")
  })
})

test("a rename whose new name has no place still takes the old name away", () => {
  expectRow("", {
    rule: "20: the file that stays is in the way of the new name, not of the old one",
    base: { p: "x", z: "f" },
    local: { p: "x", z: "f" },
    remote: { p: "x", "p/q": "f" },
    unknowns: { remote: [unknownAt("p", "path", "file_and_directory")] },
    notices: ["unknown p/q local"],
    plan: ["delete (rename): remove local z f"],
  })
})

test("a directory takes a file's name in one phase and its files come in the next", () => {
  const local = new Map([["p", { content: "f", mtimeMs: 0, fileId: "1" }]])
  const remote = new Map([["p/x", { content: "d", mtimeMs: 0, fileId: "2" }]])
  const world = { local, remote, unknowns: { local: [], remote: [] } }
  const { plan } = planOf(treesOf(world, stateOf(new Map(), world)), PLAIN)
  expect(plan.actions.map(({ makesRoom }) => makesRoom)).toEqual([true, false])
})
