/**
 * What answers of a bucket mean: a no that is about our own request, a conflict, an answer that was lost. And its epoch,
 * which is one object that several devices replace.
 *
 * A part of the contract of `contract-s3.ts`.
 */

import { expect, test } from "vitest"
import { EPOCH_KEY } from "../../src/backend/epoch-text.ts"
import { mustPath } from "../../src/model/path.ts"
import type { Failure } from "../../src/store/store.ts"
import { deleteMode } from "../../src/store/verdict.ts"
import { must } from "./bucket-storage.ts"
import { DEVICES } from "./folder-storage.ts"
import {
  type BucketStorage,
  carryOut,
  contentOf,
  type Disturbance,
  EVERYTHING,
  type Get,
  known,
  moving,
  removing,
  skipUnlessMoved,
  type Request,
  value,
  writing,
} from "./storage.ts"

const PRECONDITION: Failure = { kind: "precondition", detail: "PreconditionFailed", status: 412 }
const CONFLICT: Failure = { kind: "conflict", detail: "ConditionalRequestConflict", status: 409 }
const GONE: Failure = { kind: "no_bucket", detail: "NoSuchBucket", status: 404 }
const CUT: Failure = { kind: "unreachable", detail: "ECONNRESET" }
const DENIED: Failure = { kind: "denied", detail: "AccessDenied", status: 403 }
const WRITES = ["put", "copy", "complete"]

/** In place of the first answers to the requests that are meant. */
function answering(
  isMeant: (request: Request) => boolean,
  phase: "before" | "after",
  failures: readonly Failure[],
): Disturbance {
  const left = [...failures]
  return (request, at) => (at === phase && isMeant(request) ? left.shift() : undefined)
}

const writesTo =
  (key: string) =>
  (request: Request): boolean =>
    WRITES.includes(request.name) && request.key === key

export function answers(
  get: Get<BucketStorage>,
  { keepsMetadata }: { readonly keepsMetadata: boolean },
): void {
  // Only a server that is asked by conditions says no, and only an op id tells whose write stands there.
  if (keepsMetadata) saidNo(get)
  otherAnswers(get)
}

function saidNo({ storage, one }: Get<BucketStorage>): void {
  test("that say no to a write of ours that was sent again are a success", async () => {
    storage().bucket.disturb(answering(writesTo("a.md"), "after", [PRECONDITION]))
    const operation = writing("a.md", "text")
    const mark = value(await one().stage(operation, contentOf("text")))
    expect(value(await one().apply(operation, mark))).toEqual({ kind: "applied" })
    storage().bucket.disturb(undefined)
    const version = value(await one().flush()).get(operation.op)
    const head = await must(storage().bucket.store.head("a.md"))
    expect(version).toMatchObject({ token: head.etag, sizeBytes: 4 })
    expect(await storage().tree()).toEqual(new Map([["a.md", "text"]]))
  })

  test("that say no to a move of ours that was sent again are a success", async (context) => {
    skipUnlessMoved(context, one())
    await storage().write("a.md", "text")
    const operation = moving("a.md", "b.md", await known(one(), "a.md"))
    storage().bucket.disturb(answering(writesTo("b.md"), "after", [PRECONDITION]))
    expect(await carryOut(one(), operation)).toEqual({ kind: "applied" })
    expect(await storage().tree()).toEqual(new Map([["b.md", "text"]]))
  })
}

