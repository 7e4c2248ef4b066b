/**
 * The way to a remote of rclone: which program is run, what it may see, and what it means when that does not work.
 *
 * The program is looked for once, on the PATH of whoever runs the command, and never in a directory that is synced. Of
 * the user's settings for rclone only those of the configuration and of the storages used count: a filter or a dry run
 * that was set for other commands would make notes look deleted.
 */

import { existsSync } from "node:fs"
import { join } from "node:path"
import { platform } from "node:os"
import { troubleOf } from "../backend/object-side.ts"
import type { SyncError } from "../model/errors.ts"
import { err, ok, type Result } from "../model/result.ts"
import { readConfFile } from "../rclone/conf-file.ts"
import { confPath } from "../rclone/conf-place.ts"
import { type FoundRclone, findRclone } from "../rclone/find.ts"
import type { OpenRclone } from "../rclone/rclone-store.ts"
import type { Place } from "./config.ts"
import type { RcloneRemote } from "./remote.ts"
import { clock, random } from "./session.ts"
import { monotonicMs, sleep } from "./waiting.ts"

export type Found = Extract<FoundRclone, { readonly kind: "found" }>

/** `forbidden`: directories whose programs are never run, because others write there. */
export async function rcloneAt(
  place: Place,
  forbidden: readonly string[],
): Promise<Result<Found, SyncError>> {
  const environment = place.environment ?? {}
  const separator = platform() === "win32" ? ";" : ":"
  const directories = (environment.PATH ?? environment.Path ?? "").split(separator)
  const found = await findRclone({ platform: platform(), directories, forbidden, environment })
  if (found.kind === "found") return ok(found)
  return err({
    code: "rclone_missing",
    why: found.kind,
    ...("path" in found && { path: found.path }),
    ...(found.kind === "too_old" && { version: found.version.text }),
    ...(found.kind === "broken" && { detail: found.why }),
  })
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

export async function openRclone(
  place: Place,
  remote: RcloneRemote,
  { syncDir }: { readonly syncDir: string },
): Promise<Result<OpenRclone, SyncError>> {
  const found = await rcloneAt(place, [syncDir])
  if (!found.ok) return found
  const { openRcloneStore } = await import("../rclone/rclone-store.ts")
  const opened = await openRcloneStore(remote.address, {
    program: found.value.path,
    environment: environmentFor(place, found.value.path),
    workFolders: join(place.stateRoot, "rclone-uploads"),
    random,
    nowMs: clock.nowMs,
    monotonicMs,
    sleep,
  })
  if (opened.ok) return opened
  const { error } = opened
  if (error.kind === "unknown_name")
    return err({
      code: "not_found",
      what: "rclone remote",
      name: remote.address.name,
    })
  return err({ code: "side_unreadable", side: "remote", trouble: troubleOf(error, remote.url) })
}

const SETTINGS = /^RCLONE_(CONFIG($|_)|PASSWORD_COMMAND$)/

/** Buckets are never made by us: one that is gone is not to be replaced by an empty one. */
const NEVER_MAKE_BUCKETS = {
  RCLONE_S3_NO_CHECK_BUCKET: "true",
  RCLONE_GCS_NO_CHECK_BUCKET: "true",
  RCLONE_AZUREBLOB_NO_CHECK_CONTAINER: "true",
}

function environmentFor(place: Place, program: string): Readonly<Record<string, string>> {
  const kinds = storageKinds(confFileOf(place, program))
  const kept = Object.entries(place.environment ?? {}).flatMap(([name, value]) => {
    if (value === undefined) return []
    const isKept =
      !name.startsWith("RCLONE_") || SETTINGS.test(name) || kinds.some((kind) => name.startsWith(kind))
    return isKept ? [[name, value] as const] : []
  })
  return { ...Object.fromEntries(kept), ...NEVER_MAKE_BUCKETS }
}

/** `RCLONE_S3_` and the like, of the storages that rclone.conf names; an encrypted one tells none. */
function storageKinds(file: string | undefined): readonly string[] {
  const read = file === undefined ? undefined : readConfFile(file)
  if (read === undefined || !read.ok) return []
  return read.value.conf.blocks.flatMap(({ entries }) =>
    entries.flatMap(({ key, value }) =>
      key === "type" ? [`RCLONE_${value.toUpperCase().replace(/\W/g, "_")}_`] : [],
    ),
  )
}
