/**
 * Classifies one path: what base, local and remote ask for, each path by itself. PURE and total.
 *
 * The rows are those of docs/reconciliation.md. Renames and clashes between a file and a directory of the same name
 * concern several paths; `moves.ts` and `shape.ts` look at them afterwards.
 */

import type { Base, KnownVersion, Version } from "../model/entry.ts"
import type { ContentHash } from "../model/ids.ts"
import type { Reason } from "../model/action.ts"
import { assert } from "../model/result.ts"
import { otherSide, type Side } from "../model/side.ts"
import type { Sight } from "./sight.ts"

export type Verdict =
  | { readonly kind: "nothing" }
  | { readonly kind: "skip"; readonly side: Side; readonly sight: Extract<Sight, { kind: "unknown" }> }
  | { readonly kind: "agree"; readonly version: KnownVersion }
  | { readonly kind: "forget" }
  | {
      readonly kind: "copy"
      readonly targetSide: Side
      readonly version: Version
      readonly replaced?: Version
      readonly reason: Reason
      readonly isKept: boolean
    }
  | { readonly kind: "delete"; readonly targetSide: Side; readonly version: Version; readonly reason: Reason }
  | {
      readonly kind: "conflict"
      readonly local: Version
      readonly remote: Version
      readonly reason: Reason
      readonly earlier?: Side
    }

export interface Sights {
  readonly base: Base | undefined
  readonly local: Sight
  readonly remote: Sight
  /** Every version of this path that was ever agreed; asked for only in a union. */
  readonly earlierHashes?: ReadonlySet<ContentHash>
}

export function classify({ base, local, remote, earlierHashes }: Sights): Verdict {
  // Row 2. Where one side cannot be seen nothing is decided and the base stays: not knowing is not "gone".
  if (local.kind === "unknown") return { kind: "skip", side: "local", sight: local }
  if (remote.kind === "unknown") return { kind: "skip", side: "remote", sight: remote }
  if (local.kind === "absent" && remote.kind === "absent")
    return base === undefined ? { kind: "nothing" } : { kind: "forget" }
  if (local.kind === "file" && remote.kind === "file")
    return classifyBoth({ base, local: local.version, remote: remote.version, earlierHashes })
  if (local.kind === "file") return classifyOne({ base, version: local.version, side: "local" })
  assert(remote.kind === "file", "one side holds a file")
  return classifyOne({ base, version: remote.version, side: "remote" })
}

function classifyBoth(at: {
  readonly base: Base | undefined
  readonly local: Version
  readonly remote: Version
  readonly earlierHashes: ReadonlySet<ContentHash> | undefined
}): Verdict {
  const { base, local, remote } = at
  if (holdsSame(local, remote)) {
    const version = known(local, remote)
    return base !== undefined && !base.isHint && base.hash === version.hash
      ? { kind: "nothing" }
      : { kind: "agree", version }
  }
  if (base === undefined || base.isHint) return classifyUnion(at)
  if (holds(remote, base))
    return {
      kind: "copy",
      targetSide: "remote",
      version: local,
      replaced: remote,
      reason: "local_changed",
      isKept: false,
    }
  if (holds(local, base))
    return {
      kind: "copy",
      targetSide: "local",
      version: remote,
      replaced: local,
      reason: "remote_changed",
      isKept: false,
    }
  return { kind: "conflict", local, remote, reason: "both_changed" }
}

/**
 * Without a base to trust, content that this path once agreed on is no rival: it loses to the other, announced and
 * kept. Of two that were agreed on, the older one loses to the newest.
 */
function classifyUnion({ base, local, remote, earlierHashes }: Parameters<typeof classifyBoth>[0]): Verdict {
  const ageOf = ({ hash }: Version): number => {
    if (hash === undefined) return NEVER_AGREED
    if (hash === base?.hash) return LAST_AGREED
    return earlierHashes?.has(hash) === true ? EARLIER_AGREED : NEVER_AGREED
  }
  const reason: Reason = base === undefined ? "both_new" : "both_changed"
  const conflict = { kind: "conflict", local, remote, reason } as const
  const [here, there] = [ageOf(local), ageOf(remote)]
  return here === there ? conflict : { ...conflict, earlier: here > there ? "local" : "remote" }
}

const NEVER_AGREED = 0
const LAST_AGREED = 1
const EARLIER_AGREED = 2

/** Rows 6 to 11: one side holds a file, the other nothing. */
function classifyOne({
  base,
  version,
  side,
}: {
  readonly base: Base | undefined
  readonly version: Version
  readonly side: Side
}): Verdict {
  const targetSide = otherSide(side)
  const copy = { kind: "copy", targetSide, version } as const
  if (base === undefined || base.isHint)
    return { ...copy, reason: side === "local" ? "local_new" : "remote_new", isKept: false }
  // A base that is no hint: the other side was listed completely, both sides once held this version, and a user
  // removed it there. Here it is still that version, so deleting it takes nothing that exists only here.
  if (holds(version, base)) {
    return {
      kind: "delete",
      targetSide: side,
      version,
      reason: targetSide === "local" ? "local_deleted" : "remote_deleted",
    }
  }
  // One side being a deletion does not make it a conflict: the edit holds content that exists nowhere else, and a
  // deletion can be repeated. So the edit wins.
  return { ...copy, reason: "changed_vs_deleted", isKept: true }
}

/** True if the version is known to hold this content. Different sizes need no hash; equal sizes were read before. */
export function holds(
  version: Version,
  content: { readonly hash: ContentHash; readonly sizeBytes: number },
): boolean {
  if (version.sizeBytes !== content.sizeBytes) return false
  assert(version.hash !== undefined, "content of equal size is read before it is compared")
  return version.hash === content.hash
}

function holdsSame(a: Version, b: Version): boolean {
  if (a.sizeBytes !== b.sizeBytes) return false
  assert(a.hash !== undefined && b.hash !== undefined, "content of equal size is read before it is compared")
  return a.hash === b.hash
}

function known(local: Version, remote: Version): KnownVersion {
  const hash = local.hash ?? remote.hash
  assert(hash !== undefined, "equal content was read")
  return { ...local, hash }
}
