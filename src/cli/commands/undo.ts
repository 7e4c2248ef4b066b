/** `bm cloud undo` and `bm cloud redo`: runs that put versions of the past back. */

import { resolve } from "node:path"
import { Command, Option } from "clipanion"
import type {
  IfChanged,
  Judged,
  PlannedRun,
  SavedPlan,
  SyncError,
  TakeBackOptions,
  TookBack,
} from "../../index.ts"
import { BmCommand, parseCount } from "../command.ts"
import { sayLeaseWait } from "../reading.ts"
import { troubleText } from "../trouble-text.ts"
import { escapeForTerminal, plural } from "../format.ts"
import type { Output } from "../output.ts"
import { planDocument, type PlanDocument, type UndoNames } from "../plan-document.ts"
import { VERSION } from "../version.ts"
import { parseWhen } from "../when.ts"
import { showPlan } from "./show-plan.ts"

type Engine = typeof import("../../index.ts")

const IF_CHANGED = ["merge", "skip", "keep-both", "overwrite"] as const

abstract class TakeBackCommand extends BmCommand {
  ifChanged = Option.String("--if-changed", "merge", {
    description: "Where a file was changed since: merge, skip, keep-both or overwrite",
  })
  confirmDeletes = Option.String("--confirm-deletes", {
    description: "Let exactly this many deletes through, once",
  })
  dryRun = Option.Boolean("--dry-run", false, { description: "Show the plan; change nothing" })
  out = Option.String("--out", { description: "With --dry-run: save the plan" })

  protected async takeBack(
    output: Output,
    names: Omit<UndoNames, "if_changed">,
    to?: string,
  ): Promise<number> {
    const bm = await import("../../index.ts")
    const options = this.parse(names, to)
    if (!options.ok) return output.fail(options.error)
    const out = this.out === undefined ? undefined : resolve(this.context.cwd, this.out)
    return runTakeBack({
      bm,
      command: this,
      output,
      options: options.value,
      names: { ...names, if_changed: this.ifChanged },
      ...(out !== undefined && { out }),
    })
  }

  private parse(
    names: Omit<UndoNames, "if_changed">,
    to: string | undefined,
  ):
    | { readonly ok: true; readonly value: TakeBackOptions }
    | { readonly ok: false; readonly error: SyncError } {
    const usage = (message: string) => ({ ok: false, error: { code: "usage", message } as const }) as const
    const confirmed = parseCount(this.confirmDeletes, "--confirm-deletes")
    if (!confirmed.ok) return confirmed
    if (!isIfChanged(this.ifChanged)) return usage("--if-changed takes merge, skip, keep-both or overwrite")
    if (this.out !== undefined && !this.dryRun) return usage("--out goes with --dry-run")
    const when = to === undefined ? undefined : parseWhen(to, Date.now())
    if (to !== undefined && when === undefined)
      return usage(`--to does not understand ${JSON.stringify(to)}: write a time, a run, or 2h`)
    return {
      ok: true,
      value: {
        holder: this.context.holder,
        mode: names.mode,
        paths: names.paths,
        ifChanged: this.ifChanged,
        isDryRun: this.dryRun,
        ...(names.target !== null && { target: names.target }),
        ...(when !== undefined && { to: when }),
        ...(confirmed.value !== undefined && { confirmedDeletes: confirmed.value }),
      },
    }
  }
}

function isIfChanged(text: string): text is IfChanged {
  return (IF_CHANGED as readonly string[]).includes(text)
}

export class UndoCommand extends TakeBackCommand {
  static override paths = [["cloud", "undo"]]
  static override usage = Command.Usage({
    category: "History",
    description: "Take back a sync run, one event of it, a decided conflict, or the last change of a path",
    details: `
      Without a target: the newest run that is not undone yet; repeat to go on. What was edited since is kept.
      Exit codes: 0 done or nothing to undo, 1 failed or no such thing, 4 refused by a safety rule, 5 something was edited since in
      the same place, 7 no usable baseline, 8 another sync is running.
    `,
    examples: [
      ["Take back a decision", "bm cloud undo c4m9"],
      ["Take back a run", "bm cloud undo r7k2q"],
      ["Make the files as they were", "bm cloud undo --to yesterday"],
    ],
  })

