/**
 * Reads a page of a listing by itself: listing is all that a run with nothing to do does, and the SDK's general XML
 * parser costs several times as much as a scan that knows what it looks for.
 *
 * A key is decoded only where the answer says that it is encoded. One that cannot have arrived whole is reported and
 * is no file. What is not a whole listing, to its last tag, is no listing.
 */

import { Nonsense, Unready } from "./failure.ts"
import { isHttp, takeBody } from "./sdk-answer.ts"
import { ask, type SdkSide, unquoted } from "./sdk-client.ts"
import { scanXml } from "./sdk-xml.ts"
import type { Answer, ListedObject, Page } from "../store/store.ts"

export function listPage(
  side: SdkSide,
  options: { readonly prefix: string; readonly startAfter?: string; readonly next?: string },
): Answer<Page> {
  const { sdk, client, address, patience } = side
  const { startAfter, next } = options
  const asked = address.prefix + options.prefix
  return ask(side, async () => {
    const command = new sdk.ListObjectsV2Command({
      Bucket: address.bucket,
      Prefix: asked,
      EncodingType: "url",
      ...(startAfter !== undefined && { StartAfter: address.prefix + startAfter }),
      ...(next !== undefined && { ContinuationToken: next }),
    })
    let page: Page | undefined
    command.middlewareStack.add(
      (send) => async (args) => {
        const result = await send(args)
        const { response } = result
        if (isHttp(response) && response.statusCode === 200)
          page = parsePage(await takeBody(response, patience.idleMs), { asked, ours: address.prefix })
        return result
      },
      { step: "deserialize", priority: "low", name: "bmListing" },
    )
    await client.send(command)
    if (page === undefined) throw new Nonsense("no listing in the answer")
    if (page.next !== undefined && page.next === next) throw new Nonsense("a listing that repeats itself")
    return page
  })
}

type Fields = Record<string, string>

// oxlint-disable-next-line no-control-regex -- these are what cannot arrive whole
const BROKEN = /[\uFFFD\u0000-\u001f\u007f]/

/** `asked` is what every key begins with; `ours`, the prefix of the remote, is taken off. */
export function parsePage(xml: string, at: { readonly asked: string; readonly ours: string }): Page {
  const { head, entries } = fieldsOf(xml)
  const isEncoded = head["EncodingType"] === "url"
  const objects: ListedObject[] = []
  const broken: string[] = []
  for (const entry of entries) {
    const raw = entry["Key"]
    if (raw === undefined) throw new Nonsense("an object without a key")
    const key = BROKEN.test(raw) ? undefined : isEncoded ? decodeKey(raw) : raw
    if (key === undefined || key.includes("\uFFFD")) {
      const shown = key ?? raw
      broken.push(shown.startsWith(at.ours) ? shown.slice(at.ours.length) : shown)
      continue
    }
    if (!key.startsWith(at.asked)) throw new Nonsense("a key that was not asked for")
    objects.push(objectOf(entry, key.slice(at.ours.length)))
  }
  if (head["IsTruncated"] !== "true") return { objects, broken }
  const next = head["NextContinuationToken"]
  if (next === undefined || next === "") throw new Nonsense("a listing that does not say how it goes on")
  return { objects, broken, next }
}

/** The listing's own fields, and those of every object; nothing of what else may stand in there. */
function fieldsOf(xml: string): { readonly head: Fields; readonly entries: readonly Fields[] } {
  const head: Fields = Object.create(null)
  const entries: Fields[] = []
  let entry: Fields | undefined
  scanXml(xml, {
    open(name, depth) {
      if (depth === 0 && name !== "ListBucketResult") throw new Nonsense("no listing in the answer")
      if (depth !== 1) return
      entry = name === "Contents" ? Object.create(null) : undefined
      if (entry !== undefined) entries.push(entry)
    },
    text(name, depth, text) {
      const fields = depth === 1 ? head : depth === 2 ? entry : undefined
      if (fields === undefined) return
      if (depth === 2 && name in fields && name === "Key") throw new Nonsense("an object with two keys")
      fields[name] = text
    },
  })
  return { head, entries }
}

function objectOf(entry: Fields, key: string): ListedObject {
  const etag = unquoted(entry["ETag"] ?? "")
  const size = entry["Size"] ?? ""
  const sizeBytes = Number(size)
  const lastModifiedMs = Date.parse(entry["LastModified"] ?? "")
  if (etag === "") throw new Unready("an object without an etag")
  if (!/^\d+$/.test(size) || !Number.isSafeInteger(sizeBytes) || Number.isNaN(lastModifiedMs))
    throw new Nonsense("an object without size or time")
  return { key, etag, sizeBytes, lastModifiedMs }
}

function decodeKey(raw: string): string | undefined {
  try {
    return decodeURIComponent(raw.replaceAll("+", " "))
  } catch {
    return undefined
  }
}
