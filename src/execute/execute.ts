/**
 * Carries out a plan, wave by wave, and says of every action what became of it.
 *
 *     stage ─▶ intents, fsync ─▶ apply ─▶ flush ─▶ epoch ─▶ done ─▶ next wave
 *
 * A wave is small enough to fsync as one. Deletes come last and not at all on a side that had errors: a failed read
 * or write somewhere is the best sign that this side is not well. `done` is journaled only after the effect is durable
 * and the remote's epoch names this run.
 */

import type { Action, Operation } from "../model/action.ts"
import type { Trouble } from "../model/errors.ts"
import type { EventBody, EventOf, JournalEvent, StagedMark } from "../model/event.ts"
import type { ContentHash, Sequence } from "../model/ids.ts"
import type { Backend, Clock, Content, Random } from "../model/ports.ts"
import { err, ok, type Result } from "../model/result.ts"
import { SIDES, type Side } from "../model/side.ts"
import { applyAction, type Attempted, completed, summaryOf } from "./apply.ts"
import { stageAction } from "./stage.ts"

export interface ExecuteDeps {
  readonly sides: { readonly [S in Side]: Backend }
  readonly clock: Clock
  readonly random: Random
  readonly append: (
    bodies: readonly EventBody[],
    options: { readonly sync: boolean },
  ) => Promise<readonly JournalEvent[]>
  readonly readHistory: (hash: ContentHash, sizeBytes: number) => Promise<Result<Content, Trouble>>
  /** Names this run in the remote's epoch; called after writes to the remote and before their `done`s. */
  readonly appendEpoch: () => Promise<Result<EventBody, Trouble>>
  /** Every version that both sides now agree on, while its bytes are at hand. */
  readonly onAgreed: (hash: ContentHash, bytes: Uint8Array) => Promise<void>
  readonly onProgress: (progress: Progress) => void
  readonly isStopped: () => boolean
}

export interface Progress {
  readonly done: number
  readonly of: number
  readonly bytes: number
  readonly ofBytes: number
  readonly action: Action
}

export type Outcome =
  | {
      readonly kind: "done"
      readonly action: Action
      readonly number: number
      readonly afterHash?: ContentHash
      /** The version that was replaced or removed. */
      readonly before?: ContentHash
    }
  | { readonly kind: "skipped"; readonly action: Action; readonly number: number; readonly trouble: Trouble }

/** An action and its position in the plan, from 1. */
export interface Numbered {
  readonly action: Action
  readonly number: number
}

export interface Staged extends Numbered {
  readonly operations: readonly Operation[]
  readonly marks: readonly StagedMark[]
  readonly contents: ReadonlyMap<string, Content>
}

interface Pending {
  readonly staged: Staged
  readonly intent: Sequence
  readonly attempted: Attempted
}

const WAVE_ACTIONS_MAX = 256
const WAVE_BYTES_MAX = 64 * 1024 * 1024
const EPOCH_ACTIONS_MAX = 1000
const EPOCH_INTERVAL_MS = 30_000

export async function execute(
  deps: ExecuteDeps,
  planned: readonly Numbered[],
): Promise<Result<readonly Outcome[], Trouble>> {
  const run = newRun(deps, planned)
  for (const wave of wavesOf(planned)) {
    if (deps.isStopped()) break
    const settled = await runWave(run, wave)
    if (!settled.ok) return settled
  }
  const finished = await finishPending(run)
  return finished.ok ? ok(run.outcomes) : finished
}

export interface Run {
  readonly deps: ExecuteDeps
  readonly outcomes: Outcome[]
  readonly failedSides: Set<Side>
  readonly total: { readonly actions: number; readonly bytes: number }
  pending: Pending[]
  pendingSinceMs: number
  bytesDone: number
}

function newRun(deps: ExecuteDeps, planned: readonly Numbered[]): Run {
  const bytes = planned.reduce((sum, { action }) => sum + action.sizeBytes, 0)
  return {
    deps,
    outcomes: [],
    failedSides: new Set(),
    total: { actions: planned.length, bytes },
    pending: [],
    pendingSinceMs: deps.clock.nowMs(),
    bytesDone: 0,
  }
}

