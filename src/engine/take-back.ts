/**
 * The commands `undo` and `redo`: finds out what is meant, and runs it.
 *
 * Bare `undo` steps back over the runs of this device, newest first; bare `redo` takes back the newest undo that is in
 * force. Naming a run, an event, a conflict or a path takes back that one and keeps everything later.
 */

import type { SyncError } from "../model/errors.ts"
import type { UndoTarget } from "../model/event.ts"
import type { ConflictId, RunId } from "../model/ids.ts"
import { parsePath, type RelativePath } from "../model/path.ts"
import { err, ok, type Result } from "../model/result.ts"
import { agreedTree, stepsBetween, undoSteps } from "../history/undo.ts"
import type { SavedPlan } from "./apply.ts"
import { type Opened, open, profileOf, requireConfig } from "./bisync.ts"
import type { Place } from "./config.ts"
import type { RunOptions } from "./options.ts"
import type { Holder } from "./session.ts"
import { publishStatus } from "./status-file.ts"
import { closing } from "./store-errors.ts"
import {
  findRun,
  momentOf,
  newestUndoable,
  resolveRun,
  resolveTarget,
  runEvents,
  runs,
  sequenceAt,
  undoneBy,
} from "./target.ts"
import { isWithin, resumeUndo, runUndo, type UndoRan, type UndoRequest, undoRequestFor } from "./undo.ts"
import type { IfChanged } from "./undo-judge.ts"
import type { Ledger } from "./ledger.ts"

export type When =
  | { readonly kind: "moment"; readonly ms: number }
  | { readonly kind: "run"; readonly run: string; readonly before: boolean }

export interface TakeBackOptions {
  readonly holder: Holder
  readonly mode: "undo" | "redo"
  readonly target?: string
  readonly paths: readonly string[]
  readonly to?: When
  readonly ifChanged: IfChanged
  readonly confirmedDeletes?: number
  readonly isDryRun: boolean
  readonly onLeaseWait?: RunOptions["onLeaseWait"]
  /** Do exactly this plan, or nothing. */
  readonly apply?: SavedPlan
}

export type TookBack =
  | { readonly kind: "nothing" }
  | { readonly kind: "already_undone"; readonly by: RunId }
  | { readonly kind: "ran"; readonly ran: UndoRan; readonly request: UndoRequest; readonly opened: Opened }

export async function takeBack<T>(
  place: Place,
  options: TakeBackOptions,
  conclude: (tookBack: TookBack) => Promise<T>,
): Promise<Result<T, SyncError>> {
  const config = requireConfig(place)
  if (!config.ok) return config
  const opening = await open(place, config.value, {
    holder: options.holder,
    probing: options.isDryRun ? "never" : "if_missing",
  })
  if (!opening.ok) return opening
  const { opened } = opening.value
  const { session, world } = opened
  return closing(opened, async () => {
    const runOptions: RunOptions = {
      kind: options.mode,
      command: options.holder.command,
      profile: profileOf(config.value, {}),
      isDryRun: options.isDryRun,
      names: { root: config.value.syncDir, remote: config.value.remote },
      ...(options.confirmedDeletes !== undefined && { confirmedDeletes: options.confirmedDeletes }),
      ...(options.onLeaseWait !== undefined && { onLeaseWait: options.onLeaseWait }),
    }
    if (!options.isDryRun) {
      const resumed = await resumeUndo(world, session.ledger, runOptions)
      if (!resumed.ok) return resumed
    }
    const found =
      options.mode === "redo"
        ? await findRedo(session.ledger, options)
        : await findUndo(session.ledger, options)
    if (!found.ok) return found
    if ("kind" in found.value) return ok(await conclude(found.value))
    const request = found.value
    const ran = await runUndo(
      world,
      session.ledger,
      runOptions,
      request,
      options.isDryRun ? undefined : options.apply,
    )
    if (!ran.ok) return ran
    if (!options.isDryRun) await publishStatus({ session, cycle: ran.value.cycle })
    return ok(await conclude({ kind: "ran", ran: ran.value, request, opened }))
  })
}

type Found = Result<UndoRequest | Exclude<TookBack, { kind: "ran" }>, SyncError>

