/** A plan with everything that is said about it: what a dry run shows. Gathered while the journal is open. */

import type { Action } from "../model/action.ts"
import { type PlanId, type RunId, shortId } from "../model/ids.ts"
import type { SyncError } from "../model/errors.ts"
import type { RelativePath } from "../model/path.ts"
import { assert, type Result } from "../model/result.ts"
import { type Profile, TIE_MS } from "../model/settings.ts"
import { totalDeletes } from "../plan/guard.ts"
import { type ActionRecord, actionRecord, recordsDigest } from "./action-record.ts"
import { bisync, type BisyncOptions, type Opened, profileOf } from "./bisync.ts"
import type { Config, Place } from "./config.ts"
import type { Cycle, Prepared } from "./cycle.ts"
import { type Evidence, gatherEvidence } from "./evidence.ts"
import type { Ledger } from "./ledger.ts"
import type { World } from "./world.ts"

export interface PlannedRun {
  readonly prepared: Pick<Prepared, "plan" | "planId" | "digest" | "settings">
  readonly records: readonly ActionRecord[]
  readonly evidence: ReadonlyMap<Action, Evidence>
  /** Paths that an interrupted run still has to settle. */
  readonly unfinished: readonly RelativePath[]
  readonly config: Config
  readonly profile: Profile
  readonly device: { readonly id: string; readonly name: string }
  readonly baseline: RunId | undefined
  readonly compared: number
  readonly deletes: number
  readonly tieMs: number
  /** Projects that a run would make known to the cloud account before it syncs. */
  readonly projectsToCreate: readonly string[]
}

/** Of a dry run: the plan, or that there is none because nothing is to do. */
export async function plannedRun(
  opened: Opened,
  cycle: Extract<Cycle, { kind: "planned" | "settled" }>,
  profile: Profile,
): Promise<PlannedRun> {
  const { world, session, config } = opened
  const { ledger } = session
  const state = ledger.state()
  const prepared = cycle.kind === "planned" ? cycle.prepared : emptyPlan(world, cycle.settings)
  return {
    prepared,
    records: prepared.plan.actions.map((action, index) => actionRecord(action, index + 1)),
    evidence: await gatherEvidence(world, ledger, prepared.plan.actions),
    unfinished: [
      ...[...state.intents.values()].map(({ action }) => action.path),
      ...(await unfinishedUndo(ledger)),
    ],
    config,
    profile,
    device: { id: world.device, name: state.root.device?.name ?? config.deviceName },
    baseline: state.root.lastRun,
    compared: cycle.kind === "planned" ? cycle.prepared.look.state.paths.size : cycle.files,
    deletes: totalDeletes(prepared.plan),
    tieMs: TIE_MS,
    projectsToCreate: [],
  }
}

/** Plans a sync and changes nothing. */
export function dryRun(
  place: Place,
  options: Omit<BisyncOptions, "isDryRun">,
): Promise<Result<PlannedRun, SyncError>> {
  return bisync(place, { ...options, isDryRun: true }, async ({ cycle, opened, projectsToCreate = [] }) => {
    assert(cycle.kind === "planned" || cycle.kind === "settled", "a dry run ends with a plan")
    return { ...(await plannedRun(opened, cycle, profileOf(opened.config, options))), projectsToCreate }
  })
}

function emptyPlan({ sha256 }: World, settings: string): PlannedRun["prepared"] {
  const digest = recordsDigest([], sha256)
  return {
    plan: { actions: [], agreed: [], notices: [], blocks: [] },
    planId: shortId("p", digest, () => false) as PlanId,
    digest,
    settings,
  }
}

/** Paths that an interrupted undo has still to put back; the next run does that before it plans anything. */
async function unfinishedUndo(ledger: Ledger): Promise<readonly RelativePath[]> {
  const { openUndo } = ledger.state().root
  const event = openUndo === undefined ? undefined : await ledger.journal.get(openUndo.sequence)
  if (event?.type !== "undo.decided") return []
  const { paths } = ledger.state()
  return event.steps.flatMap(({ path, to }) => {
    const at = paths.get(path)
    return at?.local?.hash === to && at?.remote?.hash === to ? [] : [path]
  })
}
