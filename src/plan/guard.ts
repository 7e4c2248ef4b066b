/**
 * The brake: stops a plan before its first write when it deletes more than allowed, or empties a side. PURE.
 *
 * Each side counts for itself; renames do not count. Only confirming the exact number of deletes lets a blocked plan
 * through, and a confirmed number that is not the plan's stops it too.
 */

import type { Action, Plan, PlanBlock } from "../model/action.ts"
import { SIDES, type Side } from "../model/side.ts"

export interface GuardOptions {
  readonly maxDelete: number
  readonly confirmedDeletes?: number
  /** Files that each side holds now, as far as it can be seen. */
  readonly files: { readonly [S in Side]: number }
}

/** Adds the blocks that hold this plan back; none where exactly its deletes were confirmed. */
export function guard(plan: Plan, options: GuardOptions): Plan {
  if (options.confirmedDeletes !== undefined && options.confirmedDeletes === totalDeletes(plan)) return plan
  const blocks = SIDES.flatMap((side) => blocksOf(plan, side, options))
  return { ...plan, blocks }
}

function blocksOf(plan: Plan, side: Side, { maxDelete, files }: GuardOptions): readonly PlanBlock[] {
  const deletes = countDeletes(plan.actions, side)
  const blocks: PlanBlock[] = []
  if (deletes > maxDelete) blocks.push({ code: "delete_limit", side, deletes, limit: maxDelete })
  if (files[side] >= 2 && files[side] + filesAdded(plan.actions, side) === 0)
    blocks.push({ code: "side_emptied", side, files: files[side] })
  return blocks
}

export function totalDeletes(plan: Plan): number {
  return countDeletes(plan.actions, "local") + countDeletes(plan.actions, "remote")
}

export function countDeletes(actions: readonly Action[], side: Side): number {
  return removals(actions, side).filter((action) => action.isRename !== true && action.op !== "move").length
}

function removals(actions: readonly Action[], side: Side): readonly Action[] {
  return actions.filter((action) => action.steps.some((step) => step.kind === "remove" && step.side === side))
}

/** How many more files a side has after the plan; negative where it loses some. */
function filesAdded(actions: readonly Action[], side: Side): number {
  let added = 0
  for (const step of actions.flatMap((action) => action.steps)) {
    if (step.side !== side) continue
    if (step.kind === "remove") added -= 1
    else if (step.kind === "write" && step.expected.kind === "absent") added += 1
  }
  return added
}
