/** G7: a run that died anywhere is finished by the next one, and ends as if nothing had happened. */

import { describe, expect, test } from "vitest"
import { memoryStore } from "../../src/journal/memory-store.ts"
import { BUCKETS_ARE_FREE_MS } from "../simulation/healed.ts"
import { Crash, must, type Simulation } from "../simulation/world.ts"
import { agree, KINDS, LATER_MS, publish, START, type Story, treeOf } from "./story.ts"

const POINTS_MAX = 2_000

/** Edits and deletes of either side, none of them at one path. */
async function edit(story: Story): Promise<Readonly<Record<string, string>>> {
  const { first, second } = story
  second.save("b.md", "beta two, of there")
  second.remove("d/e.md")
  await publish(story)
  first.save("a.md", "alpha two, of here")
  first.remove("d/c.md")
  first.write("f/new.md", "new")
  return { "a.md": "alpha two, of here", "b.md": "beta two, of there", "f/new.md": "new" }
}

/** False where the run ended before that point. */
async function diesAt(simulation: Simulation, point: number, losesUnsynced: boolean): Promise<boolean> {
  const device = simulation.device(0)
  let left = point
  simulation.hook = ({ life, isEffect }) => {
    if (isEffect) left -= 1
    if (left <= 0) life.isDead = true
  }
  const isDead = await device.sync().then(
    () => false,
    (error: unknown) => {
      if (error instanceof Crash) return true
      throw error
    },
  )
  simulation.hook = undefined
  if (isDead) device.restart({ losesUnsynced })
  return isDead
}

describe.each(KINDS)("over a %s", (kind) => {
  test.each([false, true])(
    "takes back no edit, wherever a run dies; by a power loss: %s",
    async (losesUnsynced) => {
      const story = await agree(kind)
      const expected = await edit(story)
      for (let point = 1; point < POINTS_MAX; point++) {
        const simulation = story.simulation.fork()
        if (!(await diesAt(simulation, point, losesUnsynced))) return expect(point).toBeGreaterThan(20)
        if (simulation.remote.s3 !== undefined) simulation.nowMs += BUCKETS_ARE_FREE_MS
        for (const index of [0, 1, 0]) {
          simulation.nowMs += LATER_MS
          must(await simulation.device(index).sync())
        }
        for (const side of [...simulation.devices, simulation.remote])
          expect(treeOf(side), `point ${point}`).toEqual(expected)
      }
      throw new Error("the run does not end")
    },
  )
})

test("gives back what a dead run put aside, though its journal is gone", async () => {
  const story = await agree("folder")
  const { simulation, first, second } = story
  second.save("a.md", "alpha two")
  await publish(story)
  simulation.hook = ({ life, at, phase }) => {
    if (at.startsWith("local.rename .basic-memory/trash/") && phase === "after") life.isDead = true
  }
  await expect(first.sync()).rejects.toThrow(Crash)
  simulation.hook = undefined
  first.restart({ losesUnsynced: true })
  const { "a.md": alpha, ...others } = START
  expect(treeOf(first)).toEqual(others)
  first.store = memoryStore()
  await first.adopt()
  simulation.nowMs += 24 * 3_600_000
  expect(must(await first.sync({ union: "resync" }))).toMatchObject({ kind: "performed", restored: ["a.md"] })
  const kept = [...first.history.versions()].map((bytes) => Buffer.from(bytes).toString())
  expect([...Object.values(treeOf(first)), ...kept]).toContain(alpha)
})
