/**
 * The door to the storage: it opens to minted key pairs, each for its bucket, closes when they are revoked, and changes
 * nothing that passes: the SDK's store keeps its whole contract through it.
 */

import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { parseS3Url } from "../../src/s3/address.ts"
import { openSdkStore } from "../../src/s3/sdk-store.ts"
import { storeContract } from "../s3/store-contract.ts"
import { describeServer } from "../servers/describe-server.ts"
import type { Server } from "../servers/server.ts"
import { encodeKey, type S3Answer, s3Request } from "../servers/sign.ts"
import { call, logIn } from "./by-fetch.ts"
import { type Gate, startGate } from "./gate.ts"
import { type Cloud, startCloud, storageOf } from "./service.ts"

interface Pair {
  readonly accessKeyId: string
  readonly secretAccessKey: string
}

describeServer(
  "versitygw",
  (server) => {
    describe("minted pairs", () => doorRules(server))
    describe("what passes", () => {
      let gate: Gate
      let bucket = ""
      const pair = { accessKeyId: "tid_test", secretAccessKey: "tsec_test" }
      beforeAll(async () => {
        let order = 0
        gate = await startGate({
          storage: storageOf(server()),
          opens: (accessKey) =>
            accessKey === pair.accessKeyId ? { secretKey: pair.secretAccessKey, bucket } : undefined,
          nextOrder: () => order++,
        })
      })
      afterAll(() => gate.close())
      storeContract(
        async () => {
          bucket = await server().newBucket()
          const address = parseS3Url(`s3://${bucket}?endpoint=${gate.endpoint}&region=auto`)
          if (!address.ok) throw new Error(address.error)
          return {
            store: await openSdkStore(address.value, {
              credentials: pair,
              etagForm: "quoted",
              nowMs: Date.now,
            }),
            async foreignPut(key, text) {
              const target = `/${bucket}/${encodeKey(key)}`
              const answer = await s3Request(server(), { method: "PUT", target, body: text })
              expect(answer.status).toBe(200)
            },
          }
        },
        { refusesFileBesideDirectory: true, ignoresCopyCondition: true },
      )
    })
  },
  { region: "auto" },
)

function doorRules(server: () => Server): void {
  let cloud: Cloud
  let other = ""
  beforeAll(async () => {
    other = await server().newBucket()
    const tenants = [
      { id: "tenant-a", bucket: server().bucket, users: ["ada"] },
      { id: "tenant-b", bucket: other, users: ["bob"] },
    ] as const
    cloud = await startCloud({ storage: storageOf(server()), tenants })
  })
  afterAll(() => cloud.close())

  const minted = async (user: string): Promise<Pair> => {
    cloud.set({ user })
    const { json } = await call(cloud, "POST /tenant/mount/credentials", {
      token: (await logIn(cloud)).access,
    })
    return { accessKeyId: String(json["access_key"]), secretAccessKey: String(json["secret_key"]) }
  }
  const ask = (pair: Pair, method: string, target: string, headers?: Readonly<Record<string, string>>) =>
    s3Request(
      { ...pair, endpoint: cloud.endpoint, region: "auto" },
      {
        method,
        target,
        ...(method === "PUT" && { body: target }),
        ...(headers !== undefined && { headers }),
      },
    )
  const refusal = (code: string) => ({ status: 403, text: expect.stringContaining(`<Code>${code}</Code>`) })

  test("open the tenant's bucket, where the bytes then lie", async () => {
    const pair = await minted("ada")
    const target = `/${server().bucket}/${encodeKey("My Notes/ä+(1).md")}`
    expect(await ask(pair, "PUT", target)).toMatchObject({ status: 200 })
    expect(await s3Request(server(), { method: "GET", target })).toMatchObject({ status: 200, text: target })
    expect(await ask(pair, "GET", target)).toMatchObject({ status: 200, text: target })
    expect(await ask(pair, "HEAD", `/${server().bucket}`)).toMatchObject({ status: 200 })
    expect(await ask(pair, "DELETE", target)).toMatchObject({ status: 204 })
  })

  test("open no other bucket, neither to look nor to copy from", async () => {
    const [ada, bob] = [await minted("ada"), await minted("bob")]
    expect(await ask(bob, "PUT", `/${other}/secret.md`)).toMatchObject({ status: 200 })
    expect(await ask(ada, "GET", `/${other}/secret.md`)).toMatchObject(refusal("AccessDenied"))
    expect(await ask(ada, "GET", `/${other}?list-type=2`)).toMatchObject(refusal("AccessDenied"))
    const copying = { "x-amz-copy-source": `/${other}/secret.md` }
    const copied = await ask(ada, "PUT", `/${server().bucket}/got.md`, copying)
    expect(copied).toMatchObject(refusal("AccessDenied"))
    expect(await ask(ada, "GET", "/")).toMatchObject(refusal("AccessDenied"))
  })

  test("neither make nor remove a bucket", async () => {
    const pair = await minted("ada")
    for (const method of ["PUT", "DELETE"])
      expect(await ask(pair, method, `/${server().bucket}`)).toMatchObject(refusal("AccessDenied"))
  })

  test("hold until they are revoked, each by itself", async () => {
    const [first, second] = [await minted("ada"), await minted("ada")]
    const list = (pair: Pair): Promise<S3Answer> => ask(pair, "GET", `/${server().bucket}?list-type=2`)
    expect(await list(first)).toMatchObject({ status: 200 })
    const id = cloud.tenants[0]?.credentials.find((each) => each.accessKey === first.accessKeyId)?.id
    const token = (await logIn(cloud)).access
    await call(cloud, `DELETE /tenant/mount/credentials/${id}`, { token })
    expect(await list(first)).toMatchObject(refusal("InvalidAccessKeyId"))
    expect(await list(second)).toMatchObject({ status: 200 })
  })

  test("are the only ones: no wrong secret, not the storage's own keys, nobody unnamed", async () => {
    const pair = await minted("ada")
    const target = `/${server().bucket}?list-type=2`
    const wrong = await ask({ ...pair, secretAccessKey: "wrong" }, "GET", target)
    expect(wrong).toMatchObject(refusal("SignatureDoesNotMatch"))
    expect(await ask(server(), "GET", target)).toMatchObject(refusal("InvalidAccessKeyId"))
    expect((await fetch(cloud.endpoint + target)).status).toBe(403)
  })

  test("are seen with every request that they sign", async () => {
    const pair = await minted("ada")
    await ask(pair, "GET", `/${server().bucket}?list-type=2&prefix=a%2F`, { "x-tigris-consistent": "true" })
    const asked = await call(cloud, "GET /proxy/health")
    expect(cloud.stored.at(-1)).toMatchObject({
      kind: "LIST",
      key: "a/",
      accessKey: pair.accessKeyId,
      headers: { "x-tigris-consistent": "true" },
      status: 200,
    })
    expect(asked.status).toBe(401)
    expect(cloud.requests.at(-1)?.order).toBe((cloud.stored.at(-1)?.order ?? 0) + 1)
  })

  test("leave the service's own configuration where it put it", async () => {
    const text = await cloud.writeConfig()
    const got = await ask(await minted("ada"), "GET", `/${server().bucket}/.basic-memory/config.json`)
    expect(got).toMatchObject({ status: 200, text })
    expect(JSON.parse(text)).toMatchObject({ projects: { main: "/app/data/main" } })
  })
}
