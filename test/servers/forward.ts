/**
 * Sends a request on to the server behind the proxy and collects the whole answer, byte for byte.
 *
 * Every request has a connection of its own: one that is kept may be closed by the server just when it is used again,
 * and that would be a fault that nobody has asked for.
 */

import { type IncomingMessage, request as httpRequest } from "node:http"
import type { Unsigned } from "./sign.ts"

export interface Forwarded {
  readonly status: number
  /** Names and values in turn, as they arrived, without those that belong to the connection. */
  readonly headers: readonly string[]
  readonly body: Buffer
}

const OF_THE_CONNECTION = new Set([
  "connection",
  "keep-alive",
  "transfer-encoding",
  "content-length",
  "expect",
])

/** Nothing where fewer bytes were to be sent than the request has: then the connection is cut after them. */
export async function forward(
  endpoint: string,
  request: Unsigned & { readonly body: Buffer; readonly sentBytes: number },
): Promise<Forwarded | undefined> {
  const { hostname, port } = new URL(endpoint)
  const { method, target, body, sentBytes } = request
  const headers = Object.entries(request.headers).filter(
    ([name]) => name !== "expect" && name !== "connection",
  )
  const outgoing = httpRequest({
    hostname,
    port,
    method,
    path: target,
    headers: Object.fromEntries(headers),
    setHost: false,
    agent: false,
  })
  if (sentBytes < body.byteLength) {
    await new Promise<void>((resolve) => {
      outgoing.on("error", () => resolve())
      outgoing.on("close", resolve)
      outgoing.write(body.subarray(0, sentBytes), () => outgoing.destroy())
    })
    return undefined
  }
  const answered = new Promise<IncomingMessage>((resolve, reject) => {
    outgoing.on("response", resolve)
    outgoing.on("error", reject)
  })
  outgoing.end(body)
  const incoming = await answered
  const answer = await readBody(incoming)
  return { status: incoming.statusCode ?? 0, headers: headersOf(incoming, method), body: answer }
}

export async function readBody(message: IncomingMessage): Promise<Buffer> {
  const pieces: Buffer[] = []
  for await (const piece of message) pieces.push(piece)
  return Buffer.concat(pieces)
}

function headersOf(incoming: IncomingMessage, method: string): readonly string[] {
  const kept: string[] = []
  const raw = incoming.rawHeaders
  for (let index = 0; index < raw.length; index += 2) {
    const name = raw[index] ?? ""
    // Of a HEAD the length is the object's.
    const isObjectLength = method === "HEAD" && name.toLowerCase() === "content-length"
    if (isObjectLength || !OF_THE_CONNECTION.has(name.toLowerCase())) kept.push(name, raw[index + 1] ?? "")
  }
  return kept
}
