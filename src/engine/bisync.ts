/**
 * A sync of this device, from its configuration: opens what is needed, runs one cycle, publishes what became of it.
 */

import { existsSync } from "node:fs"
import { resolve } from "node:path"
import type { SyncError } from "../model/errors.ts"
import type { UnionReason } from "../model/event.ts"
import type { DeviceId } from "../model/ids.ts"
import { isReserved, parsePath, type RelativePath } from "../model/path.ts"
import { err, ok, type Result } from "../model/result.ts"
import type { MarkerMemory } from "../model/state.ts"
import { type ConflictResolve, type Profile, profileNamed, type ProfileName } from "../model/settings.ts"
import type { Progress } from "../execute/execute.ts"
import type { Disk } from "../disk/disk.ts"
import { readMarker } from "../disk/marker-file.ts"
import { adopt, findOrCreateEpoch, newDeviceId } from "./adopt.ts"
import { type Config, expandHome, type Place, readConfig } from "./config.ts"
import { applySaved, type SavedPlan } from "./apply.ts"
import { type Cycle, cycle } from "./cycle.ts"
import { glance } from "./glance.ts"
import { journalError } from "./ledger.ts"
import type { RunOptions } from "./options.ts"
import { openRemote, type OpenRemote, type Probing } from "./open-remote.ts"
import {
  indexProjects,
  type ProjectNews,
  type ProjectsAt,
  projectsToCreate,
  registerProjects,
} from "./projects.ts"
import { writeProbe } from "./probe-file.ts"
import { remoteOf } from "./remote.ts"
import { readRules, refreshRcloneFilter } from "./rules.ts"
import {
  clock,
  type Holder,
  openLocal,
  openSession,
  openWorld,
  random,
  type Session,
  setAside,
  stateDirectory,
} from "./session.ts"
import { refuseMount } from "./setup-target.ts"
import { publishStatus } from "./status-file.ts"
import { catchStoreErrors, closing } from "./store-errors.ts"
import { decideSync } from "./sync.ts"
import { resumeUndo } from "./undo.ts"
import type { World } from "./world.ts"

export interface BisyncOptions {
  readonly holder: Holder
  readonly profile?: ProfileName
  readonly conflictResolve?: ConflictResolve
  readonly maxDelete?: number
  readonly confirmedDeletes?: number
  readonly project?: string
  /** Only these may have changed; a run looks at everything where that turns out to be too little. */
  readonly only?: readonly string[]
  readonly dir?: string
  readonly isDryRun: boolean
  readonly isResync: boolean
  /** Do exactly this plan, or nothing. */
  readonly apply?: SavedPlan
  readonly onPlanned?: RunOptions["onPlanned"]
  readonly onProgress?: (progress: Progress) => void
  readonly isStopped?: () => boolean
  readonly onLeaseWait?: RunOptions["onLeaseWait"]
  readonly onProjects?: (news: ProjectNews) => void
}

/** Everything open for one run; closed by whoever opened it. */
export interface Opened {
  readonly place: Place
  readonly config: Config
  readonly local: Disk
  readonly remote: OpenRemote
  readonly session: Session
  readonly world: World
  close(): Promise<void>
}

export interface Ran {
  readonly cycle: Cycle
  readonly opened: Opened
  /** Where a state that could not be used was moved to. */
  readonly setAside?: string
  /** Both sides were listed. */
  readonly isWhole: boolean
  /** Of a dry run. */
  readonly projectsToCreate?: readonly string[]
}

/** What to do with the journal still open: read what the answer needs. */
export type Conclude<T> = (ran: Ran) => Promise<T>

