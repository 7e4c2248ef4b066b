/** The driver of tombstone deletes, against a store in memory whose requests a test can turn away, delay or lose. */

import { beforeEach, expect, test } from "vitest"
import type { DeviceId, OpId } from "../../src/model/ids.ts"
import { memoryStore, emptyObjects } from "../../src/store/memory-store.ts"
import type { Failure, ObjectHead, ObjectStore } from "../../src/store/store.ts"
import {
  type Deleted,
  deleteByTombstone,
  isAbandoned,
  readTombstone,
  takeOver,
  TOMBSTONE_BYTES,
} from "../../src/store/tombstone.ts"

type Tick = (request: string, phase: "before" | "after") => Failure | undefined

const KEY = "a.md"
const OP = "0123456789abcdef0123456789abcdef" as OpId
const LOST: Failure = { kind: "unreachable", detail: "ECONNRESET" }
const CONFLICT: Failure = { kind: "conflict", detail: "ConditionalRequestConflict", status: 409 }

let nowMs = 0
let monotonicMs = 0
let tick: Tick = () => undefined
let requests: string[] = []
let store: ObjectStore
let nonces = 0

beforeEach(() => {
  nowMs = 1_000_000
  monotonicMs = 0
  nonces = 0
  requests = []
  tick = () => undefined
  store = memoryStore({
    bucket: emptyObjects(),
    nowMs: () => nowMs,
    tick: async (request, _key, phase) => {
      if (phase === "before") requests.push(request)
      return tick(request, phase)
    },
  })
})

const pass = (ms: number) => {
  nowMs += ms
  monotonicMs += ms
}
const deps = () => ({
  store,
  device: "d1" as DeviceId,
  monotonicMs: () => monotonicMs,
  wallMs: () => nowMs,
  random: { hex128: () => String(nonces++).padStart(32, "0") },
})

async function putNote(text: string): Promise<string> {
  const put = await store.put(KEY, { kind: "bytes", bytes: Buffer.from(text) }, { metadata: {} })
  if (!put.ok) throw new Error(put.error.kind)
  requests = []
  return put.value.etag
}

async function head(): Promise<ObjectHead | undefined> {
  const found = await store.head(KEY)
  return found.ok ? found.value : undefined
}

async function deleteNote(expected: string, sending = async () => undefined): Promise<Deleted | string> {
  const deleted = await deleteByTombstone(deps(), { key: KEY, expected, op: OP, sending })
  return deleted.ok ? deleted.value : deleted.error.kind
}

/** What happens once, at a request, in a phase. */
function once(request: string, phase: "before" | "after", effect: () => Failure | undefined): void {
  let isDone = false
  tick = (at, when) => {
    if (isDone || at !== request || when !== phase) return undefined
    isDone = true
    return effect()
  }
}

test("removes what is still as expected, and says so in the journal before the DELETE leaves", async () => {
  const etag = await putNote("old")
  const sending = async () => void requests.push("journal")
  expect(await deleteNote(etag, sending)).toBe("removed")
  expect(requests).toEqual(["PUT", "journal", "DELETE"])
  expect(await head()).toBeUndefined()
})

test("touches nothing where another version stands", async () => {
  const old = await putNote("old")
  const etag = await putNote("new")
  expect(await deleteNote(old)).toBe("changed")
  expect((await head())?.etag).toBe(etag)
})

test("leaves a tombstone of exactly 4,099 bytes that names its op and device, unique each time", async () => {
  const seen = new Set<string>()
  for (const text of ["one", "two"]) {
    const etag = await putNote(text)
    once("PUT", "after", () => void pass(30_000))
    expect(await deleteNote(etag)).toBe("left")
    const found = await head()
    expect(found?.sizeBytes).toBe(TOMBSTONE_BYTES)
    expect(found && readTombstone(found)).toMatchObject({ op: OP, device: "d1" })
    seen.add(found?.etag ?? "")
  }
  expect(seen.size).toBe(2)
})

