/**
 * One request to the account's hosts and its answer, over `node:https`, or `node:http` on this machine.
 *
 * No redirect is followed, so that what is sent goes to the host that was asked and to no other. TLS is verified
 * whatever the environment says. An answer has limits of time and size, and one that is a page is no answer.
 */

import { request as httpRequest, type IncomingMessage, type RequestOptions } from "node:http"
import { request as httpsRequest } from "node:https"
import { assert, err, ok, type Result } from "../model/result.ts"
import type { Answer, CloudFailure, Nonsense } from "./failure.ts"
import { parseSafeUrl } from "./safe-url.ts"

export interface CloudRequest {
  readonly method: "GET" | "POST" | "DELETE"
  readonly url: string
  /** The access token. */
  readonly bearer?: string
  readonly body?: RequestBody
}

export type RequestBody =
  | { readonly kind: "json"; readonly value: unknown }
  | { readonly kind: "form"; readonly fields: Readonly<Record<string, string>> }

/** Any status is an answer here; what it means is for whoever asked. */
export type Ask = (request: CloudRequest) => Promise<Result<Answer, CloudFailure>>

export interface HttpLimits {
  /** From the first byte that is sent to the last that is received. */
  readonly timeoutMs: number
  readonly answerBytesMax: number
}

export const HTTP_LIMITS: HttpLimits = { timeoutMs: 30_000, answerBytesMax: 8 * 1024 * 1024 }

/** A connection for each request: they are few, and one that was kept may be gone when it is used again. */
export function openHttp(limits: HttpLimits = HTTP_LIMITS): Ask {
  return async (request) => {
    const signal = AbortSignal.timeout(limits.timeoutMs)
    try {
      return await exchange(request, { signal, answerBytesMax: limits.answerBytesMax })
    } catch (error) {
      if (signal.aborted) return err({ kind: "unreachable", word: "ETIMEDOUT" })
      const word = systemWordOf(error)
      if (word === undefined) throw error
      return err({ kind: "unreachable", word })
    }
  }
}

interface Bounds {
  readonly signal: AbortSignal
  readonly answerBytesMax: number
}

async function exchange(request: CloudRequest, bounds: Bounds): Promise<Result<Answer, CloudFailure>> {
  const response = await send(request, bounds.signal)
  const { statusCode: status = 0, headers } = response
  if (status >= 300 && status < 400) {
    response.destroy()
    return err(redirected(status, { location: headers.location, from: request.url }))
  }
  if (!/^(identity)?$/i.test(headers["content-encoding"] ?? "")) return refuse(response, "compressed")
  const text = await textOf(response, bounds)
  if (text === undefined) return refuse(response, "too_large")
  return answerOf({ status, text, contentType: headers["content-type"] ?? "" })
}

function send(request: CloudRequest, signal: AbortSignal): Promise<IncomingMessage> {
  const url = parseSafeUrl(request.url)
  assert(url !== undefined, "requests go to a safe URL")
  const { contentType, bytes } = encode(request.body)
  const options: RequestOptions = {
    method: request.method,
    agent: false,
    signal,
    headers: {
      accept: "application/json",
      "accept-encoding": "identity",
      "user-agent": "basic-memory-sync",
      ...(request.bearer !== undefined && { authorization: `Bearer ${request.bearer}` }),
      ...(contentType !== undefined && { "content-type": contentType }),
      ...(request.method === "POST" && { "content-length": bytes.length }),
    },
  }
  return new Promise((resolve, reject) => {
    const sent =
      url.protocol === "https:"
        ? httpsRequest(url, { ...options, rejectUnauthorized: true }, resolve)
        : httpRequest(url, options, resolve)
    sent.on("error", reject)
    sent.end(bytes)
  })
}

function encode(body: RequestBody | undefined): { readonly contentType?: string; readonly bytes: Buffer } {
  switch (body?.kind) {
    case undefined:
      return { bytes: Buffer.alloc(0) }
    case "json":
      return { contentType: "application/json", bytes: Buffer.from(JSON.stringify(body.value)) }
    case "form":
      return {
        contentType: "application/x-www-form-urlencoded",
        bytes: Buffer.from(new URLSearchParams(body.fields).toString()),
      }
  }
}

/** `undefined` where there is more than the limit. */
async function textOf(response: IncomingMessage, { answerBytesMax }: Bounds): Promise<string | undefined> {
  const pieces: Buffer[] = []
  let bytes = 0
  for await (const piece of response) {
    assert(Buffer.isBuffer(piece), "a response without an encoding yields buffers")
    bytes += piece.length
    if (bytes > answerBytesMax) return undefined
    pieces.push(piece)
  }
  return Buffer.concat(pieces).toString("utf8").trim()
}

/** A gateway's page about its own 5xx is believed; any other page comes from somebody in between. */
function answerOf(got: {
  readonly status: number
  readonly text: string
  readonly contentType: string
}): Result<Answer, CloudFailure> {
  const { status, text, contentType } = got
  const isPage = /^text\/html\b/i.test(contentType) || text.startsWith("<")
  if (isPage)
    return status >= 500 ? ok({ status, value: undefined }) : err({ kind: "nonsense", what: "page" })
  if (text === "") return ok({ status, value: undefined })
  const value = parseJson(text)
  const isSuccess = status >= 200 && status < 300
  return value === undefined && isSuccess
    ? err({ kind: "nonsense", what: "not_json" })
    : ok({ status, value })
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function refuse(response: IncomingMessage, what: Nonsense): Result<never, CloudFailure> {
  response.destroy()
  return err({ kind: "nonsense", what })
}

function redirected(
  status: number,
  { location = "", from }: { readonly location: string | undefined; readonly from: string },
): CloudFailure {
  const isWhole = location !== "" && URL.canParse(location, from)
  const to = isWhole ? parseSafeUrl(new URL(location, from).href) : undefined
  return { kind: "redirected", status, ...(to !== undefined && { origin: to.origin }) }
}

/** Of the network, of TLS, and of Node's reader of HTTP: they say that nobody proper answered. */
const SYSTEM_WORD =
  /^(E[A-Z0-9]+|EAI_[A-Z]+|HPE_[A-Z_]+|[A-Z_]*CERT[A-Z_]*|UNABLE_TO_[A-Z_]+|HOSTNAME_MISMATCH|INVALID_(CA|PURPOSE)|ERR_(TLS|SSL|OSSL|SOCKET|STREAM)_[A-Z0-9_]+)$/

function systemWordOf(error: unknown): string | undefined {
  const code = error instanceof Error && "code" in error ? error.code : undefined
  if (typeof code === "string") return SYSTEM_WORD.test(code) ? code : undefined
  // Several addresses were tried, and none answered.
  const [first] = error instanceof AggregateError ? error.errors : []
  return first === undefined ? undefined : systemWordOf(first)
}
