/**
 * When a delete in two steps may be sent, and when one that somebody else began may be finished. PURE.
 *
 * A tombstone replaces the note by a conditional PUT; the DELETE that follows has no condition, so it must be certain to
 * arrive while the tombstone still stands. Nobody touches a tombstone for ten minutes, and no DELETE is sent later than
 * 30 seconds after the first attempt of its PUT left; an expiry of 60 seconds, kept by the server, covers the rest.
 */

import { elapsedMs, type Moment } from "../model/elapsed.ts"

/** Objects of exactly this size that nobody knows are looked at before they are taken for a note. */
export const TOMBSTONE_BYTES = 4099
export const SEND_WITHIN_MS = 30_000
export const EXPIRES_IN_S = 60
const ABANDONED_MS = 10 * 60_000
/** Where a server takes a late request, only time keeps it away. */
const ABANDONED_UNREFUSED_MS = 20 * 60_000

/** `sentAt`: when the first attempt of the tombstone's PUT was sent, not when it was answered. */
export function mayStillSend(sentAt: Moment, now: Moment): boolean {
  return elapsedMs(sentAt, now) < SEND_WITHIN_MS
}

/** One attempt to put a tombstone: a takeover by the same operation has a nonce of its own. */
export interface TombstoneMark {
  readonly op: string
  readonly nonce: string
}

/**
 * After an answer that says no: what stands is this very attempt, whose first answer was lost. The operation alone does
 * not tell: the tombstone that was to be taken over may be its own, and that one's clock ran out long ago.
 */
export function isSameTombstone(found: Partial<TombstoneMark> | undefined, mine: TombstoneMark): boolean {
  return found !== undefined && found.op === mine.op && found.nonce === mine.nonce
}

/** Before its DELETE was about to be sent nothing can arrive late, so its owner need not wait for its own. */
export function mayTakeOver(tombstone: {
  readonly isOwn: boolean
  readonly isSent: boolean
  readonly isAbandoned: boolean
}): boolean {
  return tombstone.isAbandoned || (tombstone.isOwn && !tombstone.isSent)
}

/** By the server's own clock; without it nothing is ever abandoned. */
export function isAbandonedAfter(
  ageMs: number | undefined,
  { refusesLate }: { readonly refusesLate: boolean },
): boolean {
  return ageMs !== undefined && ageMs > (refusesLate ? ABANDONED_MS : ABANDONED_UNREFUSED_MS)
}
