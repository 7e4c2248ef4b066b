/**
 * Turns changes into a plan: actions with steps, preconditions, and what must be kept before. PURE.
 *
 * Order: what makes room for another shape first, then creates and updates, then renames, deletes last; within each
 * by path, children before parents where names go away. A run carries out exactly these steps, or fewer.
 */

import type { Action, Agreed, Notice, Plan } from "../model/action.ts"
import type { Change } from "../model/change.ts"
import type { ConflictId } from "../model/ids.ts"
import { ancestorsOf, comparePaths, isBelow, type RelativePath } from "../model/path.ts"
import { unreachable } from "../model/result.ts"
import { directionTo, type Side } from "../model/side.ts"
import type { PathState } from "../model/state.ts"
import { conflictAction } from "./conflict-action.ts"
import { agreementOf, expectedOf, keepsOf, writeStep } from "./step.ts"

export interface PlanInput {
  readonly changes: readonly Change[]
  readonly agreed: readonly Agreed[]
  readonly notices: readonly Notice[]
  readonly paths: ReadonlyMap<RelativePath, PathState>
  /** Names a conflict from what it is about; deterministic for one journal head. */
  readonly conflictId: (about: string) => ConflictId
}

/** Plans without limits; `guard` adds the blocks. Actions are in the order in which they are carried out. */
export function planChanges(input: PlanInput): Plan {
  const actions = input.changes.map((change) => actionOf(change, input))
  return { actions: orderActions(actions), agreed: input.agreed, notices: input.notices, blocks: [] }
}

function actionOf(change: Change, input: PlanInput): Action {
  const state = input.paths.get(change.path) ?? {}
  switch (change.kind) {
    case "copy":
      return copyAction(change, state)
    case "delete":
      return deleteAction(change, state)
    case "move":
      return moveAction(change, state)
    case "conflict":
    case "sidestep":
      return conflictAction(change, state, input.conflictId)
    default:
      return unreachable(change)
  }
}

function copyAction(change: Extract<Change, { kind: "copy" }>, state: PathState): Action {
  const { path, targetSide, version, replaced, reason } = change
  return {
    op: targetSide === "remote" ? "upload" : "download",
    change: replaced === undefined ? "create" : "update",
    direction: directionTo(targetSide),
    path,
    reason,
    risk: replaced === undefined ? "none" : "replace",
    sizeBytes: version.sizeBytes,
    ...state,
    steps: [writeStep({ path, targetSide, version, sourcePath: path, expected: expectedOf(replaced) })],
    keeps: keepsOf(targetSide, path, replaced),
    after: [agreementOf(path, version)],
    makesRoom: false,
  }
}

function deleteAction(change: Extract<Change, { kind: "delete" }>, state: PathState): Action {
  const { path, targetSide, version, reason, isRename } = change
  return {
    op: "delete",
    change: "delete",
    direction: directionTo(targetSide),
    path,
    reason,
    risk: "delete",
    sizeBytes: version.sizeBytes,
    ...state,
    steps: [{ kind: "remove", side: targetSide, path, expected: version }],
    keeps: keepsOf(targetSide, path, version),
    after: [{ path }],
    makesRoom: false,
    ...(isRename && { isRename }),
  }
}

function moveAction(change: Extract<Change, { kind: "move" }>, state: PathState): Action {
  const { path, to, targetSide, version, moved } = change
  return {
    op: "move",
    change: "move",
    direction: directionTo(targetSide),
    path,
    to,
    reason: targetSide === "remote" ? "local_moved" : "remote_moved",
    risk: "none",
    sizeBytes: version.sizeBytes,
    ...state,
    steps: [{ kind: "move", side: targetSide, path, to, expected: version }],
    keeps: [],
    after: [{ path }, agreementOf(to, moved)],
    makesRoom: false,
  }
}

export function orderActions(actions: readonly Action[]): readonly Action[] {
  const created = createdNames(actions)
  const placed = actions.map((action) => ({
    ...action,
    makesRoom: action.makesRoom || makesRoom(action, created),
  }))
  return placed.sort((a, b) => phaseOf(a) - phaseOf(b) || compareInPhase(a, b))
}

function compareInPhase(a: Action, b: Action): number {
  return phaseOf(a) === DELETES ? comparePaths(b.path, a.path) : comparePaths(a.path, b.path)
}

const DELETES = 3

function phaseOf(action: Action): number {
  if (action.makesRoom) return 0
  if (action.op === "move") return 2
  return action.op === "delete" ? DELETES : 1
}

interface CreatedNames {
  readonly files: { readonly [S in Side]: ReadonlySet<string> }
  readonly directories: { readonly [S in Side]: ReadonlySet<string> }
}

function createdNames(actions: readonly Action[]): CreatedNames {
  const files = { local: new Set<string>(), remote: new Set<string>() }
  const directories = { local: new Set<string>(), remote: new Set<string>() }
  for (const step of actions.flatMap((action) => action.steps)) {
    if (step.kind === "remove") continue
    const path = step.kind === "move" ? step.to : step.path
    files[step.side].add(path)
    for (const directory of ancestorsOf(path)) directories[step.side].add(directory)
  }
  return { files, directories }
}

/** A delete makes room when the name, or a directory above it, becomes something else on the same side. */
function makesRoom(action: Action, created: CreatedNames): boolean {
  if (action.op !== "delete") return false
  return action.steps.some(
    ({ side, path }) =>
      created.directories[side].has(path) ||
      ancestorsOf(path).some((directory) => created.files[side].has(directory)),
  )
}

/** Leaves only what lies in one project. */
export function limitToProject(plan: Plan, project: RelativePath): Plan {
  const isInside = (path: string) => isBelow(path, project)
  return {
    ...plan,
    actions: plan.actions.filter(({ path, to }) => isInside(path) && (to === undefined || isInside(to))),
    agreed: plan.agreed.filter(({ path }) => isInside(path)),
    notices: plan.notices.filter(({ path }) => isInside(path)),
  }
}
