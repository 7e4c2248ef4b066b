/** `bm cloud conflicts [list]`: which conflicts are open, and which were decided lately. */

import { Command, Option } from "clipanion"
import type { ConflictEvidence, ConflictRecord, Reading } from "../../index.ts"
import { BmCommand } from "../command.ts"
import { conflictJson, decisionText, stateText } from "../conflict-text.ts"
import { columns, escapeForTerminal, formatCount, formatWhen, plural } from "../format.ts"
import type { Output } from "../output.ts"
import { readingOptions } from "../reading.ts"
import { parseWhen } from "../when.ts"

type Engine = typeof import("../../index.ts")

export class ConflictsCommand extends BmCommand {
  static override paths = [
    ["cloud", "conflicts"],
    ["cloud", "conflicts", "list"],
  ]
  static override usage = Command.Usage({
    category: "History",
    description: "List the conflicts that are open, and those decided in the last 7 days",
    details: `
      Works without the cloud, and without the sync directory.
      Exit codes: 0 done, 2 with --exit-code: some are open, 7 no usable baseline, 8 another sync is running, 64 wrong usage.
    `,
    examples: [
      ["Everything ever decided in a project", "bm cloud conflicts --all --path 'notes/**'"],
      ["Fail a script while something is open", "bm cloud conflicts --exit-code"],
    ],
  })

  all = Option.Boolean("--all", false, { description: "Also those that were decided long ago" })
  glob = Option.String("--path", { description: "Only paths that match this glob" })
  since = Option.String("--since", { description: "Only those decided since then" })
  exitCode = Option.Boolean("--exit-code", false, { description: "Exit 2 if any is open" })

  async run(output: Output): Promise<number> {
    const nowMs = Date.now()
    const since = this.since === undefined ? undefined : parseWhen(this.since, nowMs)
    if (this.since !== undefined && since === undefined)
      return output.fail({
        code: "usage",
        message: `--since does not understand ${JSON.stringify(this.since)}: write a time, a run, or 2h`,
      })
    const bm = await import("../../index.ts")
    const filter = {
      includesAll: this.all,
      nowMs,
      ...(this.glob !== undefined && { path: this.glob }),
      ...(since !== undefined && { since }),
    }
    const listed = await bm.whileReading(
      this.context.place,
      readingOptions(this, output),
      async (reading) => {
        const records = await bm.listConflicts(reading.ledger, filter)
        return records.ok ? { ok: true, value: await withEvidence(bm, reading, records.value) } : records
      },
    )
    if (!listed.ok) return output.fail(listed.error)
    const open = listed.value.filter(({ record }) => record.state === "open")
    output.lines(listLines(listed.value, open, nowMs))
    output.json({
      schema: "bm.conflicts/1",
      open: open.length,
      conflicts: listed.value.map(({ record, evidence }) => conflictJson(record, evidence)),
    })
    return this.exitCode && open.length > 0 ? 2 : 0
  }
}

interface Listed {
  readonly record: ConflictRecord
  readonly evidence: ConflictEvidence | undefined
}

/** More contents than this are not read for one list; `show` reads those of any conflict. */
const EVIDENCE_MAX = 200

async function withEvidence(
  bm: Engine,
  reading: Reading,
  records: readonly ConflictRecord[],
): Promise<readonly Listed[]> {
  const listed: Listed[] = []
  for (const [index, record] of records.entries()) {
    const evidence = index < EVIDENCE_MAX ? await bm.conflictEvidence(reading, record) : undefined
    listed.push({ record, evidence })
  }
  return listed
}

function listLines(listed: readonly Listed[], open: readonly Listed[], nowMs: number): readonly string[] {
  if (listed.length === 0) return ["No conflicts"]
  const rows = listed.map(({ record }) => [
    record.id,
    formatWhen(record.atMs, nowMs),
    escapeForTerminal(record.path),
    decisionText(record),
    stateText(record),
  ])
  const mergeable = open.find(({ evidence }) => evidence?.isMergeable === true)
  const [first] = open
  const example = first ?? listed[0]
  const hints = [
    first === undefined
      ? `${plural(listed.length, "conflict")}, none open`
      : `${formatCount(open.length)} open`,
    ...(example === undefined ? [] : [`show: bm cloud conflicts show ${example.record.id}`]),
    ...(mergeable !== undefined
      ? [`merge: bm cloud conflicts resolve ${mergeable.record.id} --keep merged`]
      : first !== undefined
        ? [`resolve: bm cloud conflicts resolve ${first.record.id} --keep ${keepFor(first.record)}`]
        : []),
  ]
  return [...columns([["ID", "WHEN", "PATH", "DECISION", "STATE"], ...rows]), hints.join(" · ")]
}

/** Where a folder has the name there are no two versions to choose from. */
function keepFor({ local, remote }: ConflictRecord): string {
  return local === undefined || remote === undefined ? "both" : "local"
}
