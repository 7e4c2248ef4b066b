/**
 * The configuration file of a state root: where the sync directory is, what the remote is, what the user prefers.
 *
 * It is private from the moment it is created, replaced in one step, and keys that are not ours stay as they are.
 */

import { randomBytes } from "node:crypto"
import {
  chmodSync,
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from "node:fs"
import { dirname, join } from "node:path"
import { troubleOf } from "../disk/trouble.ts"
import type { SyncError } from "../model/errors.ts"
import { err, ok, type Result } from "../model/result.ts"
import { isProfileName, type ProfileName } from "../model/settings.ts"

export interface Config {
  readonly syncDir: string
  readonly remote: string
  /** Name of the directory below `bisync-state/`. */
  readonly stateKey: string
  readonly deviceName: string
  readonly defaultProfile: ProfileName
  readonly autoSyncIntervalS: number
  readonly historyLargeFileBytes: number
  /** The program that `--tool` opens; without it git's. */
  readonly mergetool?: string
  /** The remote is the bucket of a cloud account. */
  readonly tenant?: Tenant
  /** The bucket of an account that another remote took the place of. Its pair goes on, so it is used again or revoked. */
  readonly formerTenant?: Tenant
  /** Id of the remote's epoch, where the state directory is not named after it. */
  readonly epoch?: string
}

/** How a cloud account's bucket is reached. */
export interface Tenant {
  readonly id: string
  readonly bucket: string
  readonly backend: "native" | "rclone"
  /** Of the bucket at its own endpoint, under which its key pair is kept. */
  readonly url: string
  /** Of the key pair that was made for this device, by which it is revoked when another takes its place. */
  readonly credential?: string
}

export interface Place {
  /** `~/.basic-memory`, or where `BASIC_MEMORY_CONFIG_DIR` says. */
  readonly stateRoot: string
  readonly home: string
  /** The environment names a key pair for object stores; it goes before one that is stored here. */
  readonly hasKeysInEnvironment?: boolean
  /** Of the process, for the programs that are run in its name. */
  readonly environment?: Readonly<Record<string, string | undefined>>
}

export const DEFAULTS = { profile: "balanced", intervalS: 60, largeFileBytes: 10_000_000 } as const

const PRIVATE_FILE = 0o600
const PRIVATE_DIRECTORY = 0o700

export function configFile(place: Place): string {
  return join(place.stateRoot, "config.json")
}

/** `undefined` where sync was never set up. */
export function readConfig(place: Place): Result<Config | undefined, SyncError> {
  const file = configFile(place)
  const parsed = readObject(file)
  if (!parsed.ok) return parsed
  const section = parsed.value?.bisync_config
  if (section === undefined) return ok(undefined)
  if (typeof section !== "object" || section === null)
    return err({ code: "config_unreadable", file, why: "bisync_config is not an object" })
  return parseSection(section as Record<string, unknown>, file, place)
}

function parseSection(
  section: Record<string, unknown>,
  file: string,
  place: Place,
): Result<Config | undefined, SyncError> {
  const {
    sync_dir,
    remote,
    state,
    device,
    default_profile = DEFAULTS.profile,
    auto_sync_interval = DEFAULTS.intervalS,
    history_large_file_bytes = DEFAULTS.largeFileBytes,
    mergetool,
    tenant,
    former_tenant,
    epoch,
  } = section
  const bad = (why: string) => err({ code: "config_unreadable", file, why } as const)
  if (typeof remote !== "string" || typeof sync_dir !== "string" || typeof state !== "string")
    return ok(undefined)
  if (!/^[\w.-]{1,100}$/.test(state)) return bad("bisync_config.state is not a name")
  if (typeof default_profile !== "string" || !isProfileName(default_profile))
    return bad("bisync_config.default_profile is not safe, balanced or fast")
  if (typeof auto_sync_interval !== "number" || !(auto_sync_interval >= 1))
    return bad("bisync_config.auto_sync_interval is not a number of seconds from 1")
  if (typeof history_large_file_bytes !== "number" || !(history_large_file_bytes >= 0))
    return bad("bisync_config.history_large_file_bytes is not a number of bytes")
  const [current, former] = [tenant, former_tenant].map(parseTenant)
  return ok({
    syncDir: expandHome(sync_dir, place.home),
    remote,
    stateKey: state,
    deviceName: typeof device === "string" ? device : "this-device",
    defaultProfile: default_profile,
    autoSyncIntervalS: auto_sync_interval,
    historyLargeFileBytes: history_large_file_bytes,
    ...(typeof mergetool === "string" && mergetool.trim() !== "" && { mergetool }),
    ...(current !== undefined && { tenant: current }),
    ...(former !== undefined && { formerTenant: former }),
    ...(typeof epoch === "string" && { epoch }),
  })
}

function parseTenant(value: unknown): Tenant | undefined {
  if (typeof value !== "object" || value === null) return undefined
  const { id, bucket, backend, url, credential } = value as Record<string, unknown>
  if (typeof id !== "string" || typeof bucket !== "string" || typeof url !== "string") return undefined
  if (backend !== "native" && backend !== "rclone") return undefined
  return { id, bucket, backend, url, ...(typeof credential === "string" && { credential }) }
}

export function expandHome(path: string, home: string): string {
  if (path === "~") return home
  return path.startsWith("~/") ? join(home, path.slice(2)) : path
}

/** The path as the user would write it. */
export function shortenHome(path: string, home: string): string {
  if (path === home) return "~"
  return path.startsWith(`${home}/`) ? `~/${path.slice(home.length + 1)}` : path
}

export function writeConfig(place: Place, config: Config): Result<void, SyncError> {
  const file = configFile(place)
  const parsed = readObject(file)
  if (!parsed.ok) return parsed
  const before = parsed.value ?? {}
  const section =
    typeof before.bisync_config === "object" && before.bisync_config !== null ? before.bisync_config : {}
  const text = JSON.stringify(
    {
      ...before,
      bisync_config: {
        ...section,
        sync_dir: shortenHome(config.syncDir, place.home),
        default_profile: config.defaultProfile,
        auto_sync_interval: config.autoSyncIntervalS,
        remote: config.remote,
        state: config.stateKey,
        device: config.deviceName,
        tenant: config.tenant,
        former_tenant: config.formerTenant,
        epoch: config.epoch,
      },
    },
    undefined,
    2,
  )
  return writePrivate(file, `${text}\n`)
}

/** Everything in the file, whoever it belongs to. */
export function readSettings(place: Place): Result<Readonly<Record<string, unknown>>, SyncError> {
  const parsed = readObject(configFile(place))
  return parsed.ok ? ok(parsed.value ?? {}) : parsed
}

export function saveSettings(
  place: Place,
  settings: Readonly<Record<string, unknown>>,
): Result<void, SyncError> {
  const before = readSettings(place)
  if (!before.ok) return before
  const text = JSON.stringify({ ...before.value, ...settings }, undefined, 2)
  return writePrivate(configFile(place), `${text}\n`)
}

function readObject(file: string): Result<Record<string, unknown> | undefined, SyncError> {
  let text: string
  try {
    text = readFileSync(file, "utf8")
  } catch (error) {
    return errnoOf(error) === "ENOENT"
      ? ok(undefined)
      : err({ code: "config_unreadable", file, why: errnoOf(error) })
  }
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value === "object" && value !== null && !Array.isArray(value))
      return ok(value as Record<string, unknown>)
  } catch {
    // Said below, without the parser's quotation of what may be a secret.
  }
  return err({ code: "config_unreadable", file, why: "it is not a JSON object" })
}

