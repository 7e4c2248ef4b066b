/** What `bm doctor` asks this machine: programs, private files, ignore patterns, room, and what the disk can do. */

import { execFile } from "node:child_process"
import { randomBytes } from "node:crypto"
import { chmodSync, existsSync, statSync } from "node:fs"
import { statfs } from "node:fs/promises"
import { platform } from "node:os"
import { promisify } from "node:util"
import type { Disk } from "../disk/disk.ts"
import { readMarker } from "../disk/marker-file.ts"
import { openNodeDisk } from "../disk/node-disk.ts"
import { probeLinks } from "../disk/probe-links.ts"
import { tokenFile } from "../cloud/token-file.ts"
import { findProgram, findRclone } from "../rclone/find.ts"
import { type Config, configFile, type Place } from "./config.ts"
import type { DoctorCheck, DoctorFinding, DoctorOptions } from "./doctor.ts"
import { confFileOf } from "./rclone-access.ts"
import { remoteOf } from "./remote.ts"
import { areRulesFresh, ensureIgnoreFile, refreshRcloneFilter } from "./rules.ts"
import { stateDirectory } from "./session.ts"
import { leadsToHistory } from "./setup.ts"
import { readVerified } from "./status-query.ts"
import { credentialsFile } from "./store-access.ts"

export async function checkRclone(
  place: Place,
  config: Config | undefined,
  { programDirectories }: DoctorOptions,
): Promise<DoctorCheck> {
  const isNeeded = config?.remote.startsWith("rclone:") === true
  const { environment = {} } = place
  const forbidden = config === undefined ? [] : [config.syncDir]
  const found = await findRclone({
    platform: platform(),
    directories: programDirectories,
    forbidden,
    environment,
  })
  const about = { name: "rclone", isNeeded } as const
  if (found.kind === "missing") return { ...about, result: isNeeded ? "fail" : "note", why: "missing" }
  const { path } = found
  if (found.kind === "broken") return { ...about, path, result: isNeeded ? "fail" : "note", why: "broken" }
  const version = found.version.text
  return found.kind === "found"
    ? { ...about, path, version, result: "ok" }
    : { ...about, path, version, result: isNeeded ? "fail" : "note", why: "too_old" }
}

export async function checkGit(
  place: Place,
  config: Config | undefined,
  { programDirectories }: DoctorOptions,
): Promise<DoctorCheck> {
  const path = findProgram("git", { platform: platform(), directories: programDirectories, forbidden: [] })
  const version = path === undefined ? undefined : await gitVersion(path)
  const isLinked =
    config === undefined
      ? undefined
      : leadsToHistory(config.syncDir, { directory: stateDirectory(place, config.stateKey) })
  return {
    name: "git",
    // Our history is written without it; the user reads it with it.
    result: path === undefined ? "warn" : isLinked === false ? "note" : "ok",
    ...(path !== undefined && { path }),
    ...(version !== undefined && { version }),
    ...(isLinked !== undefined && { isLinked }),
  }
}

const PROGRAM_MS_MAX = 5_000

async function gitVersion(path: string): Promise<string | undefined> {
  try {
    const { stdout } = await promisify(execFile)(path, ["--version"], { timeout: PROGRAM_MS_MAX })
    return /\d+(\.\d+)+/.exec(stdout)?.[0]
  } catch {
    return undefined
  }
}

const OTHERS = 0o077

/** Files with secrets or with what notes say are for their owner alone. */
export function checkPermissions(
  place: Place,
  config: Config | undefined,
  { isFix }: DoctorOptions,
): DoctorCheck {
  const places = [
    { file: configFile(place), wanted: 0o600 },
    { file: credentialsFile(place), wanted: 0o600 },
    { file: tokenFile(place.stateRoot), wanted: 0o600 },
    ...rcloneConf(place),
    ...(config === undefined ? [] : [{ file: stateDirectory(place, config.stateKey), wanted: 0o700 }]),
  ]
  const open = platform() === "win32" ? [] : places.flatMap(asOpen)
  if (open.length === 0) return { name: "permissions", result: "ok", open }
  return { name: "permissions", result: "warn", open, canFix: true, isFixed: isFix && open.every(close) }
}

/** It holds keys too, though it is rclone's. */
function rcloneConf(place: Place): readonly Omit<Open, "mode">[] {
  const file = confFileOf(place)
  return file === undefined ? [] : [{ file, wanted: 0o600 }]
}

type Open = Extract<DoctorFinding, { name: "permissions" }>["open"][number]

function asOpen(at: Omit<Open, "mode">): readonly Open[] {
  const mode = (statSync(at.file, { throwIfNoEntry: false })?.mode ?? 0) & 0o777
  return (mode & OTHERS) === 0 ? [] : [{ ...at, mode }]
}

function close({ file, wanted }: Open): boolean {
  try {
    chmodSync(file, wanted)
    return true
  } catch {
    return false
  }
}

export function checkFilters(place: Place, { isFix }: DoctorOptions): DoctorCheck {
  if (areRulesFresh(place)) return { name: "filters", result: "ok" }
  const isFixed = isFix && ensureIgnoreFile(place).ok && refreshRcloneFilter(place).ok
  return { name: "filters", result: "warn", canFix: true, isFixed }
}

/** Less room than this, and the next larger edit may find none for what it replaces. */
const FREE_BYTES_MIN = 100 * 1024 * 1024

export async function checkHistory(place: Place, config: Config): Promise<DoctorCheck> {
  const directory = stateDirectory(place, config.stateKey)
  const verified = readVerified(directory)
  const freeBytes = await freeBytesAt(existsSync(directory) ? directory : place.stateRoot)
  const isTight = freeBytes !== undefined && freeBytes < FREE_BYTES_MIN
  return {
    name: "history",
    result: verified?.isIntact === false ? "fail" : isTight ? "warn" : "ok",
    ...(verified !== undefined && { verified }),
    ...(freeBytes !== undefined && { freeBytes }),
  }
}

async function freeBytesAt(path: string): Promise<number | undefined> {
  try {
    const { bavail, bsize } = await statfs(path)
    return bavail * bsize
  } catch {
    return undefined
  }
}

type DiskPlace = Extract<DoctorFinding, { name: "disk" }>["places"][number]

/** A folder that is not ours is not written to, and that of the remote only when something may be repaired. */
export async function checkDisk(
  place: Place,
  config: Config,
  { isFix }: DoctorOptions,
): Promise<DoctorCheck> {
  const remote = remoteOf(config, place)
  const local = openNodeDisk(config.syncDir)
  const places = [await askLocal(config.syncDir, local.ok ? local.value : undefined)]
  if (isFix && remote.ok && remote.value.kind === "file") {
    const disk = openNodeDisk(remote.value.path)
    if (disk.ok) places.push(await askForLinks(remote.value.path, disk.value))
  }
  const isWell = places.every(({ why, trouble }) => why === undefined && trouble === undefined)
  return { name: "disk", result: isWell ? "ok" : "fail", places }
}

async function askLocal(path: string, disk: Disk | undefined): Promise<DiskPlace> {
  if (disk === undefined) return { path, why: "missing" }
  const marker = await readMarker(disk)
  if (!marker.ok) return { path, trouble: marker.error }
  return marker.value === undefined ? { path, why: "no_marker" } : askForLinks(path, disk)
}

async function askForLinks(path: string, disk: Disk): Promise<DiskPlace> {
  const linked = await probeLinks(disk, randomBytes(16).toString("hex"))
  return linked.ok ? { path } : { path, trouble: linked.error }
}
