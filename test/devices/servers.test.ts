/**
 * Three devices at once on real servers whose DELETE cannot be trusted, tier B, and on one whose conditions a proxy takes
 * away, tier C. None that can be had here is of tier A: the memory has that.
 *
 * rclone and s3rver show objects that are half written, which no client can tell from whole ones; so they are played
 * with SOAK=1 only, by whoever wants to see what becomes of that.
 *
 * `DEVICES_SEED=n` plays another seed and tells its story; a server's own races are not in it. SOAK=1 plays all rounds
 * on every server, however long that takes.
 */

import { expect, test } from "vitest"
import { judge } from "../../src/s3/probe.ts"
import type { Tier, Verdict } from "../../src/store/verdict.ts"
import { verdictOf } from "../backend/server-storage.ts"
import { describeServer } from "../servers/describe-server.ts"
import { startProxy } from "../servers/proxy.ts"
import type { S3ServerName, Server } from "../servers/server.ts"
import { playRounds } from "./rounds.ts"
import { serverSite } from "./server-site.ts"

const ROUNDS = 200
const ROUNDS_MIN = 10
const isSoak = process.env["SOAK"] !== undefined
const PLAY_MS_MAX = 40_000
const TIMEOUT_MS = isSoak ? 3_600_000 : 240_000
const SEED = Number(process.env["DEVICES_SEED"] ?? 1)

interface Played {
  readonly name: S3ServerName
  readonly tier: Tier
}

const WHOLE: readonly Played[] = [
  { name: "versitygw", tier: "B" },
  { name: "minio", tier: "B" },
]
const TORN: readonly Played[] = [
  { name: "rclone", tier: "B" },
  { name: "s3rver", tier: "C" },
]
const SERVERS = isSoak ? [...WHOLE, ...TORN] : WHOLE

for (const { name, tier } of SERVERS)
  describeServer(name, (server) => {
    test(
      `three devices at once lose no version and converge on tier ${tier}`,
      () => play(server(), tier),
      TIMEOUT_MS,
    )
  })

describeServer("versitygw", (server) => {
  test(
    "three devices at once lose no version and converge where no condition reaches the server",
    async () => {
      const proxy = await startProxy(server(), { faults: [{ act: "ignore_conditions", match: () => true }] })
      try {
        await play({ ...server(), endpoint: proxy.endpoint, name: "versitygw" }, "C")
      } finally {
        await proxy.stop()
      }
    },
    TIMEOUT_MS,
  )
})

async function play(server: Server, tier: Tier): Promise<void> {
  const verdict = sureVerdict(server, await verdictOf(server))
  expect(verdict.tier).toBe(tier)
  const story: string[] = []
  const site = await serverSite(server, { verdict, prefix: `devices-${tier}` })
  try {
    const untilMs = performance.now() + PLAY_MS_MAX
    const report = await playRounds(site, {
      seed: SEED,
      rounds: ROUNDS,
      story,
      // It lists a file that is just being replaced without its etag.
      mayBeCut: TORN.some(({ name }) => name === server.name),
      ...(!isSoak && { untilMs }),
    })
    console.log(`${server.name} as tier ${tier}: ${JSON.stringify(report)}`)
    expect(report.rounds).toBeGreaterThanOrEqual(isSoak ? ROUNDS : ROUNDS_MIN)
    expect(report.refused).toBeGreaterThan(0)
    expect(report.cut).toBeLessThan(report.runs / 10)
  } catch (error) {
    console.log(story.join("\n"))
    throw error
  } finally {
    await site.close()
  }
}

/** Both were seen to delete what was written meanwhile; a probe may win all its races by chance. */
function sureVerdict({ name }: Server, verdict: Verdict): Verdict {
  if (name !== "rclone" && name !== "versitygw") return verdict
  return judge(verdict.etagForm, { ...verdict.findings, race_delete: "fails" })
}