/** Creates or replaces a file that only its owner can read, at every moment of its existence. */
export function writePrivate(
  file: string,
  text: string,
  options: { readonly isDurable: boolean } = { isDurable: true },
): Result<void, SyncError> {
  const temp = `${file}.${randomBytes(6).toString("hex")}`
  try {
    mkdirSync(dirname(file), { recursive: true, mode: PRIVATE_DIRECTORY })
    const fd = openSync(temp, "wx", PRIVATE_FILE)
    try {
      writeSync(fd, text)
      if (options.isDurable) fsyncSync(fd)
    } finally {
      closeSync(fd)
    }
    renameSync(temp, file)
    return ok(undefined)
  } catch (error) {
    rmSync(temp, { force: true })
    return err({ code: "state_write_failed", trouble: troubleOf({ errno: errnoOf(error), path: file }) })
  }
}

/** Of small files whose loss costs little: one that cannot be read is as good as none. */
export function readIfThere(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8")
  } catch {
    return undefined
  }
}

export function makePrivateDirectory(directory: string): Result<void, SyncError> {
  try {
    mkdirSync(directory, { recursive: true, mode: PRIVATE_DIRECTORY })
    chmodSync(directory, PRIVATE_DIRECTORY)
    return ok(undefined)
  } catch (error) {
    return err({
      code: "state_write_failed",
      trouble: troubleOf({ errno: errnoOf(error), path: directory }),
    })
  }
}

export function errnoOf(error: unknown): string {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : "EIO"
}
