/** What only a bucket can get wrong: times that a listing does not show, marks that are no notes, losers never read. */

import { describe, expect, test } from "vitest"
import type { OpId } from "../../src/model/ids.ts"
import { toMetadata } from "../../src/store/metadata.ts"
import { foreignPut } from "../../src/store/memory-store.ts"
import { must, type SimulatedDevice, type Simulation } from "../simulation/world.ts"
import { agree, LATER_MS, publish, skippedIn, treeOf } from "./story.ts"

const TOMBSTONE = { "bm-tombstone": "0".repeat(32), "bm-tombstone-device": "device-2" }
const SIZE = 4099

function bucketOf({ remote }: Simulation) {
  if (remote.s3 === undefined) throw new Error("no bucket")
  return remote.s3
}

test("takes a tombstone for no note, and not for a deletion either", async () => {
  const { simulation, first } = await agree("bucket B")
  const bytes = Buffer.alloc(SIZE, " ")
  foreignPut(bucketOf(simulation).objects, "a.md", bytes, { metadata: TOMBSTONE, atMs: simulation.nowMs })
  const ran = await first.sync()
  // Its bytes would not be read either, but a plan that means to is wrong already.
  expect(skippedIn(ran)).toEqual({})
  expect(treeOf(first)["a.md"]).toBe("alpha one")
})

test("takes a note of a tombstone's size for a note", async () => {
  const { simulation, first } = await agree("bucket B")
  simulation.remote.put("a.md", "x".repeat(SIZE))
  must(await first.sync())
  expect(treeOf(first)["a.md"]).not.toBe("alpha one")
  expect(treeOf(first)["a.md"]).toBe(treeOf(simulation.remote)["a.md"])
})

describe.each(["bucket A", "bucket B", "bucket C"] as const)("over a %s", (kind) => {
  test("compares what the users wrote, not when it was uploaded", async () => {
    const story = await agree(kind)
    const { simulation, first, second } = story
    second.save("a.md", "written first, uploaded later")
    simulation.nowMs += LATER_MS
    first.save("a.md", "written later")
    simulation.nowMs += LATER_MS
    await publish(story)
    must(await first.sync())
    expect(treeOf(first)["a.md"]).toBe("written later")
    expect(treeOf(simulation.remote)["a.md"]).toBe("written later")
  })
})

async function loseLarge(): Promise<SimulatedDevice> {
  const { simulation, first } = await agree("bucket A")
  const op = "0".repeat(32) as OpId
  const mtimeMs = simulation.nowMs - 20_000
  const metadata = toMetadata({ op, lineage: [], deviceName: "other", mtimeMs })
  first.save("a.md", "here, later than that")
  simulation.nowMs += LATER_MS
  const large = Buffer.alloc(9 * 1024 * 1024, "large")
  foreignPut(bucketOf(simulation).objects, "a.md", large, { metadata, atMs: simulation.nowMs })
  must(await first.sync())
  return first
}

test("asks for the user's time of a rival that is too large to be read for it", async () => {
  expect(treeOf(await loseLarge())["a.md"]).toBe("here, later than that")
})

test("names in the history what it replaced, though it was read only to be kept", async () => {
  const ledger = await (await loseLarge()).ledger()
  const befores: unknown[] = []
  for await (const event of ledger.journal.events(1))
    if (event.type === "done" && event.conflict !== undefined) befores.push(event.before)
  expect(befores).toEqual([expect.stringMatching(/^sha256:/)])
})
