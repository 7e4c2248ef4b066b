/** The git store keeps the contract, and treats what it finds on the disk with care. */

import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
  utimesSync,
} from "node:fs"
import { join } from "node:path"
import { expect, test } from "vitest"
import { openGitHistory } from "../../src/history/git-history.ts"
import { readBranch } from "../../src/history/git-refs.ts"
import { ContentLost } from "../../src/model/ports.ts"
import {
  bytesOf,
  collect,
  commitTexts,
  historyContract,
  record,
  streamOf,
  textsOf,
  value,
} from "./contract.ts"
import { filesBelow, makeDirectory, packsIn } from "./git-fixture.ts"

historyContract("git history", async () =>
  openGitHistory({ directory: join(makeDirectory(), "history.git") }),
)

test("looking creates nothing", async () => {
  const directory = join(makeDirectory(), "history.git")
  const store = openGitHistory({ directory })
  value(await store.head())
  value(await store.tree())
  expect(existsSync(directory)).toBe(false)
})

test("directories and files are their owner's alone", async () => {
  const directory = join(makeDirectory(), "history.git")
  const store = openGitHistory({ directory })
  await record(store, { "a.md": "a" })
  value(await store.keepLarge(streamOf([bytesOf("large")])))
  for (const path of [directory, ...filesBelow(directory)]) expect(statSync(path).mode & 0o077, path).toBe(0)
})

test("a repository whose creation was interrupted is completed", async () => {
  const directory = join(makeDirectory(), "history.git")
  mkdirSync(join(directory, "objects", "pack"), { recursive: true })
  writeFileSync(join(directory, "config"), "[co")
  await record(openGitHistory({ directory }), { "a.md": "a" })
  expect(readFileSync(join(directory, "config"), "utf8")).toContain("[fsck]")
})

test("what was stored is found by another opening, and a lock left by a kill is no obstacle", async () => {
  const directory = join(makeDirectory(), "history.git")
  await record(openGitHistory({ directory }), { "d/a.md": "1" })
  writeFileSync(join(directory, "refs/heads/main.lock"), "bm\n")
  await record(openGitHistory({ directory }), { "d/b.md": "2" })
  expect(await textsOf(openGitHistory({ directory }))).toEqual(
    new Map([
      ["d/a.md", "1"],
      ["d/b.md", "2"],
    ]),
  )
})

test("a temporary pack left by a kill is ignored, and removed once it is old", async () => {
  const directory = join(makeDirectory(), "history.git")
  await record(openGitHistory({ directory }), { "a.md": "1" })
  const packDirectory = join(directory, "objects/pack")
  const [pack] = packsIn(directory)
  const whole = readFileSync(join(packDirectory, pack ?? ""))
  const young = join(packDirectory, "tmp_pack_bm_young")
  const old = join(packDirectory, "tmp_pack_bm_old")
  for (const path of [young, old]) writeFileSync(path, whole.subarray(0, 20))
  utimesSync(old, 1, 1)
  await record(openGitHistory({ directory }), { "a.md": "2" })
  expect(await textsOf(openGitHistory({ directory }))).toEqual(new Map([["a.md", "2"]]))
  expect([existsSync(young), existsSync(old)]).toEqual([true, false])
})

test("neither finishing, abandoning nor failing leaves a temporary file", async () => {
  const directory = join(makeDirectory(), "history.git")
  const store = openGitHistory({ directory })
  await record(store, { "a.md": "1" })
  const writer = value(await store.begin())
  value(await writer.add(Buffer.alloc(3_000_000, "abc")))
  for (let i = 0; i < 40; i++) value(await writer.add(noise(100_000)))
  expect(temporariesIn(directory)).toHaveLength(1)
  await writer.abandon()
  const lost = streamOf([noise(300_000)], { fails: { code: "unreachable", path: "x" } })
  expect(await store.keepLarge(lost)).toEqual({ ok: false, error: { code: "unreachable", path: "x" } })
  expect(temporariesIn(directory)).toEqual([])
})

