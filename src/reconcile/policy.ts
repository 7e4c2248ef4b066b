/**
 * Decides conflicts: which version keeps the path, or that both are kept as files. PURE.
 *
 * "Newer" compares the users' modification times. Within a tie neither is newer, and both are kept, whatever the
 * profile: a decision that could have gone the other way is not ours to make.
 */

import type { Decision } from "../model/change.ts"
import type { Version } from "../model/entry.ts"
import { TIE_MS, type ConflictResolve } from "../model/settings.ts"
import { otherSide, type Side } from "../model/side.ts"

export interface Rivals {
  readonly local: Version
  readonly remote: Version
  /** The side whose content is an earlier agreed version of this path, in a union. */
  readonly earlier?: Side
}

export function decide(
  rivals: Rivals,
  options: { readonly resolve: ConflictResolve; readonly skewUnknownMs: number },
): Decision {
  const { local, remote, earlier } = rivals
  const apartMs = Math.abs(local.mtimeMs - remote.mtimeMs)
  // A clock may be off either way; each makes the order of the two times less certain.
  const tieMs = TIE_MS + Math.abs(local.skewMs ?? 0) + Math.abs(remote.skewMs ?? options.skewUnknownMs)
  const times = { apartMs, tieMs, isTie: apartMs <= tieMs }
  if (earlier !== undefined) return { ...times, rule: "earlier", winner: otherSide(earlier), loser: earlier }
  if (options.resolve === "none" || times.isTie) return { ...times, rule: "none" }
  const winner: Side = local.mtimeMs > remote.mtimeMs ? "local" : "remote"
  return { ...times, rule: "newer", winner, loser: otherSide(winner) }
}
