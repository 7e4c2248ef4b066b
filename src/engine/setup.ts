/**
 * Sets a device up: directory, remote, state, first baseline. Nothing is saved before it is validated, and a second
 * setup repairs only what is missing.
 */

import { existsSync, mkdirSync, readFileSync, statSync } from "node:fs"
import { join } from "node:path"
import type { SyncError } from "../model/errors.ts"
import { err, ok, type Result } from "../model/result.ts"
import { profileNamed } from "../model/settings.ts"
import type { Disk } from "../disk/disk.ts"
import { probeLinks } from "../disk/probe-links.ts"
import type { Tier } from "../store/verdict.ts"
import { adopt, findOrCreateEpoch, newDeviceId } from "./adopt.ts"
import { type Config, DEFAULTS, errnoOf, type Place, readConfig, type Tenant, writeConfig } from "./config.ts"
import type { Cycle } from "./cycle.ts"
import { type ImportReport, importProjects } from "./import.ts"
import { type ImportSource, openImport } from "./import-source.ts"
import type { OpenRemote } from "./open-remote.ts"
import { writeProbe } from "./probe-file.ts"
import { ensureIgnoreFile, readRules, refreshRcloneFilter } from "./rules.ts"
import {
  type Holder,
  historyDirectory,
  journalDirectory,
  openLocal,
  openSession,
  openWorld,
  random,
  type Session,
  stateDirectory,
} from "./session.ts"
import { indexProjects, type ProjectNews, registerProjects } from "./projects.ts"
import type { Remote } from "./remote.ts"
import { reach, type Reached, type SetupAccount } from "./setup-reach.ts"
import type { InstallOffer, SetupRclone } from "./setup-rclone.ts"
import { chooseTarget } from "./setup-target.ts"
import { publishStatus } from "./status-file.ts"
import type { AskCredentials } from "./store-access.ts"
import { closing } from "./store-errors.ts"
import { sync } from "./sync.ts"
import type { World } from "./world.ts"

export interface SetupOptions {
  readonly dir?: string
  /** Absent: the bucket of the cloud account, or what was set up before. */
  readonly remote?: string
  /** How the bucket of an account is reached. */
  readonly backend?: Tenant["backend"]
  readonly deviceName?: string
  readonly defaultDeviceName: string
  readonly isDryRun: boolean
  readonly holder: Holder
  /** Absent where there is nobody to ask. */
  readonly askCredentials?: AskCredentials
  /** The user takes the risk of several devices on a remote that cannot keep them apart. */
  readonly allowsUnsafeWriters?: boolean
  /** How rclone may be installed where it is missing; absent where there is nobody to ask. */
  readonly installing?: InstallOffer
  readonly onProjects?: (news: ProjectNews) => void
  readonly isStopped?: () => boolean
  /** A folder whose projects are copied in before the first sync. */
  readonly importDir?: string
}

export type StepResult = "created" | "already_done" | "would_create"

/** What the server of an object store was found to promise; absent where that is still to be asked. */
export interface SetupGuard {
  readonly tier?: Tier
  readonly server?: string
  readonly result: StepResult
}

export interface SetupReport {
  readonly syncDir: string
  readonly remote: string
  readonly device: { readonly id: string; readonly name: string }
  readonly directory: StepResult
  readonly remoteFolder: StepResult
  /** Only of an object store. */
  readonly guard?: SetupGuard
  /** Of a remote of rclone, and of an account, which may do without. */
  readonly rclone?: SetupRclone
  /** Only of a cloud account. */
  readonly account?: SetupAccount
  readonly state: StepResult
  readonly hasGitLink: boolean
  /** Only where something was to be imported. */
  readonly imported?: ImportReport
  readonly baseline: StepResult
  readonly cycle?: Cycle
}

