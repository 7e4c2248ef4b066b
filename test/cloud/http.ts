/**
 * HTTP servers of the stand-in: on loopback and a free port, with whole requests in and whole replies out. Knows nothing
 * of what is asked.
 */

import { once } from "node:events"
import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import { readBody } from "../servers/forward.ts"

/** A request as it came over the wire. */
export interface Arrived {
  readonly method: string
  /** The encoded path with its query. */
  readonly target: string
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: Buffer
}

export interface Reply {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
  readonly body: string
}

export interface Listening {
  readonly port: number
  /** Breaks what is still open. */
  close(): Promise<void>
}

export async function listen(
  serve: (arrived: Arrived, response: ServerResponse) => Promise<void> | void,
): Promise<Listening> {
  const http = createServer({ keepAliveTimeout: 120_000, requestTimeout: 0 }, (request, response) => {
    // A client that goes away is none of the server's troubles.
    request.on("error", () => {})
    response.on("error", () => {})
    void readBody(request).then(
      (body) => serve({ ...headOf(request), body }, response),
      () => {},
    )
  })
  http.listen(0, "127.0.0.1")
  await once(http, "listening")
  const address = http.address()
  if (address === null || typeof address === "string") throw new Error("a port has no number")
  return {
    port: address.port,
    async close() {
      const closed = once(http, "close")
      http.close()
      http.closeAllConnections()
      await closed
    },
  }
}

export function json(status: number, value: unknown, headers: Readonly<Record<string, string>> = {}): Reply {
  return { status, headers: { "content-type": "application/json", ...headers }, body: JSON.stringify(value) }
}

export function send(response: ServerResponse, reply: Reply): void {
  response.writeHead(reply.status, reply.headers)
  response.end(reply.body)
}

function headOf(request: IncomingMessage): Omit<Arrived, "body"> {
  const headers = Object.entries(request.headers).map(([name, value]) => [
    name,
    Array.isArray(value) ? value.join(",") : (value ?? ""),
  ])
  return {
    method: request.method ?? "",
    target: request.url ?? "",
    headers: Object.fromEntries(headers),
  }
}
