/**
 * A stand-in for the Basic Memory Cloud service, over real HTTP on loopback: what the closed service is known to answer,
 * with a real S3 server behind it. It is support for tests and no part of the product; the existing Python client is
 * its judge (`python-client.test.ts`).
 *
 *   trouble? ─▶ login ─▶ whose token? 401 ─▶ subscribed? 403 ─▶ tenant? 403 ─▶ mount, projects ─▶ 404
 *
 * The same address is `cloud_host` and `cloud_domain`. Everything asked is remembered, for tests to look at.
 */

import type { ServerResponse } from "node:http"
import type { Server } from "../servers/server.ts"
import { s3Request } from "../servers/sign.ts"
import { type Asked, askedOf, nameOf } from "./asked.ts"
import { type Elsewhere, startElsewhere } from "./elsewhere.ts"
import { type Opening, startGate, type Storage, type Stored } from "./gate.ts"
import { json, listen, type Reply, send } from "./http.ts"
import { CLIENT_ID, newOAuth, type OAuth } from "./oauth.ts"
import { answerProjects, newProject } from "./projects.ts"
import { type Switches, type Trouble, usualSwitches } from "./switches.ts"
import { answerMount, newTenant, type OpenTenant, type Tenant, type TenantOptions } from "./tenant.ts"
import { befall, newTroubles } from "./trouble.ts"

// All that a test of our client needs to say what shall happen and to look at what did.
export type { Asked, Storage, Stored, Switches, Trouble }
export { on } from "./switches.ts"

export interface CloudOptions {
  readonly storage: Storage
  /** One, of one user, with the bucket of the storage, where nothing is said. */
  readonly tenants?: readonly [TenantOptions, ...TenantOptions[]]
  /** The one client that may log in; the public one where nothing is said. */
  readonly clientId?: string
  /** The service's clock, for what expires. */
  readonly nowMs?: () => number
}

export interface Cloud {
  /** `http://127.0.0.1:<port>` */
  readonly url: string
  /** Of the storage, as minted credentials name it. */
  readonly endpoint: string
  /** In the order in which they arrived. */
  readonly requests: readonly Asked[]
  readonly stored: readonly Stored[]
  readonly tenants: readonly Tenant[]
  readonly elsewhere: Pick<Elsewhere, "url" | "requests">
  /** Those of `requests` with this name: `GET /proxy/health`. */
  asked(name: string): readonly Asked[]
  /** What is not named stays as it is. */
  set(changed: Partial<Switches>): void
  /** As if it had been created by somebody else; of the first tenant. */
  addProject(name: string, path: string): void
  /** From now on no access token is accepted that was given so far. */
  expireAccess(): void
  /** The service's own `.basic-memory/config.json` into the bucket of the first tenant, which is not ours to touch. */
  writeConfig(): Promise<string>
  /** Tokens, codes, and secret keys: what nobody may find in any output. */
  secrets(): readonly string[]
  close(): Promise<void>
}

export const SUBSCRIPTION = {
  error: "subscription_required",
  message: "Active subscription required for CLI access",
  subscribe_url: "https://basicmemory.com/subscribe",
}

/** For the `storage` of `startCloud`. */
export function storageOf(server: Server, bucket = server.bucket): Storage {
  const { endpoint, accessKeyId: accessKey, secretAccessKey: secretKey, region } = server
  return { endpoint, accessKey, secretKey, region, bucket }
}

