/**
 * The journal's own keys, in byte order (docs/journal-format.md). What is derived from events lives under `s!` and `i!`.
 */

import type { Sequence } from "../model/ids.ts"

const DIGITS = 16

export const HEAD_KEY = "m!head"
export const EVENT_RANGE = { from: "e!", before: 'e"' }

export function eventKey(sequence: Sequence): string {
  return `e!${String(sequence).padStart(DIGITS, "0")}`
}
