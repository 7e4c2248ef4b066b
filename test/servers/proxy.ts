/**
 * A proxy in front of an S3 server, in this process and on loopback, that counts what passes and misbehaves as told:
 * answers that are lost, servers that are busy, conditions that are ignored, listings that lie.
 *
 * The Host header is part of a signature and goes on unchanged. What the proxy takes from a request it signs again,
 * with the server's keys. Bodies are held whole; requests are delayed side by side.
 */

import { once } from "node:events"
import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import { forward, type Forwarded, readBody } from "./forward.ts"
import { endlessListing, isInventedToken, type StaleListings, staleListings } from "./listing.ts"
import { isCondition, isWrite, type Kind, KINDS, type Seen, seenOf } from "./request.ts"
import { signAgain, type Unsigned } from "./sign.ts"
import type { Server } from "./server.ts"

export type Fault = {
  match(request: Seen): boolean
  /** How many matching requests it befalls; all where absent. */
  readonly times?: number
} & (
  | {
      readonly act: /** The server does it; the client never hears of it. */
        | "lose_response"
        /** The server is not asked. */
        | "503"
        /** Half of the body, then the connection breaks: a write's on its way there, any other's on its way back. */
        | "cut_body"
        /** The request is taken and never answered; the server is not asked. */
        | "stall"
        /** The connection breaks at once; the server is not asked. */
        | "refuse"
        /** 200 and a page, as of a captive portal; the server is not asked. */
        | "html"
        /** A listing goes on for ever. */
        | "repeat_token"
        /** Conditions never reach the server: tier C. */
        | "ignore_conditions"
    }
  /** A listing does not show the writes of the last `staleMs`, or none that passed since the rule stands: tier D. */
  | { readonly act: "stale_list"; readonly staleMs?: number }
  /** Waits before the server is asked, or before the client is answered. */
  | {
      readonly act: "hold" | "hold_response"
      readonly until: Promise<unknown> | ((request: Seen) => Promise<unknown>)
    }
)

export type Counts = Readonly<Record<Kind, number>>

export interface Logged extends Seen {
  /** What the client was answered; nothing where it was not. */
  readonly status?: number
  /** What the server answered, where it was asked. */
  readonly serverStatus?: number
  readonly faults: readonly Fault["act"][]
}

export interface Proxy {
  readonly endpoint: string
  /** The URL of the server's bucket, through the proxy. */
  readonly url: string
  urlOf(bucket: string): string
  /** `own` and `notes` add up to `all`; a request counts when it arrives. */
  readonly counts: { readonly all: Counts; readonly notes: Counts; readonly own: Counts }
  /** The last ones, in the order in which they ended. */
  readonly requests: readonly Logged[]
  /** The most requests that were open at one moment. */
  inFlightMax(): number
  /** Forgets what was counted and logged; faults stay. */
  reset(): void
  /** Added to every request, before the server is asked. */
  delayMs: number
  /** Every rule that matches applies, in their order. */
  faults: Fault[]
  stop(): Promise<void>
}

const REQUESTS_MAX = 10_000
const BUSY =
  "<?xml version='1.0'?><Error><Code>SlowDown</Code><Message>Reduce your request rate.</Message></Error>"
const PAGE = "<!DOCTYPE html><html><head><title>Welcome</title></head><body>Please sign in.</body></html>"

export async function startProxy(
  target: Server,
  options: { readonly delayMs?: number; readonly faults?: readonly Fault[] } = {},
): Promise<Proxy> {
  const memory = newMemory()
  const stale = staleListings(target)
  const spent = new Map<Fault, number>()
  const http = createServer({ keepAliveTimeout: 120_000, requestTimeout: 0 }, (request, response) => {
    void serve({ proxy, target, memory, stale, spent }, request, response)
  })
  http.listen(0, "127.0.0.1")
  await once(http, "listening")
  const address = http.address()
  if (address === null || typeof address === "string") throw new Error("a port has no number")
  const endpoint = `http://127.0.0.1:${address.port}`
  const urlOf = (bucket: string) => `s3://${bucket}?endpoint=${endpoint}&region=${target.region}`
  const proxy: Proxy = {
    endpoint,
    url: urlOf(target.bucket),
    urlOf,
    counts: memory.counts,
    requests: memory.requests,
    inFlightMax: () => memory.inFlightMax,
    reset: () => memory.reset(),
    delayMs: options.delayMs ?? 0,
    faults: [...(options.faults ?? [])],
    stop: async () => {
      const closed = once(http, "close")
      http.close()
      http.closeAllConnections()
      await closed
    },
  }
  return proxy
}

