/**
 * The part of a setup that the bucket of a cloud account needs: whose it is, a key pair for this device, and the section of
 * rclone.conf by which rclone reaches it too.
 *
 * A key pair that works is used again. A new one is tried before it is kept, and takes the place of the old one, which is
 * revoked. The secret is shown once, so it goes straight to the private file of this device.
 */

import type { CloudApi } from "../cloud/api.ts"
import type { Credential, CredentialId, MintedCredentials, MountInfo } from "../cloud/answers.ts"
import type { AccountFailure } from "../model/account-failure.ts"
import type { SyncError } from "../model/errors.ts"
import { err, ok, type Result } from "../model/result.ts"
import { parseRcloneUrl } from "../rclone/address.ts"
import { putSection } from "../rclone/conf.ts"
import { changeConfFile } from "../rclone/conf-file.ts"
import { tenantRemote, tenantSection } from "../rclone/tenant-section.ts"
import { parseS3Url, type S3Address } from "../s3/address.ts"
import { accountError, openAccount } from "./account.ts"
import type { Config, Place, Tenant } from "./config.ts"
import { confFileOf } from "./rclone-access.ts"
import type { RcloneRemote, S3Remote } from "./remote.ts"
import type { StepResult } from "./setup.ts"
import { accessTo, type Credentials, keepCredentials, reachWith } from "./store-access.ts"

export interface PreparedTenant {
  readonly tenant: Tenant
  readonly remote: S3Remote | RcloneRemote
  readonly credentials: StepResult
  readonly conf: ConfStep
}

/** What became of the section of rclone.conf. */
export interface ConfStep {
  readonly result: StepResult | "not_possible"
  /** Of the section, as rclone knows the bucket. */
  readonly name: string
  readonly file?: string
}

export type PreparedAccount =
  | ({ readonly kind: "ready" } & PreparedTenant)
  /** A dry run that would have to make a key pair knows no more than this. */
  | { readonly kind: "would_create"; readonly bucket: string; readonly name: string }

export async function prepareTenant(
  place: Place,
  options: {
    readonly backend: Tenant["backend"]
    readonly existing: Config | undefined
    readonly isDryRun: boolean
  },
): Promise<Result<PreparedAccount, SyncError>> {
  const api = await openAccount(place)
  if (!api.ok) return api
  const info = await api.value.mountInfo()
  if (!info.ok) return accountError(info.error)
  const kept = await keptAccess(place, options.existing?.tenant, info.value)
  if (!kept.ok) return kept
  const { tenantId, bucketName } = info.value
  if (options.isDryRun && kept.value === undefined)
    return ok({ kind: "would_create", bucket: bucketName, name: tenantRemote(tenantId) ?? "" })
  const access =
    kept.value ?? (await newAccess(place, api.value, { info: info.value, before: options.existing?.tenant }))
  if ("ok" in access && !access.ok) return access
  const { address, keys, credential, result } = "ok" in access ? access.value : access
  const conf = writeSection(place, { tenantId, address, keys, isDryRun: options.isDryRun })
  const { backend } = options
  if (backend === "rclone" && conf.result === "not_possible")
    return err({
      code: "config_unreadable",
      file: conf.file ?? "rclone.conf",
      why: "rclone.conf cannot be written",
    })
  const remote = remoteFor(backend, { address, conf })
  if (!remote.ok) return remote
  const tenant: Tenant = { id: tenantId, bucket: bucketName, backend, url: address.url, ...credential }
  return ok({ kind: "ready", tenant, remote: remote.value, credentials: result, conf })
}

interface Access {
  readonly address: S3Address
  readonly keys: Credentials
  readonly credential: Pick<Tenant, "credential">
  readonly result: StepResult
}

/** The pair of an earlier setup, if the bucket still lets it in; nothing where there is none or it was revoked. */
async function keptAccess(
  place: Place,
  before: Tenant | undefined,
  { tenantId, bucketName }: MountInfo,
): Promise<Result<Access | undefined, SyncError>> {
  if (before === undefined || before.id !== tenantId || before.bucket !== bucketName) return ok(undefined)
  const address = parseS3Url(before.url)
  if (!address.ok) return ok(undefined)
  const stored = accessTo(place, { kind: "s3", address: address.value, url: before.url, isTenant: true })
  if (!stored.ok) return stored
  const { credentials: keys } = stored.value
  if (keys === undefined) return ok(undefined)
  const reached = await reachWith(stored.value)
  if (!reached.ok) return isRefused(reached.error) ? ok(undefined) : reached
  const { credential } = before
  return ok({
    address: address.value,
    keys,
    credential: credential === undefined ? {} : { credential },
    result: "already_done",
  })
}