function otherAnswers({ storage, one }: Get<BucketStorage>): void {
  test("that do not keep a condition of a copy are why a move is refused, and nothing is touched", async (context) => {
    if (one().capabilities.canMove) context.skip("a move is carried out here")
    await storage().write("a.md", "text")
    const operation = moving("a.md", "b.md", await known(one(), "a.md"))
    const mark = value(await one().stage(operation, undefined))
    expect(await one().apply(operation, mark)).toEqual({
      ok: false,
      error: { code: "unsupported", path: "a.md" },
    })
    expect(await storage().tree()).toEqual(new Map([["a.md", "text"]]))
  })

  test("that a key is gone do not settle a delete where it is the bucket that is gone", async () => {
    await carryOut(one(), writing("a.md", "text"), contentOf("text"))
    const operation = removing("a.md", await known(one(), "a.md"))
    const mark = value(await one().stage(operation, undefined))
    storage().bucket.disturb(({ name }, phase) => {
      if (phase === "after") return undefined
      return name === "head" ? { kind: "not_found", detail: "NotFound" } : GONE
    })
    expect(await one().settle(operation, mark)).toMatchObject({ ok: false, error: { code: "no_bucket" } })
  })

  test("that say no to a remove of ours that was sent again are no trouble", async () => {
    await storage().write("a.md", "text")
    const operation = removing("a.md", await known(one(), "a.md"))
    const isRemove = ({ name, key }: Request) =>
      key === "a.md" && (name === "remove" || name === "removeOnce" || name === "put")
    storage().bucket.disturb(answering(isRemove, "after", [PRECONDITION]))
    expect(await carryOut(one(), operation)).toEqual({ kind: "applied" })
    expect(await storage().tree()).toEqual(new Map())
    expect(await storage().staged()).toEqual([])
  })

  test.each(["before", "after"] as const)(
    "that say 409 %s a write took effect make it be sent again",
    async (phase) => {
      storage().bucket.disturb(answering(writesTo("a.md"), phase, [CONFLICT, CONFLICT]))
      expect(await carryOut(one(), writing("a.md", "text"), contentOf("text"))).toEqual({ kind: "applied" })
      expect(await storage().tree()).toEqual(new Map([["a.md", "text"]]))
    },
  )

  test("that say 409 for ever end the step, and leave it undone", async () => {
    storage().bucket.disturb(({ name, key }, phase) =>
      phase === "before" && name === "put" && key === "a.md" ? CONFLICT : undefined,
    )
    const operation = writing("a.md", "text")
    const mark = value(await one().stage(operation, contentOf("text")))
    expect(await one().apply(operation, mark)).toMatchObject({ ok: false })
    expect(await storage().tree()).toEqual(new Map())
  })

  test.each(["before", "after"] as const)(
    "that were lost, %s the effect, are trouble that settling resolves",
    async (phase) => {
      await storage().write("a.md", "old")
      const operation = writing("a.md", "new", await known(one(), "a.md"))
      const mark = value(await one().stage(operation, contentOf("new")))
      storage().bucket.disturb(answering(writesTo("a.md"), phase, [CUT]))
      expect(await one().apply(operation, mark)).toMatchObject({ ok: false, error: { code: "unreachable" } })
      storage().bucket.disturb(undefined)
      const { backend } = await storage().start("one")
      const kind = phase === "before" ? "not_applied" : "applied"
      expect(value(await backend.settle(operation, mark))).toMatchObject({ kind })
      expect((await storage().tree()).get("a.md")).toBe(phase === "before" ? "old" : "new")
    },
  )

  test.each([DENIED, CUT])("%o to a look is never an absent file", async (failure) => {
    await storage().write("a.md", "old")
    storage().bucket.disturb((_, phase) => (phase === "before" ? failure : undefined))
    const given = [
      await one().list(EVERYTHING),
      await one().look(mustPath("a.md")),
      await one().readEpoch([]),
    ]
    expect(given.map(({ ok }) => ok)).toEqual([false, false, false])
  })

  test("cost a conditional write one request, and one under a lease a look before it", async () => {
    await storage().write("a.md", "old")
    const operation = writing("a.md", "new", await known(one(), "a.md"))
    const mark = value(await one().stage(operation, contentOf("new")))
    const asked: string[] = []
    storage().bucket.disturb(({ name, key }, phase) => {
      if (phase === "before" && key === "a.md") asked.push(name)
      return undefined
    })
    expect(value(await one().apply(operation, mark))).toEqual({ kind: "applied" })
    const isLeased = deleteMode(storage().bucket.verdict) === "lease"
    expect(asked).toEqual(isLeased ? ["head", "put"] : ["put"])
  })
}

