/**
 * The bytes of a path at a moment of the past: found by the journal, read from the history store, proven by their hash.
 *
 * Nothing is handed out that is not exactly the version that was agreed on then. A version too large to be in memory
 * is read twice, once to prove it and once to hand it out.
 */

import { createHash } from "node:crypto"
import type { SyncError } from "../model/errors.ts"
import type { ContentHash, RunId, Sequence } from "../model/ids.ts"
import { parsePath, type RelativePath } from "../model/path.ts"
import { ContentLost, SMALL_FILE_BYTES_MAX } from "../model/ports.ts"
import { err, ok, type Result } from "../model/result.ts"
import { pathPrefix, sequenceText } from "../fold/indexes.ts"
import { DiskFailure } from "../disk/disk.ts"
import { openNodeDisk } from "../disk/node-disk.ts"
import type { Place } from "./config.ts"
import { type HistoryAccess, type HistoryOpened, lastUpTo, withHistory } from "./history-open.ts"
import { type Ledger, sequenceIn } from "./ledger.ts"
import { openHistory } from "./session.ts"
import type { When } from "./take-back.ts"

export interface PastVersion {
  readonly path: RelativePath
  readonly hash: ContentHash
  readonly sizeBytes: number
  readonly run?: RunId
  /** When both sides came to hold it. */
  readonly since: string
}

export interface VersionQuery {
  readonly path: string
  readonly at: When
  /** As the user typed it, for messages. */
  readonly atText: string
}

type Pieces = () => AsyncIterable<Uint8Array>

/** Finds the version, hands its bytes to `write` piece by piece until that answers false, and says which it was. */
export function readVersion(
  place: Place,
  access: HistoryAccess,
  query: VersionQuery,
  write: (piece: Uint8Array) => Promise<boolean>,
): Promise<Result<PastVersion, SyncError>> {
  return withHistory(place, access, async (opened) => {
    const absent = (what: string) =>
      err({ code: "not_found", what, name: `${query.path} at ${query.atText}` } as const)
    const path = parsePath(query.path.replace(/^\.\//, ""))
    if (!path.ok) return absent("version of")
    const sequence = await lastUpTo(opened.ledger, query.at)
    if (!sequence.ok) return sequence
    const version = await versionAt(opened.ledger, path.value, sequence.value)
    if (version === undefined) return absent("version of")
    for (const pieces of await sourcesOf(opened, version)) {
      const proven = await prove(pieces, version)
      if (proven === undefined) continue
      for await (const piece of proven()) if (!(await write(piece))) break
      return ok(version)
    }
    return absent("kept and intact version of")
  })
}

async function versionAt(
  ledger: Ledger,
  path: RelativePath,
  sequence: Sequence,
): Promise<PastVersion | undefined> {
  const prefix = pathPrefix(path)
  const range = { from: prefix, before: prefix + sequenceText(sequence + 1), reverse: true }
  for await (const rows of ledger.journal.store.range(range)) {
    for (const [key] of rows) {
      const event = await ledger.journal.get(sequenceIn(key))
      if (event?.type !== "done" && event?.type !== "agreed") continue
      const agreed =
        event.type === "done"
          ? event.after.find((each) => each.path === path)
          : event.items.filter((item) => item.path === path).map(({ version }) => ({ content: version }))[0]
      if (agreed === undefined) continue
      const { content } = agreed
      if (content?.hash === undefined) return undefined
      const run = event.run === undefined ? {} : { run: event.run }
      return { path, hash: content.hash, sizeBytes: content.sizeBytes, since: event.at, ...run }
    }
  }
  return undefined
}

/** The history store; and the file itself, which may still be that version, such as a large one that was never replaced. */
async function sourcesOf(
  { ledger, directory, config }: HistoryOpened,
  { hash, path }: PastVersion,
): Promise<readonly Pieces[]> {
  const sources: Pieces[] = []
  const oid = await ledger.keptAt(hash)
  const history = oid === undefined ? undefined : await openHistory(directory, config.syncDir)
  if (oid !== undefined && history?.ok === true) {
    const store = history.value
    sources.push(
      () => store.stream(oid),
      async function* () {
        const read = await store.read(oid)
        if (!read.ok) throw new ContentLost(read.error)
        yield read.value
      },
    )
  }
  const disk = openNodeDisk(config.syncDir)
  if (disk.ok) sources.push(() => disk.value.streamFile(path))
  return sources
}

/** The same bytes again, once they have been seen to be the version; absent where they are not. */
async function prove(pieces: Pieces, { hash, sizeBytes }: PastVersion): Promise<Pieces | undefined> {
  const isSmall = sizeBytes <= SMALL_FILE_BYTES_MAX
  const held: Uint8Array[] = []
  const digest = createHash("sha256")
  let bytes = 0
  try {
    for await (const piece of pieces()) {
      bytes += piece.length
      if (bytes > sizeBytes) return undefined
      digest.update(piece)
      if (isSmall) held.push(Uint8Array.from(piece))
    }
  } catch (error) {
    if (error instanceof ContentLost || error instanceof DiskFailure) return undefined
    throw error
  }
  if (`sha256:${digest.digest("hex")}` !== hash) return undefined
  return isSmall
    ? async function* () {
        yield* held
      }
    : pieces
}
