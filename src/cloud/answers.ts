/**
 * Answers of the account's API, read field by field. Pure.
 *
 * What becomes a file name, a section of a configuration file, a host or a header has a form that it must have, for
 * whoever answers in place of the service could otherwise write where it wants.
 */

import { err, ok, type Result } from "../model/result.ts"
import type { CloudFailure } from "./failure.ts"
import { everyOf, fieldOf, listOf, numberOf, pairsOf, textOf, wordOf } from "./fields.ts"
import { safeHref } from "./safe-url.ts"

export interface Health {
  readonly status?: string
  readonly version?: string
  readonly timestamp?: string
}

declare const tenantId: unique symbol
/** Safe as the name of a directory and of a section of rclone's configuration. */
export type TenantId = string & { readonly [tenantId]: true }

export interface MountInfo {
  readonly tenantId: TenantId
  readonly bucketName: string
  readonly hasCredentials?: boolean
  readonly credentialsCreatedAt?: string
}

export interface MintedCredentials {
  readonly tenantId: TenantId
  readonly bucketName: string
  readonly accessKey: string
  readonly secretKey: string
  /** Without a slash at its end. */
  readonly endpointUrl: string
  readonly region: string
}

declare const credentialId: unique symbol
/** One segment of a URL. */
export type CredentialId = string & { readonly [credentialId]: true }

export interface Credential {
  readonly id: CredentialId
  readonly createdAt?: string
  /** Where the service tells which key the pair has. */
  readonly accessKey?: string
}

export interface CloudProject {
  readonly name: string
  /** As the service has it, often below `/app/data/`. */
  readonly path: string
  readonly isDefault: boolean
}

export interface ProjectList {
  readonly projects: readonly CloudProject[]
  readonly defaultProject?: string
}

/** What the cloud has not indexed yet, by path. */
export interface ProjectStatus {
  readonly new: readonly string[]
  readonly modified: readonly string[]
  readonly deleted: readonly string[]
  readonly moves: ReadonlyMap<string, string>
  readonly checksums: ReadonlyMap<string, string>
  readonly total: number
}

export interface Conversation {
  /** What the command prints: text of many lines, not cleaned. */
  readonly prompt: string
  readonly context: unknown
  readonly metadata: unknown
}

type Parsed<T> = Result<T, CloudFailure>

/** What every disk takes as a name: no separator, no dot at an end, nothing that a configuration file acts upon. */
const NAME = /^[A-Za-z0-9](?:[\w.-]{0,98}[\w-])?$/
const BUCKET = /^[A-Za-z0-9][\w.-]{1,254}$/
const REGION = /^[\w-]{1,64}$/
const KEY = /^[\x21-\x7e]{1,512}$/
/** Longer names are of no directory. */
const NAME_LENGTH_MAX = 1024
const COUNT = { min: 0, max: Number.MAX_SAFE_INTEGER }

export function parseHealth(value: unknown): Parsed<Health> {
  if (pairsOf(value) === undefined) return misshapen("health")
  const status = textOf(fieldOf(value, "status"))
  const version = textOf(fieldOf(value, "version"))
  const timestamp = textOf(fieldOf(value, "timestamp"))
  return ok({
    ...(status !== undefined && { status }),
    ...(version !== undefined && { version }),
    ...(timestamp !== undefined && { timestamp }),
  })
}

export function parseMountInfo(value: unknown): Parsed<MountInfo> {
  const tenantId = wordOf(fieldOf(value, "tenant_id"), NAME) as TenantId | undefined
  if (tenantId === undefined) return misshapen("tenant_id")
  const bucketName = wordOf(fieldOf(value, "bucket_name"), BUCKET)
  if (bucketName === undefined) return misshapen("bucket_name")
  const hasCredentials = fieldOf(value, "has_credentials")
  const credentialsCreatedAt = textOf(fieldOf(value, "credentials_created_at"))
  return ok({
    tenantId,
    bucketName,
    ...(typeof hasCredentials === "boolean" && { hasCredentials }),
    ...(credentialsCreatedAt !== undefined && { credentialsCreatedAt }),
  })
}

