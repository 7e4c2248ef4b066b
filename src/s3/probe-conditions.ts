/**
 * Conditions, one request after the other: what a server must get right before anything else is worth asking.
 *
 * What was refused must also not have happened, so the object is looked at after every answer.
 */

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
import type { Finding } from "../store/verdict.ts"

type PutPoint = "create" | "create_again" | "match_wrong" | "match_right" | "match_missing"

export async function probePuts(probing: Probing): Promise<Record<PutPoint, Finding>> {
  const created = await put(probing, "note", "1", ABSENT)
  // Without an object there is nothing to ask the other questions of.
  if (!created.ok) must(await put(probing, "note", "1"))
  const isAt = async (text: string): Promise<boolean> => (await textAt(probing, "note")) === text
  const again = await put(probing, "note", "2", ABSENT)
  const isKeptOnce = isRefusal(again) && (await isAt("1"))
  const { etag } = must(await put(probing, "note", "3"))
  const wrong = await put(probing, "note", "4", match(WRONG))
  const isKeptTwice = isRefusal(wrong) && (await isAt("3"))
  const right = await put(probing, "note", "5", match(etag))
  const isReplaced = right.ok && (await isAt("5"))
  const missing = await put(probing, "missing", "6", match(WRONG))
  const isStillMissing = !missing.ok && (await textAt(probing, "missing")) === undefined
  return {
    create: finding(created.ok, created),
    create_again: finding(isKeptOnce, again),
    match_wrong: finding(isKeptTwice, wrong),
    match_right: finding(isReplaced, right),
    match_missing: finding(isStillMissing, missing),
  }
}

/** A listing shows at once what was written, replaced, and removed. */
export async function probeListing(probing: Probing): Promise<Record<"list_after_write", Finding>> {
  const { store, prefix } = probing
  const key = `${prefix}listed/note`
  const shown = async (): Promise<string | undefined> => {
    const page = must(await store.list({ prefix: `${prefix}listed/` }))
    return page.objects.find((each) => each.key === key)?.etag
  }
  const first = must(await put(probing, "listed/note", "1"))
  const isNew = (await shown()) === first.etag
  const second = must(await put(probing, "listed/note", "2"))
  const isReplaced = (await shown()) === second.etag
  must(await store.remove(key, {}))
  return { list_after_write: finding(isNew && isReplaced && (await shown()) === undefined) }
}

/**
 * A DELETE of a version that is gone must be refused, and one of the version that is there must be carried out: a
 * server that refuses both is of no use.
 */
export async function probeDelete(probing: Probing): Promise<Record<"delete_wrong", Finding>> {
  const { store, prefix } = probing
  const key = `${prefix}doomed`
  const stale = must(await put(probing, "doomed", "1"))
  const current = must(await put(probing, "doomed", "2"))
  const wrong = answered(await store.remove(key, { ifMatch: stale.etag }))
  const isKept = isRefusal(wrong) && (await textAt(probing, "doomed")) === "2"
  const right = answered(await store.remove(key, { ifMatch: current.etag }))
  const isRemoved = right.ok && (await textAt(probing, "doomed")) === undefined
  return { delete_wrong: finding(isKept && isRemoved, wrong, right) }
}

const LATE_MS = 120_000
const ON_TIME_S = 60

/** `unsupported` where a presigned DELETE is not even carried out in time: then a tombstone could never be removed. */
export async function probePresigned(probing: Probing): Promise<Record<"late_presigned", Finding>> {
  const { store, prefix } = probing
  const mayStillSend = () => true
  must(await put(probing, "on-time", "1"))
  must(await put(probing, "late", "1"))
  const onTime = refused(await store.removeOnce(`${prefix}on-time`, { expiresInS: ON_TIME_S, mayStillSend }))
  const isRemoved = onTime.ok && (await textAt(probing, "on-time")) === undefined
  if (!isRemoved) return { late_presigned: "unsupported" }
  const late = refused(
    await store.removeOnce(`${prefix}late`, { expiresInS: 1, mayStillSend, signedMsAgo: LATE_MS }),
  )
  return { late_presigned: finding(!late.ok && (await textAt(probing, "late")) === "1") }
}

/** Here a denial is an answer, whatever its word: of what is late it is the one that we hope for. */
function refused(result: Awaited<ReturnType<Probing["store"]["removeOnce"]>>): typeof result {
  const isDenial =
    !result.ok &&
    (result.error.kind === "denied" || result.error.kind === "expired" || result.error.kind === "credentials")
  return isDenial ? result : answered(result)
}
