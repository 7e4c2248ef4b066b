/**
 * Judges each step of an undo against what lies there now: put back, leave, merge, or refuse.
 *
 * A path that holds what the undone change left gets its old version back. A path that was changed since keeps that
 * change: merged where it is clean, otherwise as `--if-changed` says, and by default the whole undo is refused.
 */

import type { ContentSource } from "../model/action.ts"
import type { Unknown, Version } from "../model/entry.ts"
import type { Overlap, SyncError, Trouble } from "../model/errors.ts"
import type { UndoStep } from "../model/event.ts"
import type { ContentHash } from "../model/ids.ts"
import type { RelativePath } from "../model/path.ts"
import { err, ok, type Result } from "../model/result.ts"
import { SIDES, type Side } from "../model/side.ts"
import type { PathState, State } from "../model/state.ts"
import { linesOnlyIn } from "../history/diff.ts"
import { mergeText } from "../history/merge.ts"
import type { Goal } from "../plan/undo-action.ts"
import { namesOver } from "../reconcile/names.ts"
import { viewOf } from "../reconcile/sight.ts"
import type { Ledger } from "./ledger.ts"
import { readKept } from "./perform.ts"
import type { UndoRequest } from "./undo.ts"
import type { World } from "./world.ts"

export type IfChanged = "merge" | "skip" | "keep-both" | "overwrite"

export interface Judged {
  readonly path: RelativePath
  readonly result: "restored" | "merged" | "deleted" | "skipped" | "kept_both" | "same" | "unknown"
  readonly goal?: Goal
  /** Name of the old version where both are kept. */
  readonly copy?: RelativePath
  readonly linesBack?: number
}

interface Judging {
  readonly world: World
  readonly ledger: Ledger
  readonly state: State
  readonly unknowns: { readonly [S in Side]: readonly Unknown[] }
  readonly request: UndoRequest
}

export async function judgeSteps(judging: Judging): Promise<Result<readonly Judged[], SyncError>> {
  const { state, unknowns, request } = judging
  const view = viewOf({ paths: state.paths, unknowns })
  const names = namesOver((path) => state.paths.has(path))
  const judged: Judged[] = []
  const overlaps: Overlap[] = []
  for (const step of request.steps) {
    const isHidden = SIDES.some((side) => view.see(side, step.path).kind === "unknown")
    const result = isHidden
      ? ok<Judged>({ path: step.path, result: "unknown" })
      : await judgeStep(judging, step, (path) => names.takeOne(path, "any"))
    if (!result.ok) return result
    if (result.value === "overlap") overlaps.push(overlapOf(state, step.path))
    else judged.push(result.value)
  }
  if (overlaps.length > 0)
    return err({ code: "undo_overlap", target: request.name, total: request.steps.length, overlaps })
  return ok(judged)
}

function overlapOf(state: State, path: RelativePath): Overlap {
  const run = state.paths.get(path)?.base?.run
  return { path, ...(run !== undefined && { run }) }
}

async function judgeStep(
  judging: Judging,
  step: UndoStep,
  freeName: (path: RelativePath) => RelativePath,
): Promise<Result<Judged | "overlap", SyncError>> {
  const { path, from, to } = step
  const current = currentOf(judging.state.paths.get(path))
  if (current.kind === "settled" && current.hash === to) return ok({ path, result: "same" })
  if (current.kind === "settled" && current.hash === from) return putBack(judging, step)
  switch (judging.request.ifChanged) {
    case "skip":
      return ok({ path, result: "skipped" })
    case "overwrite":
      return putBack(judging, step)
    case "keep-both": {
      if (to === undefined) return ok({ path, result: "skipped" })
      const copy = freeName(path)
      const kept = await putBack(judging, {
        path: copy,
        to,
        ...(step.toSizeBytes !== undefined && { toSizeBytes: step.toSizeBytes }),
      })
      return kept.ok ? ok({ ...kept.value, path, copy, result: "kept_both" }) : kept
    }
    case "merge":
      return current.kind === "settled" ? mergeStep(judging, step, current) : ok("overlap")
  }
}

export type Current =
  | {
      readonly kind: "settled"
      readonly hash: ContentHash | undefined
      readonly side?: Side
      readonly version?: Version
    }
  /** Both sides were edited and not synced yet. */
  | { readonly kind: "torn" }

/** What the path holds: what both sides agree on, or the one edit that is still to be synced. */
export function currentOf(state: PathState | undefined): Current {
  const { base, local, remote } = state ?? {}
  const settled = (side: Side, version: Version | undefined): Current => ({
    kind: "settled",
    hash: version?.hash,
    side,
    ...(version !== undefined && { version }),
  })
  if (local?.hash === remote?.hash) return settled("local", local)
  if (remote?.hash === base?.hash) return settled("local", local)
  if (local?.hash === base?.hash) return settled("remote", remote)
  return { kind: "torn" }
}

async function putBack(
  { world, ledger }: Pick<Judging, "world" | "ledger">,
  { path, to, toSizeBytes }: UndoStep,
): Promise<Result<Judged, SyncError>> {
  if (to === undefined) return ok({ path, result: "deleted", goal: { path, op: "restore" } })
  const sizeBytes = await keptSize({ world, ledger }, to, toSizeBytes)
  if (sizeBytes === undefined)
    return err({ code: "not_undoable", target: path, why: "version_not_here", path })
  const content = { hash: to, sizeBytes, source: { kind: "history", hash: to } } as const
  return ok({ path, result: "restored", goal: { path, op: "restore", content } })
}

/** Size of a version that the history store has; it is read only where the journal does not say. */
async function keptSize(
  { world, ledger }: Pick<Judging, "world" | "ledger">,
  hash: ContentHash,
  known: number | undefined,
): Promise<number | undefined> {
  if (known !== undefined) return (await ledger.keptAt(hash)) === undefined ? undefined : known
  const content = await readKept(world, ledger, hash)
  return content.ok && content.value.kind === "bytes" ? content.value.bytes.length : undefined
}

/** Three-way: the undone change taken out of what is there now. */
async function mergeStep(
  judging: Judging,
  { path, from, to }: UndoStep,
  current: Extract<Current, { kind: "settled" }>,
): Promise<Result<Judged | "overlap", SyncError>> {
  if (from === undefined || to === undefined || current.version === undefined || current.side === undefined)
    return ok("overlap")
  const { world, ledger } = judging
  const [base, theirs] = [await readKept(world, ledger, from), await readKept(world, ledger, to)]
  if (!base.ok || !theirs.ok || base.value.kind !== "bytes" || theirs.value.kind !== "bytes")
    return err({ code: "not_undoable", target: path, why: "version_not_here", path })
  const ours = await world.sides[current.side].read(path, current.version)
  if (!ours.ok) return err(unreadable(current.side, ours.error))
  if (ours.value.kind !== "bytes") return ok("overlap")
  const merged = mergeText({ base: base.value.bytes, ours: ours.value.bytes, theirs: theirs.value.bytes })
  if (merged.kind !== "clean") return ok("overlap")
  const hash = world.sha256(merged.bytes)
  const source: ContentSource = { kind: "inline", hash, base64: Buffer.from(merged.bytes).toString("base64") }
  return ok({
    path,
    result: "merged",
    goal: { path, op: "merge", content: { hash, sizeBytes: merged.bytes.length, source } },
    linesBack: linesOnlyIn(merged.bytes, ours.value.bytes)?.length ?? 0,
  })
}

function unreadable(side: Side, trouble: Trouble): SyncError {
  return { code: "side_unreadable", side, trouble }
}
