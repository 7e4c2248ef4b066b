/**
 * A remote in memory: the reference. Objects with conditional writes, as an ideal object store would have them.
 *
 * Every other backend must behave like this one wherever their capabilities agree; the contract suite says how. Tests
 * crash it at every call and inject faults through `tick`.
 */

import type { Operation, Step } from "../model/action.ts"
import type { Listing, Version } from "../model/entry.ts"
import type { Trouble } from "../model/errors.ts"
import type { OpId, Sha256, VersionToken } from "../model/ids.ts"
import { comparePaths, type RelativePath } from "../model/path.ts"
import {
  ContentLost,
  type Applied,
  type Backend,
  type Capabilities,
  type Content,
  type Epoch,
  type Settled,
} from "../model/ports.ts"
import { err, ok, type Result } from "../model/result.ts"
import { NO_TRASH } from "./no-trash.ts"
import type { EpochPair } from "../model/state.ts"

export interface StoredObject {
  readonly bytes: Uint8Array
  readonly version: Version
  readonly op?: OpId
  /** The operations whose versions this one replaced, newest first. */
  readonly lineage?: readonly OpId[]
}

const LINEAGE_MAX = 8

/** What all devices share: the bucket itself. */
export interface MemoryBucket {
  readonly objects: Map<RelativePath, StoredObject>
  epoch: { readonly id: string; readonly pairs: EpochPair[] } | undefined
  nextEtag: number
}

export interface MemoryDeps {
  readonly bucket: MemoryBucket
  readonly sha256: Sha256
  readonly nowMs: () => number
  /** Called before and after every effect; may throw to crash, or answer trouble to fail the call. */
  readonly tick?: (call: string, path: string, phase: "before" | "after") => Promise<Trouble | undefined>
}

const CAPABILITIES: Capabilities = {
  kind: "memory",
  guard: "conditional",
  hasFileBesideDirectory: true,
  readsAreCheap: false,
  canMove: true,
  keepsTimes: true,
  foldsCase: false,
  lanes: 16,
}

export function emptyBucket(): MemoryBucket {
  return { objects: new Map(), epoch: undefined, nextEtag: 1 }
}

/** Puts an object as a foreign program would. */
export function putObject(
  deps: Pick<MemoryDeps, "bucket">,
  path: RelativePath,
  object: {
    readonly bytes: Uint8Array
    readonly mtimeMs: number
    readonly op?: OpId
    readonly lineage?: readonly OpId[]
  },
): Version {
  const { bytes, mtimeMs, op, lineage } = object
  const token = `"${deps.bucket.nextEtag++}"` as VersionToken
  const version: Version = { token, sizeBytes: bytes.length, mtimeMs }
  deps.bucket.objects.set(path, {
    bytes,
    version,
    ...(op !== undefined && { op }),
    ...(lineage !== undefined && { lineage }),
  })
  return version
}

export function memoryBackend(deps: MemoryDeps): Backend {
  const { bucket, sha256 } = deps
  const staged = new Map<OpId, Uint8Array>()
  const results = new Map<OpId, Version>()
  const call = async <T>(
    name: string,
    path: string,
    effect: () => Result<T, Trouble>,
  ): Promise<Result<T, Trouble>> => {
    const before = await deps.tick?.(name, path, "before")
    if (before !== undefined) return err(before)
    const result = effect()
    const after = await deps.tick?.(name, path, "after")
    return after === undefined ? result : err(after)
  }
  return {
    capabilities: CAPABILITIES,
    list: () => call("list", "", () => ok(listBucket(deps))),
    look: (path) => call("look", path, () => ok(bucket.objects.get(path)?.version)),
    read: (path, version) =>
      call("read", path, () => {
        const object = bucket.objects.get(path)
        if (object === undefined || object.version.token !== version.token)
          return err({ code: "changed_since", path })
        return ok({ kind: "bytes", bytes: object.bytes, hash: sha256(object.bytes) })
      }),
    async stage({ op, step }, content) {
      if (step.kind !== "write") return ok({ op })
      const bytes = await bytesOf(content, step.path)
      if (!bytes.ok) return bytes
      staged.set(op, bytes.value)
      return ok({ op })
    },
    async apply(operation) {
      const { op, step } = operation
      const applied = await call("apply", step.path, () => ok(applyObject(deps, operation, staged.get(op))))
      if (!applied.ok) return applied
      staged.delete(op)
      if (applied.value.version !== undefined) results.set(op, applied.value.version)
      return ok({ kind: applied.value.kind })
    },
    async unstage({ op }) {
      staged.delete(op)
    },
    async discardStaged() {
      staged.clear()
    },
    async flush() {
      const versions = new Map(results)
      results.clear()
      return ok(versions)
    },
    settle: (operation) => call("settle", operation.step.path, () => ok(settleObject(bucket, operation))),
    ...NO_TRASH,
    readEpoch: (known) => call("readEpoch", "", () => ok(epochOf(bucket, known))),
    createEpoch: (id) =>
      call("createEpoch", "", () => {
        if (bucket.epoch !== undefined) return err({ code: "in_the_way", path: "epoch", detail: "EEXIST" })
        bucket.epoch = { id, pairs: [] }
        return ok(undefined)
      }),
    appendEpoch: (pair) =>
      call("appendEpoch", "", () => {
        if (bucket.epoch === undefined) return err({ code: "not_found", path: "epoch" })
        const added = { ...pair, counter: (bucket.epoch.pairs.at(-1)?.counter ?? 0) + 1 }
        bucket.epoch.pairs.push(added)
        return ok(added)
      }),
  }
}

