/** `bm cloud conflicts resolve ID…`: decides conflicts by choosing a version, merging, or giving the content. */

import { readFileSync } from "node:fs"
import { resolve } from "node:path"
import { Command, Option } from "clipanion"
import type { Choice, Keep, ResolveOptions, ResolveReport, SyncError } from "../../index.ts"
import { BmCommand, parseCount } from "../command.ts"
import { sayLeaseWait } from "../reading.ts"
import { troubleText } from "../trouble-text.ts"
import { escapeForTerminal, plural } from "../format.ts"
import type { Output } from "../output.ts"
import { mergeByHand } from "../merge-by-hand.ts"

const KEEPS: readonly Keep[] = ["local", "remote", "winner", "loser", "both", "merged"]

type Answer<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: SyncError }

export class ConflictsResolveCommand extends BmCommand {
  static override paths = [["cloud", "conflicts", "resolve"]]
  static override usage = Command.Usage({
    category: "History",
    description: "Resolve conflicts: keep a version, merge both, or take the content of a file",
    details: `
      Everything that is replaced or removed is kept in the history, and undo takes a resolve back.
      Exit codes: 0 done, 1 failed or no such conflict, 2 some paths could not be written, 4 refused by a safety rule or --tool
      without a terminal, 5 it does not merge or something was edited since, 7 no usable baseline, 8 another sync is running,
      64 wrong usage.
    `,
    examples: [
      ["Merge both versions", "bm cloud conflicts resolve c4h7 --keep merged"],
      ["Take what you wrote yourself", "bm cloud conflicts resolve c4h7 --use ideas.merged.md"],
      ["All open ones of a folder", "bm cloud conflicts resolve --path 'notes/**' --keep remote --dry-run"],
    ],
  })

  keep = Option.String("--keep", { description: KEEPS.join(", ") })
  use = Option.String("--use", { description: "The content of this file" })
  tool = Option.Boolean("--tool", false, {
    description: "Merge by hand in the merge tool of the configuration, or git's",
  })
  glob = Option.String("--path", {
    description: "Only conflicts of paths that match this glob; without ids all open ones",
  })
  confirmDeletes = Option.String("--confirm-deletes", {
    description: "Let exactly this many deletes through, once",
  })
  dryRun = Option.Boolean("--dry-run", false, { description: "Show what would be done; change nothing" })
  ids = Option.Rest({ name: "ID" })

  async run(output: Output): Promise<number> {
    const wrong = this.wrongUsage()
    if (wrong !== undefined) return output.fail({ code: "usage", message: wrong })
    const confirmed = parseCount(this.confirmDeletes, "--confirm-deletes")
    if (!confirmed.ok) return output.fail(confirmed.error)
    if (this.tool && !this.context.isInteractive)
      return output.fail({
        code: "confirm_needed",
        what: "--tool",
        flag: "--keep local, remote, both or merged, or --use FILE",
      })
    const bm = await import("../../index.ts")
    const choice = this.tool ? await mergeByHand(bm, this, output, this.ids[0] ?? "") : this.choice()
    if (!choice.ok) return output.fail(choice.error)
    const options: ResolveOptions = {
      holder: this.context.holder,
      ids: this.ids,
      choice: choice.value,
      isDryRun: this.dryRun,
      ...(this.glob !== undefined && { path: this.glob }),
      ...(confirmed.value !== undefined && { confirmedDeletes: confirmed.value }),
    }
    const report = await bm.resolveConflicts(this.context.place, {
      ...options,
      onLeaseWait: sayLeaseWait(output),
    })
    if (!report.ok) return output.fail(report.error)
    const how = this.keep ?? (this.tool ? "merged" : "use")
    output.lines(
      this.dryRun
        ? planLines(report.value, { how, isVerbose: this.verbose })
        : doneLines(report.value, how, this.use),
    )
    output.json(reportJson(report.value, how, this.dryRun))
    return report.value.exit
  }

  private wrongUsage(): string | undefined {
    const ways = [this.keep, this.use, this.tool ? "" : undefined].filter((way) => way !== undefined)
    if (ways.length !== 1)
      return "say how: --keep local, remote, winner, loser, both or merged, or --use FILE, or --tool"
    if (this.keep !== undefined && !isKeep(this.keep))
      return `--keep takes ${KEEPS.join(", ")}, not ${JSON.stringify(this.keep)}`
    if (this.ids.length === 0 && this.glob === undefined)
      return "say which: one or more conflict ids, or --path GLOB"
    if (this.tool && this.ids.length !== 1) return "--tool takes one conflict id"
    return undefined
  }

  private choice(): Answer<Choice> {
    if (this.keep !== undefined && isKeep(this.keep))
      return { ok: true, value: { kind: "keep", keep: this.keep } }
    const file = resolve(this.context.cwd, this.use ?? "")
    try {
      return { ok: true, value: { kind: "use", bytes: readFileSync(file) } }
    } catch {
      return { ok: false, error: { code: "usage", message: `cannot read the file of --use: ${file}` } }
    }
  }
}