  to = Option.String("--to", { description: "Make the files as they were then" })
  /** An optional word before a rest would never be given one: the rest takes them all. */
  words = Option.Rest({ name: "TARGET" })

  run(output: Output): Promise<number> {
    const [target = null, ...paths] = this.words
    return this.to === undefined
      ? this.takeBack(output, { target, paths, mode: "undo" })
      : this.takeBack(output, { target: null, paths: this.words, mode: "undo" }, this.to)
  }
}

export class RedoCommand extends TakeBackCommand {
  static override paths = [["cloud", "redo"]]
  static override usage = Command.Usage({
    category: "History",
    description: "Take back the newest undo, or the one that is named",
    details: "Exit codes: as `bm cloud undo`.",
  })

  target = Option.String({ required: false, name: "RUN" })

  run(output: Output): Promise<number> {
    return this.takeBack(output, { target: this.target ?? null, paths: [], mode: "redo" })
  }
}

interface Taking {
  readonly bm: Engine
  readonly command: BmCommand
  readonly output: Output
  readonly options: TakeBackOptions
  readonly names: UndoNames
  readonly out?: string
}

async function runTakeBack({ bm, command, output, options, names, out }: Taking): Promise<number> {
  const taken = await bm.takeBack(
    command.context.place,
    { ...options, onLeaseWait: sayLeaseWait(output) },
    (tookBack) => concludeTakeBack(bm, tookBack),
  )
  if (!taken.ok) return output.fail(taken.error)
  const { value } = taken
  switch (value.kind) {
    case "nothing":
      return sayNothing(output, options.mode === "undo" ? "Nothing to undo" : "Nothing to redo", options)
    case "already_undone":
      return sayNothing(output, `Already undone by ${value.by}`, options)
    case "planned": {
      const document = planDocument(value.planned, { kind: options.mode, version: VERSION, undo: names })
      const title = `${options.mode === "undo" ? "Undo" : "Redo"} ${value.name} · nothing was changed`
      return showPlan({
        output,
        planned: value.planned,
        document,
        out,
        hasExitCode: false,
        title,
        next: `Do it: bm cloud ${options.mode} ${value.name}`,
      })
    }
    case "done":
      return sayDone(output, value, options)
  }
}

type Concluded =
  | Exclude<TookBack, { kind: "ran" }>
  | { readonly kind: "planned"; readonly planned: PlannedRun; readonly name: string }
  | Done

interface Done {
  readonly kind: "done"
  readonly run: string
  readonly name: string
  readonly exit: number
  readonly judged: readonly Judged[]
  readonly moved: number
  readonly skipped: readonly { readonly path: string; readonly why: string }[]
  /** Paths whose bytes were read back on both sides and are what was promised. */
  readonly verified: ReadonlySet<string>
}

async function concludeTakeBack(bm: Engine, tookBack: TookBack): Promise<Concluded> {
  if (tookBack.kind !== "ran") return tookBack
  const { ran, request, opened } = tookBack
  const { cycle, judged } = ran
  if (cycle.kind === "planned" || cycle.kind === "settled")
    return {
      kind: "planned",
      name: request.name,
      planned: await bm.plannedRun(opened, cycle, bm.profileOf(opened.config, {})),
    }
  if (cycle.kind === "cloned") return { kind: "nothing" }
  const { performed, prepared } = cycle
  const skipped = performed.outcomes.flatMap((outcome) =>
    outcome.kind === "skipped" ? [{ path: outcome.action.path, why: troubleText(outcome.trouble) }] : [],
  )
  const verified = await bm.verifyGoals(opened.world, judged)
  const moved = performed.outcomes.filter(
    ({ kind, action }) => kind === "done" && action.op === "move",
  ).length
  return {
    kind: "done",
    run: prepared.run,
    name: request.name,
    exit: performed.exit,
    judged,
    moved,
    skipped,
    verified,
  }
}

function sayNothing(output: Output, text: string, options: TakeBackOptions): number {
  output.line(text)
  output.json({
    schema: "bm.undo/1",
    ok: true,
    run: null,
    undid: options.target ?? null,
    mode: modeName(options),
    files: [],
    not_restored: [],
    message: text,
  })
  return 0
}

