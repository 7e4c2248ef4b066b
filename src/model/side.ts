/** The two sides of a sync, always named in this order. */

export type Side = "local" | "remote"

export const SIDES: readonly Side[] = ["local", "remote"]

export function otherSide(side: Side): Side {
  return side === "local" ? "remote" : "local"
}

export type Direction = "up" | "down" | "both"

/** A change travels up when it is written to the remote. */
export function directionTo(targetSide: Side): Direction {
  return targetSide === "remote" ? "up" : "down"
}
