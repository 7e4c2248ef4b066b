/**
 * Changes a bucket, one object at a time, in ways that cannot replace or remove a version that we have not seen.
 *
 * A condition on the request itself where the server keeps it; where it does not, the lease keeps our other devices
 * away and a look right before the write finds what foreign programs did. An answer that says no is read once more: it
 * may be about our own request, whose first answer was lost.
 */

import type { Operation, Step } from "../model/action.ts"
import type { Version } from "../model/entry.ts"
import type { Trouble } from "../model/errors.ts"
import type { OpId } from "../model/ids.ts"
import type { RelativePath } from "../model/path.ts"
import type { Applied } from "../model/ports.ts"
import { err, ok, type Result } from "../model/result.ts"
import { opOf } from "../store/metadata.ts"
import type { Answer, Condition, Failure, Metadata, Written } from "../store/store.ts"
import { deleteByTombstone, type TombstoneDeps } from "../store/tombstone.ts"
import { deleteMode } from "../store/verdict.ts"
import { sourceOf, unlessLost } from "./object-source.ts"
import { metadataOf, metadataOfMove } from "./object-stage.ts"
import { type ObjectSide, type StagedObject, troubleOf, versionOf } from "./object-side.ts"

type WriteStep = Extract<Step, { kind: "write" }>
type MoveStep = Extract<Step, { kind: "move" }>

const CONFLICT_ATTEMPTS_MAX = 6
const CONFLICT_DELAY_MS = 100

export async function applyObject(
  side: ObjectSide,
  { op, step }: Operation,
  sending: () => Promise<void>,
): Promise<Result<Applied, Trouble>> {
  const current = await side.epoch.isCurrent()
  if (!current.ok) return current
  const staged = side.staged.get(op)
  side.staged.delete(op)
  const applied = await applyStep(side, { op, step }, { staged, sending })
  // Nobody can say whether it lands: the lease's flag must stand until it cannot.
  if (!applied.ok && isUnderLease(side)) side.lease.unanswered()
  return applied
}

function applyStep(
  side: ObjectSide,
  { op, step }: Operation,
  at: { readonly staged: StagedObject | undefined; readonly sending: () => Promise<void> },
): Promise<Result<Applied, Trouble>> {
  const { staged, sending } = at
  switch (step.kind) {
    case "write":
      return writeObject(side, { op, step, staged })
    case "remove":
      return removeObject(side, { op, path: step.path, expected: step.expected, sending })
    case "move":
      return moveObject(side, { op, step, staged, sending })
  }
}

/** The mode belongs to the remote: everybody acts by it, whatever the server could do. */
export function isUnderLease({ epoch, verdict }: Pick<ObjectSide, "epoch" | "verdict">): boolean {
  return (epoch.last()?.mode ?? (deleteMode(verdict) === "lease" ? "lease" : "conditional")) === "lease"
}

function keepsConditions({ verdict }: ObjectSide): boolean {
  return deleteMode(verdict) !== "lease"
}

async function writeObject(
  side: ObjectSide,
  at: { readonly op: OpId; readonly step: WriteStep; readonly staged: StagedObject | undefined },
): Promise<Result<Applied, Trouble>> {
  const { op, step, staged } = at
  const { path, expected } = step
  const content = staged?.content
  if (staged === undefined || content === undefined) return err({ code: "interrupted", path })
  const condition: Condition =
    expected.kind === "absent" ? { kind: "absent" } : { kind: "match", etag: expected.version.token }
  const seen = await isAsExpected(side, path, condition)
  if (!seen.ok) return seen
  if (!seen.value) {
    if (staged.upload !== undefined) await side.store.abort({ key: path, uploadId: staged.upload.uploadId })
    return ok({ kind: "changed" })
  }
  const conditional = keepsConditions(side) ? { condition } : {}
  const { upload, lineage } = staged
  const { mtimeMs, sizeBytes } = step
  const metadata = upload?.metadata ?? metadataOf(side, { op, mtimeMs, hash: content.hash, lineage })
  const source = sourceOf(content)
  const { body } = source
  const send = (): Answer<Written> =>
    upload === undefined
      ? side.store.put(path, body, { ...conditional, metadata })
      : side.store.complete({ key: path, uploadId: upload.uploadId }, upload.parts, conditional)
  const written = await sendUntilClear(side, { path, op, send })
  if (written.kind === "failed") return err(source.lost() ?? troubleOf(written.failure, path))
  if (written.kind === "changed") {
    if (upload !== undefined) await side.store.abort({ key: path, uploadId: upload.uploadId })
    return ok({ kind: "changed" })
  }
  side.applied.set(op, writtenVersion(step, { etag: written.etag, sizeBytes, metadata }))
  return ok({ kind: "applied" })
}

