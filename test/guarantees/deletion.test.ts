/** G3: what was not seen, or is seen as it once was, is not a deletion. */

import { describe, expect, test } from "vitest"
import { must } from "../simulation/world.ts"
import { agree, backUp, KINDS, LATER_MS, plannedIn, publish, skippedIn, START, treeOf } from "./story.ts"

describe.each(KINDS)("over a %s", (kind) => {
  test("takes a directory that cannot be read for unknown", async () => {
    const { simulation, first } = await agree(kind)
    first.save("a.md", "alpha two")
    simulation.failNext = (_, method, path) =>
      method === "local.readDirectory" && path === "d" ? "EACCES" : undefined
    expect(plannedIn(await first.sync())).toEqual(["upload a.md"])
    expect(treeOf(simulation.remote)).toEqual({ ...START, "a.md": "alpha two" })
  })

  test("ends the run where a listing fails", async () => {
    const { simulation, first } = await agree(kind)
    first.save("a.md", "alpha two")
    const isListing = (call: string) => ["list", "LIST", "remote.readDirectory"].includes(call)
    simulation.failNext = (_, method, path) => (isListing(method) && path === "" ? "EIO" : undefined)
    simulation.failCall = (_, call) => (isListing(call) ? { code: "unreachable", path: "" } : undefined)
    expect(await first.sync()).toMatchObject({
      ok: false,
      error: { code: "side_unreadable", side: "remote" },
    })
    expect(treeOf(first)).toEqual({ ...START, "a.md": "alpha two" })
  })

  test("unites with a remote that was restored from a backup", async () => {
    const story = await agree(kind)
    const { simulation, first, second } = story
    const restore = backUp(simulation)
    first.write("new.md", "new")
    first.remove("b.md")
    must(await first.sync())
    simulation.nowMs += LATER_MS
    must(await second.sync())
    restore()
    for (const device of [first, second]) {
      simulation.nowMs += LATER_MS
      must(await device.sync())
      expect(treeOf(device)).toEqual({ ...START, "new.md": "new" })
    }
    expect(treeOf(simulation.remote)).toEqual({ ...START, "new.md": "new" })
  })

  test("unites with a sync directory that was restored from a backup", async () => {
    const { simulation, first } = await agree(kind)
    const older = first.disk.clone()
    first.write("new.md", "new")
    must(await first.sync())
    simulation.nowMs += LATER_MS
    must(await first.sync())
    first.disk = older
    simulation.nowMs += LATER_MS
    must(await first.sync())
    expect(treeOf(first)).toEqual({ ...START, "new.md": "new" })
    expect(treeOf(simulation.remote)).toEqual({ ...START, "new.md": "new" })
  })

  test("takes a path that becomes ignored for no deletion, and copies it once it no longer is", async () => {
    const story = await agree(kind)
    const { simulation, first, second } = story
    first.ignore = "b.md\n"
    expect(plannedIn(await first.sync())).toEqual([])
    expect(treeOf(simulation.remote)).toEqual(START)
    second.remove("b.md")
    await publish(story)
    must(await first.sync())
    expect(treeOf(first)).toEqual(START)
    expect(treeOf(simulation.remote)).not.toHaveProperty("b.md")
    first.ignore = ""
    simulation.nowMs += LATER_MS
    must(await first.sync())
    expect(treeOf(first)).toEqual(START)
    expect(treeOf(simulation.remote)).toEqual(START)
  })

  test("deletes nothing on a side that had errors, until a run has none", async () => {
    const { simulation, first } = await agree(kind)
    first.write("new.md", "new")
    first.remove("b.md")
    simulation.failNext = (_, method, path) =>
      method === "remote.link" && path === "new.md" ? "EIO" : undefined
    simulation.failCall = (_, call, path, phase) =>
      ["apply", "PUT"].includes(call) && path === "new.md" && phase === "before"
        ? { code: "unreachable", path }
        : undefined
    expect(skippedIn(await first.sync())).toMatchObject({ "b.md": "blocked_by_errors" })
    expect(treeOf(simulation.remote)).toEqual(START)
    simulation.failNext = undefined
    simulation.failCall = undefined
    simulation.nowMs += LATER_MS
    must(await first.sync())
    const { "b.md": _, ...left } = START
    expect(treeOf(simulation.remote)).toEqual({ ...left, "new.md": "new" })
  })
})

test("looks once more, before it deletes here, whether the name is gone there", async () => {
  const story = await agree("folder")
  const { simulation, first, second } = story
  second.remove("a.md")
  await publish(story)
  // The plan is made and about to be journaled when somebody puts the name back.
  simulation.hook = ({ at, phase }) => {
    if (!at.startsWith("store.write") || phase !== "before") return
    simulation.hook = undefined
    simulation.remote.put("a.md", "alpha of somebody")
  }
  expect(skippedIn(await first.sync())).toEqual({ "a.md": "changed_since" })
  expect(treeOf(first)).toEqual(START)
})
