/**
 * Recognises the root and the remote before anything is planned: are they the ones the journal knows, as it knows them?
 *
 * Another one stops the run (the brake). The same one, restored from a backup, starts a union: nothing is deleted on
 * the word of a base that may be newer than what lies there.
 */

import type { Trouble, SyncError } from "../model/errors.ts"
import type { EventBody, UnionReason } from "../model/event.ts"
import type { Epoch } from "../model/ports.ts"
import { err, ok, type Result } from "../model/result.ts"
import type { EpochMemory, EpochPair, MarkerMemory, StateRoot } from "../model/state.ts"
import type { Ledger } from "./ledger.ts"
import type { World } from "./world.ts"

export interface Recognised {
  readonly bodies: readonly EventBody[]
  readonly unions: readonly UnionReason[]
  /** Somebody else writes under our device id: this journal is a copy. */
  readonly isCloned: boolean
}

export interface Names {
  readonly root: string
  readonly remote: string
}

export async function recognise(
  world: World,
  ledger: Ledger,
  names: Names,
): Promise<Result<Recognised, SyncError>> {
  const root = ledger.state().root
  const marker = await recogniseRoot(world, ledger, names)
  if (!marker.ok) return marker
  const remembered = root.epoch
  const read = await world.sides.remote.readEpoch(remembered?.chain.map(({ counter }) => counter) ?? [])
  if (!read.ok) return err(remoteError(read.error, names))
  if (read.value === undefined) return err({ code: "remote_changed", remote: names.remote, why: "no_epoch" })
  if (remembered !== undefined && remembered.id !== read.value.id)
    return err({ code: "remote_changed", remote: names.remote, why: "other_epoch" })
  const isRestored = remembered !== undefined && contradicts(remembered, read.value)
  return ok({
    bodies: [...marker.value.bodies, ...epochBodies(remembered, read.value)],
    unions: [...marker.value.unions, ...(isRestored ? (["remote_restored"] as const) : [])],
    isCloned: !isRestored && hasForeignPair(root, read.value),
  })
}

async function recogniseRoot(
  world: World,
  ledger: Ledger,
  names: Names,
): Promise<Result<Pick<Recognised, "bodies" | "unions">, SyncError>> {
  const recorded = ledger.state().root.marker
  const read = await world.marker.read()
  if (!read.ok) return err({ code: "side_unreadable", side: "local", trouble: read.error })
  const found = read.value
  if (found === undefined) return err({ code: "root_changed", dir: names.root, why: "no_marker" })
  if (recorded !== undefined && found.root !== recorded.root)
    return err({ code: "root_changed", dir: names.root, why: "other_marker" })
  if (found.sequence > ledger.head().sequence) {
    return err({
      code: "journal_damaged",
      why: `the sync directory has seen event ${found.sequence}, the journal ends at ${ledger.head().sequence}`,
    })
  }
  if (recorded !== undefined && isOlder(found, recorded))
    return ok({ bodies: [markerBody(found)], unions: ["root_restored"] })
  return ok({ bodies: found.sequence === recorded?.sequence ? [] : [markerBody(found)], unions: [] })
}

function isOlder(found: MarkerMemory, recorded: MarkerMemory): boolean {
  return (
    found.sequence < recorded.sequence ||
    (found.sequence === recorded.sequence && found.nonce !== recorded.nonce)
  )
}

function markerBody({ root, sequence, nonce }: MarkerMemory): EventBody {
  return { type: "marker.written", root, sequence, nonce }
}

/** The chain only grows. A lower head, or another nonce where we remember one, is an older state of the remote. */
function contradicts(remembered: EpochMemory, epoch: Epoch): boolean {
  const lastSeen = remembered.chain.at(-1)
  if (lastSeen === undefined) return false
  const head = epoch.chain.at(-1)
  if (head === undefined || head.counter < lastSeen.counter) return true
  const nonces = new Map(epoch.chain.map(({ counter, nonce }) => [counter, nonce]))
  const kept = remembered.chain.filter(({ counter }) => nonces.has(counter)).at(-1)
  return kept === undefined || nonces.get(kept.counter) !== kept.nonce
}

function hasForeignPair({ device, epoch, lastNonce }: StateRoot, { chain }: Epoch): boolean {
  const lastSeen = epoch?.chain.at(-1)?.counter ?? 0
  if (device === undefined || epoch === undefined) return false
  return chain.some(
    ({ counter, device: writer, nonce }) =>
      counter > lastSeen && writer === device.id && (lastNonce === undefined || !nonce.startsWith(lastNonce)),
  )
}

function epochBodies(remembered: EpochMemory | undefined, epoch: Epoch): readonly EventBody[] {
  const chain = thinned(epoch.chain)
  return chainText(chain) === chainText(remembered?.chain ?? []) && remembered !== undefined
    ? []
    : [epochBody(epoch.id, chain)]
}

function chainText(chain: readonly EpochPair[]): string {
  return chain.map(({ counter, nonce }) => `${counter} ${nonce}`).join("\n")
}

export function epochBody(id: string, chain: readonly EpochPair[]): EventBody {
  return { type: "epoch.read", id, chain: thinned(chain) }
}

/**
 * The pairs worth remembering. Remotes keep all recent pairs, every 16th of older ones and every 256th of the oldest;
 * the newest that is kept below our last seen one is always among these.
 */
function thinned(chain: readonly EpochPair[]): readonly EpochPair[] {
  const kept = new Set([
    ...chain.slice(-4),
    ...chain.filter(({ counter }) => counter % 16 === 0).slice(-2),
    ...chain.filter(({ counter }) => counter % 256 === 0).slice(-2),
  ])
  return chain.filter((pair) => kept.has(pair))
}

function remoteError(trouble: Trouble, names: Names): SyncError {
  if (trouble.code === "not_found") return { code: "remote_changed", remote: names.remote, why: "missing" }
  return { code: "side_unreadable", side: "remote", trouble }
}
