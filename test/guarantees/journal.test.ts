/** §5.12, §5.13: a journal that is not this device's own, or not whole, is not followed. */

import { describe, expect, test } from "vitest"
import { type MemoryStore, memoryStore } from "../../src/journal/memory-store.ts"
import { eventKey } from "../../src/journal/keys.ts"
import { must } from "../simulation/world.ts"
import { agree, LATER_MS, START, treeOf } from "./story.ts"

const copyOf = (store: MemoryStore) => store.afterCrash({ losesUnsynced: false })

test("stops where the journal is older than its sync directory", async () => {
  const { simulation, first } = await agree("folder")
  const older = copyOf(first.store)
  first.write("new.md", "new")
  must(await first.sync())
  first.store = older
  simulation.nowMs += LATER_MS
  expect(await first.sync()).toMatchObject({ ok: false, error: { code: "journal_damaged" } })
  expect(treeOf(first)).toEqual({ ...START, "new.md": "new" })
  expect(treeOf(simulation.remote)).toEqual({ ...START, "new.md": "new" })
})

test("says that a journal is a copy where another machine wrote under its device id", async () => {
  const { simulation, first, second } = await agree("folder")
  second.store = copyOf(first.store)
  second.disk = first.disk.clone()
  first.write("new.md", "new")
  must(await first.sync())
  simulation.nowMs += LATER_MS
  expect(must(await second.sync()).kind).toBe("cloned")
})

test("stops where the remote is another one, or no longer says which it is", async () => {
  const { simulation, first } = await agree("folder")
  const epoch = ".basic-memory/bisync/epoch.json"
  const another = JSON.stringify({ schema: "bm.epoch/1", id: "another", mode: "conditional" })
  first.remove("a.md")
  simulation.remote.disk.userWrite(epoch, another)
  expect(await first.sync()).toMatchObject({
    ok: false,
    error: { code: "remote_changed", why: "other_epoch" },
  })
  simulation.remote.disk.userRemove(epoch)
  expect(await first.sync()).toMatchObject({ ok: false, error: { code: "remote_changed", why: "no_epoch" } })
  expect(treeOf(simulation.remote)).toEqual(START)
})

test("stops where the sync directory is another one, or has no marker", async () => {
  const { simulation, first } = await agree("folder")
  const marker = ".basic-memory/root.json"
  for (const path of first.disk.tree().keys()) first.disk.userRemove(path)
  first.disk.userWrite(marker, JSON.stringify({ root: "another", sequence: 1, nonce: "n" }))
  expect(await first.sync()).toMatchObject({
    ok: false,
    error: { code: "root_changed", why: "other_marker" },
  })
  first.disk.userRemove(marker)
  expect(await first.sync()).toMatchObject({ ok: false, error: { code: "root_changed", why: "no_marker" } })
  expect(treeOf(simulation.remote)).toEqual(START)
})

describe("stops where the journal", () => {
  test.each<{ readonly what: string; readonly damage: (rows: Map<string, string>, head: number) => void }>([
    { what: "lost its last event", damage: (rows, head) => void rows.delete(eventKey(head)) },
    {
      what: "has another last event",
      damage: (rows, head) => void rows.set(eventKey(head), `${rows.get(eventKey(head))} `),
    },
    { what: "lost a path of its state", damage: (rows) => void rows.delete("s!path!b.md") },
  ])("$what", async ({ damage }) => {
    const { simulation, first } = await agree("folder")
    const rows = new Map(first.store.rows())
    damage(rows, (await first.ledger()).head().sequence)
    first.store = memoryStore({ rows })
    first.remove("a.md")
    simulation.nowMs += LATER_MS
    const ran = await first.sync().catch((error: unknown) => String(error))
    expect(JSON.stringify(ran)).toContain("damaged")
    expect(treeOf(simulation.remote)).toEqual(START)
  })
})
