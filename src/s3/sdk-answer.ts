/**
 * What came over the wire, before the SDK believes it: the server's clock, pages of strangers, and errors that are
 * dressed as successes.
 */

import { isStream, withoutStalls } from "./sdk-body.ts"
import { Nonsense } from "./failure.ts"

/** The server's clock as its answers tell it. */
export interface ServerClock {
  skewMs: number | undefined
}

export interface Http {
  statusCode: number
  readonly headers: Readonly<Record<string, string>>
  body?: unknown
}

const BODY_BYTES_MAX = 8 * 1024 * 1024
/** A `Date` header has whole seconds, */
const DATE_STEP_MS = 1000
/** and some servers (versitygw) make it once a second: below this a difference says nothing. */
const SKEW_MS_MIN = 2000
/** The middle of a longer request, such as a large upload, says little about when the server looked at its clock. */
const ROUND_TRIP_MS_MAX = 5000

export function isHttp(response: unknown): response is Http {
  return (
    typeof response === "object" && response !== null && "statusCode" in response && "headers" in response
  )
}

export function isSuccess({ statusCode }: Http): boolean {
  return statusCode >= 200 && statusCode <= 299
}

export function noteDate(
  clock: ServerClock,
  at: { readonly headers: Http["headers"]; readonly sentMs: number; readonly answeredMs: number },
): void {
  const dateMs = Date.parse(at.headers.date ?? "")
  const isLong = at.answeredMs - at.sentMs > ROUND_TRIP_MS_MAX
  if (Number.isNaN(dateMs) || (isLong && clock.skewMs !== undefined)) return
  const skewMs = dateMs + DATE_STEP_MS / 2 - (at.sentMs + at.answeredMs) / 2
  clock.skewMs = Math.abs(skewMs) <= SKEW_MS_MIN ? 0 : skewMs
}

/** A login page of some network answers 200 to everything. */
export function refuseStrangers(response: Http): void {
  const { headers } = response
  const isPage = (headers["content-type"] ?? "").startsWith("text/html")
  const isS3 = headers.etag !== undefined || headers["x-amz-request-id"] !== undefined
  if (!isSuccess(response) || !isPage || isS3) return
  if (isStream(response.body)) response.body.destroy()
  throw new Nonsense("a page instead of an answer")
}

/** Takes the body away from the SDK, which is left with an empty one. */
export async function takeBody(response: Http, idleMs: number): Promise<string> {
  const { body } = response
  response.body = new Uint8Array()
  if (!isStream(body)) throw new Nonsense("an answer without a body")
  const pieces: Uint8Array[] = []
  let bytes = 0
  for await (const piece of withoutStalls(body, idleMs)) {
    bytes += piece.length
    if (bytes > BODY_BYTES_MAX) throw new Nonsense("an answer that is too large")
    pieces.push(piece)
  }
  return Buffer.concat(pieces).toString("utf8")
}

/**
 * Copy and Complete may say 200 before they know, and then send an error. The SDK recognises one only if nothing, no
 * line feed either, stands behind it; what is neither an error nor the result is no answer of S3's.
 */
export async function exposeError(
  response: Http,
  { root, idleMs }: { readonly root: string; readonly idleMs: number },
): Promise<void> {
  if (!isSuccess(response)) return
  const text = (await takeBody(response, idleMs)).trim()
  response.body = Buffer.from(text)
  const body = text.replace(/^<\?xml[^>]*\?>\s*/, "")
  if (/^<Error[\s>]/.test(body)) response.statusCode = 500
  // An empty one is what the SDK knows: it asks again.
  else if (body !== "" && !new RegExp(`^<${root}[\\s>/]`).test(body))
    throw new Nonsense(`no ${root} in the answer`)
}
