/**
 * The section of rclone.conf by which rclone reaches the bucket of a tenant: `[basic-memory-{tenant_id}]`.
 *
 * Its keys and their order are promised to users. What comes from the cloud is not trusted: nothing in it can end a line
 * or name another section.
 */

import { err, ok, type Result } from "../model/result.ts"
import type { ConfSection } from "./conf.ts"
import { isPlainValue } from "./conf-line.ts"

export interface TenantAccess {
  readonly tenantId: string
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly region: string
  readonly endpoint: string
}

/** What cannot stand in the file; never the text itself, which may be a secret. */
export interface TenantTrouble {
  readonly kind: "unusable"
  readonly what: keyof TenantAccess
}

const TENANT_ID = /^[A-Za-z0-9_-]{1,128}$/

/** The remote's name for rclone, without the colon; `undefined` for what cannot be the id of a tenant. */
export function tenantRemote(tenantId: string): string | undefined {
  return TENANT_ID.test(tenantId) ? `basic-memory-${tenantId}` : undefined
}

export function tenantSection(access: TenantAccess): Result<ConfSection, TenantTrouble> {
  const name = tenantRemote(access.tenantId)
  if (name === undefined) return err({ kind: "unusable", what: "tenantId" })
  const names = ["accessKeyId", "secretAccessKey", "region", "endpoint"] as const
  const what = names.find((each) => access[each] === "" || !isPlainValue(access[each]))
  if (what !== undefined) return err({ kind: "unusable", what })
  return ok({
    name,
    entries: [
      { key: "type", value: "s3" },
      { key: "provider", value: "AWS" },
      { key: "env_auth", value: "false" },
      { key: "access_key_id", value: access.accessKeyId },
      { key: "secret_access_key", value: access.secretAccessKey },
      { key: "region", value: access.region },
      { key: "endpoint", value: access.endpoint },
    ],
  })
}
