/**
 * One run, from looking to done. Read this file first; every stage is one call.
 *
 *     recognise ▶ settle ▶ list ▶ observe ▶ decide ▶ guard ┬▶ (a dry run ends here; nothing was written)
 *                                                          └▶ journal ▶ preserve ▶ execute ▶ record ▶ finish
 *
 * A dry run and a run go through the same lines up to the guard, so that a plan is exactly what happens. `decide` is
 * reconciliation for a sync and the undo of something for an undo; there is one way to touch files.
 */

import type { Plan } from "../model/action.ts"
import type { SyncError, Trouble } from "../model/errors.ts"
import type { EventBody, UnionReason } from "../model/event.ts"
import { shortId, type ContentHash, type PlanId, type RunId } from "../model/ids.ts"
import { err, ok, type Result } from "../model/result.ts"
import type { State } from "../model/state.ts"
import { perform, type Performed } from "./perform.ts"
import { actionRecord, recordsDigest } from "./action-record.ts"
import { journalError, type Ledger } from "./ledger.ts"
import { listSides, look, type Look } from "./look.ts"
import type { RunOptions } from "./options.ts"
import { hasNothingToDo, settleQuietly } from "./quiet.ts"
import { recognise } from "./recognise.ts"
import { newRunId, settingsText } from "./run-id.ts"
import { settleAsides, settleIntents } from "./settle.ts"
import { blockError } from "./blocks.ts"
import type { World } from "./world.ts"

/** Turns what was seen into a plan with its blocks. Pure, but for what it has to read of the journal. */
export type Decide = (seen: {
  readonly state: State
  readonly look: Look
  readonly run: RunId
}) => Promise<Result<Decided, SyncError>>

export interface Decided {
  readonly plan: Plan
  /** Journaled before the first effect. */
  readonly bodies: readonly EventBody[]
  /** Journaled with the end of the run. */
  readonly concluding?: readonly EventBody[]
}

/** A plan and all that carrying it out needs. */
export interface Prepared {
  readonly run: RunId
  readonly plan: Plan
  readonly planId: PlanId
  readonly digest: ContentHash
  readonly look: Look
  /** Journaled together before the first effect. */
  readonly bodies: readonly EventBody[]
  /** What the decision itself wants on record: conflicts, what is undone. */
  readonly decided: readonly EventBody[]
  /** What stands at the run's end: that something is undone. */
  readonly concluding: readonly EventBody[]
  readonly settings: string
}

export type Cycle =
  | { readonly kind: "settled"; readonly run: RunId; readonly files: number; readonly settings: string }
  | { readonly kind: "planned"; readonly prepared: Prepared; readonly unfinished: number }
  | {
      readonly kind: "performed"
      readonly prepared: Prepared
      readonly performed: Performed
      readonly restored: readonly string[]
    }
  | { readonly kind: "cloned" }

export async function cycle(
  world: World,
  ledger: Ledger,
  options: RunOptions,
  decide: Decide,
): Promise<Result<Cycle, SyncError>> {
  const settings = settingsText(world, options)
  const recognised = await recognise(world, ledger, options.names)
  if (!recognised.ok) return recognised
  // A union that is made because of it may go on: its dry run, which must not take a new id.
  if (recognised.value.isCloned && options.union !== "journal_cloned") return ok({ kind: "cloned" })
  const run = await newRunId(world, ledger, options)
  const listings = await listSides(world)
  if (!listings.ok) return listings
  const unions = [...recognised.value.unions, ...(options.union === undefined ? [] : [options.union])]
  if (unions.length === 0 && hasNothingToDo(world, ledger, { listings: listings.value, settings, options })) {
    return ok(await settleQuietly(ledger, { listings: listings.value, run, settings, options }))
  }
  const loaded = await ledger.load()
  if (!loaded.ok) return err(journalError(loaded.error))
  const unfinished = ledger.state().intents.size
  const { bodies: recognisedBodies } = recognised.value
  const settled = options.isDryRun
    ? ok({ restored: [], first: recognisedBodies })
    : await settle(world, ledger, { run, unions, bodies: recognisedBodies })
  if (!settled.ok) return err({ code: "side_unreadable", side: "local", trouble: settled.error })
  // What was put back or finished just now is not in the listings from before.
  const fresh = unfinished > 0 || settled.value.restored.length > 0 ? await listSides(world) : listings
  if (!fresh.ok) return fresh
  const seen = await look(world, ledger, {
    listings: fresh.value,
    first: settled.value.first,
    unions,
    run,
  })
  const decided = await decide({ state: seen.state, look: seen, run })
  if (!decided.ok) return decided
  const { plan } = decided.value
  const digest = recordsDigest(
    plan.actions.map((action, index) => actionRecord(action, index + 1)),
    world.sha256,
  )
  const planId = shortId("p", digest, () => false) as PlanId
  const { bodies, concluding = [] } = decided.value
  const prepared: Prepared = {
    run,
    plan,
    planId,
    digest,
    look: seen,
    bodies: seen.bodies,
    decided: bodies,
    concluding,
    settings,
  }
  if (options.isDryRun) return ok({ kind: "planned", prepared, unfinished })
  const blocked = blockError(plan, options)
  if (blocked !== undefined) return err(blocked)
  const performed = await perform(world, ledger, prepared, options)
  return performed.ok
    ? ok({ kind: "performed", prepared, performed: performed.value, restored: settled.value.restored })
    : performed
}

/**
 * Settles what was left. That names this device in the epoch, which moves what is remembered of it: unions are on
 * record before, and the chain that was read before is not put back over the newer one.
 */
async function settle(
  world: World,
  ledger: Ledger,
  at: { readonly run: RunId; readonly unions: readonly UnionReason[]; readonly bodies: readonly EventBody[] },
): Promise<Result<{ readonly restored: readonly string[]; readonly first: readonly EventBody[] }, Trouble>> {
  const { run, unions, bodies } = at
  const remembered = ledger.state().root.epoch
  if (ledger.state().intents.size > 0) {
    await ledger.append(
      unions.map((reason) => ({ type: "union.started", reason, scope: "all" })),
      { sync: true, run },
    )
  }
  const intents = await settleIntents(world, ledger)
  const restored = intents.ok ? await settleAsides(world, ledger, run) : intents
  if (!restored.ok) return restored
  const isNamed = ledger.state().root.epoch !== remembered
  return ok({
    restored: restored.value,
    first: isNamed ? bodies.filter(({ type }) => type !== "epoch.read") : bodies,
  })
}
