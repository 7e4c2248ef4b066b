/** Plans of goals: what a path shall hold on both sides, made by an undo or by the resolution of a conflict. */

import { expect, test } from "vitest"
import type { Version } from "../../src/model/entry.ts"
import { mustPath, type RelativePath } from "../../src/model/path.ts"
import type { PathState } from "../../src/model/state.ts"
import { type Goal, planGoals } from "../../src/plan/undo-action.ts"
import { hashOf } from "./world.ts"

const AT_MS = 1_000_000
const hash = hashOf("content")
const version: Version = { token: "t" as Version["token"], sizeBytes: 7, mtimeMs: 5, hash }
const [from, to] = [mustPath("a.md.conflict1"), mustPath("a.md")]
const paths: ReadonlyMap<RelativePath, PathState> = new Map([[from, { local: version, remote: version }]])
const goals: readonly Goal[] = [
  { path: from, op: "restore" },
  { path: to, op: "restore", content: { hash, sizeBytes: 7, source: { kind: "history", hash } } },
]

test("moves a file whose bytes only get another name, and keeps its time", () => {
  const [action, ...others] = planGoals(goals, { paths, atMs: AT_MS })
  expect(others).toEqual([])
  expect(action).toMatchObject({ op: "move", path: from, to })
})

test("writes anew with the time of the command where nothing may be moved, and keeps what it removes", () => {
  const actions = planGoals(goals, { paths, atMs: AT_MS, canMove: false })
  expect(actions.map(({ op, path }) => `${op} ${path}`)).toEqual([`restore ${to}`, `delete ${from}`])
  expect(actions[0]?.steps).toMatchObject([
    { kind: "write", side: "local", mtimeMs: AT_MS },
    { kind: "write", side: "remote", mtimeMs: AT_MS },
  ])
  expect(actions[1]?.keeps).toHaveLength(2)
})
