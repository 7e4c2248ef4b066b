/**
 * The whole client against the stand-in of the service that its other client has judged: a login, a key pair, projects,
 * and every trouble that the service can have. The storage behind it is not asked.
 */

import { mkdtempSync, rmSync, statSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, beforeEach, expect, test } from "vitest"
import { openApi } from "../../src/cloud/api.ts"
import { deviceLogin, type LoginPrompt, uriToOpen } from "../../src/cloud/device-login.ts"
import { cloudHosts } from "../../src/cloud/hosts.ts"
import { openHttp } from "../../src/cloud/http.ts"
import { EMPTY_PROJECT_MAP, withEntry } from "../../src/cloud/project-map.ts"
import { planProjects } from "../../src/cloud/projects.ts"
import { openSession } from "../../src/cloud/session.ts"
import { readTokens } from "../../src/cloud/token-file.ts"
import { logOut, openTokenFile, saveLogin } from "../../src/cloud/token-store.ts"
import { type Cloud, startCloud } from "../cloud/service.ts"
import { on } from "../cloud/switches.ts"
import { testTime } from "./time.ts"

const STORAGE = {
  endpoint: "http://127.0.0.1:9",
  accessKey: "k",
  secretKey: "secret-of-storage",
  region: "auto",
  bucket: "bucket",
}
let cloud: Cloud
let directory = ""
let file = ""
const time = testTime()
beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), "bm-account-"))
  file = join(directory, "tokens.json")
  cloud = await startCloud({ storage: STORAGE, nowMs: time.clock.nowMs })
})
afterEach(async () => {
  await cloud.close()
  rmSync(directory, { recursive: true })
})

function client() {
  const hosts = cloudHosts({ cloud_host: `${cloud.url}/`, cloud_domain: cloud.url }, {})
  if (!hosts.ok) throw new Error(hosts.error.why)
  const ask = openHttp()
  const session = openSession({ ask, clock: time.clock, tokens: openTokenFile(time, file) }, hosts.value)
  let number = 0
  const random = { hex128: () => String(++number).padStart(32, "0") }
  const shown: LoginPrompt[] = []
  return {
    api: openApi(session),
    shown,
    async login() {
      const tokens = await deviceLogin({ ask, random, ...time }, hosts.value, (prompt) => shown.push(prompt))
      return tokens.ok ? saveLogin(time, file, tokens.value) : tokens
    },
  }
}

async function loggedIn() {
  const made = client()
  expect(await made.login()).toEqual({ ok: true, value: undefined })
  return made.api
}

test("a user logs in, gets a key pair, registers projects once, and logs out", async () => {
  const { api, login, shown } = client()
  expect(await login()).toEqual({ ok: true, value: undefined })
  expect(statSync(file).mode & 0o777).toBe(0o600)
  expect(shown.map(uriToOpen)).toEqual([expect.stringMatching(`^${cloud.url}/`)])
  expect((await api.health()).ok).toBe(true)
  const mount = await api.mountInfo()
  expect(mount).toMatchObject({ ok: true, value: { bucketName: "bucket", hasCredentials: false } })
  const minted = await api.mintCredentials()
  expect(minted).toMatchObject({
    ok: true,
    value: { bucketName: "bucket", endpointUrl: cloud.endpoint, region: "auto" },
  })
  const listed = await api.listCredentials()
  if (!listed.ok) throw new Error(listed.error.kind)
  for (const { id } of listed.value)
    expect(await api.revokeCredentials(id)).toEqual({ ok: true, value: undefined })
  expect(await api.listCredentials()).toEqual({ ok: true, value: [] })

  const directories = ["My Notes", "v1.0", "日本語", "!!!", "main"]
  let map = EMPTY_PROJECT_MAP
  for (const registered of [3, 0]) {
    const projects = await api.projects()
    if (!projects.ok) throw new Error(projects.error.kind)
    const plan = planProjects({ directories, map, cloud: projects.value.projects })
    expect(plan.register).toHaveLength(registered)
    expect(plan.problems).toEqual([{ directory: "!!!", why: "no_permalink" }])
    map = plan.map
    for (const entry of plan.register) {
      const project = { name: entry.project, path: entry.permalink }
      expect(await api.createProject(project)).toEqual({ ok: true, value: "created" })
      expect(await api.createProject(project)).toEqual({ ok: true, value: "existed" })
      map = withEntry(map, entry)
    }
  }
  expect(map.map((each) => each.permalink)).toEqual(["my-notes", "main", "v1", "日本語"])
  for (const { permalink, project } of map) {
    expect(await api.project(permalink)).toMatchObject({ ok: true, value: { name: project } })
    expect(await api.syncProject(permalink)).toEqual({ ok: true, value: undefined })
    expect(await api.projectStatus(permalink)).toMatchObject({ ok: true, value: { total: 0 } })
    const conversation = await api.continueConversation(permalink, { topic: "plans", timeframe: "7d" })
    expect(conversation).toMatchObject({ ok: true, value: { prompt: expect.stringContaining(project) } })
  }
  expect(await logOut(time, file)).toEqual({ ok: true, value: true })
  expect(await api.health()).toEqual({ ok: false, error: { kind: "not_authenticated" } })
})

