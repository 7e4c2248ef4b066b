/**
 * The pause of a watcher: a small private file that says until when, beside the configuration.
 *
 * A watcher looks at it before each run and obeys it whoever wrote it. One that cannot be understood is none: notes that
 * sync although they should wait are the smaller trouble than notes that never sync again.
 */

import { join } from "node:path"
import type { SyncError, TroubleCode } from "../model/errors.ts"
import { err, ok, type Result } from "../model/result.ts"
import { readSmallFile, removeSmallFile, replaceSmallFile } from "./small-file.ts"

export interface Pause {
  readonly sinceMs: number
  /** Unix milliseconds; absent where it lasts until somebody resumes. */
  readonly untilMs?: number
}

const SCHEMA = "bm.pause-file/1"
const DURATION = /^(\d{1,6})([smhdw])$/
const UNIT_MS: ReadonlyMap<string, number> = new Map([
  ["s", 1_000],
  ["m", 60_000],
  ["h", 3_600_000],
  ["d", 86_400_000],
  ["w", 604_800_000],
])

/** Milliseconds of `90s`, `30m`, `2h`, `1d` or `1w`; `undefined` where it is no such length, or none at all. */
export function parseDuration(text: string): number | undefined {
  const [, count = "", unit = ""] = DURATION.exec(text.trim()) ?? []
  const ms = Number(count) * (UNIT_MS.get(unit) ?? 0)
  return ms > 0 ? ms : undefined
}

/** Takes the place of an earlier pause. Without an end it lasts until it is resumed. */
export function pause(
  stateRoot: string,
  untilMs: number | undefined,
  nowMs: number,
): Result<Pause, SyncError> {
  const file = fileOf(stateRoot)
  const content = {
    schema: SCHEMA,
    since: timeOf(nowMs),
    until: untilMs === undefined ? null : timeOf(untilMs),
  }
  const written = replaceSmallFile(file, `${JSON.stringify(content)}\n`)
  return written.ok
    ? ok({ sinceMs: nowMs, ...(untilMs !== undefined && { untilMs }) })
    : notWritten(file, written.error)
}

/** True where there was something to end, a damaged one too; what was over by itself was nothing any more. */
export function resume(stateRoot: string, nowMs: number): Result<boolean, SyncError> {
  const file = fileOf(stateRoot)
  const found = parsePause(readSmallFile(file) ?? "")
  const removed = removeSmallFile(file)
  return removed.ok ? ok(removed.value && !isOver(found, nowMs)) : notWritten(file, removed.error)
}

/** `undefined` where nothing is paused, or no longer. */
export function readPause(stateRoot: string, nowMs: number): Pause | undefined {
  const found = parsePause(readSmallFile(fileOf(stateRoot)) ?? "")
  return isOver(found, nowMs) ? undefined : found
}

function isOver(found: Pause | undefined, nowMs: number): boolean {
  return found?.untilMs !== undefined && found.untilMs <= nowMs
}

function parsePause(text: string): Pause | undefined {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return undefined
  }
  if (typeof value !== "object" || value === null || !("schema" in value) || value.schema !== SCHEMA)
    return undefined
  if (!("since" in value) || !("until" in value)) return undefined
  const sinceMs = momentOf(value.since)
  if (sinceMs === undefined) return undefined
  if (value.until === null) return { sinceMs }
  const untilMs = momentOf(value.until)
  return untilMs === undefined ? undefined : { sinceMs, untilMs }
}

function momentOf(value: unknown): number | undefined {
  const ms = typeof value === "string" ? Date.parse(value) : Number.NaN
  return Number.isNaN(ms) ? undefined : ms
}

function timeOf(ms: number): string {
  return new Date(ms).toISOString()
}

const TROUBLES: ReadonlyMap<string, TroubleCode> = new Map([
  ["ENOSPC", "no_space"],
  ["EDQUOT", "no_space"],
  ["EACCES", "no_permission"],
  ["EPERM", "no_permission"],
  ["EROFS", "read_only"],
  ["EISDIR", "in_the_way"],
])

function notWritten(path: string, word: string): Result<never, SyncError> {
  const code = TROUBLES.get(word) ?? "io"
  return err({ code: "state_write_failed", trouble: { code, path, detail: word } })
}

function fileOf(stateRoot: string): string {
  return join(stateRoot, "watch-pause.json")
}
