/**
 * Reads the small texts that our devices share in a bucket: the epoch, the flags of a lease.
 *
 * Several devices replace them at the same time, and some servers end the answer in the middle when the object is
 * replaced under it. That says nothing about the object, so it is asked for again.
 */

import type { Trouble } from "../model/errors.ts"
import { ContentLost } from "../model/ports.ts"
import { err, ok, type Result } from "../model/result.ts"
import type { Etag, ObjectStore } from "../s3/store.ts"
import { troubleOf } from "./s3-side.ts"

const ATTEMPTS_MAX = 5

export interface SharedText {
  readonly etag: Etag
  readonly text: string
}

/** Nothing where the key is not there. `what` names it in trouble. */
export async function readText(
  store: ObjectStore,
  at: { readonly key: string; readonly limitBytes: number; readonly what: string },
): Promise<Result<SharedText | undefined, Trouble>> {
  const { key, limitBytes, what } = at
  for (let attempt = 1; ; attempt++) {
    const got = await store.get(key, { limitBytes })
    if (!got.ok) return got.error.kind === "not_found" ? ok(undefined) : err(troubleOf(got.error, what))
    const { head, body } = got.value
    const pieces: Uint8Array[] = []
    try {
      for await (const piece of body) pieces.push(piece)
      return ok({ etag: head.etag, text: Buffer.concat(pieces).toString("utf8") })
    } catch (error) {
      if (!(error instanceof ContentLost)) throw error
      if (attempt >= ATTEMPTS_MAX) return err({ ...error.trouble, path: what })
    }
  }
}
