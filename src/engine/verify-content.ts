/** Reads every version that the history names and compares its hash: one at a time, the large ones in pieces. */

import { createHash } from "node:crypto"
import type { ContentHash, GitOid, Sequence } from "../model/ids.ts"
import { ContentLost, type HistoryStore } from "../model/ports.ts"
import { sha256 } from "./session.ts"
import type { VerifyCheckOf, DamagedVersion } from "./verify.ts"
import type { Read } from "./verify-reading.ts"

const LISTED_MAX = 100

export async function checkContent(
  history: HistoryStore,
  { kept, large, state }: Read,
  from: Sequence,
): Promise<VerifyCheckOf<"content">> {
  const damaged: DamagedVersion[] = []
  let versions = 0
  for (const [hash, { oid, sequence }] of kept) {
    if (sequence < from) continue
    versions += 1
    const kind = await judge(history, oid, { hash, isLarge: large.has(hash) })
    if (kind !== undefined) damaged.push({ hash, kind })
  }
  if (damaged.length === 0) return { name: "content", versions }
  const paths = new Map([...state.paths].map(([path, { base }]) => [base?.hash ?? "", path]))
  const listed = damaged.slice(0, LISTED_MAX).map((each): DamagedVersion => {
    const path = paths.get(each.hash as ContentHash)
    return path === undefined ? each : { ...each, path }
  })
  const finding = damaged.some(({ kind }) => kind === "altered") ? "altered" : "missing"
  return { name: "content", finding, versions, damaged: listed }
}

async function judge(
  history: HistoryStore,
  oid: GitOid,
  { hash, isLarge }: { readonly hash: ContentHash; readonly isLarge: boolean },
): Promise<DamagedVersion["kind"] | undefined> {
  const streamed = isLarge ? await digestOf(history.stream(oid)) : undefined
  if (streamed === hash) return undefined
  if (streamed === "missing") return streamed
  // A damaged copy does no harm where there is another: reading looks in every place, a stream in the first.
  const read = await history.read(oid)
  if (!read.ok) return read.error.code === "not_found" ? "missing" : "altered"
  return sha256(read.value) === hash ? undefined : "altered"
}

async function digestOf(pieces: AsyncIterable<Uint8Array>): Promise<string> {
  const digest = createHash("sha256")
  try {
    for await (const piece of pieces) digest.update(piece)
  } catch (error) {
    if (!(error instanceof ContentLost)) throw error
    return error.trouble.code === "not_found" ? "missing" : "altered"
  }
  return `sha256:${digest.digest("hex")}`
}