function settleObject(bucket: MemoryBucket, { op, step }: Operation): Settled {
  const object = bucket.objects.get(goalOf(step))
  if (step.kind === "remove") return { kind: object === undefined ? "applied" : "not_applied" }
  if (object?.op === op) return { kind: "applied", version: object.version }
  // Somebody already built on ours.
  return { kind: object?.lineage?.includes(op) === true ? "applied" : "not_applied" }
}

function goalOf(step: Step): RelativePath {
  return step.kind === "move" ? step.to : step.path
}

function applyObject(
  deps: MemoryDeps,
  { op, step }: Operation,
  bytes: Uint8Array | undefined,
): { readonly kind: Applied["kind"]; readonly version?: Version } {
  const { objects } = deps.bucket
  const current = objects.get(step.path)
  const expected =
    step.kind === "write"
      ? step.expected.kind === "version"
        ? step.expected.version
        : undefined
      : step.expected
  if (current?.version.token !== expected?.token) return { kind: "changed" }
  switch (step.kind) {
    case "write":
      if (bytes === undefined) return { kind: "changed" }
      return {
        kind: "applied",
        version: putObject(deps, step.path, {
          bytes,
          mtimeMs: step.mtimeMs,
          op,
          lineage: lineageOver(current),
        }),
      }
    case "remove":
      objects.delete(step.path)
      return { kind: "applied" }
    case "move": {
      if (current === undefined || objects.has(step.to)) return { kind: "changed" }
      const version = putObject(deps, step.to, { bytes: current.bytes, mtimeMs: current.version.mtimeMs, op })
      objects.delete(step.path)
      return { kind: "applied", version }
    }
  }
}

function lineageOver(replaced: StoredObject | undefined): readonly OpId[] {
  if (replaced === undefined) return []
  const { op, lineage = [] } = replaced
  return [...(op === undefined ? [] : [op]), ...lineage].slice(0, LINEAGE_MAX)
}

function listBucket({ bucket, sha256, nowMs }: MemoryDeps): Listing {
  const files = [...bucket.objects]
    .map(([path, { version }]) => ({ path, version }))
    .sort((a, b) => comparePaths(a.path, b.path))
  const digest = sha256(files.map(({ path, version }) => `${path}\0${version.token}`).join("\n"))
  return { files, count: files.length, unknowns: [], mounts: [], digest, sampledMs: nowMs(), newestMs: 0 }
}

function epochOf(bucket: MemoryBucket, known: readonly number[]): Epoch | undefined {
  if (bucket.epoch === undefined) return undefined
  const { id, pairs } = bucket.epoch
  const newestKnown = Math.max(0, ...known)
  return {
    id,
    mode: "conditional",
    chain: pairs.filter(({ counter }) => counter > newestKnown || known.includes(counter)),
  }
}

async function bytesOf(
  content: Content | undefined,
  path: RelativePath,
): Promise<Result<Uint8Array, Trouble>> {
  if (content === undefined) return err({ code: "io", path, detail: "no content" })
  if (content.kind === "bytes") return ok(content.bytes)
  const pieces: Uint8Array[] = []
  try {
    for await (const piece of content.open()) pieces.push(piece)
  } catch (error) {
    if (error instanceof ContentLost) return err(error.trouble)
    throw error
  }
  return ok(Buffer.concat(pieces))
}
