/** `bm cloud history verify`: proves that the history is what was written, or says what is not. */

import { Command, Option } from "clipanion"
import { BmCommand } from "../command.ts"
import { accessOf, parseSpan } from "../history-options.ts"
import type { Output } from "../output.ts"
import { verifyDocument, verifyLines } from "../verify-text.ts"

export class HistoryVerifyCommand extends BmCommand {
  static override paths = [["cloud", "history", "verify"]]
  static override usage = Command.Usage({
    category: "History",
    description: "Check that the history is complete and unaltered; changes nothing",
    details: `
      Follows the hash chain from the first entry, compares it with git and with the marker in the sync directory, reads every stored
      version, and folds all entries again. \`--since\` reads only versions stored since then; everything else is always checked whole.
      It finds accidents and tampering with any one of these places. It does not protect against someone who can rewrite this
      device, its git repository and the bucket together.
      Exit codes: 0 intact, 1 could not look, 2 damaged, 7 not set up, 8 another sync is still running after 10 s, 64 wrong usage.
    `,
    examples: [
      ["Check everything", "bm cloud history verify"],
      ["Read only versions of the last week", "bm cloud history verify --since 1w"],
    ],
  })

  since = Option.String("--since", { description: "Read only versions that were stored since WHEN" })

  async run(output: Output): Promise<number> {
    const bm = await import("../../index.ts")
    const span = parseSpan({ since: this.since, until: undefined }, Date.now())
    if (!span.ok) return output.fail(span.error)
    const report = await bm.verifyHistory(this.context.place, accessOf(this.context, output), span.value)
    if (!report.ok) return output.fail(report.error)
    output.json(verifyDocument(report.value))
    output.lines(verifyLines(report.value))
    return report.value.isIntact ? 0 : 2
  }
}
