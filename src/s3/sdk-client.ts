/**
 * The SDK's client as this program needs it: time limits on everything, TLS that is always verified, checksums only
 * where servers are known to bear them, and a look at every answer before the SDK reads it.
 *
 * Whatever is asked of a bucket goes through the `SdkSide` that is made here.
 */

import { Agent as HttpAgent } from "node:http"
import { Agent as HttpsAgent } from "node:https"
import type { S3Client, S3ClientConfig } from "@aws-sdk/client-s3"
import { ContentLost } from "../model/ports.ts"
import { isLoopback } from "../model/loopback.ts"
import { err, ok, type Result } from "../model/result.ts"
import type { S3Address } from "./address.ts"
import type { Credentials } from "./credentials.ts"
import { failureOf, isOurs, Nonsense } from "./failure.ts"
import { exposeError, isHttp, noteDate, refuseStrangers, type ServerClock } from "./sdk-answer.ts"
import { createLimiter, LANES_MAX, type Limiter, type Patience, SEND_MS_MAX } from "./sdk-patience.ts"
import type { Etag, Failure } from "../store/store.ts"
import type { Verdict } from "../store/verdict.ts"

export type Sdk = typeof import("@aws-sdk/client-s3")

export interface SideOptions {
  readonly address: S3Address
  readonly credentials?: Credentials
  readonly etagForm: Verdict["etagForm"]
  /** `when_required` where the default is known to fail; AWS itself takes the SDK's default. */
  readonly checksums?: "when_supported" | "when_required"
  readonly nowMs: () => number
  readonly patience: Patience
  /** Sent with every request. */
  readonly headers?: Readonly<Record<string, string>>
  /** Who gave the bucket and its key pair, where it is not the user. */
  readonly via?: "account"
}

export interface SdkSide
  extends Pick<SideOptions, "address" | "etagForm" | "nowMs" | "patience" | "headers" | "via"> {
  readonly sdk: Sdk
  readonly client: S3Client
  readonly clock: ServerClock
  readonly limiter: Limiter
}

const DEFAULT_REGION = "us-east-1"

/** What the answer to a command must be, where it may be an error with the status of a success. */
const ROOTS: Readonly<Record<string, string>> = {
  CopyObjectCommand: "CopyObjectResult",
  UploadPartCopyCommand: "CopyPartResult",
  CompleteMultipartUploadCommand: "CompleteMultipartUploadResult",
}

/** The SDK prints advice on the console where nobody listens. */
const SILENT = {
  trace: () => undefined,
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
}

export async function openSide(sdk: Sdk, options: SideOptions): Promise<SdkSide> {
  const { address, etagForm, nowMs, patience } = options
  const clock: ServerClock = { skewMs: undefined }
  const client = await withRegion(sdk, configOf(options))
  client.middlewareStack.add(
    (next, context) => async (args) => {
      const sentMs = nowMs()
      const result = await next(args)
      const { response } = result
      if (isHttp(response)) {
        noteDate(clock, { headers: response.headers, sentMs, answeredMs: nowMs() })
        refuseStrangers(response)
        const root = ROOTS[String(context["commandName"])]
        if (root !== undefined) await exposeError(response, { root, idleMs: patience.idleMs })
      }
      return result
    },
    { step: "deserialize", priority: "low", name: "bmAnswer" },
  )
  guardAttempts(client, nowMs)
  const { headers, via } = options
  if (headers !== undefined) addHeaders(client, headers)
  const limiter = createLimiter(patience, () => performance.now())
  const side = { sdk, client, clock, limiter, address, etagForm, nowMs, patience }
  return { ...side, ...(headers && { headers }), ...(via && { via }) }
}

/** Before the request is signed, so that the signature covers them. */
function addHeaders(client: S3Client, headers: Readonly<Record<string, string>>): void {
  client.middlewareStack.add(
    (next) => (args) => {
      if (isHttpRequest(args.request)) Object.assign(args.request.headers, headers)
      return next(args)
    },
    { step: "build", name: "bmHeaders" },
  )
}

function isHttpRequest(request: unknown): request is { readonly headers: Record<string, string> } {
  return typeof request === "object" && request !== null && "headers" in request
}

