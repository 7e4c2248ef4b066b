/**
 * A session always has a token that holds, as long as one can be had, and never loses one that is newer.
 */

import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, beforeEach, describe, expect, test } from "vitest"
import { DEFAULT_HOSTS } from "../../src/cloud/hosts.ts"
import { HTTP_LIMITS, openHttp } from "../../src/cloud/http.ts"
import { type CloudSession, openSession } from "../../src/cloud/session.ts"
import { err } from "../../src/model/result.ts"
import { readTokens, type Tokens, writeTokens } from "../../src/cloud/token-file.ts"
import { holdTokens, logOut, openTokenFile } from "../../src/cloud/token-store.ts"
import { type Asked, type FakeHost, formOf, json, type Reply, startHost, stopHosts } from "./fake-host.ts"
import { type TestTime, testTime } from "./time.ts"

const START_MS = Math.floor(Date.now() / 1000) * 1000
let directory = ""
let file = ""
let time: TestTime
/** Tokens that the service takes, and refresh tokens that were not used up. */
let access: Set<string>
let refresh: Set<string>
let issued = 0

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "bm-session-"))
  file = join(directory, "tokens.json")
  time = testTime(START_MS)
  access = new Set(["access-0"])
  refresh = new Set(["refresh-0"])
  issued = 0
})
afterEach(async () => {
  await stopHosts()
  rmSync(directory, { recursive: true })
})

const tokens = (about: Partial<Tokens> & { readonly leftS?: number } = {}): Tokens => {
  const { leftS = 3600, ...rest } = about
  return { accessToken: "access-0", refreshToken: "refresh-0", expiresAtS: START_MS / 1000 + leftS, ...rest }
}

/** Refresh tokens are taken once, as by most services. */
function grant(asked: Asked): Reply {
  const { grant_type, refresh_token = "" } = formOf(asked)
  if (grant_type !== "refresh_token" || !refresh.delete(refresh_token))
    return json({ error: "invalid_grant" }, 400)
  issued += 1
  access.add(`access-${issued}`)
  refresh.add(`refresh-${issued}`)
  return json({ access_token: `access-${issued}`, refresh_token: `refresh-${issued}`, expires_in: 3600 })
}

function api({ headers }: Asked): Reply {
  const token = String(headers["authorization"]).replace(/^Bearer /, "")
  return access.has(token) ? json({ fine: token }) : json({ detail: `no ${token}` }, 401)
}

const service = (asked: Asked): Reply => (asked.path === "/oauth2/token" ? grant(asked) : api(asked))

function sessionAt(host: FakeHost, about: { readonly authUrl?: string } = {}): CloudSession {
  const hosts = { ...DEFAULT_HOSTS, apiUrl: host.url, authUrl: about.authUrl ?? host.url }
  return openSession({ ask: openHttp(), clock: time.clock, tokens: openTokenFile(time, file) }, hosts)
}

const health = (session: CloudSession) => session.ask({ method: "GET", path: "/proxy/health" })
const fine = (token: string) => ({ ok: true, value: { fine: token } })
const notAuthenticated = { ok: false, error: { kind: "not_authenticated" } }
const pathsOf = (host: FakeHost) => host.asked.map(({ path }) => path)
const stored = () => readTokens(file)

test("nobody who is not logged in asks anything", async () => {
  const host = await startHost(service)
  expect(await health(sessionAt(host))).toEqual(notAuthenticated)
  expect(host.asked).toEqual([])
})

test("a token file that is not private is not used", async () => {
  const host = await startHost(service)
  writeFileSync(file, "{}", { mode: 0o644 })
  expect(await health(sessionAt(host))).toMatchObject({ ok: false, error: { kind: "token_file", file } })
  expect(host.asked).toEqual([])
})

test("asks as it is told, with the token", async () => {
  const host = await startHost(service)
  writeTokens(file, tokens())
  const path = "/proxy/projects/projects"
  expect(await sessionAt(host).ask({ method: "POST", path, json: { name: "a" } })).toEqual(fine("access-0"))
  expect(host.asked).toMatchObject([{ method: "POST", path, body: '{"name":"a"}' }])
})

