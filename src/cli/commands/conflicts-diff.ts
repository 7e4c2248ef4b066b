/** `bm cloud conflicts diff ID`: the loser against the winner, or what is here against what is in the cloud. */

import { Command, Option } from "clipanion"
import type { ConflictRecord, Reading, SyncError, VersionName } from "../../index.ts"
import { BmCommand } from "../command.ts"
import { versionLabel } from "../conflict-text.ts"
import { escapeForTerminal } from "../format.ts"
import { openTool } from "../merge-tool.ts"
import type { Output } from "../output.ts"
import { readingOptions } from "../reading.ts"

type Engine = typeof import("../../index.ts")
type Side = Exclude<VersionName, "base">
type Answer<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: SyncError }

export class ConflictsDiffCommand extends BmCommand {
  static override paths = [["cloud", "conflicts", "diff"]]
  static override usage = Command.Usage({
    category: "History",
    description:
      "Show what the winner of a conflict changed against the loser; of an open one, here against the cloud",
    details: `
      Lines are escaped for the terminal; a patch tool takes \`unified\` of --json.
      Exit codes: 0 done, 1 no such conflict or no merge tool, 4 --tool without a terminal, 7 no usable baseline,
      8 another sync is running, 64 wrong usage.
    `,
    examples: [
      ["What was decided against", "bm cloud conflicts diff c4m9"],
      ["What each side changed", "bm cloud conflicts diff c4m9 --base"],
    ],
  })

  base = Option.Boolean("--base", false, { description: "Both versions against what they come from" })
  tool = Option.Boolean("--tool", false, {
    description: "Open the merge tool of the configuration, or git's",
  })
  id = Option.String({ name: "ID" })

  async run(output: Output): Promise<number> {
    if (this.tool && !this.context.isInteractive)
      return output.fail({ code: "confirm_needed", what: "--tool", flag: "--json, or leave --tool out" })
    const bm = await import("../../index.ts")
    const { place } = this.context
    const options = readingOptions(this, output)
    if (this.tool) {
      const versions = await bm.whileReading(place, options, (reading) => versionsOf(bm, reading, this.id))
      return versions.ok ? this.showInTool(output, versions.value) : output.fail(versions.error)
    }
    const diffs = await bm.whileReading(place, options, (reading) =>
      diffsOf(bm, reading, { id: this.id, isAgainstBase: this.base, isJson: output.isJson }),
    )
    if (!diffs.ok) return output.fail(diffs.error)
    output.lines(textLines(diffs.value))
    output.json(diffJson(diffs.value))
    return 0
  }

  private async showInTool(output: Output, { record, mergetool, from, to }: ToolVersions): Promise<number> {
    const at = { home: this.context.place.home, name: record.path, env: this.context.env }
    const end = await openTool(mergetool, { local: from, remote: to }, at)
    return end.kind === "closed" ? 0 : output.fail({ code: "tool_failed", why: end.why })
  }
}

interface OneDiff {
  readonly from: string
  readonly to: string
  readonly binary: boolean
  readonly added: number
  readonly removed: number
  readonly unified: string
}

interface Diffs {
  readonly record: ConflictRecord
  readonly diffs: readonly OneDiff[]
}

async function diffsOf(
  bm: Engine,
  reading: Reading,
  asked: { readonly id: string; readonly isAgainstBase: boolean; readonly isJson: boolean },
): Promise<Answer<Diffs>> {
  const found = await bm.findConflict(reading.ledger, asked.id)
  if (!found.ok) return found
  const record = found.value
  const pairs = pairsOf(record, asked.isAgainstBase)
  const at = { nowMs: Date.now(), deviceName: reading.device.name }
  // A program gets plain headers; people get names, times and devices.
  const labelOf = (name: VersionName) => (asked.isJson ? "" : versionLabel(record, name, at))
  const path = asked.isJson ? record.path.replace(/[\r\n]/g, "?") : escapeForTerminal(record.path)
  const diffs: OneDiff[] = []
  for (const { from, to } of pairs) {
    const diff = await bm.conflictDiff(reading, record, {
      path,
      from: { name: from, label: labelOf(from) },
      to: { name: to, label: labelOf(to) },
    })
    if (!diff.ok) return { ok: false, error: absent(record, diff.error) }
    diffs.push({ from: nameOf(record, from), to: nameOf(record, to), ...diff.value })
  }
  return { ok: true, value: { record, diffs } }
}

function pairsOf(
  { decision }: ConflictRecord,
  isAgainstBase: boolean,
): readonly { readonly from: VersionName; readonly to: VersionName }[] {
  if (isAgainstBase)
    return [
      { from: "base", to: "local" },
      { from: "base", to: "remote" },
    ]
  const { loser, winner } = decision
  return [
    loser !== undefined && winner !== undefined
      ? { from: loser, to: winner }
      : { from: "local", to: "remote" },
  ]
}

function nameOf({ decision }: ConflictRecord, name: VersionName): string {
  if (name === decision.winner) return "winner"
  return name === decision.loser ? "loser" : name
}

function absent(record: ConflictRecord, name: VersionName): SyncError {
  const names = { base: "base version", local: "local version", remote: "cloud version" }
  return { code: "not_found", what: `${names[name]} in the history for conflict`, name: record.id }
}

function textLines({ diffs }: Diffs): readonly string[] {
  return diffs.flatMap(({ unified }) =>
    unified === "" ? ["No difference"] : unified.replace(/\n$/, "").split("\n").map(shownLine),
  )
}

/** A tab is a tab, anything else that could steer a terminal is shown as an escape. */
function shownLine(line: string): string {
  return line.split("\t").map(escapeForTerminal).join("\t")
}

function diffJson({ record, diffs }: Diffs): object {
  const [first] = diffs
  const isOne = diffs.length === 1
  const sum = (count: (diff: OneDiff) => number) => diffs.reduce((total, diff) => total + count(diff), 0)
  return {
    schema: "bm.diff/1",
    conflict: record.id,
    path: record.path,
    from: first?.from ?? null,
    to: isOne ? (first?.to ?? null) : "both",
    binary: diffs.some(({ binary }) => binary),
    added: sum(({ added }) => added),
    removed: sum(({ removed }) => removed),
    unified: diffs.map(({ unified }) => unified).join(""),
    ...(!isOne && { diffs }),
  }
}

interface ToolVersions {
  readonly record: ConflictRecord
  readonly mergetool: string | undefined
  readonly from: Uint8Array
  readonly to: Uint8Array
}

async function versionsOf(bm: Engine, reading: Reading, id: string): Promise<Answer<ToolVersions>> {
  const found = await bm.findConflict(reading.ledger, id)
  if (!found.ok) return found
  const record = found.value
  const [pair] = pairsOf(record, false)
  const [from, to]: readonly Side[] =
    pair === undefined ? ["local", "remote"] : [pair.from as Side, pair.to as Side]
  const a = await bm.readConflictVersion(reading, record, from ?? "local")
  const b = await bm.readConflictVersion(reading, record, to ?? "remote")
  if (!a.ok) return { ok: false, error: absent(record, from ?? "local") }
  if (!b.ok) return { ok: false, error: absent(record, to ?? "remote") }
  return { ok: true, value: { record, mergetool: reading.config.mergetool, from: a.value, to: b.value } }
}
