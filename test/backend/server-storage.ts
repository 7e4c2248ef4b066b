/**
 * Buckets on real servers under test: every storage is a prefix of its own, every server is probed once.
 *
 * A device that dies is a door that lets no further request through, so a server sees what it would see of a crash: the
 * requests before it, and silence.
 */

import { randomBytes } from "node:crypto"
import { parseS3Url } from "../../src/s3/address.ts"
import { probe } from "../../src/s3/probe.ts"
import { openSdkStore } from "../../src/s3/sdk-store.ts"
import type { ObjectStore } from "../../src/store/store.ts"
import type { Verdict } from "../../src/store/verdict.ts"
import type { Server } from "../servers/server.ts"
import { allObjects, BUCKET_TRAITS, bucketStorage, must, throughDoor } from "./bucket-storage.ts"
import { type BucketStorage, Died, type Traits } from "./storage.ts"

const random = { hex128: () => randomBytes(16).toString("hex") }
const EFFECTS = new Set("put copy remove removeOnce startUpload putPart copyPart complete abort".split(" "))

function connectTo(
  server: Server,
  at: { readonly bucket: string; readonly prefix: string; readonly etagForm: Verdict["etagForm"] },
): Promise<ObjectStore> {
  const { endpoint, region, accessKeyId, secretAccessKey } = server
  const address = parseS3Url(`s3://${at.bucket}/${at.prefix}?endpoint=${endpoint}&region=${region}`)
  if (!address.ok) throw new Error(address.error)
  return openSdkStore(address.value, {
    credentials: { accessKeyId, secretAccessKey },
    etagForm: at.etagForm,
    nowMs: Date.now,
  })
}

export async function verdictOf(server: Server): Promise<Verdict> {
  const { bucket } = server
  return must(
    probe({ open: (etagForm) => connectTo(server, { bucket, prefix: "probed", etagForm }), random }),
  )
}

let lastPrefix = 0

export async function openServerBucket(
  server: Server,
  { verdict, traits }: { readonly verdict: Verdict; readonly traits: Traits },
): Promise<BucketStorage> {
  lastPrefix += 1
  const at = { bucket: server.bucket, prefix: `test-${lastPrefix}`, etagForm: verdict.etagForm }
  const stores = [await connectTo(server, at)]
  const [foreign] = stores
  if (foreign === undefined) throw new Error("no store")
  let current = foreign
  let laterMs = 0
  const nowMs = () => Date.now() + laterMs
  return bucketStorage({
    traits: { ...BUCKET_TRAITS, looksCannotTell: true, ...traits },
    verdict,
    connect(tick) {
      let isDead = false
      return throughDoor(
        () => current,
        async ({ name }, send) => {
          if (isDead) throw new Died("the device is dead")
          if (EFFECTS.has(name))
            try {
              tick()
            } catch (error) {
              isDead = true
              throw error
            }
          return aged(await send(), laterMs)
        },
      )
    },
    foreign,
    random,
    nowMs,
    monotonicMs: () => performance.now() + laterMs,
    later(ms) {
      laterMs += ms
    },
    sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
    async vanish() {
      current = await connectTo(server, { ...at, bucket: "no-such-bucket" })
      stores.push(current)
    },
    async recreate() {
      for (const { key } of await allObjects(foreign)) await must(foreign.remove(key, {}))
    },
    async close() {
      for (const store of stores) store.close()
    },
  })
}

/** The server's clock runs on with everybody's. */
function aged(answer: unknown, laterMs: number): unknown {
  if (laterMs === 0 || typeof answer !== "object" || answer === null || !("value" in answer)) return answer
  const { value } = answer
  if (typeof value !== "object" || value === null) return answer
  if ("serverMs" in value)
    return { ...answer, value: { ...value, serverMs: Number(value.serverMs) + laterMs } }
  return answer
}
