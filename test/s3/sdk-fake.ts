/**
 * A server that answers as a test tells it, on loopback, and the store that speaks to it: for what real servers do
 * rarely. It looks at no signature.
 */

import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from "node:http"
import { createServer as createTlsServer, type ServerOptions } from "node:https"
import type { Socket } from "node:net"
import { parseS3Url } from "../../src/s3/address.ts"
import { PATIENCE, type Patience } from "../../src/s3/sdk-patience.ts"
import { openSdkStore } from "../../src/s3/sdk-store.ts"
import type { ObjectStore } from "../../src/store/store.ts"

export interface Request {
  readonly method: string
  /** With its query. */
  readonly url: string
  readonly headers: IncomingMessage["headers"]
  readonly body: string
  /** How many came before, this one included. */
  readonly number: number
}

export interface Fake {
  readonly endpoint: string
  readonly requests: readonly Request[]
  /** Connections that were opened. */
  connections(): number
  open(options?: OpenOptions): Promise<ObjectStore>
  stop(): Promise<void>
}

export interface OpenOptions {
  readonly prefix?: string
  readonly patience?: Partial<Patience>
  readonly etagForm?: "quoted" | "bare"
  readonly nowMs?: () => number
}

export type Answering = (request: Request, response: ServerResponse) => void

export const CREDENTIALS = { accessKeyId: "KEYID", secretAccessKey: "SECRET" }

/** As the command does. */
process.env["AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED"] ??= "true"

/** No test waits for as long as a user would. */
export const QUICK: Partial<Patience> = { attemptsMax: 1, wait: async () => undefined }

export async function startFake(answer: Answering, tls?: ServerOptions): Promise<Fake> {
  const requests: Request[] = []
  const sockets = new Set<Socket>()
  let connections = 0
  const listener: RequestListener = (incoming, response) => {
    const pieces: Buffer[] = []
    incoming.on("error", () => undefined)
    incoming.on("data", (piece: Buffer) => pieces.push(piece))
    incoming.on("end", () => {
      const { method = "", url = "", headers } = incoming
      const body = Buffer.concat(pieces).toString()
      const request = { method, url, headers, body, number: requests.length + 1 }
      requests.push(request)
      answer(request, response)
    })
  }
  const server = tls === undefined ? createServer(listener) : createTlsServer(tls, listener)
  server.on("connection", (socket: Socket) => {
    connections++
    sockets.add(socket)
    socket.on("close", () => sockets.delete(socket))
    socket.on("error", () => undefined)
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const bound = server.address()
  const port = typeof bound === "object" && bound !== null ? bound.port : 0
  const endpoint = `${tls === undefined ? "http" : "https"}://127.0.0.1:${port}`
  return {
    endpoint,
    requests,
    connections: () => connections,
    open: (options = {}) => openAt(endpoint, options),
    async stop() {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

export function openAt(
  endpoint: string,
  { prefix = "", patience = {}, etagForm = "quoted", nowMs = Date.now }: OpenOptions = {},
): Promise<ObjectStore> {
  const address = parseS3Url(`s3://notes/${prefix}?endpoint=${endpoint}&region=us-east-1`)
  if (!address.ok) throw new Error(address.error)
  const given = { ...PATIENCE, ...QUICK, ...patience }
  return openSdkStore(address.value, { credentials: CREDENTIALS, etagForm, nowMs, patience: given })
}

export function errorXml(code: string): string {
  return `<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>${code}</Code><Message>m</Message></Error>`
}

export function listXml(keys: readonly string[], more = ""): string {
  const entries = keys.map(
    (key) =>
      `<Contents><Key>${key}</Key><LastModified>2026-11-25T10:00:00.000Z</LastModified><ETag>"e"</ETag><Size>1</Size></Contents>`,
  )
  return `<?xml version="1.0" encoding="UTF-8"?><ListBucketResult>${more}${entries.join("")}</ListBucketResult>`
}

export async function textOf(body: AsyncIterable<Uint8Array>): Promise<string> {
  const pieces: Uint8Array[] = []
  for await (const piece of body) pieces.push(piece)
  return Buffer.concat(pieces).toString()
}
