/**
 * Where what is sent waits until it is moved to its key: below our reserved prefix, under names that tell when it began.
 *
 * What a life that ended left there is removed a day later.
 */

import { ok } from "../model/result.ts"
import type { Answer, Upload } from "../store/store.ts"
import { list, member, text } from "./answers.ts"
import { configOf } from "./remote.ts"
import { removeObject } from "./removing.ts"
import type { RcloneSide } from "./side.ts"

export const STAGING = ".basic-memory/bisync/tmp/"
const LIST_MS_MAX = 110_000
const LEFTOVER_MS = 24 * 3_600_000

/** Begins with the time, by which a device that comes later tells that nobody is at it any more. */
export function stagingName({ random, nowMs }: RcloneSide): string {
  return `${Math.floor(nowMs()).toString(36)}-${random.hex128()}`
}

export async function stagedUploads({ ask, remote }: RcloneSide): Answer<readonly Upload[]> {
  const input = {
    fs: remote.fs,
    remote: STAGING.slice(0, -1),
    opt: { filesOnly: true, noModTime: true },
    ...configOf(remote),
  }
  const listed = await ask("operations/list", input, { withinMs: LIST_MS_MAX, isRepeatable: true })
  if (!listed.ok) return listed.error.kind === "not_found" ? ok([]) : listed
  return ok(stagedIn(listed.value))
}

/** The sides that have looked already: once in a life is enough. */
const tidied = new WeakSet<RcloneSide>()

/** Of lives that ended between sending a small file and moving it. */
export async function removeLeftovers(side: RcloneSide): Promise<void> {
  if (tidied.has(side)) return
  tidied.add(side)
  const uploads = await stagedUploads(side)
  if (!uploads.ok) return
  const old = uploads.value.filter(({ startedMs }) => side.nowMs() - startedMs > LEFTOVER_MS)
  for (const { uploadId } of old) await removeObject(side, STAGING + uploadId)
}

function stagedIn(answer: unknown): readonly Upload[] {
  return list(member(answer, "list")).flatMap((item): readonly Upload[] => {
    const uploadId = text(member(item, "Name"))
    const started = /^([0-9a-z]+)-[0-9a-f]{32}$/.exec(uploadId)?.[1]
    return started === undefined ? [] : [{ key: "", uploadId, startedMs: Number.parseInt(started, 36) }]
  })
}