/** What we wrote, as a look will show it. */
function writtenVersion(
  { mtimeMs }: Pick<Version, "mtimeMs">,
  at: { readonly etag: string; readonly sizeBytes: number; readonly metadata: Metadata },
): Version {
  return versionOf({ ...at, lastModifiedMs: mtimeMs })
}

/**
 * Under the lease: what is there just before the write, and whether the lease still holds after that was asked. A
 * conditional request asks the one by itself, and needs no other.
 */
async function isAsExpected(
  side: ObjectSide,
  path: RelativePath,
  condition: Condition,
): Promise<Result<boolean, Trouble>> {
  if (!isUnderLease(side)) return ok(true)
  const head = await side.store.head(path)
  const allowed = await side.lease.mayWrite()
  if (!allowed.ok) return allowed
  if (!head.ok)
    return head.error.kind === "not_found"
      ? ok(condition.kind === "absent")
      : err(troubleOf(head.error, path))
  return ok(condition.kind === "match" && head.value.etag === condition.etag)
}

type Sent =
  | { readonly kind: "written"; readonly etag: string }
  | { readonly kind: "changed" }
  | { readonly kind: "failed"; readonly failure: Failure }

/** Sends until the answer says what happened; 409 says only that somebody else was at it. */
async function sendUntilClear(
  side: ObjectSide,
  at: { readonly path: RelativePath; readonly op: OpId; readonly send: () => Answer<Written> },
): Promise<Sent> {
  const { path, op, send } = at
  for (let attempt = 1; ; attempt++) {
    const sent = await unlessLost(send)
    if (sent.ok) return { kind: "written", etag: sent.value.etag }
    const { kind } = sent.error
    if (kind !== "precondition" && kind !== "conflict" && kind !== "not_found")
      return { kind: "failed", failure: sent.error }
    const head = await side.store.head(path)
    if (head.ok && opOf(head.value.metadata) === op) return { kind: "written", etag: head.value.etag }
    if (!head.ok && head.error.kind !== "not_found") return { kind: "failed", failure: head.error }
    if (kind !== "conflict") return { kind: "changed" }
    if (attempt >= CONFLICT_ATTEMPTS_MAX) return { kind: "failed", failure: sent.error }
    await side.sleep(jitter(side, CONFLICT_DELAY_MS * 2 ** attempt))
  }
}

function jitter({ random }: ObjectSide, delayMs: number): number {
  return (delayMs * Number.parseInt(random.hex128().slice(0, 8), 16)) / 0xffff_ffff
}

export async function removeObject(
  side: ObjectSide,
  at: {
    readonly op: OpId
    readonly path: RelativePath
    readonly expected: Version
    readonly sending: () => Promise<void>
  },
): Promise<Result<Applied, Trouble>> {
  const { op, path, expected, sending } = at
  if (isUnderLease(side) || deleteMode(side.verdict) === "conditional") {
    const seen = await isAsExpected(side, path, { kind: "match", etag: expected.token })
    if (!seen.ok) return seen
    if (!seen.value) return ok({ kind: "changed" })
    const conditional = keepsConditions(side) ? { ifMatch: expected.token as string } : {}
    const removed = await side.store.remove(path, conditional)
    return removed.ok || removed.error.kind === "not_found"
      ? ok({ kind: "applied" })
      : removedAfterAll(side, path, removed.error)
  }
  const removed = await deleteByTombstone(tombstoneDeps(side), {
    key: path,
    expected: expected.token,
    op,
    sending,
  })
  if (!removed.ok) return err(troubleOf(removed.error, path))
  if (removed.value === "left") return err({ code: "interrupted", path, detail: "its delete goes on later" })
  return ok({ kind: removed.value === "removed" ? "applied" : "changed" })
}

