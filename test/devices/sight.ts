/**
 * What each device has seen of a bucket, and whether a write of it replaced anything else (G8).
 *
 * A bucket in memory is watched where its objects are kept, at the very moment of a write. Of a server only the answers
 * are known: a write that it confirmed must still stand, unless its own device went on there or another one saw it.
 */

import { CONTROL_DIRECTORY } from "../../src/model/path.ts"
import type { MemoryObjects } from "../../src/store/memory-store.ts"
import type { Answer, Etag, ObjectStore, Written } from "../../src/store/store.ts"
import { readTombstone } from "../../src/store/tombstone.ts"

export interface Sight {
  /** Looks at answers, and holds writes to notes back until `beforeWrite` lets them go. */
  through(store: ObjectStore, beforeWrite: () => Promise<void>): ObjectStore
  /** The bucket as this device writes to it. */
  watched(bucket: MemoryObjects): MemoryObjects
  hasSeen(key: string, etag: Etag): boolean
  /** Confirmed writes after which this device left the key alone, since this was asked last. */
  takeWritten(): ReadonlyMap<string, Etag>
  /** Versions that were replaced and that this device had not seen. */
  readonly blind: readonly string[]
}

export function newSight(who: string): Sight {
  /** What this device last knew of a key, and may have planned by. */
  const last = new Map<string, Etag>()
  const ever = new Set<string>()
  const written = new Map<string, Etag>()
  const blind: string[] = []
  const saw = (key: string, etag: Etag) => {
    last.set(key, etag)
    ever.add(`${key}\0${etag}`)
  }
  return {
    hasSeen: (key, etag) => ever.has(`${key}\0${etag}`),
    takeWritten() {
      const taken = new Map(written)
      written.clear()
      return taken
    },
    blind,
    through(store, beforeWrite) {
      const write = async (key: string, send: () => Answer<Written>): Answer<Written> => {
        if (isNote(key)) await beforeWrite()
        const answer = await send()
        if (!answer.ok) return answer
        saw(key, answer.value.etag)
        if (isNote(key)) written.set(key, answer.value.etag)
        return answer
      }
      const remove = async (key: string, send: () => Answer<void>): Answer<void> => {
        if (isNote(key)) await beforeWrite()
        const answer = await send()
        if (answer.ok) written.delete(key)
        return answer
      }
      return {
        ...store,
        async list(options) {
          const page = await store.list(options)
          if (page.ok) for (const { key, etag } of page.value.objects) saw(key, etag)
          return page
        },
        async head(key) {
          const head = await store.head(key)
          // A look right before a write is no reason to replace what it shows, unless that is a tombstone.
          if (head.ok && readTombstone(head.value) !== undefined) saw(key, head.value.etag)
          else if (head.ok) ever.add(`${key}\0${head.value.etag}`)
          return head
        },
        async get(key, options) {
          const read = await store.get(key, options)
          if (read.ok) saw(key, read.value.head.etag)
          return read
        },
        put: (key, ...rest) => write(key, () => store.put(key, ...rest)),
        copy: (from, to, options) => write(to, () => store.copy(from, to, options)),
        complete: (upload, ...rest) => write(upload.key, () => store.complete(upload, ...rest)),
        remove: (key, options) => remove(key, () => store.remove(key, options)),
        removeOnce: (key, options) => remove(key, () => store.removeOnce(key, options)),
      }
    },
    watched: (bucket) =>
      watchedBucket(bucket, (key, etag) => {
        if (isNote(key) && last.get(key) !== etag) blind.push(`${who} replaced ${etag} at ${key} unseen`)
      }),
  }
}

export function isNote(key: string): boolean {
  return !key.startsWith(`${CONTROL_DIRECTORY}/`)
}

function watchedBucket(bucket: MemoryObjects, onReplaced: (key: string, etag: Etag) => void): MemoryObjects {
  const report = (key: string) => {
    const before = bucket.objects.get(key)
    if (before !== undefined) onReplaced(key, before.etag)
  }
  const objects = new Proxy(bucket.objects, {
    get(target, name) {
      if (name === "set")
        return (...given: Parameters<typeof target.set>) => {
          report(given[0])
          return target.set(...given)
        }
      if (name === "delete")
        return (key: string) => {
          report(key)
          return target.delete(key)
        }
      const member: unknown = Reflect.get(target, name, target)
      return typeof member === "function" ? member.bind(target) : member
    },
  })
  return new Proxy(bucket, {
    get: (target, name) => (name === "objects" ? objects : Reflect.get(target, name, target)),
  })
}
