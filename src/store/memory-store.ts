/**
 * The object store in memory: the reference for what an ideal server does, with switches for what others do.
 *
 * It runs the same contract suite as the store that speaks to real servers. Tests crash it and lose its answers
 * through `tick`, which is called around every effect.
 */

import { comparePaths } from "../model/path.ts"
import { err, ok } from "../model/result.ts"
import { IDEAL, md5, type MemoryObjects, type Quirks, type StoredObject } from "./memory-objects.ts"
import {
  ask,
  blockedAt,
  brokenBy,
  DENIED,
  GONE,
  headOf,
  keep,
  type MemoryServer,
  NOT_FOUND,
  PRECONDITION,
  sourceOf,
  type Tick,
  TOO_LARGE,
  TOO_LATE,
} from "./memory-server.ts"
import { memoryUploads } from "./memory-uploads.ts"
import type { Answer, Body, Condition, Etag, ListedObject, ObjectStore, Page, StoreTraits } from "./store.ts"

export { emptyObjects, foreignPut, type MemoryObjects, type Quirks } from "./memory-objects.ts"

export interface MemoryStoreDeps {
  readonly bucket: MemoryObjects
  readonly nowMs: () => number
  readonly quirks?: Partial<Quirks>
  /** How this client writes `If-Match`. */
  readonly etagForm?: "quoted" | "bare"
  readonly tick?: Tick
  /** How the store is that this one stands for; without more it is a bucket. */
  readonly traits?: Partial<StoreTraits>
}

const BUCKET: StoreTraits = {
  kind: "s3",
  keepsMetadata: true,
  keepsTimes: true,
  canCopy: true,
  foldsCase: false,
  tellsAges: true,
  lanes: 64,
}
const PAGE_KEYS = 1000
const PIECE_BYTES = 1024 * 1024

export function memoryStore(deps: MemoryStoreDeps): ObjectStore {
  const { bucket, nowMs, tick, etagForm = "quoted" } = deps
  const server: MemoryServer = { bucket, nowMs, tick, etagForm, quirks: { ...IDEAL, ...deps.quirks } }
  const traits = { ...BUCKET, ...deps.traits }
  const uploads = memoryUploads(server)
  return {
    traits,
    ...reading(server),
    ...writing(server),
    ...removing(server),
    ...uploads,
    ...(traits.kind === "rclone" && { sendWhole: sendWholeBy(uploads) }),
    skewMs: () => 0,
    close: () => undefined,
  }
}

/** A whole object beside the others is an upload of one part. */
function sendWholeBy({
  startUpload,
  putPart,
}: Pick<ObjectStore, "startUpload" | "putPart">): NonNullable<ObjectStore["sendWhole"]> {
  return async (key, body, options) => {
    const bytes = await bytesOf(body)
    const started = await startUpload(key, options)
    if (!started.ok) return started
    const uploadId = started.value
    const part = await putPart({ key, uploadId }, 1, bytes)
    return part.ok ? ok({ uploadId, parts: [part.value] }) : part
  }
}

function reading(server: MemoryServer): Pick<ObjectStore, "list" | "head" | "get"> {
  const { bucket, quirks } = server
  return {
    list: (options) =>
      ask(server, { name: "LIST", key: options.prefix }, () => {
        const known = quirks.staleListings ? (bucket.listed ?? new Map()) : bucket.objects
        return ok(pageOf(quirks.hidesBelowFile ? withoutBelow(known) : known, options))
      }),
    head: (key) =>
      ask(server, { name: "HEAD", key }, () => {
        const object = bucket.objects.get(key)
        return object === undefined ? err(NOT_FOUND) : ok(headOf(server, object))
      }),
    get: (key, { ifMatch, limitBytes }) =>
      ask(server, { name: "GET", key }, () => {
        const object = bucket.objects.get(key)
        if (object === undefined) return err(ifMatch === undefined ? NOT_FOUND : GONE)
        if (ifMatch !== undefined && object.etag !== ifMatch) return err(PRECONDITION)
        if (limitBytes !== undefined && object.bytes.length > limitBytes) return err(TOO_LARGE)
        return ok({ head: headOf(server, object), body: inPieces(object.bytes) })
      }),
  }
}

