/**
 * The remotes that real rclone is tried over: a folder, its own memory, WebDAV, S3. Each is a `describe` with a ground
 * that is there before the first test of its body.
 */

import { mkdirSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, describe } from "vitest"
import { describeServer } from "../servers/describe-server.ts"
import type { Server } from "../servers/server.ts"
import { startWebdav, type Webdav } from "../servers/webdav.ts"
import { type Ground, type GroundOptions, startGround } from "./rclone-storage.ts"
import type { RealRclone } from "./real-rclone.ts"

export type RemoteKind = "a folder" | "the memory of rclone" | "webdav" | "versitygw"

export interface RemoteUnderTest {
  readonly kind: RemoteKind
  ground(): Ground
  /** What lies on the disk of its storage, as the storage itself names it; absent where nothing does. */
  root?(): string
}

const SETUP_MS_MAX = 60_000
/** What nobody can ask rclone for: it would be taken for the directory. */
const cannotName = ["d/"]
const BELOW = { pathOf: (number: number) => `test-${number}`, nowhere: "nowhere", needsRoot: true }

export function describeEachRemote(rclone: RealRclone, body: (remote: RemoteUnderTest) => void): void {
  describeFolder(rclone, body)
  describeMemory(rclone, body)
  describeWebdav(rclone, body)
  describeServer("versitygw", (server) => {
    const ground = groundOf(rclone, () => s3Options(server()))
    body({ kind: "versitygw", ground, root: () => join(server().root, server().bucket) })
  })
}

export function describeFolder(rclone: RealRclone, body: (remote: RemoteUnderTest) => void): void {
  describe("a folder", () => {
    let root = ""
    beforeAll(() => {
      root = mkdtempSync(join(tmpdir(), "bm-alias-"))
      mkdirSync(join(root, "all"))
    })
    afterAll(() => rmSync(root, { recursive: true, force: true }))
    const ground = groundOf(rclone, () => ({
      section: { type: "alias", remote: join(root, "all") },
      ...BELOW,
      traits: { cannotName },
    }))
    body({ kind: "a folder", ground, root: () => join(root, "all") })
  })
}

function describeMemory(rclone: RealRclone, body: (remote: RemoteUnderTest) => void): void {
  describe("the memory of rclone", () => {
    const ground = groundOf(rclone, () => ({
      section: { type: "memory" },
      ...BELOW,
      traits: { equalContentIsOneVersion: true, cannotName },
    }))
    body({ kind: "the memory of rclone", ground })
  })
}

function describeWebdav(rclone: RealRclone, body: (remote: RemoteUnderTest) => void): void {
  describe("webdav", () => {
    let server: Webdav | undefined
    const mustServer = (): Webdav => {
      if (server === undefined) throw new Error("no server")
      return server
    }
    beforeAll(async () => {
      server = await startWebdav()
    }, SETUP_MS_MAX)
    afterAll(() => server?.stop())
    const ground = groundOf(rclone, () => webdavOptions(rclone, mustServer()))
    body({ kind: "webdav", ground, root: () => mustServer().root })
  })
}

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

export function s3Options(
  server: Pick<Server, "endpoint" | "region" | "accessKeyId" | "secretAccessKey" | "bucket">,
): GroundOptions {
  const { endpoint, region, accessKeyId, secretAccessKey, bucket } = server
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

/** One rclone for all tests of a `describe`. */
export function groundOf(
  rclone: RealRclone,
  optionsOf: () => GroundOptions | Promise<GroundOptions>,
): () => Ground {
  let ground: Ground | undefined
  beforeAll(async () => {
    ground = await startGround(rclone, await optionsOf())
  }, SETUP_MS_MAX)
  afterAll(() => ground?.close())
  return () => {
    if (ground === undefined) throw new Error("a ground is asked for outside of a test")
    return ground
  }
}
