/**
 * Turns what the journal's database throws into errors with a way out. Everything it can throw is the world's doing: a
 * damaged file, a full disk. What was acknowledged before is safe, and the next run goes on from there.
 */

import { StoreDamaged, StoreFailed } from "../journal/store-trouble.ts"
import type { SyncError } from "../model/errors.ts"
import { err, type Result } from "../model/result.ts"

export async function catchStoreErrors<T>(
  work: () => Promise<Result<T, SyncError>>,
): Promise<Result<T, SyncError>> {
  try {
    return await work()
  } catch (error) {
    const found = storeError(error)
    if (found === undefined) throw error
    return err(found)
  }
}

/** Uses something that holds the journal open, and closes it whatever happens. */
export async function closing<T>(
  held: { close(): Promise<void> },
  work: () => Promise<Result<T, SyncError>>,
): Promise<Result<T, SyncError>> {
  try {
    return await catchStoreErrors(work)
  } finally {
    await held.close()
  }
}

function storeError(error: unknown): SyncError | undefined {
  if (error instanceof StoreFailed) {
    const code = error.errno === "ENOSPC" ? "no_space" : "io"
    return { code: "state_write_failed", trouble: { code, path: "journal", detail: error.errno } }
  }
  const why = damageText(error)
  return why === undefined ? undefined : { code: "journal_damaged", why }
}

/** What the database said of itself, without the paths of this machine; absent where it is a bug of ours. */
export function damageText(error: unknown): string | undefined {
  if (!(error instanceof StoreDamaged || error instanceof StoreFailed)) return undefined
  return error.message.replace(/\S*\/\S*/g, "…").slice(0, 200)
}
