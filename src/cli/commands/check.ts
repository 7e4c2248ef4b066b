/** `bm cloud check`: reads every file on both sides again and says what is not as it was recorded. */

import { join } from "node:path"
import { Command, Option } from "clipanion"
import type { CheckReport, Finding } from "../../index.ts"
import { BmCommand } from "../command.ts"
import { columns, escapeForTerminal, plural } from "../format.ts"
import type { Output } from "../output.ts"
import { readingOptions } from "../reading.ts"

export class CheckCommand extends BmCommand {
  static override paths = [["cloud", "check"]]
  static override usage = Command.Usage({
    category: "Sync",
    description: "Read every file here and in the cloud again, and compare it with what was recorded",
    details: `
      Changes nothing. A file that only one side lost is a problem until a sync has carried the delete over; an edit that is not
      synced yet is none.
      Exit codes: 0 nothing found, or pending changes alone, 1 a side cannot be read or no such path, 2 something is corrupted,
      missing or unreadable, 7 no usable baseline, 8 another sync is running, 64 wrong usage.
    `,
    examples: [
      ["Everything", "bm cloud check"],
      ["Is all that is here also in the cloud?", "bm cloud check --one-way"],
    ],
  })

  oneWay = Option.Boolean("--one-way", false, { description: "Only what is here: that the cloud has it too" })
  project = Option.String("--project", { description: "Only this project" })
  where = Option.Rest({ name: "PATH" })

  async run(output: Output): Promise<number> {
    const bm = await import("../../index.ts")
    const report = await bm.check(this.context.place, {
      ...readingOptions(this, output),
      paths: this.where,
      isOneWay: this.oneWay,
      ...(this.project !== undefined && { project: this.project }),
    })
    if (!report.ok) return output.fail(report.error)
    const problems = report.value.findings.filter(isProblem)
    const show = (path: string) => bm.shortenHome(path, this.context.place.home)
    output.lines(checkLines(report.value, problems, show))
    output.json(checkJson(report.value, problems.length === 0))
    return problems.length === 0 ? 0 : 2
  }
}

function isProblem({ kind }: Finding): boolean {
  return kind !== "drift"
}

function checkLines(
  report: CheckReport,
  problems: readonly Finding[],
  show: (path: string) => string,
): readonly string[] {
  const { findings, identical } = report
  const rows = findings.map((finding) => [
    `${isProblem(finding) ? "✗" : "~"} ${finding.kind}`,
    escapeForTerminal(finding.path),
    findingText(finding),
  ])
  const pending = findings.length - problems.length
  const total = [
    ...(problems.length > 0 ? [plural(problems.length, "problem")] : []),
    ...(pending > 0 ? [plural(pending, "pending change")] : []),
  ]
  return [
    `✓ ${plural(identical, "file")} identical here and in the cloud (sha256)`,
    ...columns(rows),
    ...(total.length > 0 ? [total.join(", ")] : []),
    ...(problems.length > 0 ? fixLines(report, problems, show) : []),
  ]
}

function findingText(finding: Finding): string {
  switch (finding.kind) {
    case "corrupted":
      return `${finding.side === "local" ? "the bytes here" : "cloud bytes"} differ from the recorded hash, size and time do not`
    case "missing":
      return finding.side === "local"
        ? `in the cloud since ${finding.lastGood}, gone here outside sync`
        : `here since ${finding.lastGood}, gone in the cloud outside sync`
    case "unreadable":
      return `cannot be read ${finding.side === "local" ? "here" : "in the cloud"} (${finding.detail})`
    case "drift":
      return driftText(finding)
  }
}

function driftText({ side, drift, since }: Extract<Finding, { kind: "drift" }>): string {
  const where = side === "local" ? "here" : "in the cloud"
  const carries = side === "local" ? "uploads it" : "downloads it"
  const from = since === undefined ? "" : ` since ${since}`
  switch (drift) {
    case "new":
      return `new ${where}; the next sync ${carries}`
    case "edited":
      return `edited ${where}${from}; the next sync ${carries}`
    case "renamed":
      return `renamed ${where}${from}; the next sync renames it ${side === "local" ? "in the cloud" : "here"}`
    case "gone":
      return "gone here and in the cloud; the next sync forgets it"
    case "brought_back":
      return `gone ${where}; the next sync brings it back`
    case "edited_on_both":
      return `different here and in the cloud${from}; the next sync decides`
  }
}

/** How to bring the newest good version of the first damaged file back, and how to see the rest. */
function fixLines(
  report: CheckReport,
  problems: readonly Finding[],
  show: (path: string) => string,
): readonly string[] {
  const fixes: (readonly [string, string])[] = []
  const damaged = problems.find((finding) => finding.kind === "corrupted" || finding.kind === "missing")
  if (damaged !== undefined && "lastGood" in damaged && damaged.lastGood !== undefined) {
    // In an object store nothing can be put by hand that this program would not take for somebody's edit.
    const folder = damaged.side === "local" ? report.config.syncDir : report.remoteFolder
    const target = folder === undefined ? undefined : show(join(folder, damaged.path))
    if (target !== undefined && isPlain(damaged.path) && isPlain(target))
      fixes.push([
        `bm cloud history show ${damaged.path} --at ${damaged.lastGood} > ${target}`,
        "last good version",
      ])
  }
  fixes.push(["bm cloud bisync --dry-run", "what sync would do"])
  const width = Math.max(...fixes.map(([command]) => command.length))
  return fixes.map(
    ([command, text], index) =>
      `${index === 0 ? "  Fix    " : "         "}${command.padEnd(width)}    ${text}`,
  )
}

/** Nothing that a shell would read otherwise: such a command may be copied. */
function isPlain(path: string): boolean {
  return /^[\p{L}\p{N}_./~@+-]+$/u.test(path) && !path.startsWith("-")
}

function checkJson({ compared, identical, findings }: CheckReport, isOk: boolean): object {
  return {
    schema: "bm.check/1",
    ok: isOk,
    compared,
    identical,
    method: "sha256",
    findings: findings.map(findingJson),
  }
}

function findingJson(finding: Finding): object {
  const { kind, side, path } = finding
  switch (finding.kind) {
    case "corrupted":
      return {
        kind,
        side,
        path,
        expected: finding.expected,
        found: finding.found ?? null,
        last_good: finding.lastGood ?? null,
      }
    case "missing":
      return { kind, side, path, expected: finding.expected, found: null, last_good: finding.lastGood }
    case "unreadable":
      return { kind, side, path, detail: finding.detail }
    case "drift":
      return { kind, side, path, pending: true, change: finding.drift, since: finding.since ?? null }
  }
}
