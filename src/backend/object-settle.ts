/**
 * Settles by looking what a crash left of an operation on a bucket, and finishes deletes that nobody else will.
 *
 * A write took effect if the object carries its op id, or that of somebody who already built on it. A move that has
 * copied deletes its source; a delete whose tombstone stands and was never followed by its DELETE goes on at once.
 */

import type { Operation, Step } from "../model/action.ts"
import type { ListedFile, Version } from "../model/entry.ts"
import type { Trouble } from "../model/errors.ts"
import type { StagedMark } from "../model/event.ts"
import type { OpId, VersionToken } from "../model/ids.ts"
import type { RelativePath } from "../model/path.ts"
import type { Settled, Tombstone, Tombstones } from "../model/ports.ts"
import { err, ok, type Result } from "../model/result.ts"
import { claimedHash, opOf, originOf } from "../store/metadata.ts"
import type { ObjectHead } from "../store/store.ts"
import { isAbandoned, readTombstone, takeOver, TOMBSTONE_BYTES } from "../store/tombstone.ts"
import { mayTakeOver } from "../store/tombstone-rules.ts"
import { isUnderLease, removeObject, tombstoneDeps } from "./object-apply.ts"
import { readObject } from "./object-read.ts"
import { type ObjectSide, troubleOf, versionOf } from "./object-side.ts"

const NOT_APPLIED: Settled = { kind: "not_applied" }
const HEADS_AT_ONCE = 16

export async function settleObject(
  side: ObjectSide,
  { op, step }: Operation,
  { mark, sending }: { readonly mark: StagedMark; readonly sending: () => Promise<void> },
): Promise<Result<Settled, Trouble>> {
  const deleting = { op, path: step.path, isSent: mark.isSent === true, sending }
  if (step.kind === "remove") return settleRemove(side, deleting)
  const goal = step.kind === "move" ? step.to : step.path
  const head = await headOf(side, goal)
  if (!head.ok) return head
  const found = head.value === undefined ? ok(undefined) : await whoseIs(side, { op, step }, head.value)
  if (!found.ok) return found
  if (found.value === undefined) {
    if (mark.fileId !== undefined) await side.store.abort({ key: goal, uploadId: mark.fileId })
    return ok(NOT_APPLIED)
  }
  if (step.kind === "move") {
    const removed = await removeSource(side, deleting, step.expected)
    if (!removed.ok) return removed
  }
  return found.value === "ours" && head.value !== undefined
    ? ok({ kind: "applied", version: versionOf(head.value) })
    : ok({ kind: "applied" })
}

/** Nothing where the step that makes this object did not happen. */
async function whoseIs(
  side: ObjectSide,
  { op, step }: Operation,
  head: ObjectHead,
): Promise<Result<"ours" | "built_on" | undefined, Trouble>> {
  const hash = step.kind === "write" ? step.hash : undefined
  if (opOf(head.metadata) === op) return ok(hasHash(head, hash) ? "ours" : undefined)
  if (side.store.traits.keepsMetadata)
    return ok(originOf(head).lineage?.includes(op) === true ? "built_on" : undefined)
  return whoseByBytes(side, step, head)
}

/** Where nobody writes beside the bytes who wrote them: what is as we would have written it is as good as ours. */
async function whoseByBytes(
  side: ObjectSide,
  step: Step,
  head: ObjectHead,
): Promise<Result<"ours" | undefined, Trouble>> {
  const isOld = step.kind === "write" && step.expected.kind === "version"
  if (isOld && step.expected.version.token === head.etag) return ok(undefined)
  const goal = step.kind === "move" ? step.to : step.path
  const { sizeBytes, hash } = step.kind === "write" ? step : step.expected
  if (head.sizeBytes !== sizeBytes || hash === undefined) return ok(undefined)
  const read = await readObject(side, goal, versionOf(head))
  if (!read.ok) return read.error.code === "changed_since" ? ok(undefined) : read
  return ok(read.value.hash === hash ? "ours" : undefined)
}

function hasHash(head: ObjectHead, hash: Version["hash"]): boolean {
  const claimed = claimedHash(head.metadata)
  return hash === undefined || claimed === undefined || claimed === hash
}

async function headOf(
  side: ObjectSide,
  path: RelativePath,
): Promise<Result<ObjectHead | undefined, Trouble>> {
  const head = await side.store.head(path)
  if (head.ok) return head
  return head.error.kind === "not_found" ? ok(undefined) : err(troubleOf(head.error, path))
}

