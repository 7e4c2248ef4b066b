/** What cannot be kept is not replaced; that the storage is away is another matter than that a version cannot be kept. */

import { expect, test } from "vitest"
import { preserve } from "../../src/execute/preserve.ts"
import { MemoryHistory } from "../../src/history/memory-history.ts"
import type { Action } from "../../src/model/action.ts"
import type { TroubleCode } from "../../src/model/errors.ts"
import { mustPath } from "../../src/model/path.ts"
import type { Backend } from "../../src/model/ports.ts"

const keep = { side: "remote", path: mustPath("a.md"), version: { token: "1", sizeBytes: 1, mtimeMs: 1 } }

test.each<{ found: TroubleCode; said: TroubleCode }>([
  { found: "unreachable", said: "unreachable" },
  { found: "credentials", said: "credentials" },
  { found: "changed_since", said: "changed_since" },
  { found: "hash_mismatch", said: "not_kept" },
  { found: "no_permission", said: "not_kept" },
])("a version that cannot be read ($found) refuses its action as $said", async ({ found, said }) => {
  const action = { path: keep.path, keeps: [keep], steps: [] } as unknown as Action
  const side = { read: async () => ({ ok: false, error: { code: found, path: keep.path } }) }
  const sides = { local: side, remote: side } as unknown as Record<"local" | "remote", Backend>
  const deps = { sides, history: new MemoryHistory(), keptAt: async () => undefined, largeFileBytes: 10 }
  const kept = await preserve(deps, [action], { message: "keep", atMs: 0 })
  expect(kept.ok && kept.value.refused.get(action)?.code).toBe(said)
})
