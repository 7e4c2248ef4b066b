/**
 * Lists a bucket into a listing: all of it or nothing, and no request per object.
 *
 * Where the last run's keys are known the bucket is listed in shards at once, each from one of those keys to the next.
 * Shards begin at ASCII keys only, which lie at the same place in every order a server may use; a page that is out of
 * byte order makes the whole be listed again, one page after the other, and sorted here.
 */

import type { ListedFile, Listing, Unknown } from "../model/entry.ts"
import type { Trouble } from "../model/errors.ts"
import type { Sha256, VersionToken } from "../model/ids.ts"
import { comparePaths, CONTROL_DIRECTORY, parentOf, parsePath, type RelativePath } from "../model/path.ts"
import { err, ok, type Result } from "../model/result.ts"
import { timeInToken } from "../model/time-token.ts"
import type { Etag, ListedObject, ObjectStore } from "../store/store.ts"
import { EPOCH_KEY } from "./epoch-text.ts"
import { FLAGS_PREFIX } from "./object-flags.ts"
import { troubleOf } from "./object-side.ts"

const PAGE_KEYS = 1000
const SHARDS_MAX = 64
const SHARDS_AT_ONCE = 16
/** Ten million objects; more is a server that never ends. */
const PAGES_MAX = 10_000

export interface BucketListing {
  readonly listing: Listing
  readonly epoch?: Etag
  /** Some device holds the lease, or held it when it ended. */
  readonly hasFlags: boolean
}

interface Listed {
  readonly objects: readonly ListedObject[]
  readonly broken: readonly string[]
  readonly unknowns: readonly Unknown[]
  readonly pages: number
}

export async function listBucket(
  deps: { readonly store: ObjectStore; readonly sha256: Sha256; readonly nowMs: () => number },
  shards: readonly string[] = [],
): Promise<Result<BucketListing, Trouble>> {
  const sampledMs = deps.nowMs()
  const listed = await listInShards(deps.store, shards.filter(isAscii).slice(0, SHARDS_MAX))
  if (!listed.ok) return listed
  const { objects, broken, pages } = listed.value
  const unknowns: Unknown[] = [...broken.flatMap(unknownsOfBroken), ...listed.value.unknowns]
  const notes: ListedObject[] = []
  let epoch: Etag | undefined
  let hasFlags = false
  for (const object of objects) {
    const { key } = object
    if (key === EPOCH_KEY) epoch = object.etag
    hasFlags ||= key.startsWith(FLAGS_PREFIX)
    if (key.startsWith(`${CONTROL_DIRECTORY}/`)) continue
    const unknown = unknownOf(object)
    if (unknown !== undefined) unknowns.push(unknown)
    else if (!key.endsWith("/")) notes.push(object)
  }
  const listing = listingOf(notes, {
    unknowns,
    sampledMs,
    sha256: deps.sha256,
    shards: pages > 1 ? shardsOf(objects) : [],
  })
  return ok({ listing, hasFlags, ...(epoch !== undefined && { epoch }) })
}

function listingOf(
  notes: readonly ListedObject[],
  at: {
    readonly unknowns: readonly Unknown[]
    readonly sampledMs: number
    readonly sha256: Sha256
    readonly shards: readonly string[]
  },
): Listing {
  const { unknowns, sampledMs, sha256, shards } = at
  const times = notes.map(({ etag }) => timeInToken(etag) ?? 0)
  let files: readonly ListedFile[] | undefined
  const lines = notes.map(({ key, etag }) => `${key}\0${etag}`)
  return {
    get files() {
      files ??= notes.map(fileOf)
      return files
    },
    count: notes.length,
    unknowns,
    mounts: [],
    digest: sha256([...lines, "", ...unknowns.map(({ path, reason }) => `${path}\0${reason}`)].join("\n")),
    sampledMs,
    newestMs: times.reduce((newest, each) => Math.max(newest, each), 0),
    ...(shards.length > 0 && { shards }),
  }
}

function fileOf({ key, etag, sizeBytes, lastModifiedMs, mtimeMs }: ListedObject): ListedFile {
  const about = { token: etag as string as VersionToken, sizeBytes }
  const version =
    mtimeMs === undefined
      ? ({ ...about, mtimeMs: lastModifiedMs, isUploadTime: true } as const)
      : { ...about, mtimeMs }
  return { path: key as RelativePath, version }
}

/** Keys that begin a page, if nothing changes until the next listing. */
function shardsOf(objects: readonly ListedObject[]): readonly string[] {
  const pages = Math.ceil(objects.length / PAGE_KEYS)
  const every = PAGE_KEYS * Math.max(1, Math.ceil(pages / SHARDS_MAX))
  const shards: string[] = []
  for (let at = every - 1; at < objects.length - 1; at += every) {
    const key = objects[at]?.key ?? ""
    if (isAscii(key)) shards.push(key)
  }
  return shards
}

function isAscii(key: string): boolean {
  return /^[\x20-\x7e]+$/.test(key)
}

