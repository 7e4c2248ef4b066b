/**
 * The key pair of a device: made once and used again, tried before it is kept, revoked when another takes its place or when
 * the setup that made it comes to nothing.
 */

import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { expect, test } from "vitest"
import { on, type Trouble } from "../cloud/service.ts"
import { describeServer } from "../servers/describe-server.ts"
import { put } from "./bm.ts"
import {
  type AccountDevice,
  type AccountWorld,
  loggedIn,
  subscriber,
  succeeds,
  testWorld,
  treeOf,
} from "./cloud-world.ts"
import { describeRclone } from "./rclone-world.ts"
import { TEST_MS_MAX } from "./s3-world.ts"

const LONG = { timeout: TEST_MS_MAX }
const MINT = "POST /tenant/mount/credentials"
const SPOILED = "a-key-that-the-storage-never-had"
const NOWHERE = "http://127.0.0.1:1"
const MOMENTS = 6
/** Ctrl+C at a call that changes a file system. */
const SIGNALLED = {
  NODE_OPTIONS: `--import=${fileURLToPath(new URL("./signal-at.mjs", import.meta.url))}`,
  BM_TEST_SIGNAL: "SIGINT",
}

describeServer(
  "versitygw",
  (server) => {
    test("a setup that is run again uses the pair that works", LONG, async () => {
      const world = await testWorld(server())
      const device = await subscriber(world, "one")
      const { out } = await device.setUp()
      expect(out).toContain(`✓ Scoped S3 credentials already done (only s3://${world.storage.bucket})`)
      expect(out).toContain("✓ rclone remote basic-memory-tenant-4b9c already done")
      expect(pairs(world)).toMatchObject({ minted: 1, revoked: [] })
    })

    test("a dry run makes no pair and writes nothing", LONG, async () => {
      const world = await testWorld(server())
      const device = await loggedIn(world, "one")
      const before = treeOf(device.home)
      const { out } = await succeeds(device.run("cloud", "bisync-setup", "--dry-run"))
      expect(out).toContain(`[2/5] would generate scoped S3 credentials (only s3://${world.storage.bucket})`)
      // The steps are counted as the setup itself counts them.
      expect(out.match(/^\[\d\/\d\]/gm)).toEqual(["[1/5]", "[2/5]", "[3/5]", "[4/5]", "[5/5]"])
      expect(treeOf(device.home)).toEqual(before)
      expect(pairs(world)).toMatchObject({ minted: 0 })
    })

    test("a pair that was revoked is replaced by the next setup, and nothing is transferred for it", {
      timeout: TEST_MS_MAX,
    }, async () => {
      const world = await testWorld(server())
      const device = await subscriber(world, "one")
      put(device.dir, "notes/a.md", "a\n")
      await succeeds(device.bisync())
      const [old] = pairs(world).holding
      await revoke(world, device)
      const refused = await device.bisync()
      expect(refused).toMatchObject({ exit: 1, out: "" })
      expect(refused.err).toMatch(
        /^Error: The storage of your account does not accept .* \(InvalidAccessKeyId\)\n[^]*Fix {4}bm cloud bisync-setup /,
      )
      const before = world.cloud.stored.length
      expect((await device.setUp()).out).toMatch(
        /✓ Scoped S3 credentials generated[^]*✓ Baseline already done/,
      )
      expect(transfers(world, before)).toEqual([])
      await expectPairOf(world, device)
      expect(pairs(world)).toMatchObject({ minted: 2, revoked: [old] })
      expect((await succeeds(device.bisync())).out).toBe("✓ Sync completed\n")
    })

    test("a pair whose secret was lost is replaced and revoked", LONG, async () => {
      const world = await testWorld(server())
      const device = await subscriber(world, "one")
      const [old] = pairs(world).holding
      rmSync(device.files.credentials)
      await device.setUp()
      await expectPairOf(world, device)
      expect(pairs(world)).toMatchObject({ minted: 2, revoked: [old] })
      await succeeds(device.bisync())
    })

    test("a pair is not given up where the storage does not answer", LONG, async () => {
      const world = await testWorld(server())
      const device = await subscriber(world, "one")
      const before = treeOf(device.home)
      world.storage.endpoint = NOWHERE
      const ran = await device.run("cloud", "bisync-setup")
      expect(ran).toMatchObject({ exit: 1, out: "" })
      expect(ran.err).toMatch(/^Error: Cannot reach the cloud /)
      expect(treeOf(device.home)).toEqual(before)
      expect(pairs(world)).toMatchObject({ minted: 1, revoked: [] })
    })

    test.each(SPOILED_STORAGES)(
      "a new pair that %s is revoked and not kept",
      LONG,
      async (_, spoil, says) => {
        const world = await testWorld(server())
        const device = await loggedIn(world, "one")
        const before = treeOf(device.home)
        spoil(world)
        const ran = await device.run("cloud", "bisync-setup")
        expect(ran).toMatchObject({ exit: 1, out: "" })
        expect(ran.err).toMatch(says)
        expect(treeOf(device.home)).toEqual(before)
        expect(pairs(world)).toMatchObject({ minted: 1, holding: [], revoked: [expect.anything()] })
      },
    )

    test.each(SPOILED_REPLIES)(
      "a setup ends, and keeps nothing, where %s",
      LONG,
      async (_, trouble, says) => {
        const world = await testWorld(server())
        const device = await loggedIn(world, "one")
        const before = treeOf(device.home)
        world.cloud.set({ troubles: [trouble] })
        const ran = await device.run("cloud", "bisync-setup")
        expect(ran).toMatchObject({ exit: 1, out: "" })
        expect(ran.err).toMatch(says)
        expect(treeOf(device.home)).toEqual(before)
        expect(world.cloud.stored).toEqual([])
      },
    )

    test("a setup that cannot make its directory takes the new pair back", LONG, async () => {
      const world = await testWorld(server())
      const device = await loggedIn(world, "one")
      writeFileSync(join(device.home, "a-file"), "")
      const before = treeOf(device.home)
      const ran = await device.run("cloud", "bisync-setup", "--dir", join(device.home, "a-file/notes"))
      expect(ran).toMatchObject({ exit: 1, out: "" })
      expect(ran.err).toMatch(/^Error: Cannot create the sync directory /)
      expect(withoutConfDirectories(device)).toEqual(before)
      expect(pairs(world)).toMatchObject({ minted: 1, holding: [], revoked: [expect.anything()] })
      await device.setUp()
      expect(pairs(world)).toMatchObject({ minted: 2, holding: [expect.anything()] })
    })

    test("a pair is kept while the device syncs with another remote, and used again after it", {
      timeout: TEST_MS_MAX,
    }, async () => {
      const world = await testWorld(server())
      const device = await subscriber(world, "one")
      const elsewhere = join(world.root, "elsewhere")
      mkdirSync(elsewhere)
      // A second look at the other remote forgets nothing either.
      for (let time = 0; time < 2; time++) await device.setUp("--remote", `file:${elsewhere}`)
      put(device.dir, "notes/a.md", "a\n")
      const asked = world.cloud.requests.length
      expect((await succeeds(device.bisync())).out).toContain("1 file uploaded")
      expect(world.cloud.requests).toHaveLength(asked)
      const { out } = await device.setUp("--backend", "native")
      expect(out).toContain("✓ Scoped S3 credentials already done")
      expect(pairs(world)).toMatchObject({ minted: 1, revoked: [] })
      await expectPairOf(world, device)
      await succeeds(device.bisync())
      expect(world.notes().get("notes/a.md")).toBe("a\n")
    })

    test("a pair that was lost while the device synced with another remote is revoked after it", {
      timeout: TEST_MS_MAX,
    }, async () => {
      const world = await testWorld(server())
      const device = await subscriber(world, "one")
      const [old] = pairs(world).holding
      const elsewhere = join(world.root, "elsewhere")
      mkdirSync(elsewhere)
      await device.setUp("--remote", `file:${elsewhere}`)
      rmSync(device.files.credentials)
      await device.setUp("--backend", "native")
      expect(pairs(world)).toMatchObject({ minted: 2, revoked: [old] })
      await expectPairOf(world, device)
    })

    test("a setup that is stopped keeps all of a pair or nothing, whenever that is", LONG, async () => {
      const world = await testWorld(server())
      const first = await loggedIn(world, "first")
      const countTo = join(world.root, "calls")
      await succeeds(first.runWith({ ...SIGNALLED, BM_TEST_COUNT_TO: countTo }, "cloud", "bisync-setup"))
      const calls = Number(readFileSync(countTo, "utf8"))
      const kept: boolean[] = []
      for (let moment = 0; moment < MOMENTS; moment++) {
        const device = await loggedIn(world, `stopped-${moment}`)
        const before = { home: treeOf(device.home), held: pairs(world).holding.length }
        const at = 1 + Math.floor((moment * calls) / MOMENTS)
        const stopped = { ...SIGNALLED, BM_TEST_SIGNAL_AT: String(at) }
        const ran = await device.runWith(stopped, "cloud", "bisync-setup")
        const isKept = pairs(world).holding.length > before.held
        kept.push(isKept)
        const where = `call ${at} of ${calls}: ${ran.out}${ran.err}`
        if (isKept) expect([0, 130], where).toContain(ran.exit)
        else {
          expect(ran, where).toMatchObject({ exit: 130, out: "" })
          expect(ran.err).toMatch(/^Error: Stopped before anything was set up\n[^]*Nothing was changed\.\n$/)
          expect(withoutConfDirectories(device)).toEqual(before.home)
        }
        await device.setUp()
        await succeeds(device.bisync())
        expect(pairs(world).holding, where).toHaveLength(before.held + 1)
      }
      expect(new Set(kept)).toEqual(new Set([false, true]))
    })

    test("keys in the environment are for other buckets than the account's", LONG, async () => {
      const world = await testWorld(server())
      const device = await loggedIn(world, "one")
      const env = { AWS_ACCESS_KEY_ID: "AKIAOTHER", AWS_SECRET_ACCESS_KEY: "of-somebody-else" }
      await succeeds(device.runWith(env, "cloud", "bisync-setup"))
      put(device.dir, "notes/a.md", "a\n")
      await succeeds(device.runWith(env, "cloud", "bisync"))
      const [pair] = world.cloud.tenants[0]?.credentials ?? []
      expect(new Set(world.cloud.stored.map(({ accessKey }) => accessKey))).toEqual(
        new Set([pair?.accessKey]),
      )
      expect(world.notes().get("notes/a.md")).toBe("a\n")
    })

    describeRclone((rclone) => {
      test("a pair that was revoked is said to be the account's where rclone uses it too", LONG, async () => {
        const world = await testWorld(server())
        const device = await subscriber(world, "one", { rclone, setUp: ["--backend", "rclone"] })
        await revoke(world, device)
        const refused = await device.bisync()
        expect(refused).toMatchObject({ exit: 1, out: "" })
        expect(refused.err).toMatch(
          /^Error: The storage of your account does not accept [^]*\n {2}Fix {4}bm cloud bisync-setup /,
        )
        expect(refused.err).not.toContain("rclone config")
        await device.setUp()
        await expectPairOf(world, device)
        await succeeds(device.bisync())
      })

      test.each([
        [
          "is encrypted",
          "# Encrypted rclone configuration File\n\nRCLONE_ENCRYPT_V0:\nAAAA\n",
          /it is encrypted/,
        ],
        ["is malformed", "[half\n", /rclone cannot read line 1 of it/],
      ])(
        "rclone as the way to the bucket makes no pair where rclone.conf %s",
        LONG,
        async (_, text, says) => {
          const world = await testWorld(server())
          const device = await loggedIn(world, "one", { rclone })
          mkdirSync(join(device.home, ".config/rclone"), { recursive: true })
          writeFileSync(device.files.rcloneConf, text, { mode: 0o600 })
          const before = treeOf(device.home)
          const ran = await device.run("cloud", "bisync-setup", "--backend", "rclone")
          expect(ran).toMatchObject({ exit: 1, out: "" })
          expect(ran.err).toMatch(says)
          expect(treeOf(device.home)).toEqual(before)
          expect(pairs(world)).toMatchObject({ minted: 0 })
          // The other way needs no such file.
          expect((await device.setUp()).out).toMatch(/rclone\.conf cannot be written here; it is not needed/)
          expect(readFileSync(device.files.rcloneConf, "utf8")).toBe(text)
        },
      )

      test(
        "rclone.conf is as it was where rclone cannot reach the bucket with the new pair",
        LONG,
        async () => {
          const world = await testWorld(server())
          const device = await loggedIn(world, "one", { rclone })
          mkdirSync(join(device.home, ".config/rclone"), { recursive: true })
          writeFileSync(device.files.rcloneConf, "# mine\n[other]\ntype = local\n", { mode: 0o600 })
          const before = treeOf(device.home)
          // Their own program, which looks like one that can be used, and fails when it is.
          rmSync(join(device.bin, "rclone"))
          const program = `#!/bin/sh\n[ "$1" = version ] && exec '${rclone}' "$@"\nexit 1\n`
          writeFileSync(join(device.bin, "rclone"), program, { mode: 0o755 })
          const spoiled = new Map([
            ...before,
            ...[...treeOf(device.home)].filter(([name]) => name === "bin/rclone"),
          ])
          const ran = await device.run("cloud", "bisync-setup", "--backend", "rclone")
          expect(ran).toMatchObject({ exit: 1, out: "" })
          expect(treeOf(device.home)).toEqual(spoiled)
          expect(pairs(world)).toMatchObject({ minted: 1, holding: [] })
        },
      )

      test("rclone that is missing is said before a pair is made", LONG, async () => {
        const world = await testWorld(server())
        const device = await loggedIn(world, "one")
        const before = treeOf(device.home)
        const ran = await device.run("cloud", "bisync-setup", "--backend", "rclone")
        expect(ran).toMatchObject({ exit: 1, out: "" })
        expect(ran.err).toMatch(/^Error: rclone not found\n/)
        expect(treeOf(device.home)).toEqual(before)
        expect(pairs(world)).toMatchObject({ minted: 0 })
      })
    })
  },
  { region: "auto" },
)

