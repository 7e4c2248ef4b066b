/** Settles, before a run plans anything, what earlier runs left: their intents, and the files that they put aside. */

import type { SyncError, Trouble } from "../model/errors.ts"
import type { EventBody, UnionReason } from "../model/event.ts"
import type { RunId } from "../model/ids.ts"
import { err, ok, type Result } from "../model/result.ts"
import type { Side } from "../model/side.ts"
import type { Ledger } from "./ledger.ts"
import type { RunOptions } from "./options.ts"
import { settleAsides, settleIntents } from "./settle.ts"
import type { World } from "./world.ts"
import { whileWriting, writesRemote } from "./writing.ts"

/**
 * Settles what was left. That names this device in the epoch, which moves what is remembered of it: unions are on
 * record before, and the chain that was read before is not put back over the newer one.
 */
export async function settle(
  world: World,
  ledger: Ledger,
  at: {
    readonly run: RunId
    readonly unions: readonly UnionReason[]
    readonly bodies: readonly EventBody[]
    readonly options: RunOptions
  },
): Promise<
  Result<{ readonly restored: readonly string[]; readonly first: readonly EventBody[] }, SyncError>
> {
  const { run, unions, bodies, options } = at
  const remembered = ledger.state().root.epoch
  if (ledger.state().intents.size > 0) {
    await ledger.append(
      unions.map((reason) => ({ type: "union.started", reason, scope: "all" })),
      { sync: true, run },
    )
  }
  const needs = [...ledger.state().intents.values()].some(({ steps }) => writesRemote(steps))
  const intents = await whileWriting(world, { ...options, needs }, async () => {
    const settled = await settleIntents(world, ledger)
    return settled.ok ? settled : err(unsettled(settled.error))
  })
  if (!intents.ok) return intents
  const restored = await settleAsides(world, ledger, run)
  if (!restored.ok) return err(unsettled(restored.error))
  const isNamed = ledger.state().root.epoch !== remembered
  return ok({
    restored: restored.value,
    first: isNamed ? bodies.filter(({ type }) => type !== "epoch.read") : bodies,
  })
}

function unsettled({ side = "local", ...trouble }: Trouble & { readonly side?: Side }): SyncError {
  return { code: "side_unreadable", side, trouble }
}