function isRefused(error: SyncError): boolean {
  return (
    error.code === "setup_failed" && (error.trouble.code === "credentials" || error.trouble.code === "denied")
  )
}

async function newAccess(
  place: Place,
  api: CloudApi,
  { info, before }: { readonly info: MountInfo; readonly before: Tenant | undefined },
): Promise<Result<Access, SyncError>> {
  const listed = await api.listCredentials()
  const minted = await api.mintCredentials()
  if (!minted.ok) return accountError(minted.error)
  const id = await newId(api, listed, minted.value)
  const undo = async <E>(failed: Result<never, E>): Promise<Result<never, E>> => {
    if (id !== undefined) await api.revokeCredentials(id)
    return failed
  }
  const address = addressOf(minted.value, info)
  if (!address.ok) return undo(address)
  const { accessKey: accessKeyId, secretKey: secretAccessKey } = minted.value
  const keys: Credentials = { accessKeyId, secretAccessKey }
  const access = { address: address.value, credentials: keys, isTenant: true }
  const reached = await reachWith(access)
  if (!reached.ok) return undo(reached)
  const kept = keepCredentials(place, access)
  if (!kept.ok) return undo(kept)
  // What another took the place of opens nothing any more; that it could not be revoked is no reason to stop.
  if (before?.credential !== undefined && before.credential !== id)
    await api.revokeCredentials(before.credential as CredentialId)
  return ok({
    address: address.value,
    keys,
    credential: id === undefined ? {} : { credential: id },
    result: "created",
  })
}

/** The reply to a new pair does not name it; it is the one that was not there before. */
async function newId(
  api: CloudApi,
  before: Result<readonly Credential[], AccountFailure>,
  { accessKey }: MintedCredentials,
): Promise<CredentialId | undefined> {
  const after = await api.listCredentials()
  if (!before.ok || !after.ok) return undefined
  const known = new Set(before.value.map(({ id }) => id))
  const fresh = after.value.filter(({ id }) => !known.has(id))
  const byKey = fresh.find((each) => each.accessKey === accessKey)
  return byKey?.id ?? (fresh.length === 1 ? fresh[0]?.id : undefined)
}

function addressOf(minted: MintedCredentials, info: MountInfo): Result<S3Address, SyncError> {
  if (minted.tenantId !== info.tenantId || minted.bucketName !== info.bucketName)
    return accountError({ kind: "nonsense", what: "shape", field: "tenant_id" })
  const endpoint = new URLSearchParams({ endpoint: minted.endpointUrl, region: minted.region })
  const address = parseS3Url(`s3://${minted.bucketName}?${endpoint.toString()}`)
  return address.ok ? address : accountError({ kind: "nonsense", what: "shape", field: "endpoint_url" })
}

function remoteFor(
  backend: Tenant["backend"],
  { address, conf }: { readonly address: S3Address; readonly conf: ConfStep },
): Result<S3Remote | RcloneRemote, SyncError> {
  if (backend === "native") return ok({ kind: "s3", address, url: address.url, isTenant: true })
  const parsed = parseRcloneUrl(`rclone:${conf.name}:${address.bucket}`)
  return parsed.ok
    ? ok({ kind: "rclone", address: parsed.value, url: parsed.value.url, isTenant: true })
    : err({ code: "usage", message: parsed.error })
}

/** Not possible where rclone is told to keep no file, or the file is encrypted: then only rclone itself can write it. */
function writeSection(
  place: Place,
  at: {
    readonly tenantId: string
    readonly address: S3Address
    readonly keys: Credentials
    readonly isDryRun: boolean
  },
): ConfStep {
  const { tenantId, address, keys, isDryRun } = at
  const { accessKeyId, secretAccessKey } = keys
  const { region = "auto", endpoint = "" } = address
  const name = tenantRemote(tenantId) ?? ""
  const file = confFileOf(place)
  const section = tenantSection({ tenantId, accessKeyId, secretAccessKey, region, endpoint })
  if (file === undefined || !section.ok)
    return { result: "not_possible", name, ...(file !== undefined && { file }) }
  if (isDryRun) return { result: "would_create", name, file }
  const changed = changeConfFile(file, (conf) => putSection(conf, section.value))
  if (!changed.ok) return { result: "not_possible", name, file }
  return { result: changed.value.isWritten ? "created" : "already_done", name, file }
}
