/**
 * A bucket under test, wherever it lies: devices that run the S3 backend on it, and the hands of somebody else.
 *
 * Every request of a device goes through one door, where a test may count it, lose its answer, or let the device die.
 * What a user sees is read with a client of its own, which nothing disturbs.
 */

import { objectBackend } from "../../src/backend/object.ts"
import type { Trouble } from "../../src/model/errors.ts"
import { comparePaths, CONTROL_DIRECTORY } from "../../src/model/path.ts"
import type { Backend, Random } from "../../src/model/ports.ts"
import { err, type Result } from "../../src/model/result.ts"
import type { Failure, ListedObject, ObjectStore } from "../../src/store/store.ts"
import { readTombstone, TOMBSTONE_BYTES } from "../../src/store/tombstone.ts"
import { deleteMode, type Verdict } from "../../src/store/verdict.ts"
import { DEVICES } from "./folder-storage.ts"
import {
  type BucketStorage,
  type DeviceName,
  type Disturbance,
  mortality,
  MTIME_MS,
  type Opened,
  type Request,
  sha256,
  type Traits,
} from "./storage.ts"

const LEASES = `${CONTROL_DIRECTORY}/bisync/lease/`

export const BUCKET_TRAITS: Traits = {
  listsUploadTimes: true,
  equalContentIsOneVersion: true,
  removesWhatIsGone: true,
}

/** Where a bucket lies. */
export interface Site {
  readonly traits: Traits
  readonly verdict: Verdict
  /** A client of its own for one life of a device; the store does not close what it is made of. */
  connect(tick: () => void): ObjectStore
  readonly foreign: ObjectStore
  readonly random: Random
  nowMs(): number
  monotonicMs(): number
  later(ms: number): void
  sleep(ms: number): Promise<void>
  vanish(): void | Promise<void>
  recreate(): Promise<void>
  close(): void | Promise<void>
}

export function bucketStorage(site: Site): BucketStorage {
  const { foreign, verdict } = site
  /** What devices keep beside their journals. */
  const memories = new Map<string, string>()
  let disturbance: Disturbance | undefined
  const start = (name: DeviceName): Opened => {
    const { dieAfter, tick } = mortality()
    const client = site.connect(tick)
    const store = throughDoor(
      () => client,
      (request, send) => disturbed(disturbance, request, send),
    )
    const backend = objectBackend({
      ...site,
      store,
      device: DEVICES[name],
      deviceName: name,
      sha256,
      memory: {
        read: (text) => memories.get(`${name} ${text}`),
        write: (text, value) => memories.set(`${name} ${text}`, value),
      },
    })
    return { backend: deleteMode(verdict) === "lease" ? leased(backend) : backend, dieAfter }
  }
  return {
    traits: site.traits,
    start,
    async write(path, text, mtimeMs = MTIME_MS - 1000) {
      const metadata = { mtime: (mtimeMs / 1000).toFixed(9) }
      await must(foreign.put(path, { kind: "bytes", bytes: Buffer.from(text) }, { metadata }))
    },
    async remove(path) {
      await must(foreign.remove(path, {}))
    },
    tree: () => treeOf(foreign),
    staged: () => stagedIn(foreign),
    vanish: () => site.vanish(),
    bucket: {
      verdict,
      store: foreign,
      later: (ms) => site.later(ms),
      disturb(next) {
        disturbance = next
      },
      tombstones: () => tombstonesIn(foreign),
      flags: () => flagsIn(foreign),
      recreate: () => site.recreate(),
    },
    close: () => site.close(),
  }
}

export async function must<T>(answer: Promise<Result<T, Failure>>): Promise<T> {
  const answered = await answer
  if (!answered.ok) throw new Error(`unexpected failure ${JSON.stringify(answered.error)}`)
  return answered.value
}

export async function bytesAt(store: ObjectStore, key: string): Promise<Buffer> {
  const pieces: Uint8Array[] = []
  for await (const piece of (await must(store.get(key, {}))).body) pieces.push(piece)
  return Buffer.concat(pieces)
}

