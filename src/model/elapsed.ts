/** How long it was between two moments, told by two clocks of which neither can be trusted alone. */

export interface Moment {
  readonly monotonicMs: number
  readonly wallMs: number
}

/**
 * The larger of both clocks' answers: a machine that slept stopped one of them, a user may set the other. A clock that
 * went back says nothing about how long it was, so it was for ever.
 */
export function elapsedMs(since: Moment, now: Moment): number {
  const monotonicMs = now.monotonicMs - since.monotonicMs
  const wallMs = now.wallMs - since.wallMs
  if (monotonicMs < 0 || wallMs < 0) return Number.POSITIVE_INFINITY
  return Math.max(monotonicMs, wallMs)
}
