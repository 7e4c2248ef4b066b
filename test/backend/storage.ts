/** A storage under test, two devices on it, the hands of somebody else who writes there, and how to make steps. */

import { createHash } from "node:crypto"
import type { Disk } from "../../src/disk/disk.ts"
import type { Operation, Step } from "../../src/model/action.ts"
import type { Version } from "../../src/model/entry.ts"
import type { Trouble } from "../../src/model/errors.ts"
import { mustContentHash, type OpId, type Sha256 } from "../../src/model/ids.ts"
import { mustPath } from "../../src/model/path.ts"
import { type Applied, type Backend, type Content, ContentLost } from "../../src/model/ports.ts"
import type { Result } from "../../src/model/result.ts"
import type { Failure, ObjectStore } from "../../src/store/store.ts"
import type { Verdict } from "../../src/store/verdict.ts"
import type { TestContext } from "vitest"

export type DeviceName = "one" | "two"

/** What a device has open in one life. */
export interface Opened {
  readonly backend: Backend
  /** After that many further effects the device dies: every call throws `Died`. */
  dieAfter(effects: number): void
}

/** In what kinds of storage differ, each in its own right. */
export interface Traits {
  /** A listing shows when the storage got a version; the user's time stands in its metadata. */
  readonly listsUploadTimes?: true
  /** The user's time is not kept: a version shows when the storage got it. */
  readonly losesTimes?: true
  /** However much there is comes in one page. */
  readonly listsInOnePage?: true
  /** Equal contents are one version: what was removed and written again as it was is what it was. */
  readonly equalContentIsOneVersion?: true
  /** A remove cannot tell that somebody else was faster. */
  readonly removesWhatIsGone?: true
  /** A look cannot tell that the storage is gone from a file that is; listings and reads can. */
  readonly looksCannotTell?: true
  /** Whoever reads while it is replaced may be told that it is not there, or nonsense. */
  readonly replacesInSight?: true
  /** Names that it refuses, or cannot show as they are. */
  readonly cannotName?: readonly string[]
}

/** What was done by hand, at once in memory, later where a server must be asked. */
export type Hand = void | Promise<void>

export interface Storage {
  readonly traits?: Traits
  /** A device as it starts, with nothing in memory. */
  start(device: DeviceName): Opened | Promise<Opened>
  /** Writes as a foreign program does, and makes the parents it needs. */
  write(path: string, text: string, mtimeMs?: number): Hand
  remove(path: string): Hand
  /** What a user sees, in byte order of paths. */
  tree(): ReadonlyMap<string, string> | Promise<ReadonlyMap<string, string>>
  /** What lies staged somewhere, by all devices. */
  staged(): readonly string[] | Promise<readonly string[]>
  /** The storage is gone, or answers no more. */
  vanish(): Hand
  /** Present where directories exist by themselves. */
  readonly folder?: FolderHands
  /** Present where there are only objects. */
  readonly bucket?: BucketHands
  close(): Hand
}

/** A folder answers every hand at once. */
export interface FolderStorage extends Storage {
  start(device: DeviceName): Opened
  write(path: string, text: string, mtimeMs?: number): void
  remove(path: string): void
  tree(): ReadonlyMap<string, string>
  staged(): readonly string[]
  readonly folder: FolderHands
}

export interface BucketStorage extends Storage {
  readonly bucket: BucketHands
}

/** What only a folder lets a user do. */
export interface FolderHands {
  readonly disk: Disk
  /** A link to a directory elsewhere, which holds `a.md`. */
  putSymlink(path: string): void
  /** Writes in place, as an editor does that still has the file open. */
  writeOpened(file: string, text: string): void
  /** Lets the clock of all devices run. */
  later(ms: number): void
}

/** A request that a device makes: a method of its store, and the key or prefix that it is about. */
export interface Request {
  readonly name: string
  readonly key: string
}

/** Comes before a request and after its effect; a failure is what the device hears in place of the answer. */
export type Disturbance = (
  request: Request,
  phase: "before" | "after",
) => Failure | undefined | Promise<Failure | undefined>

/** What only a bucket lets a test do. */
export interface BucketHands {
  readonly verdict: Verdict
  /** As a foreign program reaches it. */
  readonly store: ObjectStore
  /** Lets every clock run, the server's too. */
  later(ms: number): void
  /** For all devices, until the next one. */
  disturb(disturbance: Disturbance | undefined): void
  /** Keys at which a tombstone stands. */
  tombstones(): Promise<readonly string[]>
  /** The flags of a lease. */
  flags(): Promise<readonly string[]>
  /** The bucket is removed, and one of the same name is made. */
  recreate(): Promise<void>
}

export const EVERYTHING = { ignoresDirectory: () => false }

