/**
 * Writes to a stream and waits until it took everything, so that a slow reader does not fill the memory.
 *
 * A reader that has had enough (`| head`) is no trouble of ours: it answers `false`, and whoever writes may stop.
 */

import type { Writable } from "node:stream"

const watched = new WeakSet<Writable>()

export function writeAll(stream: Writable, chunk: Uint8Array | string): Promise<boolean> {
  // The error comes to the callback below; without a listener the same error would end the process.
  if (!watched.has(stream)) stream.on("error", () => undefined)
  watched.add(stream)
  return new Promise((resolve, reject) => {
    stream.write(chunk, (error) => {
      if (error === undefined || error === null) resolve(true)
      else if ("code" in error && error.code === "EPIPE") resolve(false)
      else reject(error)
    })
  })
}
