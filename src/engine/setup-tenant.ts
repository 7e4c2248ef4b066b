/**
 * The part of a setup that the bucket of a cloud account needs: whose it is, a key pair for this device, and the section of
 * rclone.conf by which rclone reaches it too.
 *
 * A key pair that works is used again. A new one is tried before it is kept, and takes the place of the old one, which is
 * revoked. The secret is shown once, so it goes straight to the private file of this device; a setup that then comes to
 * nothing takes it back.
 */

import { existsSync, rmSync } from "node:fs"
import type { CloudApi } from "../cloud/api.ts"
import type { Credential, CredentialId, MintedCredentials, MountInfo } from "../cloud/answers.ts"
import type { AccountFailure } from "../model/account-failure.ts"
import type { SyncError } from "../model/errors.ts"
import { err, ok, type Result } from "../model/result.ts"
import { parseRcloneUrl } from "../rclone/address.ts"
import { putSection } from "../rclone/conf.ts"
import { changeConfFile, type ConfFile, readConfFile } from "../rclone/conf-file.ts"
import { tenantRemote, tenantSection } from "../rclone/tenant-section.ts"
import { parseS3Url, type S3Address } from "../s3/address.ts"
import { accountError, openAccount } from "./account.ts"
import { type Config, type Place, type Tenant, readIfThere, writePrivate } from "./config.ts"
import { confFileOf } from "./rclone-access.ts"
import type { RcloneRemote, S3Remote } from "./remote.ts"
import type { StepResult } from "./setup.ts"
import { accessTo, type Credentials, credentialsFile, keepCredentials, reachWith } from "./store-access.ts"

export interface PreparedTenant {
  readonly tenant: Tenant
  readonly remote: S3Remote | RcloneRemote
  readonly credentials: StepResult
  readonly conf: ConfStep
  /** For a setup that ends without a device that is set up: a new pair is revoked, and the files are as they were. */
  takeBack(): Promise<void>
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
  const before = options.existing?.tenant ?? options.existing?.formerTenant
  const kept = await keptAccess(place, before, info.value)
  if (!kept.ok) return kept
  const { tenantId, bucketName } = info.value
  if (options.isDryRun && kept.value === undefined)
    return ok({ kind: "would_create", bucket: bucketName, name: tenantRemote(tenantId) ?? "" })
  const file = confFileOf(place)
  if (options.backend === "rclone") {
    const usable = requireConf(file)
    if (!usable.ok) return usable
  }
  const access = kept.value ?? (await newAccess(place, api.value, { info: info.value, before }))
  if ("ok" in access && !access.ok) return access
  const { address, keys, credential, result, takeBack: forget } = "ok" in access ? access.value : access
  const at = { tenantId, address, keys, isDryRun: options.isDryRun }
  const { step: conf, restore } = withWayBack(file, () => writeSection(file, at))
  const takeBack = async () => {
    // A section that was repaired for a pair that goes on stays.
    if (result === "created") restore()
    await forget()
  }
  const { backend } = options
  const remote = remoteFor(backend, { address, conf })
  if (!remote.ok) {
    await takeBack()
    return remote
  }
  const tenant: Tenant = { id: tenantId, bucket: bucketName, backend, url: address.url, ...credential }
  return ok({ kind: "ready", tenant, remote: remote.value, credentials: result, conf, takeBack })
}

interface Access {
  readonly address: S3Address
  readonly keys: Credentials
  readonly credential: Pick<Tenant, "credential">
  readonly result: StepResult
  takeBack(): Promise<void>
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
    takeBack: async () => undefined,
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
  const access = { address: address.value, isTenant: true }
  const reached = await reachWith({ ...access, credentials: keys })
  if (!reached.ok) return undo(reached)
  const restore = rememberKeys(place)
  const kept = keepCredentials(place, { ...access, credentials: keys })
  if (!kept.ok) return undo(kept)
  // What another took the place of opens nothing any more; that it could not be revoked is no reason to stop.
  if (before?.credential !== undefined && before.credential !== id)
    await api.revokeCredentials(before.credential as CredentialId)
  return ok({
    address: address.value,
    keys,
    credential: id === undefined ? {} : { credential: id },
    result: "created",
    async takeBack() {
      restore()
      if (id !== undefined) await api.revokeCredentials(id)
    },
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
  if (conf.result === "not_possible") return err(noConf(conf.file, "it cannot be written"))
  const parsed = parseRcloneUrl(`rclone:${conf.name}:${address.bucket}`)
  return parsed.ok
    ? ok({ kind: "rclone", address: parsed.value, url: parsed.value.url, isTenant: true })
    : err({ code: "usage", message: parsed.error })
}

/** The backend that needs rclone.conf finds out what is wrong with it before a pair is made. */
function requireConf(file: string | undefined): Result<void, SyncError> {
  if (file === undefined) return err(noConf(file, "rclone is told to keep no file"))
  const read = readConfFile(file)
  if (read.ok) return ok(undefined)
  const { error } = read
  switch (error.kind) {
    case "encrypted":
      return err(noConf(file, "it is encrypted, so only rclone can write it"))
    case "malformed":
      return err(noConf(file, `rclone cannot read line ${error.line} of it`))
    case "system":
      return err(noConf(file, error.errno))
    default:
      return err(noConf(file, "it cannot be written"))
  }
}

function noConf(file: string | undefined, why: string): SyncError {
  return { code: "config_unreadable", file: file ?? "rclone.conf", why }
}

/** Not possible where rclone is told to keep no file, or the file is encrypted: then only rclone itself can write it. */
function writeSection(
  file: string | undefined,
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
  const section = tenantSection({ tenantId, accessKeyId, secretAccessKey, region, endpoint })
  if (file === undefined || !section.ok)
    return { result: "not_possible", name, ...(file !== undefined && { file }) }
  if (isDryRun) return { result: "would_create", name, file }
  const changed = changeConfFile(file, (conf) => putSection(conf, section.value))
  if (!changed.ok) return { result: "not_possible", name, file }
  return { result: changed.value.isWritten ? "created" : "already_done", name, file }
}

interface Written {
  readonly step: ConfStep
  /** Nothing where somebody else has written the file since. */
  restore(): void
}

function withWayBack(file: string | undefined, write: () => ConfStep): Written {
  if (file === undefined) return { step: write(), restore: () => undefined }
  const isNew = !existsSync(file)
  const before = readConfFile(file)
  const step = write()
  const after = readConfFile(file)
  return {
    step,
    restore() {
      const now = readConfFile(file)
      if (!before.ok || !after.ok || !now.ok || !isSame(now.value, after.value)) return
      if (isNew) rmSync(now.value.path, { force: true })
      else
        changeConfFile(file, (conf) =>
          ok(isSame({ conf }, after.value) ? before.value.conf.bytes : conf.bytes),
        )
    },
  }
}

function isSame(a: Pick<ConfFile, "conf">, b: Pick<ConfFile, "conf">): boolean {
  return Buffer.compare(a.conf.bytes, b.conf.bytes) === 0
}

function rememberKeys(place: Place): () => void {
  const file = credentialsFile(place)
  const before = readIfThere(file)
  return () => {
    if (before === undefined) rmSync(file, { force: true })
    else writePrivate(file, before)
  }
}
