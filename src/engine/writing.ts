/**
 * Holds the remote's right to write around what writes there. Most remotes give it with each request; where only one
 * device may write at a time, this is the lease, and whoever else holds it is waited for. Work that has written its last
 * there gives it back, and goes on while that is on its way.
 */

import type { Step } from "../model/action.ts"
import type { SyncError } from "../model/errors.ts"
import { err, type Result } from "../model/result.ts"
import type { RunOptions } from "./options.ts"
import type { World } from "./world.ts"

export async function whileWriting<T>(
  { sides: { remote } }: World,
  { needs, onLeaseWait }: Pick<RunOptions, "onLeaseWait"> & { readonly needs: boolean },
  work: (release: () => Promise<void>) => Promise<Result<T, SyncError>>,
): Promise<Result<T, SyncError>> {
  if (!needs || remote.beginWriting === undefined) return work(async () => undefined)
  const begun = await remote.beginWriting({ onWait: onLeaseWait ?? (() => undefined) })
  if (!begun.ok) return err({ code: "side_unreadable", side: "remote", trouble: begun.error })
  let released: Promise<void> | undefined
  const release = () => {
    released ??= remote.endWriting?.() ?? Promise.resolve()
    // If it breaks while the work goes on, whoever waits for it below hears of it.
    released.catch(() => undefined)
    return released
  }
  try {
    return await work(release)
  } finally {
    await release()
  }
}

/** A run that only downloads takes no lease. */
export function writesRemote(steps: readonly Step[]): boolean {
  return steps.some(({ side }) => side === "remote")
}
