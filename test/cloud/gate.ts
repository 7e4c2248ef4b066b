/**
 * The door to the storage: an S3 endpoint that opens to minted key pairs only, each for its tenant's bucket, and closes
 * when they are revoked. Behind it is a real server, whose own keys nobody outside ever sees.
 *
 *   client ─signed with a minted pair▶ gate ─is it right? whose bucket?─▶ signed with the real pair ─▶ server
 *
 * It judges keys and buckets and changes nothing else: not a header, not a byte.
 */

import type { ServerResponse } from "node:http"
import { forward, type Forwarded } from "../servers/forward.ts"
import { type Seen, seenOf } from "../servers/request.ts"
import { type Keys, signAgain, type Unsigned } from "../servers/sign.ts"
import { type Arrived, listen, type Listening } from "./http.ts"

/** A real S3 server and what it opens to. */
export interface Storage {
  readonly endpoint: string
  readonly accessKey: string
  readonly secretKey: string
  readonly region: string
  /** Of the first tenant, where nothing else is said. */
  readonly bucket: string
}

export interface Opening {
  readonly secretKey: string
  readonly bucket: string
}

/** A request to the storage, as tests look at it afterwards. */
export interface Stored extends Seen {
  readonly order: number
  /** The access key of the client. */
  readonly accessKey: string | undefined
  /** What was answered; nothing where the connection broke. */
  readonly status?: number
}

export interface Gate extends Listening {
  readonly endpoint: string
  /** In the order in which they arrived. */
  readonly requests: readonly Stored[]
}

interface Deps {
  readonly storage: Storage
  /** What a minted key opens, as long as it does. */
  readonly opens: (accessKey: string) => Opening | undefined
  readonly nextOrder: () => number
}

const CREDENTIAL = /Credential=([^/]+)\//
const CREDENTIAL_IN_QUERY = /(?<=[?&]X-Amz-Credential=)(.+?)(?=%2F|\/)/
const SIGNATURE = /Signature=([0-9a-f]{64})/

export async function startGate(deps: Deps): Promise<Gate> {
  const requests: Stored[] = []
  const listening = await listen(async (arrived, response) => {
    const unsigned = { method: arrived.method, target: arrived.target, headers: arrived.headers }
    const seen = seenOf({ ...unsigned, sizeBytes: arrived.body.byteLength })
    const accessKey = accessKeyOf(unsigned)
    const index = requests.push({ ...seen, order: deps.nextOrder(), accessKey }) - 1
    const status = await serve(deps, { arrived, unsigned, seen, accessKey, response })
    const request = requests[index]
    if (request !== undefined && status !== undefined) requests[index] = { ...request, status }
  })
  return { ...listening, endpoint: `http://127.0.0.1:${listening.port}`, requests }
}

interface Call {
  readonly arrived: Arrived
  readonly unsigned: Unsigned
  readonly seen: Seen
  readonly accessKey: string | undefined
  readonly response: ServerResponse
}

async function serve(deps: Deps, call: Call): Promise<number | undefined> {
  const { arrived, unsigned, response } = call
  const refusal = refusalOf(deps, call)
  if (refusal !== undefined) return refuse(response, refusal)
  const body = arrived.body
  const request = signedForStorage(unsigned, deps.storage)
  const sending = forward(deps.storage.endpoint, { ...request, body, sentBytes: body.byteLength })
  const forwarded = await sending.catch(() => undefined)
  if (forwarded === undefined) {
    response.destroy()
    return undefined
  }
  return answerAs(response, forwarded)
}

interface Refusal {
  readonly status: number
  readonly code: string
}

function refusalOf(deps: Deps, { unsigned, seen, accessKey }: Call): Refusal | undefined {
  if (accessKey === undefined) return { status: 403, code: "AccessDenied" }
  const opening = deps.opens(accessKey)
  if (opening === undefined) return { status: 403, code: "InvalidAccessKeyId" }
  // Each piece would be signed with the client's secret, and signing the request again would not reach them.
  if (unsigned.headers["x-amz-content-sha256"]?.startsWith("STREAMING-AWS4") === true)
    return { status: 501, code: "NotImplemented" }
  if (!isSignedWith(unsigned, { accessKey, secretKey: opening.secretKey }))
    return { status: 403, code: "SignatureDoesNotMatch" }
  const source = bucketOfSource(unsigned.headers["x-amz-copy-source"])
  const isOurs = seen.bucket === opening.bucket && (source === undefined || source === opening.bucket)
  // The bucket itself belongs to the service.
  const isBucketChange = seen.kind === "BUCKET" && seen.method !== "GET" && seen.method !== "HEAD"
  return isOurs && !isBucketChange ? undefined : { status: 403, code: "AccessDenied" }
}

function accessKeyOf({ target, headers }: Unsigned): string | undefined {
  const [, inHeader] = CREDENTIAL.exec(headers["authorization"] ?? "") ?? []
  return inHeader ?? CREDENTIAL_IN_QUERY.exec(target)?.[0]
}

/** It is, if signing it with the same keys gives the same signature. */
function isSignedWith(
  unsigned: Unsigned,
  { accessKey, secretKey }: { readonly accessKey: string; readonly secretKey: string },
): boolean {
  const again = signAgain(unsigned, { accessKeyId: accessKey, secretAccessKey: secretKey, region: "" })
  const signature = signatureOf(unsigned)
  return signature !== undefined && signature === signatureOf(again)
}

function signatureOf({ target, headers }: Unsigned): string | undefined {
  return SIGNATURE.exec(headers["authorization"] ?? target)?.[1]
}

/** In the region that the client names, which the server judges. */
function signedForStorage(unsigned: Unsigned, storage: Storage): Unsigned {
  const keys: Keys = {
    accessKeyId: storage.accessKey,
    secretAccessKey: storage.secretKey,
    region: storage.region,
  }
  const target = unsigned.target.replace(CREDENTIAL_IN_QUERY, encodeURIComponent(storage.accessKey))
  return signAgain({ ...unsigned, target }, keys)
}

function bucketOfSource(source: string | undefined): string | undefined {
  return source === undefined ? undefined : decodeURIComponent(source).replace(/^\//, "").split("/")[0]
}

function refuse(response: ServerResponse, { status, code }: Refusal): number {
  const text = `<?xml version="1.0" encoding="UTF-8"?><Error><Code>${code}</Code><Message>Refused.</Message></Error>`
  response.writeHead(status, { "content-type": "application/xml" })
  response.end(response.req.method === "HEAD" ? undefined : text)
  return status
}

/** Header by header and byte by byte as the server answered. */
function answerAs(response: ServerResponse, { status, headers, body }: Forwarded): number {
  const isBodiless = response.req.method === "HEAD" || status === 204 || status === 304
  response.sendDate = false
  response.writeHead(status, [...headers, ...(isBodiless ? [] : ["content-length", String(body.byteLength)])])
  response.end(body)
  return status
}
