/**
 * The bucket as rclone sees it: times go both ways in the same metadata, and what rclone uploaded before the first setup
 * is taken over as it is.
 */

import { execFile } from "node:child_process"
import { mkdirSync, statSync, utimesSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { promisify } from "node:util"
import { expect, onTestFinished, test } from "vitest"
import { describeServer, isRequired } from "../servers/describe-server.ts"
import { findServer } from "../servers/install.mjs"
import type { Server } from "../servers/server.ts"
import { notesIn, put } from "./bm.ts"
import {
  byName,
  counted,
  expectEqual,
  expectSynced,
  newS3World,
  type S3World,
  TEST_MS_MAX,
} from "./s3-world.ts"

// Fractions of a second that every way to set a time keeps exactly.
const HERE_MS = Date.UTC(2021, 4, 6, 7, 8, 9, 125)
const THERE_MS = Date.UTC(2019, 10, 12, 13, 14, 15, 625)

describeServer("versitygw", (server) => {
  test(
    "shows rclone the time of a note, and keeps the time that rclone gave one",
    async ({ skip }) => {
      const rclone = mustRclone(skip)
      const { world, run } = await worldWithRclone(server(), rclone)
      const device = world.device("one")
      put(device.dir, "d/here.md", "here\n", HERE_MS)
      await device.setUp()
      const listed = await run("lsl", `r:${world.bucket}/d`)
      expect(listed.trim()).toMatch(/^5 2021-05-06 07:08:09\.125000000 here\.md$/)

      put(world.root, "there.md", "there\n", THERE_MS)
      await run("copyto", join(world.root, "there.md"), `r:${world.bucket}/d/there.md`)
      await expectSynced(device)
      expect(statSync(join(device.dir, "d/there.md")).mtimeMs).toBe(THERE_MS)
      expect(statSync(join(device.dir, "d/here.md")).mtimeMs).toBe(HERE_MS)
      await expectEqual(world, [device], { "d/here.md": "here\n", "d/there.md": "there\n" })

      // rclone agrees that nothing differs.
      const differing = await run(
        "check",
        device.dir,
        `r:${world.bucket}`,
        "--exclude",
        ".*/**",
        "--exclude",
        ".*",
      )
      expect(differing).not.toMatch(/ERROR/)
    },
    TEST_MS_MAX,
  )

  test(
    "takes equal notes that rclone uploaded before over, without reading one",
    async ({ skip }) => {
      const rclone = mustRclone(skip)
      const { world, run } = await worldWithRclone(server(), rclone)
      const device = world.device("one")
      for (let number = 0; number < 50; number++)
        put(device.dir, `d/${number}.md`, `note ${number}\n`, HERE_MS + 1000 * number)
      const before = notesIn(device.dir)
      await run("copy", device.dir, `r:${world.bucket}`)
      // Times that differ make no difference where the bytes are equal.
      utimesSync(join(device.dir, "d/7.md"), THERE_MS / 1000, THERE_MS / 1000)
      world.proxy.reset()
      const done = await device.setUp()
      expect(done.out).toMatch(/50 files equal, 0 downloaded, 0 uploaded, 0 replaced/)
      const { notes } = counted(world.proxy)
      expect(Object.keys(notes).filter((kind) => !kind.startsWith("LIST"))).toEqual([])
      expect(byName(notesIn(device.dir))).toEqual(byName(before))
      await expectSynced(device)
      await expectEqual(world, [device], Object.fromEntries(before))
    },
    TEST_MS_MAX,
  )
})

function mustRclone(skip: (note?: string) => void): string {
  const { path, reason } = findServer("rclone")
  if (path !== undefined) return path
  if (isRequired(["rclone"])) throw new Error(`required, and ${reason}`)
  skip(reason)
  return ""
}

async function worldWithRclone(
  server: Server,
  rclone: string,
): Promise<{ readonly world: S3World; run(...args: readonly string[]): Promise<string> }> {
  const world = await newS3World(server)
  onTestFinished(() => world.stop(), TEST_MS_MAX)
  const home = join(world.root, "rclone")
  mkdirSync(home)
  const config = join(home, "rclone.conf")
  const lines = {
    type: "s3",
    provider: "Other",
    endpoint: server.endpoint,
    region: server.region,
    access_key_id: server.accessKeyId,
    secret_access_key: server.secretAccessKey,
  }
  writeFileSync(
    config,
    ["[r]", ...Object.entries(lines).map(([name, value]) => `${name} = ${value}`), ""].join("\n"),
  )
  const run = async (...args: readonly string[]) => {
    const env = { HOME: home, TZ: "UTC", PATH: "" }
    const { stdout } = await promisify(execFile)(rclone, ["--config", config, ...args], { env })
    return stdout
  }
  return { world, run }
}
