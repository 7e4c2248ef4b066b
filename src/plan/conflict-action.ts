/**
 * Plans what a conflict needs: the loser replaced by the winner, or both versions under names of their own. PURE.
 *
 * An action with several steps is one intent in the journal: after a crash it is finished, not planned again.
 */

import type { Action, Step } from "../model/action.ts"
import type { Change } from "../model/change.ts"
import type { Version } from "../model/entry.ts"
import type { ConflictId } from "../model/ids.ts"
import { assert } from "../model/result.ts"
import { directionTo, otherSide } from "../model/side.ts"
import type { PathState } from "../model/state.ts"
import { agreementOf, expectedOf, keepsOf, writeStep } from "./step.ts"

export type ConflictChange = Extract<Change, { kind: "conflict" | "sidestep" }>
type Rivals = Extract<ConflictChange, { kind: "conflict" }>

export function conflictAction(
  change: ConflictChange,
  state: PathState,
  conflictId: (about: string) => ConflictId,
): Action {
  const id = conflictId(
    JSON.stringify([change.path, state.base?.hash, describe(state.local), describe(state.remote)]),
  )
  if (change.kind === "sidestep") return sidestepAction(change, state, id)
  return change.copies === undefined ? winnerAction(change, state, id) : bothAction(change, state, id)
}

function describe(version: Version | undefined): readonly unknown[] | undefined {
  return version && [version.hash ?? version.token, version.sizeBytes, version.mtimeMs]
}

function winnerAction(change: Rivals, state: PathState, id: ConflictId): Action {
  const { path, decision, reason } = change
  const { winner, isTie: _, ...rest } = decision
  assert(winner !== undefined, "a conflict without copies has a winner")
  const targetSide = otherSide(winner)
  const version = change[winner]
  const loser = change[targetSide]
  return {
    op: "conflict",
    change: "update",
    direction: directionTo(targetSide),
    path,
    reason,
    risk: "conflict",
    sizeBytes: version.sizeBytes,
    ...state,
    conflict: { ...rest, id, winner },
    steps: [writeStep({ path, targetSide, version, sourcePath: path, expected: expectedOf(loser) })],
    keeps: keepsOf(targetSide, path, loser),
    after: [agreementOf(path, version)],
    makesRoom: false,
  }
}

/**
 * Both versions are kept as files. The local one becomes `copies.local` on both sides; the remote one becomes
 * `copies.remote`, or keeps the path where there is no such name.
 */
function bothAction(change: Rivals, state: PathState, id: ConflictId): Action {
  const { path, local, remote, decision, reason, copies } = change
  assert(copies !== undefined, "both versions are kept under names")
  const { isTie, ...rest } = decision
  const absent = expectedOf(undefined)
  const steps: Step[] = [{ kind: "move", side: "local", path, to: copies.local, expected: local }]
  if (copies.remote !== undefined)
    steps.push({ kind: "move", side: "remote", path, to: copies.remote, expected: remote })
  steps.push(
    writeStep({
      path: copies.local,
      targetSide: "remote",
      version: local,
      sourcePath: path,
      expected: absent,
    }),
  )
  steps.push(
    writeStep({
      path: copies.remote ?? path,
      targetSide: "local",
      version: remote,
      sourcePath: path,
      expected: absent,
    }),
  )
  return {
    op: "conflict",
    change: "update",
    direction: "both",
    path,
    reason: isTie && decision.rule === "none" ? "tie" : reason,
    risk: "conflict",
    sizeBytes: local.sizeBytes + remote.sizeBytes,
    ...state,
    conflict: { ...rest, id, copies },
    steps,
    keeps: [],
    after: [
      ...(copies.remote === undefined ? [] : [{ path }]),
      agreementOf(copies.local, local),
      agreementOf(copies.remote ?? path, remote),
    ],
    makesRoom: false,
  }
}

/** A file makes room for a directory: its name changes on its own side, and the other side gets it under the new name. */
function sidestepAction(
  change: Extract<ConflictChange, { kind: "sidestep" }>,
  state: PathState,
  id: ConflictId,
): Action {
  const { path, to, side, version } = change
  const targetSide = otherSide(side)
  return {
    op: "conflict",
    change: "update",
    direction: "both",
    path,
    reason: "both_changed",
    risk: "conflict",
    sizeBytes: version.sizeBytes,
    ...state,
    conflict: { id, rule: "none", copies: { [side]: to }, apartMs: 0, tieMs: 0 },
    steps: [
      { kind: "move", side, path, to, expected: version },
      writeStep({ path: to, targetSide, version, sourcePath: path, expected: expectedOf(undefined) }),
    ],
    keeps: [],
    after: [{ path }, agreementOf(to, version)],
    makesRoom: true,
  }
}
