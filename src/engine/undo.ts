/**
 * Undo and redo: a run whose goals come from the past. It is planned, held back, preserved, executed and journaled
 * like a sync; later edits are never thrown away.
 */

import type { Plan } from "../model/action.ts"
import type { SyncError } from "../model/errors.ts"
import type { EventBody, JournalEvent, UndoStep, UndoTarget } from "../model/event.ts"
import type { ConflictId } from "../model/ids.ts"
import type { RelativePath } from "../model/path.ts"
import { err, ok, type Result } from "../model/result.ts"
import { keptBoth, undoSteps } from "../history/undo.ts"
import { guard } from "../plan/guard.ts"
import type { Backend } from "../model/ports.ts"
import { SIDES } from "../model/side.ts"
import { type Goal, planGoals } from "../plan/undo-action.ts"
import { conflictPrefix, pathPrefix } from "../fold/indexes.ts"
import { applySaved, type SavedPlan } from "./apply.ts"
import { type Cycle, cycle, type Decide } from "./cycle.ts"
import type { Ledger } from "./ledger.ts"
import type { RunOptions } from "./options.ts"
import { decisionBodies, filesSeen } from "./sync.ts"
import { runEvents } from "./target.ts"
import { type IfChanged, type Judged, judgeSteps } from "./undo-judge.ts"
import type { World } from "./world.ts"

export interface UndoRequest {
  readonly target: UndoTarget
  readonly mode: "undo" | "redo"
  readonly steps: readonly UndoStep[]
  /** Conflicts whose decision this takes back, or makes again. */
  readonly conflicts: readonly ConflictId[]
  readonly ifChanged: IfChanged
  /** As the user named it, for messages. */
  readonly name: string
}

export interface UndoRan {
  readonly cycle: Cycle
  readonly judged: readonly Judged[]
}

export async function runUndo(
  world: World,
  ledger: Ledger,
  options: RunOptions,
  request: UndoRequest,
  saved?: SavedPlan,
): Promise<Result<UndoRan, SyncError>> {
  const judged: Judged[] = []
  const decide = decideUndo({ world, ledger, options, request, judged })
  const ran = await cycle(
    world,
    ledger,
    options,
    saved === undefined ? decide : applySaved(decide, saved, options),
  )
  if (!ran.ok) return ran
  // A copy of another device's journal must not act on it; a sync gives it an id of its own first.
  if (ran.value.kind === "cloned") return err({ code: "no_baseline", why: "journal_cloned" })
  return ok({ cycle: ran.value, judged })
}

function decideUndo(at: {
  readonly world: World
  readonly ledger: Ledger
  readonly options: RunOptions
  readonly request: UndoRequest
  readonly judged: Judged[]
}): Decide {
  const { world, ledger, options, request, judged } = at
  return async ({ state, look }) => {
    const judgement = await judgeSteps({ world, ledger, state, unknowns: look.unknowns, request })
    if (!judgement.ok) return judgement
    judged.push(...judgement.value)
    const goals = judgement.value.flatMap(({ goal }) => (goal === undefined ? [] : [goal]))
    const actions = planGoals(goals, { paths: state.paths, atMs: Math.floor(world.clock.nowMs()) })
    const { confirmedDeletes } = options
    const bare: Plan = { actions, agreed: [], notices: [], blocks: [] }
    const plan =
      options.isConfirmed === true
        ? bare
        : guard(bare, {
            maxDelete: options.profile.maxDelete,
            files: filesSeen(state),
            ...(confirmedDeletes !== undefined && { confirmedDeletes }),
          })
    const { target, mode, steps } = request
    const targets: readonly UndoTarget[] = [
      target,
      ...request.conflicts.map((conflict): UndoTarget => ({ kind: "conflict", conflict })),
    ]
    return ok({
      plan,
      bodies: [{ type: "undo.decided", target, mode, steps }, ...actions.flatMap(decisionBodies)],
      concluding: distinct(targets).map((each): EventBody => ({ type: "undone", target: each, mode })),
    })
  }
}

function distinct(targets: readonly UndoTarget[]): readonly UndoTarget[] {
  return [...new Map(targets.map((target) => [JSON.stringify(target), target])).values()]
}

