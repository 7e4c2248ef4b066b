/** `bm cloud bisync`: a two-way sync, its plan, and the exact application of a saved plan. */

import { readFileSync } from "node:fs"
import { resolve } from "node:path"
import { Command, Option } from "clipanion"
import type { BisyncOptions, Check, ProfileName, Ran, SyncError } from "../../index.ts"
import { BmCommand, parseCount } from "../command.ts"
import { formatTime } from "../format.ts"
import type { Output } from "../output.ts"
import { tellProjects } from "../projects-text.ts"
import { actionLine } from "../action-text.ts"
import { planDocument, type PlanDocument, readPlanDocument } from "../plan-document.ts"
import { planLines } from "../plan-text.ts"
import { progressLine } from "../progress.ts"
import { type Finished, reportRun } from "../run-report.ts"
import { confirm } from "../prompt.ts"
import { sayLeaseWait } from "../reading.ts"
import { stopOnSignals } from "../signals.ts"
import { VERSION } from "../version.ts"
import { showPlan } from "./show-plan.ts"
import { applyUndoPlan } from "./undo.ts"

type Engine = typeof import("../../index.ts")

export class BisyncCommand extends BmCommand {
  static override paths = [["cloud", "bisync"]]
  static override usage = Command.Usage({
    category: "Sync",
    description: "Sync the directory with the cloud, both ways",
    details: `
      Exit codes: 0 done or nothing to do, 1 failed, 2 some paths could not be synced (with --exit-code: there is
      something to do), 3 with --exit-code: the plan deletes, overwrites or decides a conflict, 4 refused by a safety rule,
      5 a saved plan no longer matches, 6 conflicts were left open, 7 no usable baseline, 8 another sync is running,
      64 wrong usage, 130 interrupted.
    `,
    examples: [
      ["See exactly what a sync would do", "bm cloud bisync --dry-run"],
      [
        "Save a plan, then do exactly that",
        "bm cloud bisync --dry-run --out plan.json && bm cloud bisync --apply plan.json",
      ],
    ],
  })

  profile = Option.String("--profile", { description: "safe, balanced or fast" })
  conflictResolve = Option.String("--conflict-resolve", {
    description: "none keeps both versions as files, newer uses the newer one",
  })
  maxDelete = Option.String("--max-delete", { description: "Most files to delete on one side, for this run" })
  confirmDeletes = Option.String("--confirm-deletes", {
    description: "Let exactly this many deletes through, once",
  })
  project = Option.String("--project", { description: "Only this project" })
  dir = Option.String("--dir", { description: "The sync directory, to be sure of it" })
  dryRun = Option.Boolean("--dry-run", false, { description: "Show the plan; change nothing" })
  resync = Option.Boolean("--resync", false, {
    description: "Compare both sides anew; nothing is deleted, losers are kept",
  })
  out = Option.String("--out", { description: "With --dry-run: save the plan" })
  apply = Option.String("--apply", { description: "Do exactly a saved plan, or nothing" })
  exitCode = Option.Boolean("--exit-code", false, {
    description: "Say with the exit code what the plan holds",
  })

  async run(output: Output): Promise<number> {
    const bm = await import("../../index.ts")
    const options = this.parseOptions(bm)
    if (!options.ok) return output.fail(options.error)
    if (this.apply !== undefined) return this.runApply(bm, output, options.value)
    if (this.dryRun) return this.runDry(bm, output, options.value)
    if (this.resync) {
      const asked = await this.confirmResync(bm, output, options.value)
      if (asked !== undefined) return asked
    }
    return runSync({ bm, command: this, output, options: options.value })
  }

  private parseOptions(
    bm: Engine,
  ):
    | { readonly ok: true; readonly value: BisyncOptions }
    | { readonly ok: false; readonly error: SyncError } {
    const usage = (message: string) => ({ ok: false, error: { code: "usage", message } as const }) as const
    const maxDelete = parseCount(this.maxDelete, "--max-delete")
    const confirmed = parseCount(this.confirmDeletes, "--confirm-deletes")
    if (!maxDelete.ok) return maxDelete
    if (!confirmed.ok) return confirmed
    if (this.profile !== undefined && !bm.isProfileName(this.profile))
      return usage(`there is no profile ${JSON.stringify(this.profile)}: use safe, balanced or fast`)
    if (
      this.conflictResolve !== undefined &&
      this.conflictResolve !== "none" &&
      this.conflictResolve !== "newer"
    )
      return usage("--conflict-resolve takes none or newer")
    if (this.out !== undefined && !this.dryRun) return usage("--out goes with --dry-run")
    if (this.apply !== undefined && this.resync) return usage("--apply and --resync exclude each other")
    return {
      ok: true,
      value: {
        holder: this.context.holder,
        isDryRun: this.dryRun,
        isResync: this.resync,
        ...(this.profile !== undefined && { profile: this.profile as ProfileName }),
        ...(this.conflictResolve !== undefined && {
          conflictResolve: this.conflictResolve as "none" | "newer",
        }),
        ...(maxDelete.value !== undefined && { maxDelete: maxDelete.value }),
        ...(confirmed.value !== undefined && { confirmedDeletes: confirmed.value }),
        ...(this.project !== undefined && { project: this.project }),
        ...(this.dir !== undefined && { dir: resolve(this.context.cwd, this.dir) }),
      },
    }
  }