export async function setup(place: Place, options: SetupOptions): Promise<Result<SetupReport, SyncError>> {
  const existing = readConfig(place)
  if (!existing.ok) return existing
  const target = chooseTarget(place, options, existing.value)
  if (!target.ok) return target
  const { syncDir } = target.value
  const { importDir } = options
  const source = importDir === undefined ? ok(undefined) : await openImport(place, importDir, target.value)
  if (!source.ok) return source
  // Whatever lies behind a network is asked first: where it does not let us in, nothing was made anywhere.
  const reached = await reach(place, target.value, { ...options, existing: existing.value })
  if (!reached.ok) return reached
  // The last moment at which all is taken back. Later the setup is saved, and only its first sync is cut short.
  if (options.isStopped?.() === true) return closeAfter(reached.value, err({ code: "interrupted" }))
  const { remote } = reached.value
  const prepared = prepareFolders({ syncDir, remote }, options.isDryRun)
  if (!prepared.ok) return closeAfter(reached.value, prepared)
  const { about } = reached.value
  const deviceName = options.deviceName ?? existing.value?.deviceName ?? options.defaultDeviceName
  if (options.isDryRun) {
    const imported = await previewImport(source.value, syncDir)
    if (!imported.ok) return closeAfter(reached.value, imported)
    return closeAfter(
      reached.value,
      ok({
        syncDir,
        ...prepared.value,
        ...about,
        device: { id: "", name: deviceName },
        state: "would_create",
        hasGitLink: false,
        ...imported.value,
        baseline: "would_create",
      }),
    )
  }
  const config = configOf(reached.value, { syncDir, deviceName, existing: existing.value })
  const local = openLocal(syncDir)
  if (!local.ok) return closeAfter(reached.value, local)
  const opened = await reached.value.open(deviceName)
  if (!opened.ok) return opened
  try {
    const parts = { config, local: local.value, remote: opened.value, options, source: source.value }
    const ready = await makeBaseline(place, parts)
    return ready.ok ? ok({ syncDir, ...prepared.value, ...about, ...ready.value }) : ready
  } finally {
    await opened.value.close()
  }
}

function configOf(
  { remote, tenant }: Reached,
  at: Pick<Config, "syncDir" | "deviceName"> & { readonly existing: Config | undefined },
): Omit<Config, "stateKey"> {
  const { syncDir, deviceName, existing } = at
  // A pair is not revoked when another remote takes over: that would take a login and a network, which a folder does
  // not need, and whoever comes back to the account can go on with it.
  const formerTenant = existing?.tenant ?? existing?.formerTenant
  return {
    syncDir,
    remote: remote?.url ?? "",
    deviceName,
    defaultProfile: existing?.defaultProfile ?? DEFAULTS.profile,
    autoSyncIntervalS: existing?.autoSyncIntervalS ?? DEFAULTS.intervalS,
    historyLargeFileBytes: existing?.historyLargeFileBytes ?? DEFAULTS.largeFileBytes,
    ...(tenant === undefined ? formerTenant && { formerTenant } : { tenant }),
  }
}

async function closeAfter<T>(reached: Reached, result: T): Promise<T> {
  await reached.close()
  return result
}

