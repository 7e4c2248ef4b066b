/**
 * Settles what an earlier run left: intents without an outcome, and files in the trash.
 *
 * An intent is settled by looking, never by guessing. What took effect is done; what did not is put back and will be
 * planned again. Of an action with several steps, the renames that are left are made, so that both versions of a
 * conflict get their promised names; the copies that are left follow from what the next look sees.
 */

import type { Trouble } from "../model/errors.ts"
import type { EventBody, StepResult } from "../model/event.ts"
import type { RunId } from "../model/ids.ts"
import type { RelativePath } from "../model/path.ts"
import type { AsideFound, Settled } from "../model/ports.ts"
import { err, ok, type Result } from "../model/result.ts"
import { SIDES, type Side } from "../model/side.ts"
import type { Aside, OpenIntent } from "../model/state.ts"
import { appendEpoch } from "./epoch.ts"
import type { Ledger } from "./ledger.ts"
import type { World } from "./world.ts"

/** An editor that still has the old file open may save into it; after this long it has surely closed or saved. */
export const ASIDE_AGE_MS = 60_000

type Unsettled = Trouble & { readonly side?: Side }

export async function settleIntents(world: World, ledger: Ledger): Promise<Result<void, Unsettled>> {
  const intents = [...ledger.state().intents.values()]
  const settled: { readonly intent: OpenIntent; readonly body: EventBody }[] = []
  for (const intent of intents) {
    const body = await settleIntent(world, ledger, intent)
    if (!body.ok) return body
    settled.push({ intent, body: body.value })
  }
  const named = await nameInEpoch(world, ledger, intents)
  if (!named.ok) return err({ ...named.error, side: "remote" })
  for (const { intent, body } of settled) {
    await ledger.append([body], { sync: true, run: intent.run })
    await retireSettled(world, intent)
  }
  for (const side of SIDES) await world.sides[side].discardStaged()
  return ok(undefined)
}

/** What the interrupted run wrote to the remote is in its epoch before it counts as done, as in a run that ends well. */
async function nameInEpoch(
  world: World,
  ledger: Ledger,
  intents: readonly OpenIntent[],
): Promise<Result<void, Trouble>> {
  const { lastNonce } = ledger.state().root
  const wrote = intents.some(({ steps }) => steps.some(({ side }) => side === "remote"))
  if (!wrote || lastNonce === undefined) return ok(undefined)
  const epoch = await appendEpoch(world, ledger, lastNonce)
  if (!epoch.ok) return epoch
  await ledger.append([epoch.value], { sync: true })
  return ok(undefined)
}

async function settleIntent(
  world: World,
  ledger: Ledger,
  intent: OpenIntent,
): Promise<Result<EventBody, Unsettled>> {
  const settled: Settled[] = []
  for (const [index, step] of intent.steps.entries()) {
    const mark = intent.marks[index]
    if (mark === undefined) continue
    const found = await world.sides[step.side].settle({ op: mark.op, step }, mark, async () => {
      await ledger.append([{ type: "delete.sent", intent: intent.sequence, op: mark.op }], {
        sync: true,
        run: intent.run,
      })
    })
    if (!found.ok) return err({ ...found.error, side: step.side })
    settled.push(found.value)
  }
  if (settled.every(({ kind }) => kind === "applied")) return ok(doneBody(intent, settled))
  if (settled.some(({ kind }) => kind === "applied")) {
    const finished = await finishRenames(world, intent, settled)
    if (!finished.ok) return finished
  }
  const { number, sequence, action } = intent
  return ok({ type: "failed", number, intent: sequence, path: action.path, code: "interrupted" })
}

async function finishRenames(
  world: World,
  intent: OpenIntent,
  settled: readonly Settled[],
): Promise<Result<void, Trouble>> {
  for (const [index, step] of intent.steps.entries()) {
    const mark = intent.marks[index]
    if (mark === undefined || step.kind !== "move" || settled[index]?.kind === "applied") continue
    const applied = await world.sides[step.side].apply({ op: mark.op, step }, mark)
    if (!applied.ok) return applied
  }
  for (const side of SIDES) {
    const flushed = await world.sides[side].flush()
    if (!flushed.ok) return flushed
  }
  return ok(undefined)
}

function doneBody(intent: OpenIntent, settled: readonly Settled[]): EventBody {
  const { number, sequence, steps, marks, after, action } = intent
  const results = steps.flatMap((step, index): StepResult[] => {
    const found = settled[index]
    const op = marks[index]?.op
    if (found?.kind !== "applied" || op === undefined) return []
    const aside = found.aside === undefined ? {} : { aside: found.aside }
    const version = found.version === undefined ? {} : { version: found.version }
    if (step.kind !== "move") return [{ op, side: step.side, path: step.path, ...version, ...aside }]
    return [
      { op, side: step.side, path: step.path },
      { op, side: step.side, path: step.to, ...version },
    ]
  })
  const afterHash = after.at(-1)?.content?.hash
  return {
    type: "done",
    number,
    intent: sequence,
    ...action,
    ...(afterHash !== undefined && { afterHash }),
    results,
    after,
  }
}

