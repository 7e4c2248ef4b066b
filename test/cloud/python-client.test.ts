/**
 * The existing Python client is the judge of the stand-in: what it does against the service it does here, with a real
 * bucket behind. What it would not take from the service, our client must not be taught to take from the stand-in.
 */

import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { expect, onTestFinished, test } from "vitest"
import { notesIn, put } from "../process/bm.ts"
import type { Server } from "../servers/server.ts"
import { s3Request } from "../servers/sign.ts"
import { nameOf } from "./asked.ts"
import { call, logIn } from "./by-fetch.ts"
import { describePythonClient, newPythonDevice, type PythonDevice } from "./python-client.ts"
import { type Cloud, on, startCloud, storageOf, SUBSCRIPTION } from "./service.ts"

/** Many commands, each of seconds, on a busy machine. */
const TEST_MS_MAX = 600_000

describePythonClient(judge)

function judge(server: () => Server): void {
  test(
    "logs in, sets up, syncs both ways and shows it",
    async () => {
      const { cloud, device, bucket } = await newWorld(server())
      const config = await cloud.writeConfig()
      await logsIn(cloud, device)
      await setsUp(cloud, device)
      await syncs(cloud, device, { server: server(), bucket })
      await shows(cloud, device)
      const root = join(server().root, bucket)
      expect(readFileSync(join(root, ".basic-memory/config.json"), "utf8")).toBe(config)
      expect(cloud.stored.filter(({ status }) => status !== 200 && status !== 204)).toEqual([])
    },
    TEST_MS_MAX,
  )

  test(
    "keeps up with refresh tokens that are replaced at every use",
    async () => {
      const { cloud, device } = await newWorld(server())
      cloud.set({ accessLifetimeSeconds: 59 })
      await succeeds(device, "cloud", "login")
      await succeeds(device, "cloud", "setup", "--bisync")
      const said = await succeeds(device, "cloud", "status")
      expect(said).toContain("Access token expired, refreshing...")
      const refreshed = cloud
        .asked("POST /oauth2/token")
        .filter(({ body }) => body.includes("refresh_token="))
      // Before every call of the service, since it wants a minute to be left.
      expect(refreshed.length).toBeGreaterThanOrEqual(6)
      expect(new Set(refreshed.map(({ body }) => body)).size).toBe(refreshed.length)
      expect(refreshed.map(({ status }) => status)).toEqual(refreshed.map(() => 200))
    },
    TEST_MS_MAX,
  )

  test.each(["nested", "flat"] as const)(
    "says what the service says of a subscription that is missing, in its %s form",
    async (form) => {
      const { cloud, device } = await newWorld(server())
      cloud.set({ isSubscribed: false, subscriptionError: form, polls: [] })
      const said = await fails(device, "cloud", "login")
      expect(said).toContain(SUBSCRIPTION.message)
      expect(said).toContain(SUBSCRIPTION.subscribe_url)
    },
    TEST_MS_MAX,
  )

  test(
    "slows down when it is told, and ends when it is refused",
    async () => {
      const { cloud, device } = await newWorld(server())
      cloud.set({ polls: ["slow_down", "access_denied"] })
      const said = await fails(device, "cloud", "login")
      expect(said).toContain("Slowing down polling rate...")
      expect(said).toContain("Authentication was denied by user")
      expect(cloud.asked("POST /oauth2/token")).toHaveLength(2)
      cloud.set({ polls: ["expired_token"] })
      expect(await fails(device, "cloud", "login")).toContain("Device code has expired")
    },
    TEST_MS_MAX,
  )

  test(
    "ends with an error when the tenant, the service, the pair or the token is gone",
    async () => {
      const { cloud, device } = await newWorld(server())
      cloud.set({ polls: [] })
      await succeeds(device, "cloud", "login")
      await succeeds(device, "cloud", "setup", "--bisync")
      cloud.set({ hasTenant: false })
      expect(await fails(device, "cloud", "bisync")).toContain("403 Forbidden")
      const json = { detail: "down for maintenance" }
      cloud.set({
        hasTenant: true,
        troubles: [{ match: on("GET /proxy/health"), act: "answer", status: 503, json }],
      })
      expect(await fails(device, "cloud", "status")).toContain("503 Service Unavailable")
      cloud.set({ troubles: [] })
      await revokeAll(cloud)
      expect(await fails(device, "cloud", "bisync")).toContain("InvalidAccessKeyId")
      await succeeds(device, "cloud", "setup", "--bisync")
      expect(cloud.tenants[0]?.credentials).toHaveLength(1)
      cloud.expireAccess()
      expect(await fails(device, "cloud", "status")).toContain("401 Unauthorized")
    },
    TEST_MS_MAX,
  )
}

async function logsIn(cloud: Cloud, device: PythonDevice): Promise<void> {
  const said = await succeeds(device, "cloud", "login")
  expect(said).toContain(`${cloud.url}/activate`)
  expect(said).toContain("Cloud mode enabled")
  expect(cloud.requests.map(nameOf)).toEqual([
    "POST /oauth2/device_authorization",
    "POST /oauth2/token",
    "POST /oauth2/token",
    "GET /proxy/health",
  ])
  expect(cloud.requests.map(({ status }) => status)).toEqual([200, 400, 200, 200])
  const file = join(device.stateRoot, "basic-memory-cloud.json")
  expect(statSync(file).mode & 0o777).toBe(0o600)
  const tokens = JSON.parse(readFileSync(file, "utf8"))
  expect(cloud.secrets()).toEqual(expect.arrayContaining([tokens.access_token, tokens.refresh_token]))
  expect(cloud.requests.at(-1)?.auth).toBe(`Bearer ${tokens.access_token}`)
}

