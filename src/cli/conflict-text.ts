/** A conflict in words and as JSON: what was decided, what became of it, and what its versions are called. */

import type { ConflictEvidence, ConflictRecord, Version } from "../index.ts"
import { escapeForTerminal, formatWhen } from "./format.ts"

type Side = "local" | "remote"

/** "here", "cloud", or the device that wrote the version in the cloud. */
function whoHas(record: ConflictRecord, side: Side): string {
  if (side === "local") return "here"
  const device = record.remote?.device
  return device === undefined ? "cloud" : escapeForTerminal(device)
}

export function decisionText(record: ConflictRecord): string {
  const { rule, winner, loser, copies } = record.decision
  if (winner !== undefined && loser !== undefined) {
    const wins = `${whoHas(record, winner)} > ${whoHas(record, loser)}`
    return rule === "earlier" ? `an earlier version gives way: ${wins}` : `newer wins: ${wins}`
  }
  if (record.isTie) return "tie: both kept"
  const isPair = record.local !== undefined && record.remote !== undefined
  return isPair || copies === undefined ? "safe: both kept" : "a folder has the name: both kept"
}

export function stateText({ state, closed }: ConflictRecord): string {
  const by = closed?.run === undefined ? "" : ` by ${closed.run}`
  if (state === "undone") return `undone${by}`
  if (state === "resolved") return closed?.how === "by_hand" ? "resolved by hand" : `resolved${by}`
  return state
}

/** "today 10:05" is said as "10:05": a conflict is mostly looked at when it is young. */
function shortWhen(ms: number, nowMs: number): string {
  return formatWhen(ms, nowMs).replace(/^today /, "")
}

/** "cloud 10:00 (mira-phone)". */
export function versionLabel(
  record: ConflictRecord,
  name: "base" | Side,
  at: { readonly nowMs: number; readonly deviceName: string },
): string {
  const version = record[name]
  const when = version === undefined ? "" : ` ${shortWhen(version.mtimeMs, at.nowMs)}`
  if (name === "base") return `base${when}`
  const device = name === "local" ? at.deviceName : record.remote?.device
  const role = roleOf(record, name)
  return `${name === "local" ? "here" : "cloud"}${when}${device === undefined ? "" : ` (${escapeForTerminal(device)})`}${role === "" ? "" : `  ${role}`}`
}

export function roleOf({ decision }: ConflictRecord, side: Side): "winner" | "loser" | "" {
  if (decision.winner === undefined) return ""
  return decision.winner === side ? "winner" : "loser"
}

export function conflictJson(record: ConflictRecord, evidence: ConflictEvidence | undefined): object {
  const { id, state, path, run, atMs, decision, closed, isTie } = record
  const by = closed?.run ?? null
  return {
    conflict: id,
    state,
    path,
    run,
    at: new Date(atMs).toISOString(),
    rule: decision.rule,
    ...(isTie && { reason: "tie" }),
    winner: decision.winner ?? null,
    loser: decision.loser ?? null,
    files: decision.copies ?? null,
    ...(evidence !== undefined && {
      loser_only_lines: evidence.loserOnlyLines ?? null,
      mergeable: evidence.isMergeable,
    }),
    ...(state === "undone" && { undone_by: by }),
    ...(state === "resolved" && { resolved: closed?.how ?? null, resolved_by: by }),
  }
}

export function versionJson(version: Version, kept: string | undefined): object {
  const { hash, sizeBytes, mtimeMs, device } = version
  return {
    sha256: hash ?? null,
    size: sizeBytes,
    ...(device !== undefined && { device }),
    mtime: new Date(mtimeMs).toISOString(),
    ...(kept !== undefined && { kept: `git:${kept}` }),
  }
}