describe("a refresh", () => {
  test.each([
    [60, "access-0"],
    [59, "access-1"],
    [-100, "access-1"],
  ])("with %i seconds left, what is sent is %s", async (leftS, sent) => {
    const host = await startHost(service)
    writeTokens(file, tokens({ leftS }))
    expect(await health(sessionAt(host))).toEqual(fine(sent))
  })

  test("is asked for with the refresh token and the client, and nothing else, and is kept", async () => {
    const host = await startHost(service)
    writeTokens(file, tokens({ leftS: 0 }))
    await health(sessionAt(host))
    const [asked] = host.asked
    expect(asked?.headers).not.toHaveProperty("authorization")
    expect(asked === undefined ? undefined : formOf(asked)).toEqual({
      grant_type: "refresh_token",
      refresh_token: "refresh-0",
      client_id: DEFAULT_HOSTS.clientId,
    })
    const kept = { accessToken: "access-1", refreshToken: "refresh-1", expiresAtS: START_MS / 1000 + 3600 }
    expect(stored()).toEqual({ ok: true, value: kept })
    expect(readdirSync(directory)).toEqual(["tokens.json"])
  })

  test("without a new refresh token keeps the old one", async () => {
    const host = await startHost((asked) =>
      asked.path === "/oauth2/token" ? json({ access_token: "access-0", expires_in: 100 }) : api(asked),
    )
    writeTokens(file, tokens({ leftS: 0, accessToken: "old" }))
    expect(await health(sessionAt(host))).toEqual(fine("access-0"))
    expect(stored()).toMatchObject({ value: { refreshToken: "refresh-0", accessToken: "access-0" } })
  })

  test("that is refused means: log in", async () => {
    const host = await startHost(service)
    writeTokens(file, tokens({ leftS: 0, refreshToken: "used-up" }))
    expect(await health(sessionAt(host))).toEqual(notAuthenticated)
    expect(pathsOf(host)).toEqual(["/oauth2/token"])
    expect(stored()).toMatchObject({ value: { refreshToken: "used-up" } })
  })

  test("without a refresh token is not asked for", async () => {
    const host = await startHost(service)
    writeTokens(file, { accessToken: "access-0", expiresAtS: START_MS / 1000 })
    expect(await health(sessionAt(host))).toEqual(notAuthenticated)
    expect(host.asked).toEqual([])
  })

  test.each([
    ["that nobody answers", json({}, 503), { kind: "server_error", status: 503 }],
    ["that a page answers", { status: 200, text: "<html>" }, { kind: "nonsense", what: "page" }],
    [
      "that tells a secret",
      json({ detail: "refresh-0?" }, 500),
      { kind: "server_error", status: 500, detail: "[secret]?" },
    ],
  ] as const)("%s is that failure, but the last minute of a token is used", async (_, reply, error) => {
    const host = await startHost((asked) => (asked.path === "/oauth2/token" ? reply : api(asked)))
    writeTokens(file, tokens({ leftS: 30 }))
    expect(await health(sessionAt(host))).toEqual(fine("access-0"))
    time.pass(31_000)
    expect(await health(sessionAt(host))).toEqual({ ok: false, error })
    expect(stored()).toMatchObject({ value: { refreshToken: "refresh-0" } })
  })

  test("that cannot be written down is said", async () => {
    const host = await startHost(service)
    writeTokens(file, tokens({ leftS: 0 }))
    const failure = { kind: "token_file", file, word: "ENOSPC" } as const
    const full = { ...openTokenFile(time, file), write: () => err(failure) }
    const hosts = { ...DEFAULT_HOSTS, apiUrl: host.url, authUrl: host.url }
    const session = openSession({ ask: openHttp(), clock: time.clock, tokens: full }, hosts)
    expect(await health(session)).toEqual({ ok: false, error: failure })
  })

  test("is one for all who ask at once", async () => {
    const host = await startHost(service)
    writeTokens(file, tokens({ leftS: 0 }))
    const session = sessionAt(host)
    const all = await Promise.all(Array.from({ length: 10 }, () => health(session)))
    expect(new Set(all.map((each) => JSON.stringify(each)))).toEqual(
      new Set([JSON.stringify(fine("access-1"))]),
    )
    expect(pathsOf(host).filter((path) => path === "/oauth2/token")).toHaveLength(1)
  })

  test("that another process has made is not made again", async () => {
    const host = await startHost(service)
    const session = sessionAt(host)
    writeTokens(file, tokens({ leftS: 0 }))
    expect(await health(sessionAt(host))).toEqual(fine("access-1"))
    expect(await health(session)).toEqual(fine("access-1"))
    expect(pathsOf(host).filter((path) => path === "/oauth2/token")).toHaveLength(1)
  })

  test("of two sessions at once is one", async () => {
    const host = await startHost(service)
    writeTokens(file, tokens({ leftS: 0 }))
    const both = await Promise.all([health(sessionAt(host)), health(sessionAt(host))])
    expect(both).toEqual([fine("access-1"), fine("access-1")])
    expect(pathsOf(host).filter((path) => path === "/oauth2/token")).toHaveLength(1)
  })
})

