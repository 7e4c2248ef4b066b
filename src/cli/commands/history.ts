/** `bm cloud history`: what was done here, newest first. */

import { Command, Option } from "clipanion"
import type { HistoryFilter } from "../../index.ts"
import { BmCommand, parseCount } from "../command.ts"
import { historyDocument } from "../history-document.ts"
import { accessOf, parseKind, parseSpan, usage, whenJson } from "../history-options.ts"
import { eventLines, runLines } from "../history-text.ts"
import type { Output } from "../output.ts"

const LIMIT = 20

export class HistoryCommand extends BmCommand {
  static override paths = [
    ["cloud", "history"],
    ["cloud", "history", "list"],
  ]
  static override usage = Command.Usage({
    category: "History",
    description: "List what sync did, newest first",
    details: `
      Runs that did something, 20 of them; with \`--path\` the changes of those files, one a line. Works without the cloud and
      without the sync directory.
      WHEN is a time (\`"2026-03-02 10:00"\`, \`10:00\`, \`yesterday\`, \`2h\`) or a run: \`r7k2q\` just after it, \`r7k2q-\` just before it.
      Exit codes: 0 done, 1 no such run or project, 7 the journal is missing or damaged, 8 another sync is still running after 10 s, 64 wrong usage.
    `,
    examples: [
      ["Since yesterday", "bm cloud history --since yesterday"],
      ["What happened to a file or folder", "bm cloud history --path ideas/innovation.md"],
      ["The next page", "bm cloud history --before r7jzz"],
    ],
  })

  since = Option.String("--since", { description: "From WHEN on" })
  until = Option.String("--until", { description: "Up to WHEN; a day means all of it" })
  glob = Option.String("--path", {
    description: "Changes of a path and what is below it, or of a pattern with *, ** and ?",
  })
  device = Option.String("--device", { description: "Runs of this device" })
  kind = Option.String("--kind", { description: "bisync, resync, undo, redo or resolve" })
  conflicts = Option.Boolean("--conflicts", false, { description: "Only runs that decided a conflict" })
  all = Option.Boolean("--all", false, { description: "Runs that found nothing to do, too" })
  limit = Option.String("--limit", { description: "How many (20)" })
  before = Option.String("--before", { description: "Only what is older than this run" })
  project = Option.String("--project", { description: "Runs that touched this project" })

  async run(output: Output): Promise<number> {
    const bm = await import("../../index.ts")
    const nowMs = Date.now()
    const filter = this.parse(nowMs)
    if (!filter.ok) return output.fail(filter.error)
    const listed = await bm.listHistory(this.context.place, accessOf(this.context, output), filter.value)
    if (!listed.ok) return output.fail(listed.error)
    output.json(historyDocument(listed.value, filtersJson(filter.value)))
    output.lines(
      listed.value.events === undefined
        ? runLines(listed.value, nowMs)
        : eventLines(listed.value, nowMs, output.isVerbose),
    )
    return 0
  }

  private parse(nowMs: number) {
    const span = parseSpan({ since: this.since, until: this.until }, nowMs)
    if (!span.ok) return span
    const kind = parseKind(this.kind)
    if (!kind.ok) return kind
    const limit = parseCount(this.limit, "--limit")
    if (!limit.ok) return limit
    if (limit.value === 0) return usage("--limit takes a whole number from 1")
    const { glob, device, project, before } = this
    const value: HistoryFilter = {
      ...span.value,
      hasConflicts: this.conflicts,
      isAll: this.all,
      limit: limit.value ?? LIMIT,
      ...(kind.value !== undefined && { kind: kind.value }),
      ...(glob !== undefined && { path: glob }),
      ...(device !== undefined && { device }),
      ...(project !== undefined && { project }),
      ...(before !== undefined && { before }),
    }
    return { ok: true, value } as const
  }
}

function filtersJson({
  since,
  until,
  path,
  device,
  kind,
  project,
  before,
  hasConflicts,
  isAll,
}: HistoryFilter): object {
  return {
    ...(since !== undefined && { since: whenJson(since) }),
    ...(until !== undefined && { until: whenJson(until) }),
    ...(path !== undefined && { path }),
    ...(device !== undefined && { device }),
    ...(kind !== undefined && { kind }),
    ...(project !== undefined && { project }),
    ...(before !== undefined && { before }),
    ...(hasConflicts && { conflicts: true }),
    ...(isAll && { all: true }),
  }
}
