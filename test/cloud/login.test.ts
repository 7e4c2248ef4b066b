/** The stand-in's login keeps the contract: device codes, PKCE, tokens, and every way in which they are refused. */

import { afterEach, beforeEach, describe, expect, test } from "vitest"
import {
  authorisation,
  call,
  logIn,
  newCode,
  newPkce,
  post,
  refresh,
  startBare,
  tokensOf,
} from "./by-fetch.ts"
import type { Cloud } from "./service.ts"

let cloud: Cloud
let nowMs = 0
beforeEach(async () => {
  nowMs = Date.UTC(2026, 0, 1)
  cloud = await startBare({ nowMs: () => nowMs })
})
afterEach(() => cloud.close())

const refusal = (error: string) => ({ status: 400, json: { error } })
const isAccepted = async (token: string) => (await call(cloud, "GET /proxy/health", { token })).status === 200

describe("device authorisation", () => {
  test("gives codes, a page, the interval, and how long they hold", async () => {
    const { reply } = await newCode(cloud)
    expect(reply).toMatchObject({
      status: 200,
      json: {
        device_code: expect.stringMatching(/^device-[\w-]{32}$/),
        user_code: expect.stringMatching(/^[A-Z]{4}-[A-Z]{4}$/),
        verification_uri: `${cloud.url}/activate`,
        verification_uri_complete: `${cloud.url}/activate?user_code=${String(reply.json["user_code"])}`,
        interval: 1,
        expires_in: 300,
      },
    })
    expect(await call(cloud, "GET /activate")).toMatchObject({ status: 200 })
  })

  test.each([
    { rule: "of another client", changed: { client_id: "client_other" }, error: "invalid_client" },
    { rule: "without a challenge", changed: { code_challenge: "" }, error: "invalid_request" },
    {
      rule: "with a padded challenge",
      changed: { code_challenge: `${newPkce().challenge}=` },
      error: "invalid_request",
    },
    {
      rule: "with the verifier itself as the challenge",
      changed: { code_challenge_method: "plain" },
      error: "invalid_request",
    },
    { rule: "for less than the scope", changed: { scope: "openid" }, error: "invalid_scope" },
  ])("is refused $rule", async ({ changed, error }) => {
    const form = { ...authorisation(newPkce().challenge), ...changed }
    expect(await post(cloud, "/oauth2/device_authorization", form)).toMatchObject(refusal(error))
  })

  test("is refused as JSON, which is no form", async () => {
    const json = authorisation(newPkce().challenge)
    const answer = await call(cloud, "POST /oauth2/device_authorization", { json })
    expect(answer).toMatchObject(refusal("invalid_client"))
  })

  test("says what the switches say", async () => {
    cloud.set({ intervalSeconds: undefined, codeLifetimeSeconds: 7, verificationUri: "file:///etc/passwd" })
    const { reply } = await newCode(cloud)
    expect(reply.json).toMatchObject({ verification_uri: "file:///etc/passwd", expires_in: 7 })
    expect(Object.keys(reply.json)).not.toContain("interval")
    expect(Object.keys(reply.json)).not.toContain("verification_uri_complete")
    cloud.set({ intervalSeconds: 9, verificationUriComplete: "https://example.com/$(touch x)" })
    expect((await newCode(cloud)).reply.json).toMatchObject({
      interval: 9,
      verification_uri_complete: "https://example.com/$(touch x)",
    })
  })
})

