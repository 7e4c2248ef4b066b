/** Changes: what reconciliation found to do, path by path, before it is ordered into a plan. */

import type { Agreed, Notice, Reason } from "./action.ts"
import type { Version } from "./entry.ts"
import type { RelativePath } from "./path.ts"
import type { Side } from "./side.ts"

export interface Decision {
  readonly rule: "newer" | "none" | "earlier"
  readonly winner?: Side
  readonly loser?: Side
  readonly isTie: boolean
  readonly apartMs: number
  readonly tieMs: number
}

export type Change =
  /** The version of the other side is written to `targetSide`. */
  | {
      readonly kind: "copy"
      readonly path: RelativePath
      readonly targetSide: Side
      readonly version: Version
      readonly replaced?: Version
      readonly reason: Reason
    }
  | {
      readonly kind: "delete"
      readonly path: RelativePath
      readonly targetSide: Side
      readonly version: Version
      readonly reason: Reason
      /** The other device kept both versions of a conflict under new names: the name went, nothing was deleted. */
      readonly isRename: boolean
    }
  /** A file that only changed its name on the other side. */
  | {
      readonly kind: "move"
      readonly path: RelativePath
      readonly to: RelativePath
      readonly targetSide: Side
      readonly version: Version
      readonly moved: Version
    }
  | {
      readonly kind: "conflict"
      readonly path: RelativePath
      readonly local: Version
      readonly remote: Version
      readonly reason: Reason
      readonly decision: Decision
      /** Where both are kept as files: the new names. Only `local` where the remote's keeps the path. */
      readonly copies?: { readonly local: RelativePath; readonly remote?: RelativePath }
    }
  /** A file makes room for a directory of the same name and keeps its bytes under a conflict name. */
  | {
      readonly kind: "sidestep"
      readonly path: RelativePath
      readonly to: RelativePath
      readonly side: Side
      readonly version: Version
    }

export interface Reconciliation {
  readonly agreed: readonly Agreed[]
  /** In byte order of paths; each path at most once. */
  readonly changes: readonly Change[]
  readonly notices: readonly Notice[]
}
