/** The flags of a lease as small objects: one per device, below our reserved prefix. */

import { err, ok } from "../model/result.ts"
import type { Flag, FlagStore } from "./lease.ts"
import { type S3Deps, serverNowMs, troubleOf } from "./s3-side.ts"
import { readText } from "./s3-text.ts"

const PREFIX = ".basic-memory/bisync/lease/"
const FLAG_BYTES_MAX = 4096

export function s3Flags(deps: S3Deps): FlagStore {
  const { store } = deps
  return {
    async put(name, content) {
      const put = await store.put(
        PREFIX + name,
        { kind: "bytes", bytes: Buffer.from(content) },
        { metadata: {} },
      )
      return put.ok ? ok(undefined) : err(troubleOf(put.error, "lease"))
    },
    async list() {
      const page = await store.list({ prefix: PREFIX })
      if (!page.ok) return err(troubleOf(page.error, "lease"))
      const flags: Flag[] = []
      for (const { key, etag, lastModifiedMs } of page.value.objects) {
        const content = await readText(deps, { key, limitBytes: FLAG_BYTES_MAX, what: "lease" })
        if (!content.ok) return content
        // Taken away between the listing and the reading.
        if (content.value === undefined) continue
        const ageMs = serverNowMs(deps) - lastModifiedMs
        flags.push({ name: key.slice(PREFIX.length), token: etag, content: content.value.text, ageMs })
      }
      return ok(flags)
    },
    async remove(name) {
      const removed = await store.remove(PREFIX + name, {})
      return removed.ok || removed.error.kind === "not_found"
        ? ok(undefined)
        : err(troubleOf(removed.error, "lease"))
    },
  }
}