describe("a poll", () => {
  test("is pending once and then gives tokens, once", async () => {
    const { poll } = await newCode(cloud)
    expect(await poll()).toMatchObject(refusal("authorization_pending"))
    const granted = await poll()
    expect(granted).toMatchObject({
      status: 200,
      json: {
        access_token: expect.stringMatching(/^access-/),
        refresh_token: expect.stringMatching(/^refresh-/),
        token_type: "Bearer",
        expires_in: 3600,
      },
    })
    expect(await isAccepted(tokensOf(granted).access)).toBe(true)
    expect(await poll()).toMatchObject(refusal("invalid_grant"))
  })

  test("is answered as told, each code from the beginning", async () => {
    cloud.set({ polls: ["slow_down", "authorization_pending", "slow_down"] })
    for (const { poll } of [await newCode(cloud), await newCode(cloud)]) {
      const errors = [await poll(), await poll(), await poll()].map(({ json }) => json["error"])
      expect(errors).toEqual(["slow_down", "authorization_pending", "slow_down"])
      expect(await poll()).toMatchObject({ status: 200 })
    }
  })

  test("is pending until somebody agrees", async () => {
    cloud.set({ polls: [], isApproved: false })
    const { poll } = await newCode(cloud)
    for (let polls = 0; polls < 3; polls++)
      expect(await poll()).toMatchObject(refusal("authorization_pending"))
    cloud.set({ isApproved: true })
    expect(await poll()).toMatchObject({ status: 200 })
  })

  test.each(["access_denied", "expired_token"] as const)("%s ends the code", async (error) => {
    cloud.set({ polls: [error] })
    const { poll } = await newCode(cloud)
    expect(await poll()).toMatchObject(refusal(error))
    expect(await poll()).toMatchObject(refusal("invalid_grant"))
  })

  test("finds the code expired when its time is over", async () => {
    const { poll } = await newCode(cloud)
    nowMs += 300_000
    expect(await poll()).toMatchObject(refusal("expired_token"))
  })

  test.each([
    { rule: "with another verifier", changed: { code_verifier: newPkce().verifier }, error: "invalid_grant" },
    { rule: "without a verifier", changed: { code_verifier: "" }, error: "invalid_grant" },
    { rule: "with a code that nobody gave", changed: { device_code: "device-x" }, error: "invalid_grant" },
    { rule: "of another client", changed: { client_id: "client_other" }, error: "invalid_client" },
    { rule: "for another grant", changed: { grant_type: "password" }, error: "unsupported_grant_type" },
  ])("is refused $rule", async ({ changed, error }) => {
    cloud.set({ polls: [] })
    const { poll } = await newCode(cloud)
    expect(await poll(changed)).toMatchObject(refusal(error))
  })

  test("leaves one guess at the verifier", async () => {
    cloud.set({ polls: [] })
    const { poll } = await newCode(cloud)
    await poll({ code_verifier: newPkce().verifier })
    expect(await poll()).toMatchObject(refusal("invalid_grant"))
  })
})

describe("a token", () => {
  test("is accepted as long as it was said to hold", async () => {
    cloud.set({ accessLifetimeSeconds: 30 })
    const { access } = await logIn(cloud)
    nowMs += 29_999
    expect(await isAccepted(access)).toBe(true)
    nowMs += 1
    expect(await isAccepted(access)).toBe(false)
  })

  test("can be taken back at once, and a new one is accepted", async () => {
    const { access, refresh: old } = await logIn(cloud)
    cloud.expireAccess()
    expect(await isAccepted(access)).toBe(false)
    expect(await isAccepted(tokensOf(await refresh(cloud, old)).access)).toBe(true)
  })

  test("of another stand-in is refused", async () => {
    const other = await startBare()
    const { access } = await logIn(other).finally(() => other.close())
    expect(await isAccepted(access)).toBe(false)
  })

  test("is replaced with its refresh token, which is used up", async () => {
    const first = await logIn(cloud)
    const second = tokensOf(await refresh(cloud, first.refresh))
    expect(second.refresh).not.toBe(first.refresh)
    expect(await refresh(cloud, first.refresh)).toMatchObject(refusal("invalid_grant"))
    expect(await refresh(cloud, second.refresh)).toMatchObject({ status: 200 })
  })

  test("is replaced while its refresh token stays and is not said again", async () => {
    const { refresh: kept } = await logIn(cloud)
    cloud.set({ refresh: "keeps" })
    for (let times = 0; times < 2; times++) {
      const { access, refresh: none } = tokensOf(await refresh(cloud, kept))
      expect(none).toBe("")
      expect(await isAccepted(access)).toBe(true)
    }
  })

  test("is not replaced when refreshing is refused", async () => {
    const { refresh: old } = await logIn(cloud)
    cloud.set({ refresh: "refuses" })
    expect(await refresh(cloud, old)).toMatchObject(refusal("invalid_grant"))
  })

  test("is among the secrets, as every other that was handed out", async () => {
    const { access, refresh: old } = await logIn(cloud)
    await call(cloud, "POST /tenant/mount/credentials", { token: access })
    const [minted] = cloud.tenants.flatMap(({ credentials }) => credentials)
    expect(cloud.secrets()).toEqual(expect.arrayContaining([access, old, minted?.secretKey]))
  })
})
