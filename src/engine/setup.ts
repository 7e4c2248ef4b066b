/**
 * Sets a device up: directory, remote, state, first baseline. Nothing is saved before it is validated, and a second
 * setup repairs only what is missing.
 */

import { mkdirSync, readFileSync, realpathSync, statSync } from "node:fs"
import { dirname, join, resolve } from "node:path"
import type { SyncError } from "../model/errors.ts"
import { err, ok, type Result } from "../model/result.ts"
import { profileNamed } from "../model/settings.ts"
import { folderBackend } from "../backend/folder.ts"
import { probeLinks } from "../disk/probe-links.ts"
import { adopt, findOrCreateEpoch, newDeviceId } from "./adopt.ts"
import { type Config, DEFAULTS, errnoOf, expandHome, type Place, readConfig, writeConfig } from "./config.ts"
import type { Cycle } from "./cycle.ts"
import { overlaps, parseRemote, type Remote } from "./remote.ts"
import { ensureIgnoreFile, refreshRcloneFilter } from "./rules.ts"
import {
  clock,
  type Folders,
  type Holder,
  openFolders,
  openSession,
  openWorld,
  random,
  sha256,
  stateDirectory,
  historyDirectory,
  type Session,
} from "./session.ts"
import { closing } from "./store-errors.ts"
import { sync } from "./sync.ts"
import { publishStatus } from "./status-file.ts"

export interface SetupOptions {
  readonly dir?: string
  readonly remote?: string
  readonly deviceName?: string
  readonly defaultDeviceName: string
  readonly isDryRun: boolean
  readonly holder: Holder
}

export type StepResult = "created" | "already_done" | "would_create"

export interface SetupReport {
  readonly syncDir: string
  readonly remote: string
  readonly device: { readonly id: string; readonly name: string }
  readonly directory: StepResult
  readonly remoteFolder: StepResult
  readonly state: StepResult
  readonly hasGitLink: boolean
  readonly baseline: StepResult
  readonly cycle?: Cycle
}

/** The folder that other programs mount the cloud on; a sync of it would sync the cloud with itself. */
export function mountDirectory(place: Place): string {
  return join(place.home, "basic-memory-cloud")
}

export async function setup(place: Place, options: SetupOptions): Promise<Result<SetupReport, SyncError>> {
  const existing = readConfig(place)
  if (!existing.ok) return existing
  const target = chooseTarget(place, options, existing.value)
  if (!target.ok) return target
  const { syncDir, remote } = target.value
  const prepared = prepareFolders(syncDir, remote, options.isDryRun)
  if (!prepared.ok) return prepared
  const { directory, remoteFolder } = prepared.value
  const about = { syncDir, remote: remote.url, directory, remoteFolder }
  const deviceName = options.deviceName ?? existing.value?.deviceName ?? options.defaultDeviceName
  if (options.isDryRun)
    return ok({
      ...about,
      device: { id: "", name: deviceName },
      state: "would_create",
      hasGitLink: false,
      baseline: "would_create",
    })
  const folders = openFolders(syncDir, remote)
  if (!folders.ok) return folders
  const config: Omit<Config, "stateKey"> = {
    syncDir,
    remote: remote.url,
    deviceName,
    defaultProfile: existing.value?.defaultProfile ?? DEFAULTS.profile,
    autoSyncIntervalS: existing.value?.autoSyncIntervalS ?? DEFAULTS.intervalS,
    historyLargeFileBytes: existing.value?.historyLargeFileBytes ?? DEFAULTS.largeFileBytes,
  }
  const ready = await makeBaseline(place, { config, folders: folders.value, remote, options })
  return ready.ok ? ok({ ...about, ...ready.value }) : ready
}