export function epochs({ storage, one, two }: Get<BucketStorage>): void {
  const countingReads = () => {
    let reads = 0
    storage().bucket.disturb(({ name, key }, phase) => {
      if (phase === "before" && name === "get" && key === EPOCH_KEY) reads += 1
      return undefined
    })
    return () => reads
  }

  test("has both pairs where two devices add that had read the same", async () => {
    // The first to write is overtaken right before its write, whatever the server is like.
    let isOvertaken = false
    storage().bucket.disturb(async ({ name, key }, phase) => {
      if (isOvertaken || phase !== "before" || name !== "put" || key !== EPOCH_KEY) return undefined
      isOvertaken = true
      if (deleteMode(storage().bucket.verdict) === "lease") return undefined
      value(await two().appendEpoch({ nonce: "theirs", device: DEVICES.two }))
      return undefined
    })
    const mine = value(await one().appendEpoch({ nonce: "mine", device: DEVICES.one }))
    storage().bucket.disturb(undefined)
    if (deleteMode(storage().bucket.verdict) === "lease")
      value(await two().appendEpoch({ nonce: "theirs", device: DEVICES.two }))
    const { chain } = value(await one().readEpoch([])) ?? { chain: [] }
    expect(new Set(chain.map(({ nonce }) => nonce))).toEqual(new Set(["mine", "theirs"]))
    expect(chain.map(({ counter }) => counter)).toEqual([1, 2])
    expect(chain.find(({ nonce }) => nonce === "mine")).toEqual(mine)
  })

  test("has a pair after those of another device that this one has not seen", async () => {
    value(await two().appendEpoch({ nonce: "theirs", device: DEVICES.two }))
    const mine = value(await one().appendEpoch({ nonce: "mine", device: DEVICES.one }))
    expect(mine.counter).toBe(2)
  })

  test.each([
    { what: "says no", failure: PRECONDITION },
    { what: "says 409", failure: CONFLICT },
  ])("has a pair once, though the answer that came after it $what", async ({ failure }) => {
    storage().bucket.disturb(
      answering(({ name, key }) => name === "put" && key === EPOCH_KEY, "after", [failure]),
    )
    expect(value(await one().appendEpoch({ nonce: "n", device: DEVICES.one })).counter).toBe(1)
    storage().bucket.disturb(undefined)
    expect(value(await two().readEpoch([]))?.chain.map(({ nonce }) => nonce)).toEqual(["n"])
  })

  test("is not asked for where a listing shows that it is unchanged, also in a new life", async () => {
    const reads = countingReads()
    const { backend } = await storage().start("one")
    const listing = backend.list(EVERYTHING)
    expect(value(await backend.readEpoch([]))?.id).toBe("first")
    value(await listing)
    expect(reads()).toBe(0)
  })

  test("is asked for where a listing shows another", async () => {
    value(await two().appendEpoch({ nonce: "theirs", device: DEVICES.two }))
    const reads = countingReads()
    const { backend } = await storage().start("one")
    const listing = backend.list(EVERYTHING)
    expect(value(await backend.readEpoch([]))?.chain.map(({ nonce }) => nonce)).toEqual(["theirs"])
    value(await listing)
    expect(reads()).toBe(1)
  })

  test("of a bucket that was made anew is another, whatever was kept of the old one", async () => {
    await storage().bucket.recreate()
    const { backend } = await storage().start("one")
    const listing = backend.list(EVERYTHING)
    expect(value(await backend.readEpoch([]))).toBeUndefined()
    value(await listing)
    value(await (await storage().start("two")).backend.createEpoch("second"))
    expect(value(await one().readEpoch([]))?.id).toBe("second")
    const again = (await storage().start("one")).backend
    const listed = again.list(EVERYTHING)
    expect(value(await again.readEpoch([]))?.id).toBe("second")
    value(await listed)
  })

  test("that is not readable is trouble, and never a new bucket", async () => {
    await storage().write(EPOCH_KEY, "<html>")
    const { backend } = await storage().start("one")
    const listing = backend.list(EVERYTHING)
    expect(await backend.readEpoch([])).toMatchObject({ ok: false, error: { code: "io" } })
    value(await listing)
    expect(await two().createEpoch("second")).toMatchObject({ ok: false })
  })
}