/** Finishes an undo that was decided and then interrupted, before anything else is planned. */
export async function resumeUndo(
  world: World,
  ledger: Ledger,
  options: RunOptions,
): Promise<Result<void, SyncError>> {
  const open = ledger.state().root.openUndo
  const event = open === undefined ? undefined : await ledger.journal.get(open.sequence)
  if (event?.type !== "undo.decided") return ok(undefined)
  const { target, mode, steps } = event
  const { confirmedDeletes: _, union: __, project: ___, ...rest } = options
  const conflicts = target.kind === "run" ? conflictsOf(await runEvents(ledger, target.run)) : []
  const resumed = await runUndo(
    world,
    ledger,
    { ...rest, kind: mode, isConfirmed: true },
    { target, mode, steps, conflicts, ifChanged: "skip", name: "the interrupted undo" },
  )
  return resumed.ok ? ok(undefined) : resumed
}

/** What undoing a target means, as far as the journal alone can say. */
export async function undoRequestFor(
  ledger: Ledger,
  at: {
    readonly target: UndoTarget
    readonly name: string
    readonly mode: "undo" | "redo"
    readonly ifChanged: IfChanged
    readonly paths: readonly RelativePath[]
  },
): Promise<Result<UndoRequest, SyncError>> {
  const { target, name, mode, ifChanged, paths } = at
  const all = await eventsOf(ledger, target)
  if (all.length === 0) return err({ code: "not_found", what: "change to undo", name })
  const events =
    paths.length === 0 ? all : all.filter((event) => event.type === "done" && isWithin(event.path, paths))
  const steps = undoSteps(events)
  const open = keptBoth(events)
  if (steps.length === 0 && open[0] !== undefined)
    return err({ code: "not_undoable", target: name, why: "conflict_open", path: open[0].path })
  return ok({ target: partial(target, paths), mode, steps, conflicts: conflictsOf(events), ifChanged, name })
}

/** Undoing some paths of a run does not undo the run. */
function partial(target: UndoTarget, paths: readonly RelativePath[]): UndoTarget {
  const [path] = paths
  return path !== undefined && target.kind === "run" ? { kind: "path", path, run: target.run } : target
}

export function isWithin(path: string, paths: readonly string[]): boolean {
  return paths.some((at) => path === at || path.startsWith(at.endsWith("/") ? at : `${at}/`))
}

function conflictsOf(events: readonly JournalEvent[]): readonly ConflictId[] {
  return events.flatMap((event) =>
    event.type === "done" && event.conflict !== undefined && event.before !== undefined
      ? [event.conflict]
      : [],
  )
}

async function eventsOf(ledger: Ledger, target: UndoTarget): Promise<readonly JournalEvent[]> {
  switch (target.kind) {
    case "run":
      return (await runEvents(ledger, target.run)).filter(({ type }) => type === "done")
    case "event":
      return (await runEvents(ledger, target.run)).filter(
        (event) => event.type === "done" && event.number === target.number,
      )
    case "conflict":
      return conflictEvents(ledger, target.conflict)
    case "path": {
      const last = await lastDone(ledger, target.path)
      return last === undefined ? [] : [last]
    }
    case "moment":
      return []
  }
}

async function conflictEvents(ledger: Ledger, conflict: ConflictId): Promise<readonly JournalEvent[]> {
  for await (const event of ledger.find(conflictPrefix(conflict))) {
    if (event.type !== "conflict.decided" || event.run === undefined) continue
    return (await runEvents(ledger, event.run)).filter(
      (each) => each.type === "done" && each.conflict === conflict,
    )
  }
  return []
}

async function lastDone(ledger: Ledger, path: RelativePath): Promise<JournalEvent | undefined> {
  for await (const event of ledger.find(pathPrefix(path), { reverse: true }))
    if (event.type === "done") return event
  return undefined
}

/** Reads back what an undo promised, on both sides; answers the paths where every byte is as it should be. */
export async function verifyGoals(world: World, judged: readonly Judged[]): Promise<ReadonlySet<string>> {
  const verified = new Set<string>()
  for (const { path, goal } of judged) {
    if (goal === undefined) continue
    const sides = await Promise.all(SIDES.map((side) => holdsGoal(world.sides[side], goal)))
    if (sides.every(Boolean)) verified.add(path)
  }
  return verified
}

async function holdsGoal(backend: Backend, { path, content }: Goal): Promise<boolean> {
  const version = await backend.look(path)
  if (!version.ok) return false
  if (content === undefined || version.value === undefined)
    return content === undefined && version.value === undefined
  const read = await backend.read(path, version.value)
  return read.ok && read.value.hash === content.hash
}
