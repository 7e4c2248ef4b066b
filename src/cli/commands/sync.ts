/** `bm sync`: the local scan and the cloud sync in one command, once or again and again. */

import { Command, Option } from "clipanion"
import { BmCommand } from "../command.ts"
import type { Output } from "../output.ts"
import { planDocument } from "../plan-document.ts"
import { parseSyncMode } from "../sync-mode.ts"
import { VERSION } from "../version.ts"
import { runSync } from "./bisync.ts"
import { showPlan } from "./show-plan.ts"

export class SyncCommand extends BmCommand {
  static override paths = [["sync"]]
  static override usage = Command.Usage({
    category: "Sync",
    description: "Sync everything: scan the local files into the journal, then sync with the cloud",
    details: `
      With --watch it goes on, until it is told to stop; --install-service lets the system start it at each login. A pause
      holds a watcher back, whoever started it; a sync by hand runs all the same.
      Exit codes: as \`bm cloud bisync\`; 4 also where no service can be installed.
    `,
    examples: [
      ["Once", "bm sync"],
      ["Until Ctrl+C", "bm sync --watch"],
      ["Pause the watcher for two hours", "bm sync --pause 2h"],
      ["See the service before it is installed", "bm sync --install-service --dry-run"],
    ],
  })

  project = Option.String("--project", { description: "Only this project" })
  confirmDeletes = Option.String("--confirm-deletes", {
    description: "Let exactly this many deletes through, once",
  })
  watch = Option.Boolean("--watch", false, { description: "Go on: sync what changes, until told to stop" })
  interval = Option.String("--interval", {
    description: "Of a watcher: seconds between looks at the cloud (default: auto_sync_interval, 60)",
  })
  pause = Option.String("--pause", {
    tolerateBoolean: true,
    description: "Hold the watcher back for DUR (90s, 30m, 2h, 1d, 1w), or else until --resume",
  })
  resume = Option.Boolean("--resume", false, { description: "End the pause" })
  installService = Option.Boolean("--install-service", false, {
    description: "Let the system start the watcher, now and at each login",
  })
  uninstallService = Option.Boolean("--uninstall-service", false, {
    description: "Stop that service and remove it",
  })
  dryRun = Option.Boolean("--dry-run", false, {
    description: "Show the plan, or what would be installed; change nothing",
  })
  /** An option whose value may be left out takes none after a space, so that comes as a word of its own. */
  word = Option.String({ name: "DUR", required: false })

  async run(output: Output): Promise<number> {
    const parsed = parseSyncMode(this)
    if (!parsed.ok) return output.fail(parsed.error)
    const bm = await import("../../index.ts")
    const asked = { bm, command: this, output }
    const mode = parsed.value
    switch (mode.kind) {
      case "run":
        return this.once(asked, mode)
      case "watch": {
        const { runWatch } = await import("../watch.ts")
        return runWatch({ ...asked, options: this.optionsOf(mode), intervalS: mode.intervalS })
      }
      case "pause":
      case "resume": {
        const { pauseWatching, resumeWatching } = await import("../sync-pause.ts")
        return mode.kind === "pause" ? pauseWatching(asked, mode.length) : resumeWatching(asked)
      }
      case "install":
      case "uninstall": {
        const { installWatcher, uninstallWatcher } = await import("../sync-service.ts")
        const how = { ...asked, isDryRun: mode.isDryRun }
        return mode.kind === "install" ? installWatcher(how, mode) : uninstallWatcher(how)
      }
    }
  }

  private async once(
    { bm, output }: { readonly bm: typeof import("../../index.ts"); readonly output: Output },
    mode: { readonly isDryRun: boolean; readonly confirmedDeletes: number | undefined } & Projects,
  ): Promise<number> {
    const { isDryRun, confirmedDeletes } = mode
    const options = {
      ...this.optionsOf(mode),
      isDryRun,
      isResync: false,
      ...(confirmedDeletes !== undefined && { confirmedDeletes }),
    }
    if (!isDryRun) return runSync({ bm, command: this, output, options })
    const planned = await bm.dryRun(this.context.place, options)
    if (!planned.ok) return output.fail(planned.error)
    const document = planDocument(planned.value, { kind: "bisync", version: VERSION })
    return showPlan({ output, planned: planned.value, document, out: undefined, hasExitCode: false })
  }

  private optionsOf({ project }: Projects) {
    return { holder: this.context.holder, ...(project !== undefined && { project }) }
  }
}

interface Projects {
  readonly project: string | undefined
}