  private async runDry(bm: Engine, output: Output, options: BisyncOptions): Promise<number> {
    const planned = await bm.dryRun(this.context.place, options)
    if (!planned.ok) return output.fail(planned.error)
    const document = planDocument(planned.value, {
      kind: this.resync ? "resync" : "bisync",
      version: VERSION,
    })
    return showPlan({
      output,
      planned: planned.value,
      document,
      out: this.out === undefined ? undefined : resolve(this.context.cwd, this.out),
      hasExitCode: this.exitCode,
    })
  }

  private async confirmResync(
    bm: Engine,
    output: Output,
    options: BisyncOptions,
  ): Promise<number | undefined> {
    if (this.yes) return undefined
    if (!this.context.isInteractive)
      return output.fail({ code: "confirm_needed", what: "--resync", flag: "--yes" })
    const planned = await bm.dryRun(this.context.place, options)
    if (planned.ok)
      output.lines(
        planLines(planned.value, { isVerbose: this.verbose, title: "Rebuilding the baseline", next: "" }),
      )
    else
      output.line(
        "Rebuilding the baseline: both sides are compared anew, nothing is deleted, losers are kept",
      )
    return (await confirm(this.context, "Continue?")) ? undefined : 0
  }

  private async runApply(bm: Engine, output: Output, options: BisyncOptions): Promise<number> {
    const file = resolve(this.context.cwd, this.apply ?? "")
    const read = readSaved(bm, file)
    if (!read.ok) return output.fail(read.error)
    const { document, saved } = read.value
    const config = bm.requireConfig(this.context.place)
    if (!config.ok) return output.fail(config.error)
    const { roots, profile } = document
    if (roots.local !== config.value.syncDir || roots.remote !== config.value.remote)
      return output.fail({ code: "plan_foreign", why: "roots", detail: `${roots.local}, ${roots.remote}` })
    if (document.kind === "undo" || document.kind === "redo")
      return applyUndoPlan({ bm, command: this, output, document, saved })
    if (options.profile !== undefined && options.profile !== profile.name)
      return output.fail({ code: "plan_foreign", why: "settings", detail: profile.name })
    const exact: BisyncOptions = {
      ...options,
      apply: saved,
      profile: profile.name as ProfileName,
      conflictResolve: profile.conflict_resolve as "none" | "newer",
      maxDelete: profile.max_delete,
    }
    return this.dryRun
      ? this.showChecks(bm, output, { options: exact, document })
      : runSync({ bm, command: this, output, options: exact, appliedPlan: document.plan })
  }

  private async showChecks(
    bm: Engine,
    output: Output,
    at: { readonly options: BisyncOptions; readonly document: PlanDocument },
  ): Promise<number> {
    const { options, document } = at
    const planned = await bm.dryRun(this.context.place, options)
    if (!planned.ok) return output.fail(planned.error)
    const run = planned.value
    const judged = options.apply === undefined ? [] : bm.judgeSaved(options.apply, run.prepared.plan)
    const checks = new Map<string, Check>(judged.map(({ record, check }) => [record.path, check]))
    output.json({
      ...document,
      actions: document.actions.map((action) => ({ ...action, check: checks.get(action.path) ?? "stale" })),
    })
    const counts = (["holds", "stale", "done"] as const)
      .map((check) => [judged.filter((each) => each.check === check).length, check] as const)
      .filter(([count]) => count > 0)
    output.line(
      `Plan ${document.plan} from ${formatTime(Date.parse(document.created_at))}, checked now: ${counts.map(([count, check]) => `${count} ${check}`).join(", ")}`,
    )
    for (const { record, check } of judged) {
      const action = run.prepared.plan.actions.find(({ path }) => path === record.path)
      output.line(
        `  ${check.padEnd(5)}${action === undefined ? `  ${record.op} ${record.path}` : actionLine(action)}`,
      )
    }
    return judged.every(({ check }) => check === "holds") ? 0 : 5
  }
}

