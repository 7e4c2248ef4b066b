/** `bm cloud conflicts show ID`: the versions of one conflict, why it was decided so, and whether it merges. */

import { Command, Option } from "clipanion"
import type { Base, ConflictEvidence, ConflictRecord, Reading, Version } from "../../index.ts"
import { BmCommand } from "../command.ts"
import { conflictJson, decisionText, roleOf, stateText, versionJson } from "../conflict-text.ts"
import { columns, escapeForTerminal, formatCount, formatWhen, plural } from "../format.ts"
import type { Output } from "../output.ts"
import { readingOptions } from "../reading.ts"

export class ConflictsShowCommand extends BmCommand {
  static override paths = [["cloud", "conflicts", "show"]]
  static override usage = Command.Usage({
    category: "History",
    description: "Show the versions of one conflict and how it was decided",
    details:
      "Exit codes: 0 done, 1 no such conflict, 7 no usable baseline, 8 another sync is running, 64 wrong usage.",
    examples: [["One conflict", "bm cloud conflicts show c4m9"]],
  })

  id = Option.String({ name: "ID" })

  async run(output: Output): Promise<number> {
    const bm = await import("../../index.ts")
    const shown = await bm.whileReading(this.context.place, readingOptions(this, output), async (reading) => {
      const record = await bm.findConflict(reading.ledger, this.id)
      if (!record.ok) return record
      const evidence = await bm.conflictEvidence(reading, record.value)
      return { ok: true, value: await gather(reading, record.value, evidence) }
    })
    if (!shown.ok) return output.fail(shown.error)
    output.lines(showLines(shown.value, Date.now()))
    output.json(showJson(shown.value))
    return 0
  }
}

interface Shown {
  readonly record: ConflictRecord
  readonly evidence: ConflictEvidence
  readonly deviceName: string
  /** Git objects that hold the versions. */
  readonly kept: { readonly local?: string; readonly remote?: string }
}

async function gather(reading: Reading, record: ConflictRecord, evidence: ConflictEvidence): Promise<Shown> {
  const at = async (version: Version | undefined) =>
    version?.hash === undefined ? undefined : reading.ledger.keptAt(version.hash)
  const [local, remote] = [await at(record.local), await at(record.remote)]
  return {
    record,
    evidence,
    deviceName: reading.device.name,
    kept: { ...(local !== undefined && { local }), ...(remote !== undefined && { remote }) },
  }
}

function showLines(shown: Shown, nowMs: number): readonly string[] {
  const { record, evidence } = shown
  const { id, path, run, decision, base, state } = record
  const isUndoable = state === "decided" ? "undoable" : stateText(record)
  const verb = decision.copies === undefined ? "decided" : "found"
  const rows = [
    ...(base === undefined ? [] : [versionRow("base", base, { nowMs, device: "", note: base.run })]),
    ...(["local", "remote"] as const).flatMap((side) => sideRow(shown, side, nowMs)),
  ]
  return [
    `Conflict ${id} · ${escapeForTerminal(path)} · ${verb} in ${run} · ${decisionText(record)} · ${isUndoable}`,
    ...columns(rows, [1]).map((row) => `  ${row}`),
    ...(isPair(record) ? [timesLine(record)] : []),
    `  merge  ${isPair(record) ? mergeText(evidence.merge) : "not possible: a folder has the name, the file is kept beside it"}`,
    ...nextLine(shown),
  ]
}

/** Two versions of one file, not a file and a folder of the same name. */
function isPair({ local, remote }: ConflictRecord): boolean {
  return local !== undefined && remote !== undefined
}

function sideRow(shown: Shown, side: "local" | "remote", nowMs: number): readonly (readonly string[])[] {
  const { record, evidence, deviceName, kept } = shown
  const version = record[side]
  if (version === undefined) return []
  const role = roleOf(record, side)
  const copy = record.decision.copies?.[side]
  const lines = role === "loser" ? evidence.loserOnlyLines : undefined
  const git = kept[side]
  const notes = [
    ...(role === "" ? [] : [role]),
    ...(copy === undefined ? [] : [`${record.state === "open" ? "is" : "was"} ${escapeForTerminal(copy)}`]),
    ...(lines === undefined || lines === 0 ? [] : [`has ${plural(lines, "line")} of its own`]),
    ...(git === undefined || role === "winner" ? [] : [`in git ${git.slice(0, 7)}`]),
  ]
  const device = side === "local" ? deviceName : (version.device ?? "")
  const name = side === "local" ? "here" : "cloud"
  return [versionRow(name, version, { nowMs, device: escapeForTerminal(device), note: notes.join(", ") })]
}

