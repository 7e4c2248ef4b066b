/**
 * An object store as a side: a bucket, or any remote of rclone. What a request may replace is a condition of the request.
 *
 * How that is held depends on what the probe found (`store/verdict.ts`) and on the remote's mode, which stands in its
 * epoch: conditional writes, deletes by tombstone, or one device at a time under a lease. Objects are replaced in one
 * step, so nothing is ever put aside.
 */

import type { Trouble } from "../model/errors.ts"
import type { Backend, Capabilities } from "../model/ports.ts"
import { err, ok, type Result } from "../model/result.ts"
import type { Etag } from "../store/store.ts"
import { deleteMode } from "../store/verdict.ts"
import { toEpoch } from "./epoch-text.ts"
import { lease } from "./lease.ts"
import { NO_TRASH } from "./no-trash.ts"
import { applyObject, isUnderLease } from "./object-apply.ts"
import { epochKeeper } from "./object-epoch.ts"
import { objectFlags } from "./object-flags.ts"
import { listBucket } from "./object-list.ts"
import { hasContent, lookAt, readObject } from "./object-read.ts"
import { settleObject, tombstonesOf } from "./object-settle.ts"
import { type ObjectDeps, type ObjectSide, serverNowMs } from "./object-side.ts"
import { BEGUN, stageObject } from "./object-stage.ts"

export type { ObjectDeps } from "./object-side.ts"

const LEASE_WAIT_MS_MAX = 60_000
/** A device that wrote longer ago than this is not waited for. */
const RECENT_MS = 90 * 24 * 3_600_000
/** Writers by the old mode look at the epoch again after five minutes, and their last write takes less than five more. */
const SWITCH_MS = 10 * 60_000
const UPLOAD_AGE_MS = 24 * 3_600_000

function capabilitiesOf({ verdict, store: { traits } }: ObjectDeps): Capabilities {
  const isLeased = deleteMode(verdict) === "lease"
  const { kind, keepsTimes, canCopy, foldsCase, lanes } = traits
  return {
    kind,
    guard: isLeased ? "lease" : "conditional",
    hasFileBesideDirectory: verdict.hasFileBesideDirectory,
    readsAreCheap: false,
    canMove: canCopy && (isLeased || verdict.copies !== "none"),
    keepsTimes,
    foldsCase,
    lanes,
  }
}

export function objectBackend(deps: ObjectDeps): Backend {
  const { store } = deps
  const side = openSide(deps)
  return {
    capabilities: capabilitiesOf(deps),
    async list({ shards }) {
      const listing = listBucket(deps, shards)
      side.epoch.await(listing.then(epochIn))
      const listed = await listing
      side.isClear = listed.ok && !listed.value.hasFlags
      return listed.ok ? ok(listed.value.listing) : listed
    },
    look: (path) => lookAt(side, path),
    read: (path, version) => readObject(side, path, version),
    hasContent,
    stage: (operation, content) => stageObject(side, operation, content),
    apply: (operation, _mark, sending = async () => undefined) => applyObject(side, operation, sending),
    async unstage({ op, step }) {
      const upload = side.staged.get(op)?.upload
      side.staged.delete(op)
      const key = step.kind === "move" ? step.to : step.path
      if (upload !== undefined) await store.abort({ key, uploadId: upload.uploadId })
    },
    async discardStaged() {
      side.staged.clear()
      await abortOldUploads(side)
    },
    async flush() {
      const versions = new Map(side.applied)
      side.applied.clear()
      await abortOldUploads(side)
      return ok(versions)
    },
    settle: (operation, mark, sending = async () => undefined) =>
      settleObject(side, operation, { mark, sending }),
    ...NO_TRASH,
    // Another device may delete by them, whatever this one found out about the server.
    tombstones: tombstonesOf(side),
    beginWriting: (options) => beginWriting(side, options),
    async endWriting() {
      if (side.lease.isHeld()) await side.lease.release()
    },
    ...epochOf(side),
  }
}