test("a damaged object is an error, never bytes, and adding it again heals it", async () => {
  const directory = join(makeDirectory(), "history.git")
  const text = noise(2000)
  const first = openGitHistory({ directory })
  const writer = value(await first.begin())
  const oid = value(await writer.add(text))
  value(await writer.finish())
  damagePacks(directory)
  const store = openGitHistory({ directory })
  expect(await store.read(oid)).toMatchObject({ ok: false, error: { code: "hash_mismatch", path: oid } })
  await expect(collect(store.stream(oid))).rejects.toBeInstanceOf(ContentLost)
  const healing = value(await store.begin())
  expect(value(await healing.add(text))).toBe(oid)
  value(await healing.finish())
  expect(Buffer.compare(value(await store.read(oid)), text)).toBe(0)
})

test("a damaged large object is an error in one piece and in many", async () => {
  const directory = join(makeDirectory(), "history.git")
  const store = openGitHistory({ directory })
  const oid = value(await store.keepLarge(streamOf([noise(100_000)])))
  const path = join(directory, "objects", oid.slice(0, 2), oid.slice(2))
  const bytes = readFileSync(path)
  writeFileSync(path, bytes.subarray(0, 50_000))
  expect(await store.read(oid)).toMatchObject({ ok: false, error: { code: "hash_mismatch" } })
  await expect(collect(store.stream(oid))).rejects.toMatchObject({ trouble: { code: "hash_mismatch" } })
})

test("a commit of one path among many reads only the trees above it", async () => {
  const directory = join(makeDirectory(), "history.git")
  const many = new Map<string, string>()
  for (let i = 0; i < 300; i++) many.set(`d${i}/e/a.md`, `${i}`)
  await record(openGitHistory({ directory }), many)
  const before = packsIn(directory).length
  await record(openGitHistory({ directory }), { "d7/e/a.md": "new" })
  const [, second] = packsIn(directory)
  expect([before, packsIn(directory).length]).toEqual([1, 2])
  expect(objectCounts(directory).sort((a, b) => a - b)).toEqual(
    [5, 300 + 300 + 300 + 1 + 1].sort((a, b) => a - b),
  )
  expect(second).toBeDefined()
})

test("an unreadable place is trouble with the system's word", async () => {
  const parent = makeDirectory()
  writeFileSync(join(parent, "file"), "")
  const begun = await openGitHistory({ directory: join(parent, "file", "history.git") }).begin()
  expect(begun).toMatchObject({
    ok: false,
    error: { detail: expect.stringMatching(/^E/), path: "history.git" },
  })
})

test.skipIf(process.getuid?.() === 0)(
  "a directory without permission is no_permission (not tried as root, who may do everything)",
  async () => {
    const parent = makeDirectory()
    chmodSync(parent, 0o500)
    const begun = await openGitHistory({ directory: join(parent, "history.git") }).begin()
    expect(begun).toMatchObject({ ok: false, error: { code: "no_permission" } })
  },
)

test("a branch file that holds no object name is trouble", async () => {
  const directory = join(makeDirectory(), "history.git")
  await record(openGitHistory({ directory }), { "a.md": "1" })
  writeFileSync(join(directory, "refs/heads/main"), "nonsense\n")
  expect(await openGitHistory({ directory }).head()).toMatchObject({
    ok: false,
    error: { code: "hash_mismatch" },
  })
})

test("60 runs are made few packs and every version stays readable", async () => {
  const directory = join(makeDirectory(), "history.git")
  const store = openGitHistory({ directory })
  for (let i = 0; i < 60; i++) await record(store, { [`d${i % 7}/a.md`]: `text ${i}`, "b.md": `${i}` })
  expect(packsIn(directory).length).toBeLessThan(12)
  expect((await textsOf(openGitHistory({ directory }))).size).toBe(8)
  expect((await textsOf(store)).get("b.md")).toBe("59")
  expect(await readBranch(directory)).toBe(value(await store.head()))
})

