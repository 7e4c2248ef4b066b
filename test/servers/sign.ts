/**
 * AWS Signature Version 4 for S3, small enough to read: signs requests of the tests' own, and signs again what the
 * proxy has changed.
 *
 * Bodies are never signed in pieces: a request that is signed again keeps its own word about its body
 * (`x-amz-content-sha256`).
 */

import { createHash, createHmac } from "node:crypto"

export interface Keys {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly region: string
}

/** A request as it goes over the wire: an encoded path with its query, and headers with lower-case names. */
export interface Unsigned {
  readonly method: string
  readonly target: string
  readonly headers: Readonly<Record<string, string>>
}

export interface S3Answer {
  readonly status: number
  readonly headers: Headers
  readonly text: string
}

const EMPTY_SHA256 = sha256("")
const SIGNATURE = /Credential=([^/]+)\/([^,]+), *SignedHeaders=([^,]+), *Signature=/

/** The headers with an `authorization` over all of them. */
export function sign(request: Unsigned, keys: Keys, at = new Date()): Readonly<Record<string, string>> {
  const date = at.toISOString().replace(/[-:]|\.\d+/g, "")
  const scope = `${date.slice(0, 8)}/${keys.region}/s3/aws4_request`
  const headers = { "x-amz-content-sha256": EMPTY_SHA256, ...request.headers, "x-amz-date": date }
  return { ...headers, authorization: authorization({ ...request, headers }, keys, { date, scope }) }
}

/**
 * Signs a request again from which signed headers were taken or to which changes were made, with the same date and
 * scope. Presigned requests keep their signature in the query. Whatever carries no signature is answered as it is.
 */
export function signAgain(request: Unsigned, keys: Keys): Unsigned {
  const signed = SIGNATURE.exec(request.headers["authorization"] ?? "")
  if (signed !== null) {
    const scope = signed[2] ?? ""
    const names = (signed[3] ?? "").split(";").filter((name) => name in request.headers)
    const date = request.headers["x-amz-date"] ?? ""
    const again = authorization(request, keys, { date, scope, names })
    return { ...request, headers: { ...request.headers, authorization: again } }
  }
  const { path, query } = splitTarget(request.target)
  const parameters = new Map(parametersOf(query))
  const credential = parameters.get("X-Amz-Credential")
  if (credential === undefined) return request
  const names = (parameters.get("X-Amz-SignedHeaders") ?? "host")
    .split(";")
    .filter((name) => name in request.headers)
  parameters.set("X-Amz-SignedHeaders", names.join(";"))
  parameters.delete("X-Amz-Signature")
  const text = [...parameters].map(([name, value]) => `${encode(name)}=${encode(value)}`).join("&")
  const unsigned = { ...request, target: `${path}?${text}` }
  const scope = credential.split("/").slice(1).join("/")
  const date = parameters.get("X-Amz-Date") ?? ""
  return {
    ...unsigned,
    target: `${unsigned.target}&X-Amz-Signature=${signature(unsigned, keys, { date, scope, names, payload: "UNSIGNED-PAYLOAD" })}`,
  }
}

/** One small request of our own; for whatever a test must do that is not the thing it tests. */
export async function s3Request(
  server: Keys & { readonly endpoint: string },
  request: {
    readonly method: string
    readonly target: string
    readonly body?: string
    readonly headers?: Readonly<Record<string, string>>
  },
): Promise<S3Answer> {
  const body = request.body ?? ""
  const headers = {
    ...request.headers,
    host: new URL(server.endpoint).host,
    "x-amz-content-sha256": sha256(body),
  }
  const { host: _, ...signed } = sign({ ...request, headers }, server)
  const answer = await fetch(server.endpoint + request.target, {
    method: request.method,
    headers: signed,
    ...(body !== "" && { body }),
  })
  return { status: answer.status, headers: answer.headers, text: await answer.text() }
}

/** A key as it stands in a request's path. */
export function encodeKey(key: string): string {
  return key.split("/").map(encode).join("/")
}

export function splitTarget(target: string): { readonly path: string; readonly query: string } {
  const at = target.indexOf("?")
  return at < 0 ? { path: target, query: "" } : { path: target.slice(0, at), query: target.slice(at + 1) }
}

/** The parameters of a query, decoded, in their order. */
export function parametersOf(query: string): readonly (readonly [string, string])[] {
  return query
    .split("&")
    .filter((each) => each !== "")
    .map((each) => {
      const at = each.indexOf("=")
      const name = at < 0 ? each : each.slice(0, at)
      return [decode(name), at < 0 ? "" : decode(each.slice(at + 1))] as const
    })
}

interface Terms {
  readonly date: string
  readonly scope: string
  readonly names?: readonly string[]
  readonly payload?: string
}

function authorization(request: Unsigned, keys: Keys, terms: Terms): string {
  const names = namesOf(request, terms)
  const credential = `${keys.accessKeyId}/${terms.scope}`
  return `AWS4-HMAC-SHA256 Credential=${credential}, SignedHeaders=${names.join(";")}, Signature=${signature(request, keys, terms)}`
}

function signature(request: Unsigned, keys: Keys, terms: Terms): string {
  const { path, query } = splitTarget(request.target)
  const names = namesOf(request, terms)
  const canonical = [
    request.method,
    path,
    canonicalQuery(query),
    ...names.map((name) => `${name}:${(request.headers[name] ?? "").trim().replace(/ +/g, " ")}`),
    "",
    names.join(";"),
    terms.payload ?? request.headers["x-amz-content-sha256"] ?? "UNSIGNED-PAYLOAD",
  ].join("\n")
  const toSign = ["AWS4-HMAC-SHA256", terms.date, terms.scope, sha256(canonical)].join("\n")
  const [day = "", region = ""] = terms.scope.split("/")
  const key = [region, "s3", "aws4_request"].reduce<Buffer>(mac, mac(`AWS4${keys.secretAccessKey}`, day))
  return mac(key, toSign).toString("hex")
}

/** In the order of the names, not of the whole text: `a-b` comes after `a`, and `-` before `=`. */
function canonicalQuery(query: string): string {
  return parametersOf(query)
    .map(([name, value]) => ({ name: encode(name), value: encode(value) }))
    .sort((a, b) => compare(a.name, b.name) || compare(a.value, b.value))
    .map(({ name, value }) => `${name}=${value}`)
    .join("&")
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

function namesOf(request: Unsigned, terms: Terms): readonly string[] {
  return terms.names ?? Object.keys(request.headers).sort()
}

function mac(key: string | Buffer, text: string): Buffer {
  return createHmac("sha256", key).update(text).digest()
}

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex")
}

function encode(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`)
}

/** A `+` is a plus here: S3 clients write a space as `%20`. */
function decode(text: string): string {
  return decodeURIComponent(text)
}