/** The pair is made, and is good for nothing. */
const SPOILED_STORAGES: readonly (readonly [string, (world: AccountWorld) => void, RegExp])[] = [
  ["is not taken by the storage", ({ storage }) => (storage.secretKey = SPOILED), /SignatureDoesNotMatch/],
  [
    "opens a bucket that is not there",
    ({ folder }) => rmSync(folder, { recursive: true }),
    /There is no such bucket/,
  ],
  [
    "leads to a storage that does not answer",
    ({ storage }) => (storage.endpoint = NOWHERE),
    /Cannot reach the cloud/,
  ],
]

const INFO = { tenant_id: "tenant-4b9c", bucket_name: "bucket" }
const PAIR = {
  ...INFO,
  access_key: "tid_made-up",
  secret_key: "tsec_made-up",
  endpoint_url: "https://storage.example",
  region: "auto",
}
const NOT_THE_SERVICE = /^Error: What answers there is not the cloud service\n/

function replying(name: string, json: unknown): Trouble {
  return { match: on(name), act: "answer", status: 200, json }
}

/** Of whoever answers in place of the service, or of a service that fails half-way. */
const SPOILED_REPLIES: readonly (readonly [string, Trouble, RegExp])[] = [
  [
    "the service makes no pair",
    { match: on(MINT), act: "answer", status: 503, json: {} },
    /unavailable \(503\)/,
  ],
  ["the pair gets lost on its way", { match: on(MINT), act: "lose_response" }, /Cannot reach the cloud/],
  ["a page answers in place of a pair", { match: on(MINT), act: "html" }, NOT_THE_SERVICE],
  ["the pair is another bucket's", replying(MINT, PAIR), NOT_THE_SERVICE],
  [
    "the storage would be reached without TLS",
    replying(MINT, { ...PAIR, endpoint_url: "http://storage.example" }),
    NOT_THE_SERVICE,
  ],
  [
    "the secret would end a line",
    replying(MINT, { ...PAIR, secret_key: "a\nendpoint = https://evil" }),
    NOT_THE_SERVICE,
  ],
  [
    "the tenant names a path",
    replying("GET /tenant/mount/info", { ...INFO, tenant_id: "../../evil" }),
    NOT_THE_SERVICE,
  ],
  [
    "the tenant names a section",
    replying("GET /tenant/mount/info", { ...INFO, tenant_id: "a]\n[b" }),
    NOT_THE_SERVICE,
  ],
  [
    "the bucket names a path",
    replying("GET /tenant/mount/info", { ...INFO, bucket_name: "../evil" }),
    NOT_THE_SERVICE,
  ],
]