/** Splits at every change of kind, so that what makes room is done before what needs it, and deletes come last. */
function wavesOf(planned: readonly Numbered[]): readonly (readonly Numbered[])[] {
  const waves: Numbered[][] = []
  let bytes = 0
  let kind = ""
  for (const numbered of planned) {
    const { action } = numbered
    const last = waves.at(-1)
    const isFull =
      last === undefined || last.length >= WAVE_ACTIONS_MAX || bytes + action.sizeBytes > WAVE_BYTES_MAX
    if (last === undefined || isFull || kind !== waveKind(action)) {
      waves.push([numbered])
      bytes = 0
    } else last.push(numbered)
    bytes += action.sizeBytes
    kind = waveKind(action)
  }
  return waves
}

function waveKind(action: Action): string {
  if (action.makesRoom) return "room"
  return action.op === "move" || action.op === "delete" ? action.op : "write"
}

/** As many as the slower side is worth. */
function lanesOf({ deps }: Run): number {
  return Math.max(...SIDES.map((side) => deps.sides[side].capabilities.lanes))
}

async function runWave(run: Run, wave: readonly Numbered[]): Promise<Result<void, Trouble>> {
  const { deps } = run
  const staged = await stageWave(run, wave)
  if (staged.length === 0) return ok(undefined)
  const intents = await deps.append(staged.map(intentOf), { sync: true })
  const pending: Pending[] = []
  const sending = together((bodies) => deps.append(bodies, { sync: true }))
  await inLanes(lanesOf(run), staged, async (item, index) => {
    const intent = intents[index]?.seq ?? 0
    const attempted = await applyAction(deps.sides, item, (op) =>
      sending({ type: "delete.sent", intent, op }),
    )
    pending.push({ staged: item, intent, attempted })
    run.bytesDone += item.action.sizeBytes
    deps.onProgress({
      done: run.outcomes.length + run.pending.length + pending.length,
      of: run.total.actions,
      bytes: run.bytesDone,
      ofBytes: run.total.bytes,
      action: item.action,
    })
  })
  run.pending.push(...pending.sort((a, b) => a.staged.number - b.staged.number))
  for (const { staged: item, attempted } of pending)
    if (attempted.kind === "skipped") noteFailure(run, item.action, attempted.trouble)
  const isDue =
    run.pending.length >= EPOCH_ACTIONS_MAX || deps.clock.nowMs() - run.pendingSinceMs >= EPOCH_INTERVAL_MS
  return isDue || pendingBytes(run) > WAVE_BYTES_MAX ? finishPending(run) : ok(undefined)
}

function pendingBytes({ pending }: Run): number {
  return pending.reduce((sum, { staged }) => sum + staged.action.sizeBytes, 0)
}

async function stageWave(run: Run, wave: readonly Numbered[]): Promise<readonly Staged[]> {
  const staged: Staged[] = []
  const failed: { readonly numbered: Numbered; readonly trouble: Trouble }[] = []
  await inLanes(lanesOf(run), wave, async (numbered) => {
    const blocked = deleteBlockedBy(run, numbered.action)
    const result = blocked === undefined ? await stageAction(run.deps, numbered) : err(blocked)
    if (result.ok) staged.push(result.value)
    else failed.push({ numbered, trouble: result.error })
  })
  // One after the other: the journal is a chain.
  failed.sort((a, b) => a.numbered.number - b.numbered.number)
  for (const { numbered, trouble } of failed) await skip(run, numbered, trouble)
  return staged.sort((a, b) => a.number - b.number)
}

function deleteBlockedBy({ failedSides }: Run, { op, steps, path, makesRoom }: Action): Trouble | undefined {
  if (op !== "delete" && !makesRoom) return undefined
  return steps.some(({ side }) => failedSides.has(side)) ? { code: "blocked_by_errors", path } : undefined
}

/** What only changed meanwhile says nothing about the side; any other trouble does, and later waves must know. */
function noteFailure({ failedSides }: Run, { steps }: Action, { code }: Trouble): void {
  if (code === "changed_since" || code === "blocked_by_errors") return
  for (const { side } of steps) failedSides.add(side)
}

