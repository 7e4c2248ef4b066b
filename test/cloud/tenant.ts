/**
 * Tenants: whose they are, their bucket, and the key pairs that are minted for it. A pair is shown once, opens this bucket
 * and no other, and holds until it is revoked.
 */

import { randomBytes } from "node:crypto"
import { type Asked, nameOf } from "./asked.ts"
import { json, type Reply } from "./http.ts"
import { type CloudProject, firstProjects } from "./projects.ts"

export interface TenantOptions {
  readonly id: string
  readonly bucket: string
  readonly users: readonly string[]
}

export interface Credential {
  readonly id: string
  readonly accessKey: string
  readonly secretKey: string
  readonly createdAt: string
}

export interface Tenant extends TenantOptions {
  /** Those that hold, in the order in which they were minted. */
  readonly credentials: readonly Credential[]
  /** Those that held. */
  readonly revoked: readonly Credential[]
  readonly projects: readonly CloudProject[]
}

/** The stand-in's own view: the same lists, to be replaced. */
export type OpenTenant = { -readonly [Name in keyof Tenant]: Tenant[Name] }

export function newTenant(options: TenantOptions): OpenTenant {
  return { ...options, credentials: [], revoked: [], projects: firstProjects() }
}

/** Nothing where something else is asked. */
export function answerMount(
  tenant: OpenTenant,
  asked: Asked,
  deps: { readonly endpoint: string; readonly region: string; readonly nowMs: () => number },
): Reply | undefined {
  const { id: tenant_id, bucket: bucket_name, credentials } = tenant
  switch (nameOf(asked)) {
    case "GET /tenant/mount/info":
      return json(200, {
        tenant_id,
        bucket_name,
        has_credentials: credentials.length > 0,
        credentials_created_at: credentials.at(-1)?.createdAt ?? null,
      })
    case "GET /tenant/mount/credentials":
      return json(
        200,
        credentials.map(({ id, createdAt }) => ({ id, created_at: createdAt })),
      )
    case "POST /tenant/mount/credentials": {
      const { accessKey, secretKey } = mint(tenant, deps.nowMs())
      const keys = { access_key: accessKey, secret_key: secretKey }
      return json(200, { tenant_id, bucket_name, ...keys, endpoint_url: deps.endpoint, region: deps.region })
    }
    default:
      return revoke(tenant, asked)
  }
}

function mint(tenant: OpenTenant, nowMs: number): Credential {
  const credential = {
    id: `cred-${randomBytes(6).toString("hex")}`,
    accessKey: `tid_${randomBytes(12).toString("hex")}`,
    secretKey: `tsec_${randomBytes(24).toString("hex")}`,
    createdAt: new Date(nowMs).toISOString(),
  }
  tenant.credentials = [...tenant.credentials, credential]
  return credential
}

function revoke(tenant: OpenTenant, asked: Asked): Reply | undefined {
  const [, id] = /^DELETE \/tenant\/mount\/credentials\/([^/]+)$/.exec(nameOf(asked)) ?? []
  if (id === undefined) return undefined
  const credential = tenant.credentials.find((each) => each.id === id)
  if (credential === undefined) return json(404, { detail: "Credential not found" })
  tenant.credentials = tenant.credentials.filter((each) => each !== credential)
  tenant.revoked = [...tenant.revoked, credential]
  return json(200, { message: "Credential revoked" })
}