export async function startCloud(options: CloudOptions): Promise<Cloud> {
  const { storage, clientId = CLIENT_ID, nowMs = Date.now } = options
  const given = options.tenants ?? [{ id: "tenant-4b9c", bucket: storage.bucket, users: ["ada"] }]
  const tenants = given.map(newTenant)
  const [first] = tenants
  if (first === undefined) throw new Error("a cloud has a tenant")
  let switches = usualSwitches(first.users[0] ?? "")
  let order = 0
  const nextOrder = () => order++
  const gate = await startGate({ storage, opens: (accessKey) => openingOf(tenants, accessKey), nextOrder })
  const elsewhere = await startElsewhere(() => ({ order: nextOrder(), atMs: Date.now() }))
  const oauth = newOAuth({ clientId, nowMs, switches: () => switches })
  const deps = { switches: () => switches, tenants, oauth, storage, endpoint: gate.endpoint, nowMs }
  const troubles = newTroubles()
  const requests: Asked[] = []
  const http = await listen(async (arrived, response) => {
    const asked = askedOf(arrived, { order: nextOrder(), atMs: Date.now() })
    const index = requests.push(asked) - 1
    const status = await serve({ deps, asked, response, trouble: troubles.pick(switches.troubles, asked) })
    if (status !== undefined) requests[index] = { ...asked, status }
  })
  return {
    url: `http://127.0.0.1:${http.port}`,
    endpoint: gate.endpoint,
    requests,
    stored: gate.requests,
    tenants,
    elsewhere,
    asked: (name) => requests.filter((each) => nameOf(each) === name),
    set(changed) {
      switches = { ...switches, ...changed }
    },
    addProject(name, path) {
      first.projects = [...first.projects, newProject(name, path)]
    },
    expireAccess: () => oauth.expireAccess(),
    writeConfig: () => writeConfig(storage, first),
    secrets: () => [...oauth.secrets(), ...secretKeysOf(tenants), storage.secretKey],
    async close() {
      await Promise.all([http.close(), gate.close(), elsewhere.close()])
    },
  }
}

interface Deps {
  readonly switches: () => Switches
  readonly tenants: readonly OpenTenant[]
  readonly oauth: OAuth
  readonly storage: Storage
  /** Of the gate before the storage. */
  readonly endpoint: string
  readonly nowMs: () => number
}

/** The status that the client has got; nothing where it got none. */
async function serve(call: {
  readonly deps: Deps
  readonly asked: Asked
  readonly response: ServerResponse
  readonly trouble: Trouble | undefined
}): Promise<number | undefined> {
  const { deps, asked, response, trouble } = call
  const right = () => answer(deps, asked)
  if (trouble !== undefined) return befall(trouble, { asked, response, right })
  const reply = right()
  send(response, reply)
  return reply.status
}

function answer(deps: Deps, asked: Asked): Reply {
  const login = deps.oauth.answer(asked)
  if (login !== undefined) return login
  // Where the user would agree; nobody needs to open it.
  if (nameOf(asked) === "GET /activate") return { status: 200, body: "Enter the code.\n" }
  const user = deps.oauth.userOf(asked.auth)
  if (user === undefined) return json(401, { detail: "Not authenticated" }, { "www-authenticate": "Bearer" })
  const { isSubscribed, subscriptionError, hasTenant } = deps.switches()
  if (!isSubscribed) return json(403, subscriptionError === "flat" ? SUBSCRIPTION : { detail: SUBSCRIPTION })
  if (nameOf(asked) === "GET /proxy/health")
    return json(200, {
      status: "healthy",
      version: "0.15.2",
      timestamp: new Date(deps.nowMs()).toISOString(),
    })
  const tenant = deps.tenants.find((each) => each.users.includes(user))
  if (tenant === undefined || !hasTenant) return json(403, { detail: "Tenant not found" })
  const { endpoint, nowMs } = deps
  return (
    answerMount(tenant, asked, { endpoint, region: deps.storage.region, nowMs }) ??
    answerProjects(tenant, asked, nowMs()) ??
    json(404, { detail: "Not Found" })
  )
}

function openingOf(tenants: readonly OpenTenant[], accessKey: string): Opening | undefined {
  for (const { bucket, credentials } of tenants) {
    const credential = credentials.find((each) => each.accessKey === accessKey)
    if (credential !== undefined) return { secretKey: credential.secretKey, bucket }
  }
  return undefined
}

function secretKeysOf(tenants: readonly OpenTenant[]): readonly string[] {
  return tenants
    .flatMap(({ credentials, revoked }) => [...credentials, ...revoked])
    .map((each) => each.secretKey)
}

async function writeConfig(storage: Storage, tenant: OpenTenant): Promise<string> {
  const projects = Object.fromEntries(tenant.projects.map(({ name, path }) => [name, path]))
  const body = JSON.stringify({ projects, default_project: "main" })
  const keys = { accessKeyId: storage.accessKey, secretAccessKey: storage.secretKey, region: storage.region }
  const target = `/${tenant.bucket}/.basic-memory/config.json`
  const { status } = await s3Request({ ...keys, endpoint: storage.endpoint }, { method: "PUT", target, body })
  if (status !== 200) throw new Error(`the configuration was not stored: ${status}`)
  return body
}
