/** Shows a plan the way it was asked for: as text, as JSON, into a file; and says with the exit code what it holds. */

import { writeFileSync } from "node:fs"
import type { PlannedRun } from "../../index.ts"
import { plural } from "../format.ts"
import type { Output } from "../output.ts"
import { type PlanDocument, verdictOf } from "../plan-document.ts"
import { planLines } from "../plan-text.ts"

export async function showPlan(at: {
  readonly output: Output
  readonly planned: PlannedRun
  readonly document: PlanDocument
  readonly out: string | undefined
  readonly hasExitCode: boolean
  readonly title?: string
  readonly next?: string
}): Promise<number> {
  const { output, planned, document, out } = at
  if (out !== undefined) {
    try {
      writeFileSync(out, `${JSON.stringify(document, undefined, 1)}\n`)
    } catch (error) {
      return output.fail({
        code: "state_write_failed",
        trouble: {
          code: "io",
          path: out,
          detail: error instanceof Error && "code" in error ? String(error.code) : "EIO",
        },
      })
    }
  }
  output.json(document)
  const next =
    out === undefined
      ? (at.next ??
        "Apply exactly this: bm cloud bisync --dry-run --out plan.json && bm cloud bisync --apply plan.json")
      : `Saved ${out} (${plural(document.actions.length, "action")}). Apply exactly this: bm cloud bisync --apply ${out}`
  const baseline = planned.baseline === undefined ? "" : ` · compared with baseline ${planned.baseline}`
  const title =
    at.title ??
    `Plan ${document.plan} · ${planned.profile.name} · ${plural(planned.compared, "file")}${baseline}`
  output.lines(planLines(planned, { isVerbose: output.isVerbose, title, next }))
  return at.hasExitCode ? planExit(planned) : 0
}

function planExit(planned: PlannedRun): number {
  if (verdictOf(planned) === "nothing") return 0
  const isGrave = planned.prepared.plan.actions.some(({ op, risk }) => op === "delete" || risk === "conflict")
  return isGrave ? 3 : 2
}
