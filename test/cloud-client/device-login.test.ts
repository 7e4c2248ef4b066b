/**
 * The device flow, from the code that is shown to the tokens, or to why there are none.
 */

import { createHash } from "node:crypto"
import { afterEach, describe, expect, test } from "vitest"
import { deviceLogin, type LoginPrompt, newPkce, uriToOpen } from "../../src/cloud/device-login.ts"
import { DEFAULT_HOSTS } from "../../src/cloud/hosts.ts"
import { openHttp } from "../../src/cloud/http.ts"
import { formOf, json, type Reply, startHost, stopHosts } from "./fake-host.ts"
import { testTime } from "./time.ts"

afterEach(stopHosts)

const AUTHORIZATION = {
  device_code: "device-1",
  user_code: "WDJB-MJHT",
  verification_uri: "https://login.example/activate",
  verification_uri_complete: "https://login.example/activate?user_code=WDJB-MJHT",
  interval: 2,
  expires_in: 60,
}
const GRANT = { access_token: "access-1", refresh_token: "refresh-1", token_type: "Bearer", expires_in: 3600 }
const START_MS = 1_700_000_000_000
const PENDING = json({ error: "authorization_pending" }, 400)

interface Story {
  readonly authorization?: Reply
  /** One for each poll; the last stays. */
  readonly polls?: readonly Reply[]
}

async function login({ authorization = json(AUTHORIZATION), polls = [json(GRANT)] }: Story) {
  let poll = 0
  const host = await startHost(({ path }) => {
    if (path === "/oauth2/device_authorization") return authorization
    return polls[Math.min(poll++, polls.length - 1)] ?? PENDING
  })
  const time = testTime(START_MS)
  const shown: LoginPrompt[] = []
  let number = 0
  const random = { hex128: () => String(number++).padStart(32, "0") }
  const deps = { ask: openHttp(), random, ...time }
  const hosts = { ...DEFAULT_HOSTS, authUrl: host.url, apiUrl: "https://nobody.invalid" }
  const outcome = await deviceLogin(deps, hosts, (prompt) => shown.push(prompt))
  return { outcome, shown, host, slept: time.slept }
}

const failed = (error: unknown) => ({ ok: false, error })

test("asks for a code, shows it, and asks for tokens until they are there", async () => {
  const { outcome, shown, host, slept } = await login({ polls: [PENDING, PENDING, json(GRANT)] })
  expect(outcome).toEqual({
    ok: true,
    value: { accessToken: "access-1", refreshToken: "refresh-1", expiresAtS: START_MS / 1000 + 6 + 3600 },
  })
  expect(shown).toEqual([
    {
      userCode: "WDJB-MJHT",
      verificationUri: AUTHORIZATION.verification_uri,
      verificationUriComplete: AUTHORIZATION.verification_uri_complete,
      expiresInS: 60,
    },
  ])
  expect(slept).toEqual([2000, 2000, 2000])
  const [authorize, ...polls] = host.asked
  const verifier = Buffer.from("0".repeat(63) + "1", "hex").toString("base64url")
  expect(formOf(authorize ?? never())).toEqual({
    client_id: DEFAULT_HOSTS.clientId,
    scope: "openid profile email offline_access",
    code_challenge: createHash("sha256").update(verifier).digest("base64url"),
    code_challenge_method: "S256",
  })
  expect(polls).toHaveLength(3)
  for (const poll of polls) {
    expect([poll.method, poll.path]).toEqual(["POST", "/oauth2/token"])
    expect(poll.headers).not.toHaveProperty("authorization")
    expect(formOf(poll)).toEqual({
      client_id: DEFAULT_HOSTS.clientId,
      device_code: "device-1",
      grant_type: "urn:ietf:params:oauth:grant-type:device_code",
      code_verifier: verifier,
    })
  }
})

test("a verifier is 32 random bytes, its challenge their hash, both without padding", () => {
  const pkce = newPkce({ hex128: () => "ff".repeat(16) })
  expect(pkce.verifier).toBe(Buffer.alloc(32, 0xff).toString("base64url"))
  expect(pkce.verifier).toMatch(/^[\w-]{43}$/)
  // RFC 7636, appendix B.
  const verifier = Buffer.from("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", "base64url").toString("hex")
  const halves = [verifier.slice(0, 32), verifier.slice(32)]
  expect(newPkce({ hex128: () => halves.shift() ?? never() })).toEqual({
    verifier: "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
    challenge: "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
  })
})

