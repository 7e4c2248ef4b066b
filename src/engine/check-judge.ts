/**
 * Judges one path by what was read from both sides just now, against what was recorded. PURE.
 *
 * `corrupted`: the side shows size and time as recorded, and holds other bytes; whoever edits a file changes its time.
 * `missing`: a version that both sides agreed on is gone on one side only. A user's delete looks the same until it is
 * synced, and so does a lost file, so it is said aloud before a sync repeats it. Any other difference is `drift`: an edit
 * that the next sync carries over.
 */

import type { Base, Version } from "../model/entry.ts"
import type { ContentHash, RunId } from "../model/ids.ts"
import type { RelativePath } from "../model/path.ts"
import { otherSide, SIDES, type Side } from "../model/side.ts"
import type { PathState } from "../model/state.ts"

/** What a side holds at a path now; `hidden` where nothing can be said. */
export type Held =
  | { readonly kind: "file"; readonly version: Version; readonly hash: ContentHash }
  | { readonly kind: "absent" | "hidden" }
  | { readonly kind: "unreadable"; readonly detail: string }

export type Drift = "edited" | "new" | "renamed" | "gone" | "edited_on_both" | "brought_back"

export type Finding = { readonly path: RelativePath } & (
  | {
      readonly kind: "corrupted"
      readonly side: Side
      readonly expected: ContentHash
      /** Absent where the storage's own checksum says that its bytes are not what was stored. */
      readonly found?: ContentHash
      readonly lastGood?: RunId
    }
  | {
      readonly kind: "missing"
      readonly side: Side
      readonly expected: ContentHash
      readonly lastGood: RunId
    }
  | { readonly kind: "unreadable"; readonly side: Side; readonly detail: string }
  | { readonly kind: "drift"; readonly side: Side | "both"; readonly drift: Drift; readonly since?: RunId }
)

export interface PathCheck {
  readonly path: RelativePath
  readonly state: PathState
  readonly held: { readonly [S in Side]: Held }
  /** The base's content is at a new name on that side. */
  readonly isRenamed: (side: Side) => boolean
}

/** What is to say about a path; nothing where both sides hold the same bytes, and those that were recorded. */
export function judgePath(check: PathCheck): readonly Finding[] {
  const { held } = check
  if (held.local.kind === "hidden" || held.remote.kind === "hidden") return []
  const damage = SIDES.flatMap((side) => damageOf(check, side))
  return damage.length > 0 ? damage : driftOf(check)
}

function damageOf(check: PathCheck, side: Side): readonly Finding[] {
  const { path, state, held } = check
  const now = held[side]
  const { base } = state
  const recorded = state[side]
  if (now.kind === "unreadable") {
    const stored = recorded?.hash ?? base?.hash
    return now.detail === "hash_mismatch" && stored !== undefined
      ? [{ kind: "corrupted", side, path, expected: stored, ...lastGood(base, stored) }]
      : [{ kind: "unreadable", side, path, detail: now.detail }]
  }
  if (now.kind === "absent") return missing(check, side)
  if (now.kind !== "file") return []
  const expected = recorded?.hash ?? (isSeenAs(base, now.version) ? base?.hash : undefined)
  if (expected === undefined || expected === now.hash || !isSeenAs(recorded ?? base, now.version)) return []
  return [{ kind: "corrupted", side, path, expected, found: now.hash, ...lastGood(base, expected) }]
}

function lastGood(base: Base | undefined, hash: ContentHash): { readonly lastGood?: RunId } {
  return base?.hash === hash ? { lastGood: base.run } : {}
}

/** A whole millisecond is all that a remote may keep of a time. */
const TIME_STEP_MS = 1

function isSeenAs(recorded: Version | Base | undefined, now: Version): boolean {
  if (recorded === undefined) return false
  if ("token" in recorded && recorded.token === now.token) return true
  return recorded.sizeBytes === now.sizeBytes && Math.abs(recorded.mtimeMs - now.mtimeMs) <= TIME_STEP_MS
}

function missing({ path, state, held, isRenamed }: PathCheck, side: Side): readonly Finding[] {
  const { base } = state
  const isThere = held[otherSide(side)].kind === "file"
  if (base === undefined || base.isHint || !isThere || isRenamed(side)) return []
  return [{ kind: "missing", side, path, expected: base.hash, lastGood: base.run }]
}

function driftOf({ path, state, held, isRenamed }: PathCheck): readonly Finding[] {
  const { base } = state
  const drift = (side: Side | "both", kind: Drift): readonly Finding[] => [
    { kind: "drift", side, path, drift: kind, ...(base !== undefined && { since: base.run }) },
  ]
  const hashes = { local: hashOf(held.local), remote: hashOf(held.remote) }
  if (hashes.local === hashes.remote) return hashes.local === undefined ? drift("both", "gone") : []
  for (const side of SIDES) {
    const other = otherSide(side)
    if (hashes[side] === undefined && base !== undefined)
      return drift(side, isRenamed(side) ? "renamed" : "brought_back")
    if (hashes[other] === undefined && base === undefined) return drift(side, "new")
  }
  if (base !== undefined && hashes.remote === base.hash) return drift("local", "edited")
  if (base !== undefined && hashes.local === base.hash) return drift("remote", "edited")
  return drift("both", "edited_on_both")
}

function hashOf(held: Held): ContentHash | undefined {
  return held.kind === "file" ? held.hash : undefined
}
