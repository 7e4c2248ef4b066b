/**
 * Carries a prepared plan out: journal, preserve, execute, record, finish.
 *
 * What was decided is durable in the journal before anything else happens; what will be destroyed is durable in the
 * history store before the first step; the marker is written last, and never ahead of the journal.
 */

import type { SyncError, Trouble } from "../model/errors.ts"
import type { EventBody, RunCounts } from "../model/event.ts"
import { type ContentHash, type ConflictId } from "../model/ids.ts"
import { type Content, SMALL_FILE_BYTES_MAX } from "../model/ports.ts"
import { err, ok, type Result } from "../model/result.ts"
import { execute, type Outcome } from "../execute/execute.ts"
import { type Preserved, preserve, withKept } from "../execute/preserve.ts"
import { countsOf, exitOf } from "./counts.ts"
import type { Prepared } from "./cycle.ts"
import type { Ledger } from "./ledger.ts"
import { listedBodies } from "./look.ts"
import type { RunOptions } from "./options.ts"
import { appendEpoch } from "./epoch.ts"
import { type Recorder, recorder } from "./record.ts"
import type { World } from "./world.ts"

export interface Performed {
  readonly outcomes: readonly Outcome[]
  readonly counts: RunCounts
  readonly exit: number
  /** Conflicts that this run decided, and those that it left for the user. */
  readonly conflicts: readonly ConflictId[]
  readonly open: readonly ConflictId[]
  /** False where there was nothing to do, and nothing but two listings was journaled. */
  readonly didSomething: boolean
  /** The history store could not take the new versions; they are tried again by the next run. */
  readonly unrecorded?: Trouble
}

type PerformOptions = RunOptions & {
  /** The last write to either side is through; the journal and the history are not. */
  readonly onWritten: () => unknown
}

const AGREED_ITEMS_MAX = 500

export async function perform(
  world: World,
  ledger: Ledger,
  prepared: Prepared,
  options: PerformOptions,
): Promise<Result<Performed, SyncError>> {
  const { plan, run, look, settings } = prepared
  // A run that was interrupted is brought to its end, with its versions in the history store, by one that ends.
  const isIdle =
    plan.actions.length === 0 &&
    plan.agreed.length === 0 &&
    prepared.decided.length === 0 &&
    options.union === undefined &&
    ledger.state().root.unfinishedRun === undefined
  if (isIdle) {
    const isClean = plan.notices.length === 0 && options.project === undefined && look.tombstones.length === 0
    await ledger.append([...prepared.bodies, ...listedBodies(look, isClean ? settings : undefined)], {
      sync: prepared.bodies.length > 0,
      run,
    })
    const counts = countsOf([])
    return ok({
      outcomes: [],
      counts,
      exit: exitOf({ outcomes: [], notices: plan.notices, open: [] }),
      conflicts: [],
      open: [],
      didSomething: false,
    })
  }
  const nonce = world.random.hex128()
  const record = recorder(world, ledger, run)
  record.note(await ledger.append(startBodies(prepared, options, nonce), { sync: true, run }))
  const bytes = plan.actions.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)
  options.onPlanned?.({ run, plan: prepared.planId, kind: options.kind, actions: plan.actions.length, bytes })
  const kept = await preserveAll(world, ledger, prepared, options)
  if (!kept.ok) return kept
  const executed = await executeAll(world, ledger, { prepared, options, nonce, kept: kept.value, record })
  return executed
}

function startBodies(
  { plan, planId, digest, look, bodies, decided }: Prepared,
  options: RunOptions,
  nonce: string,
): readonly EventBody[] {
  const { kind, command, profile } = options
  const agreed: EventBody[] = []
  for (let at = 0; at < plan.agreed.length; at += AGREED_ITEMS_MAX)
    agreed.push({ type: "agreed", items: plan.agreed.slice(at, at + AGREED_ITEMS_MAX) })
  return [
    {
      type: "run.started",
      kind,
      command,
      profile: profile.name,
      conflictResolve: profile.conflictResolve,
      nonce,
    },
    ...bodies,
    ...listedBodies(look, undefined),
    ...agreed,
    { type: "planned", plan: planId, digest, actions: plan.actions.length },
    ...decided,
  ]
}

async function preserveAll(
  world: World,
  ledger: Ledger,
  { plan, run }: Prepared,
  options: RunOptions,
): Promise<Result<Preserved, SyncError>> {
  const nothing: Preserved = { items: [], hashes: new Map(), refused: new Map() }
  if (plan.actions.every(({ keeps }) => keeps.length === 0)) return ok(nothing)
  const history = await world.history()
  if (!history.ok) return err({ code: "history_write_failed", trouble: history.error })
  const deps = {
    sides: world.sides,
    history: history.value,
    keptAt: ledger.keptAt,
    largeFileBytes: world.largeFileBytes,
  }
  const message = `keep ${run}: what ${options.kind} replaces`
  const kept = await preserve(deps, plan.actions, { message, atMs: Math.floor(world.clock.nowMs()) })
  if (!kept.ok) return err({ code: "history_write_failed", trouble: kept.error })
  const { items, commit } = kept.value
  if (items.length > 0)
    await ledger.append([{ type: "history.kept", items, ...(commit !== undefined && { commit }) }], {
      sync: true,
      run,
    })
  return kept
}

