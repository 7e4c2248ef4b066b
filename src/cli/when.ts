/**
 * WHEN: the words for a moment or a run that `--since`, `--until`, `--at` and `--to` take.
 *
 * Owns the grammar only: whether a run exists, and what a prefix or `@` stands for, is looked up elsewhere.
 * A time without a zone is local. Words that are not understood answer `undefined`, never a guess.
 */

export type When =
  | { readonly kind: "moment"; readonly ms: number }
  /** Just after the run, or just before it. `@` is the newest run, `@-` the one before. */
  | { readonly kind: "run"; readonly run: string; readonly before: boolean }

/** `r` and the digits of `shortId`. */
const RUN = /^(@-?|r[0-9a-hjkmnp-tv-z]+)(-?)$/
const AGO = /^(\d{1,6})([smhdw])(?: ago)?$/
const CLOCK = /^(\d{1,2}):(\d{2})(?::(\d{2}))?$/
const DATE = /^(\d{4})-(\d{2})-(\d{2})$/
const DATE_TIME = /^(\d{4}-\d{2}-\d{2})[T ](\d{2}:\d{2}(?::\d{2})?)(\.\d{1,9})?(Z|[+-]\d{2}:?\d{2})?$/i
const UNIT_MS: ReadonlyMap<string, number> = new Map([
  ["s", 1_000],
  ["m", 60_000],
  ["h", 3_600_000],
  ["d", 86_400_000],
  ["w", 604_800_000],
])
const ZONE_HOURS_MAX = 14
const YEAR_MIN = 1970

/** Reads a WHEN; `undefined` where it is none. */
export function parseWhen(text: string, nowMs: number): When | undefined {
  const word = text.trim()
  const run = RUN.exec(word)
  if (run?.[1] !== undefined) return { kind: "run", run: run[1], before: run[2] === "-" }
  const ms = parseMoment(word, nowMs)
  return ms === undefined ? undefined : { kind: "moment", ms }
}

function parseMoment(word: string, nowMs: number): number | undefined {
  const now = new Date(nowMs)
  if (word === "today") return midnight(now, 0)
  if (word === "yesterday") return midnight(now, -1)
  const ago = AGO.exec(word)
  if (ago !== null) return nowMs - Number(ago[1]) * (UNIT_MS.get(ago[2] ?? "") ?? 0)
  const clock = parseClock(word)
  if (clock !== undefined) return localMs({ date: dayOf(now), clock })
  const date = parseDate(word)
  if (date !== undefined) return midnight(new Date(date.year, date.month - 1, date.day), 0)
  return parseDateTime(word)
}

interface Day {
  readonly year: number
  readonly month: number
  readonly day: number
}

interface Clock {
  readonly hour: number
  readonly minute: number
  readonly second: number
}

function parseDateTime(word: string): number | undefined {
  const [, dateText = "", clockText = "", fraction = "", zone] = DATE_TIME.exec(word) ?? []
  const date = parseDate(dateText)
  const clock = parseClock(clockText)
  if (date === undefined || clock === undefined) return undefined
  const ms = Math.floor(Number(`0${fraction}`) * 1_000)
  if (zone === undefined) return localMs({ date, clock }) + ms
  const offset = parseZoneMs(zone)
  if (offset === undefined) return undefined
  return Date.UTC(date.year, date.month - 1, date.day, clock.hour, clock.minute, clock.second, ms) - offset
}

function parseDate(text: string): Day | undefined {
  const [, year, month, day] = (DATE.exec(text) ?? []).map(Number)
  if (year === undefined || month === undefined || day === undefined || year < YEAR_MIN) return undefined
  // A day that the month does not have would silently become one of the next month.
  const isReal = new Date(Date.UTC(year, month - 1, day)).getUTCDate() === day && month >= 1 && month <= 12
  return isReal ? { year, month, day } : undefined
}

function parseClock(text: string): Clock | undefined {
  const found = CLOCK.exec(text)
  if (found === null) return undefined
  const clock = { hour: Number(found[1]), minute: Number(found[2]), second: Number(found[3] ?? 0) }
  return clock.hour < 24 && clock.minute < 60 && clock.second < 60 ? clock : undefined
}

function parseZoneMs(zone: string): number | undefined {
  if (zone.toUpperCase() === "Z") return 0
  const hours = Number(zone.slice(1, 3))
  const minutes = Number(zone.slice(-2))
  if (hours > ZONE_HOURS_MAX || minutes > 59) return undefined
  return (zone.startsWith("-") ? -1 : 1) * (hours * 60 + minutes) * 60_000
}

function dayOf(at: Date): Day {
  return { year: at.getFullYear(), month: at.getMonth() + 1, day: at.getDate() }
}

function midnight(at: Date, days: number): number {
  return new Date(at.getFullYear(), at.getMonth(), at.getDate() + days).getTime()
}

function localMs({ date, clock }: { readonly date: Day; readonly clock: Clock }): number {
  const { year, month, day } = date
  return new Date(year, month - 1, day, clock.hour, clock.minute, clock.second).getTime()
}
