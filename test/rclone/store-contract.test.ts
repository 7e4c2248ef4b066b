/**
 * Any remote of rclone keeps the contract, by the newest rclone that was measured and by the oldest that is promised.
 *
 * A device dies before every request of its store, and over a folder, where most of them are several requests to rclone,
 * before each of those. The oldest rclone sends WebDAV at most a hundred requests a second, whatever the server could
 * take: there a device dies at every sixth, and the rules of buckets are left to the other remotes, to which it is as old.
 */

import { mkdirSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, describe } from "vitest"
import { backendContract } from "../backend/contract.ts"
import { s3Contract } from "../backend/contract-s3.ts"
import { settling } from "../backend/contract-settle.ts"
import { describeServer } from "../servers/describe-server.ts"
import type { Server } from "../servers/server.ts"
import { startWebdav, type Webdav } from "../servers/webdav.ts"
import { type Ground, type GroundOptions, startGround } from "./rclone-storage.ts"
import { describeEachRclone, type RealRclone } from "./real-rclone.ts"

/** All of a remote comes in one page, so more would only take longer. */
const KEYS = 120
const SETUP_MS_MAX = 60_000

/** What nobody can ask rclone for: it would be taken for the directory. */
const cannotName = ["d/"]

describeEachRclone((rclone) => {
  describe("a folder", () => {
    let root = ""
    beforeAll(() => {
      root = mkdtempSync(join(tmpdir(), "bm-alias-"))
      mkdirSync(join(root, "all"))
    })
    afterAll(() => rmSync(root, { recursive: true, force: true }))
    const open = contractOver(rclone, () => ({
      section: { type: "alias", remote: join(root, "all") },
      ...BELOW,
      traits: { cannotName },
    }))
    describe("settling, wherever between two requests to rclone a device dies", () =>
      settling(() => open({ diesAt: "rclone" })))
  })

  describe("the memory of rclone", () => {
    contractOver(rclone, () => ({
      section: { type: "memory" },
      ...BELOW,
      traits: { equalContentIsOneVersion: true, cannotName },
    }))
  })

  describe("webdav", () => {
    let server: Webdav | undefined
    beforeAll(async () => {
      server = await startWebdav()
    }, SETUP_MS_MAX)
    afterAll(() => server?.stop())
    const options = () => {
      if (server === undefined) throw new Error("no server")
      return webdavOptions(rclone, server)
    }
    contractOver(rclone, options, { isSlow: rclone.name === "rclone-oldest" })
  })

  describeServer("versitygw", (server) => {
    contractOver(rclone, () => s3Options(server()))
  })
})

const BELOW = { pathOf: (number: number) => `test-${number}`, nowhere: "nowhere", needsRoot: true }

/** It has no checksums, and no times but those at which it got a file, in seconds. */
function webdavOptions(rclone: RealRclone, { endpoint, user, password }: Webdav): GroundOptions {
  const pass = rclone.run(["obscure", password]).trim()
  return {
    // The last is known to newer ones only, and passed over by others.
    section: { type: "webdav", vendor: "other", url: endpoint, user, pass, pacer_min_sleep: "0.01ms" },
    ...BELOW,
    traits: { listsUploadTimes: true, losesTimes: true, cannotName },
    tickMs: 1000,
  }
}

function s3Options({ endpoint, region, accessKeyId, secretAccessKey, bucket }: Server): GroundOptions {
  return {
    section: {
      type: "s3",
      provider: "Other",
      env_auth: "false",
      access_key_id: accessKeyId,
      secret_access_key: secretAccessKey,
      endpoint,
      region,
    },
    pathOf: (number) => `${bucket}/test-${number}`,
    nowhere: "no-such-bucket/test",
    needsRoot: false,
    traits: { listsUploadTimes: true, equalContentIsOneVersion: true, cannotName },
  }
}

function contractOver(
  rclone: RealRclone,
  optionsOf: () => GroundOptions,
  { isSlow = false }: { readonly isSlow?: boolean } = {},
): Ground["open"] {
  let ground: Ground | undefined
  beforeAll(async () => {
    ground = await startGround(rclone, optionsOf())
  }, SETUP_MS_MAX)
  afterAll(() => ground?.close())
  const open: Ground["open"] = (options) => {
    if (ground === undefined) throw new Error("no ground")
    return ground.open(options)
  }
  backendContract("as a side", () => open(), { isSlow: true, every: isSlow ? 6 : 1 })
  if (!isSlow) s3Contract("as a bucket", () => open(), { keys: KEYS, keepsMetadata: false })
  return open
}
