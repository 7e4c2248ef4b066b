/**
 * A host of the test's own on loopback, which answers as it is told and remembers what it was asked. It knows nothing
 * of the account.
 */

import { once } from "node:events"
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http"

export interface Asked {
  readonly method: string
  readonly path: string
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body: string
}

export type Reply =
  | { readonly status: number; readonly json: unknown; readonly headers?: Readonly<Record<string, string>> }
  | { readonly status: number; readonly text: string; readonly headers?: Readonly<Record<string, string>> }
  /** Does with the connection what it wants. */
  | ((response: ServerResponse) => void)

export interface FakeHost {
  readonly url: string
  readonly asked: Asked[]
  answer: (asked: Asked) => Reply | Promise<Reply>
  stop(): Promise<void>
}

const hosts: FakeHost[] = []

/** For `afterEach` of every file that starts one. */
export async function stopHosts(): Promise<void> {
  await Promise.all(hosts.splice(0).map((host) => host.stop()))
}

export async function startHost(answer: FakeHost["answer"]): Promise<FakeHost> {
  const server = createServer((request, response) => {
    void respond(host, request, response)
  })
  server.listen(0, "127.0.0.1")
  await once(server, "listening")
  const host: FakeHost = {
    url: `http://127.0.0.1:${portOf(server)}`,
    asked: [],
    answer,
    async stop() {
      server.close()
      server.closeAllConnections()
      await once(server, "close")
    },
  }
  hosts.push(host)
  return host
}

export function portOf(server: Pick<Server, "address">): number {
  const address = server.address()
  if (address === null || typeof address === "string") throw new Error("a port has no number")
  return address.port
}

export const json = (value: unknown, status = 200): Reply => ({ status, json: value })

export function formOf({ body }: Asked): Readonly<Record<string, string>> {
  return Object.fromEntries(new URLSearchParams(body))
}

async function respond(host: FakeHost, request: IncomingMessage, response: ServerResponse): Promise<void> {
  let body = ""
  for await (const piece of request) body += String(piece)
  const asked = { method: request.method ?? "", path: request.url ?? "", headers: request.headers, body }
  host.asked.push(asked)
  const reply = await host.answer(asked)
  if (typeof reply === "function") return reply(response)
  const isJson = "json" in reply
  response.writeHead(reply.status, {
    ...(isJson && { "content-type": "application/json" }),
    ...reply.headers,
  })
  response.end(isJson ? JSON.stringify(reply.json) : reply.text)
}