interface Deps {
  readonly proxy: Proxy
  readonly target: Server
  readonly memory: Memory
  readonly stale: StaleListings
  readonly spent: Map<Fault, number>
}

async function serve(deps: Deps, request: IncomingMessage, response: ServerResponse): Promise<void> {
  // A client that goes away is none of the proxy's troubles.
  request.on("error", () => {})
  response.on("error", () => {})
  const body = await readBody(request).catch(() => undefined)
  if (body === undefined) return
  const headers = headersOf(request)
  const unsigned = { method: request.method ?? "", target: request.url ?? "", headers }
  const seen = seenOf({ ...unsigned, sizeBytes: body.byteLength })
  const faults = faultsOf(deps, seen)
  const acts = faults.map((each) => each.act)
  deps.memory.arrived(seen)
  let forwarded: Forwarded | undefined
  let status: number | undefined
  try {
    await wait(deps.proxy.delayMs)
    await hold(faults, "hold", seen)
    if (acts.includes("refuse")) return
    // Its connection ends with the proxy, or when the client gives up.
    if (acts.includes("stall")) {
      if (!response.closed) await once(response, "close")
      return
    }
    if (acts.includes("503")) status = answer(response, { status: 503, type: "application/xml", body: BUSY })
    else if (acts.includes("html")) status = answer(response, { status: 200, type: "text/html", body: PAGE })
    else {
      const isCut = acts.includes("cut_body")
      forwarded = await forwardChanged(deps, { unsigned, seen, body, acts, isCut })
      await hold(faults, "hold_response", seen)
      if (forwarded === undefined || acts.includes("lose_response")) return
      status = answerAs(response, { ...forwarded, body: changed(deps, seen, faults, forwarded) }, isCut)
    }
  } finally {
    if (status === undefined) response.destroy()
    deps.memory.ended(seen, {
      faults: acts,
      ...(status !== undefined && { status }),
      ...(forwarded !== undefined && { serverStatus: forwarded.status }),
    })
  }
}

/** Every rule that matches and is not used up; it is used once by this. */
function faultsOf(deps: Deps, seen: Seen): readonly Fault[] {
  return deps.proxy.faults.filter((fault) => {
    const used = deps.spent.get(fault) ?? 0
    if (used >= (fault.times ?? Number.POSITIVE_INFINITY) || !fault.match(seen)) return false
    deps.spent.set(fault, used + 1)
    return true
  })
}

async function forwardChanged(
  deps: Deps,
  options: {
    readonly unsigned: Unsigned
    readonly seen: Seen
    readonly body: Buffer
    readonly acts: readonly Fault["act"][]
    readonly isCut: boolean
  },
): Promise<Forwarded | undefined> {
  const { seen, body, acts, isCut } = options
  let request = options.unsigned
  if (acts.includes("ignore_conditions")) request = withoutConditions(request, deps.target)
  if (acts.includes("repeat_token") && isInventedToken(seen.query.get("continuation-token")))
    request = withoutToken(request, deps.target)
  const isStale = deps.proxy.faults.some((each) => each.act === "stale_list")
  if (!isStale) deps.stale.forget()
  const remember = isStale && isWrite(seen.kind) ? await deps.stale.before(seen) : undefined
  const sentBytes = isCut && body.byteLength > 0 ? Math.floor(body.byteLength / 2) : body.byteLength
  // Where the server breaks the connection, so does the proxy.
  const sending = forward(deps.target.endpoint, { ...request, body, sentBytes })
  const forwarded = await sending.catch(() => undefined)
  if (forwarded !== undefined && forwarded.status < 300) remember?.()
  return forwarded
}

