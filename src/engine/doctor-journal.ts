/** What `bm doctor` asks the journal: who holds it, and is what the last run left whole? Both with one opening. */

import { existsSync } from "node:fs"
import type { SyncError } from "../model/errors.ts"
import { err, ok, type Result } from "../model/result.ts"
import type { Config, Place } from "./config.ts"
import type { DoctorCheck, DoctorOptions } from "./doctor.ts"
import { journalError, openLedger } from "./ledger.ts"
import { clock, journalDirectory, openStore, readHolder, sha256, stateDirectory } from "./session.ts"
import { closing } from "./store-errors.ts"

/** The database's own lock is what counts, and it ends with its process; `lock.json` only says whose it is. */
export async function checkJournal(
  place: Place,
  config: Config,
  options: DoctorOptions,
): Promise<readonly DoctorCheck[]> {
  const directory = stateDirectory(place, config.stateKey)
  if (!existsSync(journalDirectory(directory)))
    return [isFree(), broken({ code: "no_baseline", why: "no_journal" })]
  const store = await openStore(directory, { createIfMissing: false })
  if (!store.ok) {
    return store.error.code === "lock_held"
      ? [heldBy(readHolder(directory), options), { name: "baseline", result: "note" }]
      : [isFree(), broken(store.error)]
  }
  const run = await closing(store.value, async (): Promise<Result<string | undefined, SyncError>> => {
    const ledger = await openLedger(store.value, { sha256, nowMs: clock.nowMs })
    if (!ledger.ok) return err(journalError(ledger.error))
    const loaded = await ledger.value.load()
    return loaded.ok ? ok(loaded.value.root.lastRun) : err(journalError(loaded.error))
  })
  if (!run.ok) return [isFree(), broken(run.error)]
  if (run.value === undefined) return [isFree(), broken({ code: "no_baseline", why: "no_journal" })]
  return [isFree(), { name: "baseline", result: "ok", run: run.value }]
}

function isFree(): DoctorCheck {
  return { name: "lock", result: "ok", isHeld: false }
}

function heldBy(
  holder: ReturnType<typeof readHolder>,
  { isAlive, host }: Pick<DoctorOptions, "isAlive" | "host">,
): DoctorCheck {
  const { pid, command } = holder
  const isRunning = pid !== undefined && (holder.host !== host || isAlive(pid))
  return {
    name: "lock",
    result: isRunning ? "note" : "warn",
    isHeld: true,
    isAlive: isRunning,
    ...(pid !== undefined && { pid }),
    ...(command !== undefined && { command }),
  }
}

function broken(error: SyncError): DoctorCheck {
  return { name: "baseline", result: "fail", error }
}