export async function bisync<T>(
  place: Place,
  options: BisyncOptions,
  conclude: Conclude<T>,
): Promise<Result<T, SyncError>> {
  const configured = requireConfig(place, options.dir)
  if (!configured.ok) return configured
  const { syncDir } = configured.value
  const local = openLocal(syncDir)
  // Before anything is asked of the network.
  const ruled = await readRules(place, { syncDir, disk: local.ok ? local.value : undefined })
  if (!ruled.ok) return ruled
  // A dry run writes nothing, so the filter stays what the last run made of the patterns.
  const filtered = options.isDryRun ? ok(undefined) : refreshRcloneFilter(place)
  if (!filtered.ok) return filtered
  const opened =
    options.isResync && !options.isDryRun
      ? await openForResync(place, configured.value, options.holder)
      : await open(place, configured.value, {
          holder: options.holder,
          probing: options.isDryRun ? "never" : "weekly",
        })
  if (!opened.ok) return opened
  const { session, config } = opened.value.opened
  return closing(opened.value.opened, async () => {
    const project = await findProject(opened.value.opened, options.project)
    if (!project.ok) return project
    const runOptions = runOptionsOf(config, options, project.value)
    const at = projectsAt(opened.value.opened, project.value)
    const tell = options.onProjects ?? (() => undefined)
    const glanced = await glanceAt(opened.value.opened, runOptions, options.only)
    if (!glanced.ok) return glanced
    const isWhole = glanced.value === undefined
    if (isWhole && at !== undefined && !options.isDryRun) await registerProjects(at, tell)
    const ran =
      glanced.value === undefined
        ? await runCycle(opened.value.opened, runOptions, options.apply)
        : ok(glanced.value)
    if (!ran.ok) return ran
    if (options.isDryRun) {
      const planned = at === undefined ? {} : { projectsToCreate: await projectsToCreate(at) }
      return ok(await conclude({ cycle: ran.value, isWhole, ...opened.value, ...planned }))
    }
    await publishStatus({ session, cycle: ran.value })
    if (at !== undefined) await indexProjects(at, ran.value, tell)
    return ok(await conclude({ cycle: ran.value, isWhole, ...opened.value }))
  })
}

async function glanceAt(
  { world, session: { ledger } }: Opened,
  options: RunOptions,
  paths: readonly string[] | undefined,
): Promise<Result<Cycle | undefined, SyncError>> {
  if (paths === undefined) return ok(undefined)
  const parsed = paths.map(parsePath)
  const only = new Set(parsed.flatMap((path) => (path.ok ? [path.value] : [])))
  // What has no name of ours is told by a run that sees it.
  if (only.size < parsed.length) return ok(undefined)
  const asked = { ...options, only }
  return glance(world, ledger, asked, decideSync(world, ledger, asked))
}

/** Only the remote of an account has projects. */
function projectsAt(
  { place, config, session, local, world }: Opened,
  only: string | undefined,
): ProjectsAt | undefined {
  if (config.tenant === undefined) return undefined
  const { directory } = session
  return { place, directory, local, rules: world.rules, ...(only !== undefined && { only }) }
}

async function runCycle(
  opened: Opened,
  options: RunOptions,
  saved: SavedPlan | undefined,
): Promise<Result<Cycle, SyncError>> {
  const { world, session } = opened
  const { ledger } = session
  if (!options.isDryRun) {
    const resumed = await resumeUndo(world, ledger, options)
    if (!resumed.ok) return resumed
  }
  // A dry run of a saved plan shows what would happen now; whoever asked compares.
  const decideIn = (at: World, asked: RunOptions) => {
    const decide = decideSync(at, ledger, asked)
    return saved === undefined || asked.isDryRun ? decide : applySaved(decide, saved, asked)
  }
  const ran = await cycle(world, ledger, options, decideIn(world, options))
  if (!ran.ok || ran.value.kind !== "cloned") return ran
  // Another machine writes under our id: this journal is a copy, and trusts no base. A run gives it an id of its own.
  const asCopy: RunOptions = { ...options, union: "journal_cloned" }
  if (options.isDryRun) return cycle(world, ledger, asCopy, decideIn(world, asCopy))
  const device = newDeviceId(random.hex128())
  const loaded = await ledger.load()
  if (!loaded.ok) return err(journalError(loaded.error))
  const { deviceName } = opened.config
  await ledger.append([{ type: "device.renamed", device, deviceName, why: "cloned_journal" }], { sync: true })
  const renamed = await openWorld({ ...opened, device })
  return renamed.ok ? cycle(renamed.value, ledger, asCopy, decideIn(renamed.value, asCopy)) : renamed
}