function chooseTarget(
  place: Place,
  options: SetupOptions,
  existing: Config | undefined,
): Result<{ readonly syncDir: string; readonly remote: Remote }, SyncError> {
  const url = options.remote ?? existing?.remote
  if (url === undefined)
    return err({ code: "usage", message: "name the remote: --remote file:/path/to/folder" })
  const remote = parseRemote(url, place)
  if (!remote.ok) return remote
  const dir = options.dir ?? existing?.syncDir ?? join(place.home, "basic-memory-cloud-sync")
  const syncDir = resolve(expandHome(dir, place.home))
  const mount = refuseMount(place, syncDir, dir)
  if (mount !== undefined) return err(mount)
  if (overlaps(realPath(syncDir), realPath(remote.value.path))) {
    return err({
      code: "usage",
      message: `the sync directory ${syncDir} and the remote ${remote.value.path} lie in one another`,
    })
  }
  if (overlaps(realPath(syncDir), realPath(place.stateRoot))) {
    return err({
      code: "usage",
      message: `the sync directory ${syncDir} and the state in ${place.stateRoot} lie in one another`,
    })
  }
  return ok({ syncDir, remote: remote.value })
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
function realPath(path: string): string {
  try {
    return realpathSync(path)
  } catch {
    const parent = dirname(path)
    return parent === path ? path : join(realPath(parent), path.slice(parent.length).replace(/^\//, ""))
  }
}

function prepareFolders(
  syncDir: string,
  remote: Remote,
  isDryRun: boolean,
): Result<Pick<SetupReport, "directory" | "remoteFolder">, SyncError> {
  const local = ensureDirectory(syncDir, { isDryRun, makesParents: true })
  if (!local.ok)
    return err({
      code: "setup_failed",
      what: `create the sync directory ${syncDir}`,
      trouble: { code: "io", path: syncDir, detail: local.error },
    })
  // A missing parent may be a disk that is not mounted; a folder made in its place would look like an empty cloud.
  const folder = ensureDirectory(remote.path, { isDryRun, makesParents: false })
  if (!folder.ok)
    return err({
      code: "setup_failed",
      what: `use ${remote.path} as the remote`,
      trouble: { code: "io", path: remote.path, detail: folder.error },
    })
  return ok({ directory: local.value, remoteFolder: folder.value })
}

function ensureDirectory(
  path: string,
  { isDryRun, makesParents }: { readonly isDryRun: boolean; readonly makesParents: boolean },
): Result<StepResult, string> {
  try {
    return statSync(path).isDirectory() ? ok("already_done") : err("ENOTDIR")
  } catch (error) {
    if (errnoOf(error) !== "ENOENT") return err(errnoOf(error))
  }
  if (isDryRun) return ok("would_create")
  try {
    mkdirSync(path, { recursive: makesParents })
    return ok("created")
  } catch (error) {
    return err(errnoOf(error))
  }
}

type Baseline = Pick<SetupReport, "device" | "state" | "hasGitLink" | "baseline" | "cycle">

async function makeBaseline(
  place: Place,
  at: {
    readonly config: Omit<Config, "stateKey">
    readonly folders: Folders
    readonly remote: Remote
    readonly options: SetupOptions
  },
): Promise<Result<Baseline, SyncError>> {
  const { folders, remote, options } = at
  const linked = await askForLinks(folders, [at.config.syncDir, remote.path])
  if (!linked.ok) return linked
  const provisional = newDeviceId(random.hex128())
  const epochDeps = { disk: folders.remote, device: provisional, sha256, nowMs: clock.nowMs }
  const found = await findOrCreateEpoch(folderBackend(epochDeps), random.hex128)
  if (!found.ok)
    return err({ code: "setup_failed", what: `use ${remote.url} as the remote`, trouble: found.error })
  const { epoch } = found.value
  const config: Config = { ...at.config, stateKey: epoch.id }
  const ignored = ensureIgnoreFile(place)
  if (!ignored.ok) return ignored
  const filtered = refreshRcloneFilter(place)
  if (!filtered.ok) return filtered
  const session = await openSession(stateDirectory(place, config.stateKey), {
    holder: options.holder,
    createIfMissing: true,
  })
  if (!session.ok) return session
  return closing<Baseline>(session.value, async () => {
    const { ledger } = session.value
    const isNew = ledger.head().sequence === 0
    const device = ledger.state().root.device?.id ?? provisional
    const world = await openWorld({ place, config, session: session.value, folders, device })
    const adopted = await adopt(world, ledger, { deviceName: config.deviceName, epoch })
    if (!adopted.ok) return adopted
    const saved = writeConfig(place, config)
    if (!saved.ok) return saved
    const hasBaseline = ledger.state().root.lastRun !== undefined
    const report = {
      device: { id: device, name: config.deviceName },
      state: isNew ? "created" : "already_done",
    } as const
    if (hasBaseline)
      return ok({
        ...report,
        hasGitLink: leadsToHistory(config.syncDir, session.value),
        baseline: "already_done",
      })
    const ran = await sync(world, ledger, {
      kind: "resync",
      command: options.holder.command,
      profile: profileNamed(config.defaultProfile),
      isDryRun: false,
      union: "setup",
      names: { root: config.syncDir, remote: config.remote },
    })
    if (!ran.ok) return ran
    await publishStatus({ session: session.value, config, cycle: ran.value })
    return ok({
      ...report,
      hasGitLink: leadsToHistory(config.syncDir, session.value),
      baseline: "created",
      cycle: ran.value,
    })
  })
}

async function askForLinks(
  folders: Folders,
  [local, remote]: readonly [string, string],
): Promise<Result<void, SyncError>> {
  for (const [disk, path] of [
    [folders.local, local],
    [folders.remote, remote],
  ] as const) {
    const linked = await probeLinks(disk, random.hex128())
    if (linked.ok) continue
    const what = `sync ${path}, whose disk cannot link files: none could be replaced without a risk`
    return err({ code: "setup_failed", what, trouble: linked.error })
  }
  return ok(undefined)
}

/** False where the directory has a `.git` of the user's own, which stays; our history is then read with `--git-dir`. */
function leadsToHistory(syncDir: string, { directory }: Session): boolean {
  try {
    return readFileSync(join(syncDir, ".git"), "utf8").trimEnd() === `gitdir: ${historyDirectory(directory)}`
  } catch {
    return false
  }
}
