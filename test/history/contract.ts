/**
 * What every history store promises. A new one is a five-line test that calls `historyContract`.
 */

import { createHash } from "node:crypto"
import { beforeEach, describe, expect, test } from "vitest"
import { mustContentHash, type GitOid } from "../../src/model/ids.ts"
import { mustPath } from "../../src/model/path.ts"
import {
  ContentLost,
  type Content,
  type HistoryStore,
  type HistoryWriter,
  type TreeChange,
} from "../../src/model/ports.ts"
import type { Result } from "../../src/model/result.ts"
import type { Trouble } from "../../src/model/errors.ts"

export const AT_MS = Date.UTC(2026, 10, 25, 12)

export function bytesOf(text: string): Buffer {
  return Buffer.from(text, "utf8")
}

export function value<T>(result: Result<T, Trouble>): T {
  if (!result.ok) throw new Error(`trouble: ${JSON.stringify(result.error)}`)
  return result.value
}

/** Commits texts, `undefined` for a removal, and finishes. */
export async function record(
  store: HistoryStore,
  texts: Readonly<Record<string, string | undefined>> | ReadonlyMap<string, string | Uint8Array | undefined>,
  message = "change",
): Promise<GitOid> {
  const writer = value(await store.begin())
  const oid = await commitTexts(writer, texts, message)
  value(await writer.finish())
  return oid
}

export async function commitTexts(
  writer: HistoryWriter,
  texts: Readonly<Record<string, string | undefined>> | ReadonlyMap<string, string | Uint8Array | undefined>,
  message = "change",
): Promise<GitOid> {
  const changes: TreeChange[] = []
  for (const [name, text] of texts instanceof Map ? texts : Object.entries(texts)) {
    const path = mustPath(name)
    if (text === undefined) changes.push({ path })
    else changes.push({ path, oid: value(await writer.add(typeof text === "string" ? bytesOf(text) : text)) })
  }
  return value(await writer.commit({ changes, message, atMs: AT_MS }))
}

export async function textsOf(store: HistoryStore): Promise<Map<string, string>> {
  const texts = new Map<string, string>()
  for (const [path, oid] of value(await store.tree())) {
    texts.set(path, Buffer.from(value(await store.read(oid))).toString("utf8"))
  }
  return texts
}

export function streamOf(
  pieces: readonly Uint8Array[],
  given: { readonly sizeBytes?: number; readonly fails?: Trouble } = {},
): Content {
  const whole = Buffer.concat(pieces)
  return {
    kind: "stream",
    sizeBytes: given.sizeBytes ?? whole.length,
    hash: mustContentHash(`sha256:${createHash("sha256").update(whole).digest("hex")}`),
    async *open() {
      yield* pieces
      if (given.fails !== undefined) throw new ContentLost(given.fails)
    },
  }
}

export async function collect(pieces: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const all: Uint8Array[] = []
  for await (const piece of pieces) all.push(piece)
  return Buffer.concat(all)
}

export function historyContract(name: string, open: () => Promise<HistoryStore>): void {
  describe(`${name} keeps the promises of a history store`, () => {
    let store: HistoryStore
    beforeEach(async () => {
      store = await open()
    })
    readsAndWrites(() => store)
    treeChanges(() => store)
    largeVersions(() => store)
  })
}

