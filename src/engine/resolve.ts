/**
 * `conflicts resolve`: the user's own decision, as a run like any other. It is planned, held back, preserved, executed
 * and journaled; everything that it replaces or removes is kept, and `undo` takes it back.
 *
 * All conflicts that are named are judged first; if one cannot be resolved as asked, none is.
 */

import type { Action } from "../model/action.ts"
import type { ResolveProblem, SyncError, Trouble } from "../model/errors.ts"
import type { EventBody } from "../model/event.ts"
import type { RunId } from "../model/ids.ts"
import { err, ok, type Result } from "../model/result.ts"
import { guard } from "../plan/guard.ts"
import { planGoals } from "../plan/undo-action.ts"
import { type Opened, open, profileOf, requireConfig } from "./bisync.ts"
import { type ActionRecord, actionRecord } from "./action-record.ts"
import type { Place } from "./config.ts"
import { type ConflictRecord, findConflict, listConflicts } from "./conflicts-query.ts"
import { type Cycle, cycle, type Decide } from "./cycle.ts"
import type { Ledger } from "./ledger.ts"
import type { RunOptions } from "./options.ts"
import { pathPattern } from "./path-pattern.ts"
import { type Choice, judgeResolve, type Resolving } from "./resolve-judge.ts"
import type { Holder } from "./session.ts"
import { publishStatus } from "./status-file.ts"
import { filesSeen } from "./sync.ts"
import { resumeUndo, verifyGoals } from "./undo.ts"
import { closing } from "./store-errors.ts"
import type { World } from "./world.ts"

export interface ResolveOptions {
  readonly holder: Holder
  /** Of conflicts; without any, the open ones that `path` matches. */
  readonly ids: readonly string[]
  readonly path?: string
  readonly choice: Choice
  readonly confirmedDeletes?: number
  readonly isDryRun: boolean
  readonly onLeaseWait?: RunOptions["onLeaseWait"]
}

export interface ResolveReport {
  readonly run: RunId | undefined
  readonly resolved: readonly (Resolving & { readonly isVerified: boolean })[]
  readonly failed: readonly { readonly record: ConflictRecord; readonly trouble: Trouble }[]
  /** Were resolved before. */
  readonly already: readonly ConflictRecord[]
  readonly actions: readonly ActionRecord[]
  readonly exit: number
}

export async function resolveConflicts(
  place: Place,
  options: ResolveOptions,
): Promise<Result<ResolveReport, SyncError>> {
  const config = requireConfig(place)
  if (!config.ok) return config
  const opening = await open(place, config.value, {
    holder: options.holder,
    probing: options.isDryRun ? "never" : "if_missing",
  })
  if (!opening.ok) return opening
  const { opened } = opening.value
  return closing(opened, () => resolveOpened(opened, options))
}

async function resolveOpened(
  opened: Opened,
  options: ResolveOptions,
): Promise<Result<ResolveReport, SyncError>> {
  const { session, world, config } = opened
  const { ledger } = session
  const named = await chooseConflicts(ledger, options, world.clock.nowMs())
  if (!named.ok) return named
  const already = named.value.filter(({ state }) => state === "resolved")
  const records = named.value.filter(({ state }) => state !== "resolved")
  if (records.length === 0)
    return ok({ run: undefined, resolved: [], failed: [], already, actions: [], exit: 0 })
  const runOptions: RunOptions = {
    kind: "resolve",
    command: options.holder.command,
    profile: profileOf(config, {}),
    isDryRun: options.isDryRun,
    names: { root: config.syncDir, remote: config.remote },
    ...(options.confirmedDeletes !== undefined && { confirmedDeletes: options.confirmedDeletes }),
    ...(options.onLeaseWait !== undefined && { onLeaseWait: options.onLeaseWait }),
  }
  if (!options.isDryRun) {
    const resumed = await resumeUndo(world, ledger, runOptions)
    if (!resumed.ok) return resumed
  }
  const resolvings: Resolving[] = []
  const decide = decideResolve({ opened, options: runOptions, records, choice: options.choice, resolvings })
  const ran = await cycle(world, ledger, runOptions, decide)
  if (!ran.ok) return ran
  return concludeResolve(opened, { cycle: ran.value, resolvings, already })
}

async function chooseConflicts(
  ledger: Ledger,
  { ids, path, choice }: ResolveOptions,
  nowMs: number,
): Promise<Result<readonly ConflictRecord[], SyncError>> {
  const chosen = new Map<string, ConflictRecord>()
  for (const id of ids) {
    const record = await findConflict(ledger, id)
    if (!record.ok) return record
    if (path === undefined || pathPattern(path).matches(record.value.path))
      chosen.set(record.value.id, record.value)
  }
  if (ids.length === 0 && path !== undefined) {
    const listed = await listConflicts(ledger, { includesAll: true, path, nowMs })
    if (!listed.ok) return listed
    for (const record of listed.value) if (record.state === "open") chosen.set(record.id, record)
  }
  if (ids.length > 0 && chosen.size === 0)
    return err({ code: "not_found", what: "conflict", name: `${ids.join(" ")} at ${path ?? ""}` })
  if (choice.kind === "use" && chosen.size > 1)
    return err({ code: "usage", message: `one file cannot resolve ${chosen.size} conflicts: name one` })
  return ok([...chosen.values()])
}

