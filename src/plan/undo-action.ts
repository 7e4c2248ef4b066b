/**
 * Plans an undo: for each path the steps on both sides that put a version back, or take one away. PURE.
 *
 * An undo is a run like any other: the same preconditions, the same brake, and everything it replaces is kept. What is
 * put back carries the time of the command, because it is a new change and must not lose the next "newer".
 */

import type { Action, ContentSource, Keep, OpName, Step } from "../model/action.ts"
import type { Version } from "../model/entry.ts"
import type { ContentHash } from "../model/ids.ts"
import { comparePaths, type RelativePath } from "../model/path.ts"
import { SIDES, type Direction, type Side } from "../model/side.ts"
import type { PathState } from "../model/state.ts"
import { orderActions } from "./plan.ts"
import { expectedOf } from "./step.ts"

/** What a path shall hold on both sides; without content, nothing. */
export interface Goal {
  readonly path: RelativePath
  readonly op: Extract<OpName, "restore" | "merge">
  readonly content?: {
    readonly hash: ContentHash
    readonly sizeBytes: number
    readonly source: ContentSource
  }
}

export function planGoals(
  goals: readonly Goal[],
  options: {
    readonly paths: ReadonlyMap<RelativePath, PathState>
    readonly atMs: number
    /** A move keeps the time of its file; where everything shall carry `atMs`, bytes are written anew. */
    readonly canMove?: boolean
  },
): readonly Action[] {
  const stateOf = (path: RelativePath) => options.paths.get(path) ?? {}
  const moves = options.canMove === false ? [] : pairMoves(goals, stateOf)
  const paired = new Set(moves.flatMap(({ path, to }) => [path, to]))
  const others = goals
    .filter(({ path }) => !paired.has(path))
    .map((goal) => goalAction(goal, stateOf(goal.path), options.atMs))
  return orderActions([...moves, ...others.filter(({ steps }) => steps.length > 0)])
}

function goalAction({ path, op, content }: Goal, state: PathState, atMs: number): Action {
  const steps: Step[] = []
  const keeps: Keep[] = []
  for (const side of SIDES) {
    const version = state[side]
    if (version?.hash === content?.hash) continue
    if (version !== undefined) keeps.push({ side, path, version })
    if (content !== undefined) steps.push(putStep({ side, path, content, version, atMs }))
    else if (version !== undefined) steps.push({ kind: "remove", side, path, expected: version })
  }
  const isDelete = content === undefined
  return {
    op: isDelete ? "delete" : op,
    change: isDelete ? "delete" : keeps.length === 0 ? "create" : "update",
    direction: directionOf(steps),
    path,
    reason: "undo",
    risk: isDelete ? "delete" : keeps.length === 0 ? "none" : "replace",
    sizeBytes: content?.sizeBytes ?? state.local?.sizeBytes ?? state.remote?.sizeBytes ?? 0,
    ...state,
    steps,
    keeps,
    after: [
      content === undefined
        ? { path }
        : { path, content: { hash: content.hash, sizeBytes: content.sizeBytes, mtimeMs: atMs } },
    ],
    makesRoom: false,
  }
}

function putStep(at: {
  readonly side: Side
  readonly path: RelativePath
  readonly content: NonNullable<Goal["content"]>
  readonly version: Version | undefined
  readonly atMs: number
}): Step {
  const { side, path, content, version, atMs } = at
  const { source, sizeBytes, hash } = content
  return { kind: "write", side, path, expected: expectedOf(version), source, sizeBytes, mtimeMs: atMs, hash }
}

function directionOf(steps: readonly Step[]): Direction {
  if (steps.every(({ side }) => side === "local") && steps.length > 0) return "down"
  return steps.every(({ side }) => side === "remote") && steps.length > 0 ? "up" : "both"
}

/** One path gets the very bytes that another loses, on both sides: a rename back, and nothing is sent. */
function pairMoves(
  goals: readonly Goal[],
  stateOf: (path: RelativePath) => PathState,
): readonly (Action & { readonly to: RelativePath })[] {
  const sources = goals
    .filter(({ path, content }) => content === undefined && isWhole(stateOf(path)))
    .sort((a, b) => comparePaths(a.path, b.path))
  const taken = new Set<RelativePath>()
  return goals.flatMap((goal) => {
    const at = stateOf(goal.path)
    if (goal.content === undefined || at.local !== undefined || at.remote !== undefined) return []
    const hash = goal.content.hash
    const source = sources.find(({ path }) => !taken.has(path) && stateOf(path).local?.hash === hash)
    if (source === undefined) return []
    taken.add(source.path)
    return [moveAction(source.path, goal.path, stateOf(source.path))]
  })
}

function isWhole({ local, remote }: PathState): boolean {
  return local?.hash !== undefined && local.hash === remote?.hash
}

function moveAction(
  path: RelativePath,
  to: RelativePath,
  state: PathState,
): Action & { readonly to: RelativePath } {
  const { local, remote } = state
  const steps = SIDES.flatMap((side): Step[] => {
    const expected = side === "local" ? local : remote
    return expected === undefined ? [] : [{ kind: "move", side, path, to, expected }]
  })
  const { hash, sizeBytes, mtimeMs } = local ?? { hash: undefined, sizeBytes: 0, mtimeMs: 0 }
  return {
    op: "move",
    change: "move",
    direction: "both",
    path,
    to,
    reason: "undo",
    risk: "none",
    sizeBytes,
    ...state,
    steps,
    keeps: [],
    after: [{ path }, { path: to, content: { sizeBytes, mtimeMs, ...(hash !== undefined && { hash }) } }],
    makesRoom: false,
  }
}
