/** The probe's verdict on real servers, and on one whose proxy makes it worse than it is. */

import { randomBytes } from "node:crypto"
import { expect, test } from "vitest"
import { parseS3Url } from "../../src/s3/address.ts"
import { probe } from "../../src/s3/probe.ts"
import { openSdkStore } from "../../src/s3/sdk-store.ts"
import type { Verdict } from "../../src/store/verdict.ts"
import { describeServer } from "../servers/describe-server.ts"
import { type Fault, startProxy } from "../servers/proxy.ts"
import type { S3ServerName, Server } from "../servers/server.ts"
import { must } from "./store-world.ts"

async function verdictOf(server: Server, url: string): Promise<Verdict> {
  const address = parseS3Url(url)
  if (!address.ok) throw new Error(address.error)
  const open = (etagForm: Verdict["etagForm"]) =>
    openSdkStore(address.value, { credentials: server, etagForm, nowMs: Date.now })
  const random = { hex128: () => randomBytes(16).toString("hex") }
  const verdict = must(await probe({ open, random }))
  const store = await open("quoted")
  expect(must(await store.list({ prefix: "" }))).toEqual({ objects: [], broken: [] })
  store.close()
  return verdict
}

/**
 * rclone and versitygw look at a DELETE's condition first and remove afterwards: both were seen to remove a version
 * that they had just acknowledged.
 */
const EXPECTED: Readonly<Partial<Record<S3ServerName, Omit<Verdict, "findings">>>> = {
  rclone: {
    tier: "B",
    etagForm: "quoted",
    completes: true,
    copies: "by_parts",
    refusesLate: true,
    hasFileBesideDirectory: false,
  },
  versitygw: {
    tier: "B",
    etagForm: "quoted",
    completes: true,
    copies: "by_parts",
    refusesLate: true,
    hasFileBesideDirectory: false,
  },
  minio: {
    tier: "B",
    etagForm: "quoted",
    completes: true,
    copies: "by_parts",
    refusesLate: true,
    hasFileBesideDirectory: false,
  },
  ceph: {
    tier: "B",
    etagForm: "bare",
    completes: false,
    copies: "none",
    refusesLate: true,
    hasFileBesideDirectory: true,
  },
  s3rver: {
    tier: "C",
    etagForm: "quoted",
    completes: false,
    copies: "none",
    refusesLate: true,
    hasFileBesideDirectory: true,
  },
}

for (const [name, expected] of Object.entries(EXPECTED) as [S3ServerName, Omit<Verdict, "findings">][])
  describeServer(name, (server) => {
    test(`is of tier ${expected.tier}, and gets back an empty bucket`, async () => {
      const { findings, ...verdict } = await verdictOf(server(), server().url)
      expect(verdict).toEqual(expected)
      expect(findings).toMatchObject({ create: "holds", list_after_write: "holds", odd_keys: "holds" })
    })
  })

describeServer("versitygw", (server) => {
  const every = () => true
  const isListing = ({ kind }: { readonly kind: string }) => kind === "LIST"

  test.each<{ readonly rule: string; readonly fault: Fault; readonly tier: Verdict["tier"] }>([
    {
      rule: "is of tier C where conditions are ignored",
      fault: { match: every, act: "ignore_conditions" },
      tier: "C",
    },
    {
      rule: "is of tier D where listings are old",
      fault: { match: isListing, act: "stale_list", staleMs: 60_000 },
      tier: "D",
    },
  ])("$rule", async ({ fault, tier }) => {
    const proxy = await startProxy(server(), { faults: [fault] })
    try {
      expect((await verdictOf(server(), proxy.urlOf(await server().newBucket()))).tier).toBe(tier)
    } finally {
      await proxy.stop()
    }
  })

  test("answers that a server is not there, and not what it promises", async () => {
    const proxy = await startProxy(server(), { faults: [{ match: every, act: "html" }] })
    const address = parseS3Url(proxy.url)
    if (!address.ok) throw new Error(address.error)
    const open = (etagForm: Verdict["etagForm"]) =>
      openSdkStore(address.value, { credentials: server(), etagForm, nowMs: Date.now })
    const probed = await probe({ open, random: { hex128: () => "0" } })
    expect(probed).toMatchObject({ ok: false, error: { kind: "nonsense" } })
    await proxy.stop()
  })
})
