/** What the history commands read from their flags: moments, kinds, and who to tell while they wait. */

import type { HistoryAccess, RunKind, SyncError, When } from "../index.ts"
import type { Context } from "./context.ts"
import type { Output } from "./output.ts"
import { parseWhen } from "./when.ts"

type Parsed<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: SyncError }

const KINDS: readonly RunKind[] = ["bisync", "resync", "undo", "redo", "resolve"]
const WHOLE_DAY = /^(\d{4}-\d{2}-\d{2}|today|yesterday)$/

export interface SpanOptions {
  readonly since?: When
  readonly until?: When
}

/** A day as an end means all of it, as a beginning its first moment. */
export function parseSpan(
  texts: { readonly since: string | undefined; readonly until: string | undefined },
  nowMs: number,
): Parsed<SpanOptions> {
  const since = texts.since === undefined ? undefined : parseWhen(texts.since, nowMs)
  if (texts.since !== undefined && since === undefined) return notWhen("--since", texts.since)
  const until = texts.until === undefined ? undefined : parseEnd(texts.until, nowMs)
  if (texts.until !== undefined && until === undefined) return notWhen("--until", texts.until)
  return { ok: true, value: { ...(since !== undefined && { since }), ...(until !== undefined && { until }) } }
}

function parseEnd(text: string, nowMs: number): When | undefined {
  const when = parseWhen(text, nowMs)
  if (when?.kind !== "moment" || !WHOLE_DAY.test(text.trim())) return when
  const day = new Date(when.ms)
  return { kind: "moment", ms: new Date(day.getFullYear(), day.getMonth(), day.getDate() + 1).getTime() - 1 }
}

export function notWhen(flag: string, text: string): { readonly ok: false; readonly error: SyncError } {
  return usage(`${flag} does not understand ${JSON.stringify(text)}: write a time, a run, or 2h`)
}

export function parseKind(text: string | undefined): Parsed<RunKind | undefined> {
  const kind = KINDS.find((each) => each === text)
  if (text !== undefined && kind === undefined)
    return usage(`--kind takes ${KINDS.slice(0, -1).join(", ")} or ${KINDS.at(-1)}`)
  return { ok: true, value: kind }
}

export function usage(message: string): { readonly ok: false; readonly error: SyncError } {
  return { ok: false, error: { code: "usage", message } }
}

export function accessOf({ holder }: Context, output: Output): HistoryAccess {
  return { holder, onWait: () => output.note("Another sync is running; waiting up to 10 s for it to finish") }
}

/** A moment as JSON shows it, a run as it was named. */
export function whenJson(when: When): string {
  return when.kind === "moment" ? new Date(when.ms).toISOString() : `${when.run}${when.before ? "-" : ""}`
}
