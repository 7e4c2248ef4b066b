/** The driver of the lease, on flags in memory and clocks that move only where a test says so. */

import { beforeEach, expect, test } from "vitest"
import { type FlagStore, type Lease, lease } from "../../src/backend/lease.ts"
import type { Trouble } from "../../src/model/errors.ts"
import type { DeviceId } from "../../src/model/ids.ts"
import { err, ok, type Result } from "../../src/model/result.ts"

const MINUTE_MS = 60_000
const UNREACHABLE: Trouble = { code: "unreachable", path: "lease" }

let clock = { monotonicMs: 0, wallMs: 0 }
let flags = new Map<string, { content: string; putMs: number }>()
let calls: string[] = []
/** Runs around each request, and may answer a failure. */
let around: (request: string, phase: "before" | "after") => Promise<Trouble | undefined> | Trouble | undefined
let hasAges = false
let nonces = 0

beforeEach(() => {
  clock = { monotonicMs: 0, wallMs: 0 }
  flags = new Map()
  calls = []
  around = () => undefined
  hasAges = false
  nonces = 0
})

const pass = (ms: number) => {
  clock = { monotonicMs: clock.monotonicMs + ms, wallMs: clock.wallMs + ms }
}
const nonce = () => (nonces++).toString(16).padStart(8, "0").repeat(4)

async function call<T>(request: string, effect: () => T): Promise<Result<T, Trouble>> {
  calls.push(request)
  const before = await around(request, "before")
  if (before !== undefined) return err(before)
  const value = effect()
  const after = await around(request, "after")
  return after === undefined ? ok(value) : err(after)
}

const store: FlagStore = {
  put: (name, content) => call("put", () => void flags.set(name, { content, putMs: clock.monotonicMs })),
  async list({ except }) {
    const listed = await call("list", () => [...flags].filter(([name]) => name !== except))
    // A client learns how old they are when the answer comes.
    const age = (putMs: number) => (hasAges ? { ageMs: clock.monotonicMs - putMs } : {})
    return listed.ok
      ? ok(listed.value.map(([name, { content, putMs }]) => ({ name, content, ...age(putMs) })))
      : listed
  },
  remove: (name) => call("remove", () => void flags.delete(name)),
}

type Memory = { flag?: string; sightings?: string }

function device(id: string, memory: Memory = {}): Lease {
  return lease({
    flags: store,
    device: id as DeviceId,
    deviceName: `${id}'s name`,
    monotonicMs: () => clock.monotonicMs,
    wallMs: () => clock.wallMs,
    random: { hex128: nonce },
    sleep: async (ms) => pass(ms),
    memory: {
      read: (name) => memory[name],
      write: (name, text) => {
        memory[name] = text
      },
    },
  })
}

async function acquire(of: Lease, waitMsMax = 0): Promise<string> {
  const acquired = await of.acquire({ waitMsMax, onWait: (holder) => void calls.push(`wait: ${holder}`) })
  return acquired.ok ? "ok" : `${acquired.error.code} ${acquired.error.detail ?? ""}`.trim()
}

async function mayWrite(of: Lease): Promise<string> {
  const may = await of.mayWrite()
  return may.ok ? "ok" : may.error.code
}

const puts = () => calls.filter((each) => each === "put").length

test("lists after its own flag is up, and takes it away when it is done", async () => {
  const a = device("da")
  expect(await acquire(a)).toBe("ok")
  expect(calls).toEqual(["list", "put", "list"])
  expect(a.isHeld()).toBe(true)
  expect(await mayWrite(a)).toBe("ok")
  await a.release()
  expect(flags.size).toBe(0)
  expect(await mayWrite(a)).toBe("lease_lost")
})

test("puts its flag at once where a listing showed none, and sees one that went up since", async () => {
  const soon = { waitMsMax: 0, onWait: () => undefined, isClear: true }
  const a = device("da")
  expect((await a.acquire(soon)).ok).toBe(true)
  expect(calls).toEqual(["put", "list"])
  expect(await device("db").acquire(soon)).toMatchObject({ ok: false, error: { code: "lease_held" } })
  expect([...flags.keys()].every((name) => name.startsWith("da."))).toBe(true)
  expect(await mayWrite(a)).toBe("ok")
})

