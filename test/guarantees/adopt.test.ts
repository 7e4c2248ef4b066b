/** G3, §5.12: a journal that meets another root than it knows deletes nothing on the word of its bases. */

import { rmSync } from "node:fs"
import { afterEach, beforeEach, expect, test } from "vitest"
import { setup } from "../../src/index.ts"
import { CliWorld } from "../cli/cli-world.ts"

let world: CliWorld

beforeEach(() => {
  world = new CliWorld()
})
afterEach(() => {
  world.dispose()
})

test("a sync directory that was made anew is filled again after another setup", async () => {
  const device = await world.device("one")
  for (const name of ["a.md", "b.md", "c.md"]) device.write(name, `${name}\n`)
  await device.sync()
  const notes = world.tree()
  rmSync(device.dir, { recursive: true })
  const again = await setup(device.place, {
    defaultDeviceName: "one",
    isDryRun: false,
    holder: device.holder("bm cloud bisync-setup"),
  })
  expect(again).toMatchObject({ ok: true, value: { baseline: "already_done" } })
  await device.sync()
  expect([device.tree(), world.tree()]).toEqual([notes, notes])
})
