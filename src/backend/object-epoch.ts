/**
 * The epoch of a bucket: one object, replaced only by whoever has read what it replaces.
 *
 * A listing shows its etag, and its text is kept beside the journal, so a run that finds it unchanged does not ask for
 * it. Under a lease nobody else writes, so there the condition is the lease.
 */

import type { Trouble } from "../model/errors.ts"
import type { DeviceId } from "../model/ids.ts"
import type { Epoch } from "../model/ports.ts"
import { err, ok, type Result } from "../model/result.ts"
import type { EpochPair } from "../model/state.ts"
import { checksumIn } from "../store/checksum.ts"
import type { Condition, Etag } from "../store/store.ts"
import { EPOCH_KEY, type EpochText, formatEpoch, newEpoch, parseEpoch, withPair } from "./epoch-text.ts"
import { type ObjectDeps, troubleOf } from "./object-side.ts"
import { readText } from "./object-text.ts"

const EPOCH_BYTES_MAX = 4 * 1024 * 1024
const APPEND_ATTEMPTS_MAX = 50
/** Another device may change the mode and waits ten minutes before it relies on that. */
const LOOK_AGAIN_MS = 5 * 60_000

export interface EpochKeeper {
  /** The next reading waits for this listing and asks only if the epoch is not the one that is kept. */
  await(listing: Promise<Result<Etag | undefined, Trouble>>): void
  read(): Promise<Result<EpochText | undefined, Trouble>>
  create(id: string, mode: Epoch["mode"]): Promise<Result<void, Trouble>>
  append(pair: { readonly nonce: string; readonly device: DeviceId }): Promise<Result<EpochPair, Trouble>>
  /** As last read; absent before. */
  last(): EpochText | undefined
  /** Before a write: is the mode still the one that this run acts by? Asks only after five minutes. */
  isCurrent(): Promise<Result<void, Trouble>>
  /** From now on one device writes at a time. */
  switchToLease(sinceMs: number): Promise<Result<void, Trouble>>
}

interface Kept {
  readonly etag: Etag
  readonly epoch: EpochText
}

/** What one life of a keeper knows. */
interface Keeping {
  readonly deps: ObjectDeps
  kept: Kept | undefined
  listing: Promise<Result<Etag | undefined, Trouble>> | undefined
  lookedMs: number
}

export function epochKeeper(deps: ObjectDeps): EpochKeeper {
  const keeping: Keeping = {
    deps,
    kept: undefined,
    listing: undefined,
    lookedMs: Number.NEGATIVE_INFINITY,
  }
  return {
    await(next) {
      // Whoever lists hears of it if that breaks; a run may end before anybody reads the epoch.
      next.catch(() => undefined)
      keeping.listing = next
    },
    read: () => readListed(keeping),
    async create(id, mode) {
      const created = await replace(keeping, newEpoch(id, mode), { kind: "absent" })
      if (!created.ok) return created
      return created.value ? ok(undefined) : err({ code: "in_the_way", path: EPOCH_KEY, detail: "EEXIST" })
    },
    append: (pair) => append(keeping, pair),
    last: () => keeping.kept?.epoch,
    isCurrent: () => isCurrent(keeping),
    switchToLease: (sinceMs) =>
      change<void>(keeping, {
        make: (epoch) => ({ epoch: { ...epoch, mode: "lease", leaseSinceMs: sinceMs }, value: undefined }),
        isDone: () => undefined,
      }),
  }
}

async function readListed(keeping: Keeping): Promise<Result<EpochText | undefined, Trouble>> {
  const listed = await keeping.listing
  keeping.listing = undefined
  // A listing that does not show it may be late; that there is none must be sure.
  if (listed === undefined || !listed.ok || listed.value === undefined) return fetch(keeping)
  keeping.kept ??= parseKept(keeping.deps.memory.read("epoch"))
  if (keeping.kept?.etag !== listed.value) return fetch(keeping)
  keeping.lookedMs = keeping.deps.monotonicMs()
  return ok(keeping.kept.epoch)
}

function append(
  keeping: Keeping,
  { nonce, device }: { readonly nonce: string; readonly device: DeviceId },
): Promise<Result<EpochPair, Trouble>> {
  const { deviceName, nowMs } = keeping.deps
  return change<EpochPair>(keeping, {
    make: (epoch) => {
      const added = withPair(epoch, { nonce, device, deviceName, nowMs: nowMs() })
      return { epoch: added.epoch, value: added.pair }
    },
    isDone: ({ pairs }) => pairs.find((pair) => pair.nonce === nonce),
  })
}

async function isCurrent(keeping: Keeping): Promise<Result<void, Trouble>> {
  const before = keeping.kept?.epoch
  if (before === undefined || keeping.deps.monotonicMs() - keeping.lookedMs < LOOK_AGAIN_MS)
    return ok(undefined)
  const read = await fetch(keeping)
  if (!read.ok) return read
  return read.value?.mode === before.mode && read.value.id === before.id
    ? ok(undefined)
    : err({ code: "lease_lost", path: EPOCH_KEY, detail: "the remote's mode was changed" })
}

