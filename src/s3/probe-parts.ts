/**
 * Uploads in parts and server-side copies: whether they are to be had, and whether their last request keeps a
 * condition.
 */

import type { Result } from "../model/result.ts"
import {
  ABSENT,
  answered,
  finding,
  isRefusal,
  match,
  must,
  type Probing,
  put,
  textAt,
  WRONG,
} from "./probing.ts"
import type { Condition, Etag, Failure, Part, Written } from "../store/store.ts"
import type { Finding } from "../store/verdict.ts"

/**
 * A stale condition must be refused, a right one must not be. Default checksums are not asked for by name: `checksums`
 * says that an upload in parts with the store as it was opened arrives whole.
 */
export async function probeUploads(
  probing: Probing,
): Promise<Record<"complete_stale" | "checksums", Finding>> {
  const plain = await inParts(probing, { name: "plain-parts", fill: bytesPart("plain") })
  const isWhole = plain.ok && (await textAt(probing, "plain-parts")) === "plain"
  const onto = (text: string, condition: Condition) =>
    inParts(probing, { name: "parts", fill: bytesPart(text), condition })
  const stale = must(await put(probing, "parts", "1"))
  const current = must(await put(probing, "parts", "2"))
  const late = await onto("3", match(stale.etag))
  const isKeptOnce = isRefusal(late) && (await textAt(probing, "parts")) === "2"
  const right = await onto("4", match(current.etag))
  const isReplaced = right.ok && (await textAt(probing, "parts")) === "4"
  const again = await onto("5", ABSENT)
  const isKeptTwice = isRefusal(again) && (await textAt(probing, "parts")) === "4"
  return {
    checksums: finding(isWhole, plain),
    complete_stale: finding(isKeptOnce && isReplaced && isKeptTwice, plain, late, right, again),
  }
}

export async function probeCopies(
  probing: Probing,
): Promise<Record<"copy_source" | "copy_absent" | "copy_parts", Finding>> {
  const { store, prefix } = probing
  const source = must(await put(probing, "copy-source", "copied"))
  must(await put(probing, "copy-goal", "in the way"))
  const copy = async (name: string, ifMatch: Etag, condition?: Condition) => {
    probing.written.add(prefix + name)
    const options = { ifMatch, metadata: {}, ...(condition !== undefined && { condition }) }
    return answered(await store.copy(`${prefix}copy-source`, prefix + name, options))
  }
  const plain = await copy("copy-free", source.etag)
  const isCopied = plain.ok && (await textAt(probing, "copy-free")) === "copied"
  const wrong = await copy("copy-wrong", WRONG)
  const isSourceKept = isRefusal(wrong) && (await textAt(probing, "copy-wrong")) === undefined
  const onto = await copy("copy-goal", source.etag, ABSENT)
  const isGoalKept = isRefusal(onto) && (await textAt(probing, "copy-goal")) === "in the way"
  const free = await copy("copy-new", source.etag, ABSENT)
  const isNew = free.ok && (await textAt(probing, "copy-new")) === "copied"
  return {
    copy_source: finding(isCopied && isSourceKept, plain, wrong),
    copy_absent: finding(isGoalKept && isNew, onto, free),
    copy_parts: await probePartCopies(probing, source.etag),
  }
}

/** Onto a key that is taken, onto one that is free, and from a source that has changed. */
async function probePartCopies(probing: Probing, etag: Etag): Promise<Finding> {
  const onto = (name: string, ifMatch: Etag) =>
    inParts(probing, { name, condition: ABSENT, fill: copyPart(probing, ifMatch) })
  must(await put(probing, "by-parts-goal", "in the way"))
  const taken = await onto("by-parts-goal", etag)
  const isGoalKept = isRefusal(taken) && (await textAt(probing, "by-parts-goal")) === "in the way"
  const wrong = await onto("by-parts-wrong", WRONG)
  const free = await onto("by-parts-free", etag)
  const isCopied = free.ok && (await textAt(probing, "by-parts-free")) === "copied"
  return finding(isGoalKept && isRefusal(wrong) && isCopied, taken, wrong, free)
}

type Fill = (
  store: Probing["store"],
  upload: { readonly key: string; readonly uploadId: string },
) => Promise<Result<Part, Failure>>

function bytesPart(text: string): Fill {
  return (store, upload) => store.putPart(upload, 1, Buffer.from(text))
}

function copyPart({ prefix }: Probing, ifMatch: Etag): Fill {
  return (store, upload) => store.copyPart(upload, 1, { key: `${prefix}copy-source`, ifMatch })
}

/** The last part of an upload may be as small as it likes, and here it is the only one. */
async function inParts(
  { store, prefix, written }: Probing,
  asked: { readonly name: string; readonly fill: Fill; readonly condition?: Condition },
): Promise<Result<Written, Failure>> {
  const { name, fill, condition } = asked
  const key = prefix + name
  written.add(key)
  const started = answered(await store.startUpload(key, { metadata: {} }))
  if (!started.ok) return started
  const upload = { key, uploadId: started.value }
  const part = answered(await fill(store, upload))
  const options = condition === undefined ? {} : { condition }
  const completed = part.ok ? answered(await store.complete(upload, [part.value], options)) : part
  if (!completed.ok) await store.abort(upload)
  return completed
}
