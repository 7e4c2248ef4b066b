/**
 * Listings that lie, for the proxy: one that does not show what was written a moment ago, and one that never ends.
 *
 * Every write that passes is remembered together with what the listing said about its key before. A stale listing is
 * the true one with those keys put back. So a key that is asked about for the first time is stale too.
 */

import type { Seen } from "./request.ts"
import { encodeKey, type Keys, s3Request } from "./sign.ts"

export interface StaleListings {
  /** To be called before a write is forwarded; the answer is called when it has succeeded. */
  before(write: Seen): Promise<() => void>
  /** The body of a listing as it would have been `staleMs` ago. */
  rewrite(list: Seen, body: string, staleMs: number): string
  forget(): void
}

interface Write {
  readonly atMs: number
  /** Its `<Contents>`; nothing where it was not listed. */
  readonly before: string | undefined
}

const ENTRIES = /<Contents>.*?<\/Contents>/gs

export function staleListings(server: Keys & { readonly endpoint: string }): StaleListings {
  const writes = new Map<string, Write[]>()
  /** Where the page ended that answered this token. */
  const endOfToken = new Map<string, string>()
  const pathOf = (seen: Seen, key: string) => `${seen.bucket}/${key}`

  const before = async (write: Seen) => {
    const prefix = encodeKey(write.key).replaceAll("/", "%2F")
    const target = `/${write.bucket}?encoding-type=url&list-type=2&prefix=${prefix}`
    const { text } = await s3Request(server, { method: "GET", target })
    const entry = entriesOf(text).find((each) => each.key === write.key)?.text
    return () => {
      const path = pathOf(write, write.key)
      writes.set(path, [...(writes.get(path) ?? []), { atMs: Date.now(), before: entry }])
    }
  }

  const rewrite = (list: Seen, body: string, staleMs: number) => {
    const shown = entriesOf(body)
    const token = list.query.get("continuation-token")
    const from =
      (token === undefined ? undefined : endOfToken.get(token)) ?? list.query.get("start-after") ?? ""
    const end = isTruncated(body) ? shown.at(-1)?.key : undefined
    const next = tagOf(body, "NextContinuationToken")
    if (next !== undefined && end !== undefined) endOfToken.set(next, end)
    const entries = new Map(shown.map((each) => [each.key, each.text]))
    for (const [path, all] of writes) {
      const key = path.slice(list.bucket.length + 1)
      const first = all.find((each) => each.atMs > Date.now() - staleMs)
      if (first === undefined || path !== pathOf(list, key) || !key.startsWith(list.key)) continue
      if (isAfter(from, key) || (end !== undefined && isAfter(key, end)) || key === from) continue
      if (first.before === undefined) entries.delete(key)
      else entries.set(key, first.before)
    }
    const sorted = [...entries].sort(([a], [b]) => (isAfter(a, b) ? 1 : -1)).map(([, text]) => text)
    return withEntries(body, sorted)
  }

  return { before, rewrite, forget: () => writes.clear() }
}

const ENDLESS_TOKEN = "again"

/** The body of a listing that claims to go on, and points where the client has just been. */
export function endlessListing(list: Seen, body: string): string {
  const own = tagOf(body, "NextContinuationToken")
  const token = list.query.get("continuation-token") ?? own ?? ENDLESS_TOKEN
  const open = body
    .replace(/<IsTruncated>[^<]*<\/IsTruncated>/, "")
    .replace(/<NextContinuationToken>[^<]*<\/NextContinuationToken>/, "")
  const goesOn = `<IsTruncated>true</IsTruncated><NextContinuationToken>${token}</NextContinuationToken>`
  return open.replace("</ListBucketResult>", () => `${goesOn}</ListBucketResult>`)
}

/** A token that no server has given: the request must go on without it. */
export function isInventedToken(token: string | undefined): boolean {
  return token === ENDLESS_TOKEN
}

function entriesOf(body: string): readonly { readonly key: string; readonly text: string }[] {
  const isEncoded = tagOf(body, "EncodingType") === "url"
  return (body.match(ENTRIES) ?? []).map((text) => {
    const key = textOf(tagOf(text, "Key") ?? "")
    return { key: isEncoded ? decodeURIComponent(key.replaceAll("+", " ")) : key, text }
  })
}

function withEntries(body: string, entries: readonly string[]): string {
  const common = body.match(/<CommonPrefixes>/g)?.length ?? 0
  return body
    .replace(ENTRIES, "")
    .replace(/<KeyCount>\d+<\/KeyCount>/, `<KeyCount>${entries.length + common}</KeyCount>`)
    .replace("</ListBucketResult>", () => `${entries.join("")}</ListBucketResult>`)
}

function isTruncated(body: string): boolean {
  return tagOf(body, "IsTruncated") === "true"
}

function tagOf(body: string, name: string): string | undefined {
  return new RegExp(`<${name}>([^<]*)</${name}>`).exec(body)?.[1]
}

const ENTITIES: Readonly<Record<string, string>> = { lt: "<", gt: ">", amp: "&", quot: '"', apos: "'" }

function textOf(xml: string): string {
  return xml.replace(
    /&(?:#x([0-9a-f]+)|#(\d+)|(\w+));/gi,
    (whole, hex?: string, decimal?: string, name?: string) => {
      if (hex !== undefined) return String.fromCodePoint(Number.parseInt(hex, 16))
      if (decimal !== undefined) return String.fromCodePoint(Number(decimal))
      return ENTITIES[name ?? ""] ?? whole
    },
  )
}

function isAfter(a: string, b: string): boolean {
  return Buffer.compare(Buffer.from(a), Buffer.from(b)) > 0
}