async function skip(
  run: Run,
  { action, number }: Numbered,
  trouble: Trouble,
  intent?: Sequence,
): Promise<void> {
  noteFailure(run, action, trouble)
  const detail = trouble.detail === undefined ? {} : { detail: trouble.detail }
  const about = { number, path: action.path, code: trouble.code, ...detail }
  await run.deps.append(
    [intent === undefined ? { type: "skipped", ...about } : { type: "failed", intent, ...about }],
    { sync: false },
  )
  run.outcomes.push({ kind: "skipped", action, number, trouble })
}

/** It must say what is agreed once it took effect: whoever settles it after a crash has not read what we read. */
function intentOf(staged: Staged): EventBody {
  const { action, number, operations, marks } = staged
  return {
    type: "intent",
    number,
    steps: operations.map(({ step }) => step),
    marks,
    after: action.after.map((agreement) => completed(agreement, staged)),
    action: summaryOf(action),
  }
}

/** Makes the effects durable, names the run in the epoch, and only then journals what is done. */
async function finishPending(run: Run): Promise<Result<void, Trouble>> {
  const { deps, pending } = run
  if (pending.length === 0) return ok(undefined)
  const versions = { local: await deps.sides.local.flush(), remote: await deps.sides.remote.flush() }
  for (const side of SIDES) {
    const flushed = versions[side]
    if (!flushed.ok) return flushed
  }
  const bodies: EventBody[] = []
  if (pending.some(({ staged }) => staged.operations.some(({ step }) => step.side === "remote"))) {
    const epoch = await deps.appendEpoch()
    if (!epoch.ok) return epoch
    bodies.push(epoch.value)
  }
  const done = pending.filter(({ attempted }) => attempted.kind === "done")
  for (const { staged, intent, attempted } of done) {
    if (attempted.kind !== "done") continue
    bodies.push(
      attempted.toEvent(
        intent,
        (side, op) => (versions[side].ok ? versions[side].value.get(op) : undefined),
        staged,
      ),
    )
  }
  const events = await deps.append(bodies, { sync: false })
  for (const event of events) {
    if (event.type !== "done") continue
    const staged = done.find(({ intent }) => intent === event.intent)?.staged
    if (staged !== undefined) await concludeAction(run, staged, event)
  }
  for (const { staged, intent, attempted } of pending)
    if (attempted.kind === "skipped")
      await skip(run, staged, attempted.trouble, attempted.isOpen ? undefined : intent)
  run.pending = []
  run.pendingSinceMs = deps.clock.nowMs()
  return ok(undefined)
}

async function concludeAction(
  run: Run,
  staged: Staged,
  { afterHash, before }: EventOf<"done">,
): Promise<void> {
  const { action, number, operations, contents } = staged
  for (const { op, step } of operations) {
    if (step.kind === "remove" || (step.kind === "write" && step.expected.kind === "version"))
      await run.deps.sides[step.side].retireAside(op)
  }
  for (const content of contents.values()) {
    if (content.kind === "bytes") await run.deps.onAgreed(content.hash, content.bytes)
  }
  run.outcomes.push({
    kind: "done",
    action,
    number,
    ...(afterHash !== undefined && { afterHash }),
    ...(before !== undefined && { before }),
  })
}

/** What is asked for while an append is under way goes into the next one: many at once cost one fsync. */
function together(
  append: (bodies: readonly EventBody[]) => Promise<unknown>,
): (body: EventBody) => Promise<void> {
  let waiting: EventBody[] = []
  let next: Promise<unknown> | undefined
  let underWay: Promise<unknown> = Promise.resolve()
  return async (body) => {
    waiting.push(body)
    next ??= underWay.then(() => {
      const bodies = waiting
      waiting = []
      next = undefined
      underWay = append(bodies)
      return underWay
    })
    await next
  }
}

async function inLanes<T>(
  lanes: number,
  items: readonly T[],
  work: (item: T, index: number) => Promise<void>,
): Promise<void> {
  let next = 0
  const lane = async () => {
    while (next < items.length) {
      const index = next++
      const item = items[index]
      if (item !== undefined) await work(item, index)
    }
  }
  await Promise.all(Array.from({ length: Math.min(lanes, items.length) }, lane))
}