describe("somebody else is at the file while a refresh is going on, and knows no lock", () => {
  /** What the file holds when the answer to the refresh arrives. */
  async function meanwhile(change: () => unknown, answer: (asked: Asked) => Reply = service) {
    const host = await startHost(async (asked) => {
      if (asked.path !== "/oauth2/token") return api(asked)
      await change()
      return answer(asked)
    })
    writeTokens(file, tokens({ leftS: 0 }))
    return health(sessionAt(host))
  }
  const refused = (asked: Asked) =>
    asked.path === "/oauth2/token" ? json({ error: "invalid_grant" }, 400) : api(asked)

  test("a newer token stays", async () => {
    access.add("theirs")
    const theirs = tokens({ accessToken: "theirs", refreshToken: "their-refresh", leftS: 7200 })
    expect(await meanwhile(() => writeTokens(file, theirs))).toEqual(fine("theirs"))
    expect(stored()).toEqual({ ok: true, value: theirs })
  })

  test("an older one gives way", async () => {
    expect(await meanwhile(() => writeTokens(file, tokens({ accessToken: "theirs", leftS: 100 })))).toEqual(
      fine("access-1"),
    )
    expect(stored()).toMatchObject({ value: { accessToken: "access-1" } })
  })

  test("a refusal is none where they got one", async () => {
    access.add("theirs")
    const theirs = tokens({ accessToken: "theirs", leftS: 7200 })
    expect(await meanwhile(() => writeTokens(file, theirs), refused)).toEqual(fine("theirs"))
    expect(stored()).toEqual({ ok: true, value: theirs })
  })

  test("a logout is not undone", async () => {
    expect(await meanwhile(() => rmSync(file))).toEqual(notAuthenticated)
    expect(stored()).toEqual({ ok: true, value: undefined })
  })

  test("a logout that knows the lock comes after", async () => {
    let gone: unknown
    const got = await meanwhile(() => {
      gone = logOut(time, file)
    })
    expect(got).toEqual(fine("access-1"))
    await gone
    expect(stored()).toEqual({ ok: true, value: undefined })
  })
})

