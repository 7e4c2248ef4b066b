/** Names runs, and what their plans depend on. */

import { type RunId, shortId } from "../model/ids.ts"
import type { Ledger } from "./ledger.ts"
import type { RunOptions } from "./options.ts"
import type { World } from "./world.ts"

const DIGITS_MAX = 12

export async function newRunId(world: World, ledger: Ledger, { kind }: RunOptions): Promise<RunId> {
  const hash = world.sha256(JSON.stringify([ledger.head().hash, world.device, kind, world.clock.nowMs()]))
  const taken = new Set<string>()
  for (let length = 5; length <= DIGITS_MAX; length++) {
    const candidate = shortId("r", hash, (id) => taken.has(id))
    if (!(await ledger.isTaken("run", candidate))) return candidate as RunId
    taken.add(candidate)
  }
  throw new Error("assertion failed: every run id is taken")
}

/** Everything beside the three trees that a plan depends on. */
export function settingsText(world: World, { profile }: RunOptions): string {
  return world
    .sha256(JSON.stringify([profile.name, profile.conflictResolve, profile.maxDelete, world.rules.digest]))
    .slice("sha256:".length, "sha256:".length + 16)
}
