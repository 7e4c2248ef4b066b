/**
 * Reads the small texts that our devices share in a bucket: the epoch, the flags of a lease.
 *
 * Several devices replace them at the same time, and servers over a file system may end the answer in the middle when
 * the object is replaced under it, or show the half that is already written. That says nothing about the object, so it
 * is asked for again.
 */

import type { Trouble } from "../model/errors.ts"
import { ContentLost } from "../model/ports.ts"
import { err, ok, type Result } from "../model/result.ts"
import type { Etag } from "../store/store.ts"
import { type ObjectDeps, troubleOf } from "./object-side.ts"

const ATTEMPTS_MAX = 5
const DELAY_MS = 100

export interface SharedText {
  readonly etag: Etag
  readonly text: string
}

/** Nothing where the key is not there. A text that is not whole in the end is handed out. */
export async function readText(
  { store, sleep }: Pick<ObjectDeps, "store" | "sleep">,
  at: {
    readonly key: string
    readonly limitBytes: number
    readonly isWhole?: (text: string) => boolean
  },
): Promise<Result<SharedText | undefined, Trouble>> {
  const { key, limitBytes, isWhole = () => true } = at
  for (let attempt = 1; ; attempt++) {
    const got = await store.get(key, { limitBytes })
    if (!got.ok) return got.error.kind === "not_found" ? ok(undefined) : err(troubleOf(got.error, key))
    const text = await textOf(got.value.body)
    const isLast = attempt >= ATTEMPTS_MAX
    if (text.ok && (isLast || isWhole(text.value))) return ok({ etag: got.value.head.etag, text: text.value })
    if (!text.ok && isLast) return err({ ...text.error, path: key })
    await sleep(DELAY_MS * attempt)
  }
}

async function textOf(body: AsyncIterable<Uint8Array>): Promise<Result<string, Trouble>> {
  const pieces: Uint8Array[] = []
  try {
    for await (const piece of body) pieces.push(piece)
  } catch (error) {
    if (error instanceof ContentLost) return err(error.trouble)
    throw error
  }
  return ok(Buffer.concat(pieces).toString("utf8"))
}
