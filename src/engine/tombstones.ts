/** Deletes in two steps that their devices never finished: a run that may write finishes them before it plans. */

import type { SyncError } from "../model/errors.ts"
import { err, type Result } from "../model/result.ts"
import type { Ledger } from "./ledger.ts"
import { listSides, look, type Look } from "./look.ts"
import type { RunOptions } from "./options.ts"
import type { World } from "./world.ts"
import { whileWriting } from "./writing.ts"

/** Looks, and where a delete was abandoned by whoever began it, finishes it and looks again. A dry run only looks. */
export async function lookAfterTombstones(
  world: World,
  ledger: Ledger,
  at: Parameters<typeof look>[2],
  options: RunOptions,
): Promise<Result<Look, SyncError>> {
  const seen = await look(world, ledger, at)
  if (!seen.ok || options.isDryRun) return seen
  const { tombstones } = world.sides.remote
  const abandoned = seen.value.tombstones.filter(({ isAbandoned }) => isAbandoned)
  if (tombstones === undefined || abandoned.length === 0) return seen
  const finished = await whileWriting(world, { ...options, needs: true }, async () => {
    const gone = await tombstones.finish(abandoned)
    return gone.ok ? gone : err<SyncError>({ code: "side_unreadable", side: "remote", trouble: gone.error })
  })
  if (!finished.ok) return finished
  const listings = await listSides(world)
  return listings.ok ? look(world, ledger, { ...at, listings: listings.value }) : listings
}
