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
import type { SyncError } from "../model/errors.ts"
import type { EventBody } from "../model/event.ts"
import { shortId, type ContentHash, type PlanId, type RunId } from "../model/ids.ts"
import { err, ok, type Result } from "../model/result.ts"
import type { State } from "../model/state.ts"
import { perform, type Performed } from "./perform.ts"
import { actionRecord, recordsDigest } from "./action-record.ts"
import { journalError, type Ledger } from "./ledger.ts"
import { type Ahead, listSides, type Look, lookAhead } from "./look.ts"
import type { RunOptions } from "./options.ts"
import { hasNothingToDo, settleQuietly } from "./quiet.ts"
import { recognise } from "./recognise.ts"
import { newRunId, settingsText } from "./run-id.ts"
import { settle } from "./settle-run.ts"
import { lookAfterTombstones } from "./tombstones.ts"
import { whileWriting, writesRemote } from "./writing.ts"
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
  | PerformedCycle
  | { readonly kind: "cloned" }

export interface PerformedCycle {
  readonly kind: "performed"
  readonly prepared: Prepared
  readonly performed: Performed
  readonly restored: readonly string[]
}

export async function cycle(
  world: World,
  ledger: Ledger,
  options: RunOptions,
  decide: Decide,
): Promise<Result<Cycle, SyncError>> {
  const settings = settingsText(world, options)
  // The remote's listing shows whether its epoch is the one we know, so both are looked at together.
  let ahead: Ahead | undefined
  const [recognised, listings] = await Promise.all([
    recognise(world, ledger, options.names),
    listSides(world, {
      shards: ledger.state().root.listed.remote?.shards,
      meanwhile: async (listing) => {
        ahead = await lookAhead(world, ledger, { listing, acceptsMounts: options.union !== undefined })
      },
    }),
  ])
  if (!recognised.ok) return recognised
  // A union that is made because of it may go on: its dry run, which must not take a new id.
  if (recognised.value.isCloned && options.union !== "journal_cloned") return ok({ kind: "cloned" })
  const run = await newRunId(world, ledger, options)
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
    : await settle(world, ledger, { run, unions, bodies: recognisedBodies, options })
  if (!settled.ok) return settled
  // What was put back or finished just now is not in the listings from before.
  const fresh = unfinished > 0 || settled.value.restored.length > 0 ? await listSides(world) : listings
  if (!fresh.ok) return fresh
  const first = { listings: fresh.value, ahead, first: settled.value.first, unions, run }
  const looked = await lookAfterTombstones(world, ledger, first, options)
  if (!looked.ok) return looked
  const seen = looked.value
  const decided = await decide({ state: seen.state, look: seen, run })
  if (!decided.ok) return decided
  const prepared = prepare(world, { decided: decided.value, look: seen, run, settings })
  if (options.isDryRun) return ok({ kind: "planned", prepared, unfinished })
  const { restored } = settled.value
  return carryOut(world, ledger, { prepared, restored }, options)
}

/** Gives a decision its names. */
export function prepare(
  world: World,
  at: Pick<Prepared, "look" | "run" | "settings"> & { readonly decided: Decided },
): Prepared {
  const { look, run, settings, decided } = at
  const { plan, bodies, concluding = [] } = decided
  const digest = recordsDigest(
    plan.actions.map((action, index) => actionRecord(action, index + 1)),
    world.sha256,
  )
  const planId = shortId("p", digest, () => false) as PlanId
  return { run, plan, planId, digest, look, bodies: look.bodies, decided: bodies, concluding, settings }
}

export async function carryOut(
  world: World,
  ledger: Ledger,
  { prepared, restored }: { readonly prepared: Prepared; readonly restored: readonly string[] },
  options: RunOptions,
): Promise<Result<PerformedCycle, SyncError>> {
  const { plan } = prepared
  const blocked = blockError(plan, options)
  if (blocked !== undefined) return err(blocked)
  const needs = plan.actions.some(({ steps }) => writesRemote(steps))
  const performed = await whileWriting(world, { ...options, needs }, (onWritten) =>
    perform(world, ledger, prepared, { ...options, onWritten }),
  )
  return performed.ok ? ok({ kind: "performed", prepared, performed: performed.value, restored }) : performed
}