/** Nothing leaves too late, and nothing without TLS, wherever the SDK found its endpoint. */
function guardAttempts(client: S3Client, nowMs: () => number): void {
  const asked = "bmAsked"
  client.middlewareStack.add(
    (next, context) => (args) => {
      context[asked] = { monotonicMs: performance.now(), wallMs: nowMs() }
      return next(args)
    },
    { step: "initialize", name: "bmAsked" },
  )
  client.middlewareStack.add(
    (next, context) => (args) => {
      const { monotonicMs, wallMs } = context[asked]
      // A computer that slept in between knows it by its wall clock only.
      const ageMs = Math.max(performance.now() - monotonicMs, Math.abs(nowMs() - wallMs))
      if (ageMs > SEND_MS_MAX)
        throw Object.assign(new Error("too late to be sent again"), { code: "EDEADLINE" })
      if (!isSafe(args.request)) throw new Nonsense("an endpoint without TLS")
      return next(args)
    },
    { step: "finalizeRequest", priority: "low", name: "bmAttempt" },
  )
}

function isSafe(request: unknown): boolean {
  if (typeof request !== "object" || request === null) return false
  if (!("protocol" in request) || !("hostname" in request)) return false
  const { protocol, hostname } = request
  return protocol === "https:" || (typeof hostname === "string" && isLoopback(hostname))
}

function configOf({ address, credentials, checksums, patience }: SideOptions): S3ClientConfig {
  const { endpoint, region } = address
  const isOffAws = endpoint !== undefined
  const agent = { keepAlive: true, maxSockets: LANES_MAX }
  const when = (checksums ?? (isOffAws ? "when_required" : "when_supported")) === "when_required"
  return {
    ...(isOffAws && { endpoint, forcePathStyle: true }),
    ...(region !== undefined && { region }),
    ...(credentials !== undefined && { credentials }),
    ...(when && {
      requestChecksumCalculation: "WHEN_REQUIRED" as const,
      responseChecksumValidation: "WHEN_REQUIRED" as const,
    }),
    retryMode: "standard",
    maxAttempts: patience.attemptsMax,
    // A clock that is too far off is said, not worked around: "newer" depends on it.
    disableClockSkewCorrection: true,
    followRegionRedirects: false,
    // With it the SDK waits for servers that do not know it, over connections that are not configured here.
    expectContinueHeader: false,
    logger: SILENT,
    requestHandler: {
      connectionTimeout: patience.connectMs,
      // No limit on a whole request, which may be a large upload over a slow line; a silent one is cut.
      socketTimeout: patience.idleMs,
      logger: SILENT,
      // Made here: the SDK makes others for some requests if it is only told how.
      httpAgent: new HttpAgent(agent),
      httpsAgent: new HttpsAgent({ ...agent, rejectUnauthorized: true }),
    },
  }
}

/** The URL's region, else what the SDK finds, else the name that servers without regions take. */
async function withRegion(sdk: Sdk, config: S3ClientConfig): Promise<S3Client> {
  const client = new sdk.S3Client(config)
  if (config.region !== undefined) return client
  try {
    await client.config.region()
    return client
  } catch {
    client.destroy()
    return new sdk.S3Client({ ...config, region: DEFAULT_REGION })
  }
}

export interface AskOptions {
  /** The request names a version: a key that is gone does not hold it. */
  readonly isConditional?: boolean
  /** The SDK cannot send it again, for its body is consumed; asking again opens it anew. */
  readonly isStreamed?: boolean
}

/** One request, as often as it takes, and its failure as a value. A source that was lost is thrown on. */
export function ask<T>(
  { limiter, via }: SdkSide,
  work: () => Promise<T>,
  { isConditional = false, isStreamed = false }: AskOptions = {},
): Promise<Result<T, Failure>> {
  const attempt = async (): Promise<Result<T, Failure>> => {
    try {
      return ok(await work())
    } catch (error) {
      if (error instanceof ContentLost || isOurs(error)) throw error
      return err({ ...failureOf(error, { isConditional }), ...(via && { via }) })
    }
  }
  return limiter.run(attempt, { isRetried: ({ kind }) => isStreamed && kind === "unreachable" })
}

export function at({ address }: SdkSide, key: string): { readonly Bucket: string; readonly Key: string } {
  return { Bucket: address.bucket, Key: address.prefix + key }
}

/** `If-Match` of a write as this server understands it. */
export function etagText({ etagForm }: SdkSide, etag: Etag): string {
  return etagForm === "bare" ? etag : quoted(etag)
}

/** Reads, the sources of copies and parts: the servers that want a bare etag in writes take them as everybody does. */
export function quoted(etag: Etag): string {
  return `"${etag}"`
}

export function unquoted(etag: string): Etag {
  return etag.startsWith('"') && etag.endsWith('"') && etag.length > 1 ? etag.slice(1, -1) : etag
}

export function mustEtag(etag: string | undefined): Etag {
  if (etag === undefined || unquoted(etag) === "") throw new Nonsense("a write without an etag")
  return unquoted(etag)
}