test("a damaged pack is left alone by consolidation", async () => {
  const directory = join(makeDirectory(), "history.git")
  await record(openGitHistory({ directory }), { "a.bin": noise(3000).toString("latin1") })
  const [damagedPack] = packsIn(directory)
  damagePacks(directory)
  const store = openGitHistory({ directory })
  for (let i = 0; i < 52; i++) {
    const writer = value(await store.begin())
    value(await writer.add(bytesOf(`text ${i}`)))
    value(await writer.finish())
  }
  expect(packsIn(directory)).toContain(damagedPack)
  expect(packsIn(directory).length).toBeLessThan(6)
})

test("10,000 versions of 500 bytes go into one pack quickly", async () => {
  const directory = join(makeDirectory(), "history.git")
  const store = openGitHistory({ directory })
  const texts = new Map<string, Uint8Array>()
  for (let i = 0; i < 10_000; i++) texts.set(`d${i % 50}/note ${i}.md`, noteOf(i))
  const startedMs = performance.now()
  await record(store, texts)
  const writtenMs = performance.now()
  await record(store, { "d3/note 3.md": "one more" })
  const againMs = performance.now()
  expect(value(await store.tree()).size).toBe(10_000)
  const listedMs = performance.now()
  console.log(
    `10,000 blobs: ${Math.round(writtenMs - startedMs)} ms; one more: ${Math.round(againMs - writtenMs)} ms; tree: ${Math.round(listedMs - againMs)} ms`,
  )
})

test("a large version passes through memory in pieces", async () => {
  const store = openGitHistory({ directory: join(makeDirectory(), "history.git") })
  const piece = noise(65_536)
  const pieces = Array.from({ length: 480 }, () => piece)
  const content = streamOf([piece])
  const whole = { ...content, sizeBytes: piece.length * pieces.length, hash: streamOf(pieces).hash }
  const samples: number[] = []
  const oid = value(
    await store.keepLarge({
      ...whole,
      kind: "stream",
      async *open() {
        for (const one of pieces) {
          yield one
          samples.push(heldBytes())
        }
      },
    }),
  )
  let seenBytes = 0
  for await (const part of store.stream(oid)) {
    seenBytes += part.length
    samples.push(heldBytes())
  }
  expect(seenBytes).toBe(whole.sizeBytes)
  const grownMb = (Math.max(...samples) - (samples[0] ?? 0)) / 1e6
  console.log(`30 MB streamed in and out: memory grew ${grownMb.toFixed(1)} MB`)
  expect(grownMb).toBeLessThan(60)
})

function noteOf(number: number): Buffer {
  return bytesOf(`# Note ${number}\n\n${`the ${number} quick brown foxes, `.repeat(30)}`.slice(0, 500))
}

/** Of this thread: others of the process run other tests. */
function heldBytes(): number {
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

/** Bytes without a pattern, the same in every run. */
function noise(lengthBytes: number): Buffer {
  let state = (seed = (seed * 1_103_515_245 + 12_345) >>> 0)
  const bytes = Buffer.alloc(lengthBytes)
  for (let i = 0; i < lengthBytes; i++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    bytes[i] = state >>> 24
  }
  return bytes
}
let seed = 1

function temporariesIn(directory: string): string[] {
  return readdirSync(join(directory, "objects/pack")).filter((name) => name.startsWith("tmp_"))
}

function objectCounts(directory: string): number[] {
  return packsIn(directory).map((name) => readFileSync(join(directory, "objects/pack", name)).readUInt32BE(8))
}

function damagePacks(directory: string): void {
  for (const name of packsIn(directory)) {
    const path = join(directory, "objects/pack", name)
    const bytes = readFileSync(path)
    const at = Math.floor(bytes.length / 2)
    bytes.writeUInt8(bytes.readUInt8(at) ^ 0x55, at)
    writeFileSync(path, bytes)
  }
}

test("two commits of one writer share what was read", async () => {
  const directory = join(makeDirectory(), "history.git")
  const writer = value(await openGitHistory({ directory }).begin())
  await commitTexts(writer, { "a/b/c.md": "1" })
  await commitTexts(writer, { "a/b/c.md": "2" })
  value(await writer.finish())
  expect(objectCounts(directory)).toEqual([2 + 3 + 3 + 2])
})
