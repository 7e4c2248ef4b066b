/** The stand-in keeps the contract of the service: every endpoint, and every switch that makes it fail. */

import { afterEach, beforeEach, describe, expect, test } from "vitest"
import { call, logIn, post, startBare } from "./by-fetch.ts"
import { type Cloud, on, SUBSCRIPTION } from "./service.ts"

let cloud: Cloud
let token = ""
beforeEach(async () => {
  cloud = await startBare()
  token = (await logIn(cloud)).access
})
afterEach(() => cloud.close())

const ask = (name: string, json?: unknown) =>
  call(cloud, name, { token, ...(json !== undefined && { json }) })
const project = (name: string, path: string) => ({ name, path, set_default: false })

const HEALTH = "GET /proxy/health"
const INFO = "GET /tenant/mount/info"
const KEYS = "POST /tenant/mount/credentials"
const KEY_LIST = "GET /tenant/mount/credentials"
const PROJECTS = "GET /proxy/projects/projects"
const CREATE = "POST /proxy/projects/projects"
const CONTINUE = "POST /proxy/main/prompt/continue-conversation"
/** With the place of one key and of one project in it. */
const ENDPOINTS = [
  HEALTH,
  INFO,
  KEYS,
  KEY_LIST,
  "DELETE /tenant/mount/credentials/cred-1",
  PROJECTS,
  CREATE,
  "GET /proxy/main/project/item",
  "POST /proxy/main/project/sync",
  "POST /proxy/main/project/status",
  CONTINUE,
]

describe("the tenant", () => {
  test("is healthy", async () => {
    const { status, json } = await ask(HEALTH)
    expect(status).toBe(200)
    expect(json).toEqual({ status: "healthy", version: "0.15.2", timestamp: expect.any(String) })
  })

  test("has a bucket, and says whether there are keys to it", async () => {
    const tenant = { tenant_id: "tenant-4b9c", bucket_name: "notes" }
    const before = { ...tenant, has_credentials: false, credentials_created_at: null }
    expect((await ask(INFO)).json).toEqual(before)
    await ask(KEYS)
    const after = { ...tenant, has_credentials: true, credentials_created_at: expect.any(String) }
    expect((await ask(INFO)).json).toEqual(after)
  })

  test("mints another pair at every call, and shows its secret this once", async () => {
    const [first, second] = [await ask(KEYS), await ask(KEYS)]
    expect(first.json).toEqual({
      tenant_id: "tenant-4b9c",
      bucket_name: "notes",
      access_key: expect.stringMatching(/^tid_/),
      secret_key: expect.stringMatching(/^tsec_/),
      endpoint_url: cloud.endpoint,
      region: "auto",
    })
    expect(second.json["access_key"]).not.toBe(first.json["access_key"])
    expect(second.json["secret_key"]).not.toBe(first.json["secret_key"])
    const { text } = await ask(KEY_LIST)
    const listed = { id: expect.stringMatching(/^cred-/), created_at: expect.any(String) }
    expect(JSON.parse(text)).toEqual([listed, listed])
    expect(text).not.toContain(String(first.json["secret_key"]))
  })

  test("revokes the pair that is named, once", async () => {
    const [first, second] = [await ask(KEYS), await ask(KEYS)]
    const [id] = cloud.tenants[0]?.credentials.map((each) => each.id) ?? []
    expect(await ask(`DELETE /tenant/mount/credentials/${id}`)).toMatchObject({ status: 200 })
    expect(cloud.tenants[0]?.credentials).toMatchObject([{ accessKey: second.json["access_key"] }])
    expect(cloud.tenants[0]?.revoked).toMatchObject([{ accessKey: first.json["access_key"] }])
    expect(JSON.parse((await ask(KEY_LIST)).text)).toHaveLength(1)
    expect(await ask(`DELETE /tenant/mount/credentials/${id}`)).toMatchObject({ status: 404 })
  })
})

