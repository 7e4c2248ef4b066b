/**
 * One line of CSV as RFC 4180 has it, safe to open in a spreadsheet.
 *
 * A text that a spreadsheet would take for a formula gets a leading `'`. One that already has
 * such a `'` gets another, so that removing one always gives the text again. Never ends the line.
 */

/** What a spreadsheet runs, behind any number of `'`. */
const FORMULA = /^'*[=+\-@\t\r]/

/** Joins cells; a number is written as it is, an absent value as an empty cell. */
export function csvLine(cells: readonly (string | number | undefined)[]): string {
  return cells.map((cell) => (typeof cell === "string" ? quote(guard(cell)) : String(cell ?? ""))).join(",")
}

function guard(cell: string): string {
  return FORMULA.test(cell) ? `'${cell}` : cell
}

function quote(cell: string): string {
  return /[",\r\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell
}
