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
  dryRun = Option.Boolean("--dry-run", false, { description: "Show the plan; change nothing" })

  async run(output: Output): Promise<number> {
    const bm = await import("../../index.ts")
    const confirmed = parseCount(this.confirmDeletes, "--confirm-deletes")
    if (!confirmed.ok) return output.fail(confirmed.error)
    const options = {
      holder: this.context.holder,
      isDryRun: this.dryRun,
      isResync: false,
      ...(confirmed.value !== undefined && { confirmedDeletes: confirmed.value }),
      ...(this.project !== undefined && { project: this.project }),
    }
    if (!this.dryRun) return runSync({ bm, command: this, output, options })
    const planned = await bm.dryRun(this.context.place, options)
    if (!planned.ok) return output.fail(planned.error)
    const document = planDocument(planned.value, { kind: "bisync", version: VERSION })
    return showPlan({ output, planned: planned.value, document, out: undefined, hasExitCode: false })
  }
}