export function parseMintedCredentials(value: unknown): Parsed<MintedCredentials> {
  const mount = parseMountInfo(value)
  if (!mount.ok) return mount
  const { tenantId, bucketName } = mount.value
  const accessKey = wordOf(fieldOf(value, "access_key"), KEY)
  if (accessKey === undefined) return misshapen("access_key")
  const secretKey = wordOf(fieldOf(value, "secret_key"), KEY)
  if (secretKey === undefined) return misshapen("secret_key")
  const endpointUrl = endpointOf(fieldOf(value, "endpoint_url"))
  if (endpointUrl === undefined) return misshapen("endpoint_url")
  const region = wordOf(fieldOf(value, "region"), REGION)
  if (region === undefined) return misshapen("region")
  return ok({ tenantId, bucketName, accessKey, secretKey, endpointUrl, region })
}

function endpointOf(value: unknown): string | undefined {
  const href = safeHref(value)
  return href === undefined || /[?#]/.test(href) ? undefined : href.replace(/\/+$/, "")
}

export function parseCredentials(value: unknown): Parsed<readonly Credential[]> {
  const credentials = everyOf(listOf(value) ?? listOf(fieldOf(value, "credentials")), credentialOf)
  return credentials === undefined ? misshapen("credentials") : ok(credentials)
}

export function parseCredentialId(text: unknown): CredentialId | undefined {
  return wordOf(text, NAME) as CredentialId | undefined
}

function credentialOf(value: unknown): Credential | undefined {
  const id = parseCredentialId(fieldOf(value, "id"))
  const createdAt = textOf(fieldOf(value, "created_at"))
  const accessKey = wordOf(fieldOf(value, "access_key"), KEY)
  if (id === undefined) return undefined
  return { id, ...(createdAt !== undefined && { createdAt }), ...(accessKey !== undefined && { accessKey }) }
}

export function parseProjects(value: unknown): Parsed<ProjectList> {
  const projects = everyOf(listOf(fieldOf(value, "projects")), projectOf)
  if (projects === undefined) return misshapen("projects")
  const defaultProject = textOf(fieldOf(value, "default_project"))
  return ok({ projects, ...(defaultProject !== undefined && { defaultProject }) })
}

export function parseProject(value: unknown): Parsed<CloudProject> {
  const project = projectOf(value)
  return project === undefined ? misshapen("project") : ok(project)
}

function projectOf(value: unknown): CloudProject | undefined {
  const name = textOf(fieldOf(value, "name"))
  const path = textOf(fieldOf(value, "path"))
  if (name === undefined || path === undefined) return undefined
  if (name.length > NAME_LENGTH_MAX || path.length > NAME_LENGTH_MAX) return undefined
  return { name, path, isDefault: fieldOf(value, "is_default") === true }
}

export function parseProjectStatus(value: unknown): Parsed<ProjectStatus> {
  const added = textsOf(fieldOf(value, "new"))
  if (added === undefined) return misshapen("new")
  const modified = textsOf(fieldOf(value, "modified"))
  if (modified === undefined) return misshapen("modified")
  const deleted = textsOf(fieldOf(value, "deleted"))
  if (deleted === undefined) return misshapen("deleted")
  const moves = textsByName(fieldOf(value, "moves"))
  if (moves === undefined) return misshapen("moves")
  const checksums = textsByName(fieldOf(value, "checksums"))
  if (checksums === undefined) return misshapen("checksums")
  const total = numberOf(fieldOf(value, "total"), COUNT)
  if (total === undefined) return misshapen("total")
  return ok({ new: added, modified, deleted, moves, checksums, total })
}

export function parseConversation(value: unknown): Parsed<Conversation> {
  const prompt = fieldOf(value, "prompt")
  if (typeof prompt !== "string") return misshapen("prompt")
  return ok({ prompt, context: fieldOf(value, "context"), metadata: fieldOf(value, "metadata") })
}

function textsOf(value: unknown): readonly string[] | undefined {
  return everyOf(listOf(value), textOf)
}

function textsByName(value: unknown): ReadonlyMap<string, string> | undefined {
  const pairs = everyOf(pairsOf(value), (pair) => {
    const [name, text] = listOf(pair) ?? []
    return typeof name === "string" && typeof text === "string" ? ([name, text] as const) : undefined
  })
  return pairs === undefined ? undefined : new Map(pairs)
}

function misshapen(field: string): { readonly ok: false; readonly error: CloudFailure } {
  return err({ kind: "nonsense", what: "shape", field })
}
