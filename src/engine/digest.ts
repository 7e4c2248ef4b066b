/** The digest of a plan: equal worlds give equal digests, whenever they are looked at. */

import type { Plan, Step } from "../model/action.ts"
import type { ContentHash, Sha256 } from "../model/ids.ts"

/** Conflict ids are left out: they name the journal's head, which also a run with nothing to do moves. */
export function digestOf(plan: Plan, sha256: Sha256): ContentHash {
  const actions = plan.actions.map(({ conflict, base, ...action }) => ({
    ...action,
    ...(action.reason === "undo" && {
      steps: action.steps.map(withoutTime),
      after: action.after.map(({ path, content }) => [path, content?.hash]),
    }),
    base: base?.hash,
    conflict: conflict === undefined ? undefined : { ...conflict, id: undefined },
  }))
  return sha256(JSON.stringify(actions))
}

/** What an undo puts back carries the time of the command, which is not part of the plan. */
function withoutTime(step: Step): Step {
  return step.kind === "write" ? { ...step, mtimeMs: 0 } : step
}