test("names the holder, waits as long as it may, and leaves nothing of its own", async () => {
  const a = device("da")
  await acquire(a)
  const b = device("db")
  expect(await acquire(b, MINUTE_MS)).toBe("lease_held da's name")
  expect(calls.filter((each) => each.startsWith("wait"))).toEqual(["wait: da's name"])
  expect(clock.monotonicMs).toBeGreaterThanOrEqual(MINUTE_MS)
  expect([...flags.keys()]).toHaveLength(1)
  await a.release()
  expect(await acquire(b)).toBe("ok")
})

test("takes its flag away where another went up between its two looks", async () => {
  const b = device("db")
  let isFirst = true
  around = async (request, phase) => {
    if (request !== "put" || phase !== "before" || !isFirst) return undefined
    isFirst = false
    expect(await acquire(device("da"))).toBe("ok")
    return undefined
  }
  expect(await acquire(b)).toBe("lease_held da's name")
  expect([...flags.keys()].every((name) => name.startsWith("da."))).toBe(true)
})

test("waits less where its id is the lower one", async () => {
  await acquire(device("dm"))
  const waits: number[] = []
  for (const id of ["da", "dz"]) {
    const from = clock.monotonicMs
    await acquire(device(id), 1)
    waits.push(clock.monotonicMs - from)
  }
  expect(waits[0]).toBeLessThan(waits[1] ?? 0)
})

test("renews once for all who write at the same time, and only what is two minutes old", async () => {
  const a = device("da")
  await acquire(a)
  pass(2 * MINUTE_MS - 1)
  await mayWrite(a)
  expect(puts()).toBe(1)
  pass(1)
  const lanes = await Promise.all(Array.from({ length: 16 }, () => mayWrite(a)))
  expect(new Set(lanes)).toEqual(new Set(["ok"]))
  expect(puts()).toBe(2)
})

test.each([
  { rule: "five minutes passed", change: () => pass(5 * MINUTE_MS) },
  { rule: "the machine slept", change: () => void (clock = { ...clock, wallMs: 5 * MINUTE_MS }) },
  { rule: "the time was set back", change: () => void (clock = { ...clock, wallMs: -1 }) },
])("lets nobody write where $rule since the last renewal", async ({ change }) => {
  const a = device("da")
  await acquire(a)
  change()
  expect(await mayWrite(a)).toBe("lease_lost")
  expect(a.isHeld()).toBe(false)
  expect(puts()).toBe(1)
})

test("begins no write later than three minutes after a renewal, while renewals fail", async () => {
  const a = device("da")
  await acquire(a)
  around = (request) => (request === "put" ? UNREACHABLE : undefined)
  pass(2.5 * MINUTE_MS)
  expect(await mayWrite(a)).toBe("ok")
  pass(0.5 * MINUTE_MS)
  expect(await mayWrite(a)).toBe("lease_lost")
})

test.each(["put", "list"])("takes no renewal for one whose %s took longer than its time", async (slow) => {
  const a = device("da")
  await acquire(a)
  pass(2 * MINUTE_MS)
  around = (request, phase) => {
    if (request === slow && phase === "after") pass(20 * MINUTE_MS)
    return undefined
  }
  expect(await mayWrite(a)).toBe("lease_lost")
})

test("leaves the flag where it loses the lease in the midst of writes", async () => {
  const a = device("da")
  await acquire(a)
  await mayWrite(a)
  pass(5 * MINUTE_MS)
  expect(await mayWrite(a)).toBe("lease_lost")
  expect(flags.size).toBe(1)
  expect(await acquire(device("db"))).toBe("lease_held da's name")
})

