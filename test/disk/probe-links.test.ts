/** Setup asks the disk for a second name of a file, and leaves nothing behind. */

import { expect, test } from "vitest"
import { MemoryDisk } from "../../src/disk/memory-disk.ts"
import { probeLinks } from "../../src/disk/probe-links.ts"

test("accepts a disk that links, and leaves nothing behind", async () => {
  const disk = new MemoryDisk()
  expect(await probeLinks(disk, "1")).toEqual({ ok: true, value: undefined })
  expect([...disk.all().keys()].filter((path) => path.includes("probe"))).toEqual([])
})

test("refuses a disk that does not, in its own words", async () => {
  const disk = new MemoryDisk({ failNext: (method) => (method === "link" ? "EPERM" : undefined) })
  expect(await probeLinks(disk, "1")).toMatchObject({
    ok: false,
    error: { code: "unsupported", detail: "EPERM" },
  })
  expect([...disk.all().keys()].filter((path) => path.includes("probe"))).toEqual([])
})
