/**
 * Everything that the service may answer instead, through the commands that end with it: a login, a setup, a question. Each
 * has its sentence and its way out, shows no secret, sends none elsewhere, and leaves the home of the user as it was.
 */

import { existsSync } from "node:fs"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { on } from "../cloud/service.ts"
import { describeServer } from "../servers/describe-server.ts"
import type { Ran } from "./bm.ts"
import { EACH_TROUBLE, HANGING, heal, type ServiceTrouble } from "./cloud-trouble-table.ts"
import {
  type AccountDevice,
  type AccountWorld,
  loggedIn,
  newAccountWorld,
  subscriber,
  testWorld,
  treeOf,
} from "./cloud-world.ts"
import { TEST_MS_MAX } from "./s3-world.ts"

const LONG = { timeout: TEST_MS_MAX }
const SETUP = ["cloud", "bisync-setup"] as const
const CONVERSATION = ["tools", "continue-conversation"] as const

describeServer(
  "versitygw",
  (server) => {
    describe("where the service answers with", () => {
      let world: AccountWorld
      /** Logged in, and no more. */
      let fresh: AccountDevice
      let ready: AccountDevice
      let stranger: AccountDevice

      beforeAll(async () => {
        world = await newAccountWorld(server())
        stranger = world.device("stranger")
        fresh = await loggedIn(world, "fresh")
        ready = await subscriber(world, "ready")
      }, TEST_MS_MAX)
      afterAll(() => world.stop(), TEST_MS_MAX)

      test.each(EACH_TROUBLE)(
        "%s, every command says so and leaves everything as it was",
        LONG,
        async (_, row) => {
          heal(world.cloud)
          row.befall(world.cloud)
          const before = homes()
          await Promise.all([
            expectTold(row, stranger, ["cloud", "login"]),
            expectTold(row, fresh, SETUP),
            expectTold(row, fresh, [...SETUP, "--dry-run"]),
            expectTold(row, ready, SETUP),
            expectTold(row, ready, CONVERSATION),
          ])
          await Promise.all([expectCoded(row, fresh, SETUP), expectCoded(row, ready, CONVERSATION)])
          expect(homes()).toEqual(before)
          expect(world.cloud.elsewhere.requests).toEqual([])
          expect(world.cloud.tenants[0]).toMatchObject({ credentials: [{}], revoked: [] })
        },
      )

      function homes() {
        return [stranger, fresh, ready].map(({ home }) => treeOf(home))
      }
    })

    test("gives up after half a minute where nobody answers, or stops in the middle", LONG, async () => {
      const givesUp = async (row: ServiceTrouble) => {
        const world = await testWorld(server())
        const devices = [world.device("stranger"), await loggedIn(world, "fresh")] as const
        const [stranger, fresh] = devices
        row.befall(world.cloud)
        const before = devices.map(({ home }) => treeOf(home))
        await Promise.all([
          expectTold(row, stranger, ["cloud", "login"]),
          expectTold(row, fresh, SETUP),
          expectTold(row, fresh, CONVERSATION),
        ])
        expect(devices.map(({ home }) => treeOf(home))).toEqual(before)
      }
      await Promise.all(HANGING.map(givesUp))
    })

    test("without a login every command but status names the command that logs in", LONG, async () => {
      const world = await testWorld(server())
      const device = world.device("stranger")
      const before = treeOf(device.home)
      for (const args of [SETUP, [...SETUP, "--dry-run"], CONVERSATION]) {
        const ran = await device.run(...args)
        expect(ran).toMatchObject({ exit: 1, out: "" })
        expect(ran.err).toMatch(/^Error: You are not logged in to the cloud\n  Fix    bm cloud login /)
      }
      expect(treeOf(device.home)).toEqual(before)
      expect(world.cloud.requests).toEqual([])
    })

    test("an access token that is not taken any more is refreshed once, and a login that has ended is said", {
      timeout: TEST_MS_MAX,
    }, async () => {
      const world = await testWorld(server())
      const device = await loggedIn(world, "one")
      world.cloud.expireAccess()
      await device.setUp()
      expect(refreshes(world)).toHaveLength(1)
      world.cloud.expireAccess()
      world.cloud.set({ refresh: "refuses" })
      const before = treeOf(device.home)
      for (const args of [SETUP, CONVERSATION]) {
        const ran = await device.run(...args)
        expect(ran).toMatchObject({ exit: 1, out: "" })
        expect(ran.err).toMatch(/You are not logged in to the cloud[^]*bm cloud login/)
      }
      expect(treeOf(device.home)).toEqual(before)
    })

    test("a project that is not there is said by its name", LONG, async () => {
      const world = await testWorld(server())
      const device = await subscriber(world, "one")
      const ran = await device.run(...CONVERSATION, "--project", "No such")
      expect(ran).toMatchObject({ exit: 1, out: "" })
      expect(ran.err).toMatch(/^Error: There is no project No such\n  Fix    bm cloud status/)
    })

    test("a login that fails leaves the one before it", LONG, async () => {
      const world = await testWorld(server())
      const device = await loggedIn(world, "one")
      const before = treeOf(device.home)
      world.cloud.set({ isSubscribed: false })
      expect((await device.login()).exit).toBe(1)
      world.cloud.set({ isSubscribed: true, polls: ["access_denied"] })
      expect((await device.login()).exit).toBe(1)
      expect(treeOf(device.home)).toEqual(before)
    })

    test.each(EACH_LOGIN)("a login ends where %s", LONG, async (_, { befall, says }) => {
      const world = await testWorld(server())
      const device = world.device("one")
      const before = treeOf(device.home)
      befall(world)
      const ran = await device.login()
      expect(ran.exit).toBe(1)
      expect(ran.err).toMatch(says)
      expect(ran.err).toContain("Nothing was changed.")
      expect(treeOf(device.home)).toEqual(before)
      expect(existsSync(device.files.tokens)).toBe(false)
      expect(world.cloud.elsewhere.requests).toEqual([])
    })
  },
  { region: "auto" },
)