async function retireSettled(world: World, intent: OpenIntent): Promise<void> {
  for (const [index, step] of intent.steps.entries()) {
    const op = intent.marks[index]?.op
    if (op !== undefined) await world.sides[step.side].retireAside(op)
  }
}

/**
 * Looks after the trash of both sides. An aside that the journal knows is dropped once it is old and untouched; one
 * that was written to, or that nobody accounts for and whose bytes are kept nowhere, gets a name among the notes again.
 */
export async function settleAsides(
  world: World,
  ledger: Ledger,
  run: RunId,
): Promise<Result<readonly RelativePath[], Trouble>> {
  const copies: RelativePath[] = []
  for (const side of SIDES) {
    const found = await world.sides[side].asides()
    if (!found.ok) return found
    for (const aside of found.value) {
      const settled = await settleAside({ world, ledger, run, side }, aside)
      if (!settled.ok) return settled
      if (settled.value !== undefined) copies.push(settled.value)
    }
    await forgetVanished({ world, ledger, run, side }, found.value)
  }
  return ok(copies)
}

/** A run ended after an aside was dropped and before that was recorded. */
async function forgetVanished(context: AsideContext, found: readonly AsideFound[]): Promise<void> {
  const present = new Set(found.map(({ op }) => op))
  for (const known of context.ledger.state().asides.values())
    if (known.side === context.side && !present.has(known.op)) await forget(context, known)
}

interface AsideContext {
  readonly world: World
  readonly ledger: Ledger
  readonly run: RunId
  readonly side: Side
}

async function settleAside(
  context: AsideContext,
  found: AsideFound,
): Promise<Result<RelativePath | undefined, Trouble>> {
  const { world, ledger, side } = context
  const known = ledger.state().asides.get(found.op)
  if (known === undefined) return settleUnknownAside(context, found)
  if (!found.isRetired) await world.sides[side].retireAside(found.op)
  if (world.clock.nowMs() - known.atMs < ASIDE_AGE_MS) return ok(undefined)
  const dropped = await world.sides[side].dropAside({ op: found.op, path: found.path, token: known.token })
  if (!dropped.ok) return dropped
  if (dropped.value === "changed") {
    // Only its change time may be new: another name of the same file went away. What is kept can go.
    const kept = await dropIfKept(context, found)
    if (!kept.ok) return kept
    if (!kept.value) return restoreAside(context, found)
  }
  await forget(context, known)
  return ok(undefined)
}

/** The journal was cut, or the run ended between the effect and its record: kept bytes may go, others come back. */
async function settleUnknownAside(
  context: AsideContext,
  found: AsideFound,
): Promise<Result<RelativePath | undefined, Trouble>> {
  const { world, ledger, side } = context
  const content = await world.sides[side].readAside(found)
  if (!content.ok) return content.error.code === "not_found" ? ok(undefined) : content
  const isKept = (await ledger.keptAt(content.value.hash)) !== undefined
  if (!isKept || !found.isRetired) return restoreAside(context, found)
  if (world.clock.nowMs() - found.changedMs < ASIDE_AGE_MS) return ok(undefined)
  const dropped = await world.sides[side].dropAside(found)
  return dropped.ok ? ok(undefined) : dropped
}

/** False where its bytes are in no history store, or are being written to this very moment. */
async function dropIfKept(
  { world, ledger, side }: AsideContext,
  found: AsideFound,
): Promise<Result<boolean, Trouble>> {
  const content = await world.sides[side].readAside(found)
  if (!content.ok) return content.error.code === "not_found" ? ok(true) : content
  if ((await ledger.keptAt(content.value.hash)) === undefined) return ok(false)
  const dropped = await world.sides[side].dropAside(found)
  return dropped.ok ? ok(dropped.value !== "changed") : dropped
}

async function restoreAside(
  context: AsideContext,
  found: AsideFound,
): Promise<Result<RelativePath | undefined, Trouble>> {
  const restored = await context.world.sides[context.side].restoreAside(found)
  if (!restored.ok) return restored
  const known = context.ledger.state().asides.get(found.op)
  if (known !== undefined) await forget(context, known, restored.value)
  return restored
}

async function forget(
  { ledger, run }: AsideContext,
  { op }: Aside,
  becameCopy?: RelativePath,
): Promise<void> {
  await ledger.append([{ type: "aside.dropped", op, ...(becameCopy !== undefined && { becameCopy }) }], {
    sync: false,
    run,
  })
}
