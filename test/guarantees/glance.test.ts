/** A glance sends what was created or edited without a listing, and leaves everything else to a run that makes one. */

import { describe, expect, test } from "vitest"
import { expectHealed } from "../simulation/healed.ts"
import { must, type RemoteKind, Simulation, type SimulatedDevice } from "../simulation/world.ts"

const KINDS: readonly RemoteKind[] = ["folder", "memory", "bucket A", "bucket B", "bucket C"]

interface Story {
  readonly simulation: Simulation
  readonly one: SimulatedDevice
  readonly two: SimulatedDevice
}

async function begin(remote: RemoteKind): Promise<Story> {
  const simulation = new Simulation({ seed: 1, remote, devices: 2 })
  const [one, two] = [simulation.device(0), simulation.device(1)]
  one.write("p/a.md", "a, the first")
  one.write("p/b.md", "b, the first")
  must(await one.setup())
  must(await two.setup())
  simulation.nowMs += 700_000
  must(await one.sync())
  simulation.nowMs += 20_000
  return { simulation, one, two }
}

/** What a watcher does that was told of these, and whether a listing was made. */
async function watched({ simulation, one }: Story, ...only: readonly string[]): Promise<boolean> {
  simulation.trace = []
  must(await one.syncConfirming({ only }))
  // Who lists looks into the root, or at pages.
  return simulation.trace.some((line) => /local\.readDirectory (?!\.)|bucket\.list|\.list /.test(line))
}

describe.each(KINDS)("over a %s", (remote) => {
  test.each<{ readonly what: string; readonly path: string }>([
    { what: "an edited note", path: "p/a.md" },
    { what: "a new note", path: "p/new.md" },
    { what: "a new note in a new directory of a project", path: "p/deep/er/new.md" },
    { what: "a new note beside the projects", path: "new.md" },
  ])("sends $what and lists nothing", async ({ path }) => {
    const story = await begin(remote)
    story.one.save(path, "news")
    expect(await watched(story, path)).toBe(false)
    expect(story.simulation.remote.tree().get(path)).toBe("news")
    await expectHealed(story.simulation)
  })

  test("sends save after save", async () => {
    const story = await begin(remote)
    for (let time = 1; time <= 20; time++) {
      story.one.save("p/a.md", `news ${time}`)
      expect(await watched(story, "p/a.md"), `${time}`).toBe(false)
      expect(story.simulation.remote.tree().get("p/a.md")).toBe(`news ${time}`)
    }
    await expectHealed(story.simulation)
  })

  test("sends what it was told of, and not what else is new", async () => {
    const story = await begin(remote)
    story.one.save("p/a.md", "news")
    story.one.save("p/b.md", "other news")
    expect(await watched(story, "p/a.md")).toBe(false)
    expect(Object.fromEntries(story.simulation.remote.tree())).toEqual({
      "p/a.md": "news",
      "p/b.md": "b, the first",
    })
    await expectHealed(story.simulation)
  })

  test("passes by what came and went, and a note that is as it was", async () => {
    const story = await begin(remote)
    expect(await watched(story, "p/.a.md.swp", "p/a.md")).toBe(false)
    expect(Object.fromEntries(story.simulation.remote.tree())).toEqual({
      "p/a.md": "a, the first",
      "p/b.md": "b, the first",
    })
  })

  test.each<{
    readonly what: string
    readonly only: readonly string[]
    readonly edit: (story: Story) => void
  }>([
    { what: "a note that is gone", only: ["p/a.md"], edit: ({ one }) => one.remove("p/a.md") },
    {
      what: "a note that was renamed",
      only: ["p/a.md", "p/c.md"],
      edit: ({ one }) => one.rename("p/a.md", "p/c.md"),
    },
    { what: "a project that is new", only: ["q/a.md"], edit: ({ one }) => one.save("q/a.md", "news") },
    {
      what: "a note that has become a directory",
      only: ["p/a.md", "p/a.md/in.md"],
      edit({ one }) {
        one.remove("p/a.md")
        one.save("p/a.md/in.md", "news")
      },
    },
    {
      what: "a note in what is a file, as far as is known",
      only: ["p/a.md/in.md"],
      edit({ one }) {
        one.remove("p/a.md")
        one.save("p/a.md/in.md", "news")
      },
    },
    {
      what: "a directory that has become a note",
      only: ["p"],
      edit({ one }) {
        one.remove("p")
        one.save("p", "news")
      },
    },
  ])("leaves $what to a run that lists", async ({ only, edit }) => {
    const story = await begin(remote)
    edit(story)
    expect(await watched(story, ...only)).toBe(true)
    await expectHealed(story.simulation)
  })

  test("notices that another device wrote meanwhile, and lists", async () => {
    const story = await begin(remote)
    story.two.save("p/b.md", "theirs")
    must(await story.two.sync())
    story.one.save("p/a.md", "ours")
    expect(await watched(story, "p/a.md")).toBe(true)
    expect(Object.fromEntries(story.one.tree())).toEqual({ "p/a.md": "ours", "p/b.md": "theirs" })
  })

  test("replaces nothing that a foreign program wrote meanwhile", async () => {
    const story = await begin(remote)
    story.simulation.remote.put("p/a.md", "theirs")
    story.one.save("p/a.md", "ours")
    await watched(story, "p/a.md")
    expect(story.simulation.remote.tree().get("p/a.md")).toBe("theirs")
    must(await story.one.sync())
    expect(story.simulation.remote.tree().get("p/a.md")).not.toBe("a, the first")
    await expectHealed(story.simulation)
  })
})
