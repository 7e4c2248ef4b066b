/** G2, §4: what is taken back is a new version, and what was edited since is not thrown away. */

import { statSync } from "node:fs"
import { join } from "node:path"
import { afterEach, beforeEach, expect, test } from "vitest"
import { openSession, sha256, stateDirectory } from "../../src/engine/session.ts"
import { dryRun } from "../../src/index.ts"
import type { UndoStep } from "../../src/model/event.ts"
import type { RunId } from "../../src/model/ids.ts"
import { mustPath } from "../../src/model/path.ts"
import { type CliDevice, CliWorld } from "../cli/cli-world.ts"
import { newestRun } from "../cli/history-world.ts"
import { must } from "../simulation/world.ts"

const T = (clock: string) => `2026-03-02T${clock}:00Z`
const TEXT = "one\ntwo\nthree\nfour\nfive\n"

let world: CliWorld
let device: CliDevice

beforeEach(async () => {
  world = new CliWorld()
  device = await world.device("one")
})
afterEach(() => {
  world.dispose()
})

/** Writes, syncs, and answers the run that did it. */
async function write(text: string, clock: string): Promise<string> {
  device.write("n.md", text, T(clock))
  await device.sync()
  return (await newestRun(device)).run
}

test("an undo stamps what it puts back with the time of the command", async () => {
  await write(TEXT, "09:00")
  await write(TEXT.replace("one", "ONE"), "10:00")
  const before = Date.now()
  await device.takeBack("undo")
  expect(device.tree()).toEqual({ "n.md": TEXT })
  for (const directory of [device.dir, world.cloud])
    expect(statSync(join(directory, "n.md")).mtimeMs).toBeGreaterThanOrEqual(before - 1)
})

test("an undo keeps an edit that was made since, merged where it can be", async () => {
  await write(TEXT, "09:00")
  const undone = await write(TEXT.replace("one", "ONE"), "10:00")
  await write(TEXT.replace("one", "ONE").replace("five", "FIVE"), "11:00")
  await device.takeBack("undo", undone)
  expect(device.tree()).toEqual({ "n.md": TEXT.replace("five", "FIVE") })
  expect(world.tree()).toEqual(device.tree())
})

test("an undo is refused where an edit was made since in the same place", async () => {
  await write(TEXT, "09:00")
  const undone = await write(TEXT.replace("one", "ONE"), "10:00")
  await write(TEXT.replace("one", "ONE, edited"), "11:00")
  await expect(device.takeBack("undo", undone)).rejects.toThrow("undo_overlap")
  expect(device.tree()).toEqual({ "n.md": TEXT.replace("one", "ONE, edited") })
})

test("an undo that was decided and then interrupted is finished by the next run", async () => {
  await write(TEXT, "09:00")
  const edited = TEXT.replace("one", "ONE")
  const undone = await write(edited, "10:00")
  await decideUndo(undone, [
    { path: mustPath("n.md"), from: sha256(edited), to: sha256(TEXT), toSizeBytes: TEXT.length },
  ])
  const planned = must(await dryRun(device.place, { holder: device.holder("bm"), isResync: false }))
  expect(planned.unfinished).toEqual(["n.md"])
  expect(device.tree()).toEqual({ "n.md": edited })
  await device.sync()
  expect(device.tree()).toEqual({ "n.md": TEXT })
  expect(world.tree()).toEqual({ "n.md": TEXT })
})

test("an interrupted undo passes the brake that was passed when it was decided", async () => {
  for (const name of ["a.md", "b.md", "c.md"]) device.write(name, name, T("09:00"))
  await device.sync()
  const { run } = await newestRun(device)
  await decideUndo(
    run,
    ["a.md", "b.md", "c.md"].map((name) => ({ path: mustPath(name), from: sha256(name) })),
  )
  await device.sync()
  expect([device.tree(), world.tree()]).toEqual([{}, {}])
})

/** As a run leaves it that dies right after it decided an undo. */
async function decideUndo(run: string, steps: readonly UndoStep[]): Promise<void> {
  const session = must(
    await openSession(stateDirectory(device.place, device.config().stateKey), {
      holder: device.holder("bm cloud undo"),
      createIfMissing: false,
    }),
  )
  must(await session.ledger.load())
  await session.ledger.append(
    [{ type: "undo.decided", target: { kind: "run", run: run as RunId }, mode: "undo", steps }],
    { sync: true, run: "r00000" as RunId },
  )
  await session.close()
}
