/**
 * Every call of the API: what is asked, what is understood of the answer, and what is not believed.
 */

import { afterEach, describe, expect, test } from "vitest"
import { parseCredentialId } from "../../src/cloud/answers.ts"
import { type CloudApi, openApi } from "../../src/cloud/api.ts"
import { DEFAULT_HOSTS } from "../../src/cloud/hosts.ts"
import { openHttp } from "../../src/cloud/http.ts"
import { parseProjectPermalink } from "../../src/cloud/permalink.ts"
import { openSession } from "../../src/cloud/session.ts"
import { holdTokens } from "../../src/cloud/token-store.ts"
import { json, type Reply, startHost, stopHosts } from "./fake-host.ts"

afterEach(stopHosts)

const NOTES = parseProjectPermalink("my-notes") ?? never()
const CHINESE = parseProjectPermalink("中文项目") ?? never()
const CREDENTIAL = parseCredentialId("cred-1") ?? never()

async function call<T>(reply: Reply, using: (api: CloudApi) => Promise<T>) {
  const host = await startHost(() => reply)
  const tokens = holdTokens({ accessToken: "access-0", expiresAtS: Date.now() / 1000 + 3600 })
  const clock = { nowMs: () => Date.now() }
  const session = openSession(
    { ask: openHttp(), clock, tokens },
    { ...DEFAULT_HOSTS, apiUrl: `${host.url}/base` },
  )
  const result = await using(openApi(session))
  return { result, asked: host.asked.map(({ method, path, body }) => [`${method} ${path}`, body]) }
}

const done = (value: unknown) => ({ ok: true, value })
const failed = (error: unknown) => ({ ok: false, error })
const misshapen = (field: string) => failed({ kind: "nonsense", what: "shape", field })

const MOUNT = { tenant_id: "tenant-7f3a", bucket_name: "cloud" }
const MINTED = {
  ...MOUNT,
  access_key: "AKIA1",
  secret_key: "s3cr3t/+=",
  endpoint_url: "https://fly.storage.tigris.dev/",
  region: "auto",
}
const STATUS = {
  new: ["a.md"],
  modified: [],
  deleted: ["b.md"],
  moves: { c: "d" },
  checksums: { __x: "1" },
  total: 3,
}

interface Row {
  readonly rule: string
  readonly using: (api: CloudApi) => Promise<unknown>
  readonly asked: string
  readonly body?: unknown
  readonly reply: unknown
  readonly value: unknown
}