describe("projects", () => {
  test("are listed with the place where the service has them", async () => {
    const main = { name: "main", path: "/app/data/main", is_default: true }
    expect((await ask(PROJECTS)).json).toEqual({ projects: [main], default_project: "main" })
    cloud.addProject("Somebody Else's", "somebody-elses")
    const other = { name: "Somebody Else's", path: "/app/data/somebody-elses", is_default: false }
    expect((await ask(PROJECTS)).json).toMatchObject({ projects: [main, other] })
  })

  test("are created once", async () => {
    expect(await ask(CREATE, project("My Notes", "my-notes"))).toMatchObject({
      status: 200,
      json: {
        message: "Project 'My Notes' added successfully",
        status: "success",
        default: false,
        old_project: null,
        new_project: { name: "My Notes", path: "my-notes", is_default: false },
      },
    })
    const again = await ask(CREATE, project("My Notes", "my-notes"))
    expect(again).toMatchObject({ status: 400, json: { detail: "Project 'My Notes' already exists" } })
    const sharing = await ask(CREATE, project("my-notes", "my-notes"))
    expect(sharing).toMatchObject({ status: 400, json: { detail: expect.stringContaining("is nested") } })
    expect(cloud.tenants[0]?.projects.map(({ path }) => path)).toEqual([
      "/app/data/main",
      "/app/data/my-notes",
    ])
  })

  test("may become the one that is meant where none is named", async () => {
    const { json } = await ask(CREATE, { ...project("New", "new"), set_default: true })
    expect(json).toMatchObject({ default: true, old_project: { name: "main", path: "/app/data/main" } })
    expect((await ask(PROJECTS)).json).toMatchObject({
      default_project: "New",
      projects: [
        { name: "main", is_default: false },
        { name: "New", is_default: true },
      ],
    })
  })

  test.each([
    { rule: "without a name", json: { path: "x", set_default: false } },
    { rule: "without a path", json: { name: "x", path: "", set_default: false } },
    { rule: "that does not say whether it is the default", json: { name: "x", path: "x" } },
    { rule: "that is a list", json: [] },
  ])("are not created by a body $rule", async ({ json }) => {
    expect(await ask(CREATE, json)).toMatchObject({ status: 422 })
  })

  test("are not created by a form", async () => {
    const answer = await fetch(`${cloud.url}/proxy/projects/projects`, {
      method: "POST",
      headers: { authorization: `Bearer ${token}` },
      body: new URLSearchParams({ name: "x", path: "x", set_default: "false" }),
    })
    expect(answer.status).toBe(422)
  })

  test.each(["my-notes", "中文项目"])("are found by the permalink %s", async (path) => {
    const name = `Of ${path}`
    await ask(CREATE, project(name, path))
    const at = `/proxy/${encodeURIComponent(path)}/project`
    const item = await ask(`GET ${at}/item`)
    expect(item).toMatchObject({ status: 200, json: { name, path: `/app/data/${path}`, is_default: false } })
    expect(await ask(`POST ${at}/sync`)).toMatchObject({
      status: 200,
      json: { status: "sync_started", message: `Filesystem sync initiated for project '${name}'` },
    })
    const nothing = { new: [], modified: [], deleted: [], moves: {}, checksums: {}, total: 0 }
    expect((await ask(`POST ${at}/status`)).json).toEqual(nothing)
  })

  test.each([
    "GET /proxy/nobody/project/item",
    "GET /proxy/My%20Notes/project/item",
    "GET /proxy/%FF/project/item",
    "POST /proxy/nobody/project/sync",
    "POST /proxy/nobody/project/status",
    "POST /proxy/nobody/prompt/continue-conversation",
  ])("are not found: %s", async (name) => {
    await ask(CREATE, project("My Notes", "my-notes"))
    expect(await ask(name)).toMatchObject({ status: 404, json: { detail: expect.any(String) } })
  })

  test("continue a conversation, within limits", async () => {
    const { status, json } = await ask(CONTINUE, { topic: "roses", timeframe: "7d", depth: 2 })
    expect(status).toBe(200)
    expect(json["prompt"]).toBe("# Continuing conversation on: roses\n\nProject: main\n")
    expect(json).toMatchObject({
      context: {},
      metadata: { query: "roses", timeframe: "7d", search_limit: 5, context_depth: 2, related_limit: 5 },
    })
    expect((await ask(CONTINUE, {})).json["prompt"]).toContain("Recent Activity")
    for (const wrong of [{ depth: 6 }, { search_items_limit: 11 }, { related_items_limit: 0 }, { topic: 1 }])
      expect(await ask(CONTINUE, wrong)).toMatchObject({ status: 422 })
    expect(await ask(CONTINUE)).toMatchObject({ status: 422 })
  })
})

