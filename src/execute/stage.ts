/**
 * Brings the bytes of an action close to where they go, before anything that anyone sees is changed.
 *
 * Content is read as exactly the version that was planned and compared with the planned hash: what the plan showed is
 * what is written, or the action does not happen.
 */

import type { Action, Operation, Step } from "../model/action.ts"
import type { Trouble } from "../model/errors.ts"
import type { StagedMark } from "../model/event.ts"
import { mustContentHash, type OpId } from "../model/ids.ts"
import type { Content } from "../model/ports.ts"
import { err, ok, type Result } from "../model/result.ts"
import { otherSide } from "../model/side.ts"
import type { ExecuteDeps, Numbered, Staged } from "./execute.ts"

type WriteStep = Extract<Step, { kind: "write" }>

export async function stageAction(
  deps: ExecuteDeps,
  { action, number }: Numbered,
): Promise<Result<Staged, Trouble>> {
  const gone = await isStillGone(deps, action)
  if (!gone.ok) return gone
  const planned = action.steps.map((step): Operation => ({ op: deps.random.hex128() as OpId, step }))
  const operations: Operation[] = []
  const marks: StagedMark[] = []
  const contents = new Map<string, Content>()
  for (const operation of planned) {
    const staged = await stageStep(deps, operation)
    if (!staged.ok) {
      for (const earlier of operations) await deps.sides[earlier.step.side].unstage(earlier)
      return staged
    }
    operations.push(staged.value.operation)
    marks.push(staged.value.mark)
    if (staged.value.content !== undefined) contents.set(operation.op, staged.value.content)
  }
  return ok({ action, number, operations, marks, contents })
}

/**
 * A delete is justified by a name that is gone on the other side. Where others write without our knowledge, it may have
 * been gone for a moment only: between an editor's delete and create, or within another device's guarded replace. So
 * it is looked at once more, just before.
 */
async function isStillGone(deps: ExecuteDeps, action: Action): Promise<Result<void, Trouble>> {
  if (action.op !== "delete") return ok(undefined)
  for (const { side, path } of action.steps) {
    const other = otherSide(side)
    const backend = deps.sides[other]
    if (action[other] !== undefined || backend.capabilities.guard === "conditional") continue
    const seen = await backend.look(path)
    if (!seen.ok) return seen
    if (seen.value !== undefined) return err({ code: "changed_since", path })
  }
  return ok(undefined)
}

interface StagedStep {
  readonly operation: Operation
  readonly mark: StagedMark
  readonly content?: Content
}

/** A storage may name a hash that proves wrong only at the end of a stream; it knows better the second time. */
const READINGS_MAX = 2

async function stageStep(deps: ExecuteDeps, operation: Operation): Promise<Result<StagedStep, Trouble>> {
  const { step } = operation
  const backend = deps.sides[step.side]
  if (step.kind !== "write") {
    const mark = await backend.stage(operation, undefined)
    return mark.ok ? ok({ operation, mark: mark.value }) : mark
  }
  for (let reading = 1; ; reading++) {
    const content = await contentOf(deps, step)
    if (!content.ok) return content
    const timed = { op: operation.op, step: withTimeOf(step, content.value) }
    const mark = await backend.stage(timed, content.value)
    if (mark.ok) return ok({ operation: timed, mark: mark.value, content: content.value })
    if (mark.error.code !== "hash_mismatch" || reading >= READINGS_MAX) return mark
  }
}

/** The plan may know only when the storage got the version; its content comes with the user's time. */
function withTimeOf(step: WriteStep, { origin }: Content): WriteStep {
  const { source, mtimeMs } = step
  const isUnknown =
    source.kind === "side" && source.version.isUploadTime === true && source.version.mtimeMs === mtimeMs
  return isUnknown && origin !== undefined ? { ...step, mtimeMs: origin.mtimeMs } : step
}

async function contentOf(deps: ExecuteDeps, step: WriteStep): Promise<Result<Content, Trouble>> {
  const content = await readSource(deps, step)
  if (!content.ok) return content
  if (step.hash !== undefined && step.hash !== content.value.hash)
    return err({ code: "changed_since", path: step.path })
  return content
}

async function readSource(
  deps: ExecuteDeps,
  { source, sizeBytes }: WriteStep,
): Promise<Result<Content, Trouble>> {
  switch (source.kind) {
    case "side":
      return deps.sides[source.side].read(source.path, source.version)
    case "history":
      return deps.readHistory(source.hash, sizeBytes)
    case "inline":
      return ok({
        kind: "bytes",
        bytes: Buffer.from(source.base64, "base64"),
        hash: mustContentHash(source.hash),
      })
  }
}