function changed(deps: Deps, seen: Seen, faults: readonly Fault[], forwarded: Forwarded): Buffer {
  if (seen.kind !== "LIST" || forwarded.status !== 200) return forwarded.body
  let text = forwarded.body.toString("utf8")
  for (const fault of faults) {
    if (fault.act === "stale_list")
      text = deps.stale.rewrite(seen, text, fault.staleMs ?? Number.POSITIVE_INFINITY)
    if (fault.act === "repeat_token") text = endlessListing(seen, text)
  }
  return Buffer.from(text)
}

function withoutConditions(request: Unsigned, server: Server): Unsigned {
  const headers = Object.fromEntries(Object.entries(request.headers).filter(([name]) => !isCondition(name)))
  const isChanged = Object.keys(headers).length < Object.keys(request.headers).length
  return isChanged ? signAgain({ ...request, headers }, server) : request
}

function withoutToken(request: Unsigned, server: Server): Unsigned {
  const target = request.target.replace(/([?&])continuation-token=[^&]*&?/, "$1").replace(/[?&]$/, "")
  return signAgain({ ...request, target }, server)
}

async function hold(faults: readonly Fault[], act: "hold" | "hold_response", seen: Seen): Promise<void> {
  for (const fault of faults)
    if (fault.act === act && "until" in fault)
      await (typeof fault.until === "function" ? fault.until(seen) : fault.until)
}

function wait(delayMs: number): Promise<void> | undefined {
  return delayMs > 0 ? new Promise((resolve) => setTimeout(resolve, delayMs)) : undefined
}

function answer(
  response: ServerResponse,
  page: { readonly status: number; readonly type: string; readonly body: string },
): number {
  response.writeHead(page.status, { "content-type": page.type })
  response.end(page.body)
  return page.status
}

/** Half of the body where it is cut, of which the client was promised all. */
function answerAs(response: ServerResponse, forwarded: Forwarded, isCut: boolean): number | undefined {
  const { status, body } = forwarded
  const isBodiless = response.req.method === "HEAD" || status === 204 || status === 304
  const length = isBodiless ? [] : ["content-length", String(body.byteLength)]
  response.sendDate = false
  response.writeHead(status, [...forwarded.headers, ...length])
  if (!isCut || isBodiless) {
    response.end(body)
    return status
  }
  response.write(body.subarray(0, Math.floor(body.byteLength / 2)), () => response.destroy())
  return status
}

function headersOf(request: IncomingMessage): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(request.headers).map(([name, value]) => [
      name,
      Array.isArray(value) ? value.join(",") : (value ?? ""),
    ]),
  )
}

interface Memory {
  readonly counts: Proxy["counts"]
  readonly requests: readonly Logged[]
  inFlightMax: number
  arrived(seen: Seen): void
  ended(seen: Seen, how: Omit<Logged, keyof Seen>): void
  reset(): void
}

function newMemory(): Memory {
  const counts = { all: zeroes(), notes: zeroes(), own: zeroes() }
  const requests: Logged[] = []
  let inFlight = 0
  const memory: Memory = {
    counts,
    requests,
    inFlightMax: 0,
    arrived: (seen) => {
      inFlight++
      memory.inFlightMax = Math.max(memory.inFlightMax, inFlight)
      counts.all[seen.kind]++
      counts[seen.isOwn ? "own" : "notes"][seen.kind]++
    },
    ended: (seen, how) => {
      inFlight--
      requests.push({ ...seen, ...how })
      if (requests.length > REQUESTS_MAX) requests.shift()
    },
    reset: () => {
      for (const each of Object.values(counts)) Object.assign(each, zeroes())
      requests.length = 0
      memory.inFlightMax = inFlight
    },
  }
  return memory
}

function zeroes(): Record<Kind, number> {
  const zero: Record<string, number> = {}
  for (const kind of KINDS) zero[kind] = 0
  return zero
}
