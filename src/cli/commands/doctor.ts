/** `bm doctor`: what a sync stands on, looked at one by one, and repaired where that is safe. */

import { delimiter } from "node:path"
import { Command, Option } from "clipanion"
import { BmCommand } from "../command.ts"
import { doctorJson, doctorLines } from "../doctor-text.ts"
import { isAlive } from "../process-alive.ts"
import type { Output } from "../output.ts"

export class DoctorCommand extends BmCommand {
  static override paths = [["doctor"]]
  static override usage = Command.Usage({
    category: "Sync",
    description: "Look at all that a sync stands on, and repair it",
    details: `
      Looks at programs, settings, permissions, cloud, clock, lock, baseline, filters, history and disk. Without --fix it
      changes nothing; with it file modes, filters and a missing probe of the cloud are put right. It never touches a note.
      Exit codes: 0 no problem, or warnings alone, 1 failed, 2 there are problems, 64 wrong usage.
    `,
    examples: [
      ["Look", "bm doctor"],
      ["Repair", "bm doctor --fix"],
    ],
  })

  fix = Option.Boolean("--fix", false, { description: "Repair what can be repaired safely" })

  async run(output: Output): Promise<number> {
    const bm = await import("../../index.ts")
    const { place, env, holder } = this.context
    const report = await bm.doctor(place, {
      isFix: this.fix,
      programDirectories: (env.PATH ?? "").split(delimiter),
      isAlive,
      host: holder.host,
    })
    const shorten = (path: string) => bm.shortenHome(path, place.home)
    output.lines(doctorLines(report, shorten))
    output.json(doctorJson(report, shorten))
    return report.problems > 0 ? 2 : 0
  }
}

/** Signal 0 asks without sending; a process of somebody else answers that we may not. */