/** What a test has at hand: made anew before each. */
export interface Get<S extends Storage = Storage> {
  storage(): S
  one(): Backend
  two(): Backend
}

/** A device died here, in the middle of a call. */
export class Died extends Error {}

/** Counts effects and throws at the one that the device does not live to see. */
export function mortality(): { dieAfter(effects: number): void; tick(): void } {
  let left = Number.POSITIVE_INFINITY
  return {
    dieAfter(effects) {
      left = effects
    },
    tick() {
      if (left <= 0) throw new Died("the device is dead")
      left -= 1
    },
  }
}

/** The disk of a device that may die before any call. */
export function mortalDisk(disk: Disk, tick: () => void): Disk {
  return new Proxy(disk, {
    get(target, key) {
      const method: unknown = Reflect.get(target, key)
      if (typeof method !== "function") return method
      return (...given: readonly unknown[]): unknown => {
        tick()
        return Reflect.apply(method, target, given)
      }
    },
  })
}

export const sha256: Sha256 = (content) =>
  mustContentHash(`sha256:${createHash("sha256").update(content).digest("hex")}`)

export function contentOf(text: string): Content {
  const bytes = Buffer.from(text)
  return { kind: "bytes", bytes, hash: sha256(bytes) }
}

/** The same bytes, delivered in two pieces; `breaks` fails before the second. */
export function streamOf(text: string, options: { readonly breaks?: boolean } = {}): Content {
  const bytes = Buffer.from(text)
  return {
    kind: "stream",
    sizeBytes: bytes.length,
    hash: sha256(bytes),
    async *open() {
      yield bytes.subarray(0, 1)
      if (options.breaks === true) throw new ContentLost({ code: "changed_since", path: "source.md" })
      yield bytes.subarray(1)
    },
  }
}

export async function textOf(content: Content): Promise<string> {
  if (content.kind === "bytes") return Buffer.from(content.bytes).toString()
  const pieces: Uint8Array[] = []
  for await (const piece of content.open()) pieces.push(piece)
  return Buffer.concat(pieces).toString()
}

export function value<T>(result: Result<T, Trouble>): T {
  if (!result.ok) throw new Error(`unexpected trouble ${JSON.stringify(result.error)}`)
  return result.value
}

/** The version that is there now, with its hash known, as the engine plans with it. */
export async function known(backend: Backend, path: string): Promise<Version> {
  const version = value(await backend.look(mustPath(path)))
  if (version === undefined) throw new Error(`nothing is at ${path}`)
  return { ...version, hash: value(await backend.read(mustPath(path), version)).hash }
}

/** Stages and applies; what was applied is made durable. */
export async function carryOut(backend: Backend, operation: Operation, content?: Content): Promise<Applied> {
  const mark = value(await backend.stage(operation, content))
  const applied = value(await backend.apply(operation, mark))
  value(await backend.flush())
  return applied
}

/** What is true of a version whichever device looks: without its time where the storage does not keep that. */
export function kept<V extends { readonly mtimeMs?: number }>(
  { traits }: Storage,
  version: V | undefined,
): (V & { readonly mtimeMs?: number | undefined }) | undefined {
  if (version === undefined || traits?.losesTimes !== true) return version
  return { ...version, mtimeMs: undefined }
}

/** What every version that the tests write is dated, unless they say otherwise. */
export const MTIME_MS = Date.UTC(2026, 1, 3, 4, 5, 6, 789)

let lastOp = 0

/** An op id like those of the program, new at each call. */
function newOp(): OpId {
  lastOp += 1
  return lastOp.toString(16).padStart(32, "0") as OpId
}

export function operation(step: Step): Operation {
  return { op: newOp(), step }
}

/** Of nothing at the path if no version is expected. */
export function writing(path: string, text: string, expected?: Version): Operation {
  const bytes = Buffer.from(text)
  return operation({
    kind: "write",
    side: "remote",
    path: mustPath(path),
    expected: expected === undefined ? { kind: "absent" } : { kind: "version", version: expected },
    source: { kind: "history", hash: sha256(bytes) },
    sizeBytes: bytes.length,
    mtimeMs: MTIME_MS,
    hash: sha256(bytes),
  })
}

export function removing(path: string, expected: Version): Operation {
  return operation({ kind: "remove", side: "remote", path: mustPath(path), expected })
}

export function moving(path: string, to: string, expected: Version): Operation {
  return operation({ kind: "move", side: "remote", path: mustPath(path), to: mustPath(to), expected })
}

/** Skips a test of moving where the server keeps no condition of a copy, and nothing is moved outside of a lease. */
export function skipUnlessMoved(context: TestContext, { capabilities }: Backend): void {
  if (!capabilities.canMove) context.skip("nothing is moved here: the server keeps no condition of a copy")
}
