/**
 * The account apart from its troubles: which host is asked, what a logout leaves, and what works without the service, without a
 * login, and without a network.
 */

import { existsSync, readFileSync } from "node:fs"
import { expect, test } from "vitest"
import { SUBSCRIPTION } from "../cloud/service.ts"
import { describeServer } from "../servers/describe-server.ts"
import { put } from "./bm.ts"
import { loggedIn, subscriber, succeeds, testWorld, treeOf } from "./cloud-world.ts"
import { TEST_MS_MAX } from "./s3-world.ts"

const LONG = { timeout: TEST_MS_MAX }
/** Nobody listens there. */
const NOWHERE = "http://127.0.0.1:1"
const OFFLINE = { BASIC_MEMORY_API_URL: NOWHERE }

describeServer(
  "versitygw",
  (server) => {
    test("a logout says what stays, and it stays", LONG, async () => {
      const world = await testWorld(server())
      const device = await subscriber(world, "one")
      const before = treeOf(device.home)
      const { out } = await succeeds(device.run("cloud", "logout"))
      expect(out).toBe(
        "✓ Logged out\n  Your files, their history and the key pair for the storage stay on this device\n",
      )
      const after = treeOf(device.home)
      expect([...before].filter(([name, what]) => after.get(name) !== what).map(([name]) => name)).toEqual([
        ".basic-memory/basic-memory-cloud.json",
      ])
      expect([...after.keys()].filter((name) => !before.has(name))).toEqual([])
      expect((await succeeds(device.run("cloud", "logout"))).out).toMatch(/^You were not logged in\n/)
      const { out: json } = await succeeds(device.run("cloud", "logout", "--json"))
      expect(JSON.parse(json)).toEqual({ schema: "bm.logout/1", ok: true, was_logged_in: false })
      expect(world.cloud.tenants[0]?.credentials).toHaveLength(1)
    })

    test(
      "the notes sync after a logout, and what waits for a login is done after the next one",
      LONG,
      async () => {
        const world = await testWorld(server())
        const device = await subscriber(world, "one")
        put(device.dir, "known/a.md", "a\n")
        await succeeds(device.bisync())
        await succeeds(device.run("cloud", "logout"))
        put(device.dir, "known/a.md", "edited\n")
        put(device.dir, "fresh/a.md", "fresh\n")
        const ran = await succeeds(device.bisync())
        expect(ran.out).toBe("✓ Sync completed - 2 files uploaded\n")
        expect(ran.err.split("\n")).toEqual([
          "! fresh is not registered in the cloud yet: You are not logged in to the cloud; run bm cloud login; the next run tries again",
          "! known is synced, and the cloud could not be asked to look: You are not logged in to the cloud; run bm cloud login; the next run tries again",
          "",
        ])
        expect(Object.fromEntries(world.notes())).toEqual({
          "fresh/a.md": "fresh\n",
          "known/a.md": "edited\n",
        })
        // Nothing of it goes away by itself.
        expect((await succeeds(device.bisync())).err).toBe(ran.err)
        await succeeds(device.login())
        const before = world.cloud.requests.length
        expect(await succeeds(device.bisync())).toMatchObject({ err: "" })
        expect(world.cloud.requests.slice(before).map(({ path }) => path)).toEqual([
          "/proxy/projects/projects",
          "/proxy/projects/projects",
          "/proxy/fresh/project/sync",
          "/proxy/known/project/sync",
        ])
      },
    )

    test("status works and says so where nobody is logged in", LONG, async () => {
      const world = await testWorld(server())
      const device = world.device("one")
      const first = await succeeds(device.run("cloud", "status"))
      expect(first.out).toMatch(/│ Status +│ ✗ Not initialized +│[^]*\nNext: bm cloud bisync-setup\n$/)
      await succeeds(device.login())
      await device.setUp()
      put(device.dir, "notes/a.md", "a\n")
      await succeeds(device.bisync())
      await succeeds(device.run("cloud", "logout"))
      const before = world.cloud.requests.length
      for (const args of [["status"], ["status", "--verbose"]]) {
        const { out, err } = await succeeds(device.run("cloud", ...args))
        expect(out).toMatch(/│ Status +│ ✓ Initialized +│/)
        expect(out).toMatch(/│ Total Projects +│ 1 +│/)
        expect(out).toMatch(/\n  Account +not logged in; files sync all the same \(bm cloud login\)\n/)
        expect(err).toBe("")
      }
      const { out } = await succeeds(device.run("cloud", "status", "--json"))
      expect(JSON.parse(out)).toMatchObject({
        initialized: true,
        projects: { total: 1, not_on_cloud: [] },
        account: { logged_in: false, backend: "native", error: null },
      })
      expect(world.cloud.requests.slice(before)).toEqual([])
    })

    test("status works and says so where the service and the storage cannot be reached", LONG, async () => {
      const world = await testWorld(server())
      const device = await subscriber(world, "one")
      put(device.dir, "notes/a.md", "a\n")
      await succeeds(device.bisync())
      world.storage.endpoint = NOWHERE
      const { out } = await succeeds(device.runWith(OFFLINE, "cloud", "status"))
      expect(out).toMatch(/│ Last Sync +│ just now +│/)
      // It asks nobody where that is not asked for.
      expect(out).not.toMatch(/Account|Cannot reach/)
      const verbose = await succeeds(device.runWith(OFFLINE, "cloud", "status", "--verbose"))
      expect(verbose.out).toMatch(
        /\n  Account +Cannot reach the cloud \(ECONNREFUSED\) \(look whether the network is up\)\n/,
      )
      const { out: json } = await succeeds(device.runWith(OFFLINE, "cloud", "status", "--json"))
      expect(JSON.parse(json)).toMatchObject({ account: { logged_in: true, error: "cloud_unreachable" } })
      expect(JSON.parse(json).projects).not.toHaveProperty("cloud")
    })

    test("status says where to subscribe, in text and as JSON", LONG, async () => {
      const world = await testWorld(server())
      const device = await subscriber(world, "one")
      world.cloud.set({ isSubscribed: false })
      const { out } = await succeeds(device.run("cloud", "status", "--verbose"))
      const said = `${SUBSCRIPTION.message} (subscribe at ${SUBSCRIPTION.subscribe_url} and run it again)`
      expect(out).toMatch(/\n {2}Account +(.+)\n/)
      expect(/\n {2}Account +(.+)\n/.exec(out)?.[1]).toBe(said)
      const { account } = JSON.parse((await succeeds(device.run("cloud", "status", "--json"))).out)
      expect(account).toMatchObject({ error: "credentials", message: SUBSCRIPTION.message })
      expect(JSON.stringify(account.fix)).toContain(SUBSCRIPTION.subscribe_url)
    })

    test("a login and a setup answer with one JSON document each, whatever they tell on the way", {
      timeout: TEST_MS_MAX,
    }, async () => {
      const world = await testWorld(server())
      const device = world.device("one")
      put(device.dir, "My Notes/a.md", "a\n")
      const login = await succeeds(device.login("--json"))
      expect(JSON.parse(login.out)).toEqual({ schema: "bm.login/1", ok: true })
      // Whoever confirms the login needs the address before there is an answer.
      const { url, ...waiting } = JSON.parse(login.err)
      expect(waiting).toMatchObject({ schema: "bm.event/1", type: "login.waiting" })
      expect(url).toContain(`user_code=${waiting.code}`)
      const setUp = await device.setUp("--json")
      expect(setUp.err).toBe("")
      expect(JSON.parse(setUp.out)).toMatchObject({
        schema: "bm.setup/1",
        ok: true,
        projects: [
          { type: "project.found", directories: ["My Notes"] },
          { type: "project.created", project: "My Notes" },
        ],
      })
    })

    test.each(HOSTS)(
      "%s says which host is asked, and no other hears of the token",
      LONG,
      async (_, wins) => {
        const world = await testWorld(server())
        const there = world.cloud.elsewhere.url
        const { env, settings } = wins({ here: `${world.cloud.url}//`, there })
        const device = world.device("one", { settings: { cloud_host: there, ...settings } })
        await succeeds(device.runWith(env, "cloud", "login"))
        await succeeds(device.runWith(env, "cloud", "bisync-setup"))
        await succeeds(device.runWith(env, "tools", "continue-conversation"))
        expect(world.cloud.elsewhere.requests).toEqual([])
      },
    )

    test("a login with --host keeps that host, once it has succeeded", LONG, async () => {
      const world = await testWorld(server())
      const device = world.device("one", { settings: { cloud_host: NOWHERE, mine: [1] } })
      const before = treeOf(device.home)
      world.cloud.set({ isSubscribed: false })
      expect((await device.login("--host", world.cloud.url)).exit).toBe(1)
      expect(treeOf(device.home)).toEqual(before)
      world.cloud.set({ isSubscribed: true })
      await succeeds(device.login("--host", `${world.cloud.url}/`))
      expect(JSON.parse(readFileSync(device.files.config, "utf8"))).toEqual({
        cloud_domain: world.cloud.url,
        cloud_host: world.cloud.url,
        mine: [1],
      })
      await device.setUp()
    })

    test.each([
      ["without TLS", "http://cloud.example", /secrets go to https: only, or to this machine/],
      ["that is none", "cloud.example", /it is no URL/],
      ["with parameters", "https://cloud.example/?a=b", /it has parameters/],
      ["with a name before it", "https://cloud.example@evil.example", /secrets go to https: only/],
    ])("a host %s is wrong usage, and nobody is asked", LONG, async (_, host, says) => {
      const world = await testWorld(server())
      const device = await loggedIn(world, "one")
      const before = { tree: treeOf(device.home), asked: world.cloud.requests.length }
      for (const args of [
        ["cloud", "login"],
        ["cloud", "bisync-setup"],
        ["tools", "continue-conversation"],
      ]) {
        const ran = await device.runWith({ BASIC_MEMORY_API_URL: host }, ...args)
        expect(ran).toMatchObject({ exit: 64, out: "" })
        expect(ran.err).toMatch(/^Error: BASIC_MEMORY_API_URL is not a host that can be used: /)
        expect(ran.err).toMatch(says)
      }
      expect(treeOf(device.home)).toEqual(before.tree)
      expect(world.cloud.requests).toHaveLength(before.asked)
      expect(existsSync(device.dir)).toBe(false)
    })
  },
  { region: "auto" },
)

interface Hosts {
  readonly here: string
  readonly there: string
}

interface Said {
  readonly env: Readonly<Record<string, string>>
  readonly settings: Readonly<Record<string, string>>
}

/** From the strongest to the weakest, each with all that it goes before. */
const HOSTS: readonly (readonly [string, (hosts: Hosts) => Said])[] = [
  [
    "BASIC_MEMORY_API_URL",
    ({ here, there }) => ({
      env: { BASIC_MEMORY_API_URL: here, BASIC_MEMORY_CLOUD_HOST: there },
      settings: { api_url: there },
    }),
  ],
  [
    "BASIC_MEMORY_CLOUD_HOST",
    ({ here, there }) => ({ env: { BASIC_MEMORY_CLOUD_HOST: here }, settings: { api_url: there } }),
  ],
  ["api_url", ({ here }) => ({ env: {}, settings: { api_url: here } })],
  ["cloud_host", ({ here }) => ({ env: {}, settings: { cloud_host: here } })],
]
