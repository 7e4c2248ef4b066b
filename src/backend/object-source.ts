/** Bytes on their way to a store: a source that cannot deliver them ends the request, and is the reason that is told. */

import type { Trouble } from "../model/errors.ts"
import { type Content, ContentLost } from "../model/ports.ts"
import { err } from "../model/result.ts"
import type { Answer, Body } from "../store/store.ts"

/** A source that changes while it is sent ends the request, and is the reason that is reported. */
export function sourceOf(content: Content): { readonly body: Body; lost(): Trouble | undefined } {
  if (content.kind === "bytes")
    return { body: { kind: "bytes", bytes: content.bytes }, lost: () => undefined }
  let lost: Trouble | undefined
  async function* open(): AsyncGenerator<Uint8Array> {
    try {
      if (content.kind === "stream") yield* content.open()
    } catch (error) {
      if (error instanceof ContentLost) lost = error.trouble
      throw error
    }
  }
  return { body: { kind: "stream", sizeBytes: content.sizeBytes, open }, lost: () => lost }
}

/** A request that its own source ended was not carried out. */
export async function unlessLost<T>(send: () => Answer<T>): Answer<T> {
  try {
    return await send()
  } catch (error) {
    if (error instanceof ContentLost) return err({ kind: "unreachable", detail: error.trouble.code })
    throw error
  }
}