function writing(server: MemoryServer): Pick<ObjectStore, "put" | "copy"> {
  const { quirks } = server
  return {
    async put(key, body, { condition, metadata }) {
      const bytes = await bytesOf(body)
      return ask(server, { name: "PUT", key }, () => {
        const judged = quirks.ignoresPutConditions ? undefined : condition
        const no = brokenBy(server, key, judged) ?? blockedAt(server, key)
        return no === undefined
          ? ok({ etag: keep(server, key, { bytes, etag: md5(bytes), metadata }) })
          : err(no)
      })
    },
    copy: (from, to, { ifMatch, condition, metadata }) =>
      ask(server, { name: "COPY", key: to }, () => {
        const source = sourceOf(server, { key: from, ifMatch })
        if ("kind" in source) return err(source)
        const judged = quirks.ignoresCopyCondition ? undefined : condition
        const no = brokenBy(server, to, judged) ?? blockedAt(server, to)
        const { bytes } = source
        return no === undefined
          ? ok({ etag: keep(server, to, { bytes, etag: md5(bytes), metadata }) })
          : err(no)
      }),
  }
}

function removing(server: MemoryServer): Pick<ObjectStore, "remove" | "removeOnce"> {
  const { quirks } = server
  const { objects } = server.bucket
  return {
    remove: (key, { ifMatch }) =>
      ifMatch === undefined
        ? ask(server, { name: "DELETE", key }, () => removed(server, key))
        : removeIf(server, key, ifMatch),
    async removeOnce(key, { expiresInS, mayStillSend, signedMsAgo = 0 }) {
      if (!mayStillSend()) return err(TOO_LATE)
      return ask(server, { name: "DELETE", key }, () => {
        const isLate = signedMsAgo > expiresInS * 1000 && !quirks.acceptsLatePresigned
        if (isLate || quirks.refusesPresigned) return err(DENIED)
        objects.delete(key)
        return ok(undefined)
      })
    },
  }
}

async function removeIf(server: MemoryServer, key: string, etag: Etag): Answer<void> {
  const { quirks, bucket } = server
  const condition: Condition = { kind: "match", etag }
  const judge = () => {
    if (!bucket.objects.has(key) || quirks.ignoresDeleteCondition) return ok(undefined)
    const no = quirks.refusesDeleteCondition ? PRECONDITION : brokenBy(server, key, condition)
    return no === undefined ? ok(undefined) : err(no)
  }
  if (!quirks.deleteRaces)
    return ask(server, { name: "DELETE", key }, () => {
      const judged = judge()
      return judged.ok ? removed(server, key) : judged
    })
  // It is judged first, and lands when others had their turn.
  const judged = await ask(server, { name: "DELETE", key }, judge)
  return judged.ok ? ask(server, { name: "DELETE lands", key }, () => removed(server, key)) : judged
}

function removed({ bucket }: MemoryServer, key: string) {
  bucket.objects.delete(key)
  return ok(undefined)
}

function withoutBelow(objects: ReadonlyMap<string, StoredObject>): ReadonlyMap<string, StoredObject> {
  const isBelow = (key: string): boolean =>
    [...key.matchAll(/\//g)].some(({ index }) => objects.has(key.slice(0, index)))
  return new Map([...objects].filter(([key]) => !isBelow(key)))
}

function pageOf(
  objects: ReadonlyMap<string, StoredObject>,
  options: { readonly prefix: string; readonly startAfter?: string; readonly next?: string },
): Page {
  const { prefix, startAfter, next } = options
  const after = next ?? startAfter ?? ""
  const keys = [...objects.keys()]
    .filter((key) => key.startsWith(prefix) && (after === "" || comparePaths(key, after) > 0))
    .sort(comparePaths)
  const shown = keys.slice(0, PAGE_KEYS)
  const last = shown.at(-1)
  return {
    objects: shown.flatMap((key): ListedObject[] => {
      const object = objects.get(key)
      if (object === undefined) return []
      const { etag, bytes, lastModifiedMs } = object
      return [{ key, etag, sizeBytes: bytes.length, lastModifiedMs }]
    }),
    broken: [],
    ...(keys.length > shown.length && last !== undefined && { next: last }),
  }
}

async function* inPieces(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += PIECE_BYTES) yield bytes.subarray(at, at + PIECE_BYTES)
}

async function bytesOf(body: Body): Promise<Uint8Array> {
  if (body.kind === "bytes") return body.bytes
  const pieces: Uint8Array[] = []
  for await (const piece of body.open()) pieces.push(piece)
  return Buffer.concat(pieces)
}
