/** What a run planned and what came of it, in one line, for the story of a seed that failed. */

import type { Cycle } from "../../src/engine/cycle.ts"
import type { SyncError } from "../../src/model/errors.ts"
import type { Result } from "../../src/model/result.ts"

export function storyOf(result: Result<Cycle, SyncError>): string {
  if (!result.ok) return `failed ${JSON.stringify(result.error)}`
  const { value } = result
  if (value.kind !== "performed") return value.kind
  const { plan, look } = value.prepared
  const actions = plan.actions.map(({ op, direction, path, reason, conflict }) =>
    [op, direction, path, reason, ...(conflict === undefined ? [] : [JSON.stringify(conflict)])].join(" "),
  )
  const skipped = value.performed.outcomes.flatMap((outcome) =>
    outcome.kind === "skipped" ? [outcome.trouble] : [],
  )
  const tombstones = look.tombstones.map(({ path }) => path)
  return JSON.stringify({ actions, agreed: plan.agreed.length, notices: plan.notices, skipped, tombstones })
}
