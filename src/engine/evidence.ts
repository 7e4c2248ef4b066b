/** What a reader of a plan wants to see of a conflict and the decision does not need: lines that only the loser has. */

import type { Action } from "../model/action.ts"
import type { Side } from "../model/side.ts"
import { linesOnlyIn } from "../history/diff.ts"
import { mergeText } from "../history/merge.ts"
import type { Ledger } from "./ledger.ts"
import { readKept } from "./perform.ts"
import type { World } from "./world.ts"

export interface Evidence {
  readonly loserOnlyLines: readonly string[] | undefined
  readonly isMergeable: boolean
}

const CONFLICTS_MAX = 200

/** Reads both versions of each conflict of a plan, carried out or not. */
export async function gatherEvidence(
  world: World,
  ledger: Ledger,
  actions: readonly Action[],
): Promise<ReadonlyMap<Action, Evidence>> {
  const found = new Map<Action, Evidence>()
  for (const action of actions.filter(({ conflict }) => conflict !== undefined).slice(0, CONFLICTS_MAX)) {
    const [local, remote] = [
      await bytesOf({ world, ledger, action }, "local"),
      await bytesOf({ world, ledger, action }, "remote"),
    ]
    if (local === undefined || remote === undefined) continue
    const base = action.base === undefined ? undefined : await readKept(world, ledger, action.base.hash)
    const merged =
      base?.ok === true && base.value.kind === "bytes"
        ? mergeText({ base: base.value.bytes, ours: local, theirs: remote })
        : undefined
    const [loser, winner] = action.conflict?.loser === "local" ? [local, remote] : [remote, local]
    found.set(action, { loserOnlyLines: linesOnlyIn(loser, winner), isMergeable: merged?.kind === "clean" })
  }
  return found
}

/** From the side before the run, from the history store after it. */
async function bytesOf(
  { world, ledger, action }: { readonly world: World; readonly ledger: Ledger; readonly action: Action },
  side: Side,
): Promise<Uint8Array | undefined> {
  const version = side === "local" ? action.local : action.remote
  if (version === undefined) return undefined
  const read = await world.sides[side].read(action.path, version)
  if (read.ok) return read.value.kind === "bytes" ? read.value.bytes : undefined
  const kept = version.hash === undefined ? undefined : await readKept(world, ledger, version.hash)
  return kept?.ok === true && kept.value.kind === "bytes" ? kept.value.bytes : undefined
}
