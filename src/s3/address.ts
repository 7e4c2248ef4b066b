/**
 * URLs of buckets: `s3://bucket/prefix?endpoint=https://…&region=…`, parsed once.
 *
 * The normal form of a URL is what is shown, stored, and the name under which a key pair is kept; it parses to itself.
 * A URL holds no key pair, and an endpoint without TLS lies on this machine.
 */

import { isLoopback } from "../model/loopback.ts"
import { err, ok, type Result } from "../model/result.ts"

export interface S3Address {
  readonly bucket: string
  /** Empty, or ends with a slash: every key of the remote begins with it. */
  readonly prefix: string
  /** Absent for AWS itself. */
  readonly endpoint?: string
  readonly region?: string
  /** In its normal form, as it is shown and stored. */
  readonly url: string
}

const HOW = "write s3://bucket/prefix?endpoint=https://host&region=name"
const KEYS_IN_URL = `a key pair does not belong into the URL: ${HOW}`
const BUCKET = /^[a-z0-9A-Z][\w.-]{1,254}$/
const REGION = /^[\w-]{1,64}$/
const PARAMETERS: ReadonlySet<string> = new Set(["endpoint", "region"])
/** Control characters, and halves of characters that no URL can spell. */
// oxlint-disable-next-line no-control-regex -- these are what no prefix may have
const UNSPEAKABLE = /[\u0000-\u001f\u007f\uFFFD]|\p{Surrogate}/u

/** The error says what is wrong and how to write it; it never repeats what may be a secret. */
export function parseS3Url(text: string): Result<S3Address, string> {
  const parts = /^s3:\/\/([^/?#]*)(\/[^?#]*)?(?:\?([^#]*))?$/i.exec(text)
  if (parts === null) return err(`this is not the URL of a bucket: ${HOW}`)
  const [, bucket = "", path = "", query = ""] = parts
  if (/[@:]/.test(bucket)) return err(KEYS_IN_URL)
  if (!BUCKET.test(bucket)) return err(`${JSON.stringify(bucket)} is not the name of a bucket: ${HOW}`)
  const prefix = parsePrefix(path)
  if (!prefix.ok) return prefix
  const parameters = new URLSearchParams(query)
  for (const name of parameters.keys()) {
    if (!PARAMETERS.has(name)) return err(`the URL of a bucket has no ${JSON.stringify(name)}: ${HOW}`)
    if (parameters.getAll(name).length > 1) return err(`the URL says its ${name} twice: ${HOW}`)
  }
  const endpoint = parameters.get("endpoint")
  const checked = endpoint === null ? ok(undefined) : parseEndpoint(endpoint)
  if (!checked.ok) return checked
  const region = parameters.get("region") ?? undefined
  if (region !== undefined && !REGION.test(region)) return err(`the region is not a name: ${HOW}`)
  const about = {
    bucket,
    prefix: prefix.value,
    ...(checked.value !== undefined && { endpoint: checked.value }),
    ...(region !== undefined && { region }),
  }
  return ok({ ...about, url: toUrl(about) })
}

function parsePrefix(path: string): Result<string, string> {
  let decoded: string
  try {
    decoded = decodeURIComponent(path)
  } catch {
    return err(`the prefix is not percent-encoded as a URL must be: ${HOW}`)
  }
  const prefix = decoded.replace(/^\/+|\/+$/g, "")
  if (prefix === "") return ok("")
  if (prefix.split("/").some((segment) => segment === "" || segment === "." || segment === ".."))
    return err(`the prefix has an empty or a dot segment: ${HOW}`)
  if (UNSPEAKABLE.test(prefix)) return err(`the prefix has a control character: ${HOW}`)
  return ok(`${prefix}/`)
}

/** Without TLS only where nobody can listen. */
function parseEndpoint(text: string): Result<string, string> {
  let url: URL
  try {
    url = new URL(text)
  } catch {
    if (text.includes("@")) return err(KEYS_IN_URL)
    return err(`the endpoint must be a whole URL, such as https://host: ${HOW}`)
  }
  if (url.username !== "" || url.password !== "") return err(KEYS_IN_URL)
  if (url.protocol !== "https:" && url.protocol !== "http:")
    return err(`the endpoint must begin with https://: ${HOW}`)
  if (url.protocol === "http:" && !isLoopback(url.hostname))
    return err("an endpoint that is not on this machine must begin with https://")
  if (url.search !== "" || url.hash !== "") return err(`the endpoint must not have parameters: ${HOW}`)
  return ok(url.href.replace(/\/+$/, ""))
}

function toUrl({ bucket, prefix, endpoint, region }: Omit<S3Address, "url">): string {
  const path = prefix === "" ? "" : `/${prefix.slice(0, -1).split("/").map(encodeURIComponent).join("/")}`
  const query = [
    ...(endpoint === undefined ? [] : [`endpoint=${endpoint.replace(/[%&+#]/g, encodeURIComponent)}`]),
    ...(region === undefined ? [] : [`region=${region}`]),
  ]
  return `s3://${bucket}${path}${query.length === 0 ? "" : `?${query.join("&")}`}`
}