type Saved = ReturnType<typeof readPlanDocument>

function readSaved(bm: Engine, file: string): Saved {
  try {
    return readPlanDocument(readFileSync(file, "utf8"), (records) => bm.recordsDigest(records, bm.sha256))
  } catch (error) {
    return {
      ok: false,
      error: {
        code: "plan_foreign",
        why: "unreadable",
        detail: error instanceof Error && "code" in error ? `${file}: ${String(error.code)}` : file,
      },
    }
  }
}

export interface SyncRun {
  readonly bm: Engine
  readonly command: BmCommand
  readonly output: Output
  readonly options: BisyncOptions
  readonly appliedPlan?: string
}

export async function runSync(run: SyncRun): Promise<number> {
  const stop = stopOnSignals()
  try {
    const ran = await runOnce(run, stop)
    return ran.error === undefined ? ran.exit : run.output.fail(ran.error)
  } finally {
    stop.release()
  }
}

/** One of many runs: with nothing to do it says nothing. */
export interface OneRun extends SyncRun {
  readonly isQuietWhenIdle?: boolean
}

export interface RanOnce {
  readonly exit: number
  /** Not said yet. */
  readonly error?: SyncError
  /** It listed both sides. */
  readonly isWhole?: boolean
  /** It said what it did. */
  readonly isTold: boolean
}

export async function runOnce(
  { bm, command, output, options, appliedPlan, isQuietWhenIdle = false }: OneRun,
  stop: { isStopped(): boolean },
): Promise<RanOnce> {
  const startedMs = Date.now()
  const { context } = command
  const progress = progressLine(context, { isQuiet: command.quiet || command.json })
  const ran = await bm.bisync(
    context.place,
    {
      ...options,
      isStopped: stop.isStopped,
      onLeaseWait: sayLeaseWait(output),
      onProjects: tellProjects(output),
      onPlanned: (planned) => output.json(startedEvent(planned, context.holder.since)),
      onProgress: (at) => {
        progress.show(at)
        output.json({
          schema: "bm.event/1",
          type: "progress",
          done: at.done,
          of: at.of,
          bytes: at.bytes,
          of_bytes: at.ofBytes,
          path: at.action.path,
        })
      },
    },
    (result) => conclude(bm, result),
  )
  progress.clear()
  if (!ran.ok) return { exit: 0, error: ran.error, isTold: false }
  if (ran.value.setAside !== undefined && ran.value.setAside !== "")
    output.note(`The state that could not be used is kept in ${ran.value.setAside}`)
  const { finished, isWhole } = ran.value
  const isIdle = finished === undefined || !finished.cycle.performed.didSomething
  if (isIdle && isQuietWhenIdle) return { exit: finished?.cycle.performed.exit ?? 0, isWhole, isTold: false }
  const ms = Date.now() - startedMs
  if (finished === undefined) return { exit: nothingToDo(output, ran.value.run, ms), isWhole, isTold: true }
  const applied = appliedPlan === undefined ? {} : { appliedPlan }
  return { exit: reportRun(output, { ...finished, ms, ...applied }), isWhole, isTold: true }
}

interface Concluded {
  readonly run: string
  readonly isWhole: boolean
  readonly setAside?: string
  readonly finished?: Omit<Finished, "ms">
}

async function conclude(bm: Engine, { cycle, opened, isWhole, setAside }: Ran): Promise<Concluded> {
  const about = { isWhole, ...(setAside !== undefined && { setAside }) }
  if (cycle.kind !== "performed") return { ...about, run: cycle.kind === "settled" ? cycle.run : "" }
  const evidence = await bm.gatherEvidence(opened.world, opened.session.ledger, cycle.prepared.plan.actions)
  return { ...about, run: cycle.prepared.run, finished: { cycle, evidence } }
}

function startedEvent(
  planned: { readonly run: string; readonly plan: string; readonly kind: string; readonly actions: number },
  at: string,
): object {
  return {
    schema: "bm.event/1",
    type: "run.started",
    run: planned.run,
    kind: planned.kind,
    at,
    plan: planned.plan,
    actions: planned.actions,
  }
}

function nothingToDo(output: Output, run: string, ms: number): number {
  output.line("✓ Sync completed")
  output.json({
    schema: "bm.event/1",
    type: "run.finished",
    run,
    ok: true,
    exit: 0,
    uploaded: 0,
    downloaded: 0,
    deleted: 0,
    moved: 0,
    conflicts: [],
    open: [],
    stale: [],
    bytes_up: 0,
    bytes_down: 0,
    ms,
    undo: null,
  })
  return 0
}
