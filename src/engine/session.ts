/**
 * A session: the journal of one state directory held open, and the world around it.
 *
 * LevelDB allows one process at a time, so holding the journal is holding the lock. Who holds it stands in `lock.json`
 * beside it, for the message that the next one prints.
 */

import { existsSync, readdirSync, readFileSync, renameSync } from "node:fs"
import { createHash, randomBytes } from "node:crypto"
import { join } from "node:path"
import { folderBackend } from "../backend/folder.ts"
import type { Disk } from "../disk/disk.ts"
import { readMarker, writeMarker } from "../disk/marker-file.ts"
import { openNodeDisk } from "../disk/node-disk.ts"
import { troubleOf } from "../disk/trouble.ts"
import { openLevelStore } from "../journal/level-store.ts"
import type { SyncError } from "../model/errors.ts"
import { type DeviceId, mustContentHash, type Sha256 } from "../model/ids.ts"
import type { HistoryStore, KeyValueStore } from "../model/ports.ts"
import { err, ok, type Result } from "../model/result.ts"
import type { Trouble } from "../model/errors.ts"
import { type Config, makePrivateDirectory, type Place, writePrivate } from "./config.ts"
import { journalError } from "./ledger.ts"
import { type Ledger, openLedger } from "./ledger.ts"
import type { OpenRemote } from "./open-remote.ts"
import { readRules } from "./rules.ts"
import { catchStoreErrors } from "./store-errors.ts"
import type { World } from "./world.ts"

export interface Session {
  readonly directory: string
  readonly store: KeyValueStore
  readonly ledger: Ledger
  close(): Promise<void>
}

export interface Holder {
  readonly pid: number
  readonly host: string
  readonly command: string
  readonly since: string
}

export const clock = { nowMs: () => Date.now() }
export const random = { hex128: () => randomBytes(16).toString("hex") }
export const sha256: Sha256 = (content) =>
  mustContentHash(`sha256:${createHash("sha256").update(content).digest("hex")}`)

export function stateDirectory(place: Place, stateKey: string): string {
  return join(place.stateRoot, "bisync-state", stateKey)
}

export function journalDirectory(directory: string): string {
  return join(directory, "journal")
}

export async function openSession(
  directory: string,
  options: {
    readonly holder: Holder
    readonly createIfMissing: boolean
    readonly waitMs?: number
    readonly onWait?: () => void
  },
): Promise<Result<Session, SyncError>> {
  if (!options.createIfMissing && !existsSync(journalDirectory(directory)))
    return err({ code: "no_baseline", why: "no_journal" })
  const journal = journalDirectory(directory)
  const createIfMissing = options.createIfMissing && isUnbegun(journal)
  for (const each of [directory, journal]) {
    const made = makePrivateDirectory(each)
    if (!made.ok) return made
  }
  const opened = await openStore(directory, { ...options, createIfMissing })
  if (!opened.ok) return opened
  const store = opened.value
  const ledger = await catchStoreErrors(async () => {
    const read = await openLedger(store, { sha256, nowMs: clock.nowMs })
    return read.ok ? read : err(journalError(read.error))
  })
  if (!ledger.ok) {
    await store.close()
    return ledger
  }
  writePrivate(join(directory, "lock.json"), `${JSON.stringify(options.holder)}\n`, { isDurable: false })
  return ok({ directory, store, ledger: ledger.value, close: () => store.close() })
}

/** LevelDB would begin anew over what is left of a damaged journal, and remove it. */
function isUnbegun(journal: string): boolean {
  return !existsSync(journal) || !readdirSync(journal).some((name) => /^CURRENT$|\.(ldb|log)$/.test(name))
}

const WAIT_STEP_MS = 200

/** Opens the database of a state directory, waiting for whoever holds it. */
export async function openStore(
  directory: string,
  options: { readonly createIfMissing: boolean; readonly waitMs?: number; readonly onWait?: () => void },
): Promise<Result<KeyValueStore, SyncError>> {
  const until = clock.nowMs() + (options.waitMs ?? 0)
  for (let attempt = 1; ; attempt++) {
    const opened = await openLevelStore(journalDirectory(directory), options)
    if (opened.ok) return opened
    if (opened.error.kind === "damaged") return err({ code: "journal_damaged", why: opened.error.why })
    if (opened.error.kind === "io")
      return err({
        code: "state_write_failed",
        trouble: troubleOf({ errno: opened.error.errno, path: journalDirectory(directory) }),
      })
    if (clock.nowMs() >= until) return err({ code: "lock_held", ...readHolder(directory) })
    if (attempt === 1) options.onWait?.()
    await new Promise((resolve) => setTimeout(resolve, WAIT_STEP_MS))
  }
}

/** Who holds the journal, or held it last. */
export function readHolder(directory: string): Partial<Holder> {
  try {
    return JSON.parse(readFileSync(join(directory, "lock.json"), "utf8")) as Holder
  } catch {
    return {}
  }
}

/** Moves a state directory out of the way without deleting anything; its history stays readable there. */
export function setAside(directory: string, at: string): Result<string, SyncError> {
  const target = `${directory}.before-${at.replace(/[^0-9]/g, "").slice(0, 14)}`
  try {
    renameSync(directory, target)
    return ok(target)
  } catch (error) {
    return err({
      code: "state_write_failed",
      trouble: { code: "io", path: directory, detail: error instanceof Error ? error.name : "io" },
    })
  }
}

/** Opens the sync directory; says why it is not there. */
export function openLocal(syncDir: string): Result<Disk, SyncError> {
  const local = openNodeDisk(syncDir)
  if (local.ok) return local
  const why = local.error.errno === "ENOTDIR" ? "not_a_directory" : "missing"
  return err({ code: "root_changed", dir: syncDir, why })
}

export async function openWorld(at: {
  readonly place: Place
  readonly config: Pick<Config, "syncDir" | "historyLargeFileBytes" | "tenant">
  readonly session: Session
  readonly local: Disk
  readonly remote: OpenRemote
  readonly device: DeviceId
}): Promise<Result<World, SyncError>> {
  const { place, config, session, local, remote, device } = at
  const { syncDir, tenant } = config
  const rules = await readRules(place, { syncDir, disk: local, isTenant: tenant !== undefined })
  if (!rules.ok) return rules
  return ok({
    sides: {
      local: folderBackend({ device, sha256, nowMs: clock.nowMs, disk: local }),
      remote: remote.backend(device),
    },
    store: session.store,
    history: () => openHistory(session.directory, syncDir),
    marker: { read: () => readMarker(local), write: (marker) => writeMarker(local, marker) },
    rules: rules.value,
    clock,
    random,
    sha256,
    device,
    largeFileBytes: config.historyLargeFileBytes,
  })
}

export function historyDirectory(directory: string): string {
  return join(directory, "history.git")
}

/** Git is loaded only by runs that write or read history. */
export async function openHistory(
  directory: string,
  syncDirectory: string,
): Promise<Result<HistoryStore, Trouble>> {
  const { openGitHistory } = await import("../history/git-history.ts")
  return ok(openGitHistory({ directory: historyDirectory(directory), syncDirectory }))
}