function readsAndWrites(store: () => HistoryStore): void {
  test("a new store has no head, an empty tree and no object", async () => {
    const absent = "0123456789012345678901234567890123456789" as GitOid
    expect(value(await store().head())).toBeUndefined()
    expect(value(await store().tree())).toEqual(new Map())
    expect(await store().has(absent)).toBe(false)
    expect(await store().read(absent)).toMatchObject({
      ok: false,
      error: { code: "not_found", path: absent },
    })
    await expect(collect(store().stream(absent))).rejects.toMatchObject({ trouble: { code: "not_found" } })
  })

  test("nothing is visible before finish, everything after it", async () => {
    const writer = value(await store().begin())
    const oid = value(await writer.add(bytesOf("a")))
    const commit = await commitTexts(writer, { "a.md": "a" })
    expect(await store().has(oid)).toBe(false)
    expect(value(await store().head())).toBeUndefined()
    value(await writer.finish())
    expect(await store().has(oid)).toBe(true)
    expect(value(await store().head())).toBe(commit)
    expect(await textsOf(store())).toEqual(new Map([["a.md", "a"]]))
  })

  test("an abandoned writer leaves nothing", async () => {
    const writer = value(await store().begin())
    const oid = value(await writer.add(bytesOf("a")))
    await writer.abandon()
    expect(await store().has(oid)).toBe(false)
  })

  test("a writer without anything finishes and changes nothing", async () => {
    const head = await record(store(), { "a.md": "a" })
    const writer = value(await store().begin())
    value(await writer.finish())
    expect(value(await store().head())).toBe(head)
  })

  test("a version can be kept without a commit", async () => {
    const writer = value(await store().begin())
    const oid = value(await writer.add(bytesOf("pre-image")))
    value(await writer.finish())
    expect(value(await store().read(oid))).toEqual(new Uint8Array(bytesOf("pre-image")))
    expect(value(await store().head())).toBeUndefined()
  })

  test.each([
    ["empty", Buffer.alloc(0)],
    ["CRLF and lone CR", bytesOf("a\r\nb\rc\n\r")],
    ["not UTF-8", Buffer.from([0, 255, 254, 0, 128, 13, 10])],
    ["long", Buffer.alloc(300_000, "0123456789abcdef")],
  ])("bytes come back exactly: %s", async (_, bytes) => {
    const writer = value(await store().begin())
    const oid = value(await writer.add(bytes))
    expect(value(await writer.add(bytes))).toBe(oid)
    value(await writer.finish())
    expect(Buffer.compare(value(await store().read(oid)), bytes)).toBe(0)
    expect(Buffer.compare(await collect(store().stream(oid)), bytes)).toBe(0)
  })

  test("a blob has the name that git gives it", async () => {
    const writer = value(await store().begin())
    expect(value(await writer.add(bytesOf("hello\n")))).toBe("ce013625030ba8dba906f756967f9e9ca394464a")
    await writer.abandon()
  })

  test("a commit that changes nothing is its parent", async () => {
    const head = await record(store(), { "a.md": "a" })
    expect(await record(store(), { "a.md": "a", "gone.md": undefined })).toBe(head)
  })

  test("a commit of a version that is nowhere is refused", async () => {
    const writer = value(await store().begin())
    const oid = "0123456789012345678901234567890123456789" as GitOid
    const commit = { changes: [{ path: mustPath("a.md"), oid }], message: "m", atMs: AT_MS }
    expect(await writer.commit(commit)).toMatchObject({
      ok: false,
      error: { code: "not_found", path: "a.md" },
    })
    await writer.abandon()
  })

  test("the second of two writers that began at the same head does not undo the first", async () => {
    const first = value(await store().begin())
    const second = value(await store().begin())
    const head = await commitTexts(first, { "a.md": "first" })
    await commitTexts(second, { "a.md": "second" })
    value(await first.finish())
    expect(await second.finish()).toMatchObject({ ok: false, error: { code: "changed_since" } })
    expect(value(await store().head())).toBe(head)
  })
}

type Texts = Readonly<Record<string, string | undefined>>
interface TreeRow {
  readonly rule: string
  readonly before: Texts
  readonly changes: Texts
  readonly after: Readonly<Record<string, string>>
}

