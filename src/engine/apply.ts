/**
 * Applies a saved plan: exactly its actions, or none of them.
 *
 * The plan is made anew from what is seen now, and each saved action must be among its actions. What the saved plan
 * does not know is left to the next run. Nothing of the file is executed; it only chooses.
 */

import type { Plan } from "../model/action.ts"
import type { StaleAction, SyncError } from "../model/errors.ts"
import type { PlanId } from "../model/ids.ts"
import { err, ok, type Result } from "../model/result.ts"
import { guard } from "../plan/guard.ts"
import { type ActionRecord, actionRecord, isSameAction } from "./action-record.ts"
import type { Decide } from "./cycle.ts"
import type { RunOptions } from "./options.ts"
import { filesSeen } from "./sync.ts"

export interface SavedPlan {
  readonly plan: PlanId
  readonly actions: readonly (ActionRecord & { readonly skip?: boolean })[]
}

export type Check = "holds" | "stale" | "done"

/** Says of each saved action whether it still is what would happen. */
export function judgeSaved(
  saved: SavedPlan,
  now: Plan,
): readonly { readonly record: ActionRecord; readonly check: Check; readonly now?: ActionRecord }[] {
  const current = new Map(
    now.actions.map((action, index) => [action.path as string, actionRecord(action, index + 1)]),
  )
  return saved.actions.map((record) => {
    const found = current.get(record.path)
    if (found !== undefined && isSameAction(record, found)) return { record, check: "holds", now: found }
    return found === undefined ? { record, check: "done" } : { record, check: "stale", now: found }
  })
}

/** Wraps a decision so that it yields exactly the saved actions, or says which no longer match. */
export function applySaved(decide: Decide, saved: SavedPlan, options: RunOptions): Decide {
  return async (seen) => {
    const decided = await decide(seen)
    if (!decided.ok) return decided
    const wanted = saved.actions.filter(({ skip }) => skip !== true)
    const judged = judgeSaved({ ...saved, actions: wanted }, decided.value.plan)
    const stale = judged.filter(({ check }) => check !== "holds")
    if (stale.length > 0) return err(staleError(saved, stale))
    const chosen = chosenPlan(decided.value.plan, new Set(wanted.map(({ path }) => path)))
    const { confirmedDeletes, profile } = options
    const plan = guard(chosen, {
      maxDelete: profile.maxDelete,
      files: filesSeen(seen.state),
      ...(confirmedDeletes !== undefined && { confirmedDeletes }),
    })
    const conflicts = new Set(
      plan.actions.flatMap(({ conflict }) => (conflict === undefined ? [] : [conflict.id])),
    )
    const bodies = decided.value.bodies.filter(
      (body) => body.type !== "conflict.decided" || conflicts.has(body.conflict),
    )
    return ok({ ...decided.value, plan, bodies }) satisfies Result<unknown, SyncError>
  }
}

function chosenPlan(plan: Plan, paths: ReadonlySet<string>): Plan {
  return { ...plan, actions: plan.actions.filter(({ path }) => paths.has(path)), blocks: [] }
}

function staleError(saved: SavedPlan, stale: ReturnType<typeof judgeSaved>): SyncError {
  return { code: "plan_stale", plan: saved.plan, total: saved.actions.length, stale: stale.map(staleAction) }
}

function staleAction({ record, now }: ReturnType<typeof judgeSaved>[number]): StaleAction {
  return {
    path: record.path,
    planned: sights(record),
    now: now === undefined ? "nothing to do there any more" : sights(now),
  }
}

function sights({ op, direction, local, remote }: ActionRecord): string {
  const show = (name: string, version: ActionRecord["local"]) =>
    `${name} ${version === null ? "nothing" : `${version.sha256?.slice(0, "sha256:".length + 8) ?? "unread"}… ${version.size} B ${version.mtime.slice(11, 16)}`}`
  return `${op} ${direction}: ${show("here", local)}, ${show("cloud", remote)}`
}
