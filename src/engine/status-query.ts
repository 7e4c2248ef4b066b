/**
 * What `bm cloud status` shows: read from files that runs published, and from one look at each folder.
 *
 * It opens no journal and takes no lock, so it neither waits for a run nor makes one wait; whatever is not there is
 * said to be not there.
 */

import { existsSync, readFileSync, statSync } from "node:fs"
import { join } from "node:path"
import type { Disk } from "../disk/disk.ts"
import { openNodeDisk } from "../disk/node-disk.ts"
import type { SyncError } from "../model/errors.ts"
import { ok, type Result } from "../model/result.ts"
import { isReserved } from "../model/path.ts"
import { type Pause, readPause } from "../watch/pause.ts"
import { type Config, type Place, readConfig } from "./config.ts"
import { deleteMode, type Tier } from "../store/verdict.ts"
import { readProbe } from "./probe-file.ts"
import { type Remote, remoteOf } from "./remote.ts"
import { readRules } from "./rules.ts"
import { clock, journalDirectory, stateDirectory } from "./session.ts"
import { type AccountReport, notRegistered, queryAccount } from "./status-account.ts"
import { type Heartbeat, readHeartbeat } from "./watch-file.ts"
import { readStatus, type StatusFile } from "./status-file.ts"

/** How the remote keeps a write from replacing what was not seen. */
export type Guard =
  | { readonly kind: "guarded_rename" }
  /** A lease, and no condition on anything. */
  | { readonly kind: "rclone" }
  | { readonly kind: "not_probed" }
  | {
      readonly kind: "conditional" | "lease"
      readonly tier: Tier
      readonly deletes: "conditional" | "tombstone" | "lease"
      readonly server?: string
      readonly probedMs: number
    }

export interface StatusReport {
  readonly state: "not_set_up" | "no_journal" | "ready"
  readonly config?: Config
  readonly isLocalThere: boolean
  /** Absent where only a request could tell. */
  readonly isRemoteThere?: boolean
  readonly guard?: Guard
  readonly published?: StatusFile
  readonly verified?: { readonly at: string; readonly isIntact: boolean }
  /** Absent where the sync directory or the ignore patterns cannot be read. */
  readonly projects?: Projects
  /** Why the patterns cannot. */
  readonly unruled?: SyncError
  /** Only of a cloud account. */
  readonly account?: AccountReport
  /** What a watcher left last, whether or not it still lives. */
  readonly heartbeat?: Heartbeat
  /** Whether or not there is a watcher that obeys it. */
  readonly pause?: Pause
  readonly nowMs: number
}

interface Projects {
  readonly total: number
  readonly notOnCloud?: readonly string[]
}

export async function queryStatus(
  place: Place,
  options: { readonly asksCloud: boolean } = { asksCloud: false },
): Promise<Result<StatusReport, SyncError>> {
  const config = readConfig(place)
  if (!config.ok) return config
  const nowMs = clock.nowMs()
  if (config.value === undefined) return ok({ state: "not_set_up", isLocalThere: false, nowMs })
  const { syncDir, stateKey } = config.value
  const directory = stateDirectory(place, stateKey)
  const parsed = remoteOf(config.value, place)
  const folder = parsed.ok && parsed.value.kind === "file" ? parsed.value.path : undefined
  const published = readStatus(directory)
  const verified = readVerified(directory)
  const projects = await countProjects(place, config.value, folder)
  const account = await queryAccount(place, config.value, options)
  const heartbeat = readHeartbeat(directory)
  const pause = readPause(place.stateRoot, nowMs)
  return ok({
    state: existsSync(journalDirectory(directory)) ? "ready" : "no_journal",
    config: config.value,
    isLocalThere: isDirectory(syncDir),
    nowMs,
    ...(folder !== undefined && { isRemoteThere: isDirectory(folder) }),
    ...(parsed.ok && { guard: guardOf(parsed.value, directory) }),
    ...(published !== undefined && { published }),
    ...(verified !== undefined && { verified }),
    ...(projects.ok && projects.value !== undefined && { projects: projects.value }),
    ...(!projects.ok && { unruled: projects.error }),
    ...(account !== undefined && { account }),
    ...(heartbeat !== undefined && { heartbeat }),
    ...(pause !== undefined && { pause }),
  })
}

export function guardOf(remote: Remote, directory: string): Guard {
  if (remote.kind === "file") return { kind: "guarded_rename" }
  if (remote.kind === "rclone") return { kind: "rclone" }
  const probe = readProbe(directory)
  if (probe === undefined || probe.url !== remote.url) return { kind: "not_probed" }
  const { tier, server } = probe.verdict
  const deletes = deleteMode(probe.verdict)
  return {
    kind: deletes === "lease" ? "lease" : "conditional",
    tier,
    deletes,
    probedMs: probe.atMs,
    ...(server !== undefined && { server }),
  }
}

function isDirectory(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true
}

/** Projects are the folders directly in the sync directory that are synced: none hidden, ignored, or behind a link. */
async function countProjects(
  place: Place,
  config: Config,
  folder: string | undefined,
): Promise<Result<Projects | undefined, SyncError>> {
  const isTenant = config.tenant !== undefined
  const local = openNodeDisk(config.syncDir)
  const names = local.ok ? await folderNames(local.value) : undefined
  if (!local.ok || names === undefined) return ok(undefined)
  const rules = await readRules(place, { syncDir: config.syncDir, disk: local.value, isTenant })
  if (!rules.ok) return rules
  const projects = names.filter((name) => !rules.value.ignoresDirectory(name))
  if (isTenant) return ok({ total: projects.length, notOnCloud: notRegistered(place, config, projects) })
  const remote = folder === undefined ? undefined : openNodeDisk(folder)
  const there = remote?.ok === true ? await folderNames(remote.value) : undefined
  if (there === undefined) return ok({ total: projects.length })
  const onCloud = new Set(there)
  return ok({ total: projects.length, notOnCloud: projects.filter((name) => !onCloud.has(name)) })
}

async function folderNames(disk: Disk): Promise<readonly string[] | undefined> {
  const entries = await disk.readDirectory("")
  if (!entries.ok) return undefined
  return entries.value
    .filter(({ name, stat }) => stat?.kind === "directory" && !name.startsWith(".") && !isReserved(name))
    .map(({ name }) => name)
}

/** Left by `history verify`. */
export function readVerified(directory: string): StatusReport["verified"] {
  try {
    const { at, intact } = JSON.parse(readFileSync(join(directory, "verified.json"), "utf8")) as Record<
      string,
      unknown
    >
    return typeof at === "string" && typeof intact === "boolean" ? { at, isIntact: intact } : undefined
  } catch {
    return undefined
  }
}