function treeChanges(store: () => HistoryStore): void {
  test.each<TreeRow>([
    {
      rule: "other paths stay",
      before: { "a.md": "1", "d/b.md": "2" },
      changes: { "a.md": "3" },
      after: { "a.md": "3", "d/b.md": "2" },
    },
    {
      rule: "an empty directory disappears",
      before: { "d/e/a.md": "1", "b.md": "2" },
      changes: { "d/e/a.md": undefined },
      after: { "b.md": "2" },
    },
    { rule: "the last file may go", before: { "d/a.md": "1" }, changes: { "d/a.md": undefined }, after: {} },
    {
      rule: "a file becomes a directory, removal first",
      before: { a: "1" },
      changes: { a: undefined, "a/b": "2" },
      after: { "a/b": "2" },
    },
    {
      rule: "a file becomes a directory, addition first",
      before: { a: "1" },
      changes: { "a/b": "2", a: undefined },
      after: { "a/b": "2" },
    },
    {
      rule: "a directory becomes a file, removal first",
      before: { "a/b/c": "1" },
      changes: { "a/b/c": undefined, a: "2" },
      after: { a: "2" },
    },
    {
      rule: "a directory becomes a file, addition first",
      before: { "a/b/c": "1" },
      changes: { a: "2", "a/b/c": undefined },
      after: { a: "2" },
    },
    {
      rule: "removing a path that is a directory keeps what is below",
      before: { "a/b": "1" },
      changes: { a: undefined },
      after: { "a/b": "1" },
    },
    {
      rule: "removing below a file keeps the file",
      before: { a: "1" },
      changes: { "a/b": undefined },
      after: { a: "1" },
    },
    {
      rule: "names that sort around a slash",
      before: { "a/x": "1" },
      changes: { "a.md": "2", "a-": "3", a0: "4" },
      after: { "a-": "3", "a.md": "2", "a/x": "1", a0: "4" },
    },
  ])("in a tree, $rule", async ({ before, changes, after }) => {
    await record(store(), before)
    await record(store(), changes)
    expect([...(await textsOf(store()))]).toEqual(Object.entries(after))
  })

  test("commits of one writer follow each other", async () => {
    const writer = value(await store().begin())
    await commitTexts(writer, { "a.md": "loser", "d/b.md": "b" }, "loser")
    const winner = await commitTexts(writer, { "a.md": "winner" }, "winner")
    value(await writer.finish())
    expect(value(await store().head())).toBe(winner)
    expect(await textsOf(store())).toEqual(
      new Map([
        ["a.md", "winner"],
        ["d/b.md", "b"],
      ]),
    )
  })

  test("paths come in byte order and names come back exactly", async () => {
    const names = [
      '"quoted".md',
      "-rf",
      "__proto__",
      "a\nb.md",
      "a\\b.md",
      "constructor/__proto__",
      "café.md",
      "cafe\u0301.md",
      "\ufeffbom.md",
      "\uff21.md",
      "😀.md",
    ]
    await record(store(), new Map(names.map((name) => [name, `text of ${name}`])))
    const expected = names.toSorted((a, b) => Buffer.compare(bytesOf(a), bytesOf(b)))
    expect([...(await textsOf(store())).keys()]).toEqual(expected)
    expect(await textsOf(store())).toEqual(new Map(names.map((name) => [name, `text of ${name}`])))
  })
}

function largeVersions(store: () => HistoryStore): void {
  const pieces = [bytesOf("one "), Buffer.alloc(200_000, "x"), bytesOf(" end")]

  test.each<[string, Content]>([
    ["a stream", streamOf(pieces)],
    ["bytes", { kind: "bytes", bytes: Buffer.concat(pieces), hash: streamOf(pieces).hash }],
    ["nothing", streamOf([])],
  ])("a large version of %s comes back in one piece and in many", async (_, content) => {
    const whole = content.kind === "bytes" ? content.bytes : await collect(content.open())
    const oid = value(await store().keepLarge(content))
    expect(await store().has(oid)).toBe(true)
    expect(Buffer.compare(value(await store().read(oid)), whole)).toBe(0)
    expect(Buffer.compare(await collect(store().stream(oid)), whole)).toBe(0)
  })

  test("a large version may be kept twice, and be committed", async () => {
    const oid = value(await store().keepLarge(streamOf(pieces)))
    expect(value(await store().keepLarge(streamOf(pieces)))).toBe(oid)
    const writer = value(await store().begin())
    value(await writer.commit({ changes: [{ path: mustPath("big"), oid }], message: "big", atMs: AT_MS }))
    value(await writer.finish())
    expect(value(await store().tree())).toEqual(new Map([["big", oid]]))
  })

  test.each<[string, Content, string]>([
    ["ends early", streamOf(pieces, { sizeBytes: 300_000 }), "hash_mismatch"],
    ["is longer than it said", streamOf(pieces, { sizeBytes: 3 }), "hash_mismatch"],
    [
      "is lost on the way",
      streamOf(pieces, { fails: { code: "changed_since", path: "big.bin" } }),
      "changed_since",
    ],
    ["has other bytes than it said", { ...streamOf(pieces), hash: streamOf([]).hash }, "hash_mismatch"],
  ])("a large version whose stream %s is not kept", async (_, content, code) => {
    expect(await store().keepLarge(content)).toMatchObject({ ok: false, error: { code } })
  })
}