/** The configuration, with what the command line says about the directory already judged. */
export function requireConfig(place: Place, dir?: string): Result<Config, SyncError> {
  const typed = dir === undefined ? undefined : resolve(expandHome(dir, place.home))
  if (typed !== undefined && dir !== undefined) {
    const mount = refuseMount(place, typed, dir)
    if (mount !== undefined) return err(mount)
  }
  const config = readConfig(place)
  if (!config.ok) return config
  if (config.value === undefined) return err({ code: "no_baseline", why: "not_set_up" })
  const mount = refuseMount(place, config.value.syncDir, config.value.syncDir)
  if (mount !== undefined) return err(mount)
  if (typed !== undefined && typed !== config.value.syncDir) {
    return err({
      code: "usage",
      message: `this device syncs ${config.value.syncDir}, not ${dir}; to change that run: bm cloud bisync-setup --dir ${dir}`,
    })
  }
  return ok(config.value)
}

export async function open(
  place: Place,
  config: Config,
  options: {
    readonly holder: Holder
    readonly probing: Probing
    readonly waitMs?: number
    readonly onWait?: () => void
  },
): Promise<Result<{ readonly opened: Opened; readonly setAside?: string }, SyncError>> {
  const { probing, ...waiting } = options
  const parsed = remoteOf(config, place)
  if (!parsed.ok) return parsed
  const directory = stateDirectory(place, config.stateKey)
  const local = openLocal(config.syncDir)
  const openThere = async () =>
    local.ok ? openRemote(parsed.value, { ...config, place, directory, probing }) : local
  // rclone starts meanwhile. Other remotes may be probed, and only whoever holds the journal does that.
  const started = parsed.value.kind === "rclone" ? openThere() : undefined
  const session = await openSession(directory, { ...waiting, createIfMissing: false })
  const remote = session.ok ? await (started ?? openThere()) : await started
  const device = session.ok ? session.value.ledger.state().root.device?.id : undefined
  if (!session.ok || device === undefined || !local.ok || !remote?.ok) {
    if (remote?.ok === true) await remote.value.close()
    if (!session.ok) return session
    await session.value.close()
    if (!local.ok) return local
    return remote?.ok === false ? remote : err({ code: "no_baseline", why: "no_journal" })
  }
  const at = { place, config, local: local.value, remote: remote.value, session: session.value }
  const opened = await openedFrom({ ...at, device })
  return opened.ok ? ok({ opened: opened.value }) : opened
}

async function openedFrom(
  at: Omit<Opened, "world" | "close"> & { readonly device: DeviceId },
): Promise<Result<Opened, SyncError>> {
  const { device: _, ...parts } = at
  const close = async () => {
    await at.remote.close()
    await at.session.close()
  }
  const world = await openWorld(at)
  if (world.ok) return ok({ ...parts, world: world.value, close })
  await close()
  return world
}

/** Opens for a union: a journal that cannot be used is moved aside, a missing one begun, root and remote are adopted. */
async function openForResync(
  place: Place,
  config: Config,
  holder: Holder,
): Promise<Result<{ readonly opened: Opened; readonly setAside?: string }, SyncError>> {
  const parsed = remoteOf(config, place)
  if (!parsed.ok) return parsed
  const local = openLocal(config.syncDir)
  if (!local.ok) return local
  const directory = stateDirectory(place, config.stateKey)
  const remote = await openRemote(parsed.value, { ...config, place, directory, probing: "weekly" })
  if (!remote.ok) return remote
  const marker = await readMarker(local.value)
  const session = await openOrReplace(directory, { holder, seen: marker.ok ? marker.value : undefined })
  if (!session.ok) {
    await remote.value.close()
    return session
  }
  const { probe } = remote.value
  if (session.value.setAside !== undefined && probe !== undefined) writeProbe(directory, probe)
  const { ledger } = session.value.session
  const device = ledger.state().root.device?.id ?? newDeviceId(random.hex128())
  const parts = { place, config, local: local.value, remote: remote.value, session: session.value.session }
  const opened = await openedFrom({ ...parts, device })
  if (!opened.ok) return opened
  const { world } = opened.value
  const epoch = await findOrCreateEpoch(world.sides.remote, random.hex128)
  const adopted = epoch.ok
    ? await adopt(world, ledger, { deviceName: config.deviceName, epoch: epoch.value.epoch })
    : err({ code: "side_unreadable", side: "remote", trouble: epoch.error } as const)
  if (!adopted.ok) {
    await opened.value.close()
    return adopted
  }
  return ok({
    opened: opened.value,
    ...(session.value.setAside !== undefined && { setAside: session.value.setAside }),
  })
}

