/**
 * Moves and copies within a remote, onto whatever file is there, and never onto a directory that holds something.
 *
 * All requests of one write share its time, so that none is sent when others may have begun to write.
 */

import { err, ok } from "../model/result.ts"
import type { Answer, Failure } from "../store/store.ts"
import { list, member } from "./answers.ts"
import { TAKEN_FOR_A_FILE, UNKNOWN } from "./failure.ts"
import { configOf } from "./remote.ts"
import { keeping } from "./removing.ts"
import type { RcloneSide } from "./side.ts"

/** With the three minutes in which a write may begin this stays within the five of the lease. */
export const WRITE_MS_MAX = 110_000

/** What is left of the time in which all requests of one write must be through, that is from now. */
export function writeTime({ monotonicMs }: RcloneSide): () => number {
  const untilMs = monotonicMs() + WRITE_MS_MAX
  return () => untilMs - monotonicMs()
}

/**
 * Without these rclone skips what has the same size and time, and a move then removes its source and keeps the old
 * version; and it removes what is at the goal before it moves. Where two files may share a name it must look first.
 */
export function replacing({ remote }: RcloneSide, { looksFirst = false } = {}): object {
  return configOf(remote, {
    IgnoreTimes: true,
    Inplace: true,
    NoCheckDest: !remote.hasDuplicates && !looksFirst,
  })
}

export interface Move {
  readonly from: string
  readonly to: string
  /** Milliseconds that are left for it. */
  readonly left: () => number
}

export function moveOrCopy(
  side: RcloneSide,
  command: "operations/copyfile" | "operations/movefile",
  move: Move,
): Answer<unknown> {
  return keeping(side, move.to, () => sendMove(side, command, move))
}

async function sendMove(
  side: RcloneSide,
  command: "operations/copyfile" | "operations/movefile",
  { from, to, left }: Move,
): Answer<unknown> {
  const { fs } = side.remote
  const input = { srcFs: fs, srcRemote: from, dstFs: fs, dstRemote: to }
  const free = await hasNoneBelow(side, to, left())
  if (!free.ok) return free
  const send = async (looksFirst: boolean): Answer<unknown> => {
    const withinMs = left()
    if (withinMs <= 0) return err({ kind: "too_late", detail: "" })
    const asked = { ...input, ...replacing(side, { looksFirst }) }
    return side.ask(command, asked, { withinMs, isRepeatable: false })
  }
  const moved = await send(false)
  // Some storages rename onto nothing only.
  if (moved.ok || (moved.error.kind !== "refused" && moved.error.detail !== UNKNOWN)) return moved
  return send(true)
}

/** Some storages move a file to the name of a directory, and everything that was in there is gone. */
async function hasNoneBelow({ ask, remote }: RcloneSide, key: string, withinMs: number): Answer<void> {
  if (remote.isBucketBased || remote.isLocal) return ok(undefined)
  const input = {
    fs: remote.fs,
    remote: key,
    opt: { noModTime: true, noMimeType: true },
    ...configOf(remote),
  }
  const listed = await ask("operations/list", input, { withinMs, isRepeatable: true })
  if (!listed.ok) return isOfAFile(listed.error) ? ok(undefined) : listed
  return list(member(listed.value, "list")).length === 0
    ? ok(undefined)
    : err({ kind: "refused", detail: "is a directory", via: "rclone" })
}

/** Each storage has its own word for the directory that a file is not. */
function isOfAFile({ kind, detail }: Failure): boolean {
  return kind === "not_found" || kind === "refused" || detail === TAKEN_FOR_A_FILE || detail === UNKNOWN
}
