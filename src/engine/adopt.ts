/**
 * Ties a journal to a root and a remote: the events and small files with which everything begins.
 *
 * Used by setup for a new journal, and by `--resync` where one of the three is not the one the others know. What was
 * there is never deleted; the union that follows decides nothing silently.
 */

import type { SyncError, Trouble } from "../model/errors.ts"
import type { EventBody } from "../model/event.ts"
import type { DeviceId } from "../model/ids.ts"
import type { Backend, Epoch } from "../model/ports.ts"
import { err, ok, type Result } from "../model/result.ts"
import type { MarkerMemory } from "../model/state.ts"
import type { Ledger } from "./ledger.ts"
import { epochBody } from "./recognise.ts"
import type { World } from "./world.ts"

/** Finds the remote's epoch, or creates it; two devices that do so at once end up with the same. */
export async function findOrCreateEpoch(
  remote: Backend,
  newId: () => string,
): Promise<Result<{ readonly epoch: Epoch; readonly isNew: boolean }, Trouble>> {
  const found = await remote.readEpoch([])
  if (!found.ok) return found
  if (found.value !== undefined) return ok({ epoch: found.value, isNew: false })
  const created = await remote.createEpoch(newId())
  if (!created.ok && created.error.detail !== "EEXIST") return created
  const read = await remote.readEpoch([])
  if (!read.ok) return read
  return read.value === undefined
    ? err({ code: "not_found", path: "epoch" })
    : ok({ epoch: read.value, isNew: created.ok })
}

/** Begins the journal if it is new, and journals root and remote as they are now. */
export async function adopt(
  world: World,
  ledger: Ledger,
  options: { readonly deviceName: string; readonly epoch: Epoch },
): Promise<Result<void, SyncError>> {
  const { deviceName, epoch } = options
  const root = ledger.state().root
  const found = await world.marker.read()
  if (!found.ok) return err({ code: "side_unreadable", side: "local", trouble: found.error })
  const isOurs =
    root.marker !== undefined &&
    found.value?.root === root.marker.root &&
    found.value.sequence <= ledger.head().sequence
  const rootId =
    isOurs || found.value === undefined || found.value.root === ""
      ? (root.marker?.root ?? world.random.hex128())
      : found.value.root
  const isKnown = isOurs && root.epoch?.id === epoch.id
  // Another root or remote than the journal knows: its bases justify no deletion there, also if we die right after this.
  const bodies: EventBody[] =
    isKnown || ledger.head().sequence === 0 ? [] : [{ type: "union.started", reason: "resync", scope: "all" }]
  if (ledger.head().sequence === 0)
    bodies.push({ type: "journal.created", device: world.device, deviceName, root: rootId, epoch: epoch.id })
  else if (root.device?.name !== deviceName)
    bodies.push({ type: "device.renamed", device: world.device, deviceName, why: "user" })
  if (root.epoch?.id !== epoch.id) bodies.push(epochBody(epoch.id, epoch.chain))
  const loaded = await ledger.load()
  if (!loaded.ok) return err({ code: "journal_damaged", why: loaded.error.kind })
  if (bodies.length > 0) await ledger.append(bodies, { sync: true })
  return isOurs ? ok(undefined) : writeNewMarker(world, ledger, rootId)
}

async function writeNewMarker(world: World, ledger: Ledger, root: string): Promise<Result<void, SyncError>> {
  const marker: MarkerMemory = { root, sequence: ledger.head().sequence, nonce: world.random.hex128() }
  const written = await world.marker.write(marker)
  if (!written.ok)
    return err({
      code: "setup_failed",
      what: "write the marker of the sync directory",
      trouble: written.error,
    })
  await ledger.append([{ type: "marker.written", ...marker }], { sync: true })
  return ok(undefined)
}

export function newDeviceId(hex: string): DeviceId {
  return `d${hex.slice(0, 15)}` as DeviceId
}
