/** `bm cloud history export`: the events of the history as lines, for other programs and for safe keeping. */

import { resolve } from "node:path"
import { Command, Option } from "clipanion"
import type { ExportEnd, ExportFile, ExportFilter, ExportRecord, SyncError } from "../../index.ts"
import { BmCommand } from "../command.ts"
import { csvLine } from "../csv.ts"
import { formatCount } from "../format.ts"
import { accessOf, parseKind, parseSpan, usage } from "../history-options.ts"
import type { Output } from "../output.ts"
import { writeAll } from "../write-all.ts"

const COLUMNS = [
  "seq",
  "id",
  "run",
  "at",
  "device",
  "op",
  "direction",
  "path",
  "reason",
  "before",
  "after",
  "kept",
  "hash",
] as const

type Engine = typeof import("../../index.ts")

export class HistoryExportCommand extends BmCommand {
  static override paths = [["cloud", "history", "export"]]
  static override usage = Command.Usage({
    category: "History",
    description: "Write the events of the history as JSON lines or CSV",
    details: `
      One line per event, in order; without filters each line's \`prev\` is the \`hash\` of the line before. The last line is \`export.end\`
      (not in CSV). The chain is verified on the way: where it is damaged, the lines before the damage are written, \`export.end\` is
      not, and the exit code is 7. In CSV \`op\` is the type of an event that changed no file.
      Exit codes: 0 done and verified, 1 could not write, 7 the journal is missing or damaged, 8 another sync is still running after 10 s, 64 wrong usage.
    `,
    examples: [
      ["Everything up to the end of a year", "bm cloud history export --until 2025-12-31 --out 2025.jsonl"],
      ["For a spreadsheet", "bm cloud history export --format csv --out history.csv"],
    ],
  })

  since = Option.String("--since", { description: "From WHEN on" })
  until = Option.String("--until", { description: "Up to WHEN; a day means all of it" })
  glob = Option.String("--path", {
    description: "Events of a path and what is below it, or of a pattern with *, ** and ?",
  })
  kind = Option.String("--kind", {
    description: "Events of runs of this kind: bisync, resync, undo, redo or resolve",
  })
  out = Option.String("--out", { description: "Write to this file instead of stdout" })
  format = Option.String("--format", "jsonl", { description: "jsonl or csv" })
  prune = Option.Boolean("--prune", false, { hidden: true })

  async run(output: Output): Promise<number> {
    const bm = await import("../../index.ts")
    const filter = this.parse()
    if (!filter.ok) return output.fail(filter.error)
    const path = this.out === undefined ? undefined : resolve(this.context.cwd, this.out)
    const file = path === undefined ? undefined : bm.openExportFile(path)
    if (file !== undefined && !file.ok) return output.fail(file.error)
    const { ended, lines } = await this.write(bm, output, { filter: filter.value, file: file?.value })
    const closed = file === undefined ? ended : closeFile(file.value, ended, lines > 0)
    if (!closed.ok) return output.fail(closed.error)
    if (!ended.ok) return output.fail(ended.error)
    if (path !== undefined) output.json(endLine(ended.value))
    const { entries, from, to } = ended.value
    if (path !== undefined)
      output.line(
        `✓ Exported ${formatCount(entries)} entries${entries === 0 ? "" : ` (${formatCount(from)}–${formatCount(to)})`} to ${this.out}, chain verified`,
      )
    return 0
  }

  private async write(
    bm: Engine,
    output: Output,
    { filter, file }: { readonly filter: ExportFilter; readonly file: ExportFile | undefined },
  ): Promise<{ readonly ended: Ended; readonly lines: number }> {
    let lines = 0
    const isCsv = this.format === "csv"
    const line = async (text: string) =>
      file === undefined ? writeAll(this.context.stdout, `${text}\n`) : file.write(`${text}\n`)
    if (isCsv) await line(COLUMNS.join(","))
    const toText = isCsv ? csvOf : (record: ExportRecord) => JSON.stringify(record)
    const ended = await bm.exportHistory(
      this.context.place,
      accessOf(this.context, output),
      filter,
      (record) => {
        lines += 1
        return line(toText(record))
      },
    )
    if (ended.ok && !isCsv) await line(JSON.stringify(endLine(ended.value)))
    return { ended, lines }
  }

  private parse() {
    if (this.prune) return usage("--prune is not supported by this version")
    if (this.format !== "jsonl" && this.format !== "csv") return usage("--format takes jsonl or csv")
    const span = parseSpan({ since: this.since, until: this.until }, Date.now())
    if (!span.ok) return span
    const kind = parseKind(this.kind)
    if (!kind.ok) return kind
    const value: ExportFilter = {
      ...span.value,
      ...(kind.value !== undefined && { kind: kind.value }),
      ...(this.glob !== undefined && { path: this.glob }),
    }
    return { ok: true, value } as const
  }
}

type Ended =
  | { readonly ok: true; readonly value: ExportEnd }
  | { readonly ok: false; readonly error: SyncError }

/** What lies before a damage is worth its file; where nothing could be read, none is left behind. */
function closeFile(file: ExportFile, ended: Ended, hasLines: boolean) {
  if (ended.ok || (ended.error.code === "journal_damaged" && hasLines)) return file.finish()
  file.abandon()
  return ended
}

function csvOf(record: ExportRecord): string {
  const row: Readonly<Record<string, unknown>> = { ...record, op: record.op ?? record.type }
  return csvLine(
    COLUMNS.map((column) => {
      const value = row[column]
      return typeof value === "number" || typeof value === "string" ? value : undefined
    }),
  )
}

function endLine({ from, to, entries, head, anchoredTo }: ExportEnd): object {
  return { schema: "bm.event/1", type: "export.end", from, to, entries, head, anchored_to: anchoredTo }
}
