/**
 * Installs `bm sync --watch` as a service of the user, and removes it.
 *
 * Done again it changes nothing. Nothing is written, and no manager is told anything, before it is known that both can be
 * done; a dry run only asks.
 */

import { err, ok, type Result } from "../model/result.ts"
import type { ServiceRefusal } from "../model/service-refusal.ts"
import { askLaunchd, launchdManager } from "./launchd.ts"
import type { Machine, Manager } from "./manager.ts"
import { type ManagerName, type ServiceSpec, unseenSecrets } from "./service.ts"
import { readSmallFile, removeSmallFile, replaceSmallFile } from "./small-file.ts"
import { askSystemd, systemdManager } from "./systemd.ts"

export interface ServiceOptions {
  readonly machine: Machine
  readonly isDryRun: boolean
}

export interface InstallOptions extends ServiceOptions, Omit<ServiceSpec, "environment"> {}

export interface ServiceReport {
  readonly action: "install" | "uninstall"
  readonly manager: ManagerName
  readonly file: string
  readonly isDryRun: boolean
  readonly isRunning: boolean
  /** It was not as wished, and is now; in a dry run: it would be. */
  readonly isChanged: boolean
  /** Whether it goes on when this user logs out; absent where that is no question, or not known. */
  readonly linger?: { readonly isOn: boolean; readonly user: string }
  /** Where launchd writes what the watcher says. */
  readonly logFile?: string
  /** What is in the file; absent where it is removed. */
  readonly text?: string
  /** Secrets of this shell that the service does not see. */
  readonly unseen: readonly string[]
  /** Why it would be refused without the dry run. */
  readonly refusal?: ServiceRefusal
}

/** Everybody on the machine may read it: systemd complains of one that is private, and it holds no secret. */
const SERVICE_FILE = 0o644
const CONTAINER_MARKS = ["/.dockerenv", "/run/.containerenv"]

export async function installService(
  options: InstallOptions,
): Promise<Result<ServiceReport, ServiceRefusal>> {
  const { machine, isDryRun, ...spec } = options
  const found = await findManager(machine)
  if (found.manager === undefined) return err(found.refusal)
  const { manager, refusal } = found
  if (refusal !== undefined && !isDryRun) return err(refusal)
  const text = manager.text({ ...spec, environment: machine.environment })
  if (!text.ok) return err({ kind: "unfit", ...text.error })
  const isFileNew = readSmallFile(manager.file) !== text.value
  const before = refusal === undefined ? await manager.look() : UNKNOWN
  const isChanged = isFileNew || !before.isUp
  const report = {
    ...reportOf(manager, { action: "install", isDryRun, isChanged }),
    text: text.value,
    unseen: unseenSecrets(machine.environment),
    ...(refusal !== undefined && { refusal }),
  }
  if (isDryRun) return ok({ ...report, isRunning: before.isRunning })
  if (isFileNew) {
    const written = replaceSmallFile(manager.file, text.value, SERVICE_FILE)
    if (!written.ok) return fileFailed(manager.file, written.error)
  }
  if (isChanged) {
    const up = await manager.bringUp({ isFileNew, before })
    if (!up.ok) return up
  }
  const { isRunning } = isChanged ? await manager.look() : before
  const isOn = await manager.linger()
  return ok({
    ...report,
    isRunning,
    ...(isOn !== undefined && { linger: { isOn, user: machine.user.name } }),
  })
}

export async function uninstallService(
  options: ServiceOptions,
): Promise<Result<ServiceReport, ServiceRefusal>> {
  const { machine, isDryRun } = options
  const found = await findManager(machine)
  if (found.manager === undefined) return err(found.refusal)
  const { manager, refusal } = found
  const isFileThere = machine.isThere(manager.file)
  const before = refusal === undefined ? await manager.look() : UNKNOWN
  const isChanged = isFileThere || before.isKnown
  const report = reportOf(manager, { action: "uninstall", isDryRun, isChanged })
  if (isDryRun) {
    return ok({
      ...report,
      isRunning: before.isRunning,
      ...(isChanged && refusal !== undefined && { refusal }),
    })
  }
  // Where nothing is there, nobody has to be asked to stop it.
  if (!isChanged) return ok(report)
  if (refusal !== undefined) return err(refusal)
  const down = await manager.takeDown(before)
  if (!down.ok) return down
  const removed = removeSmallFile(manager.file)
  if (!removed.ok) return fileFailed(manager.file, removed.error)
  const forgotten = await manager.forget()
  return forgotten.ok ? ok(report) : forgotten
}

/** The manager does not answer, so all that is known is the file. */
const UNKNOWN = { isKnown: false, isUp: false, isRunning: false } as const

type Found =
  | { readonly manager: Manager; readonly refusal?: ServiceRefusal }
  | { readonly manager?: undefined; readonly refusal: ServiceRefusal }

/** The one of this platform, also where it must not be used: what would be written can be shown all the same. */
async function findManager(machine: Machine): Promise<Found> {
  const { platform } = machine
  const container: ServiceRefusal | undefined = isContainer(machine) ? { kind: "container" } : undefined
  const silent = (text: string): ServiceRefusal => ({ kind: "no_manager", platform, text })
  switch (platform) {
    case "linux": {
      if (container !== undefined) return { manager: systemdManager(machine), refusal: container }
      const asked = await askSystemd(machine)
      return asked.ok
        ? { manager: systemdManager(machine, asked.value) }
        : { manager: systemdManager(machine), refusal: silent(asked.error) }
    }
    case "darwin": {
      const manager = launchdManager(machine)
      if (container !== undefined) return { manager, refusal: container }
      const asked = await askLaunchd(machine)
      return asked.ok ? { manager } : { manager, refusal: silent(asked.error) }
    }
    default:
      return { refusal: container ?? { kind: "no_manager", platform } }
  }
}

/** Whoever runs a container starts its one process, and a manager of services inside is not theirs. */
function isContainer({ environment, isThere }: Machine): boolean {
  const { container = "" } = environment
  return container !== "" || CONTAINER_MARKS.some(isThere)
}

function reportOf(
  { name, file, logFile }: Manager,
  what: Pick<ServiceReport, "action" | "isDryRun" | "isChanged">,
): ServiceReport {
  return {
    ...what,
    manager: name,
    file,
    isRunning: false,
    unseen: [],
    ...(logFile !== undefined && { logFile }),
  }
}

function fileFailed(file: string, word: string): Result<never, ServiceRefusal> {
  return err({ kind: "file_failed", file, word })
}
