/** Buckets on real servers keep the contract, each in the way that its probe found. */

import { beforeAll, expect, test } from "vitest"
import type { Verdict } from "../../src/store/verdict.ts"
import { describeServer } from "../servers/describe-server.ts"
import { backendContract } from "./contract.ts"
import { s3Contract } from "./contract-s3.ts"
import { openServerBucket, verdictOf } from "./server-storage.ts"

/** Where more than one tier stands, the probe found now this one, now that one: a race shows itself or does not. */
const SERVERS = [
  { name: "rclone", tiers: ["A", "B"], traits: { cannotName: ["a\nb"], replacesInSight: true } },
  { name: "versitygw", tiers: ["B"], traits: { cannotName: ["a\nb"] } },
  { name: "minio", tiers: ["B"], traits: {} },
  { name: "ceph", tiers: ["B"], traits: {} },
] as const

const PROBE_MS_MAX = 120_000

for (const { name, tiers, traits } of SERVERS)
  describeServer(name, (server) => {
    let verdict: Verdict | undefined
    beforeAll(async () => {
      verdict = await verdictOf(server())
    }, PROBE_MS_MAX)
    const open = () => {
      if (verdict === undefined) throw new Error("no verdict")
      return openServerBucket(server(), { verdict, traits })
    }

    test(`is of tier ${tiers.join(" or ")}`, () => {
      expect(tiers).toContain(verdict?.tier)
    })

    backendContract("a bucket", open, { isSlow: true })
    s3Contract("as a bucket", open, { keys: 1100 })
  })
