/**
 * The part of a setup that remotes of rclone need: is rclone here, is it new enough, and is the remote there?
 *
 * Where rclone is missing, the system's package manager may install it, if the user says so. A directory at the root of the
 * remote is made; a bucket is not.
 */

import { platform, userInfo } from "node:os"
import { troubleOf } from "../backend/object-side.ts"
import type { SyncError } from "../model/errors.ts"
import { err, ok, type Result } from "../model/result.ts"
import { findProgram } from "../rclone/find.ts"
import { installCommand, runInstall } from "../rclone/install.ts"
import type { OpenRclone } from "../rclone/rclone-store.ts"
import type { Answer } from "../store/store.ts"
import type { Place } from "./config.ts"
import { openRclone, rcloneAt, surroundings } from "./rclone-access.ts"
import type { RcloneRemote } from "./remote.ts"
import type { StepResult } from "./setup.ts"

export interface InstallOffer {
  /** Shows the command that would be run; true where the user wants it. */
  readonly ask: (shown: string) => Promise<boolean>
  readonly onOutput: (text: string) => void
}

export type SetupRclone =
  | { readonly result: "found" | "installed"; readonly version: string }
  | { readonly result: "missing" }

export interface PreparedRclone {
  readonly rclone: SetupRclone
  readonly remoteFolder: StepResult
  readonly opened: OpenRclone
}

export async function prepareRclone(
  place: Place,
  remote: RcloneRemote,
  options: { readonly syncDir: string; readonly isDryRun: boolean; readonly installing?: InstallOffer },
): Promise<Result<PreparedRclone, SyncError>> {
  const { syncDir, isDryRun, installing } = options
  const found = await findOrInstall(place, syncDir, isDryRun ? undefined : installing)
  if (!found.ok) return found
  const opened = await openRclone(place, remote, { syncDir })
  if (!opened.ok) return asSetupError(remote, opened.error)
  const root = await ensureRoot(opened.value, isDryRun)
  if (root.ok) return ok({ rclone: found.value, opened: opened.value, remoteFolder: root.value })
  opened.value.store.close()
  return asSetupError(remote, {
    code: "side_unreadable",
    side: "remote",
    trouble: troubleOf(root.error, remote.url),
  })
}

export async function findOrInstall(
  place: Place,
  syncDir: string,
  installing: InstallOffer | undefined,
): Promise<Result<SetupRclone, SyncError>> {
  const found = await rcloneAt(place, [syncDir])
  if (found.ok) return ok({ version: found.value.version.text, result: "found" })
  const { error } = found
  const isMissing = error.code === "rclone_missing" && error.why === "missing"
  if (!isMissing || installing === undefined) return found
  if (!(await install(place, syncDir, installing))) return found
  // What came may still be too old, and then that is what is wrong.
  const installed = await rcloneAt(place, [syncDir])
  return installed.ok ? ok({ version: installed.value.version.text, result: "installed" }) : installed
}

/** False where there is no package manager, the user does not want it, or it failed. */
async function install(place: Place, syncDir: string, { ask, onOutput }: InstallOffer): Promise<boolean> {
  const environment = place.environment ?? {}
  const at = surroundings(place, [syncDir])
  const programOf = (name: string) => findProgram(name, at)
  const isRoot = platform() !== "win32" && userInfo().uid === 0
  const command = installCommand({
    platform: platform(),
    isRoot,
    has: (name) => programOf(name) !== undefined,
  })
  const program = command === undefined ? undefined : programOf(command.command)
  if (command === undefined || program === undefined || !(await ask(command.shown))) return false
  const ended = await runInstall(command, { program, environment, onOutput })
  return ended.kind === "ended" && ended.code === 0
}

/** What lies in our own directory is little, and where it is not there the root is looked at. */
async function ensureRoot({ store, remote, makeRoot }: OpenRclone, isDryRun: boolean): Answer<StepResult> {
  const listed = await store.list({ prefix: ".basic-memory/" })
  if (listed.ok) return ok("already_done")
  if (listed.error.kind !== "no_bucket" || remote.isBucketBased) return listed
  if (isDryRun) return ok("would_create")
  const made = await makeRoot()
  return made.ok ? ok("created") : made
}

function asSetupError(remote: RcloneRemote, error: SyncError): Result<never, SyncError> {
  return err(
    error.code === "side_unreadable"
      ? { code: "setup_failed", what: `use ${remote.url} as the remote`, trouble: error.trouble }
      : error,
  )
}
