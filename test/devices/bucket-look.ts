/** What is in the bucket, for whoever checks: notes by their bytes, tombstones, and the flags of a lease. */

import { CONTROL_DIRECTORY } from "../../src/model/path.ts"
import type { Etag, ObjectStore } from "../../src/store/store.ts"
import { readTombstone, TOMBSTONE_BYTES } from "../../src/store/tombstone.ts"
import { allObjects, bytesAt, must } from "../backend/bucket-storage.ts"
import { isNote } from "./sight.ts"

export interface BucketLook {
  readonly notes: ReadonlyMap<string, Uint8Array>
  readonly etags: ReadonlyMap<string, Etag>
  readonly tombstones: readonly string[]
  readonly flags: readonly string[]
}

const LEASES = `${CONTROL_DIRECTORY}/bisync/lease/`

/** Reads only what it has not read before; an etag is one version. */
export function bucketEye(store: ObjectStore): () => Promise<BucketLook> {
  const known = new Map<Etag, Uint8Array>()
  const read = async (key: string, etag: Etag): Promise<Uint8Array> => {
    const bytes = known.get(etag) ?? (await bytesAt(store, key))
    known.set(etag, bytes)
    return bytes
  }
  return async () => {
    const objects = await allObjects(store)
    const notes = new Map<string, Uint8Array>()
    const etags = new Map<string, Etag>()
    const tombstones: string[] = []
    for (const { key, etag, sizeBytes } of objects) {
      if (!isNote(key)) continue
      const isMark = sizeBytes === TOMBSTONE_BYTES && readTombstone(await must(store.head(key))) !== undefined
      etags.set(key, etag)
      if (isMark) tombstones.push(key)
      else notes.set(key, await read(key, etag))
    }
    const flags = objects.map(({ key }) => key).filter((key) => key.startsWith(LEASES))
    return { notes, etags, tombstones, flags }
  }
}