describe("an endpoint", () => {
  test.each(ENDPOINTS)("wants a token that holds: %s", async (name) => {
    const refused = { status: 401, json: { detail: "Not authenticated" } }
    expect(await call(cloud, name)).toMatchObject(refused)
    expect(await call(cloud, name, { token: "access-x" })).toMatchObject(refused)
  })

  test.each(ENDPOINTS)("wants a subscription, in either form: %s", async (name) => {
    cloud.set({ isSubscribed: false })
    const nested = await ask(name)
    expect(nested.status).toBe(403)
    expect(nested.json).toEqual({ detail: SUBSCRIPTION })
    cloud.set({ subscriptionError: "flat" })
    const flat = await ask(name)
    expect(flat.status).toBe(403)
    expect(flat.json).toEqual(SUBSCRIPTION)
    cloud.set({ isSubscribed: true })
    expect((await ask(name)).status).not.toBe(403)
  })

  test.each(ENDPOINTS.filter((name) => name !== HEALTH))("wants a tenant: %s", async (name) => {
    cloud.set({ hasTenant: false })
    expect(await ask(name)).toMatchObject({ status: 403, json: { detail: "Tenant not found" } })
  })

  test.each(["GET /", "GET /proxy/health/", "POST /proxy/health", "GET //proxy/health"])(
    "is none: %s",
    async (name) => {
      expect(await ask(name)).toMatchObject({ status: 404 })
    },
  )

  test("is remembered with all that was said to it, in order", async () => {
    await ask(CREATE, project("a", "a"))
    await post(cloud, "/oauth2/token", { grant_type: "x" })
    const [created, refused] = cloud.requests.slice(-2)
    expect(created).toMatchObject({
      method: "POST",
      path: "/proxy/projects/projects",
      auth: `Bearer ${token}`,
      body: '{"name":"a","path":"a","set_default":false}',
      status: 200,
    })
    expect(refused).toMatchObject({ auth: undefined, body: "grant_type=x", status: 400 })
    expect(created?.order).toBeLessThan(refused?.order ?? 0)
    expect(cloud.asked(CREATE)).toEqual([created])
  })
})

test("tenants have their own users, buckets, keys and projects", async () => {
  const shared = await startBare({
    tenants: [
      { id: "tenant-a", bucket: "bucket-a", users: ["ada"] },
      { id: "tenant-b", bucket: "bucket-b", users: ["bob", "eve"] },
    ],
  })
  const tenantOf = async (user: string) => {
    shared.set({ user })
    const { access } = await logIn(shared)
    await call(shared, CREATE, { token: access, json: project(`of ${user}`, `of-${user}`) })
    return (await call(shared, INFO, { token: access })).json
  }
  try {
    expect(await tenantOf("ada")).toMatchObject({ tenant_id: "tenant-a", bucket_name: "bucket-a" })
    expect(await tenantOf("bob")).toMatchObject({ tenant_id: "tenant-b", bucket_name: "bucket-b" })
    expect(await tenantOf("eve")).toMatchObject({ tenant_id: "tenant-b" })
    expect(await tenantOf("nobody")).toEqual({ detail: "Tenant not found" })
    expect(shared.tenants.map(({ projects }) => projects.map(({ name }) => name))).toEqual([
      ["main", "of ada"],
      ["main", "of bob", "of eve"],
    ])
  } finally {
    await shared.close()
  }
})

test("another client logs in where it is told, and then no other", async () => {
  const own = await startBare({ clientId: "client_own" })
  await expect(logIn(own)).rejects.toThrow("invalid_client")
  await own.close()
})

