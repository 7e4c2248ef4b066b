/**
 * The days of a subscriber, with the real command against a stand-in for the service and a real bucket: from nothing to
 * synced, a second device, a conflict and its undo; natively and by way of rclone, and from one way to the other.
 */

import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, test } from "vitest"
import { describeServer } from "../servers/describe-server.ts"
import { expectSettled, expectSoundHistory, hasGit, isMissing, notesIn, put } from "./bm.ts"
import {
  type AccountDevice,
  type AccountWorld,
  loggedIn,
  succeeds,
  syncConfigOf,
  testWorld,
  treeOf,
} from "./cloud-world.ts"
import { describeRclone } from "./rclone-world.ts"
import { TEST_MS_MAX } from "./s3-world.ts"

const README = "new-project/README.md"
const TEN = Date.parse("2026-03-02T10:00:00Z")

/** How a device reaches the bucket, and the rclone that it has. */
interface Way {
  readonly backend: "native" | "rclone"
  readonly rclone: string | undefined
}

describe("natively, without rclone", () => story({ backend: "native", rclone: undefined }))
describeRclone((rclone) => {
  story({ backend: "rclone", rclone })
  goingOver(rclone)
})

function story(way: Way): void {
  describeServer(
    "versitygw",
    (server) =>
      test(
        "a subscriber goes from an empty home to two devices that agree, with a conflict and its undo",
        async () => {
          const world = await testWorld(server())
          const here = world.device("here", way)
          expect([...treeOf(here.home).keys()].filter((name) => !/^bin\b/.test(name))).toEqual([
            ".basic-memory",
            ".basic-memory/config.json",
          ])
          await logsIn(world, here)
          await setsUp(world, here, way)
          await makesAProject(world, here)
          const there = world.device("there", way)
          await joins(world, there, way)
          await disagree(here, there)
          await undoes(here, there)
          await looksBack(world, here)
        },
        TEST_MS_MAX,
      ),
    { region: "auto" },
  )
}

function goingOver(rclone: string): void {
  describeServer(
    "versitygw",
    (server) =>
      test.each([
        ["native", "rclone"],
        ["rclone", "native"],
      ] as const)(
        "a device that goes over from %s to %s, and back, transfers nothing and has no new key pair",
        async (first, second) => {
          const world = await testWorld(server())
          const device = await loggedIn(world, "one", { rclone })
          await device.setUp("--backend", first)
          for (const name of ["a", "b", "c"]) put(device.dir, `notes/${name}.md`, `${name}\n`)
          await succeeds(device.bisync())
          for (const backend of [second, first]) {
            const before = world.cloud.stored.length
            expect((await device.setUp("--backend", backend)).out).toContain("✓ Baseline already done")
            expect(syncConfigOf(device).tenant).toMatchObject({ backend })
            for (let again = 0; again < 2; again++)
              expect((await succeeds(device.bisync())).out).toBe("✓ Sync completed\n")
            const ofNotes = world.cloud.stored.slice(before).filter(({ isOwn }) => !isOwn)
            expect(ofNotes.map(({ kind }) => kind).filter((kind) => !kind.startsWith("LIST"))).toEqual([])
            put(device.dir, "notes/a.md", `by ${backend}\n`)
            expect((await succeeds(device.bisync())).out).toContain("✓ Sync completed - 1 file uploaded")
            expect(world.notes().get("notes/a.md")).toBe(`by ${backend}\n`)
            await expectSettled(device)
          }
          // Without the option it stays as it is.
          await device.setUp()
          expect(syncConfigOf(device).tenant).toMatchObject({ backend: first })
          expect(world.cloud.asked("POST /tenant/mount/credentials")).toHaveLength(1)
          expect(world.cloud.tenants[0]?.revoked).toEqual([])
        },
        TEST_MS_MAX,
      ),
    { region: "auto" },
  )
}

async function logsIn({ cloud }: AccountWorld, device: AccountDevice): Promise<void> {
  cloud.set({ polls: ["authorization_pending"] })
  const { out } = await succeeds(device.login())
  cloud.set({ polls: [] })
  expect(out).toMatch(
    /^Open (http:\S+\/activate\?user_code=(\S+))\nand confirm the code \2 \(it holds for 5 minutes\)\n✓ Logged in/,
  )
  const { access_token, refresh_token, expires_at, token_type } = JSON.parse(
    readFileSync(device.files.tokens, "utf8"),
  )
  expect(cloud.secrets()).toEqual(expect.arrayContaining([access_token, refresh_token]))
  expect(token_type).toBe("Bearer")
  expect(expires_at).toBeGreaterThan(Date.now() / 1000 + 3000)
  expect(cloud.asked("GET /proxy/health")).toMatchObject([{ status: 200, auth: `Bearer ${access_token}` }])
}

