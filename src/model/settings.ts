/** Settings that decide: profiles and limits. Everything a plan depends on beside the three trees. */

import { unreachable } from "./result.ts"

export type ProfileName = "safe" | "balanced" | "fast"
export type ConflictResolve = "none" | "newer"

export interface Profile {
  readonly name: ProfileName
  readonly conflictResolve: ConflictResolve
  /** Most files that one run may delete on one side. */
  readonly maxDelete: number
}

export const PROFILE_NAMES: readonly ProfileName[] = ["safe", "balanced", "fast"]

export function profileNamed(name: ProfileName): Profile {
  switch (name) {
    case "safe":
      return { name, conflictResolve: "none", maxDelete: 10 }
    case "balanced":
      return { name, conflictResolve: "newer", maxDelete: 25 }
    case "fast":
      return { name, conflictResolve: "newer", maxDelete: 50 }
    default:
      return unreachable(name)
  }
}

export function isProfileName(text: string): text is ProfileName {
  return (PROFILE_NAMES as readonly string[]).includes(text)
}

/** Modification times that differ by at most this are a tie: neither is "newer". */
export const TIE_MS = 2000
