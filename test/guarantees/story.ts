/** Devices of the simulation that agree on some files, for stories that go on from there. */

import type { Cycle } from "../../src/engine/cycle.ts"
import type { SyncError } from "../../src/model/errors.ts"
import type { Result } from "../../src/model/result.ts"
import { must, type RemoteKind, Simulation, type SimulatedDevice } from "../simulation/world.ts"

export const KINDS: readonly RemoteKind[] = ["folder", "memory", "bucket A", "bucket B", "bucket C"]
export const LATER_MS = 30_000
export const START: Readonly<Record<string, string>> = {
  "a.md": "alpha one",
  "b.md": "beta one",
  "d/c.md": "gamma one",
  "d/e.md": "delta one",
}

export interface Story {
  readonly simulation: Simulation
  readonly first: SimulatedDevice
  readonly second: SimulatedDevice
}

/** Two devices and their remote hold the same; then time passes, so that edits are newer than what is there. */
export async function agree(remote: RemoteKind, files = START): Promise<Story> {
  const simulation = new Simulation({ seed: 11, remote, devices: 2 })
  const [first, second] = [simulation.device(0), simulation.device(1)]
  for (const [path, content] of Object.entries(files)) first.write(path, content)
  must(await first.setup())
  must(await second.setup())
  for (const device of [first, second]) {
    simulation.nowMs += LATER_MS
    must(await device.sync())
  }
  simulation.nowMs += LATER_MS
  return { simulation, first, second }
}

export async function publish({ simulation, second }: Story): Promise<void> {
  must(await second.syncConfirming())
  simulation.nowMs += LATER_MS
}

export function treeOf(side: { tree(): ReadonlyMap<string, string> }): Readonly<Record<string, string>> {
  return Object.fromEntries(side.tree())
}

/** Keeps the remote as it is now; answers how to bring that back. */
export function backUp({ remote }: Simulation): () => void {
  if (remote.kind === "folder") {
    const disk = remote.disk.clone()
    return () => void Object.assign(remote, { disk })
  }
  if (remote.s3 !== undefined) {
    const objects = new Map(remote.s3.objects.objects)
    const { objects: now } = remote.s3.objects
    return () => {
      now.clear()
      for (const [key, object] of objects) now.set(key, object)
    }
  }
  const { bucket } = remote
  const objects = new Map(bucket.objects)
  const epoch = bucket.epoch && { id: bucket.epoch.id, pairs: [...bucket.epoch.pairs] }
  return () => void Object.assign(remote, { bucket: { objects, epoch, nextEtag: bucket.nextEtag } })
}

/** What a run did not do, by path. */
export function skippedIn(result: Result<Cycle, SyncError>): Readonly<Record<string, string>> {
  const cycle = must(result)
  if (cycle.kind !== "performed") return {}
  return Object.fromEntries(
    cycle.performed.outcomes.flatMap((outcome) =>
      outcome.kind === "skipped" ? [[outcome.action.path, outcome.trouble.code]] : [],
    ),
  )
}

/** What a run meant to do: a safeguard must not depend on the next one. */
export function plannedIn(result: Result<Cycle, SyncError>): readonly string[] {
  const cycle = must(result)
  if (cycle.kind !== "performed") return []
  return cycle.prepared.plan.actions.map(({ op, path }) => `${op} ${path}`)
}
