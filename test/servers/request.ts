/**
 * What a request to an S3 server is about, read from its method, path, query and headers: for the proxy's counts and
 * for the rules of its faults.
 *
 * Keys are told apart by class: `own` keys lie below `.basic-memory/`, the prefix that is reserved; all others are notes.
 */

import { parametersOf, splitTarget } from "./sign.ts"

export const KINDS = [
  "LIST",
  "HEAD",
  "GET",
  "PUT",
  "COPY",
  "DELETE",
  "DELETE_MANY",
  "CREATE_UPLOAD",
  "PART",
  "PART_COPY",
  "COMPLETE",
  "ABORT",
  "LIST_UPLOADS",
  "LIST_PARTS",
  "BUCKET",
  "POST",
] as const

export type Kind = (typeof KINDS)[number]

/** A request as the proxy saw it. */
export interface Seen {
  readonly method: string
  /** The encoded path with its query. */
  readonly target: string
  readonly kind: Kind
  readonly bucket: string
  /** The decoded key; of a listing its prefix; empty where there is none. */
  readonly key: string
  readonly isOwn: boolean
  readonly query: ReadonlyMap<string, string>
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string>>
  readonly sizeBytes: number
}

const RESERVED = /(^|\/)\.basic-memory(\/|$)/
const CONDITIONS = /^(if-(none-)?match|if-(un)?modified-since|x-amz-copy-source-if-.*)$/

export function isCondition(header: string): boolean {
  return CONDITIONS.test(header)
}

/** Changes which bytes an object has, or whether there is one. */
export function isWrite(kind: Kind): boolean {
  return kind === "PUT" || kind === "COPY" || kind === "DELETE" || kind === "COMPLETE"
}

export function seenOf(request: {
  readonly method: string
  readonly target: string
  readonly headers: Readonly<Record<string, string>>
  readonly sizeBytes: number
}): Seen {
  const { path, query: text } = splitTarget(request.target)
  const query = new Map(parametersOf(text))
  const [bucket = "", ...rest] = path.slice(1).split("/").map(decodeURIComponent)
  const inPath = rest.join("/")
  const kind = kindOf({ method: request.method, hasKey: inPath !== "", query, headers: request.headers })
  const key = inPath === "" ? (query.get("prefix") ?? "") : inPath
  return { ...request, kind, bucket, key, isOwn: RESERVED.test(key), query }
}

function kindOf(request: {
  readonly method: string
  readonly hasKey: boolean
  readonly query: ReadonlyMap<string, string>
  readonly headers: Readonly<Record<string, string>>
}): Kind {
  const { method, hasKey, query, headers } = request
  const isCopy = "x-amz-copy-source" in headers
  if (!hasKey) {
    if (method === "POST" && query.has("delete")) return "DELETE_MANY"
    if (method === "GET" && query.has("uploads")) return "LIST_UPLOADS"
    const asksAboutBucket = ["versioning", "location", "policy", "acl", "versions"].some((each) =>
      query.has(each),
    )
    return method === "GET" && !asksAboutBucket ? "LIST" : "BUCKET"
  }
  switch (method) {
    case "HEAD":
      return "HEAD"
    case "GET":
      return query.has("uploadId") ? "LIST_PARTS" : "GET"
    case "PUT":
      if (query.has("partNumber")) return isCopy ? "PART_COPY" : "PART"
      return isCopy ? "COPY" : "PUT"
    case "DELETE":
      return query.has("uploadId") ? "ABORT" : "DELETE"
    case "POST":
      if (query.has("uploads")) return "CREATE_UPLOAD"
      return query.has("uploadId") ? "COMPLETE" : "POST"
    default:
      return "POST"
  }
}