function openSide(deps: ObjectDeps): ObjectSide {
  const { device, deviceName, monotonicMs, random, sleep, nowMs, memory } = deps
  const flags = objectFlags(deps)
  return {
    ...deps,
    staged: new Map(),
    applied: new Map(),
    distrusted: new Set(),
    looked: new Map(),
    isClear: false,
    epoch: epochKeeper(deps),
    lease: lease({ flags, device, deviceName, monotonicMs, wallMs: nowMs, random, sleep, memory }),
  }
}

function epochOf(side: ObjectSide): Pick<Backend, "readEpoch" | "createEpoch" | "appendEpoch"> {
  return {
    async readEpoch(known) {
      const read = await side.epoch.read()
      if (!read.ok) return read
      return ok(read.value === undefined ? undefined : toEpoch(read.value, known))
    },
    createEpoch: (id) => createEpoch(side, id),
    async appendEpoch(pair) {
      const allowed = isUnderLease(side) ? await side.lease.mayWrite() : ok(undefined)
      return allowed.ok ? side.epoch.append(pair) : allowed
    },
  }
}

function epochIn(listed: Awaited<ReturnType<typeof listBucket>>): Result<Etag | undefined, Trouble> {
  return listed.ok ? ok(listed.value.epoch) : listed
}

/** Left by a life that ended in the middle of a large upload. Another device may be at work on a younger one. */
async function abortOldUploads(side: ObjectSide): Promise<void> {
  if (side.memory.read("uploads") !== BEGUN) return
  const uploads = await side.store.uploads("")
  if (!uploads.ok) return
  const isOld = ({ startedMs }: { readonly startedMs: number }) =>
    serverNowMs(side) - startedMs > UPLOAD_AGE_MS
  for (const upload of uploads.value) if (isOld(upload)) await side.store.abort(upload)
  if (uploads.value.every(isOld)) side.memory.write("uploads", "")
}

async function beginWriting(
  side: ObjectSide,
  { onWait }: { readonly onWait: (holder: string) => void },
): Promise<Result<void, Trouble>> {
  const needsLease = deleteMode(side.verdict) === "lease"
  const epoch = side.epoch.last()
  if (epoch?.mode === "conditional" && needsLease) {
    const switched = await side.epoch.switchToLease(serverNowMs(side))
    if (!switched.ok) return switched
  }
  if (!isUnderLease(side)) return ok(undefined)
  const waiting = untilSwitched(side)
  if (waiting !== undefined) return err(waiting)
  const { isClear } = side
  side.isClear = false
  return side.lease.acquire({ waitMsMax: LEASE_WAIT_MS_MAX, onWait, isClear })
}

/** After a switch everybody waits until nobody can still be writing by the old mode. */
function untilSwitched(side: ObjectSide): Trouble | undefined {
  const { leaseSinceMs, devices = {} } = side.epoch.last() ?? {}
  if (leaseSinceMs === undefined) return undefined
  const leftMs = leaseSinceMs + SWITCH_MS - serverNowMs(side)
  const others = Object.entries(devices).filter(
    ([id, { wroteMs }]) => id !== side.device && leaseSinceMs - wroteMs < RECENT_MS,
  )
  if (leftMs <= 0 || others.length === 0) return undefined
  const minutes = Math.ceil(leftMs / 60_000)
  return {
    code: "lease_held",
    path: "",
    detail: `the remote changes to one writer at a time, for ${minutes} more minutes`,
  }
}

async function createEpoch(side: ObjectSide, id: string): Promise<Result<void, Trouble>> {
  if (deleteMode(side.verdict) !== "lease") return side.epoch.create(id, "conditional")
  const acquired = await side.lease.acquire({ waitMsMax: LEASE_WAIT_MS_MAX, onWait: () => undefined })
  if (!acquired.ok) return acquired
  const created = await side.epoch.create(id, "lease")
  await side.lease.release()
  return created
}