test("a token that runs out, or is taken back, is replaced without a word", async () => {
  const api = await loggedIn()
  const first = readTokens(file)
  time.pass(3_570_000)
  expect((await api.health()).ok).toBe(true)
  const second = readTokens(file)
  expect(second).not.toEqual(first)
  cloud.expireAccess()
  expect((await api.health()).ok).toBe(true)
  expect(readTokens(file)).not.toEqual(second)
  cloud.set({ refresh: "keeps" })
  cloud.expireAccess()
  expect((await api.health()).ok).toBe(true)
  cloud.expireAccess()
  expect((await api.health()).ok).toBe(true)
  cloud.set({ refresh: "refuses" })
  cloud.expireAccess()
  expect(await api.health()).toEqual({ ok: false, error: { kind: "not_authenticated" } })
})

test.each(["nested", "flat"] as const)(
  "no subscription is said by every call, as a %s error",
  async (subscriptionError) => {
    const api = await loggedIn()
    cloud.set({ isSubscribed: false, subscriptionError })
    const error = expect.objectContaining({
      kind: "subscription_required",
      subscribeUrl: expect.stringMatching(/^https:/),
    })
    for (const call of [api.health, api.mountInfo, api.mintCredentials, api.projects])
      expect(await call()).toEqual({ ok: false, error })
  },
)

test("no tenant", async () => {
  const api = await loggedIn()
  cloud.set({ hasTenant: false })
  expect(await api.mountInfo()).toMatchObject({ ok: false, error: { kind: "no_tenant" } })
  expect(await api.projects()).toMatchObject({ ok: false, error: { kind: "no_tenant" } })
})

test("a redirect to another host carries nothing there", async () => {
  const api = await loggedIn()
  cloud.set({ troubles: [{ act: "redirect", to: cloud.elsewhere.url, match: on("GET /proxy/health") }] })
  expect(await api.health()).toMatchObject({ ok: false, error: { kind: "redirected" } })
  expect(cloud.elsewhere.requests).toEqual([])
})

test.each([
  [{ act: "refuse" }, { kind: "unreachable", word: "ECONNRESET" }],
  [{ act: "lose_response" }, { kind: "unreachable", word: "ECONNRESET" }],
  [{ act: "html" }, { kind: "nonsense", what: "page" }],
  [
    { act: "answer", status: 503, json: { detail: "down" } },
    { kind: "server_error", status: 503, detail: "down" },
  ],
  [
    { act: "answer", status: 200, json: [] },
    { kind: "nonsense", what: "shape", field: "health" },
  ],
] as const)("the service's trouble %j is %j", async (trouble, error) => {
  const api = await loggedIn()
  cloud.set({ troubles: [trouble] })
  expect(await api.health()).toEqual({ ok: false, error })
})

test.each([
  [{ polls: ["slow_down", "authorization_pending"] }, { ok: true, value: undefined }],
  [{ polls: ["access_denied"] }, { ok: false, error: { kind: "login_denied" } }],
  [{ polls: ["expired_token"] }, { ok: false, error: { kind: "login_expired" } }],
  [
    { isApproved: false, codeLifetimeSeconds: 20 },
    { ok: false, error: { kind: "login_expired" } },
  ],
  [
    { verificationUri: "file:///bin/sh" },
    { ok: false, error: { kind: "nonsense", what: "shape", field: "verification_uri" } },
  ],
] as const)("a login where %j ends with %j", async (switches, outcome) => {
  cloud.set(switches)
  expect(await client().login()).toEqual(outcome)
})

test("nothing that went wrong tells a secret", async () => {
  const api = await loggedIn()
  const secrets = cloud.secrets().filter((secret) => secret.length > 0)
  expect(secrets.length).toBeGreaterThan(0)
  cloud.set({ troubles: [{ act: "answer", status: 400, json: { detail: secrets.join(" ") } }] })
  const access = readTokens(file)
  if (!access.ok || access.value === undefined) throw new Error("nobody is logged in")
  expect(JSON.stringify(await api.health())).not.toContain(access.value.accessToken)
})
