/**
 * When a device may write to a remote that keeps no conditions, and when another one's flag says nothing any more. PURE.
 *
 * Two devices that both put their flag before they list the flags must see each other, so at most one goes on. No write
 * is sent later than five minutes after the last confirmed renewal was sent, and lands within five more; a flag that has
 * not changed for ten minutes belongs to nobody who may still write.
 */

import { elapsedMs, type Moment } from "../model/elapsed.ts"

export const RENEW_AFTER_MS = 2 * 60_000
export const WRITE_WITHIN_MS = 5 * 60_000
/** A write may be sent again for two minutes, and the last time still within the five. */
export const START_WITHIN_MS = 3 * 60_000
export const DEAD_AFTER_MS = 10 * 60_000

/** `sentAt`: when the last renewal that was confirmed was sent, not when its answer came. */
export function mayWriteAt(sentAt: Moment, now: Moment): boolean {
  return elapsedMs(sentAt, now) < WRITE_WITHIN_MS
}

/** May a write begin that its transport may still repeat? */
export function mayStartAt(sentAt: Moment, now: Moment): boolean {
  return elapsedMs(sentAt, now) < START_WITHIN_MS
}

export function isRenewalDue(sentAt: Moment, now: Moment): boolean {
  return elapsedMs(sentAt, now) >= RENEW_AFTER_MS
}

/** Later than this others may have begun to write: a new flag would only hide that. */
export function mayRenewAt(sentAt: Moment, now: Moment): boolean {
  return mayWriteAt(sentAt, now)
}

/** A write whose fate is unknown may still land; the flag then stands until nobody can be surprised by it. */
export function mayTakeAway(writes: { readonly unanswered: number }): boolean {
  return writes.unanswered === 0
}

/** What one look at the flags told, and when. A listing shows what was at some time while it was under way. */
export interface Sighting {
  readonly isSameAsBefore: boolean
  /** By the observer's monotonic clock: when the answer came that first showed this content. */
  readonly firstSeenMs: number
  /** By the same clock: when this listing was sent, not when it was answered. */
  readonly lookedMs: number
  /** How old the flag was by the storage's own clock, where it has one, at the latest when the answer came. */
  readonly ageMs?: number
  /** How long the listing was under way. */
  readonly tookMs: number
}

export function isDead({ isSameAsBefore, firstSeenMs, lookedMs, ageMs, tookMs }: Sighting): boolean {
  if (ageMs !== undefined && ageMs - tookMs >= DEAD_AFTER_MS) return true
  return isSameAsBefore && lookedMs - firstSeenMs >= DEAD_AFTER_MS
}

/** Every acquisition has a flag of its own, so that a request of an older one that arrives late cannot touch it. */
export function flagName(device: string, nonce: string): string {
  return `${device}.${nonce}`
}

export function isFlagOf(device: string, name: string): boolean {
  return name.startsWith(`${device}.`)
}