function modeName({ mode, to }: TakeBackOptions): string {
  if (mode === "redo") return "redo"
  return to === undefined ? "revert" : "restore"
}

function sayDone(output: Output, done: Done, options: TakeBackOptions): number {
  const { run, name, judged, moved, skipped, verified } = done
  const back = options.mode === "undo" ? "bm cloud redo" : "bm cloud undo"
  const count = (result: Judged["result"]) => judged.filter((each) => each.result === result).length
  const parts = [
    [count("restored") - moved, "restored"],
    [count("merged"), "merged"],
    [count("deleted") - moved, "deleted"],
    [moved, "moved"],
    [count("kept_both"), "kept both"],
    [count("skipped"), "left as they are"],
  ] as const
  const shown = parts
    .filter(([files]) => files > 0)
    .map(([files, verb], index) => (index === 0 ? `${plural(files, "file")} ${verb}` : `${files} ${verb}`))
  const isVerified = judged.every(({ path, goal }) => goal === undefined || verified.has(path))
  output.line(
    `✓ ${options.mode === "undo" ? "Undid" : "Redid"} ${name}${shown.length === 0 ? "" : ` - ${shown.join(", ")}`}${isVerified && shown.length > 0 ? ", both sides verified" : ""}`,
  )
  for (const { path, result, copy } of judged) {
    if (result === "kept_both")
      output.line(`  ${escapeForTerminal(path)} stays, the old version is ${escapeForTerminal(copy ?? "")}`)
    if (result === "skipped") output.line(`  ${escapeForTerminal(path)} was changed since and stays`)
    if (result === "unknown")
      output.line(`  ${escapeForTerminal(path)} is ignored or cannot be read: not restored`)
  }
  for (const { path, why } of skipped) output.line(`  not done  ${escapeForTerminal(path)}  ${why}`)
  output.line(`  ${run} · ${options.mode === "undo" ? "redo" : "undo"}: ${back}`)
  output.json({
    schema: "bm.undo/1",
    ok: done.exit === 0,
    run,
    undid: name,
    mode: modeName(options),
    if_changed: options.ifChanged,
    files: judged.filter(({ result }) => result !== "unknown").map((each) => fileJson(each, verified)),
    not_restored: [
      ...judged.filter(({ result }) => result === "unknown").map(({ path }) => ({ path, why: "unknown" })),
      ...skipped,
    ],
    [options.mode === "undo" ? "redo" : "undo"]: back,
  })
  return done.exit
}

function fileJson({ path, result, goal, copy, linesBack }: Judged, verified: ReadonlySet<string>): object {
  return {
    path,
    result,
    sha256: goal?.content?.hash ?? null,
    ...(copy !== undefined && { copy }),
    ...(linesBack !== undefined && { lines_back: linesBack }),
    verified: verified.has(path) ? ["local", "remote"] : [],
  }
}

/** Applies a saved undo plan: the undo is judged anew, and every saved action must still be what it would do. */
export async function applyUndoPlan(at: {
  readonly bm: Engine
  readonly command: BmCommand & { readonly dryRun: boolean; readonly confirmDeletes: string | undefined }
  readonly output: Output
  readonly document: PlanDocument
  readonly saved: SavedPlan
}): Promise<number> {
  const { bm, command, output, document, saved } = at
  const { undo } = document
  const confirmed = parseCount(command.confirmDeletes, "--confirm-deletes")
  if (!confirmed.ok) return output.fail(confirmed.error)
  if (undo === undefined || !isIfChanged(undo.if_changed))
    return output.fail({ code: "plan_foreign", why: "unreadable", detail: "it does not say what it undoes" })
  const options: TakeBackOptions = {
    holder: command.context.holder,
    mode: undo.mode,
    paths: undo.paths,
    ifChanged: undo.if_changed,
    isDryRun: command.dryRun,
    apply: saved,
    ...(undo.target !== null && { target: undo.target }),
    ...(confirmed.value !== undefined && { confirmedDeletes: confirmed.value }),
  }
  return runTakeBack({ bm, command, output, options, names: undo })
}