const AUTHORIZATION = on("POST /oauth2/device_authorization")
const TOKEN = on("POST /oauth2/token")

/** Of the host that logs in. */
const LOGINS: readonly {
  readonly name: string
  befall(world: AccountWorld): void
  readonly says: RegExp
}[] = [
  {
    name: "the user says no",
    befall: ({ cloud }) => cloud.set({ polls: ["authorization_pending", "access_denied"] }),
    says: /^Error: The login was denied in the browser\n  Fix    bm cloud login/,
  },
  {
    name: "the code has expired",
    befall: ({ cloud }) => cloud.set({ polls: ["expired_token"] }),
    says: /^Error: Nobody confirmed the login in time\n  Fix    bm cloud login/,
  },
  {
    name: "nobody agrees as long as the code holds",
    befall: ({ cloud }) => cloud.set({ isApproved: false, codeLifetimeSeconds: 3 }),
    says: /^Error: Nobody confirmed the login in time\n/,
  },
  {
    name: "no code is given",
    befall: ({ cloud }) =>
      cloud.set({
        troubles: [{ match: AUTHORIZATION, act: "answer", status: 400, json: { error: "invalid_client" } }],
      }),
    says: /^Error: The login was refused \(invalid_client\)\n/,
  },
  {
    name: "the code is not taken",
    befall: ({ cloud }) =>
      cloud.set({
        troubles: [{ match: TOKEN, act: "answer", status: 400, json: { error: "invalid_grant" } }],
      }),
    says: /^Error: The login was refused \(invalid_grant\)\n/,
  },
  {
    name: "the host that logs in is down",
    befall: ({ cloud }) =>
      cloud.set({ troubles: [{ match: AUTHORIZATION, act: "answer", status: 503, json: {} }] }),
    says: /^Error: The cloud is unavailable \(503\)\n/,
  },
  {
    name: "the host that logs in goes down, and stays so",
    befall: ({ cloud }) => cloud.set({ troubles: [{ match: TOKEN, act: "answer", status: 500, json: {} }] }),
    says: /^Error: The cloud is unavailable \(500\)\n/,
  },
  {
    name: "a page answers in place of the host that logs in",
    befall: ({ cloud }) => cloud.set({ troubles: [{ match: AUTHORIZATION, act: "html" }] }),
    says: /^Error: What answers there is not the cloud service\n/,
  },
  {
    name: "the token is promised elsewhere",
    befall: ({ cloud }) =>
      cloud.set({ troubles: [{ match: TOKEN, act: "redirect", to: cloud.elsewhere.url }] }),
    says: /^Error: The cloud sends elsewhere \(http:\/\/localhost:\d+\), where no login is sent to\n/,
  },
  {
    name: "the token is of a kind that nobody knows how to send",
    befall: ({ cloud }) =>
      cloud.set({
        troubles: [
          { match: TOKEN, act: "answer", status: 200, json: { access_token: "a-b-c", token_type: "MAC" } },
        ],
      }),
    says: /^Error: What answers there is not the cloud service\n/,
  },
]

const EACH_LOGIN = LOGINS.map((each) => [each.name, each] as const)

async function expectTold(
  { says, wayOut }: ServiceTrouble,
  device: AccountDevice,
  args: readonly string[],
): Promise<void> {
  const ran = await device.runLong(...args)
  expect(ran.exit, ran.out + ran.err).toBe(1)
  expect(ran.err).toMatch(/^Error: /)
  expect(ran.err).toMatch(says)
  expect(ran.err).toMatch(wayOut)
  expect(ran.err).toMatch(/\n  Nothing was changed\.\n$/)
  expectNoStack(ran)
}

async function expectCoded(
  { says, wayOut, code }: ServiceTrouble,
  device: AccountDevice,
  args: readonly string[],
): Promise<void> {
  const ran = await device.run(...args, "--json")
  expect(ran).toMatchObject({ exit: 1, out: "" })
  const error = JSON.parse(ran.err)
  expect(error).toMatchObject({ schema: "bm.error/1", code, exit: 1, changed: false })
  expect(error.message).toMatch(says)
  expect(JSON.stringify(error.fix)).toMatch(wayOut)
}

/** Where `run`, which looks for one, was not used. */
function expectNoStack({ out, err }: Ran): void {
  expect(out + err).not.toMatch(/^\s+at .+:\d+:\d+\)?$/m)
}

function refreshes({ cloud }: AccountWorld) {
  return cloud.asked("POST /oauth2/token").filter(({ body }) => body.includes("grant_type=refresh_token"))
}