describe("a 401", () => {
  beforeEach(() => access.delete("access-0"))

  test("leads to one refresh and to asking once more", async () => {
    const host = await startHost(service)
    writeTokens(file, tokens())
    expect(await health(sessionAt(host))).toEqual(fine("access-1"))
    expect(pathsOf(host)).toEqual(["/proxy/health", "/oauth2/token", "/proxy/health"])
  })

  test("after that is the end", async () => {
    const host = await startHost((asked) => (asked.path === "/oauth2/token" ? grant(asked) : json({}, 401)))
    writeTokens(file, tokens())
    expect(await health(sessionAt(host))).toEqual(notAuthenticated)
    expect(pathsOf(host)).toEqual(["/proxy/health", "/oauth2/token", "/proxy/health"])
  })

  test("is the end where there is nothing to refresh with", async () => {
    const host = await startHost(service)
    writeTokens(file, { accessToken: "access-0", expiresAtS: START_MS / 1000 + 3600 })
    expect(await health(sessionAt(host))).toEqual(notAuthenticated)
    expect(pathsOf(host)).toEqual(["/proxy/health"])
  })

  test("is the end where the refresh is refused, though the token says that it holds", async () => {
    const host = await startHost(service)
    writeTokens(file, tokens({ refreshToken: "used-up" }))
    expect(await health(sessionAt(host))).toEqual(notAuthenticated)
    expect(pathsOf(host)).toEqual(["/proxy/health", "/oauth2/token"])
  })

  test("is asked again with what another process has got meanwhile", async () => {
    access.add("theirs")
    const host = await startHost((asked) => {
      writeTokens(file, tokens({ accessToken: "theirs" }))
      return service(asked)
    })
    writeTokens(file, tokens())
    expect(await health(sessionAt(host))).toEqual(fine("theirs"))
    expect(pathsOf(host)).toEqual(["/proxy/health", "/proxy/health"])
  })

  test("of several requests at once is one refresh", async () => {
    const host = await startHost(service)
    writeTokens(file, tokens())
    const session = sessionAt(host)
    expect(await Promise.all([health(session), health(session)])).toEqual([
      fine("access-1"),
      fine("access-1"),
    ])
    expect(pathsOf(host).filter((path) => path === "/oauth2/token")).toHaveLength(1)
  })

  test("of a page is no 401 of the service, and refreshes nothing", async () => {
    const host = await startHost(() => ({
      status: 401,
      text: "<html>",
      headers: { "content-type": "text/html" },
    }))
    writeTokens(file, tokens())
    expect(await health(sessionAt(host))).toEqual({ ok: false, error: { kind: "nonsense", what: "page" } })
    expect(pathsOf(host)).toEqual(["/proxy/health"])
  })
})

describe("tokens go to their hosts and no further", () => {
  test("the refresh token to the one, the access token to the other", async () => {
    const login = await startHost(grant)
    const host = await startHost(api)
    writeTokens(file, tokens({ leftS: 0 }))
    expect(await health(sessionAt(host, { authUrl: login.url }))).toEqual(fine("access-1"))
    expect(JSON.stringify(host.asked)).not.toContain("refresh-")
    expect(JSON.stringify(login.asked)).not.toContain("access-")
  })

  test("and to none that either leads to", async () => {
    const other = await startHost(() => json({ access_token: "stolen" }))
    const leads = (): Reply => ({ status: 307, text: "", headers: { location: `${other.url}/x` } })
    const host = await startHost(leads)
    const redirected = { ok: false, error: { kind: "redirected", status: 307, origin: other.url } }
    writeTokens(file, tokens())
    expect(await health(sessionAt(host))).toEqual(redirected)
    writeTokens(file, tokens({ leftS: 0 }))
    expect(await health(sessionAt(host))).toEqual(redirected)
    expect(host.asked).toHaveLength(2)
    expect(other.asked).toEqual([])
  })

  test("and into no failure", async () => {
    const host = await startHost(() => json({ detail: "what is access-0?" }, 500))
    writeTokens(file, tokens())
    const error = { kind: "server_error", status: 500, detail: "what is [secret]?" }
    expect(await health(sessionAt(host))).toEqual({ ok: false, error })
  })
})

test("what is asked may take its time, but not for ever", async () => {
  const host = await startHost(() => () => {})
  const ask = openHttp({ ...HTTP_LIMITS, timeoutMs: 50 })
  const session = openSession(
    { ask, clock: time.clock, tokens: holdTokens(tokens()) },
    { ...DEFAULT_HOSTS, apiUrl: host.url },
  )
  expect(await health(session)).toEqual({ ok: false, error: { kind: "unreachable", word: "ETIMEDOUT" } })
})

test("tokens that are only held are refreshed where they are held", async () => {
  const host = await startHost(service)
  const held = holdTokens(tokens({ leftS: 0 }))
  const hosts = { ...DEFAULT_HOSTS, apiUrl: host.url, authUrl: host.url }
  const session = openSession({ ask: openHttp(), clock: time.clock, tokens: held }, hosts)
  // Nothing but the session itself keeps two requests from using up one refresh token.
  expect(await Promise.all([health(session), health(session)])).toEqual([fine("access-1"), fine("access-1")])
  expect(pathsOf(host).filter((path) => path === "/oauth2/token")).toHaveLength(1)
  expect(held.read()).toMatchObject({
    ok: true,
    value: { accessToken: "access-1", refreshToken: "refresh-1" },
  })
  expect(stored()).toEqual({ ok: true, value: undefined })
})
