/**
 * Requests to the rclone that we started: a call with its answer, and the bytes of an object.
 *
 * Only loopback is spoken to, with the password of this life. A call that is given up ends the work that it began, for
 * rclone stops what its caller no longer waits for.
 */

import { Agent, type IncomingMessage, request, type RequestOptions } from "node:http"
import { err, ok, type Result } from "../model/result.ts"
import type { Answer, Failure } from "../store/store.ts"
import type { RcloneChild } from "./child.ts"
import { BUCKET_LANES } from "./environment.ts"
import { failureOf } from "./failure.ts"

export interface Rc {
  /** The answer as it was sent; whoever asked knows its shape. Given up after `withinMs`. */
  call(command: string, input: object, options: { readonly withinMs: number }): Answer<unknown>
  /** The body of a file below a remote, which whoever asked reads to its end or destroys. */
  open(remote: string, path: string): Answer<IncomingMessage>
  close(): void
}

/** Nothing is heard for this long of the body that was asked for, or nothing more. */
const IDLE_MS_MAX = 90_000

export function openRc(child: RcloneChild): Rc {
  const agent = new Agent({ keepAlive: true, maxSockets: BUCKET_LANES })
  const { port, user, password } = child
  const to = { host: "127.0.0.1", port, agent, auth: `${user}:${password}` }
  const failed = (error: unknown): Failure =>
    child.isAlive() ? { kind: "unreachable", detail: wordOf(error), via: "rclone" } : ENDED
  return {
    async call(command, input, { withinMs }) {
      const body = Buffer.from(JSON.stringify(input))
      const headers = { "content-type": "application/json", "content-length": body.length }
      const options = { ...to, method: "POST", path: `/${command}`, headers }
      const signal = AbortSignal.timeout(withinMs)
      // Where the answer had begun, its end is not told from a connection that broke.
      const failedHere = (error: unknown) => failed(signal.aborted ? signal.reason : error)
      const sent = await attempt(() => send(options, body, signal), failedHere)
      if (!sent.ok) return sent
      const read = await attempt(() => textOf(sent.value), failedHere)
      return read.ok ? answerOf(sent.value.statusCode ?? 0, read.value) : read
    },
    async open(remote, path) {
      const encoded = `[${remote}]/${path}`.split("/").map(encodeURIComponent).join("/")
      const options = { ...to, method: "GET", path: `/${encoded}`, timeout: IDLE_MS_MAX }
      const sent = await attempt(() => send(options), failed)
      if (!sent.ok || sent.value.statusCode === 200) return sent
      const read = await attempt(() => textOf(sent.value), failed)
      if (!read.ok) return read
      const status = sent.value.statusCode ?? 0
      return err(
        status === 404 ? { kind: "not_found", detail: "object not found" } : failureOf(read.value, status),
      )
    },
    close: () => agent.destroy(),
  }
}

const ENDED: Failure = { kind: "unreachable", detail: "rclone ended", via: "rclone" }

function send(options: RequestOptions, body?: Uint8Array, signal?: AbortSignal): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const sending = request({ ...options, ...(signal !== undefined && { signal }) }, resolve)
    sending.on("timeout", () => sending.destroy(new DOMException("", "TimeoutError")))
    // Whoever reads the answer hears of it where it breaks after that began.
    sending.on("error", reject)
    sending.end(body)
  })
}

async function attempt<T>(
  work: () => Promise<T>,
  failed: (error: unknown) => Failure,
): Promise<Result<T, Failure>> {
  try {
    return ok(await work())
  } catch (error) {
    return err(failed(error))
  }
}

async function textOf(message: IncomingMessage): Promise<string> {
  const pieces: Uint8Array[] = []
  for await (const piece of message) pieces.push(piece as Uint8Array)
  return Buffer.concat(pieces).toString("utf8")
}

function answerOf(status: number, text: string): Result<unknown, Failure> {
  const value = parsed(text)
  if (status === 200 && value !== undefined) return ok(value)
  if (typeof value === "object" && value !== null && "error" in value)
    return err(failureOf(String(value.error), status))
  return err({ kind: "nonsense", via: "rclone", detail: "an answer that is not rclone's", status })
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function wordOf(error: unknown): string {
  if (!(error instanceof Error)) return "unknown"
  if (error.name === "TimeoutError" || error.name === "AbortError") return "it took too long"
  return "code" in error ? String(error.code) : "unknown"
}
