/**
 * Opens the history for reading: the journal alone, so that it answers when the sync directory or the remote is gone.
 *
 * It waits a little for a run to end, because LevelDB lets one process in. What the database finds damaged while
 * it is read comes out as an error and never as an exception.
 */

import type { SyncError } from "../model/errors.ts"
import type { DeviceId, RunId, Sequence } from "../model/ids.ts"
import { ok, type Result } from "../model/result.ts"
import { IDLE_PREFIX, prefixRange } from "../fold/indexes.ts"
import { closing } from "./store-errors.ts"
import { requireConfig } from "./bisync.ts"
import type { Config, Place } from "./config.ts"
import { runEnds } from "./history-ends.ts"
import type { Ledger } from "./ledger.ts"
import { type Holder, openSession, stateDirectory } from "./session.ts"
import type { When } from "./take-back.ts"
import { resolveRun, sequenceAt } from "./target.ts"

export const HISTORY_WAIT_MS = 10_000

export interface HistoryAccess {
  readonly holder: Holder
  /** Called once if another process holds the journal. */
  readonly onWait?: () => void
}

export interface HistoryOpened {
  readonly config: Config
  /** The state directory of this sync. */
  readonly directory: string
  readonly ledger: Ledger
  readonly device: { readonly id: DeviceId | ""; readonly name: string }
}

export async function withHistory<T>(
  place: Place,
  access: HistoryAccess,
  use: (opened: HistoryOpened) => Promise<Result<T, SyncError>>,
): Promise<Result<T, SyncError>> {
  const config = requireConfig(place)
  if (!config.ok) return config
  const directory = stateDirectory(place, config.value.stateKey)
  const { holder, onWait } = access
  const waiting = { waitMs: HISTORY_WAIT_MS, ...(onWait !== undefined && { onWait }) }
  const session = await openSession(directory, { holder, createIfMissing: false, ...waiting })
  if (!session.ok) return session
  const { ledger } = session.value
  return closing(session.value, async () => {
    const device = ledger.state().root.device ?? ({ id: "", name: config.value.deviceName } as const)
    return use({ config: config.value, directory, ledger, device })
  })
}

/** The events from one moment to another, both ends included. */
export interface Span {
  readonly from: Sequence
  readonly to: Sequence
}

export async function spanOf(
  ledger: Ledger,
  { since, until }: { readonly since?: When; readonly until?: When },
): Promise<Result<Span, SyncError>> {
  const from = since === undefined ? ok(0) : await lastBefore(ledger, since)
  if (!from.ok) return from
  const to = until === undefined ? ok(ledger.head().sequence) : await lastUpTo(ledger, until)
  return to.ok ? ok({ from: from.value + 1, to: to.value }) : to
}

/** The last event that is part of a moment: at that time, or of that run, or before the run. */
export async function lastUpTo(ledger: Ledger, when: When): Promise<Result<Sequence, SyncError>> {
  if (when.kind === "moment") return ok(await sequenceAt(ledger, when.ms))
  const run = await resolveRun(ledger, when.run)
  return run.ok ? ok(await edgeOf(ledger, run.value, when.before)) : run
}

/** What happened at the very millisecond of `since` belongs to what follows. */
async function lastBefore(ledger: Ledger, when: When): Promise<Result<Sequence, SyncError>> {
  return when.kind === "moment" ? ok(await sequenceAt(ledger, when.ms - 1)) : lastUpTo(ledger, when)
}

async function edgeOf(ledger: Ledger, run: RunId, isBefore: boolean): Promise<Sequence> {
  const ends = await runEnds(ledger, run)
  if (ends === undefined) return 0
  return isBefore ? ends.started.seq - 1 : (ends.finished?.seq ?? ledger.head().sequence)
}

/** A run that found nothing to do left only its listings, and no entry in the index of runs. */
export async function findIdle(
  ledger: Ledger,
  name: string,
): Promise<{ readonly run: RunId; readonly sequence: Sequence } | undefined> {
  for await (const rows of ledger.journal.store.range({ ...prefixRange(IDLE_PREFIX), reverse: true })) {
    for (const [key, run] of rows)
      if (run === name) return { run: run as RunId, sequence: Number(key.slice(IDLE_PREFIX.length)) }
  }
  return undefined
}
