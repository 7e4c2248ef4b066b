/**
 * The way to a remote of rclone: which program is run, what it may see, and what it means when that does not work.
 *
 * The program is looked for once, on the PATH of whoever runs the command, and never in a directory that is synced.
 */

import { existsSync } from "node:fs"
import { delimiter, join } from "node:path"
import { platform } from "node:os"
import { troubleOf } from "../backend/object-side.ts"
import type { SyncError } from "../model/errors.ts"
import { err, ok, type Result } from "../model/result.ts"
import type { Conf } from "../rclone/conf.ts"
import { readConfFile } from "../rclone/conf-file.ts"
import { confPath } from "../rclone/conf-place.ts"
import { childEnvironment, dependsOnVersion } from "../rclone/environment.ts"
import { type FoundRclone, findProgram, findRclone, type Surroundings } from "../rclone/find.ts"
import type { OpenRclone } from "../rclone/rclone-store.ts"
import type { UnknownName } from "../rclone/remote.ts"
import type { Failure } from "../store/store.ts"
import type { Place } from "./config.ts"
import type { RcloneRemote } from "./remote.ts"
import { clock, random } from "./session.ts"
import { TENANT_HEADERS } from "./store-access.ts"
import { monotonicMs, sleep } from "./waiting.ts"

export type Found = Extract<FoundRclone, { readonly kind: "found" }>

/** `forbidden`: directories whose programs are never run, because others write there. */
export async function rcloneAt(
  place: Place,
  forbidden: readonly string[],
): Promise<Result<Found, SyncError>> {
  const environment = place.environment ?? {}
  const found = await findRclone({ ...surroundings(place, forbidden), environment })
  if (found.kind === "found") return ok(found)
  return err({
    code: "rclone_missing",
    why: found.kind,
    ...("path" in found && { path: found.path }),
    ...(found.kind === "too_old" && { version: found.version.text }),
    ...(found.kind === "broken" && { detail: found.why }),
  })
}

/** Where programs are looked for: on the PATH of whoever runs the command. */
export function surroundings({ environment = {} }: Place, forbidden: readonly string[]): Surroundings {
  const directories = (environment.PATH ?? environment.Path ?? "").split(delimiter)
  return { platform: platform(), directories, forbidden }
}

/** The file of this user, there or not; nothing where the environment says that there is none. */
export function confFileOf(place: Place, program?: string): string | undefined {
  const { home, environment = {} } = place
  return confPath({
    platform: platform(),
    environment,
    home,
    cwd: home,
    isThere: existsSync,
    ...(program !== undefined && { program }),
  })
}

/** What is found runs at once; whether it is an rclone, and new enough, it is asked where that does not work. */
export async function openRclone(
  place: Place,
  remote: RcloneRemote,
  { syncDir }: { readonly syncDir: string },
): Promise<Result<OpenRclone, SyncError>> {
  const forbidden = [syncDir]
  const program = await programFor(place, forbidden)
  if (!program.ok) return program
  const { path } = program.value
  const opened = await openWith(place, remote, program.value)
  if (opened.ok) {
    const { version, store } = opened.value
    if (version.isSupported) return opened
    await store.close()
    return err({ code: "rclone_missing", why: "too_old", path, version: version.text })
  }
  const found = await rcloneAt(place, forbidden)
  if (!found.ok) return found
  const { error } = opened
  if (error.kind === "unknown_name")
    return err({
      code: "not_found",
      what: "rclone remote",
      name: remote.address.name,
    })
  return err({ code: "side_unreadable", side: "remote", trouble: troubleOf(error, remote.url) })
}

type Program = Pick<Found, "path"> & Partial<Pick<Found, "version">>

async function programFor(place: Place, forbidden: readonly string[]): Promise<Result<Program, SyncError>> {
  const path = findProgram("rclone", surroundings(place, forbidden))
  const isAsked = path === undefined || dependsOnVersion(place.environment ?? {})
  return isAsked ? rcloneAt(place, forbidden) : ok({ path })
}

async function openWith(
  place: Place,
  remote: RcloneRemote,
  { path: program, version }: Program,
): Promise<Result<OpenRclone, Failure | UnknownName>> {
  const { openRcloneStore } = await import("../rclone/rclone-store.ts")
  const environment = childEnvironment({
    environment: place.environment ?? {},
    conf: confAt(confFileOf(place, program)),
    name: remote.address.name,
    ...(version !== undefined && { version }),
    headers: remote.isTenant === true ? TENANT_HEADERS : {},
  })
  return openRcloneStore(remote.address, {
    program,
    environment,
    workFolders: join(place.stateRoot, "rclone-uploads"),
    random,
    nowMs: clock.nowMs,
    monotonicMs,
    sleep,
    ...(remote.isTenant === true && { via: "account" }),
  })
}

function confAt(file: string | undefined): Conf | undefined {
  const read = file === undefined ? undefined : readConfFile(file)
  return read?.ok === true ? read.value.conf : undefined
}
