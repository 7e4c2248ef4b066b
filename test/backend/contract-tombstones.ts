/**
 * Deletes in two steps: a tombstone stands in place of a note, is nobody's for ten minutes, and then anybody's to finish.
 *
 * A part of the contract of `contract-s3.ts`, for servers whose DELETE keeps no condition.
 */

import { beforeEach, expect, test } from "vitest"
import type { OpId } from "../../src/model/ids.ts"
import { mustPath } from "../../src/model/path.ts"
import type { Backend, Tombstone, Tombstones } from "../../src/model/ports.ts"
import { TOMBSTONE_BYTES } from "../../src/store/tombstone.ts"
import { deleteMode } from "../../src/store/verdict.ts"
import { must } from "./bucket-storage.ts"
import {
  type BucketStorage,
  carryOut,
  contentOf,
  EVERYTHING,
  type Get,
  known,
  removing,
  textOf,
  value,
  writing,
} from "./storage.ts"

const NINE_MINUTES_MS = 9 * 60_000
/** Where the server takes late requests, twice as long. */
const WAIT_MS = 21 * 60_000
const CUT = { kind: "unreachable", detail: "ECONNRESET" } as const

function tombstonesOf({ tombstones }: Backend): Tombstones {
  if (tombstones === undefined) throw new Error("nobody finds tombstones")
  return tombstones
}

async function findIn(backend: Backend): Promise<readonly Tombstone[]> {
  const { files } = value(await backend.list(EVERYTHING))
  return value(await tombstonesOf(backend).find(files))
}

/** Device one sends its tombstone, and its DELETE is lost. */
async function leaveTombstone({ storage, one }: Get<BucketStorage>, path: string) {
  await storage().write(path, "old")
  const operation = removing(path, await known(one(), path))
  const mark = value(await one().stage(operation, undefined))
  storage().bucket.disturb(({ name }, phase) =>
    name === "removeOnce" && phase === "before" ? CUT : undefined,
  )
  let sent = 0
  const applied = await one().apply(operation, mark, async () => {
    sent += 1
  })
  storage().bucket.disturb(undefined)
  expect(applied).toMatchObject({ ok: false, error: { code: "interrupted" } })
  expect({ sent, at: await storage().bucket.tombstones() }).toEqual({ sent: 1, at: [path] })
  return { operation, mark: { ...mark, isSent: true } as const }
}

