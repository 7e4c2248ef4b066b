import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { damagedFiles, isLogDamaged, isTableDamaged } from "../../src/journal/level-files.ts"
import { openLevelStore } from "../../src/journal/level-store.ts"

const directory = mkdtempSync(join(tmpdir(), "bm-level-"))
const filesOf = (ending: string) =>
  readdirSync(directory)
    .filter((name) => name.endsWith(ending))
    .map((name) => readFileSync(join(directory, name)))

beforeAll(async () => {
  for (let round = 0; round < 3; round++) {
    const store = await openLevelStore(directory, { createIfMissing: true })
    if (!store.ok) throw new Error(store.error.kind)
    for (let batch = 0; batch < 40; batch++) {
      // Some values compress well, some do not, some fill more than a block.
      const value = `${"notes/ideas/".repeat(batch * 7)}${Math.sin(batch)}`
      await store.value.write([{ key: `e!${round}.${batch}`, value: value.repeat(batch === 20 ? 20 : 1) }], {
        sync: false,
      })
    }
    await store.value.close()
  }
})
afterAll(() => rmSync(directory, { recursive: true, force: true }))

function flipped(bytes: Buffer, at: number): Buffer {
  const copy = Buffer.from(bytes)
  copy[at] = (copy[at] ?? 0) ^ 0xff
  return copy
}

describe("the files of a database", () => {
  test("are whole as LevelDB writes them, compressed or not", () => {
    expect(filesOf(".ldb").length).toBeGreaterThan(0)
    expect(filesOf(".log").length).toBe(1)
    expect(damagedFiles(directory)).toEqual([])
  })

  test("show one flipped byte anywhere in a table's blocks", () => {
    const [table = Buffer.alloc(0)] = filesOf(".ldb")
    for (let at = 0; at < table.length - 48; at += 13)
      expect([at, isTableDamaged(flipped(table, at))]).toEqual([at, true])
  })

  test("show one flipped byte anywhere in a log, but at its end", () => {
    const [log = Buffer.alloc(0)] = filesOf(".log")
    for (let at = 0; at < log.length - 8_000; at += 131)
      expect([at, isLogDamaged(flipped(log, at))]).toEqual([at, true])
  })

  test("are not damaged by a torn end, which a power loss leaves", () => {
    const [log = Buffer.alloc(0)] = filesOf(".log")
    for (const end of [log.length - 1, log.length - 100, log.length - 3_000, 5, 0])
      expect(isLogDamaged(log.subarray(0, end))).toBe(false)
    expect(isLogDamaged(Buffer.concat([log, Buffer.alloc(4_000)]))).toBe(false)
    const [table = Buffer.alloc(0)] = filesOf(".ldb")
    expect(isTableDamaged(table.subarray(0, table.length - 10))).toBe(false)
  })
})