function isKeep(text: string): text is Keep {
  return (KEEPS as readonly string[]).includes(text)
}

const VERSION: Readonly<Record<string, string>> = {
  local: "with the version here",
  remote: "with the cloud version",
  winner: "as decided",
  loser: "with the losing version",
  both: "keeping both",
  merged: "by merging",
  use: "with the file",
}

const SHOWN_MAX = 2

function planLines(
  { resolved, already, actions }: ResolveReport,
  { how, isVerbose }: { readonly how: string; readonly isVerbose: boolean },
): readonly string[] {
  if (resolved.length === 0) return [nothingText(already)]
  const isOpen = resolved.every(({ record }) => record.state === "open")
  const arrows = { up: "↑", down: "↓", both: "↕" }
  const items = resolved.map(({ record }) => {
    const action = actions.find(({ path }) => path === record.path)
    return `${action === undefined ? "=" : arrows[action.direction]} ${escapeForTerminal(record.path)}  ${record.id}`
  })
  const removed = resolved.flatMap((each) => each.removed)
  const shown = isVerbose ? items.map((item) => `  ${item}`) : [`  ${short(items).join(" · ")}`]
  return [
    `Resolve ${plural(resolved.length, isOpen ? "open conflict" : "conflict")} ${VERSION[how] ?? how} · nothing was changed`,
    ...shown,
    ...(removed.length === 0
      ? []
      : [`  ${plural(removed.length, "copy", "copies")} would be removed on both sides, all kept`]),
  ]
}

function short(items: readonly string[]): readonly string[] {
  const more = items.length - SHOWN_MAX
  return more <= 0 ? items : [...items.slice(0, SHOWN_MAX), `${more} more (--verbose)`]
}

function nothingText(already: ResolveReport["already"]): string {
  const [first] = already
  return first === undefined
    ? "No open conflict matches"
    : `Already resolved: ${already.map(({ id }) => id).join(", ")}`
}

function doneLines(report: ResolveReport, how: string, use: string | undefined): readonly string[] {
  const { run, resolved, failed, already } = report
  if (resolved.length === 0 && failed.length === 0) return [nothingText(already)]
  return [
    ...resolved.map((each) => {
      const what = `${escapeForTerminal(each.record.path)} ${doneText(each, how, use)}`
      return `✓ Resolved ${each.record.id} - ${what}${each.goals.length > 0 && each.isVerified ? ", both sides verified" : ""}`
    }),
    ...failed.map(
      ({ record, trouble }) =>
        `  not done  ${record.id}  ${escapeForTerminal(trouble.path)}  ${troubleText(trouble)}`,
    ),
    ...already.map(({ id }) => `  ${id} was resolved before`),
    ...(run === undefined ? [] : [undoes(report) ? `  ${run} · undo: bm cloud undo ${run}` : `  ${run}`]),
  ]
}

function undoes({ actions }: ResolveReport): boolean {
  return actions.length > 0
}

function doneText(
  { mergedKeys, copy, goals }: ResolveReport["resolved"][number],
  how: string,
  use: string | undefined,
): string {
  if (use !== undefined) return `from ${escapeForTerminal(use)}`
  switch (how) {
    case "merged":
      return `merged${mergedKeys === undefined || mergedKeys.length === 0 ? "" : ` (body and front matter ${mergedKeys.map(escapeForTerminal).join(", ")})`}`
    case "both":
      return copy === undefined
        ? "stays as it is, both files are kept"
        : `stays, the losing version is ${escapeForTerminal(copy)}`
    default:
      return goals.length === 0
        ? "stays as it is"
        : `is the ${how === "local" ? "version here" : how === "remote" ? "cloud version" : `${how}'s version`}`
  }
}

function reportJson(report: ResolveReport, how: string, isDryRun: boolean): object {
  const { run, resolved, failed, already, actions, exit } = report
  return {
    schema: "bm.resolve/1",
    ok: exit === 0,
    run: run ?? null,
    ...(isDryRun && { dry_run: true, actions }),
    resolved: resolved.map(({ record, removed, hash, copy, isVerified }) => ({
      conflict: record.id,
      path: record.path,
      keep: how,
      sha256: hash ?? null,
      removed,
      ...(copy !== undefined && { copy }),
      ...(!isDryRun && { verified: isVerified ? ["local", "remote"] : [] }),
    })),
    failed: failed.map(({ record, trouble }) => ({
      conflict: record.id,
      path: trouble.path,
      code: trouble.code,
    })),
    ...(already.length > 0 && { already: already.map(({ id }) => id) }),
    undo: run !== undefined && undoes(report) ? `bm cloud undo ${run}` : null,
  }
}