export function tombstoneDeps({ store, device, monotonicMs, nowMs, random }: ObjectSide): TombstoneDeps {
  return { store, device, monotonicMs, wallMs: nowMs, random }
}

async function removedAfterAll(
  side: ObjectSide,
  path: RelativePath,
  failure: Failure,
): Promise<Result<Applied, Trouble>> {
  if (failure.kind !== "precondition" && failure.kind !== "conflict") return err(troubleOf(failure, path))
  const head = await side.store.head(path)
  if (!head.ok)
    return head.error.kind === "not_found" ? ok({ kind: "applied" }) : err(troubleOf(head.error, path))
  return ok({ kind: "changed" })
}

async function moveObject(
  side: ObjectSide,
  at: {
    readonly op: OpId
    readonly step: MoveStep
    readonly staged: StagedObject | undefined
    readonly sending: () => Promise<void>
  },
): Promise<Result<Applied, Trouble>> {
  const { op, step, staged, sending } = at
  const { path, to, expected } = step
  const { source, upload } = staged ?? {}
  const giveUp = async (): Promise<Result<Applied, Trouble>> => {
    if (upload !== undefined) await side.store.abort({ key: to, uploadId: upload.uploadId })
    return ok({ kind: "changed" })
  }
  // No plan asks for it; a copy that keeps no condition could replace what it never saw.
  if (side.verdict.copies === "none" && !isUnderLease(side)) return err({ code: "unsupported", path })
  if (source === undefined || source.etag !== expected.token) return giveUp()
  const still = await isAsExpected(side, path, { kind: "match", etag: expected.token })
  if (!still.ok) return still
  if (!still.value) return giveUp()
  const free = await isAsExpected(side, to, { kind: "absent" })
  if (!free.ok) return free
  if (!free.value) return giveUp()
  const version = versionOf(source)
  const { sizeBytes } = version
  const metadata = upload?.metadata ?? metadataOfMove(side, { op, source, hash: expected.hash })
  const copied = await sendUntilClear(side, {
    path: to,
    op,
    send: () => copyObject(side, { step, metadata, upload }),
  })
  if (copied.kind === "failed") return err(troubleOf(copied.failure, to))
  if (copied.kind === "changed") return giveUp()
  side.applied.set(op, writtenVersion(version, { etag: copied.etag, sizeBytes, metadata }))
  return removeObject(side, { op, path, expected, sending })
}

function copyObject(
  side: ObjectSide,
  at: {
    readonly step: MoveStep
    readonly metadata: Metadata
    readonly upload: StagedObject["upload"]
  },
): Answer<Written> {
  const { step, metadata, upload } = at
  const { path, to, expected } = step
  const ifMatch = expected.token as string
  const absent: Condition = { kind: "absent" }
  if (upload !== undefined) return copyInPart(side, { from: path, to, ifMatch, uploadId: upload.uploadId })
  const isGuarded = side.verdict.copies === "if_none_match"
  return side.store.copy(path, to, { ifMatch, metadata, ...(isGuarded && { condition: absent }) })
}

/** Where a copy ignores its condition: a form of it whose last request does not. */
async function copyInPart(
  side: ObjectSide,
  at: { readonly from: string; readonly to: string; readonly ifMatch: string; readonly uploadId: string },
): Answer<Written> {
  const { from, to, ifMatch, uploadId } = at
  const upload = { key: to, uploadId }
  const part = await side.store.copyPart(upload, 1, { key: from, ifMatch })
  return part.ok ? side.store.complete(upload, [part.value], { condition: { kind: "absent" } }) : part
}