export async function allObjects(store: ObjectStore, prefix = ""): Promise<readonly ListedObject[]> {
  const objects: ListedObject[] = []
  let next: string | undefined
  do {
    const page = await must(store.list({ prefix, ...(next !== undefined && { next }) }))
    objects.push(...page.objects)
    next = page.next
  } while (next !== undefined)
  return objects
}

async function treeOf(store: ObjectStore): Promise<ReadonlyMap<string, string>> {
  const tombstones = await tombstonesIn(store)
  const keys = (await allObjects(store))
    .map(({ key }) => key)
    .filter((key) => !key.startsWith(`${CONTROL_DIRECTORY}/`) && !tombstones.includes(key))
    .toSorted(comparePaths)
  return new Map(
    await Promise.all(keys.map(async (key) => [key, (await bytesAt(store, key)).toString()] as const)),
  )
}

async function tombstonesIn(store: ObjectStore): Promise<readonly string[]> {
  const found: string[] = []
  for (const { key, sizeBytes } of await allObjects(store))
    if (sizeBytes === TOMBSTONE_BYTES && readTombstone(await must(store.head(key))) !== undefined)
      found.push(key)
  return found
}

/** Uploads under way, where the server tells of them; tombstones; and flags of a lease. */
async function stagedIn(store: ObjectStore): Promise<readonly string[]> {
  const uploads = await store.uploads("")
  if (!uploads.ok && uploads.error.kind !== "not_implemented") throw new Error(uploads.error.kind)
  return [
    ...(uploads.ok ? uploads.value.map(({ key }) => key) : []),
    ...(await tombstonesIn(store)),
    ...(await flagsIn(store)),
  ]
}

async function flagsIn(store: ObjectStore): Promise<readonly string[]> {
  return (await allObjects(store, LEASES)).map(({ key }) => key)
}

/** Every request that a store is asked for, and nothing else of it. The store is looked up at each. */
export function throughDoor(
  store: () => ObjectStore,
  door: (request: Request, send: () => Promise<unknown>) => Promise<unknown>,
): ObjectStore {
  return new Proxy(store(), {
    get(_, name) {
      const target = store()
      const method: unknown = Reflect.get(target, name)
      if (typeof method !== "function" || name === "skewMs" || name === "close") return method
      return (...given: readonly unknown[]): Promise<unknown> =>
        door({ name: String(name), key: keyOf(given) }, async () => Reflect.apply(method, target, given))
    },
  })
}

/** The key that a request changes or asks for: of a copy its goal, of a listing its prefix. */
function keyOf([first, second]: readonly unknown[]): string {
  if (typeof second === "string") return second
  if (typeof first === "string") return first
  if (typeof first !== "object" || first === null) return ""
  if ("key" in first) return String(first.key)
  return "prefix" in first ? String(first.prefix) : ""
}

async function disturbed(
  disturbance: Disturbance | undefined,
  request: Request,
  send: () => Promise<unknown>,
): Promise<unknown> {
  const before = await disturbance?.(request, "before")
  if (before !== undefined) return err(before)
  const answer = await send()
  const after = await disturbance?.(request, "after")
  return after === undefined ? answer : err(after)
}

/** Every step as a run of its own, one after the other: the lease is taken before it, and given back after it. */
function leased(backend: Backend): Backend {
  let last: Promise<unknown> = Promise.resolve()
  const run = async <T>(work: () => Promise<Result<T, Trouble>>): Promise<Result<T, Trouble>> => {
    const begun = await backend.beginWriting?.({ onWait: () => undefined })
    if (begun?.ok === false) return begun
    const done = await work()
    await backend.endWriting?.()
    return done
  }
  const queued = <T>(work: () => Promise<Result<T, Trouble>>): Promise<Result<T, Trouble>> => {
    const mine = last.then(() => run(work))
    last = mine.catch(() => undefined)
    return mine
  }
  return {
    ...backend,
    apply: (...given) => queued(() => backend.apply(...given)),
    settle: (...given) => queued(() => backend.settle(...given)),
    appendEpoch: (pair) => queued(() => backend.appendEpoch(pair)),
  }
}
