/** `bm sync`: the local scan and the cloud sync in one command. */

import { Command, Option } from "clipanion"
import { BmCommand, parseCount } from "../command.ts"
import type { Output } from "../output.ts"
import { planDocument } from "../plan-document.ts"
import { VERSION } from "../version.ts"
import { runSync } from "./bisync.ts"
import { showPlan } from "./show-plan.ts"

export class SyncCommand extends BmCommand {
  static override paths = [["sync"]]
  static override usage = Command.Usage({
    category: "Sync",
    description: "Sync everything: scan the local files into the journal, then sync with the cloud",
    details: "Exit codes: as `bm cloud bisync`.",
  })

  project = Option.String("--project", { description: "Only this project" })
  confirmDeletes = Option.String("--confirm-deletes", {
    description: "Let exactly this many deletes through, once",
  })
  watch = Option.Boolean("--watch", false, { description: "Go on: sync what changes, until told to stop" })
  interval = Option.String("--interval", {
    description: "With --watch: seconds between looks at the cloud (default: auto_sync_interval, 60)",
  })
  dryRun = Option.Boolean("--dry-run", false, { description: "Show the plan; change nothing" })

  async run(output: Output): Promise<number> {
    const bm = await import("../../index.ts")
    const confirmed = parseCount(this.confirmDeletes, "--confirm-deletes")
    if (!confirmed.ok) return output.fail(confirmed.error)
    const interval = parseCount(this.interval, "--interval")
    if (!interval.ok) return output.fail(interval.error)
    const wrong = this.wrongUse(interval.value)
    if (wrong !== undefined) return output.fail({ code: "usage", message: wrong })
    const options = {
      holder: this.context.holder,
      isDryRun: this.dryRun,
      isResync: false,
      ...(confirmed.value !== undefined && { confirmedDeletes: confirmed.value }),
      ...(this.project !== undefined && { project: this.project }),
    }
    if (this.watch) {
      const { runWatch } = await import("../watch.ts")
      return runWatch({ bm, command: this, output, options, intervalS: interval.value })
    }
    if (!this.dryRun) return runSync({ bm, command: this, output, options })
    const planned = await bm.dryRun(this.context.place, options)
    if (!planned.ok) return output.fail(planned.error)
    const document = planDocument(planned.value, { kind: "bisync", version: VERSION })
    return showPlan({ output, planned: planned.value, document, out: undefined, hasExitCode: false })
  }
  private wrongUse(intervalS: number | undefined): string | undefined {
    if (intervalS === 0) return "--interval takes a number of seconds from 1"
    if (intervalS !== undefined && !this.watch) return "--interval goes with --watch"
    if (this.watch && this.dryRun) return "--watch and --dry-run exclude each other"
    if (this.watch && this.confirmDeletes !== undefined)
      return "--confirm-deletes lets one plan through: run it without --watch"
    return undefined
  }
}