/** Reads, changes, writes; again where somebody else was faster. */
async function change<T>(
  keeping: Keeping,
  {
    make,
    isDone,
  }: {
    readonly make: (epoch: EpochText) => { readonly epoch: EpochText; readonly value: T }
    /** An answer may have been lost after the write it was for. */
    readonly isDone: (epoch: EpochText) => T | undefined
  },
): Promise<Result<T, Trouble>> {
  for (let attempt = 0; attempt < APPEND_ATTEMPTS_MAX; attempt++) {
    if (attempt > 0 || !canBeReplaced(keeping)) {
      const read = await fetch(keeping)
      if (!read.ok) return read
    }
    if (keeping.kept === undefined) return err({ code: "not_found", path: EPOCH_KEY })
    const done = isDone(keeping.kept.epoch)
    if (done !== undefined) return ok(done)
    const { epoch, value } = make(keeping.kept.epoch)
    const replaced = await replace(keeping, epoch, { kind: "match", etag: keeping.kept.etag })
    if (!replaced.ok) return replaced
    if (replaced.value) return ok(value)
  }
  return err({ code: "busy", path: EPOCH_KEY })
}

/**
 * What is kept may be older than what is there, which the condition finds; under a lease that is a look at the token,
 * and it must tell any two texts apart.
 */
function canBeReplaced({ kept, deps }: Keeping): boolean {
  if (kept === undefined) return false
  const isTelling = deps.store.traits.kind === "s3" || checksumIn(kept.etag) !== undefined
  return kept.epoch.mode !== "lease" || isTelling
}

function keep(keeping: Keeping, next: Kept): void {
  keeping.kept = next
  keeping.lookedMs = keeping.deps.monotonicMs()
  keeping.deps.memory.write("epoch", `${next.etag}\n${formatEpoch(next.epoch)}`)
}

async function fetch(keeping: Keeping): Promise<Result<EpochText | undefined, Trouble>> {
  const fetched = await fetchEpoch(keeping.deps)
  if (!fetched.ok) return fetched
  if (fetched.value === undefined) keeping.kept = undefined
  else keep(keeping, fetched.value)
  return ok(fetched.value?.epoch)
}

async function replace(
  keeping: Keeping,
  next: EpochText,
  condition: Condition,
): Promise<Result<boolean, Trouble>> {
  const written = await putEpoch(keeping.deps, next, condition)
  if (!written.ok || written.value === undefined) return written.ok ? ok(false) : written
  keep(keeping, { etag: written.value, epoch: next })
  return ok(true)
}

async function fetchEpoch(deps: ObjectDeps): Promise<Result<Kept | undefined, Trouble>> {
  const isWhole = (text: string) => parseEpoch(text) !== undefined
  const at = { key: EPOCH_KEY, limitBytes: EPOCH_BYTES_MAX, isWhole }
  const read = await readText(deps, at)
  if (!read.ok) return read
  if (read.value === undefined) return ok(undefined)
  const { etag, text } = read.value
  const epoch = parseEpoch(text)
  return epoch === undefined
    ? err({ code: "io", path: EPOCH_KEY, detail: "unreadable" })
    : ok({ etag, epoch })
}

/** Nothing where the condition did not hold. */
async function putEpoch(
  deps: ObjectDeps,
  epoch: EpochText,
  condition: Condition,
): Promise<Result<Etag | undefined, Trouble>> {
  const bytes = Buffer.from(formatEpoch(epoch))
  const { tier } = deps.verdict
  const guarded = tier === "A" || tier === "B" ? condition : undefined
  if (guarded === undefined) {
    // The lease keeps others of us away; what is there must still be what was read.
    const at = await deps.store.head(EPOCH_KEY)
    if (!at.ok && at.error.kind !== "not_found") return err(troubleOf(at.error, EPOCH_KEY))
    const isExpected = condition.kind === "match" ? at.ok && at.value.etag === condition.etag : !at.ok
    if (!isExpected) return ok(undefined)
  }
  const put = await deps.store.put(
    EPOCH_KEY,
    { kind: "bytes", bytes },
    { metadata: {}, ...(guarded !== undefined && { condition: guarded }) },
  )
  if (put.ok) return ok(put.value.etag)
  return put.error.kind === "precondition" || put.error.kind === "conflict"
    ? ok(undefined)
    : err(troubleOf(put.error, EPOCH_KEY))
}

function parseKept(text: string | undefined): Kept | undefined {
  if (text === undefined) return undefined
  const end = text.indexOf("\n")
  const epoch = parseEpoch(text.slice(end + 1))
  return end < 1 || epoch === undefined ? undefined : { etag: text.slice(0, end), epoch }
}