function versionRow(
  name: string,
  { sizeBytes, mtimeMs }: Version | Base,
  { nowMs, device, note }: { readonly nowMs: number; readonly device: string; readonly note: string },
): readonly string[] {
  return [name.padEnd(5), `${formatCount(sizeBytes)} B`, formatWhen(mtimeMs, nowMs), device, note]
}

function timesLine({ decision }: ConflictRecord): string {
  const { apartMs, tieMs } = decision
  return `  times ${formatCount(Math.round(apartMs / 1000))} s apart, a tie is within ${formatCount(Math.round(tieMs / 1000))} s`
}

function mergeText(merge: ConflictEvidence["merge"]): string {
  switch (merge.kind) {
    case "clean": {
      const keys = merge.frontMatter.map(escapeForTerminal).join(", ")
      return `clean: ${keys === "" ? "merges line by line" : `body merges line by line, front matter ${keys} as lists`}`
    }
    case "overlap": {
      const line = merge.overlaps[0]?.line
      return `not clean: both sides changed the same ${plural(merge.places, "place")}${line === undefined ? "" : `, first at line ${line}`}`
    }
    case "binary":
      return "not possible: not text"
    case "unknown":
      return `not possible: ${UNKNOWN[merge.why]}`
  }
}

const UNKNOWN = {
  no_base: "both were new, there is no version they come from",
  too_large: "a version is too large",
  not_here: "a version is not in the history of this device",
} as const

function nextLine({ record, evidence }: Shown): readonly string[] {
  const { id, state, path } = record
  const resolve = `bm cloud conflicts resolve ${id}`
  const merge = evidence.isMergeable ? [`merge: ${resolve} --keep merged`] : []
  if (state === "open" && !isPair(record)) return [`Close it: ${resolve} --keep both`]
  if (state === "open")
    return [
      [
        ...merge,
        `choose: ${resolve} --keep local (or remote, both)`,
        `diff: bm cloud conflicts diff ${id}`,
      ].join(" · "),
    ]
  if (state === "decided")
    return [
      [
        `Put it back: bm cloud undo ${id}`,
        ...merge.map((text) => text.replace("merge:", "merge instead:")),
      ].join(" · "),
    ]
  return [
    `Versions: bm cloud conflicts diff ${id} · what happened to it: bm cloud history --path ${quoted(path)}`,
  ]
}

/** As a shell takes it, where it may be copied. */
function quoted(path: string): string {
  return /^[\w./@-]+$/.test(path) ? path : `'${escapeForTerminal(path).replaceAll("'", "'\\''")}'`
}

function showJson({ record, evidence, deviceName, kept }: Shown): object {
  const { id, state, base, local, remote, decision } = record
  return {
    schema: "bm.conflict/1",
    ...conflictJson(record, evidence),
    times: { apart_ms: decision.apartMs, tie_ms: decision.tieMs },
    versions: {
      base:
        base === undefined
          ? null
          : { ...versionJson({ ...base, token: "" as Version["token"] }, undefined), run: base.run },
      local: local === undefined ? null : versionJson({ ...local, device: deviceName }, kept.local),
      remote: remote === undefined ? null : versionJson(remote, kept.remote),
    },
    merge: mergeJson(evidence.merge),
    undo: state === "decided" ? `bm cloud undo ${id}` : null,
  }
}

function mergeJson(merge: ConflictEvidence["merge"]): object {
  const isClean = merge.kind === "clean"
  const overlaps = merge.kind === "overlap" ? merge.overlaps : []
  return {
    clean: isClean,
    ...(isClean && {
      front_matter: merge.frontMatter.length > 0 ? "merged" : "unchanged",
      keys: merge.frontMatter,
    }),
    ...(merge.kind === "overlap" && { places: merge.places }),
    ...(merge.kind === "binary" && { why: "binary" }),
    ...(merge.kind === "unknown" && { why: merge.why }),
    overlaps: overlaps.map(({ line, ours, theirs }) => ({ line, local: ours, remote: theirs })),
  }
}