test.each([
  { rule: "the PUT took 30 seconds", at: "after", effect: () => pass(30_000), journaled: false },
  {
    rule: "the machine slept before the answer was read",
    at: "after",
    effect: () => void (nowMs += 3_600_000),
    journaled: false,
  },
  { rule: "the time was set back meanwhile", at: "after", effect: () => void (nowMs -= 1), journaled: false },
  { rule: "the journal took 30 seconds", at: "sending", effect: () => pass(30_000), journaled: true },
] as const)("sends no DELETE where $rule", async ({ at, effect, journaled }) => {
  const etag = await putNote("old")
  if (at === "after") once("PUT", "after", () => void effect())
  let isJournaled = false
  const deleted = await deleteNote(etag, async () => {
    isJournaled = true
    if (at === "sending") effect()
  })
  expect(deleted).toBe("left")
  expect(requests).not.toContain("DELETE")
  expect(isJournaled).toBe(journaled)
})

test("knows its own tombstone where the answer to its PUT was lost and the retry was refused", async () => {
  const etag = await putNote("old")
  once("PUT", "after", () => ({ kind: "precondition", detail: "", status: 412 }))
  expect(await deleteNote(etag)).toBe("removed")
})

test("tries again after a 409 that changed nothing, and gives up in the end", async () => {
  const etag = await putNote("old")
  once("PUT", "before", () => CONFLICT)
  expect(await deleteNote(etag)).toBe("removed")
  const again = await putNote("again")
  tick = (request, phase) => (request === "PUT" && phase === "before" ? CONFLICT : undefined)
  expect(await deleteNote(again)).toBe("conflict")
  expect((await head())?.etag).toBe(again)
})

test("does not take the older tombstone of its own op for the one it could not put", async () => {
  const etag = await putNote("old")
  once("PUT", "after", () => void pass(30_000))
  await deleteNote(etag)
  const found = await head()
  if (found === undefined) throw new Error("no tombstone")
  pass(11 * 60_000)
  requests = []
  tick = (request, phase) => (request === "PUT" && phase === "before" ? CONFLICT : undefined)
  const taken = await takeOver(deps(), { key: KEY, head: found, op: OP, sending: async () => undefined })
  expect(taken).toMatchObject({ ok: false, error: { kind: "conflict" } })
  expect(requests).not.toContain("DELETE")
})

test("takes over a tombstone only as it was seen", async () => {
  const etag = await putNote("old")
  once("PUT", "after", () => void pass(30_000))
  await deleteNote(etag)
  const found = await head()
  if (found === undefined) throw new Error("no tombstone")
  const other = "ffffffffffffffffffffffffffffffff" as OpId
  const at = { key: KEY, head: found, op: other, sending: async () => undefined }
  once("PUT", "after", () => void pass(30_000))
  expect(await takeOver(deps(), at)).toEqual({ ok: true, value: "left" })
  expect(await takeOver(deps(), { ...at, op: OP })).toEqual({ ok: true, value: "changed" })
  const newer = await head()
  expect(newer && readTombstone(newer)?.op).toBe(other)
  if (newer === undefined) throw new Error("no tombstone")
  expect(await takeOver(deps(), { ...at, head: newer })).toEqual({ ok: true, value: "removed" })
})

test("looks once where the answer to the DELETE was lost, and never sends it again", async () => {
  const etag = await putNote("old")
  once("DELETE", "after", () => LOST)
  expect(await deleteNote(etag)).toBe("removed")
  const again = await putNote("again")
  once("DELETE", "before", () => LOST)
  expect(await deleteNote(again)).toBe("left")
  expect(requests.filter((each) => each === "DELETE")).toHaveLength(1)
})

test("finds a tombstone abandoned by the server's clock only, later where a late DELETE is taken", () => {
  const at = (ageMs: number): ObjectHead => ({
    etag: "e",
    sizeBytes: TOMBSTONE_BYTES,
    metadata: {},
    lastModifiedMs: 0,
    serverMs: ageMs,
  })
  expect(isAbandoned(at(600_000), { refusesLate: true })).toBe(false)
  expect(isAbandoned(at(600_001), { refusesLate: true })).toBe(true)
  expect(isAbandoned(at(600_001), { refusesLate: false })).toBe(false)
  expect(isAbandoned(at(1_200_001), { refusesLate: false })).toBe(true)
  const { serverMs: _, ...silent } = at(1_200_001)
  expect(isAbandoned(silent, { refusesLate: true })).toBe(false)
})