async function executeAll(
  world: World,
  ledger: Ledger,
  at: {
    readonly prepared: Prepared
    readonly options: PerformOptions
    readonly nonce: string
    readonly kept: Preserved
    readonly record: Recorder
  },
): Promise<Result<Performed, SyncError>> {
  const { prepared, options, nonce, kept, record } = at
  const { plan, run } = prepared
  const append = async (bodies: readonly EventBody[], { sync }: { readonly sync: boolean }) => {
    const appended = await ledger.append(bodies, { sync, run })
    record.note(appended)
    return appended
  }
  const numbered = plan.actions.map((action, index) => ({ action, number: index + 1 }))
  const refused = numbered.flatMap(({ action, number }): Outcome[] => {
    const trouble = kept.refused.get(action)
    return trouble === undefined ? [] : [{ kind: "skipped", action, number, trouble }]
  })
  for (const { number, action, trouble } of refused as readonly Extract<Outcome, { kind: "skipped" }>[]) {
    await append([{ type: "skipped", number, path: action.path, code: trouble.code }], { sync: false })
  }
  const executed = await execute(
    {
      sides: world.sides,
      clock: world.clock,
      random: world.random,
      append,
      readHistory: (hash, sizeBytes) => readKept(world, ledger, hash, sizeBytes),
      appendEpoch: () => appendEpoch(world, ledger, nonce),
      onAgreed: record.add,
      onProgress: options.onProgress ?? (() => undefined),
      isStopped: options.isStopped ?? (() => false),
    },
    numbered.flatMap(({ action, number }) =>
      kept.refused.has(action) ? [] : [{ action: withKept(action, kept), number }],
    ),
  )
  // The remote refuses its epoch, or the disk here refuses to make durable what was written.
  if (!executed.ok) return err({ code: "broken_off", trouble: executed.error })
  options.onWritten()
  const recorded = await record.finish(`${options.kind} ${run}`)
  return finish(world, ledger, {
    prepared,
    options,
    // Outcomes are of the actions that were planned, whatever was learned of them since.
    outcomes: [...refused, ...executed.value].map((outcome) => ({
      ...outcome,
      action: plan.actions[outcome.number - 1] ?? outcome.action,
    })),
    ...(recorded.ok ? {} : { unrecorded: recorded.error }),
  })
}

async function finish(
  world: World,
  ledger: Ledger,
  at: {
    readonly prepared: Prepared
    readonly options: RunOptions
    readonly outcomes: readonly Outcome[]
    readonly unrecorded?: Trouble
  },
): Promise<Result<Performed, SyncError>> {
  const { prepared, options, outcomes, unrecorded } = at
  const { run, plan } = prepared
  const decided = outcomes.flatMap(({ kind, action }) =>
    kind === "done" && action.conflict !== undefined ? [action.conflict] : [],
  )
  const open = decided.filter(({ copies }) => copies !== undefined).map(({ id }) => id)
  const conflicts = decided.map(({ id }) => id)
  const isStopped = options.isStopped?.() === true
  const exit = isStopped ? 130 : exitOf({ outcomes, notices: plan.notices, open })
  const counts = countsOf(outcomes)
  await ledger.append([...prepared.concluding, { type: "run.finished", counts, exit, conflicts, open }], {
    sync: true,
    run,
  })
  const marked = await markRoot(world, ledger)
  if (!marked.ok) return err({ code: "broken_off", trouble: marked.error })
  return ok({
    outcomes,
    counts,
    exit,
    conflicts,
    open,
    didSomething: true,
    ...(unrecorded !== undefined && { unrecorded }),
  })
}

/**
 * The record follows the marker, so that it is never ahead of it; and at once, so that a copy of the folder from before
 * this run is known to be older.
 */
async function markRoot(world: World, ledger: Ledger): Promise<Result<void, Trouble>> {
  const known = ledger.state().root.marker
  if (known === undefined) return ok(undefined)
  const marker = { root: known.root, sequence: ledger.head().sequence, nonce: world.random.hex128() }
  const written = await world.marker.write(marker)
  if (written.ok) await ledger.append([{ type: "marker.written", ...marker }], { sync: false })
  return written
}

/**
 * Reads a version out of the history store and proves that it is the one that was asked for. A large one is handed out
 * in pieces; the store proves it at their end.
 */
export async function readKept(
  world: World,
  ledger: Ledger,
  hash: ContentHash,
  sizeBytes = 0,
): Promise<Result<Content, Trouble>> {
  const oid = await ledger.keptAt(hash)
  if (oid === undefined) return err({ code: "not_found", path: hash })
  const history = await world.history()
  if (!history.ok) return history
  if (sizeBytes > SMALL_FILE_BYTES_MAX)
    return ok({ kind: "stream", sizeBytes, hash, open: () => history.value.stream(oid) })
  const bytes = await history.value.read(oid)
  if (!bytes.ok) return bytes
  const found = world.sha256(bytes.value)
  return found === hash
    ? ok({ kind: "bytes", bytes: bytes.value, hash: found })
    : err({ code: "hash_mismatch", path: hash })
}
