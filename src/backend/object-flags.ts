/** The flags of a lease as small objects: one per device, below our reserved prefix. */

import type { Trouble } from "../model/errors.ts"
import { err, ok, type Result } from "../model/result.ts"
import type { ListedObject } from "../store/store.ts"
import type { Flag, FlagStore } from "./lease.ts"
import { type ObjectDeps, serverNowMs, troubleOf } from "./object-side.ts"
import { readText } from "./object-text.ts"

export const FLAGS_PREFIX = ".basic-memory/bisync/lease/"
const FLAG_BYTES_MAX = 4096

export function objectFlags(deps: ObjectDeps): FlagStore {
  const { store } = deps
  return {
    async put(name, content) {
      const put = await store.put(
        FLAGS_PREFIX + name,
        { kind: "bytes", bytes: Buffer.from(content) },
        { metadata: {} },
      )
      return put.ok ? ok(undefined) : err(troubleOf(put.error, FLAGS_PREFIX))
    },
    async list({ except }) {
      const listed = await flagObjects(deps)
      if (!listed.ok) return listed
      const flags: Flag[] = []
      for (const { key, lastModifiedMs } of listed.value) {
        if (key === FLAGS_PREFIX + except) continue
        const content = await readText(deps, { key, limitBytes: FLAG_BYTES_MAX })
        if (!content.ok) return content
        // Taken away between the listing and the reading.
        if (content.value === undefined) continue
        const { text } = content.value
        const age = store.traits.tellsAges ? { ageMs: serverNowMs(deps) - lastModifiedMs } : {}
        flags.push({ name: key.slice(FLAGS_PREFIX.length), content: text, ...age })
      }
      return ok(flags)
    },
    async remove(name) {
      const removed = await store.remove(FLAGS_PREFIX + name, {})
      return removed.ok || removed.error.kind === "not_found"
        ? ok(undefined)
        : err(troubleOf(removed.error, FLAGS_PREFIX))
    },
  }
}

async function flagObjects({ store }: ObjectDeps): Promise<Result<readonly ListedObject[], Trouble>> {
  const objects: ListedObject[] = []
  for (let next: string | undefined; ; ) {
    const page = await store.list({ prefix: FLAGS_PREFIX, ...(next !== undefined && { next }) })
    if (!page.ok) return err(troubleOf(page.error, FLAGS_PREFIX))
    objects.push(...page.value.objects)
    next = page.value.next
    if (next === undefined) return ok(objects)
  }
}