test.each<Row>([
  {
    rule: "health",
    using: (api) => api.health(),
    asked: "GET /base/proxy/health",
    reply: { status: "ok", version: "0.15.2", timestamp: "2026-03-02T10:00:00Z" },
    value: { status: "ok", version: "0.15.2", timestamp: "2026-03-02T10:00:00Z" },
  },
  {
    rule: "health of few words",
    using: (api) => api.health(),
    asked: "GET /base/proxy/health",
    reply: { status: null },
    value: {},
  },
  {
    rule: "the tenant",
    using: (api) => api.mountInfo(),
    asked: "GET /base/tenant/mount/info",
    reply: { ...MOUNT, has_credentials: true, credentials_created_at: "2026-03-02T10:00:00Z" },
    value: {
      tenantId: "tenant-7f3a",
      bucketName: "cloud",
      hasCredentials: true,
      credentialsCreatedAt: "2026-03-02T10:00:00Z",
    },
  },
  {
    rule: "the tenant in few words",
    using: (api) => api.mountInfo(),
    asked: "GET /base/tenant/mount/info",
    reply: { ...MOUNT, credentials_created_at: null },
    value: { tenantId: "tenant-7f3a", bucketName: "cloud" },
  },
  {
    rule: "a new key pair",
    using: (api) => api.mintCredentials(),
    asked: "POST /base/tenant/mount/credentials",
    reply: MINTED,
    value: {
      tenantId: "tenant-7f3a",
      bucketName: "cloud",
      accessKey: "AKIA1",
      secretKey: "s3cr3t/+=",
      endpointUrl: "https://fly.storage.tigris.dev",
      region: "auto",
    },
  },
  {
    rule: "the key pairs that hold",
    using: (api) => api.listCredentials(),
    asked: "GET /base/tenant/mount/credentials",
    reply: [
      { id: "cred-1", created_at: "2026-03-02T10:00:00Z" },
      { id: "cred-2", access_key: "AKIA2" },
    ],
    value: [
      { id: "cred-1", createdAt: "2026-03-02T10:00:00Z" },
      { id: "cred-2", accessKey: "AKIA2" },
    ],
  },
  {
    rule: "the key pairs inside an object",
    using: (api) => api.listCredentials(),
    asked: "GET /base/tenant/mount/credentials",
    reply: { credentials: [] },
    value: [],
  },
  {
    rule: "a key pair given back",
    using: (api) => api.revokeCredentials(CREDENTIAL),
    asked: "DELETE /base/tenant/mount/credentials/cred-1",
    reply: {},
    value: undefined,
  },
  {
    rule: "the projects",
    using: (api) => api.projects(),
    asked: "GET /base/proxy/projects/projects",
    reply: {
      projects: [
        { name: "main", path: "/app/data/main", is_default: true },
        { name: "日本", path: "x" },
      ],
      default_project: "main",
    },
    value: {
      projects: [
        { name: "main", path: "/app/data/main", isDefault: true },
        { name: "日本", path: "x", isDefault: false },
      ],
      defaultProject: "main",
    },
  },
  {
    rule: "no projects",
    using: (api) => api.projects(),
    asked: "GET /base/proxy/projects/projects",
    reply: { projects: [], default_project: null },
    value: { projects: [] },
  },
  {
    rule: "a project created",
    using: (api) => api.createProject({ name: "My Notes", path: NOTES }),
    asked: "POST /base/proxy/projects/projects",
    body: { name: "My Notes", path: "my-notes", set_default: false },
    reply: { message: "added", status: "success", default: false, old_project: null, new_project: {} },
    value: "created",
  },
  {
    rule: "one project",
    using: (api) => api.project(NOTES),
    asked: "GET /base/proxy/my-notes/project/item",
    reply: { name: "My Notes", path: "/app/data/my-notes", is_default: false },
    value: { name: "My Notes", path: "/app/data/my-notes", isDefault: false },
  },
  {
    rule: "one project in Chinese",
    using: (api) => api.syncProject(CHINESE),
    asked: `POST /base/proxy/${encodeURIComponent("中文项目")}/project/sync`,
    reply: { status: "sync_started", message: "started" },
    value: undefined,
  },
  {
    rule: "what is not indexed yet",
    using: (api) => api.projectStatus(NOTES),
    asked: "POST /base/proxy/my-notes/project/status",
    reply: STATUS,
    value: {
      new: ["a.md"],
      modified: [],
      deleted: ["b.md"],
      moves: new Map([["c", "d"]]),
      checksums: new Map([["__x", "1"]]),
      total: 3,
    },
  },
  {
    rule: "a conversation about anything",
    using: (api) => api.continueConversation(NOTES, {}),
    asked: "POST /base/proxy/my-notes/prompt/continue-conversation",
    body: { search_items_limit: 5, depth: 1, related_items_limit: 5 },
    reply: { prompt: "# Continuing\n", context: { a: 1 }, metadata: {} },
    value: { prompt: "# Continuing\n", context: { a: 1 }, metadata: {} },
  },
  {
    rule: "a conversation about something",
    using: (api) => api.continueConversation(NOTES, { topic: "search", timeframe: "7d" }),
    asked: "POST /base/proxy/my-notes/prompt/continue-conversation",
    body: { topic: "search", timeframe: "7d", search_items_limit: 5, depth: 1, related_items_limit: 5 },
    reply: { prompt: "" },
    value: { prompt: "" },
  },
])("$rule", async ({ using, asked, body, reply, value }) => {
  const got = await call(json(reply), using)
  expect(got.result).toEqual(done(value))
  expect(got.asked).toEqual([[asked, body === undefined ? "" : JSON.stringify(body)]])
})

describe("what is there already", () => {
  const create = (api: CloudApi) => api.createProject({ name: "x", path: NOTES })

  test("is as good as created", async () => {
    const { result } = await call(json({ detail: "Project 'x' already exists" }, 400), create)
    expect(result).toEqual(done("existed"))
  })

  test.each([
    [
      json({ detail: "path is nested within existing project" }, 400),
      { status: 400, detail: "path is nested within existing project" },
    ],
    [json({}, 400), { status: 400 }],
    [json({ detail: "already exists" }, 409), { status: 409, detail: "already exists" }],
  ])("is not any other refusal", async (reply, refused) => {
    expect((await call(reply, create)).result).toEqual(failed({ kind: "refused", ...refused }))
  })
})

describe("what is not there", () => {
  const gone = json({ detail: "not found" }, 404)

  test("is no project", async () => {
    expect((await call(gone, (api) => api.project(NOTES))).result).toEqual(done(undefined))
  })

  test("is revoked", async () => {
    expect((await call(gone, (api) => api.revokeCredentials(CREDENTIAL))).result).toEqual(done(undefined))
  })

  test("is said of anything else", async () => {
    const { result } = await call(gone, (api) => api.syncProject(NOTES))
    expect(result).toEqual(failed({ kind: "not_found", detail: "not found" }))
  })
})

const CALLS: Readonly<Record<string, (api: CloudApi) => Promise<unknown>>> = {
  health: (api) => api.health(),
  mountInfo: (api) => api.mountInfo(),
  mintCredentials: (api) => api.mintCredentials(),
  listCredentials: (api) => api.listCredentials(),
  revokeCredentials: (api) => api.revokeCredentials(CREDENTIAL),
  projects: (api) => api.projects(),
  createProject: (api) => api.createProject({ name: "x", path: NOTES }),
  project: (api) => api.project(NOTES),
  syncProject: (api) => api.syncProject(NOTES),
  projectStatus: (api) => api.projectStatus(NOTES),
  continueConversation: (api) => api.continueConversation(NOTES, {}),
}