describe("polling", () => {
  test("waits five seconds more with every slow_down", async () => {
    const slowDown = json({ error: "slow_down" }, 400)
    const { outcome, slept } = await login({ polls: [slowDown, PENDING, slowDown, json(GRANT)] })
    expect(outcome.ok).toBe(true)
    expect(slept).toEqual([2000, 7000, 7000, 12_000])
  })

  test.each([
    ["is not said", undefined, 5000],
    ["is nothing", 0, 5000],
    ["is no number", "2", 5000],
    ["is endless", 1e9, 300_000],
  ])("where the interval %s, it waits as long as is usual", async (_, interval, sleptMs) => {
    const { slept } = await login({ authorization: json({ ...AUTHORIZATION, interval, expires_in: 3600 }) })
    expect(slept).toEqual([sleptMs])
  })

  test("ends when the code has expired, and never asks after that", async () => {
    const { outcome, host, slept } = await login({
      authorization: json({ ...AUTHORIZATION, interval: 4, expires_in: 10 }),
      polls: [PENDING],
    })
    expect(outcome).toEqual(failed({ kind: "login_expired" }))
    expect(slept).toEqual([4000, 4000])
    expect(host.asked).toHaveLength(3)
  })

  test.each([
    ["is not said", undefined, 300],
    ["is endless", 1e12, 3600],
  ])("has an end also where the time to expiry %s", async (_, expires_in, seconds) => {
    const authorization = json({ ...AUTHORIZATION, interval: 100, expires_in })
    const { outcome, slept, shown } = await login({ authorization, polls: [PENDING] })
    expect(outcome).toEqual(failed({ kind: "login_expired" }))
    expect(slept).toHaveLength(seconds / 100)
    expect(shown[0]?.expiresInS).toBe(seconds)
  })

  test.each([
    ["access_denied", { kind: "login_denied" }],
    ["expired_token", { kind: "login_expired" }],
    ["invalid_grant", { kind: "login_refused", word: "invalid_grant" }],
  ])("ends with %s", async (error, failure) => {
    const { outcome, host } = await login({ polls: [PENDING, json({ error }, 400)] })
    expect(outcome).toEqual(failed(failure))
    expect(host.asked).toHaveLength(3)
  })

  test.each<[string, Reply]>([
    ["a 503", json({}, 503)],
    ["a 429", json({}, 429)],
    ["a gateway's page", { status: 502, text: "<html>", headers: { "content-type": "text/html" } }],
    ["a broken connection", (response) => response.destroy()],
  ])("goes on after %s", async (_, outage) => {
    const slowDown = json({ error: "slow_down" }, 400)
    const polls = [
      outage,
      outage,
      PENDING,
      outage,
      outage,
      outage,
      slowDown,
      outage,
      outage,
      outage,
      json(GRANT),
    ]
    const authorization = json({ ...AUTHORIZATION, expires_in: 300 })
    const { outcome, slept } = await login({ authorization, polls })
    expect(outcome.ok).toBe(true)
    expect(slept).toHaveLength(11)
  })

  test("gives up after five of them in a row", async () => {
    const { outcome, slept } = await login({ polls: [PENDING, json({}, 503)] })
    expect(outcome).toEqual(failed({ kind: "server_error", status: 503 }))
    expect(slept).toHaveLength(6)
  })

  test.each<[string, Reply, unknown]>([
    ["a 403 without a word of OAuth", json({ detail: "no" }, 403), { kind: "denied", detail: "no" }],
    ["a page", { status: 200, text: "<html>" }, { kind: "nonsense", what: "page" }],
    ["no token", json({}), { kind: "nonsense", what: "shape", field: "access_token" }],
    [
      "a token that no header can hold",
      json({ ...GRANT, access_token: "a\r\nb: c" }),
      { kind: "nonsense", what: "shape", field: "access_token" },
    ],
    [
      "a token of another kind",
      json({ ...GRANT, token_type: "DPoP" }),
      { kind: "nonsense", what: "shape", field: "token_type" },
    ],
    [
      "a redirect",
      { status: 307, text: "", headers: { location: "https://evil.example/" } },
      { kind: "redirected", status: 307, origin: "https://evil.example" },
    ],
  ])("ends with %s", async (_, reply, failure) => {
    expect((await login({ polls: [reply] })).outcome).toEqual(failed(failure))
  })

  test("tells no secret in what went wrong", async () => {
    const { outcome } = await login({ polls: [json({ detail: "unknown code device-1" }, 500)] })
    expect(outcome).toEqual(failed({ kind: "server_error", status: 500, detail: "unknown code [secret]" }))
  })

  test("takes tokens without a refresh token, a kind or a lifetime", async () => {
    const { outcome } = await login({ polls: [json({ access_token: "access-1" })] })
    const expiresAtS = START_MS / 1000 + 2 + 3600
    expect(outcome).toEqual({ ok: true, value: { accessToken: "access-1", expiresAtS } })
  })
})

