/** Buckets in memory under test, each of a server with the ways of a real one, and the verdict its probe would give. */

import { ok } from "../../src/model/result.ts"
import { emptyObjects, memoryStore, type Quirks } from "../../src/store/memory-store.ts"
import { judge } from "../../src/s3/probe.ts"
import type { Failure, ObjectStore, StoreTraits } from "../../src/store/store.ts"
import type { Verdict } from "../../src/store/verdict.ts"
import { BUCKET_TRAITS, bucketStorage } from "./bucket-storage.ts"
import { type BucketStorage, MTIME_MS } from "./storage.ts"

const ALL_HOLD: Verdict["findings"] = {
  create: "holds",
  create_again: "holds",
  match_wrong: "holds",
  match_right: "holds",
  match_missing: "holds",
  race_match: "holds",
  race_create: "holds",
  complete_stale: "holds",
  delete_wrong: "holds",
  race_delete: "holds",
  copy_source: "holds",
  list_after_write: "holds",
  checksums: "holds",
  odd_keys: "holds",
  file_beside_directory: "holds",
  late_presigned: "holds",
  copy_absent: "holds",
  copy_parts: "holds",
}

export interface ServerKind {
  readonly quirks: Partial<Quirks>
  readonly traits?: Partial<StoreTraits>
  readonly verdict: Verdict
}

const verdictOf = (fails: readonly (keyof Verdict["findings"])[]): Verdict =>
  judge("quoted", {
    ...ALL_HOLD,
    ...Object.fromEntries(fails.map((point) => [point, "fails"])),
  })

/** An ideal server, those whose DELETE cannot be trusted, and one that ignores every condition. */
export const SERVER_KINDS = {
  A: { quirks: {}, verdict: verdictOf([]) },
  B: {
    quirks: { ignoresDeleteCondition: true, ignoresCopyCondition: true },
    verdict: verdictOf(["delete_wrong", "copy_absent"]),
  },
  "B over folders": {
    quirks: { deleteRaces: true, refusesFileBesideDirectory: true },
    verdict: verdictOf(["race_delete", "file_beside_directory"]),
  },
  C: {
    quirks: {
      ignoresPutConditions: true,
      ignoresDeleteCondition: true,
      ignoresCompleteCondition: true,
      ignoresCopyCondition: true,
    },
    verdict: verdictOf(["create_again", "match_wrong", "complete_stale", "delete_wrong", "copy_absent"]),
  },
  rclone: {
    quirks: {
      ignoresPutConditions: true,
      ignoresDeleteCondition: true,
      ignoresCompleteCondition: true,
      ignoresCopyCondition: true,
      dropsMetadata: true,
      refusesFileBesideDirectory: true,
    },
    traits: { kind: "rclone", keepsMetadata: false, tellsAges: false },
    verdict: verdictOf([
      "create_again",
      "match_wrong",
      "complete_stale",
      "delete_wrong",
      "copy_absent",
      "file_beside_directory",
    ]),
  },
} as const satisfies Readonly<Record<string, ServerKind>>

const GONE: Failure = { kind: "unreachable", detail: "" }

/** A life of a device is a client of its own; its clocks run only while it waits. */
export function openMemoryBucket({ quirks, verdict, traits = {} }: ServerKind): BucketStorage {
  const bucket = emptyObjects()
  let isGone = false
  let random = 0
  let clockMs = MTIME_MS
  const nowMs = () => clockMs
  const later = (ms: number) => {
    clockMs += ms
  }
  return bucketStorage({
    traits: BUCKET_TRAITS,
    verdict,
    connect: (tick) =>
      listsAsArrived(
        memoryStore({
          bucket,
          quirks,
          traits,
          nowMs,
          async tick() {
            tick()
            return isGone ? GONE : undefined
          },
        }),
      ),
    foreign: memoryStore({ bucket, nowMs }),
    random: { hex128: () => (random++).toString(16).padStart(16, "0").padEnd(32, "0") },
    nowMs,
    monotonicMs: nowMs,
    later,
    // Whoever waits lets the other device do what it is about to.
    async sleep(ms) {
      later(ms)
      await new Promise(setImmediate)
    },
    vanish() {
      isGone = true
    },
    async recreate() {
      bucket.objects.clear()
      bucket.uploads.clear()
    },
    close: () => {},
  })
}

/** Over a network nobody can tell a key with a replacement character from one that did not arrive whole. */
function listsAsArrived(store: ObjectStore): ObjectStore {
  return {
    ...store,
    async list(options) {
      const page = await store.list(options)
      if (!page.ok) return page
      const { objects } = page.value
      const broken = objects.map(({ key }) => key).filter((key) => key.includes("\uFFFD"))
      return ok({ ...page.value, objects: objects.filter(({ key }) => !broken.includes(key)), broken })
    },
  }
}
