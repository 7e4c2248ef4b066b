/** What a run was asked for. */

import type { RunKind, UnionReason } from "../model/event.ts"
import type { PlanId, RunId } from "../model/ids.ts"
import type { RelativePath } from "../model/path.ts"
import type { Profile } from "../model/settings.ts"
import type { Progress } from "../execute/execute.ts"

export interface RunOptions {
  readonly kind: RunKind
  /** As the user typed it, for the history and for whoever finds the lock held. */
  readonly command: string
  /** With the overrides of this run already in it. */
  readonly profile: Profile
  readonly confirmedDeletes?: number
  /** The brake was passed when this was decided; it is only finished now. */
  readonly isConfirmed?: boolean
  readonly project?: RelativePath
  /** Nothing but what concerns these. */
  readonly only?: ReadonlySet<RelativePath>
  readonly isDryRun: boolean
  /** Decide also where there is nothing to do: a saved plan is judged against it. */
  readonly mustDecide?: boolean
  /** Every base becomes a hint first. */
  readonly union?: UnionReason
  readonly names: { readonly root: string; readonly remote: string }
  readonly onPlanned?: (planned: {
    readonly run: RunId
    readonly plan: PlanId
    readonly kind: RunKind
    readonly actions: number
    readonly bytes: number
  }) => void
  readonly onProgress?: (progress: Progress) => void
  readonly isStopped?: () => boolean
  /** Another device writes to the remote; called once with its name before it is waited for. */
  readonly onLeaseWait?: (holder: string) => void
}
