/**
 * What a server or the network answers instead of success, sorted by what it means for us.
 *
 * A word of the server, such as `SlowDown`, goes before its status, for many gateways choose the status freely. What
 * is handed on is that word or the system's, and nothing else of the answer: no message, no URL, so never a secret.
 */

import type { Failure, FailureKind } from "../store/store.ts"

/** An answer that is not S3's, found by our own reading. */
export class Nonsense extends Error {
  constructor(what: string) {
    super(what)
    this.name = "Nonsense"
  }
}

/** Servers over folders list an object by halves while it is replaced; the next answer has all of it. */
export class Unready extends Error {
  constructor(what: string) {
    super(what)
    this.name = "Unready"
  }
}

const BY_NAME: Readonly<Record<string, FailureKind>> = {
  PreconditionFailed: "precondition",
  ConditionalRequestConflict: "conflict",
  OperationAborted: "conflict",
  NoSuchBucket: "no_bucket",
  NoSuchKey: "not_found",
  NotFound: "not_found",
  NoSuchUpload: "not_found",
  InvalidAccessKeyId: "credentials",
  // versitygw, with a 404.
  XAdminUserNotFound: "credentials",
  SignatureDoesNotMatch: "credentials",
  InvalidSignature: "credentials",
  InvalidSecurity: "credentials",
  CredentialsProviderError: "credentials",
  TokenProviderError: "credentials",
  InvalidToken: "credentials",
  ExpiredToken: "expired",
  ExpiredTokenException: "expired",
  TokenRefreshRequired: "expired",
  AccessDenied: "denied",
  AllAccessDisabled: "denied",
  AccountProblem: "denied",
  RequestTimeTooSkewed: "clock",
  RequestInTheFuture: "clock",
  NotImplemented: "not_implemented",
  SlowDown: "busy",
  ServiceUnavailable: "busy",
  TooManyRequests: "busy",
  TooManyRequestsException: "busy",
  RequestLimitExceeded: "busy",
  Throttling: "busy",
  ThrottlingException: "busy",
  InternalError: "unreachable",
  TimeoutError: "unreachable",
  RequestTimeout: "unreachable",
  AbortError: "unreachable",
}

const BY_STATUS: Readonly<Record<number, FailureKind>> = {
  401: "credentials",
  403: "denied",
  404: "not_found",
  409: "conflict",
  412: "precondition",
  429: "busy",
  501: "not_implemented",
  503: "busy",
}

/** Words of the system for a server that cannot be reached, went away, or cannot prove who it is. */
const SYSTEM =
  /^(E[A-Z]+|EAI_[A-Z]+|HPE_[A-Z_]+|[A-Z_]*CERT[A-Z_]*|UNABLE_TO_[A-Z_]+|HOSTNAME_MISMATCH|INVALID_(CA|PURPOSE)|ERR_(TLS|SSL|OSSL|SOCKET|STREAM)_[A-Z0-9_]+)$/
const WORD = /^[A-Za-z][\w.-]{0,63}$/
const REGION = /^[a-z0-9-]{1,32}$/

/** `isConditional`: a key that is gone does not hold what the condition says. */
export function failureOf(error: unknown, { isConditional = false } = {}): Failure {
  if (error instanceof Nonsense) return { kind: "nonsense", detail: error.message }
  if (error instanceof Unready) return { kind: "busy", detail: error.message }
  const facts = factsOf(error)
  const kind = kindOf(facts)
  const isGone = isConditional && kind === "not_found" && facts.name !== "NoSuchUpload"
  return {
    kind: isGone ? "precondition" : kind,
    detail: detailOf(facts),
    ...(facts.status !== undefined && { status: facts.status }),
  }
}

/** The word of whatever broke a connection. */
export function wordOf(error: unknown): string {
  return detailOf(factsOf(error))
}

/** A mistake of this program, which no answer of a server can be the reason of. */
export function isOurs(error: unknown): boolean {
  if (!(error instanceof Error)) return true
  if (error instanceof Nonsense || error instanceof Unready || "$metadata" in error || "$response" in error)
    return false
  const { name, code } = factsOf(error)
  if (SYSTEM.test(code) || name in BY_NAME) return false
  return error.message.startsWith("assertion failed") || /^(Type|Range|Reference)Error$/.test(name)
}

interface Facts {
  readonly name: string
  readonly code: string
  readonly status: number | undefined
  readonly hasExpired: boolean
  readonly region: string | undefined
}

function kindOf({ name, code, status, hasExpired }: Facts): FailureKind {
  const named = Object.hasOwn(BY_NAME, name) ? BY_NAME[name] : undefined
  if (named !== undefined) return named === "credentials" && hasExpired ? "expired" : named
  if (SYSTEM.test(code) || status === undefined) return "unreachable"
  const byStatus = BY_STATUS[status]
  if (byStatus !== undefined) return byStatus
  if (status >= 500) return "unreachable"
  return status < 300 ? "nonsense" : "refused"
}

function detailOf({ name, code, status, hasExpired, region }: Facts): string {
  if (SYSTEM.test(code)) return code
  if (name === "CredentialsProviderError") return hasExpired ? "expired" : "missing"
  const isWord = WORD.test(name) && name !== "Error" && !name.startsWith("Unknown")
  const word = isWord ? name : status === undefined ? "unknown" : `HTTP ${status}`
  return region === undefined ? word : `${word}: the region is ${region}`
}

function factsOf(error: unknown): Facts {
  if (!(error instanceof Error))
    return { name: "", code: "", status: undefined, hasExpired: false, region: undefined }
  const { name, message } = error
  const metadata = fieldOf(error, "$metadata")
  const status = fieldOf(metadata, "httpStatusCode")
  const code = fieldOf(error, "code") ?? fieldOf(fieldOf(error, "cause"), "code")
  const isElsewhere = status === 301 || status === 307 || status === 400
  const headers = fieldOf(fieldOf(error, "$response"), "headers")
  const region = isElsewhere
    ? (fieldOf(headers, "x-amz-bucket-region") ?? fieldOf(error, "Region"))
    : undefined
  return {
    name,
    code: typeof code === "string" ? code : "",
    status: typeof status === "number" ? status : undefined,
    // The SDK's chain says it in its message only.
    hasExpired: /Provider/.test(name) && /expired/i.test(message),
    region: typeof region === "string" && REGION.test(region) ? region : undefined,
  }
}

function fieldOf(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null ? Reflect.get(value, name) : undefined
}