async function findUndo(ledger: Ledger, options: TakeBackOptions): Promise<Found> {
  const { ifChanged, to } = options
  const paths = pathsOf(options.paths)
  if (!paths.ok) return paths
  if (to !== undefined) return findMoment(ledger, { to, paths: paths.value, ifChanged })
  if (options.target === undefined) {
    const run = await newestUndoable(ledger)
    if (run === undefined) return ok({ kind: "nothing" })
    return undoRequestFor(ledger, {
      target: { kind: "run", run },
      name: run,
      mode: "undo",
      ifChanged,
      paths: [],
    })
  }
  const target = await resolveTarget(ledger, options.target)
  if (!target.ok) return target
  const by = await undoOf(ledger, target.value)
  if (by !== undefined && paths.value.length === 0) return ok({ kind: "already_undone", by })
  return undoRequestFor(ledger, {
    target: target.value,
    name: options.target,
    mode: "undo",
    ifChanged,
    paths: paths.value,
  })
}

function undoOf(ledger: Ledger, target: UndoTarget): Promise<RunId | undefined> | undefined {
  return target.kind === "run" || target.kind === "conflict" ? undoneBy(ledger, target) : undefined
}

async function findMoment(
  ledger: Ledger,
  at: { readonly to: When; readonly paths: readonly RelativePath[]; readonly ifChanged: IfChanged },
): Promise<Found> {
  const sequence = await sequenceOf(ledger, at.to)
  if (!sequence.ok) return sequence
  const now = await agreedTree(ledger.journal.events(), ledger.head().sequence)
  const then = await agreedTree(ledger.journal.events(), sequence.value)
  const steps = stepsBetween(now, then).filter(
    ({ path }) => at.paths.length === 0 || isWithin(path, at.paths),
  )
  const target = { kind: "moment", sequence: sequence.value } as const
  return ok({ target, mode: "undo", steps, conflicts: [], ifChanged: at.ifChanged, name: "--to" })
}

async function sequenceOf(ledger: Ledger, to: When): Promise<Result<number, SyncError>> {
  if (to.kind === "moment") return ok(await sequenceAt(ledger, to.ms))
  const run = await resolveRun(ledger, to.run)
  return run.ok ? ok(await momentOf(ledger, run.value, to.before)) : run
}

async function findRedo(ledger: Ledger, options: TakeBackOptions): Promise<Found> {
  const run =
    options.target === undefined
      ? ok(await newestUndoInForce(ledger))
      : await resolveRun(ledger, options.target)
  if (!run.ok) return run
  if (run.value === undefined) return ok({ kind: "nothing" })
  const record = await findRun(ledger, run.value)
  if (record?.started.kind !== "undo")
    return err({ code: "not_found", what: "undo run", name: options.target ?? run.value })
  const events = await runEvents(ledger, run.value)
  const undone = events.flatMap((event) => (event.type === "undone" ? [event.target] : []))
  const [first] = undone
  if (first === undefined) return ok({ kind: "nothing" })
  const conflicts = undone.flatMap((target): ConflictId[] =>
    target.kind === "conflict" ? [target.conflict] : [],
  )
  return ok({
    target: first,
    mode: "redo",
    steps: undoSteps(events),
    conflicts,
    ifChanged: options.ifChanged,
    name: run.value,
  })
}

/** The newest undo whose target no later redo has answered. */
async function newestUndoInForce(ledger: Ledger): Promise<RunId | undefined> {
  const answered: string[] = []
  for await (const { run, started } of runs(ledger)) {
    if (started.kind !== "redo" && started.kind !== "undo") continue
    const target = (await runEvents(ledger, run)).find(({ type }) => type === "undone")
    if (target?.type !== "undone") continue
    const key = JSON.stringify(target.target)
    if (started.kind === "redo") answered.push(key)
    else if (answered.includes(key)) answered.splice(answered.indexOf(key), 1)
    else return run
  }
  return undefined
}

function pathsOf(texts: readonly string[]): Result<readonly RelativePath[], SyncError> {
  const paths: RelativePath[] = []
  for (const text of texts) {
    const path = parsePath(text.replace(/^\.\//, "").replace(/\/+$/, ""))
    if (!path.ok) return err({ code: "not_found", what: "path", name: text })
    paths.push(path.value)
  }
  return ok(paths)
}