describe.each(Object.entries(CALLS))("%s", (name, using) => {
  const tenants = /mount|Credentials/i.test(name)
  const subscription = {
    error: "subscription_required",
    message: "Subscribe.",
    subscribe_url: "https://example.com/s",
  }
  const required = {
    kind: "subscription_required",
    message: "Subscribe.",
    subscribeUrl: "https://example.com/s",
  }

  test.each<[string, Reply, unknown]>([
    ["401", json({}, 401), { kind: "not_authenticated" }],
    ["403 without a subscription", json({ detail: subscription }, 403), required],
    ["403 without a subscription, unnested", json(subscription, 403), required],
    [
      "403 without a tenant",
      json({ detail: "Tenant not found" }, 403),
      { kind: "no_tenant", detail: "Tenant not found" },
    ],
    ["403", json({}, 403), { kind: tenants ? "no_tenant" : "denied" }],
    ["500", json({}, 500), { kind: "server_error", status: 500 }],
    ["503", json({ detail: "later" }, 503), { kind: "server_error", status: 503, detail: "later" }],
    ["a page", { status: 200, text: "<html>" }, { kind: "nonsense", what: "page" }],
    ["no JSON", { status: 200, text: "ok" }, { kind: "nonsense", what: "not_json" }],
    [
      "a redirect",
      { status: 302, text: "", headers: { location: "https://e.example/" } },
      { kind: "redirected", status: 302, origin: "https://e.example" },
    ],
    ["a broken connection", (response) => response.destroy(), { kind: "unreachable", word: "ECONNRESET" }],
  ])("tells what %s is", async (_, reply, error) => {
    expect((await call(reply, using)).result).toEqual(failed(error))
  })
})

describe("an answer is not believed", () => {
  test.each([[[]], [null], ["x"], [7]])("as health where it is %j", async (reply) => {
    expect((await call(json(reply), CALLS["health"] ?? never())).result).toEqual(misshapen("health"))
  })

  test.each([
    ["tenant_id", undefined],
    ["tenant_id", ""],
    ["tenant_id", "../x"],
    ["tenant_id", ".."],
    ["tenant_id", "a/b"],
    ["tenant_id", "a]\n[b"],
    ["tenant_id", "a."],
    ["tenant_id", "-rf"],
    ["tenant_id", 7],
    ["bucket_name", undefined],
    ["bucket_name", "a/b"],
    ["bucket_name", "a?b"],
    ["access_key", undefined],
    ["access_key", "a\nb"],
    ["secret_key", ""],
    ["secret_key", "a b"],
    ["endpoint_url", undefined],
    ["endpoint_url", "http://storage.example"],
    ["endpoint_url", "https://a@storage.example"],
    ["endpoint_url", "https://storage.example/?x"],
    ["endpoint_url", "https://storage.example\nx = y"],
    ["region", undefined],
    ["region", "a b"],
  ])("as a key pair where %s is %j", async (field, value) => {
    const reply = json({ ...MINTED, [field]: value })
    expect((await call(reply, (api) => api.mintCredentials())).result).toEqual(misshapen(field))
    if (field in MOUNT) expect((await call(reply, (api) => api.mountInfo())).result).toEqual(misshapen(field))
  })

  test("where a storage on this machine stays as it was written", async () => {
    const reply = json({ ...MINTED, endpoint_url: "http://127.0.0.1:9000" })
    const { result } = await call(reply, (api) => api.mintCredentials())
    expect(result).toMatchObject({ value: { endpointUrl: "http://127.0.0.1:9000" } })
  })

  test.each([[{}], [[{}]], [[{ id: ".." }]], [[{ id: "a/b" }]], [[{ id: "a" }, { id: 7 }]], ["x"]])(
    "as key pairs where it is %j",
    async (reply) => {
      expect((await call(json(reply), (api) => api.listCredentials())).result).toEqual(
        misshapen("credentials"),
      )
    },
  )

  test.each([
    {},
    { projects: {} },
    { projects: [{ name: "a" }] },
    { projects: [{ name: "", path: "a" }] },
    { projects: [{ name: "a".repeat(2000), path: "a" }] },
    { projects: [{ name: "a", path: "a" }, null] },
  ])("as projects where it is %j", async (reply) => {
    expect((await call(json(reply), (api) => api.projects())).result).toEqual(misshapen("projects"))
  })

  test("as a project where it has no path", async () => {
    expect((await call(json({ name: "a" }), (api) => api.project(NOTES))).result).toEqual(
      misshapen("project"),
    )
  })

  test.each([
    ["new", "a"],
    ["modified", [7]],
    ["deleted", undefined],
    ["moves", []],
    ["checksums", { a: 1 }],
    ["total", -1],
  ])("as a status where %s is %j", async (field, value) => {
    const reply = json({ ...STATUS, [field]: value })
    expect((await call(reply, (api) => api.projectStatus(NOTES))).result).toEqual(misshapen(field))
  })

  test.each([{}, { prompt: 7 }, null])("as a conversation where it is %j", async (reply) => {
    const { result } = await call(json(reply), (api) => api.continueConversation(NOTES, {}))
    expect(result).toEqual(misshapen("prompt"))
  })
})

function never(): never {
  throw new Error("this is one")
}
