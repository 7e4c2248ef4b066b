/** What a setup is to connect: the sync directory and the remote, chosen and judged before anything is touched. */

import { realpathSync } from "node:fs"
import { dirname, join, resolve } from "node:path"
import type { SyncError } from "../model/errors.ts"
import { err, ok, type Result } from "../model/result.ts"
import { type Config, expandHome, type Place } from "./config.ts"
import { overlaps, parseRemote, type Remote } from "./remote.ts"

export interface Target {
  readonly syncDir: string
  /** Absent: the bucket of the cloud account. */
  readonly remote: Remote | undefined
}

const BACKEND_IS_FOR_ACCOUNTS =
  "--backend says how the bucket of the cloud account is reached; any other remote says it in its URL (s3://… or rclone:name:path)"

/** The folder that other programs mount the cloud on; a sync of it would sync the cloud with itself. */
function mountDirectory(place: Place): string {
  return join(place.home, "basic-memory-cloud")
}

export function chooseTarget(
  place: Place,
  options: { readonly dir?: string; readonly remote?: string; readonly backend?: string },
  existing: Config | undefined,
): Result<Target, SyncError> {
  if (options.remote !== undefined && options.backend !== undefined)
    return err({ code: "usage", message: BACKEND_IS_FOR_ACCOUNTS })
  const isAccount = options.backend !== undefined || existing?.tenant !== undefined
  const url = options.remote ?? (isAccount ? undefined : existing?.remote)
  const parsed = url === undefined ? ok(undefined) : parseRemote(url, place)
  if (!parsed.ok) return parsed
  const remote = parsed.value
  const dir = options.dir ?? existing?.syncDir ?? join(place.home, "basic-memory-cloud-sync")
  const syncDir = resolve(expandHome(dir, place.home))
  const mount = refuseMount(place, syncDir, dir)
  if (mount !== undefined) return err(mount)
  if (remote?.kind === "file" && overlaps(realPath(syncDir), realPath(remote.path))) {
    const message = `the sync directory ${syncDir} and the remote ${remote.path} lie in one another`
    return err({ code: "usage", message })
  }
  if (overlaps(realPath(syncDir), realPath(place.stateRoot))) {
    const message = `the sync directory ${syncDir} and the state in ${place.stateRoot} lie in one another`
    return err({ code: "usage", message })
  }
  return ok({ syncDir, remote })
}

/** Also through a symbolic link, and for a folder inside the mount. */
export function refuseMount(place: Place, syncDir: string, asTyped: string): SyncError | undefined {
  const mount = mountDirectory(place)
  const isMount = [syncDir, realPath(syncDir)].some((path) =>
    [mount, realPath(mount)].some((at) => path === at || path.startsWith(`${at}/`)),
  )
  return isMount ? { code: "mount_dir", dir: asTyped } : undefined
}

/** The path with every symbolic link in its existing part followed. */
export function realPath(path: string): string {
  try {
    return realpathSync(path)
  } catch {
    const parent = dirname(path)
    return parent === path ? path : join(realPath(parent), path.slice(parent.length).replace(/^\//, ""))
  }
}