async function setsUp(cloud: Cloud, device: PythonDevice): Promise<void> {
  const before = cloud.requests.length
  const said = await succeeds(device, "cloud", "setup", "--bisync")
  expect(said).toContain("Bisync setup completed successfully!")
  expect(cloud.requests.slice(before).map(nameOf)).toEqual([
    "GET /tenant/mount/info",
    "POST /tenant/mount/credentials",
    "GET /proxy/projects/projects",
    "GET /proxy/main/project/item",
    "POST /proxy/main/project/sync",
  ])
  const [credential, ...others] = cloud.tenants[0]?.credentials ?? []
  expect(others).toEqual([])
  const rclone = readFileSync(join(device.home, ".config/rclone/rclone.conf"), "utf8")
  expect(rclone).toContain(`[basic-memory-${cloud.tenants[0]?.id}]`)
  expect(rclone).toContain(
    `access_key_id = ${credential?.accessKey}\nsecret_access_key = ${credential?.secretKey}`,
  )
  expect(cloud.stored.length).toBeGreaterThan(0)
  expect(new Set(cloud.stored.map(({ accessKey }) => accessKey))).toEqual(new Set([credential?.accessKey]))
}

async function syncs(
  cloud: Cloud,
  device: PythonDevice,
  { server, bucket }: { readonly server: Server; readonly bucket: string },
): Promise<void> {
  const inBucket = () => Object.fromEntries(notesIn(join(server.root, bucket)))
  put(device.dir, "notes/a.md", "# a\n")
  await succeeds(device, "cloud", "bisync", "--resync")
  expect(inBucket()).toMatchObject({ "notes/a.md": "# a\n" })
  expect(cloud.asked("POST /proxy/projects/projects")).toEqual([])

  put(device.dir, "My Notes/b.md", "# b\n")
  const far = { method: "PUT", target: `/${bucket}/notes/far.md`, body: "# from afar\n" }
  expect(await s3Request(server, far)).toMatchObject({ status: 200 })
  const said = await succeeds(device, "cloud", "bisync")
  expect(said).toContain("Created project: My Notes")
  expect(inBucket()).toMatchObject({
    "notes/a.md": "# a\n",
    "notes/far.md": "# from afar\n",
    "My Notes/b.md": "# b\n",
  })
  expect(Object.fromEntries(notesIn(device.dir))).toMatchObject({ "notes/far.md": "# from afar\n" })

  const created = cloud.asked("POST /proxy/projects/projects").map(({ body }) => JSON.parse(body))
  expect(created.toSorted((a, b) => (a.path < b.path ? -1 : 1))).toEqual([
    { name: "My Notes", path: "my-notes", set_default: false },
    { name: "notes", path: "notes", set_default: false },
  ])
  const written = cloud.stored.findLast(({ kind, key }) => kind === "PUT" && key === "My Notes/b.md")
  const [indexed, ...others] = cloud.asked("POST /proxy/my-notes/project/sync")
  expect(others).toEqual([])
  expect(indexed?.status).toBe(200)
  expect(indexed?.order).toBeGreaterThan(written?.order ?? Number.POSITIVE_INFINITY)
}

async function shows(cloud: Cloud, device: PythonDevice): Promise<void> {
  const status = await succeeds(device, "cloud", "status")
  expect(status).toContain("Cloud instance is healthy")
  expect(status).toMatch(/Tenant ID\s+│ tenant-/)
  expect(status).toMatch(/Status\s+│ ✓ Initialized/)
  expect(await succeeds(device, "cloud", "check")).toContain("All files match between local and cloud")
  const prompt = await succeeds(device, "tool", "continue-conversation", "--topic", "roses")
  expect(prompt).toContain("# Continuing conversation on: roses\n\nProject: main\n")
  expect(cloud.asked("POST /proxy/main/prompt/continue-conversation")).toMatchObject([
    { body: '{"topic":"roses","search_items_limit":5,"depth":1,"related_items_limit":5}' },
  ])
}

/** As a user would on the service's own pages. */
async function revokeAll(cloud: Cloud): Promise<void> {
  const token = (await logIn(cloud)).access
  for (const { id } of cloud.tenants[0]?.credentials ?? [])
    expect(await call(cloud, `DELETE /tenant/mount/credentials/${id}`, { token })).toMatchObject({
      status: 200,
    })
}

async function newWorld(server: Server): Promise<{
  readonly cloud: Cloud
  readonly device: PythonDevice
  readonly bucket: string
}> {
  const bucket = await server.newBucket()
  const cloud = await startCloud({ storage: storageOf(server, bucket) })
  const home = mkdtempSync(join(tmpdir(), "bm-python-"))
  onTestFinished(async () => {
    await cloud.close()
    rmSync(home, { recursive: true, force: true })
  })
  return { cloud, device: newPythonDevice(home, cloud), bucket }
}

async function succeeds(device: PythonDevice, ...args: readonly string[]): Promise<string> {
  const ran = await device.run(...args)
  expect(ran.exit, ran.said).toBe(0)
  return ran.said
}

async function fails(device: PythonDevice, ...args: readonly string[]): Promise<string> {
  const ran = await device.run(...args)
  expect(ran.exit, ran.said).toBe(1)
  return ran.said
}
