/**
 * The SDK's store keeps the contract in front of every real server, each with the ways that it is known for; what no
 * server of ours does by itself is asked of a proxy.
 */

import { expect, test } from "vitest"
import { parseS3Url } from "../../src/s3/address.ts"
import { openSdkStore } from "../../src/s3/sdk-store.ts"
import type { ObjectStore } from "../../src/store/store.ts"
import { describeServer } from "../servers/describe-server.ts"
import type { S3ServerName, Server } from "../servers/server.ts"
import { encodeKey, s3Request } from "../servers/sign.ts"
import { storeContract } from "./store-contract.ts"
import { kindOf, type Ways } from "./store-world.ts"

/** As measured; a line that is wrong fails. */
const WAYS = {
  rclone: { refusesFileBesideDirectory: true, ignoresCopyCondition: true, renamesControlCharacters: true },
  versitygw: { refusesFileBesideDirectory: true, ignoresCopyCondition: true },
  minio: { hidesBelowFile: true, ignoresDeleteCondition: true, ignoresCopyCondition: true },
  ceph: {
    wantsBareEtags: true,
    ignoresDeleteCondition: true,
    ignoresCompleteCondition: true,
    ignoresCopyCondition: true,
    ignoresSourceCondition: true,
  },
} as const satisfies Partial<Record<S3ServerName, Ways>>

function open(server: Server, url: string, ways: Ways): Promise<ObjectStore> {
  const address = parseS3Url(url)
  if (!address.ok) throw new Error(address.error)
  const etagForm = ways.wantsBareEtags === true ? "bare" : "quoted"
  return openSdkStore(address.value, { credentials: server, etagForm, nowMs: Date.now })
}

for (const [name, ways] of Object.entries(WAYS) as [S3ServerName, Ways][])
  describeServer(name, (server) => {
    storeContract(async () => {
      const bucket = await server().newBucket()
      return {
        store: await open(server(), server().urlOf(bucket), ways),
        async foreignPut(key, text) {
          const target = `/${bucket}/${encodeKey(key)}`
          const answer = await s3Request(server(), { method: "PUT", target, body: text })
          expect(answer.status).toBe(200)
        },
      }
    }, ways)

    test("says which failure it is", async () => {
      const { endpoint, bucket, url } = server()
      const kindWith = async (changed: Partial<Server>, at = url) => {
        const store = await open({ ...server(), ...changed }, at, ways)
        const kind = kindOf(await store.list({ prefix: "" }))
        store.close()
        return kind
      }
      expect(await kindWith({ secretAccessKey: "wrong" })).toBe("credentials")
      expect(await kindWith({ accessKeyId: "nobody" })).toBe("credentials")
      expect(await kindWith({}, server().urlOf("no-such-bucket"))).toBe("no_bucket")
      // Nobody listens on the port of a discarded connection.
      expect(await kindWith({}, url.replace(endpoint, "http://127.0.0.1:1"))).toBe("unreachable")
      expect(bucket).not.toBe("no-such-bucket")
    })
  })
