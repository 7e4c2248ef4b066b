/**
 * Lists, looks and reads through rclone.
 *
 * An error in the middle of a listing is no listing. What is read is compared with the version that was meant: by the
 * checksum where there is one, by a second look where there is none.
 */

import { createHash } from "node:crypto"
import type { IncomingMessage } from "node:http"
import { ContentLost } from "../model/ports.ts"
import { err, ok } from "../model/result.ts"
import { checksumIn } from "../store/checksum.ts"
import type { Answer, Etag, Failure, ObjectHead, ObjectRead, ObjectStore, Page } from "../store/store.ts"
import { NOT_A_DIRECTORY } from "./failure.ts"
import { headOf, pageOf } from "./listed.ts"
import { configOf } from "./remote.ts"
import type { RcloneSide } from "./side.ts"

const LIST_MS_MAX = 30 * 60_000
const LOOK_MS_MAX = 60_000
/** The smallest listing that every remote has. */
const OURS = ".basic-memory/bisync/"

export function reading(side: RcloneSide): Pick<ObjectStore, "list" | "head" | "get"> {
  return {
    list: ({ prefix }) => listBelow(side, prefix),
    head: (key) => look(side, key),
    get: (key, options) => getObject(side, key, options),
  }
}

/** All of it in one page, for rclone reads the pages of its storage itself. */
async function listBelow(side: RcloneSide, prefix: string): Answer<Page> {
  const slash = prefix.lastIndexOf("/")
  const directory = prefix.slice(0, slash + 1)
  const isWhole = slash === prefix.length - 1
  const listed = await listDirectory(side, directory, { isDeep: isWhole })
  if (!listed.ok) {
    if (!isNothing(listed.error)) return listed
    // A directory that is not there is empty; a remote that is not there is not.
    if (directory === "") return err({ ...listed.error, kind: "no_bucket" })
    const root = await listDirectory(side, "", { isDeep: false })
    if (root.ok) return ok({ objects: [], broken: [] })
    return isNothing(root.error) ? err({ ...root.error, kind: "no_bucket" }) : root
  }
  if (isWhole) return listed
  return ok({ ...listed.value, objects: listed.value.objects.filter(({ key }) => key.startsWith(prefix)) })
}

async function listDirectory(
  { ask, remote }: RcloneSide,
  directory: string,
  { isDeep }: { readonly isDeep: boolean },
): Answer<Page> {
  const { fs, checksum, isLocal } = remote
  const opt = {
    recurse: isDeep,
    filesOnly: true,
    noMimeType: true,
    metadata: isLocal,
    showHash: checksum !== undefined,
    ...(checksum !== undefined && { hashTypes: [checksum] }),
  }
  const input = { fs, remote: directory.replace(/\/$/, ""), opt, ...configOf(remote) }
  const listed = await ask("operations/list", input, {
    withinMs: LIST_MS_MAX,
    isRepeatable: true,
    isAllOrNothing: true,
  })
  return listed.ok ? ok(pageOf(remote, listed.value)) : listed
}

export async function look({ ask, remote }: RcloneSide, key: string): Answer<ObjectHead> {
  const { fs, checksum, isLocal, isTimeSlow } = remote
  // Without `filesOnly` it lists the directory instead, and swallows what goes wrong there.
  const opt = {
    filesOnly: true,
    noMimeType: true,
    metadata: isTimeSlow || isLocal,
    showHash: checksum !== undefined,
    ...(checksum !== undefined && { hashTypes: [checksum] }),
  }
  const input = { fs, remote: key, opt, ...configOf(remote) }
  const seen = await ask("operations/stat", input, { withinMs: LOOK_MS_MAX, isRepeatable: true })
  if (!seen.ok) return isNothing(seen.error) ? err(NOT_FOUND) : seen
  const head = headOf(remote, seen.value)
  return head === undefined ? err(NOT_FOUND) : ok(head)
}

const NOT_FOUND: Failure = { kind: "not_found", detail: "object not found" }

/** Below the name of a file is as little as below one that is not there. */
function isNothing({ kind, detail }: Failure): boolean {
  return kind === "not_found" || detail === NOT_A_DIRECTORY
}

async function getObject(
  side: RcloneSide,
  key: string,
  { ifMatch, limitBytes }: Parameters<ObjectStore["get"]>[1],
): Answer<ObjectRead> {
  const head = await look(side, key)
  if (!head.ok) return head.error.kind === "not_found" ? nothingToRead(side, { ifMatch }) : head
  const { etag, sizeBytes } = head.value
  if (ifMatch !== undefined && etag !== ifMatch) return err({ kind: "precondition", detail: "it changed" })
  if (limitBytes !== undefined && sizeBytes > limitBytes)
    return err({ kind: "nonsense", detail: "larger than it was" })
  const opened = await side.open(key)
  if (!opened.ok) return opened
  return ok({ head: head.value, body: exactly(side, { key, head: head.value, message: opened.value }) })
}

/** A look says the same of a key that is gone and of a remote that is gone; a listing says which. */
async function nothingToRead(
  side: RcloneSide,
  { ifMatch }: { readonly ifMatch: Etag | undefined },
): Answer<never> {
  const listed = await listBelow(side, OURS)
  if (!listed.ok) return listed
  return err(ifMatch === undefined ? NOT_FOUND : { ...NOT_FOUND, kind: "precondition" })
}

async function* exactly(
  side: RcloneSide,
  at: { readonly key: string; readonly head: ObjectHead; readonly message: IncomingMessage },
): AsyncGenerator<Uint8Array> {
  const { key, head, message } = at
  const checksum = checksumIn(head.etag)
  const hasher = checksum === undefined ? undefined : createHash(checksum.algorithm)
  let bytes = 0
  try {
    for await (const piece of message as AsyncIterable<Uint8Array>) {
      bytes += piece.length
      hasher?.update(piece)
      yield piece
    }
  } catch {
    throw new ContentLost({ code: "unreachable", path: key, detail: "the connection broke" })
  }
  if (bytes !== head.sizeBytes) throw new ContentLost({ code: "unreachable", path: key, detail: "it is cut" })
  if (hasher !== undefined && hasher.digest("hex") === checksum?.hex.toLowerCase()) return
  const isStillThere = await isStill(side, key, head.etag)
  if (!isStillThere) throw new ContentLost({ code: "changed_since", path: key })
  // The storage says that it is the same version, and its own checksum says that these are not its bytes.
  if (hasher !== undefined) throw new ContentLost({ code: "hash_mismatch", path: key })
}

async function isStill(side: RcloneSide, key: string, etag: Etag): Promise<boolean> {
  const now = await look(side, key)
  return now.ok && now.value.etag === etag
}
