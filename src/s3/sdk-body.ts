/**
 * Bytes on their way: bodies that come, whole or `ContentLost`, and bodies that go, never with a wrong end.
 *
 * A connection that says nothing any more is given up, also in the middle of a body.
 */

import { Readable } from "node:stream"
import { ContentLost } from "../model/ports.ts"
import { wordOf } from "./failure.ts"
import type { Body } from "../store/store.ts"

export interface ByteStream extends AsyncIterable<Uint8Array> {
  destroy(error?: Error): unknown
}

export function isStream(body: unknown): body is ByteStream {
  return typeof body === "object" && body !== null && Symbol.asyncIterator in body && "destroy" in body
}

export async function* withoutStalls(body: ByteStream, idleMs: number): AsyncGenerator<Uint8Array> {
  let timer: NodeJS.Timeout | undefined
  const watch = (): void => {
    timer = setTimeout(() => {
      body.destroy(Object.assign(new Error("stalled"), { code: "ETIMEDOUT" }))
    }, idleMs)
  }
  watch()
  try {
    for await (const piece of body) {
      // Whoever takes the bytes may be slow; only the server is watched.
      clearTimeout(timer)
      yield piece
      watch()
    }
  } finally {
    clearTimeout(timer)
  }
}

/** The bytes of an object, all of them or `ContentLost`. */
export async function* wholeBody(
  body: ByteStream,
  { sizeBytes, idleMs }: { readonly sizeBytes: number; readonly idleMs: number },
): AsyncGenerator<Uint8Array> {
  let bytes = 0
  try {
    for await (const piece of withoutStalls(body, idleMs)) {
      bytes += piece.length
      if (bytes > sizeBytes) throw lost("more bytes than were announced")
      yield piece
    }
  } catch (error) {
    throw error instanceof ContentLost ? error : lost(wordOf(error))
  }
  if (bytes !== sizeBytes) throw lost("fewer bytes than were announced")
}

function lost(detail: string): ContentLost {
  return new ContentLost({ code: "unreachable", path: "", detail })
}

export interface SentBody {
  readonly Body: Uint8Array | Readable
  readonly ContentLength: number
}

/** A source that breaks off, or has another length, ends the request at once, so that its last byte never leaves. */
export async function sendBody<T>(
  body: Body,
  send: (input: SentBody, abortSignal: AbortSignal) => Promise<T>,
): Promise<T> {
  const aborting = new AbortController()
  if (body.kind === "bytes")
    return send({ Body: body.bytes, ContentLength: body.bytes.length }, aborting.signal)
  let broken: { readonly error: unknown } | undefined
  async function* watched(source: AsyncIterable<Uint8Array>, sizeBytes: number): AsyncGenerator<Uint8Array> {
    let bytes = 0
    try {
      for await (const piece of source) {
        bytes += piece.length
        if (bytes > sizeBytes) throw sourceChanged()
        yield piece
      }
      if (bytes !== sizeBytes) throw sourceChanged()
    } catch (error) {
      broken = { error }
      aborting.abort()
      throw error
    }
  }
  const stream = Readable.from(watched(body.open(), body.sizeBytes), { objectMode: false })
  // The request is aborted above; nobody else needs to hear it from the stream.
  stream.on("error", () => undefined)
  try {
    return await send({ Body: stream, ContentLength: body.sizeBytes }, aborting.signal)
  } catch (error) {
    throw broken === undefined ? error : broken.error
  } finally {
    stream.destroy()
  }
}

function sourceChanged(): ContentLost {
  return new ContentLost({ code: "changed_since", path: "" })
}
