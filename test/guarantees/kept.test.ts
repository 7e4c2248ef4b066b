/** G1: what is about to be replaced or removed is in the history store first, or stays where it is. */

import { describe, expect, test } from "vitest"
import { must, type SimulatedDevice } from "../simulation/world.ts"
import { agree, KINDS, LATER_MS, publish, skippedIn, START, type Story, treeOf } from "./story.ts"

function versionsOf({ history }: SimulatedDevice): readonly string[] {
  return [...history.versions()].map((bytes) => Buffer.from(bytes).toString())
}

/** Edited here, then there: the version of here loses, and no store has ever seen it. */
async function loseHere(story: Story): Promise<void> {
  const { simulation, first, second } = story
  first.save("a.md", "alpha of here")
  simulation.nowMs += LATER_MS
  second.save("a.md", "alpha of there")
  await publish(story)
}

describe.each(KINDS)("over a %s", (kind) => {
  test("the loser of a conflict is kept before the winner takes its place", async () => {
    const story = await agree(kind)
    const { simulation, first } = story
    await loseHere(story)
    let looks = 0
    simulation.hook = () => {
      if (treeOf(first)["a.md"] === "alpha of here" || ++looks > 1) return
      expect(versionsOf(first)).toContain("alpha of here")
    }
    must(await first.sync())
    expect(looks).toBeGreaterThan(0)
    expect(treeOf(first)).toEqual({ ...START, "a.md": "alpha of there" })
  })

  test("what cannot be kept is not replaced, and the run says so", async () => {
    const story = await agree(kind)
    const { simulation, first } = story
    await loseHere(story)
    simulation.hook = ({ at, phase }) => {
      if (!at.startsWith("store.write") || phase !== "after") return
      simulation.failNext = (_, method, path) =>
        method === "local.readFile" && path === "a.md" ? "EIO" : undefined
    }
    expect(skippedIn(await first.sync())).toEqual({ "a.md": "not_kept" })
    expect(treeOf(first)).toEqual({ ...START, "a.md": "alpha of here" })
  })
})
