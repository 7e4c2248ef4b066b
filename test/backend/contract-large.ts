/**
 * Contents that go up in parts, which nobody sees before all of them are there, and that come down in a stream.
 *
 * A part of the contract of `contract-s3.ts`.
 */

import { createHash } from "node:crypto"
import { expect, test } from "vitest"
import type { Operation } from "../../src/model/action.ts"
import type { Version } from "../../src/model/entry.ts"
import { mustContentHash } from "../../src/model/ids.ts"
import { mustPath } from "../../src/model/path.ts"
import { type Backend, type Content, ContentLost } from "../../src/model/ports.ts"
import { bytesAt, must } from "./bucket-storage.ts"
import {
  type BucketStorage,
  carryOut,
  type Get,
  kept,
  moving,
  MTIME_MS,
  skipUnlessMoved,
  value,
  writing,
} from "./storage.ts"

const MEBI = 1024 * 1024
const LARGE_BYTES = 20 * MEBI + 5

/** Like noise, so that no part equals another. */
function largeContent(options: { readonly breaksAtBytes?: number } = {}): Content {
  const pieces = Array.from({ length: 21 }, (_, index) => {
    const piece = Buffer.alloc(index < 20 ? MEBI : 5, `${index} `)
    piece.write(`piece ${index}`.slice(0, piece.length))
    return piece
  })
  const { breaksAtBytes = Number.POSITIVE_INFINITY } = options
  const hasher = createHash("sha256")
  for (const piece of pieces) hasher.update(piece)
  return {
    kind: "stream",
    sizeBytes: LARGE_BYTES,
    hash: mustContentHash(`sha256:${hasher.digest("hex")}`),
    async *open() {
      let sent = 0
      for (const piece of pieces) {
        if (sent >= breaksAtBytes) throw new ContentLost({ code: "changed_since", path: "source.md" })
        yield piece
        sent += piece.length
      }
    },
  }
}

function writingLarge(path: string, content: Content): Operation {
  const { op, step } = writing(path, "")
  if (step.kind !== "write") throw new Error("not a write")
  return {
    op,
    step: {
      ...step,
      source: { kind: "history", hash: content.hash },
      sizeBytes: LARGE_BYTES,
      hash: content.hash,
    },
  }
}

export function large(
  { storage, one, two }: Get<BucketStorage>,
  { keepsMetadata }: { readonly keepsMetadata: boolean },
): void {
  test("comes back as it went, with its time, and leaves no upload", async () => {
    const content = largeContent()
    const operation = writingLarge("d/large.bin", content)
    const mark = value(await one().stage(operation, content))
    expect([...(await storage().tree()).keys()]).toEqual([])
    expect(value(await one().apply(operation, mark)).kind).toBe("applied")
    const version = value(await one().flush()).get(operation.op)
    const looked = value(await two().look(mustPath("d/large.bin")))
    expect(kept(storage(), version)).toEqual(kept(storage(), looked))
    expect(version).toMatchObject({ sizeBytes: LARGE_BYTES, mtimeMs: MTIME_MS })
    if (keepsMetadata) expect(version).toMatchObject({ device: "one" })
    expect(await storage().staged()).toEqual([])
    const bytes = await bytesAt(storage().bucket.store, "d/large.bin")
    expect(`sha256:${createHash("sha256").update(bytes).digest("hex")}`).toBe(content.hash)
    if (version === undefined) throw new Error("no version")
    const read = value(await two().read(mustPath("d/large.bin"), version))
    expect(read).toMatchObject({ kind: "stream", hash: content.hash, sizeBytes: LARGE_BYTES })
  })

  test("moves with its time", async (context) => {
    skipUnlessMoved(context, two())
    const content = largeContent()
    await carryOut(one(), writingLarge("large.bin", content), content)
    const operation = moving("large.bin", "d/large.bin", {
      ...(await seen(two(), "large.bin")),
      hash: content.hash,
    })
    expect((await carryOut(two(), operation)).kind).toBe("applied")
    const moved = kept(storage(), { sizeBytes: LARGE_BYTES, mtimeMs: MTIME_MS })
    expect(kept(storage(), await seen(one(), "d/large.bin"))).toMatchObject(moved ?? {})
    expect([...(await storage().tree()).keys()]).toEqual(["d/large.bin"])
    expect(await storage().staged()).toEqual([])
  })

  test("whose source breaks publishes nothing, and leaves no upload", async () => {
    const content = largeContent({ breaksAtBytes: 12 * MEBI })
    const operation = writingLarge("large.bin", content)
    // Where parts have no conditions it is sent in one piece, when it is applied.
    const staged = await one().stage(operation, content)
    const broken = staged.ok ? await one().apply(operation, staged.value) : staged
    expect(broken).toEqual({ ok: false, error: { code: "changed_since", path: "source.md" } })
    expect(await storage().tree()).toEqual(new Map())
    expect(await storage().staged()).toEqual([])
  })

  test("that finds its path taken publishes nothing, and leaves no upload", async () => {
    const content = largeContent()
    const operation = writingLarge("large.bin", content)
    const mark = value(await one().stage(operation, content))
    await storage().write("large.bin", "theirs")
    expect(value(await one().apply(operation, mark))).toEqual({ kind: "changed" })
    expect(await storage().tree()).toEqual(new Map([["large.bin", "theirs"]]))
    expect(await storage().staged()).toEqual([])
  })

  test("that was staged by a life that ended is given up by the next one, a day later and not before", async () => {
    const content = largeContent()
    value(await one().stage(writingLarge("large.bin", content), content))
    const before = await storage().staged()
    await (await storage().start("one")).backend.discardStaged()
    expect(await storage().staged()).toEqual(before)
    storage().bucket.later(25 * 3_600_000)
    await (await storage().start("one")).backend.discardStaged()
    expect(await storage().staged()).toEqual([])
    expect(await storage().tree()).toEqual(new Map())
  })

  // Where nobody writes a hash beside the bytes, nobody can write a false one.
  if (!keepsMetadata) return
  test("that another program wrote under a false hash breaks once, and is read right then", async () => {
    const content = largeContent()
    await carryOut(one(), writingLarge("large.bin", content), content)
    const { store } = storage().bucket
    const bytes = Buffer.alloc(9 * MEBI, "foreign ")
    const { metadata } = await must(store.head("large.bin"))
    await must(store.put("large.bin", { kind: "bytes", bytes }, { metadata }))
    const version = await seen(two(), "large.bin")
    const drain = async (read: Content): Promise<string> => {
      if (read.kind === "bytes") throw new Error("not a stream")
      const hasher = createHash("sha256")
      for await (const piece of read.open()) hasher.update(piece)
      return `sha256:${hasher.digest("hex")}`
    }
    const first = value(await two().read(mustPath("large.bin"), version))
    await expect(drain(first)).rejects.toMatchObject({ trouble: { code: "hash_mismatch" } })
    const second = value(await two().read(mustPath("large.bin"), version))
    expect(await drain(second)).toBe(second.hash)
  })
}

async function seen(backend: Backend, path: string): Promise<Version> {
  const version = value(await backend.look(mustPath(path)))
  if (version === undefined) throw new Error(`nothing is at ${path}`)
  return version
}
