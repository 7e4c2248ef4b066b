/** G9: what belongs to git or to us is never a note, under any spelling that a disk may take for it. */

import { expect, test } from "vitest"
import { isReserved } from "../../src/model/path.ts"
import { must } from "../simulation/world.ts"
import { agree, START, treeOf } from "./story.ts"

const RESERVED = [
  ".git",
  ".git/hooks/post-checkout",
  ".GIT/config",
  "d/.git/config",
  ".git /config",
  ".git./config",
  ".git::$INDEX_ALLOCATION/config",
  "git~1/config",
  ".g\u200cit/config",
  ".basic-memory/root.json",
  ".Basic-Memory/trash/x",
]

test.each(RESERVED)("%j is reserved", (path) => {
  expect(isReserved(path)).toBe(true)
})

test.each([".gitignore", "git", "d/.basic-memory/x", ".github/a.md", "a.git/b"])("%j is a note", (path) => {
  expect(isReserved(path)).toBe(false)
})

test("keys of git's or of ours are left where they are, and reach no device", async () => {
  const { simulation, first } = await agree("memory")
  for (const path of RESERVED) simulation.remote.put(path, "hostile")
  simulation.remote.put("note.md", "a note")
  const cycle = must(await first.sync())
  expect(treeOf(first)).toEqual({ ...START, "note.md": "a note" })
  const remote = treeOf(simulation.remote)
  for (const path of RESERVED) expect(remote[path]).toBe("hostile")
  const all = [...first.disk.all()].map(([, bytes]) => Buffer.from(bytes).toString())
  expect(all).not.toContain("hostile")
  expect(cycle.kind === "performed" && cycle.prepared.look.unknowns.remote.length).toBe(RESERVED.length)
})

test("a key with keys below it is reported and left alone, and what is below it is synced", async () => {
  const { simulation, first } = await agree("memory")
  simulation.remote.put("p", "a key")
  simulation.remote.put("p/x.md", "below")
  const cycle = must(await first.sync())
  expect(treeOf(first)).toEqual({ ...START, "p/x.md": "below" })
  expect(treeOf(simulation.remote)).toEqual({ ...START, p: "a key", "p/x.md": "below" })
  if (cycle.kind !== "performed") throw new Error(cycle.kind)
  expect(cycle.prepared.plan.notices).toMatchObject([{ path: "p", detail: "file_and_directory" }])
})
