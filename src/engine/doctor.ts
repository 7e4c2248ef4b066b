/**
 * `bm doctor`: looks at everything that a sync stands on, one check after the other, and repairs what is safe to.
 *
 * Without `fix` it changes nothing but two temporary files in our own folder of the sync directory, which tell whether
 * its disk can link. It never touches a note.
 */

import type { SyncError, Trouble } from "../model/errors.ts"
import { type Config, configFile, type Place, readConfig } from "./config.ts"
import { checkJournal } from "./doctor-journal.ts"
import {
  checkDisk,
  checkFilters,
  checkGit,
  checkHistory,
  checkPermissions,
  checkRclone,
} from "./doctor-place.ts"
import { checkCloud } from "./doctor-cloud.ts"
import type { Guard } from "./status-query.ts"

export interface DoctorOptions {
  readonly isFix: boolean
  /** Directories in which programs are looked for. */
  readonly programDirectories: readonly string[]
  readonly isAlive: (pid: number) => boolean
  readonly host: string
}

/** `note` is worth a word and nothing to repair. */
export type DoctorResult = "ok" | "note" | "warn" | "fail"

/** `canFix`: `--fix` would repair it. `isFixed`: it just did. */
export type DoctorCheck = {
  readonly result: DoctorResult
  readonly canFix?: boolean
  readonly isFixed?: boolean
} & DoctorFinding

export type DoctorFinding =
  | {
      readonly name: "rclone"
      readonly path?: string
      readonly version?: string
      /** The remote is reached by it. */
      readonly isNeeded: boolean
      readonly why?: "missing" | "too_old" | "broken"
    }
  | {
      readonly name: "git"
      readonly path?: string
      readonly version?: string
      /** The sync directory's `.git` leads to our history; absent where nothing is set up. */
      readonly isLinked?: boolean
    }
  | { readonly name: "config"; readonly file: string; readonly isSetUp: boolean; readonly error?: SyncError }
  | {
      readonly name: "permissions"
      readonly open: readonly { readonly file: string; readonly mode: number; readonly wanted: number }[]
    }
  | {
      readonly name: "cloud"
      readonly url: string
      readonly latencyMs?: number
      readonly guard?: Guard
      readonly why?: "unreachable" | "no_epoch" | "other_epoch"
      readonly error?: SyncError
    }
  | { readonly name: "clock"; readonly skewMs?: number; readonly isShared: boolean }
  | {
      readonly name: "lock"
      readonly isHeld: boolean
      readonly pid?: number
      readonly isAlive?: boolean
      readonly command?: string
    }
  | { readonly name: "baseline"; readonly run?: string; readonly error?: SyncError }
  | { readonly name: "filters" }
  | {
      readonly name: "history"
      readonly verified?: { readonly at: string; readonly isIntact: boolean }
      readonly freeBytes?: number
    }
  | {
      readonly name: "disk"
      readonly places: readonly {
        readonly path: string
        readonly why?: "missing" | "no_marker"
        readonly trouble?: Trouble
      }[]
    }

export interface DoctorReport {
  readonly checks: readonly DoctorCheck[]
  readonly problems: number
  readonly warnings: number
  readonly nowMs: number
}

export async function doctor(place: Place, options: DoctorOptions): Promise<DoctorReport> {
  const read = readConfig(place)
  const config = read.ok ? read.value : undefined
  const file = configFile(place)
  const about: DoctorCheck = {
    name: "config",
    file,
    isSetUp: config !== undefined,
    result: config === undefined ? "fail" : "ok",
    ...(!read.ok && { error: read.error }),
  }
  const checks = [
    await checkRclone(place, config, options),
    await checkGit(place, config, options),
    about,
    checkPermissions(place, config, options),
    ...(config === undefined ? [] : await checkSync(place, config, options)),
  ]
  const open = checks.filter(({ isFixed }) => isFixed !== true)
  return {
    checks,
    problems: open.filter(({ result }) => result === "fail").length,
    warnings: open.filter(({ result }) => result === "warn").length,
    nowMs: Date.now(),
  }
}

async function checkSync(
  place: Place,
  config: Config,
  options: DoctorOptions,
): Promise<readonly DoctorCheck[]> {
  return [
    ...(await checkCloud(place, config, options)),
    ...(await checkJournal(place, config, options)),
    checkFilters(place, options),
    await checkHistory(place, config),
    await checkDisk(place, config, options),
  ]
}
