/**
 * Deletes an object on a server whose DELETE keeps no condition: a tombstone by conditional PUT, then the DELETE.
 *
 * Everybody who meets a tombstone leaves its path alone. The rules of time are in `tombstone-rules.ts`; the test that
 * tries every order of two deleters and three writers uses the same.
 */

import type { DeviceId, OpId } from "../model/ids.ts"
import type { Random } from "../model/ports.ts"
import { err, ok, type Result } from "../model/result.ts"
import type { Etag, Failure, ObjectHead, ObjectStore } from "./store.ts"
import { type Moment } from "../model/elapsed.ts"
import {
  EXPIRES_IN_S,
  isAbandonedAfter,
  isSameTombstone,
  mayStillSend,
  TOMBSTONE_BYTES,
  type TombstoneMark,
} from "./tombstone-rules.ts"

export { TOMBSTONE_BYTES } from "./tombstone-rules.ts"

export interface TombstoneDeps {
  readonly store: ObjectStore
  readonly device: DeviceId
  readonly monotonicMs: () => number
  readonly wallMs: () => number
  readonly random: Random
}

export interface Deletion {
  readonly key: string
  /** The version that is deleted, or the tombstone that is taken over. */
  readonly expected: Etag
  readonly op: OpId
  /** Awaited right before the DELETE, which nothing can call back. */
  readonly sending: () => Promise<void>
}

/** A server says 409 while another request is at the key; the clock that started before the first attempt goes on. */
const PUT_ATTEMPTS_MAX = 3

/**
 * `removed`: the key is free. `changed`: it did not hold the expected version, and was not touched. `left`: the
 * tombstone stands, and whether the DELETE will arrive is not known; a later run finishes it.
 */
export type Deleted = "removed" | "changed" | "left"

export async function deleteByTombstone(
  deps: TombstoneDeps,
  deletion: Deletion,
): Promise<Result<Deleted, Failure>> {
  const { store } = deps
  const { key, op, sending } = deletion
  const sentAt = momentOf(deps)
  const stands = await putTombstone(deps, deletion)
  if (!stands.ok) return stands
  if (!stands.value) return ok("changed")
  if (!mayStillSend(sentAt, momentOf(deps))) return ok("left")
  await sending()
  const removed = await store.removeOnce(key, {
    expiresInS: EXPIRES_IN_S,
    mayStillSend: () => mayStillSend(sentAt, momentOf(deps)),
  })
  if (removed.ok) return ok("removed")
  if (removed.error.kind === "not_found") return ok("removed")
  if (removed.error.kind !== "unreachable") return removed.error.kind === "too_late" ? ok("left") : removed
  // The answer was lost; what is there now tells, but for a request that is still on its way.
  const head = await store.head(key)
  if (head.ok) return ok(readTombstone(head.value)?.op === op ? "left" : "removed")
  return head.error.kind === "not_found" ? ok("removed") : ok("left")
}

/** Finishes what somebody else began: with a tombstone of our own in place of theirs, so that the clock starts anew. */
export function takeOver(
  deps: TombstoneDeps,
  at: Omit<Deletion, "expected"> & { readonly head: ObjectHead },
): Promise<Result<Deleted, Failure>> {
  const { head, ...deletion } = at
  return deleteByTombstone(deps, { ...deletion, expected: head.etag })
}

/** What stands here in place of a note. */
export function readTombstone(
  head: ObjectHead,
): { readonly op: string; readonly nonce?: string; readonly device?: string } | undefined {
  const { "bm-tombstone": op, "bm-tombstone-nonce": nonce, "bm-tombstone-device": device } = head.metadata
  if (head.sizeBytes !== TOMBSTONE_BYTES || op === undefined) return undefined
  return { op, ...(nonce !== undefined && { nonce }), ...(device !== undefined && { device }) }
}

/** Its device has surely sent its DELETE by now, or never will. */
export function isAbandoned(head: ObjectHead, server: { readonly refusesLate: boolean }): boolean {
  const ageMs = head.serverMs === undefined ? undefined : head.serverMs - head.lastModifiedMs
  return isAbandonedAfter(ageMs, server)
}

function momentOf({ monotonicMs, wallMs }: TombstoneDeps): Moment {
  return { monotonicMs: monotonicMs(), wallMs: wallMs() }
}

/** True where it stands; an answer that says no may be about our own request, whose first answer was lost. */
async function putTombstone(deps: TombstoneDeps, deletion: Deletion): Promise<Result<boolean, Failure>> {
  const { store, device, random } = deps
  const { key, expected, op } = deletion
  const mine = { op, nonce: random.hex128() }
  const bytes = tombstoneBytes(mine)
  const metadata = { "bm-tombstone": op, "bm-tombstone-nonce": mine.nonce, "bm-tombstone-device": device }
  for (let attempt = 1; ; attempt++) {
    const put = await store.put(
      key,
      { kind: "bytes", bytes },
      { condition: { kind: "match", etag: expected }, metadata },
    )
    if (put.ok) return ok(true)
    const { kind } = put.error
    if (kind !== "precondition" && kind !== "conflict" && kind !== "not_found") return put
    const head = await store.head(key)
    if (!head.ok) return head.error.kind === "not_found" ? ok(false) : err(head.error)
    if (isSameTombstone(readTombstone(head.value), mine)) return ok(true)
    // Somebody else was at this key, and did not change it after all.
    if (kind !== "conflict" || head.value.etag !== expected) return ok(false)
    if (attempt >= PUT_ATTEMPTS_MAX) return put
  }
}

/** Unique, so that its etag is one that no version of a note ever had. */
function tombstoneBytes({ op, nonce }: TombstoneMark): Uint8Array {
  const text = `{"schema":"bm.tombstone/1","op":"${op}","nonce":"${nonce}"}\n`
  return Buffer.from(text.padEnd(TOMBSTONE_BYTES, " "))
}