async function setsUp(world: AccountWorld, device: AccountDevice, way: Way): Promise<void> {
  const { out } = await device.setUp("--backend", way.backend)
  const lines = out.trimEnd().split("\n")
  expect(lines).toEqual([
    way.rclone === undefined
      ? "[1/5] - rclone not found; it is not needed (bm cloud bisync-setup --yes installs it)"
      : expect.stringMatching(/^\[1\/5\] ✓ rclone \d+\.\d+\S* found$/),
    `[2/5] ✓ Scoped S3 credentials generated (only s3://${world.storage.bucket})`,
    "[3/5] ✓ rclone remote basic-memory-tenant-4b9c configured (mode 600)",
    "[4/5] ✓ Sync directory ~/basic-memory-cloud-sync created, history on (git)",
    "[5/5] ✓ Baseline set: 0 files equal, 0 downloaded, 0 uploaded, 0 replaced",
    "✓ Cloud sync is ready. Next: bm cloud bisync",
  ])
  const { tenant, sync_dir } = syncConfigOf(device)
  expect(sync_dir).toBe("~/basic-memory-cloud-sync")
  expect(tenant).toMatchObject({ id: "tenant-4b9c", bucket: world.storage.bucket, backend: way.backend })
  expect(readdirSync(join(device.stateRoot, "bisync-state"))).toEqual(["tenant-4b9c"])
  const [pair, ...others] = world.cloud.tenants[0]?.credentials ?? []
  expect(others).toEqual([])
  expect(tenant.credential).toBe(pair?.id)
  expect(readFileSync(device.files.rcloneConf, "utf8")).toBe(
    [
      "[basic-memory-tenant-4b9c]",
      "type = s3",
      "provider = AWS",
      "env_auth = false",
      `access_key_id = ${pair?.accessKey}`,
      `secret_access_key = ${pair?.secretKey}`,
      "region = auto",
      `endpoint = ${world.cloud.endpoint}`,
      "",
    ].join("\n"),
  )
}

async function makesAProject(world: AccountWorld, device: AccountDevice): Promise<void> {
  put(device.dir, README, "# Hello\n")
  expect((await succeeds(device.bisync())).out).toBe(
    [
      "Found 1 new local project, creating on cloud...",
      "✓ Created project: new-project",
      "✓ Sync completed - 1 file uploaded",
      "",
    ].join("\n"),
  )
  expect(Object.fromEntries(world.notes())).toEqual({ [README]: "# Hello\n" })
  const { cloud } = world
  const created = cloud.asked("POST /proxy/projects/projects")
  expect(created.map(({ body }) => JSON.parse(body))).toEqual([
    { name: "new-project", path: "new-project", set_default: false },
  ])
  const [indexed, ...others] = cloud.requests.filter(({ path }) => path.endsWith("/project/sync"))
  expect(others).toEqual([])
  expect(indexed).toMatchObject({ method: "POST", path: "/proxy/new-project/project/sync", status: 200 })
  const written = cloud.stored.findLast(({ kind, key }) => kind === "PUT" && key === README)
  expect(written?.order).toBeGreaterThan(created[0]?.order ?? Number.POSITIVE_INFINITY)
  expect(indexed?.order).toBeGreaterThan(written?.order ?? Number.POSITIVE_INFINITY)
}

async function joins(world: AccountWorld, device: AccountDevice, { backend }: Way): Promise<void> {
  await succeeds(device.login())
  const { out } = await device.setUp("--backend", backend, "--device", "phone")
  expect(out).toContain("[5/5] ✓ Baseline set: 0 files equal, 1 downloaded, 0 uploaded, 0 replaced")
  expect(notesIn(device.dir).get(README)).toBe("# Hello\n")
  // A device has a pair of its own, so that one can be shut out without the other.
  expect(new Set(world.cloud.tenants[0]?.credentials.map(({ accessKey }) => accessKey)).size).toBe(2)
  expect((await succeeds(device.bisync())).out).toBe("✓ Sync completed\n")
  expect(world.cloud.asked("POST /proxy/projects/projects")).toHaveLength(1)
}

async function disagree(here: AccountDevice, there: AccountDevice): Promise<void> {
  put(here.dir, README, "here at ten\n", TEN)
  put(there.dir, README, "there at five past\n", TEN + 300_000)
  await succeeds(here.bisync())
  expect((await succeeds(there.bisync())).out).toMatch(
    /^Resolving conflict: using newer version\n✓ Sync completed\n/,
  )
  await succeeds(here.bisync())
  for (const device of [here, there]) expect(notesIn(device.dir).get(README)).toBe("there at five past\n")
}

async function undoes(here: AccountDevice, there: AccountDevice): Promise<void> {
  const listed = await succeeds(there.run("cloud", "conflicts", "--all", "--json"))
  const { conflicts } = JSON.parse(listed.out)
  expect(conflicts).toMatchObject([{ path: README }])
  await succeeds(there.run("cloud", "undo", conflicts[0].conflict))
  await succeeds(here.bisync())
  for (const device of [here, there]) {
    expect(notesIn(device.dir).get(README)).toBe("here at ten\n")
    await expectSettled(device)
  }
}

async function looksBack(world: AccountWorld, device: AccountDevice): Promise<void> {
  await succeeds(device.run("cloud", "history", "verify"))
  if (!isMissing(hasGit, "git")) expectSoundHistory(device)
  const { out } = await succeeds(device.run("cloud", "status"))
  expect(out).toMatch(/│ Status +│ ✓ Initialized +│/)
  expect(out).toMatch(/│ Local Directory +│ ~\/basic-memory-cloud-sync +│/)
  expect(out).toMatch(new RegExp(`│ Remote +│ s3://${world.storage.bucket} +│`))
  expect(out).toMatch(/│ Total Projects +│ 1 +│/)
  const { out: json } = await succeeds(device.run("cloud", "status", "--json"))
  expect(JSON.parse(json).projects).toEqual({
    total: 1,
    not_on_cloud: [],
    cloud: [{ name: "main" }, { name: "new-project" }],
  })
  expect((await succeeds(device.run("cloud", "check"))).out).toMatch(/✓ 1 file identical/)
}
