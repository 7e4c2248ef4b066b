/**
 * The way to an object store: which key pair is used, and what it means when the store does not let us in.
 *
 * A pair in the environment goes first, then one that setup stored for this remote, then what the SDK finds by itself.
 * A pair that the user typed is kept only after the store accepted it.
 */

import { join } from "node:path"
import { troubleOf } from "../backend/object-side.ts"
import type { SyncError, Trouble } from "../model/errors.ts"
import { err, ok, type Result } from "../model/result.ts"
import type { S3Address } from "../s3/address.ts"
import { type Credentials, readStoredCredentials, storeCredentials } from "../s3/credentials.ts"
import type { Failure, ObjectStore } from "../store/store.ts"
import type { Verdict } from "../store/verdict.ts"
import type { Place } from "./config.ts"
import type { S3Remote } from "./remote.ts"
import { clock } from "./session.ts"

export type { Credentials } from "../s3/credentials.ts"

export function credentialsFile(place: Place): string {
  return join(place.stateRoot, "s3-credentials.json")
}

/** A remote with the pair to use there; without one the SDK looks in the usual places. */
export interface StoreAccess {
  readonly address: S3Address
  readonly credentials?: Credentials
  readonly isTenant?: boolean
}

/** Without it the storage of the cloud answers from whatever copy is near, which may be old. */
export const TENANT_HEADERS = { "X-Tigris-Consistent": "true" } as const

export function accessTo(
  place: Place,
  { address, isTenant = false }: S3Remote,
): Result<StoreAccess, SyncError> {
  // The keys in the environment are for other buckets than the one that came with an account.
  if (place.hasKeysInEnvironment === true && !isTenant) return ok({ address })
  const file = credentialsFile(place)
  const stored = readStoredCredentials(file, address.url)
  if (!stored.ok) return err({ code: "config_unreadable", file, why: stored.error })
  return ok({ address, isTenant, ...(stored.value !== undefined && { credentials: stored.value }) })
}

/** The SDK is loaded by what talks to a store, and by nothing else. */
export async function openObjectStore(
  { address, credentials, isTenant = false }: StoreAccess,
  etagForm: Verdict["etagForm"],
): Promise<ObjectStore> {
  const { openSdkStore } = await import("../s3/sdk-store.ts")
  return openSdkStore(address, {
    etagForm,
    nowMs: clock.nowMs,
    // A pair of its own: the SDK writes into what it is given.
    ...(credentials !== undefined && { credentials: { ...credentials } }),
    ...(isTenant && { headers: TENANT_HEADERS, via: "account" }),
  })
}

export interface Reached {
  readonly access: StoreAccess
  /** Its pair was typed just now. */
  readonly isTyped?: true
  readonly latencyMs: number
  readonly skewMs?: number
}

/** Asks for a key pair; `undefined` where the user gave none. */
export type AskCredentials = (why: "missing" | "rejected") => Promise<Credentials | undefined>

/** Looks with one LIST whether the remote lets us in; asks for a pair where it does not and somebody can be asked. */
export async function reachStore(
  place: Place,
  remote: S3Remote,
  ask: AskCredentials | undefined,
): Promise<Result<Reached, SyncError>> {
  const found = accessTo(place, remote)
  if (!found.ok) return found
  const first = await tryList(found.value)
  if (first.ok) return ok({ ...first.value, access: found.value })
  const { code, detail } = first.error
  if (code !== "credentials" || ask === undefined || place.hasKeysInEnvironment === true)
    return refused(remote, first.error)
  const typed = await ask(detail === "missing" ? "missing" : "rejected")
  if (typed === undefined) return refused(remote, { ...first.error, detail: "missing_asked" })
  const access = { address: remote.address, credentials: typed }
  const second = await tryList(access)
  return second.ok ? ok({ ...second.value, access, isTyped: true }) : refused(remote, second.error)
}

/** With this pair and no other; nobody is asked. */
export async function reachWith(access: StoreAccess): Promise<Result<void, SyncError>> {
  const tried = await tryList(access)
  return tried.ok ? ok(undefined) : refused(access.address, tried.error)
}

function refused(remote: Pick<S3Remote, "url">, trouble: Trouble): Result<never, SyncError> {
  return err({ code: "setup_failed", what: `use ${remote.url} as the remote`, trouble })
}

async function tryList(access: StoreAccess): Promise<Result<Pick<Reached, "latencyMs" | "skewMs">, Trouble>> {
  const store = await openObjectStore(access, "quoted")
  try {
    const startedMs = performance.now()
    const page = await store.list({ prefix: "" })
    const skewMs = store.skewMs()
    if (!page.ok) return err(storeTrouble(page.error, access.address.url, skewMs))
    const latencyMs = performance.now() - startedMs
    return ok({ latencyMs, ...(skewMs !== undefined && { skewMs }) })
  } finally {
    store.close()
  }
}

export function keepCredentials(place: Place, access: StoreAccess): Result<void, SyncError> {
  const { address, credentials } = access
  if (credentials === undefined) return ok(undefined)
  const file = credentialsFile(place)
  const stored = storeCredentials(file, address.url, credentials)
  if (stored.ok) return ok(undefined)
  return err({ code: "state_write_failed", trouble: { code: "io", path: file, detail: stored.error } })
}

/** A failure of the whole remote, not of one key. How far the clock is off goes with it, for nobody can guess that. */
export function storeTrouble(failure: Failure, url: string, skewMs?: number): Trouble {
  const trouble = troubleOf(failure, url)
  return trouble.code === "clock" && skewMs !== undefined
    ? { ...trouble, detail: `${Math.round(skewMs)} ms` }
    : trouble
}
