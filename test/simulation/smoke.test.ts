/** The smallest stories, from one device and one file on. */

import { expect, test } from "vitest"
import { expectHealed } from "./healed.ts"
import { must, type RemoteKind, Simulation } from "./world.ts"

const KINDS: readonly RemoteKind[] = ["folder", "memory"]

test.each(KINDS)("brings a first file up to a %s", async (remote) => {
  const simulation = new Simulation({ seed: 1, remote, devices: 1 })
  const device = simulation.device(0)
  device.write("a.md", "one")
  must(await device.setup())
  expect(Object.fromEntries(simulation.remote.tree())).toEqual({ "a.md": "one" })
  await expectHealed(simulation)
})

test.each(KINDS)("carries edits, deletes and renames between two devices over a %s", async (remote) => {
  const simulation = new Simulation({ seed: 2, remote, devices: 2 })
  const [first, second] = [simulation.device(0), simulation.device(1)]
  first.write("a.md", "one")
  first.write("d/b.md", "two")
  first.write("d/c.md", "three")
  must(await first.setup())
  must(await second.setup())
  expect(Object.fromEntries(second.tree())).toEqual({ "a.md": "one", "d/b.md": "two", "d/c.md": "three" })
  simulation.nowMs += 20_000
  second.save("a.md", "one and more")
  second.remove("d/b.md")
  second.rename("d/c.md", "e/c.md")
  must(await second.sync())
  must(await first.sync())
  expect(Object.fromEntries(first.tree())).toEqual({ "a.md": "one and more", "e/c.md": "three" })
  await expectHealed(simulation)
})

test.each(KINDS)("gives the same trace for the same seed over a %s", async (remote) => {
  const run = async () => {
    const simulation = new Simulation({ seed: 3, remote, devices: 2 })
    simulation.trace = []
    for (const device of simulation.devices) {
      device.write("a.md", device.name)
      must(await device.setup())
    }
    return simulation.trace
  }
  expect(await run()).toEqual(await run())
})
