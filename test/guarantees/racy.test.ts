/** §5.5: a hash is reused only where nobody can have written again within the tick in which the file was looked at. */

import { expect, test } from "vitest"
import { folderBackend } from "../../src/backend/folder.ts"
import { MemoryDisk } from "../../src/disk/memory-disk.ts"
import { isSettled } from "../../src/engine/look.ts"
import { emptyState, fold } from "../../src/fold/fold.ts"
import type { Listing } from "../../src/model/entry.ts"
import type { DeviceId, RunId } from "../../src/model/ids.ts"
import type { EventBody, JournalEvent } from "../../src/model/event.ts"
import type { State } from "../../src/model/state.ts"
import { compileIgnore } from "../../src/observe/ignore.ts"
import { observe } from "../../src/observe/observe.ts"
import { must, sha256 } from "../simulation/world.ts"

const NOON_MS = Date.UTC(2026, 2, 2, 12)

function foldAll(state: State, bodies: readonly EventBody[]): State {
  const first = state.root.sequence + 1
  return fold(
    state,
    bodies.map(
      (body, at): JournalEvent => ({
        seq: first + at,
        at: "",
        run: "r0" as RunId,
        ...body,
        prev: sha256(""),
      }),
    ),
  )
}

function listed(listing: Listing): EventBody {
  const { count, digest, sampledMs } = listing
  return { type: "side.listed", side: "local", complete: true, count, digest, sampledMs, mounts: [] }
}

test.each([
  { disk: "that keeps milliseconds", timeStepMs: 1, lookMs: 1, editMs: 0 },
  { disk: "that keeps whole seconds", timeStepMs: 1000, lookMs: 300, editMs: 600 },
  { disk: "that keeps every other second", timeStepMs: 2000, lookMs: 1500, editMs: 1900 },
])("reads again what was written in the tick of the look, on a disk $disk", async (at) => {
  let nowMs = NOON_MS
  const disk = new MemoryDisk({ nowMs: () => nowMs, timeStepMs: at.timeStepMs })
  const backend = folderBackend({ disk, device: "d1" as DeviceId, sha256, nowMs: () => nowMs })
  const rules = compileIgnore({ global: "", projects: new Map() })
  const look = async (state: State) => {
    const listing = must(await backend.list({ ignoresDirectory: () => false }))
    const { listed: before } = state.root
    const input = {
      side: "local",
      backend,
      listing,
      paths: state.paths,
      listedBefore: before.local,
      rules,
    } as const
    return { listing, ...must(await observe({ ...input, acceptsMounts: false })) }
  }
  disk.userWrite("a.md", "one", NOON_MS)
  nowMs = NOON_MS + at.lookMs
  const first = await look(emptyState)
  const state = foldAll(emptyState, [...first.bodies, listed(first.listing)])
  nowMs = NOON_MS + at.editMs
  disk.userWrite("a.md", "two", NOON_MS)
  nowMs = NOON_MS + 60_000
  const second = await look(state)
  expect(second.listing.digest).toBe(first.listing.digest)
  expect(second.bodies).toMatchObject([{ type: "observed", path: "a.md", version: { hash: sha256("two") } }])
})

test.each([
  { age: "as young as the look", newestMs: NOON_MS - 1, isOld: false },
  { age: "a second older than the look", newestMs: NOON_MS - 1001, isOld: true },
  { age: "a second older, by whole seconds", newestMs: NOON_MS - 1000, isOld: false },
  { age: "three seconds older, by whole seconds", newestMs: NOON_MS - 3000, isOld: true },
])("passes a run by where its newest file is $age: $isOld", ({ newestMs, isOld }) => {
  const listing = { files: [], count: 0, unknowns: [], mounts: [], digest: "x", sampledMs: NOON_MS, newestMs }
  const sides = (["local", "remote"] as const).map(
    (side): EventBody =>
      ({ ...listed(listing), side, ...(side === "remote" && { settles: "s" }) }) as EventBody,
  )
  const state = foldAll(emptyState, sides)
  expect(isSettled(state, { local: listing, remote: listing }, "s")).toBe(isOld)
})