function unknownOf({ key, sizeBytes }: ListedObject): Unknown | undefined {
  // Consoles and gateways mark a directory by such a key; it holds nothing, and is left alone.
  if (key.endsWith("/") && key.length > 1 && sizeBytes === 0) return undefined
  const parsed = parsePath(key)
  if (parsed.ok) return undefined
  return { path: key, reason: parsed.error === "too_long" ? "too_long" : "illegal_name", scope: "path" }
}

/** A key that did not arrive whole: any name that is missing where it lies may be it. */
function unknownsOfBroken(key: string): readonly Unknown[] {
  // oxlint-disable-next-line no-control-regex -- these are what cannot arrive whole
  const at = key.search(/[\uFFFD\u0000-\u001f\u007f]/)
  return [
    { path: key, reason: "not_utf8", scope: "path" },
    { path: parentOf(key.slice(0, Math.max(at, 0))), reason: "not_utf8", scope: "absent_children" },
  ]
}

async function listInShards(store: ObjectStore, shards: readonly string[]): Promise<Result<Listed, Trouble>> {
  if (shards.length > 0) {
    const sorted = [...new Set(shards)].sort(comparePaths)
    const ranges = [undefined, ...sorted].map((after, index) => ({ after, upTo: sorted[index] }))
    const parts: (readonly [number, Listed])[] = []
    let trouble: Trouble | undefined
    let isOrdered = true
    let next = 0
    const lane = async (): Promise<void> => {
      while (next < ranges.length && trouble === undefined && isOrdered) {
        const index = next++
        const listed = await listRange(store, ranges[index] ?? {})
        if (!listed.ok) trouble = listed.error
        else if (listed.value === undefined) isOrdered = false
        else parts.push([index, listed.value])
      }
    }
    await Promise.all(Array.from({ length: Math.min(SHARDS_AT_ONCE, ranges.length) }, lane))
    if (trouble !== undefined) return err(trouble)
    if (isOrdered) {
      const inOrder = parts.sort(([a], [b]) => a - b).map(([, listed]) => listed)
      return ok({
        objects: inOrder.flatMap(({ objects }) => objects),
        unknowns: inOrder.flatMap(({ unknowns }) => unknowns),
        pages: inOrder.length,
        // A page may reach beyond its shard, and show one that the next shard shows too.
        broken: [...new Set(inOrder.flatMap(({ broken }) => broken))],
      })
    }
  }
  return listAll(store)
}

interface Range {
  readonly after?: string | undefined
  readonly upTo?: string | undefined
}

/** The keys after one and up to another; nothing where the server does not list in byte order. */
async function listRange(
  store: ObjectStore,
  { after, upTo }: Range,
): Promise<Result<Listed | undefined, Trouble>> {
  const objects: ListedObject[] = []
  const broken: string[] = []
  const unknowns: Unknown[] = []
  let last = after ?? ""
  let token: string | undefined
  for (let pages = 0; pages < PAGES_MAX; pages++) {
    const page = await store.list({
      prefix: "",
      ...(token !== undefined ? { next: token } : after !== undefined && { startAfter: after }),
    })
    if (!page.ok) return err(troubleOf(page.error))
    broken.push(...page.value.broken)
    unknowns.push(...(page.value.unknowns ?? []))
    for (const object of page.value.objects) {
      if (comparePaths(object.key, last) <= 0) return ok(undefined)
      last = object.key
      if (upTo !== undefined && comparePaths(object.key, upTo) > 0)
        return ok({ objects, broken, unknowns, pages: pages + 1 })
      objects.push(object)
    }
    // A page that ends exactly at the border says all; the next shard begins there.
    if (page.value.next === undefined || last === upTo)
      return ok({ objects, broken, unknowns, pages: pages + 1 })
    token = page.value.next
  }
  return err({ code: "unreachable", path: "", detail: "the listing does not end" })
}

async function listAll(store: ObjectStore): Promise<Result<Listed, Trouble>> {
  const byKey = new Map<string, ListedObject>()
  const broken: string[] = []
  const unknowns: Unknown[] = []
  const tokens = new Set<string>()
  let token: string | undefined
  let isOrdered = true
  let last = ""
  for (let pages = 0; pages < PAGES_MAX; pages++) {
    const page = await store.list({ prefix: "", ...(token !== undefined && { next: token }) })
    if (!page.ok) return err(troubleOf(page.error))
    broken.push(...page.value.broken)
    unknowns.push(...(page.value.unknowns ?? []))
    for (const object of page.value.objects) {
      if (comparePaths(object.key, last) <= 0) isOrdered = false
      last = object.key
      byKey.set(object.key, object)
    }
    token = page.value.next
    if (token === undefined) {
      const all = [...byKey.values()]
      const objects = isOrdered ? all : all.sort((a, b) => comparePaths(a.key, b.key))
      return ok({ objects, broken, unknowns, pages: pages + 1 })
    }
    if (tokens.has(token)) break
    tokens.add(token)
  }
  return err({ code: "unreachable", path: "", detail: "the listing repeats itself" })
}
