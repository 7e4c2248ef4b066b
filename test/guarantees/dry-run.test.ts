/** G5, G6: a dry run changes nothing at all, and a run does what the dry run showed. */

import { describe, expect, test } from "vitest"
import { Crash, must, type SimulatedDevice, snapshotOf } from "../simulation/world.ts"
import { agree, KINDS, LATER_MS, publish, type Story } from "./story.ts"

function everything({ simulation }: Story, { disk, store, history }: SimulatedDevice) {
  return {
    disk: snapshotOf(disk),
    remote: simulation.remote.snapshot(),
    rows: store.rows(),
    history: history.commits(),
  }
}

/** An edit here, an edit, a delete and a rival there. */
async function pending(story: Story): Promise<void> {
  const { simulation, first, second } = story
  first.save("a.md", "alpha of here")
  first.write("new.md", "new")
  simulation.nowMs += LATER_MS
  second.save("a.md", "alpha of there")
  second.save("d/c.md", "gamma two")
  second.remove("d/e.md")
  await publish(story)
}

/** The run dies when it has just put a file aside. */
async function die({ simulation, first }: Story): Promise<void> {
  simulation.hook = ({ life, at, phase }) => {
    if (at.startsWith("local.rename .basic-memory/trash/") && phase === "after") life.isDead = true
  }
  await expect(first.sync()).rejects.toThrow(Crash)
  simulation.hook = undefined
  first.restart({ losesUnsynced: false })
  simulation.nowMs += LATER_MS
}

describe.each(KINDS)("a dry run over a %s", (kind) => {
  test.each<{ readonly when: string; readonly prepare: (story: Story) => Promise<void> }>([
    { when: "there is nothing to do", prepare: async () => {} },
    { when: "there is much to do", prepare: pending },
    {
      when: "a run died before",
      async prepare(story) {
        await pending(story)
        await die(story)
      },
    },
  ])("changes nothing when $when", async ({ prepare }) => {
    const story = await agree(kind)
    await prepare(story)
    const before = everything(story, story.first)
    must(await story.first.sync({ isDryRun: true }))
    expect(everything(story, story.first)).toEqual(before)
  })

  test("shows exactly the plan that a run carries out, however much later", async () => {
    const story = await agree(kind)
    await pending(story)
    const shown = must(await story.first.sync({ isDryRun: true }))
    story.simulation.nowMs += 123_456
    const ran = must(await story.first.sync())
    if (shown.kind !== "planned" || ran.kind !== "performed") throw new Error(`${shown.kind} and ${ran.kind}`)
    expect(shown.prepared.plan.actions.length).toBeGreaterThan(3)
    expect(ran.prepared.planId).toBe(shown.prepared.planId)
    expect(ran.prepared.plan.actions.map(({ steps }) => steps)).toEqual(
      shown.prepared.plan.actions.map(({ steps }) => steps),
    )
    expect(ran.performed.outcomes.map(({ action }) => action)).toEqual(ran.prepared.plan.actions)
  })
})
