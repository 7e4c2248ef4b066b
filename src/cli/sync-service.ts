/** `bm sync --install-service` and `--uninstall-service`: the watcher as a service of the user that runs them. */

import type { ServiceRefusal, ServiceReport } from "../index.ts"
import type { BmCommand } from "./command.ts"
import type { Output } from "./output.ts"
import { previewNotes, serviceJson, serviceLines, type Shown } from "./service-text.ts"

interface Asked {
  readonly bm: typeof import("../index.ts")
  readonly command: BmCommand
  readonly output: Output
  readonly isDryRun: boolean
}

/** Answers the exit code. Without an interval the setting decides, at each start of the service. */
export async function installWatcher(
  asked: Asked,
  watch: { readonly intervalS: number | undefined; readonly project: string | undefined },
): Promise<number> {
  const { bm, command, output, isDryRun } = asked
  const { place } = command.context
  const required = bm.requireConfig(place)
  if (!required.ok) return output.fail(required.error)
  const installed = await bm.installService({
    machine: machineOf(asked),
    isDryRun,
    ...thisCommand(),
    arguments: bm.watchArguments(watch),
    stateRoot: place.stateRoot,
  })
  // What was written before a manager refused stands.
  if (!installed.ok) return fail(output, installed.error, { changed: isBegun(installed.error) })
  return show(asked, installed.value, watch.intervalS ?? required.value.autoSyncIntervalS)
}

/** Also where sync is not set up any more: a service that was left behind can be removed. */
export async function uninstallWatcher(asked: Asked): Promise<number> {
  const { bm, output, isDryRun } = asked
  const removed = await bm.uninstallService({ machine: machineOf(asked), isDryRun })
  if (removed.ok) return show(asked, removed.value)
  // A file is removed last, when the service is stopped.
  const changed = isBegun(removed.error) || removed.error.kind === "file_failed"
  return fail(output, removed.error, { changed })
}

function isBegun({ kind }: ServiceRefusal): boolean {
  return kind === "command_failed"
}

function fail(output: Output, refusal: ServiceRefusal, at: { readonly changed: boolean }): number {
  return output.fail({ code: "service", refusal }, at)
}

function show({ bm, command, output }: Asked, report: ServiceReport, everyS?: number): number {
  const shown: Shown = {
    path: (path) => bm.shortenHome(path, command.context.place.home),
    ...(everyS !== undefined && { everyS }),
  }
  output.lines(serviceLines(report, shown))
  for (const note of previewNotes(report, shown)) output.note(note)
  output.json(serviceJson(report, shown))
  return 0
}

function machineOf({ bm, command }: Asked) {
  const { env, place } = command.context
  return bm.thisMachine({ environment: env, home: place.home })
}

/**
 * The same Node and the same script as now, by their absolute paths. A link that leads to the script stays a link: after an
 * update it leads to the new one.
 */
function thisCommand(): { readonly program: string; readonly script: string } {
  return { program: process.execPath, script: process.argv[1] ?? "" }
}
