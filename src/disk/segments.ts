/**
 * Splits a path into its names, and refuses what could lead elsewhere: rule 1 of the containment guarantee.
 *
 * It is the last line of defence, segment by segment, just before the disk; every path was parsed before.
 * It asks for no length: what a disk takes is the disk's to say.
 */

import { failure } from "./attempt.ts"

/** The root, `""`, has no segments. Throws `EINVAL`. */
export function segmentsOf(path: string): readonly string[] {
  if (path === "") return []
  const segments = path.split("/")
  // A lone surrogate would be written as U+FFFD, and so reach a file of another name.
  const isRefused = path.includes("\0") || !path.isWellFormed() || segments.some(isDotOrEmpty)
  if (isRefused) throw failure("EINVAL", path)
  return segments
}

function isDotOrEmpty(segment: string): boolean {
  return segment === "" || segment === "." || segment === ".."
}