/** What somebody wrote to the old name since the copy was made stays there, and is seen by the next look. */
async function removeSource(
  side: ObjectSide,
  deleting: Deleting,
  expected: Version,
): Promise<Result<void, Trouble>> {
  const settled = await settleRemove(side, deleting)
  if (!settled.ok) return settled
  if (settled.value.kind === "applied") return ok(undefined)
  const removed = await removeObject(side, { ...deleting, expected })
  return removed.ok ? ok(undefined) : removed
}

interface Deleting {
  readonly op: OpId
  readonly path: RelativePath
  /** A DELETE was about to be sent, and may still arrive. */
  readonly isSent: boolean
  readonly sending: () => Promise<void>
}

async function settleRemove(side: ObjectSide, deleting: Deleting): Promise<Result<Settled, Trouble>> {
  const { op, path, isSent } = deleting
  const head = await headOf(side, path)
  if (!head.ok) return head
  if (head.value === undefined) return goneUnlessBucketIs(side, path)
  if (readTombstone(head.value)?.op !== op) return ok(NOT_APPLIED)
  const isDue = mayTakeOver({ isOwn: true, isSent, isAbandoned: isAbandoned(head.value, side.verdict) })
  if (!isDue) return ok(NOT_APPLIED)
  const taken = await finishTombstone(side, deleting, head.value)
  return taken.ok ? ok(taken.value ? { kind: "applied" } : NOT_APPLIED) : taken
}

/** HEAD says the same of a key that is gone and of a bucket that is gone; a listing says which. */
async function goneUnlessBucketIs(
  { store }: ObjectSide,
  path: RelativePath,
): Promise<Result<Settled, Trouble>> {
  const listed = await store.list({ prefix: path })
  return listed.ok ? ok({ kind: "applied" }) : err(troubleOf(listed.error, path))
}

/** True where the path is free now. */
async function finishTombstone(
  side: ObjectSide,
  { op, path, sending }: Omit<Deleting, "isSent">,
  head: ObjectHead,
): Promise<Result<boolean, Trouble>> {
  if (isUnderLease(side)) return removeUnderLease(side, path)
  const taken = await takeOver(tombstoneDeps(side), { key: path, head, op, sending })
  return taken.ok ? ok(taken.value === "removed") : err(troubleOf(taken.error, path))
}

/** Nobody else may be at it, so it needs no tombstone of ours in its place. */
async function removeUnderLease(
  { store, lease }: ObjectSide,
  path: RelativePath,
): Promise<Result<boolean, Trouble>> {
  const allowed = await lease.mayWrite()
  if (!allowed.ok) return allowed
  const removed = await store.remove(path, {})
  return removed.ok ? ok(true) : err(troubleOf(removed.error, path))
}

/** Objects of a tombstone's size that the journal does not know are looked at, once in a life. */
export function tombstonesOf(side: ObjectSide): Tombstones {
  const lookOnce = async ({ path, version }: ListedFile): Promise<Result<Tombstone | undefined, Trouble>> => {
    const name = `${path}\0${version.token}`
    if (side.looked.has(name)) return ok(side.looked.get(name))
    const head = await headOf(side, path)
    if (!head.ok) return head
    const found = head.value === undefined ? undefined : tombstoneAt(side, path, head.value)
    side.looked.set(name, found)
    return ok(found)
  }
  return {
    async find(files) {
      const toLook = files.filter(({ version }) => version.sizeBytes === TOMBSTONE_BYTES)
      const found: Tombstone[] = []
      let trouble: Trouble | undefined
      let next = 0
      const lane = async (): Promise<void> => {
        for (let file = toLook[next++]; file !== undefined; file = toLook[next++]) {
          const looked = await lookOnce(file)
          if (!looked.ok) trouble = looked.error
          else if (looked.value !== undefined) found.push(looked.value)
        }
      }
      await Promise.all(Array.from({ length: Math.min(HEADS_AT_ONCE, toLook.length) }, lane))
      return trouble === undefined ? ok(found) : err(trouble)
    },
    async finish(tombstones) {
      let gone = 0
      for (const { path, token, isAbandoned: isDue } of tombstones) {
        if (!isDue) continue
        const head = await headOf(side, path)
        if (!head.ok) return head
        if (head.value === undefined || head.value.etag !== token) continue
        // A crash from here on leaves it to whoever comes ten minutes later: nobody has it as an intent.
        const ours = { op: side.random.hex128() as OpId, path, sending: async () => undefined }
        const finished = await finishTombstone(side, ours, head.value)
        if (!finished.ok) return finished
        if (finished.value) gone += 1
      }
      return ok(gone)
    },
  }
}

function tombstoneAt(side: ObjectSide, path: RelativePath, head: ObjectHead): Tombstone | undefined {
  if (readTombstone(head) === undefined) return undefined
  return { path, token: head.etag as string as VersionToken, isAbandoned: isAbandoned(head, side.verdict) }
}
