/**
 * How numbers, times, names and tables look on a terminal.
 *
 * Owns the look only; never reads a clock and never decides what is printed. Times are shown in the local
 * zone of the process, and the present moment is passed in. Names from outside go through `escapeForTerminal`
 * before anything else here sees them, because a file name may hold an escape sequence.
 */

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"] as const
const BYTE_UNITS = ["KB", "MB", "GB", "TB", "PB"] as const
const SECOND_MS = 1_000
const MINUTE_MS = 60 * SECOND_MS
const HOUR_MS = 60 * MINUTE_MS
const DAY_MS = 24 * HOUR_MS

/** "1,204". */
export function formatCount(n: number): string {
  // By hand: the system's own tables of numbers take longer to load than all else that is printed.
  return String(n).replace(/\B(?=(?:\d{3})+$)/g, ",")
}

/** "1 file", "1,204 files"; `many` is for words that do not take an s. */
export function plural(n: number, one: string, many = `${one}s`): string {
  return `${formatCount(n)} ${n === 1 ? one : many}`
}

/** "312 B", "2.1 KB", "18.4 MB"; 1 KB is 1000 B. */
export function formatBytes(n: number): string {
  if (n < 1_000) return `${n} B`
  let value = n / 1_000
  for (const unit of BYTE_UNITS) {
    // What rounds to 1000.0 belongs to the next unit.
    if (value < 999.95) return `${value.toFixed(1)} ${unit}`
    value /= 1_000
  }
  return `${formatCount(Math.round(value * 1_000))} PB`
}

/** "+312 B", "-40 B". */
export function formatDelta(n: number): string {
  return `${n < 0 ? "-" : "+"}${formatBytes(Math.abs(n))}`
}

/** "10:06". */
export function formatTime(ms: number): string {
  const at = new Date(ms)
  return Number.isNaN(at.getTime()) ? "--:--" : `${twoDigits(at.getHours())}:${twoDigits(at.getMinutes())}`
}

/** "today 10:06", "yesterday 18:40", "1 Feb 09:00", "1 Feb 2025 09:00". */
export function formatWhen(ms: number, nowMs: number): string {
  const at = new Date(ms)
  const now = new Date(nowMs)
  const month = MONTHS[at.getMonth()]
  if (month === undefined) return "at an unknown time"
  const yesterday = new Date(now.getFullYear(), now.getMonth(), now.getDate() - 1)
  if (isSameDay(at, now)) return `today ${formatTime(ms)}`
  if (isSameDay(at, yesterday)) return `yesterday ${formatTime(ms)}`
  const year = at.getFullYear() === now.getFullYear() ? "" : ` ${at.getFullYear()}`
  return `${at.getDate()} ${month}${year} ${formatTime(ms)}`
}

/** "2 minutes ago", for how long ago it is. */
export function formatAgo(ms: number): string {
  if (!(ms >= SECOND_MS)) return "just now"
  if (ms < MINUTE_MS) return `${plural(Math.floor(ms / SECOND_MS), "second")} ago`
  if (ms < HOUR_MS) return `${plural(Math.floor(ms / MINUTE_MS), "minute")} ago`
  if (ms < DAY_MS) return `${plural(Math.floor(ms / HOUR_MS), "hour")} ago`
  return `${plural(Math.floor(ms / DAY_MS), "day")} ago`
}

function isSameDay(a: Date, b: Date): boolean {
  return a.getFullYear() === b.getFullYear() && a.getMonth() === b.getMonth() && a.getDate() === b.getDate()
}

function twoDigits(n: number): string {
  return String(n).padStart(2, "0")
}

/** C0, DEL, C1, line separators, bidirectional controls and halves of surrogate pairs. */
const UNSAFE = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\p{Cs}]/gu
const SHORT_ESCAPES: ReadonlyMap<string, string> = new Map([
  ["\t", "\\t"],
  ["\n", "\\n"],
  ["\r", "\\r"],
])

/** Makes a name or a message from outside safe to print: what could steer a terminal is shown as an escape. */
export function escapeForTerminal(name: string): string {
  return name.replace(UNSAFE, (char) => {
    const code = char.charCodeAt(0)
    const hex =
      code <= 0xff ? `\\x${code.toString(16).padStart(2, "0")}` : `\\u${code.toString(16).padStart(4, "0")}`
    return SHORT_ESCAPES.get(char) ?? hex
  })
}

const COLOR = /\u001b\[[0-9;]*m/g
const PLAIN = /^[\u0020-\u007e]*$/
const NARROW_ZERO = /^[\p{Mn}\p{Me}\p{Cf}]+$/u
const WIDE =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\u33ff\u3400-\u4dbf\u4e00-\ua4cf\ua960-\ua97c\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff01-\uff60\uffe0-\uffe6\u{20000}-\u{3fffd}\p{Emoji_Presentation}]|\ufe0f/u
const graphemes = new Intl.Segmenter("en", { granularity: "grapheme" })

/** Columns that a text takes on a terminal; our own colours take none. */
export function displayWidth(text: string): number {
  const shown = text.replace(COLOR, "")
  if (PLAIN.test(shown)) return shown.length
  let width = 0
  for (const { segment } of graphemes.segment(shown)) {
    if (WIDE.test(segment)) width += 2
    else if (!NARROW_ZERO.test(segment)) width += 1
  }
  return width
}

export type TableRow = readonly [property: string, value: string]

/** The status table stands in the documents at this width; longer content makes it wider. */
const PROPERTY_WIDTH = 19
const VALUE_WIDTH = 26

/** The lines of the table that `bm cloud status` prints. */
export function boxTable(title: string, rows: readonly TableRow[]): readonly string[] {
  const left = Math.max(PROPERTY_WIDTH, ...rows.map(([property]) => displayWidth(property)))
  const right = Math.max(VALUE_WIDTH, ...rows.map(([, value]) => displayWidth(value)))
  const rule = (line: string, corners: string): string =>
    [corners[0], line.repeat(left + 2), corners[1], line.repeat(right + 2), corners[2]].join("")
  const row = (bar: string, [property, value]: TableRow): string =>
    `${bar} ${padEnd(property, left)} ${bar} ${padEnd(value, right)} ${bar}`
  return [
    title,
    rule("━", "┏┳┓"),
    row("┃", ["Property", "Value"]),
    rule("━", "┡╇┩"),
    ...rows.map((one) => row("│", one)),
    rule("─", "└┴┘"),
  ]
}

/**
 * Lines with aligned columns, two spaces apart and without spaces at their ends.
 *
 * Shape: `right` names the columns, from 0, that are aligned to the right.
 */
export function columns(
  rows: readonly (readonly string[])[],
  right: readonly number[] = [],
): readonly string[] {
  const widths: number[] = []
  for (const row of rows) {
    for (const [at, cell] of row.entries()) widths[at] = Math.max(widths[at] ?? 0, displayWidth(cell))
  }
  return rows.map((row) => {
    const cells = row.map((cell, at) => (right.includes(at) ? padStart : padEnd)(cell, widths[at] ?? 0))
    return cells.join("  ").trimEnd()
  })
}

export function padEnd(text: string, width: number): string {
  return text + " ".repeat(Math.max(0, width - displayWidth(text)))
}

export function padStart(text: string, width: number): string {
  return " ".repeat(Math.max(0, width - displayWidth(text))) + text
}
