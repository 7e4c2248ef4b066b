/** A bucket of the simulation: the S3 backend on an object store in memory whose server is of some tier. */

import { objectBackend } from "../../src/backend/object.ts"
import { CONTROL_DIRECTORY } from "../../src/model/path.ts"
import type { Backend } from "../../src/model/ports.ts"
import { emptyObjects, foreignPut, type MemoryObjects, memoryStore } from "../../src/store/memory-store.ts"
import { TOMBSTONE_BYTES } from "../../src/store/tombstone.ts"
import { SERVER_KINDS } from "../backend/s3-storage.ts"
import type { Life, Simulation } from "./world.ts"
import { sha256 } from "./sha256.ts"

export const BUCKET_KINDS = { "bucket A": "A", "bucket B": "B", "bucket C": "C" } as const
export type BucketKind = keyof typeof BUCKET_KINDS

/** Requests that leave something behind. */
export const WRITING_REQUESTS = ["PUT", "COPY", "DELETE", "DELETE lands", "COMPLETE"]

export class SimulatedBucket {
  readonly objects: MemoryObjects
  readonly #kind: BucketKind
  /** What each device keeps beside its journal. */
  readonly #memories: Map<string, string>

  constructor(kind: BucketKind, copied?: SimulatedBucket) {
    this.#kind = kind
    this.objects = copied === undefined ? emptyObjects() : copyObjects(copied.objects)
    this.#memories = new Map(copied?.memories)
  }

  get memories(): ReadonlyMap<string, string> {
    return this.#memories
  }

  open(simulation: Simulation, life: Life): Backend {
    const { device } = life
    const { quirks, verdict } = SERVER_KINDS[BUCKET_KINDS[this.#kind]]
    const nowMs = () => simulation.nowMs
    const store = memoryStore({
      bucket: this.objects,
      quirks,
      nowMs,
      async tick(request, key, phase) {
        await simulation.tick(life, { at: `bucket.${request} ${key}`, method: request, phase })
        const trouble = simulation.failCall?.(life, request, key, phase)
        return trouble === undefined ? undefined : { kind: "unreachable", detail: "" }
      },
    })
    return objectBackend({
      store,
      verdict,
      device: device.id,
      deviceName: device.name,
      sha256,
      random: { hex128: () => simulation.prng.hex(32) },
      nowMs,
      monotonicMs: nowMs,
      async sleep(ms) {
        simulation.nowMs += ms
        await new Promise(setImmediate)
      },
      memory: {
        read: (name) => this.#memories.get(`${device.name} ${name}`),
        write: (name, text) => this.#memories.set(`${device.name} ${name}`, text),
      },
    })
  }

  /** The notes: neither what is ours nor what stands for a delete under way. */
  notes(): readonly (readonly [string, Uint8Array])[] {
    return [...this.objects.objects]
      .filter(([key]) => !key.startsWith(`${CONTROL_DIRECTORY}/`))
      .filter(([, { bytes, metadata }]) => bytes.length !== TOMBSTONE_BYTES || !("bm-tombstone" in metadata))
      .map(([key, { bytes }]) => [key, bytes] as const)
  }

  put(path: string, content: string, atMs: number): void {
    const mtime = (Math.floor(atMs) / 1000).toFixed(3)
    foreignPut(this.objects, path, Buffer.from(content), { metadata: { mtime }, atMs })
  }

  snapshot(): string {
    return [...this.objects.objects]
      .map(([key, { etag, lastModifiedMs }]) => `${key} ${etag} ${lastModifiedMs}`)
      .sort()
      .join("\n")
  }
}

function copyObjects({ objects, uploads, nextUpload, listed }: MemoryObjects): MemoryObjects {
  return {
    objects: new Map(objects),
    uploads: new Map([...uploads].map(([id, upload]) => [id, { ...upload, parts: new Map(upload.parts) }])),
    nextUpload,
    listed,
  }
}
