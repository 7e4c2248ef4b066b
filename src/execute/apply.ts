/**
 * Applies the staged steps of one action in their order, and says what happened as the `done` event it will become.
 *
 * Each backend checks the step's precondition at the write itself. The first step that finds something else than was
 * planned ends the action; what its earlier steps did is seen by the next observation.
 */

import type { Action, Step } from "../model/action.ts"
import { type Version, withOrigin } from "../model/entry.ts"
import type { Trouble } from "../model/errors.ts"
import type { ActionSummary, EventBody, StepResult } from "../model/event.ts"
import type { ContentHash, OpId, Sequence } from "../model/ids.ts"
import type { Applied, Backend } from "../model/ports.ts"
import type { Side } from "../model/side.ts"
import type { Agreement } from "../model/state.ts"
import type { Staged } from "./execute.ts"

export type FindVersion = (side: Side, op: OpId) => Version | undefined

export type Attempted =
  | {
      readonly kind: "done"
      readonly toEvent: (intent: Sequence, versionOf: FindVersion, staged: Staged) => EventBody
    }
  /** `isOpen`: nobody can say whether the step took effect, so its intent stays open until somebody looks. */
  | { readonly kind: "skipped"; readonly trouble: Trouble; readonly isOpen: boolean }

type Effect = Extract<Applied, { kind: "applied" }>

export async function applyAction(
  sides: { readonly [S in Side]: Backend },
  staged: Staged,
  sending: (op: OpId) => Promise<void>,
): Promise<Attempted> {
  const effects: Effect[] = []
  for (const [index, operation] of staged.operations.entries()) {
    const mark = staged.marks[index] ?? { op: operation.op }
    const applied = await sides[operation.step.side].apply(operation, mark, () => sending(operation.op))
    if (applied.ok && applied.value.kind === "applied") {
      effects.push(applied.value)
      continue
    }
    for (const later of staged.operations.slice(index + 1)) await sides[later.step.side].unstage(later)
    const trouble: Trouble = applied.ok ? { code: "changed_since", path: operation.step.path } : applied.error
    return { kind: "skipped", trouble, isOpen: !applied.ok }
  }
  return { kind: "done", toEvent: (intent, versionOf) => doneEvent({ staged, intent, effects, versionOf }) }
}

function doneEvent(at: {
  readonly staged: Staged
  readonly intent: Sequence
  readonly effects: readonly Effect[]
  readonly versionOf: FindVersion
}): EventBody {
  const { staged, intent, effects, versionOf } = at
  const { action, number, operations } = staged
  const results = operations.flatMap(({ op, step }, index) =>
    resultsOf({
      op,
      step,
      effect: effects[index],
      version: versionOf(step.side, op),
      hash: hashOf(staged, op, step),
    }),
  )
  const after = action.after.map((agreement) => completed(agreement, staged))
  const afterHash = after.at(-1)?.content?.hash
  return {
    type: "done",
    number,
    intent,
    ...summaryOf(action),
    ...(afterHash !== undefined && { afterHash }),
    results: [...sourcesRead(staged), ...results],
    after,
  }
}

/** What was read in order to copy it is known by its hash from now on, and need not be read again to be compared. */
function sourcesRead({ operations, contents }: Staged): readonly StepResult[] {
  return operations.flatMap(({ op, step }): readonly StepResult[] => {
    const content = contents.get(op)
    if (step.kind !== "write" || step.source.kind !== "side" || content === undefined) return []
    const { side, path, version } = step.source
    const isNews = version.hash === undefined || version.isUploadTime === true
    return path === step.path && isNews
      ? [{ op, side, path, version: { ...withOrigin(version, content.origin), hash: content.hash } }]
      : []
  })
}

export function summaryOf(action: Action): ActionSummary {
  const { op, change, direction, reason, path, to, sizeBytes, keeps, conflict } = action
  const replaced = keeps[0]?.version
  return {
    op,
    change,
    direction,
    reason,
    path,
    ...(to !== undefined && { to }),
    sizeBytes,
    ...(replaced?.hash !== undefined && { before: replaced.hash, beforeSizeBytes: replaced.sizeBytes }),
    ...(conflict !== undefined && { conflict: conflict.id }),
  }
}

/** The hash that the step left at its goal: of the content written, or of the version moved. */
function hashOf({ contents }: Staged, op: OpId, step: Step): ContentHash | undefined {
  if (step.kind === "write") return contents.get(op)?.hash
  return step.kind === "move" ? step.expected.hash : undefined
}

function resultsOf(at: {
  readonly op: OpId
  readonly step: Step
  readonly effect: Effect | undefined
  readonly version: Version | undefined
  readonly hash: ContentHash | undefined
}): readonly StepResult[] {
  const { op, step, effect, version, hash } = at
  const aside = effect?.aside === undefined ? {} : { aside: effect.aside }
  switch (step.kind) {
    case "remove":
      return [{ op, side: step.side, path: step.path, ...aside }]
    case "write":
      return [
        {
          op,
          side: step.side,
          path: step.path,
          ...aside,
          ...withHash(version, { hash, sizeBytes: step.sizeBytes }),
        },
      ]
    case "move":
      return [
        { op, side: step.side, path: step.path },
        {
          op,
          side: step.side,
          path: step.to,
          ...withHash(version, { hash, sizeBytes: step.expected.sizeBytes, mtimeMs: step.expected.mtimeMs }),
        },
      ]
  }
}

/** The hash belongs to the version only if nobody has written there since; otherwise the next look reads it. */
function withHash(
  version: Version | undefined,
  expected: { readonly hash: ContentHash | undefined; readonly sizeBytes: number; readonly mtimeMs?: number },
): { readonly version?: Version } {
  if (version === undefined) return {}
  const isUntouched =
    version.sizeBytes === expected.sizeBytes &&
    (expected.mtimeMs === undefined || version.mtimeMs === expected.mtimeMs)
  return {
    version: isUntouched && expected.hash !== undefined ? { ...version, hash: expected.hash } : version,
  }
}

/** Where the plan could not name the content or its time yet, what was read names them. */
export function completed(agreement: Agreement, { operations, contents }: Staged): Agreement {
  if (agreement.content === undefined) return agreement
  for (const { op, step } of operations) {
    const content = contents.get(op)
    if (step.kind !== "write" || step.path !== agreement.path || content === undefined) continue
    const planned = agreement.content
    const isOfSource =
      step.source.kind === "side" &&
      step.source.version.isUploadTime === true &&
      step.source.version.mtimeMs === planned.mtimeMs
    const mtimeMs = isOfSource ? step.mtimeMs : planned.mtimeMs
    return { ...agreement, content: { ...planned, hash: content.hash, mtimeMs } }
  }
  return agreement
}