/** Their ids. */
function pairs({ cloud }: AccountWorld) {
  const [tenant] = cloud.tenants
  return {
    minted: cloud.asked(MINT).length,
    holding: tenant?.credentials.map(({ id }) => id) ?? [],
    revoked: tenant?.revoked.map(({ id }) => id) ?? [],
  }
}

/** The one pair that holds is the one that the device has, in each of its files. */
async function expectPairOf({ cloud }: AccountWorld, { files }: AccountDevice): Promise<void> {
  const [pair, ...others] = cloud.tenants[0]?.credentials ?? []
  expect(others).toEqual([])
  const { remotes } = JSON.parse(readFileSync(files.credentials, "utf8"))
  expect(Object.values(remotes)).toEqual([{ accessKeyId: pair?.accessKey, secretAccessKey: pair?.secretKey }])
  const conf = readFileSync(files.rcloneConf, "utf8")
  expect(conf.match(/^access_key_id = .*$/gm)).toEqual([`access_key_id = ${pair?.accessKey}`])
  expect(JSON.parse(readFileSync(files.config, "utf8")).bisync_config.tenant.credential).toBe(pair?.id)
}

/** As a user would on the service's own pages, with the login of the device. */
async function revoke({ cloud }: AccountWorld, { files }: AccountDevice): Promise<void> {
  const { access_token } = JSON.parse(readFileSync(files.tokens, "utf8"))
  for (const { id } of cloud.tenants[0]?.credentials ?? []) {
    const headers = { authorization: `Bearer ${access_token}` }
    const answer = await fetch(`${cloud.url}/tenant/mount/credentials/${id}`, { method: "DELETE", headers })
    expect(answer.status).toBe(200)
  }
}

/** Requests for notes, but for the listings. */
function transfers({ cloud }: AccountWorld, from: number) {
  return cloud.stored.slice(from).filter(({ kind, isOwn }) => !isOwn && !kind.startsWith("LIST"))
}

/** Where the section was, empty directories may stay. */
function withoutConfDirectories({ home }: AccountDevice): ReadonlyMap<string, string> {
  const empty = [".config", ".config/rclone"]
  return new Map(
    [...treeOf(home)].filter(([name, what]) => !(empty.includes(name) && what === "700 directory")),
  )
}