test("leaves the flag to die where a write got no answer, and is not kept out by it itself", async () => {
  hasAges = true
  const memory = {}
  const a = device("da", memory)
  await acquire(a)
  await mayWrite(a)
  a.unanswered()
  await a.release()
  expect(await acquire(device("db"))).toBe("lease_held da's name")
  expect(await acquire(a)).toBe("ok")
  await a.release()
  pass(10 * MINUTE_MS - 1)
  expect(await acquire(device("db"))).toBe("lease_held da's name")
  pass(1)
  expect(await acquire(device("db"))).toBe("ok")
  await acquire(device("da", memory))
  expect([...flags.keys()].filter((name) => name.startsWith("da."))).toHaveLength(0)
})

test("goes on at once after a crash of its own, and others do not", async () => {
  const memory = {}
  await acquire(device("da", memory))
  expect(await acquire(device("db"))).toBe("lease_held da's name")
  const again = device("da", memory)
  expect(await acquire(again)).toBe("ok")
  await again.release()
  expect(await acquire(device("db"))).toBe("lease_held da's name")
})

test("knows a copy of itself by a flag it did not put, and leaves that alone", async () => {
  await acquire(device("da"))
  expect(await acquire(device("da"))).toBe("lease_held a copy of this device")
  expect(flags.size).toBe(1)
})

test("finds a flag dead that one process saw unchanged for ten minutes, without an age", async () => {
  await acquire(device("da"))
  const b = device("db")
  await acquire(b)
  pass(10 * MINUTE_MS - 1)
  expect(await acquire(b)).toBe("lease_held da's name")
  pass(1)
  expect(await acquire(device("dc"))).toBe("lease_held da's name")
  expect(await acquire(b)).toBe("ok")
  expect([...flags.keys()].filter((name) => name.startsWith("da."))).toHaveLength(1)
})

test("does not find a flag dead that was renewed meanwhile", async () => {
  const a = device("da")
  await acquire(a)
  const b = device("db")
  await acquire(b)
  for (let minutes = 2; minutes <= 12; minutes += 2) {
    pass(2 * MINUTE_MS)
    expect(await mayWrite(a)).toBe("ok")
  }
  expect(await acquire(b)).toBe("lease_held da's name")
})

test.each([false, true])("an answer that was long under way makes no flag old (ages: %s)", async (ages) => {
  hasAges = ages
  await acquire(device("da"))
  const b = device("db")
  await acquire(b)
  around = (request, phase) => {
    if (request === "list" && phase === "after") pass(11 * MINUTE_MS)
    return undefined
  }
  expect(await acquire(b)).toBe("lease_held da's name")
})

test("a renewal under way when it is released does not put the flag back", async () => {
  const a = device("da")
  await acquire(a)
  pass(2 * MINUTE_MS)
  let release: Promise<void> | undefined
  around = (request, phase) => {
    if (request === "put" && phase === "before") release = a.release()
    return undefined
  }
  expect(await mayWrite(a)).toBe("lease_lost")
  await release
  expect(flags.size).toBe(0)
  expect(a.isHeld()).toBe(false)
})

test("a device that cannot look takes its flag away again, and says why", async () => {
  let lists = 0
  around = (request, phase) =>
    request === "list" && phase === "before" && ++lists === 2 ? UNREACHABLE : undefined
  expect(await acquire(device("da"))).toBe("unreachable")
  expect(flags.size).toBe(0)
})

test("what one run saw of a dead flag counts for the next, for no run waits that long", async () => {
  const a = device("da")
  await acquire(a)
  const memory: Memory = {}
  expect(await acquire(device("db", memory), MINUTE_MS)).toMatch(/^lease_held/)
  pass(9 * MINUTE_MS)
  expect(await acquire(device("db", memory))).toBe("ok")
})

test("what was seen before the machine was started again says nothing", async () => {
  const a = device("da")
  await acquire(a)
  pass(20 * MINUTE_MS)
  const memory: Memory = {}
  expect(await acquire(device("db", memory))).toMatch(/^lease_held/)
  clock = { ...clock, monotonicMs: MINUTE_MS }
  expect(await acquire(device("db", memory))).toMatch(/^lease_held/)
  pass(9 * MINUTE_MS)
  expect(await acquire(device("db", memory))).toMatch(/^lease_held/)
})
