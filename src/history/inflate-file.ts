/**
 * Inflates a zlib stream out of a file in pieces, so that no object is too large to be read.
 *
 * What follows the stream in the file is not looked at. `verified` passes pieces on while it hashes them: a
 * consumer has seen a damaged object's bytes before it learns that they are damaged, and must not have kept them.
 */

import { createHash } from "node:crypto"
import { createReadStream } from "node:fs"
import { createInflate } from "node:zlib"
import type { GitOid } from "../model/ids.ts"
import { damaged } from "./git-trouble.ts"

const OUTPUT_BYTES = 64 * 1024

export async function* inflateFile(path: string, start: number): AsyncGenerator<Buffer> {
  const file = createReadStream(path, { start })
  const inflate = createInflate({ chunkSize: OUTPUT_BYTES })
  file.on("error", (error) => inflate.destroy(error))
  file.pipe(inflate)
  try {
    for await (const piece of inflate) yield piece
  } finally {
    file.destroy()
    inflate.destroy()
  }
}

/** Throws where `header` and all pieces together are not the object of this name. */
export async function* verified(
  oid: GitOid,
  header: string,
  pieces: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  const sha = createHash("sha1").update(header, "latin1")
  for await (const piece of pieces) {
    sha.update(piece)
    yield piece
  }
  if (sha.digest("hex") !== oid) throw damaged(oid, "damaged")
}
