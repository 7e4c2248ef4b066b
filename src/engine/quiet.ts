/**
 * The quiet run: both listings and the settings are those for which there was nothing to do, so there is nothing now. It
 * loads no paths and decides nothing; two small events say that it looked.
 */

import type { RunId } from "../model/ids.ts"
import type { Cycle } from "./cycle.ts"
import type { Ledger } from "./ledger.ts"
import { isSettled, type Listings, listedBodies } from "./look.ts"
import type { RunOptions } from "./options.ts"
import { ASIDE_AGE_MS } from "./settle.ts"
import type { World } from "./world.ts"

export function hasNothingToDo(
  world: World,
  ledger: Ledger,
  at: { readonly listings: Listings; readonly settings: string; readonly options: RunOptions },
): boolean {
  const { kind, union, project, confirmedDeletes, mustDecide } = at.options
  const isPlain =
    kind === "bisync" && union === undefined && project === undefined && confirmedDeletes === undefined
  if (!isPlain || mustDecide === true) return false
  const hasDueAside = [...ledger.state().asides.values()].some(
    ({ atMs }) => world.clock.nowMs() - atMs >= ASIDE_AGE_MS,
  )
  return !hasDueAside && isSettled(ledger.state(), at.listings, at.settings)
}

/** Two small events that need not be durable on their own say that a run looked and found nothing. */
export async function settleQuietly(
  ledger: Ledger,
  at: {
    readonly listings: Listings
    readonly run: RunId
    readonly settings: string
    readonly options: RunOptions
  },
): Promise<Extract<Cycle, { kind: "settled" }>> {
  const { listings, run, settings, options } = at
  const listed = ledger.state().root.listed
  const mounts = { local: listed.local?.mounts ?? [], remote: listed.remote?.mounts ?? [] }
  if (!options.isDryRun)
    await ledger.append(listedBodies({ listings, mounts }, settings), { sync: false, run })
  return { kind: "settled", run, settings, files: listings.local.count }
}
