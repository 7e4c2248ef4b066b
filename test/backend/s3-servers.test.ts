/** Buckets on real servers keep the contract, each in the way that its probe found. */

import { beforeAll, expect, test } from "vitest"
import type { Verdict } from "../../src/s3/verdict.ts"
import { describeServer } from "../servers/describe-server.ts"
import { backendContract } from "./contract.ts"
import { s3Contract } from "./contract-s3.ts"
import { openServerBucket, verdictOf } from "./server-storage.ts"

const SERVERS = [
  { name: "rclone", tier: "A", mode: "conditional", cannotName: [] },
  { name: "versitygw", tier: "B", mode: "tombstone", cannotName: ["a\nb"] },
  { name: "minio", tier: "B", mode: "tombstone", cannotName: [] },
  { name: "ceph", tier: "B", mode: "tombstone", cannotName: [] },
  { name: "s3rver", tier: "C", mode: "lease", cannotName: [] },
] as const

const PROBE_MS_MAX = 120_000

for (const { name, tier, mode, cannotName } of SERVERS)
  describeServer(name, (server) => {
    let verdict: Verdict | undefined
    beforeAll(async () => {
      verdict = await verdictOf(server())
    }, PROBE_MS_MAX)
    const open = () => {
      if (verdict === undefined) throw new Error("no verdict")
      return openServerBucket(server(), { verdict, cannotName })
    }

    test(`is of tier ${tier}`, () => {
      expect(verdict?.tier).toBe(tier)
    })

    backendContract("a bucket", open, { isSlow: true })
    s3Contract("as a bucket", open, { mode, keys: 1100 })
  })
