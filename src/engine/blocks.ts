/** Says why a plan is held back, as the error that the user sees. */

import type { Plan } from "../model/action.ts"
import type { SyncError } from "../model/errors.ts"
import { parentOf } from "../model/path.ts"
import type { Side } from "../model/side.ts"
import { totalDeletes } from "../plan/guard.ts"
import type { RunOptions } from "./options.ts"

export function blockError(
  plan: Plan,
  options: Pick<RunOptions, "confirmedDeletes" | "profile" | "kind">,
): SyncError | undefined {
  const total = totalDeletes(plan)
  const by = options.kind === "bisync" || options.kind === "resync" ? {} : { kind: options.kind }
  const confirmed = options.confirmedDeletes
  if (confirmed !== undefined && confirmed !== total)
    return { code: "confirm_mismatch", confirmed, total, ...by }
  const block = plan.blocks[0]
  if (block === undefined) return undefined
  if (block.code === "side_emptied") return { ...block, total, ...by }
  const { side, deletes, limit } = block
  return {
    code: "delete_limit",
    profile: options.profile.name,
    limit,
    deletes,
    total,
    side,
    ...by,
    ...densestDirectory(plan, side),
  }
}

/** The directory that most of the deletes lie in, which usually tells what happened. */
function densestDirectory(plan: Plan, side: Side): { readonly example: string; readonly below: number } {
  const counts = new Map<string, number>()
  for (const { path, steps } of plan.actions) {
    if (!steps.some((step) => step.kind === "remove" && step.side === side)) continue
    counts.set(parentOf(path), (counts.get(parentOf(path)) ?? 0) + 1)
  }
  const [example, below] = [...counts].sort(([a, x], [b, y]) => y - x || (a < b ? -1 : 1))[0] ?? ["", 0]
  return { example, below }
}