export function tombstones(get: Get<BucketStorage>): void {
  const { storage, one, two } = get
  beforeEach((context) => {
    if (deleteMode(storage().bucket.verdict) !== "tombstone") context.skip("nobody leaves a tombstone here")
  })

  test("are found among versions, and are none of a note", async () => {
    await leaveTombstone(get, "d/a.md")
    await storage().write("d/b.md", "stays")
    const [found, ...more] = await findIn(two())
    expect(found).toMatchObject({ path: "d/a.md", isAbandoned: false })
    expect(more).toEqual([])
    const path = mustPath("d/a.md")
    expect(await two().look(path)).toMatchObject({ ok: false, error: { code: "changed_since" } })
    const listed = value(await two().list(EVERYTHING)).files.find((file) => file.path === path)
    if (listed === undefined) throw new Error("the listing does not show it")
    expect(await two().read(path, listed.version)).toMatchObject({
      ok: false,
      error: { code: "changed_since" },
    })
  })

  test("are left alone for ten minutes, and finished by anybody later", async () => {
    await leaveTombstone(get, "a.md")
    storage().bucket.later(NINE_MINUTES_MS)
    const early = await findIn((await storage().start("two")).backend)
    expect(early).toMatchObject([{ path: "a.md", isAbandoned: false }])
    expect(value(await tombstonesOf(two()).finish(early))).toBe(0)
    expect(await storage().bucket.tombstones()).toEqual(["a.md"])
    storage().bucket.later(WAIT_MS - NINE_MINUTES_MS)
    const late = await findIn((await storage().start("two")).backend)
    expect(late).toMatchObject([{ path: "a.md", isAbandoned: true }])
    expect(value(await tombstonesOf(two()).finish(late))).toBe(1)
    expect(await storage().tree()).toEqual(new Map())
    expect(await storage().staged()).toEqual([])
  })

  test("that somebody wrote over are a note again, and are not finished", async () => {
    await leaveTombstone(get, "a.md")
    storage().bucket.later(WAIT_MS)
    const found = await findIn(two())
    await storage().write("a.md", "theirs")
    expect(value(await tombstonesOf(two()).finish(found))).toBe(0)
    expect(await storage().tree()).toEqual(new Map([["a.md", "theirs"]]))
    expect(await findIn((await storage().start("two")).backend)).toEqual([])
  })

  test("whose DELETE was not sent are finished by their own device at once", async () => {
    const { operation, mark } = await leaveTombstone(get, "a.md")
    const { backend } = await storage().start("one")
    const { isSent: _, ...unsent } = mark
    expect(value(await backend.settle(operation, unsent))).toEqual({ kind: "applied" })
    expect(await storage().staged()).toEqual([])
  })

  test("whose DELETE may still arrive are left by their own device too, for ten minutes", async () => {
    const { operation, mark } = await leaveTombstone(get, "a.md")
    const early = (await storage().start("one")).backend
    expect(value(await early.settle(operation, mark))).toEqual({ kind: "not_applied" })
    expect(await storage().bucket.tombstones()).toEqual(["a.md"])
    storage().bucket.later(WAIT_MS)
    const late = (await storage().start("one")).backend
    expect(value(await late.settle(operation, mark))).toEqual({ kind: "applied" })
    expect(await storage().staged()).toEqual([])
  })

  test("are not followed by a DELETE later than thirty seconds after they were sent", async () => {
    await storage().write("a.md", "old")
    const operation = removing("a.md", await known(one(), "a.md"))
    const mark = value(await one().stage(operation, undefined))
    const asked: string[] = []
    storage().bucket.disturb(({ name, key }, phase) => {
      if (phase === "before" && key === "a.md") asked.push(name)
      if (phase === "after" && name === "put") storage().bucket.later(31_000)
      return undefined
    })
    let sent = 0
    const applied = await one().apply(operation, mark, async () => {
      sent += 1
    })
    expect(applied).toMatchObject({ ok: false, error: { code: "interrupted" } })
    expect({ sent, asked }).toEqual({ sent: 0, asked: ["put"] })
    expect(await storage().bucket.tombstones()).toEqual(["a.md"])
  })

  test("are not followed by a DELETE that was held up between the journal and the line", async () => {
    await storage().write("a.md", "old")
    const operation = removing("a.md", await known(one(), "a.md"))
    const mark = value(await one().stage(operation, undefined))
    const applied = await one().apply(operation, mark, async () => storage().bucket.later(31_000))
    expect(applied).toMatchObject({ ok: false, error: { code: "interrupted" } })
    expect(await storage().bucket.tombstones()).toEqual(["a.md"])
  })

  test("stand for no version: a write that expects nothing there, or the old version, finds the path changed", async () => {
    await storage().write("a.md", "old")
    const old = await known(two(), "a.md")
    await leaveTombstone(get, "a.md")
    for (const operation of [writing("a.md", "new"), writing("a.md", "new", old)])
      expect(await carryOut(two(), operation, contentOf("new"))).toEqual({ kind: "changed" })
    expect(await carryOut(two(), removing("a.md", old))).toEqual({ kind: "changed" })
    expect(await storage().bucket.tombstones()).toEqual(["a.md"])
  })

  test("are told from a note of the same size, and from one that only claims to be one", async () => {
    const text = "n".repeat(TOMBSTONE_BYTES)
    await storage().write("same-size.md", text)
    const short = { kind: "bytes", bytes: Buffer.from("short") } as const
    const claim = { "bm-tombstone": "0".repeat(32) as OpId }
    await must(storage().bucket.store.put("claims.md", short, { metadata: claim }))
    const { files } = value(await one().list(EVERYTHING))
    expect(value(await tombstonesOf(one()).find(files))).toEqual([])
    for (const [path, expected] of [
      ["same-size.md", text],
      ["claims.md", "short"],
    ] as const)
      expect(await textOf(value(await one().read(mustPath(path), await known(one(), path))))).toBe(expected)
  })
}