describe("the first request", () => {
  test.each<[string, Reply, unknown]>([
    [
      "an unknown client",
      json({ error: "invalid_client" }, 400),
      { kind: "login_refused", word: "invalid_client" },
    ],
    ["a 404", json({ detail: "Not Found" }, 404), { kind: "not_found", detail: "Not Found" }],
    ["a 500", json({}, 500), { kind: "server_error", status: 500 }],
    ["a page", { status: 200, text: "<html>" }, { kind: "nonsense", what: "page" }],
    ["a broken connection", (response) => response.destroy(), { kind: "unreachable", word: "ECONNRESET" }],
  ])("ends the login with %s, and nothing is shown", async (_, authorization, failure) => {
    const { outcome, shown, slept } = await login({ authorization })
    expect(outcome).toEqual(failed(failure))
    expect([shown, slept]).toEqual([[], []])
  })

  test.each([
    ["device_code", undefined],
    ["device_code", "a b"],
    ["user_code", undefined],
    ["user_code", "\u001b[2J"],
    ["user_code", "A".repeat(100)],
    ["verification_uri", undefined],
    ["verification_uri", "http://login.example/activate"],
    ["verification_uri", "file:///bin/sh"],
    ["verification_uri", "javascript:alert(1)"],
    ["verification_uri", "https://login.example/;$(id)\n"],
    ["verification_uri", "--version"],
    ["verification_uri", "https://good.example@evil.example/"],
  ])("ends it where %s is %j, and nothing is shown or opened", async (field, value) => {
    const { outcome, shown } = await login({ authorization: json({ ...AUTHORIZATION, [field]: value }) })
    expect(outcome).toEqual(failed({ kind: "nonsense", what: "shape", field }))
    expect(shown).toEqual([])
  })

  test.each([undefined, "http://evil.example", "file:///bin/sh", "https://a\u0007"])(
    "leaves out the complete URI where it is %j",
    async (verification_uri_complete) => {
      const { shown } = await login({ authorization: json({ ...AUTHORIZATION, verification_uri_complete }) })
      expect(shown).toEqual([
        { userCode: "WDJB-MJHT", verificationUri: AUTHORIZATION.verification_uri, expiresInS: 60 },
      ])
    },
  )
})

describe("a browser is sent", () => {
  const prompt = { userCode: "A", verificationUri: "https://a.example/", expiresInS: 1 }

  test("to the complete URI, or else to the other", () => {
    expect(uriToOpen({ ...prompt, verificationUriComplete: "https://a.example/?c=A" })).toBe(
      "https://a.example/?c=A",
    )
    expect(uriToOpen(prompt)).toBe("https://a.example/")
    expect(uriToOpen({ ...prompt, verificationUri: "http://[::1]:8000/" })).toBe("http://[::1]:8000/")
  })

  test("nowhere that is not safe", () => {
    expect(uriToOpen({ ...prompt, verificationUriComplete: "file:///bin/sh" })).toBe("https://a.example/")
    expect(uriToOpen({ ...prompt, verificationUri: "http://a.example/" })).toBeUndefined()
  })
})

function never(): never {
  throw new Error("there is one more than expected")
}