/** A journal that is damaged, or older than what its own folder has seen, is moved aside; its history stays readable. */
async function openOrReplace(
  directory: string,
  { holder, seen }: { readonly holder: Holder; readonly seen: MarkerMemory | undefined },
): Promise<Result<{ readonly session: Session; readonly setAside?: string }, SyncError>> {
  const session = await openSession(directory, { holder, createIfMissing: true })
  if (!session.ok && session.error.code !== "journal_damaged") return session
  if (session.ok) {
    const { ledger } = session.value
    const loaded = await catchStoreErrors(async () => {
      const state = await ledger.load()
      return state.ok ? state : err({ code: "journal_damaged", why: state.error.kind } as const)
    })
    const isOlder =
      seen !== undefined &&
      seen.root === ledger.state().root.marker?.root &&
      seen.sequence > ledger.head().sequence
    if (loaded.ok && !isOlder) return ok({ session: session.value })
    await session.value.close()
  }
  const moved = existsSync(directory) ? setAside(directory, new Date(clock.nowMs()).toISOString()) : ok("")
  if (!moved.ok) return moved
  const fresh = await openSession(directory, { holder, createIfMissing: true })
  return fresh.ok ? ok({ session: fresh.value, setAside: moved.value }) : fresh
}

function runOptionsOf(config: Config, options: BisyncOptions, project: RelativePath | undefined): RunOptions {
  const union: UnionReason | undefined = options.isResync ? "resync" : undefined
  return {
    kind: options.isResync ? "resync" : "bisync",
    command: options.holder.command,
    profile: profileOf(config, options),
    isDryRun: options.isDryRun,
    mustDecide: options.apply !== undefined,
    names: { root: config.syncDir, remote: config.remote },
    ...(options.confirmedDeletes !== undefined && { confirmedDeletes: options.confirmedDeletes }),
    ...(project !== undefined && { project }),
    ...(union !== undefined && { union }),
    ...(options.onPlanned !== undefined && { onPlanned: options.onPlanned }),
    ...(options.onProgress !== undefined && { onProgress: options.onProgress }),
    ...(options.isStopped !== undefined && { isStopped: options.isStopped }),
    ...(options.onLeaseWait !== undefined && { onLeaseWait: options.onLeaseWait }),
  }
}

export function profileOf(
  config: Config,
  options: Pick<BisyncOptions, "profile" | "conflictResolve" | "maxDelete">,
): Profile {
  const named = profileNamed(options.profile ?? config.defaultProfile)
  return {
    ...named,
    conflictResolve: options.conflictResolve ?? named.conflictResolve,
    maxDelete: options.maxDelete ?? named.maxDelete,
  }
}

/** A project is a directory directly below the sync directory, here or in the remote. */
async function findProject(
  { local, remote }: Opened,
  name: string | undefined,
): Promise<Result<RelativePath | undefined, SyncError>> {
  if (name === undefined) return ok(undefined)
  const path = parsePath(name)
  if (!path.ok || name.includes("/") || isReserved(name))
    return err({ code: "not_found", what: "project", name })
  const here = await local.stat(name)
  const isHere = here.ok && here.value?.kind === "directory"
  if (isHere || (await remote.hasProject(path.value))) return ok(path.value)
  return err({ code: "not_found", what: "project", name })
}