function decideResolve(at: {
  readonly opened: Opened
  readonly options: RunOptions
  readonly records: readonly ConflictRecord[]
  readonly choice: Choice
  readonly resolvings: Resolving[]
}): Decide {
  const { opened, options, records, choice, resolvings } = at
  const { world, session } = opened
  const source = { ledger: session.ledger, history: world.history, sha256: world.sha256 }
  return async ({ state, look }) => {
    const problems: ResolveProblem[] = []
    for (const record of records) {
      const judged = await judgeResolve({ world, source, state, unknowns: look.unknowns }, record, choice)
      if (judged.ok) resolvings.push(judged.value)
      else problems.push(judged.error)
    }
    if (problems.length > 0) return err({ code: "resolve_refused", total: records.length, problems })
    const goals = resolvings.flatMap((each) => each.goals)
    if (new Set(goals.map(({ path }) => path)).size < goals.length)
      return err({
        code: "usage",
        message: "two of these conflicts are about the same file: resolve one first",
      })
    // Nothing is moved: what is resolved is a new version, and carries the time of the command.
    const atMs = Math.floor(world.clock.nowMs())
    const actions = planGoals(goals, { paths: state.paths, atMs, canMove: false })
    const { confirmedDeletes, profile } = options
    const plan = guard(
      { actions, agreed: [], notices: [], blocks: [] },
      {
        maxDelete: profile.maxDelete,
        files: filesSeen(state),
        ...(confirmedDeletes !== undefined && { confirmedDeletes }),
      },
    )
    const done = resolvings.filter((each) => actionsOf(each, actions).length === 0)
    return ok({ plan, bodies: done.map(resolvedBody) })
  }
}

function actionsOf({ goals }: Resolving, actions: readonly Action[]): readonly Action[] {
  const paths = new Set(goals.map(({ path }) => path))
  return actions.filter(({ path }) => paths.has(path))
}

function resolvedBody({ record }: Resolving): EventBody {
  return { type: "conflict.resolved", conflict: record.id, how: "resolve" }
}

async function concludeResolve(
  opened: Opened,
  at: {
    readonly cycle: Cycle
    readonly resolvings: readonly Resolving[]
    readonly already: readonly ConflictRecord[]
  },
): Promise<Result<ResolveReport, SyncError>> {
  const { cycle, resolvings, already } = at
  if (cycle.kind === "cloned") return err({ code: "no_baseline", why: "journal_cloned" })
  if (cycle.kind === "settled")
    return ok({ run: cycle.run, resolved: [], failed: [], already, actions: [], exit: 0 })
  const { plan } = cycle.prepared
  const actions = plan.actions.map((action, index) => actionRecord(action, index + 1))
  if (cycle.kind === "planned") {
    const resolved = resolvings.map((each) => ({ ...each, isVerified: false }))
    return ok({ run: undefined, resolved, failed: [], already, actions, exit: 0 })
  }
  const { world, session } = opened
  const troubles = resolvings.map((each) => troubleOf(each, cycle))
  const resolved = resolvings.filter((_, index) => troubles[index] === undefined)
  // Only now is it known that every step was made; a crash before this leaves the conflict to the next run's look.
  const bodies = resolved.filter((each) => actionsOf(each, plan.actions).length > 0).map(resolvedBody)
  await session.ledger.append(bodies, { sync: true, run: cycle.prepared.run })
  await publishStatus({ session, cycle })
  const failed = resolvings.flatMap(({ record }, index) => {
    const trouble = troubles[index]
    return trouble === undefined ? [] : [{ record, trouble }]
  })
  return ok({
    run: cycle.prepared.run,
    resolved: await verified(world, resolved),
    failed,
    already,
    actions,
    exit: failed.length > 0 ? exitOf(failed) : cycle.performed.exit,
  })
}

function exitOf(failed: ResolveReport["failed"]): number {
  return failed.some(({ trouble }) => trouble.code === "changed_since") ? 5 : 1
}

/** The first step of a conflict that was not made. */
function troubleOf(
  resolving: Resolving,
  { prepared, performed }: Extract<Cycle, { kind: "performed" }>,
): Trouble | undefined {
  const outcomes = new Map(performed.outcomes.map((outcome) => [outcome.action, outcome]))
  for (const action of actionsOf(resolving, prepared.plan.actions)) {
    const outcome = outcomes.get(action)
    if (outcome?.kind === "skipped") return outcome.trouble
    if (outcome === undefined) return { code: "interrupted", path: action.path }
  }
  return undefined
}

async function verified(world: World, resolved: readonly Resolving[]): Promise<ResolveReport["resolved"]> {
  const goals = resolved.flatMap((each) => each.goals)
  const holding = await verifyGoals(
    world,
    goals.map((goal) => ({ path: goal.path, result: "restored", goal })),
  )
  return resolved.map((each) => ({ ...each, isVerified: each.goals.every(({ path }) => holding.has(path)) }))
}
