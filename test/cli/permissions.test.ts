/** Who may read a note is not changed by a sync of its content. */

import { chmodSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, expect, test } from "vitest"
import { bisync, setup, takeBack } from "../../src/index.ts"

const holder = { pid: 1, host: "test", command: "bm cloud bisync", since: "2026-03-02T00:00:00.000Z" }
let root: string

beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), "bm-permissions-"))
  mkdirSync(join(root, "cloud"))
})
afterAll(() => rmSync(root, { recursive: true, force: true }))

test("keeps a private note private through download, upload and undo", async () => {
  const [a, b] = [await device("a"), await device("b")]
  writeFileSync(a.path("note.md"), "one\n")
  await a.sync()
  await b.sync()
  chmodSync(b.path("note.md"), 0o600)
  writeFileSync(a.path("note.md"), "two, longer\n")
  await a.sync()
  await b.sync()
  expect(statSync(b.path("note.md")).mode & 0o777).toBe(0o600)
  await b.undo()
  expect(statSync(b.path("note.md")).mode & 0o777).toBe(0o600)
})

async function device(name: string) {
  const home = join(root, name)
  const place = { home, stateRoot: join(home, ".basic-memory") }
  const dir = join(home, "notes")
  mkdirSync(dir, { recursive: true })
  const ready = await setup(place, {
    dir,
    remote: `file:${join(root, "cloud")}`,
    deviceName: name,
    defaultDeviceName: name,
    isDryRun: false,
    holder,
  })
  expect(ready.ok).toBe(true)
  return {
    path: (file: string) => join(dir, file),
    async sync() {
      expect(
        (await bisync(place, { holder, isDryRun: false, isResync: false }, async () => undefined)).ok,
      ).toBe(true)
    },
    async undo() {
      const undone = await takeBack(
        place,
        { holder, mode: "undo", paths: [], ifChanged: "merge", isDryRun: false },
        async ({ kind }) => kind,
      )
      expect(undone).toEqual({ ok: true, value: "ran" })
    },
  }
}
