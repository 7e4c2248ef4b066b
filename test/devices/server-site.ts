/**
 * Where three devices meet on a real server: below a prefix of its own, each with a client of its own.
 *
 * Its clock is everybody's wall clock. Whoever sleeps for the lease sleeps by the monotonic clock only, which runs on
 * at once; so no time is made to pass between rounds.
 */

import { parseS3Url } from "../../src/s3/address.ts"
import { openSdkStore } from "../../src/s3/sdk-store.ts"
import type { ObjectStore } from "../../src/store/store.ts"
import type { Verdict } from "../../src/store/verdict.ts"
import type { Server } from "../servers/server.ts"
import type { Site } from "./site.ts"

export async function serverSite(
  server: Pick<Server, "endpoint" | "region" | "bucket" | "accessKeyId" | "secretAccessKey">,
  at: { readonly verdict: Verdict; readonly prefix: string },
): Promise<Site> {
  const { endpoint, region, bucket, accessKeyId, secretAccessKey } = server
  const { verdict, prefix } = at
  let sleptMs = 0
  const connect = (): Promise<ObjectStore> => {
    const address = parseS3Url(`s3://${bucket}/${prefix}?endpoint=${endpoint}&region=${region}`)
    if (!address.ok) throw new Error(address.error)
    return openSdkStore(address.value, {
      credentials: { accessKeyId, secretAccessKey },
      etagForm: verdict.etagForm,
      nowMs: Date.now,
    })
  }
  const foreign = await connect()
  return {
    verdict,
    clocks: {
      nowMs: Date.now,
      monotonicMs: () => performance.now() + sleptMs,
      advance(ms) {
        sleptMs += ms
      },
    },
    connect,
    foreign,
    later: () => undefined,
    close: async () => foreign.close(),
  }
}