function prepareFolders(
  { syncDir, remote }: { readonly syncDir: string; readonly remote: Remote | undefined },
  isDryRun: boolean,
): Result<Pick<SetupReport, "directory" | "remoteFolder">, SyncError> {
  const local = ensureDirectory(syncDir, { isDryRun, makesParents: true })
  if (!local.ok)
    return err({
      code: "setup_failed",
      what: `create the sync directory ${syncDir}`,
      trouble: { code: "io", path: syncDir, detail: local.error },
    })
  if (remote?.kind !== "file") return ok({ directory: local.value, remoteFolder: "already_done" })
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

type Imported = Pick<SetupReport, "imported">

/** What an import would do; a sync directory that is not there yet has nothing in its way. */
async function previewImport(
  source: ImportSource | undefined,
  syncDir: string,
): Promise<Result<Imported, SyncError>> {
  if (source === undefined) return ok({})
  const local = openLocal(syncDir)
  const imported = await importProjects(source, { disk: local.ok ? local.value : undefined })
  return imported.ok ? ok({ imported: imported.value }) : imported
}

type Baseline = Pick<SetupReport, "device" | "state" | "hasGitLink" | "imported" | "baseline" | "cycle">

interface Parts {
  readonly config: Omit<Config, "stateKey">
  readonly local: Disk
  readonly remote: OpenRemote
  readonly options: SetupOptions
  readonly source: ImportSource | undefined
}

async function makeBaseline(place: Place, at: Parts): Promise<Result<Baseline, SyncError>> {
  const { local, remote, options } = at
  const linked = await askForLinks(at)
  if (!linked.ok) return linked
  const provisional = newDeviceId(random.hex128())
  const found = await findOrCreateEpoch(remote.backend(provisional), random.hex128)
  if (!found.ok)
    return err({ code: "setup_failed", what: `use ${remote.remote.url} as the remote`, trouble: found.error })
  const { epoch, isNew: isFirst } = found.value
  const directory = stateDirectory(place, at.config.tenant?.id ?? epoch.id)
  if (!isFirst && !existsSync(journalDirectory(directory)) && isUnsafe(remote, options))
    return err({
      code: "confirm_needed",
      what: `A second device on ${remote.remote.url}`,
      flag: "--unsafe-multi-writer",
    })
  const { tenant } = at.config
  // People look for the state of an account under its name.
  const config: Config = { ...at.config, stateKey: tenant?.id ?? epoch.id, epoch: epoch.id }
  const ignored = ensureIgnoreFile(place)
  if (!ignored.ok) return ignored
  const filtered = refreshRcloneFilter(place)
  if (!filtered.ok) return filtered
  const session = await openSession(directory, { holder: options.holder, createIfMissing: true })
  if (!session.ok) return session
  return closing<Baseline>(session.value, async () => {
    const { ledger } = session.value
    const isNew = ledger.head().sequence === 0
    remote.keepIn(directory)
    if (remote.probe !== undefined) {
      const kept = writeProbe(directory, remote.probe)
      if (!kept.ok) return kept
    }
    const device = ledger.state().root.device?.id ?? provisional
    const before = await openWorld({ place, config, session: session.value, local, remote, device })
    if (!before.ok) return before
    const adopted = await adopt(before.value, ledger, { deviceName: config.deviceName, epoch })
    if (!adopted.ok) return adopted
    const saved = writeConfig(place, config)
    if (!saved.ok) return saved
    const entered = await bringIn(before.value, { place, ...at })
    if (!entered.ok) return entered
    const { world, imported } = entered.value
    const report = {
      device: { id: device, name: config.deviceName },
      state: isNew ? "created" : "already_done",
      ...(imported !== undefined && { imported }),
    } as const
    const isDone = ledger.state().root.lastRun !== undefined
    const tell = options.onProjects ?? (() => undefined)
    if (tenant !== undefined) await registerProjects({ place, directory, local, rules: world.rules }, tell)
    const ran = isDone ? ok(undefined) : await firstSync({ world, session: session.value, config, options })
    if (!ran.ok) return ran
    const hasGitLink = leadsToHistory(config.syncDir, session.value)
    if (ran.value === undefined) return ok({ ...report, hasGitLink, baseline: "already_done" })
    if (tenant !== undefined) await indexProjects({ place, directory }, ran.value, tell)
    return ok({ ...report, hasGitLink, baseline: "created", cycle: ran.value })
  })
}

/** Under the lock, and before anybody looks for projects and files. Their own patterns came in with the projects. */
async function bringIn(
  world: World,
  { place, local, source, config }: Parts & { readonly place: Place },
): Promise<Result<Imported & { readonly world: World }, SyncError>> {
  if (source === undefined) return ok({ world })
  const imported = await importProjects(source, { disk: local, writer: world.device })
  if (!imported.ok) return imported
  const { syncDir, tenant } = config
  const rules = await readRules(place, { syncDir, disk: local, isTenant: tenant !== undefined })
  return rules.ok ? ok({ imported: imported.value, world: { ...world, rules: rules.value } }) : rules
}

/** Nothing that the server can do keeps two devices apart, and the user did not say that this is meant. */
function isUnsafe({ probe }: OpenRemote, { allowsUnsafeWriters = false }: SetupOptions): boolean {
  return probe?.verdict.tier === "D" && !allowsUnsafeWriters
}

async function firstSync(at: {
  readonly world: World
  readonly session: Session
  readonly config: Config
  readonly options: SetupOptions
}): Promise<Result<Cycle, SyncError>> {
  const { world, session, config, options } = at
  const ran = await sync(world, session.ledger, {
    kind: "resync",
    command: options.holder.command,
    profile: profileNamed(config.defaultProfile),
    isDryRun: false,
    union: "setup",
    names: { root: config.syncDir, remote: config.remote },
    ...(options.isStopped !== undefined && { isStopped: options.isStopped }),
  })
  if (ran.ok) await publishStatus({ session, cycle: ran.value })
  return ran
}

async function askForLinks({ config, local, remote }: Parts): Promise<Result<void, SyncError>> {
  const disks = [
    { disk: local, path: config.syncDir },
    ...(remote.disk !== undefined && remote.remote.kind === "file"
      ? [{ disk: remote.disk, path: remote.remote.path }]
      : []),
  ]
  for (const { disk, path } of disks) {
    const linked = await probeLinks(disk, random.hex128())
    if (linked.ok) continue
    const what = `sync ${path}, whose disk cannot link files: none could be replaced without a risk`
    return err({ code: "setup_failed", what, trouble: linked.error })
  }
  return ok(undefined)
}

/** False where the directory has a `.git` of the user's own, which stays; our history is then read with `--git-dir`. */
export function leadsToHistory(syncDir: string, { directory }: Pick<Session, "directory">): boolean {
  try {
    return readFileSync(join(syncDir, ".git"), "utf8").trimEnd() === `gitdir: ${historyDirectory(directory)}`
  } catch {
    return false
  }
}