describe("a trouble", () => {
  test("befalls what matches, as often as it is told", async () => {
    const json = { detail: "down for maintenance" }
    cloud.set({ troubles: [{ match: on(HEALTH), times: 2, act: "answer", status: 503, json }] })
    expect(await ask(INFO)).toMatchObject({ status: 200 })
    for (let times = 0; times < 2; times++) expect(await ask(HEALTH)).toMatchObject({ status: 503, json })
    expect(await ask(HEALTH)).toMatchObject({ status: 200 })
  })

  test("is a page in place of JSON", async () => {
    cloud.set({ troubles: [{ act: "html" }] })
    const page = await ask(KEYS)
    expect(page).toMatchObject({ status: 200, text: expect.stringContaining("<html>") })
    expect(page.headers.get("content-type")).toContain("text/html")
    expect(cloud.tenants[0]?.credentials).toEqual([])
    cloud.set({ troubles: [{ act: "html", status: 502 }] })
    expect(await ask(HEALTH)).toMatchObject({ status: 502 })
  })

  test("sends to another host, which tells what it hears", async () => {
    cloud.set({ troubles: [{ act: "redirect", to: cloud.elsewhere.url }] })
    const { status, headers } = await ask(`${HEALTH}?a=b`)
    expect(status).toBe(307)
    expect(headers.get("location")).toBe(`${cloud.elsewhere.url}/proxy/health?a=b`)
    expect(new URL(cloud.elsewhere.url).hostname).not.toBe(new URL(cloud.url).hostname)
    // A client that leaks: fetch follows, and takes the body along; what a test must find.
    const leaking = { method: "POST", headers: { "x-token": token }, body: "secret" }
    await fetch(`${cloud.url}/oauth2/token`, leaking)
    expect(cloud.elsewhere.requests).toMatchObject([
      {
        method: "POST",
        path: "/oauth2/token",
        auth: undefined,
        body: "secret",
        headers: { "x-token": token },
      },
    ])
  })

  test("hangs, until the client gives up or the stand-in is closed", async () => {
    cloud.set({ troubles: [{ match: on(HEALTH), act: "hang" }] })
    const [patience, other] = [new AbortController(), new AbortController()]
    const hanging = call(cloud, HEALTH, { token, signal: patience.signal })
    const another = call(cloud, HEALTH, { token, signal: other.signal })
    await expect.poll(() => cloud.asked(HEALTH).length).toBe(2)
    expect(await ask(INFO)).toMatchObject({ status: 200 })
    expect(cloud.asked(HEALTH).map(({ status }) => status)).toEqual([undefined, undefined])
    patience.abort()
    await expect(hanging).rejects.toThrow("aborted")
    const broken = expect(another).rejects.toThrow("fetch failed")
    await cloud.close()
    await broken
    cloud = await startBare()
  })

  test("hangs in the middle of the answer", async () => {
    cloud.set({ troubles: [{ match: on(HEALTH), act: "hang_in_body" }] })
    const patience = new AbortController()
    const headers = { authorization: `Bearer ${token}` }
    const answer = await fetch(`${cloud.url}/proxy/health`, { headers, signal: patience.signal })
    expect(answer.status).toBe(200)
    const reader = answer.body?.getReader()
    const first = await reader?.read()
    expect(Buffer.from(first?.value ?? []).toString()).toMatch(/^\{"status":"healthy"/)
    const rest = reader?.read()
    patience.abort()
    await expect(rest).rejects.toThrow("aborted")
  })

  test("breaks the connection before or after it is done", async () => {
    cloud.set({ troubles: [{ act: "refuse" }] })
    await expect(ask(KEYS)).rejects.toThrow("fetch failed")
    expect(cloud.tenants[0]?.credentials).toEqual([])
    cloud.set({ troubles: [{ act: "lose_response" }] })
    await expect(ask(KEYS)).rejects.toThrow("fetch failed")
    expect(cloud.tenants[0]?.credentials).toHaveLength(1)
    expect(cloud.asked(KEYS).map(({ status }) => status)).toEqual([undefined, undefined])
  })
})
