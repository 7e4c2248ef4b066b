/** An import between two disks in memory: what happens to each kind of file, to races, to faults, and to a crash anywhere. */

import { expect, test } from "vitest"
import { MemoryDisk } from "../../src/disk/memory-disk.ts"
import { importProjects, type ImportReport } from "../../src/engine/import.ts"
import type { DeviceId } from "../../src/model/ids.ts"
import { compileIgnore } from "../../src/observe/ignore.ts"

const WRITER = "d0123456789abcde" as DeviceId
const TEMP = `.basic-memory/tmp/${WRITER}`
const TEN = Date.parse("2020-03-02T10:00:00.123Z")
const LARGE_BYTES = 9 * 1024 * 1024
const RULES = compileIgnore({ global: "*.tmp\nbuild\n", projects: new Map() })

interface Case {
  readonly rule: string
  /** Beside `p/a.md`, which says `a`. */
  readonly source: (disk: MemoryDisk) => void
  readonly target?: (disk: MemoryDisk) => void
  readonly left: ImportReport["left"]
  readonly ignored?: number
}

const CASES: readonly Case[] = [
  {
    rule: "other bytes of the same length are left alone",
    source: (disk) => disk.userWrite("p/b.md", "mine"),
    target: (disk) => disk.userWrite("p/b.md", "hers"),
    left: [{ path: "p/b.md", why: "different" }],
  },
  {
    rule: "other bytes of another length are left alone",
    source: (disk) => disk.userWrite("p/b.md", "mine"),
    target: (disk) => disk.userWrite("p/b.md", "longer"),
    left: [{ path: "p/b.md", why: "different" }],
  },
  {
    rule: "the same bytes are done already",
    source: (disk) => disk.userWrite("p/b.md", "same"),
    target: (disk) => disk.userWrite("p/b.md", "same"),
    left: [],
  },
  {
    rule: "a folder that has the name stays",
    source: (disk) => disk.userWrite("p/b", "file"),
    target: (disk) => disk.userWrite("p/b/c.md", "in a folder"),
    left: [{ path: "p/b", why: "trouble", trouble: { code: "in_the_way" } }],
  },
  {
    rule: "a file where a folder is needed stays",
    source: (disk) => disk.userWrite("p/b/c.md", "in a folder"),
    target: (disk) => disk.userWrite("p/b", "file"),
    left: [{ path: "p/b/c.md", why: "trouble", trouble: expect.objectContaining({ code: "in_the_way" }) }],
  },
  {
    rule: "nothing is written through a link",
    source: (disk) => disk.userWrite("p/b/c.md", "in a folder"),
    target: (disk) => disk.putSymlink("p/b"),
    left: [{ path: "p/b/c.md", why: "trouble", trouble: expect.objectContaining({ code: "in_the_way" }) }],
  },
  {
    rule: "a link and a pipe are not copied",
    source(disk) {
      disk.putSymlink("p/link.md")
      disk.putSpecial("p/pipe")
      disk.putSymlink("linked-project")
    },
    left: [
      { path: "linked-project", why: "symlink" },
      { path: "p/link.md", why: "symlink" },
      { path: "p/pipe", why: "special" },
    ],
  },
  {
    rule: "a file beside the projects is named",
    source: (disk) => disk.userWrite("loose.md", "loose"),
    left: [{ path: "loose.md", why: "no_project" }],
  },
  {
    rule: "what would not sync stays, and is counted",
    source(disk) {
      disk.userWrite("p/x.tmp", "x")
      disk.userWrite("p/build/one.md", "1")
      disk.userWrite("build/two.md", "2")
      disk.userWrite("y.tmp", "y")
      disk.userWrite(".obsidian/app.json", "{}")
      disk.userWrite(".hidden.md", "hidden")
      disk.putSymlink("p/link.tmp")
    },
    left: [],
    ignored: 7,
  },
  {
    rule: "what has a name of git's is not copied",
    source: (disk) => disk.userWrite("p/GIT~1/config", "[core]"),
    left: [{ path: "p/GIT~1", why: "reserved" }],
  },
]

test.each(CASES)("$rule; the plan says so, and the rest is copied", async (row) => {
  const { source, target } = disks()
  row.source(source)
  row.target?.(target)
  const [there, here] = [source.all(), target.all()]
  const planned = await imported({ source, target, isDryRun: true })
  expect(target.all()).toEqual(here)
  const done = await imported({ source, target })
  const { result: _, ...plan } = planned
  const expected = { projects: plan.projects, ignored: row.ignored ?? 0, left: row.left, result: "created" }
  expect(done).toMatchObject(expected)
  expect(planned).toMatchObject({ ...expected, result: "would_create" })
  expect(source.all()).toEqual(there)
  for (const [path, bytes] of here) expect(target.all().get(path)).toEqual(bytes)
  expect(text(target, "p/a.md")).toBe("a")
  const news = [...target.tree().keys()].filter((path) => !here.has(path))
  expect(news).toHaveLength(done.projects.reduce((sum, { files }) => sum + files, 0))
  expect(tempsOf(target)).toEqual([])
})

test("a file keeps its time and its bytes, a large one too, and a project without a file is a project", async () => {
  const { source, target } = disks()
  const large = new Uint8Array(LARGE_BYTES).map((_, at) => at % 251)
  source.userWrite("q/deep/er/large.bin", large, TEN)
  source.userWrite("q/old.md", "before 1970", -TEN)
  source.userWrite("empty/x.tmp", "x")
  const done = await imported({ source, target })
  expect(done.projects).toEqual([
    { project: "empty", files: 0, sizeBytes: 0, already: 0 },
    { project: "p", files: 1, sizeBytes: 1, already: 0 },
    { project: "q", files: 2, sizeBytes: LARGE_BYTES + "before 1970".length, already: 0 },
  ])
  // Of so many bytes a comparison that can say what differs takes a minute.
  expect(Buffer.from(large).equals(target.tree().get("q/deep/er/large.bin") ?? Buffer.of())).toBe(true)
  expect(await timeOf(target, "q/deep/er/large.bin")).toBe(TEN)
  expect(await timeOf(target, "q/old.md")).toBe(-TEN)
  expect(await target.stat("empty")).toMatchObject({ value: { kind: "directory" } })
  expect(await imported({ source, target })).toMatchObject({ result: "already_done", left: [] })
})

test.each([
  { somebody: "other bytes", saves: "hers", left: [{ path: "p/b.md", why: "different" }], already: 0 },
  { somebody: "the same bytes", saves: "mine", left: [], already: 1 },
])("a file that appears in the last moment with $somebody is not replaced", async ({ saves, ...said }) => {
  const { source, target } = disks()
  source.userWrite("p/b.md", "mine")
  target.tick = (method, path, phase) => {
    if (method === "link" && path === "p/b.md" && phase === "before") target.userWrite("p/b.md", saves, TEN)
  }
  const done = await imported({ source, target })
  expect(done.left).toEqual(said.left)
  expect(done.projects).toMatchObject([{ files: 1, already: said.already }])
  expect(text(target, "p/b.md")).toBe(saves)
  expect(await timeOf(target, "p/b.md")).toBe(TEN)
  expect(tempsOf(target)).toEqual([])
})

test.each<{ what: string; size: number; piece: number }>([
  { what: "a small file", size: 10, piece: 1 },
  { what: "a large file", size: LARGE_BYTES, piece: 1 },
  { what: "a large file, the second time,", size: LARGE_BYTES, piece: 12 },
])("$what that is saved while it is read is left, and not torn", async ({ size, piece }) => {
  const { source, target } = disks()
  source.userWrite("p/b.md", "b".repeat(size))
  let pieces = 0
  source.tick = (_, path, phase) => {
    if (path !== "p/b.md" || phase !== "during") return
    pieces += 1
    if (pieces === piece) source.userWrite(path, "c".repeat(size))
  }
  const done = await imported({ source, target })
  expect(pieces).toBeGreaterThanOrEqual(piece)
  expect(done.left).toMatchObject([{ path: "p/b.md", trouble: { code: "changed_since" } }])
  expect([...target.tree().keys()]).toEqual(["p/a.md"])
  expect(tempsOf(target)).toEqual([])
})

test.each([
  { side: "source", method: "readFile", errno: "EACCES", code: "unreadable" },
  { side: "target", method: "createFile", errno: "ENOSPC", code: "no_space" },
  { side: "target", method: "link", errno: "EIO", code: "io" },
  { side: "target", method: "makeDirectory", errno: "EROFS", code: "read_only" },
  { side: "target", method: "stat", errno: "EIO", code: "io" },
])(
  "one file fails in $method of the $side with $errno and is named; the others are copied",
  async ({ side, ...fault }) => {
    const { source, target } = disks()
    source.userWrite("p/sub/b.md", "b")
    const disk = side === "source" ? source : target
    const isHit = hitOnce(fault.method)
    disk.failNext = (method, path) => (isHit(method, path) ? fault.errno : undefined)
    const done = await imported({ source, target })
    expect(done.left).toEqual([
      expect.objectContaining({ why: "trouble", trouble: { code: fault.code, detail: fault.errno } }),
    ])
    expect(done.projects).toMatchObject([{ project: "p", files: 1 }])
    expect(target.tree().size).toBe(1)
    expect(tempsOf(target)).toEqual([])
    disk.failNext = () => undefined
    expect(await imported({ source, target })).toMatchObject({ result: "created", left: [] })
  },
)

test("copies that are not known to be durable are no success", async () => {
  const { source, target } = disks()
  target.failNext = (method) => (method === "syncDirectories" ? "EIO" : undefined)
  const done = await importProjects(sourceOf(source), { disk: target, writer: WRITER })
  expect(done).toMatchObject({ ok: false, error: { code: "setup_failed", trouble: { detail: "EIO" } } })
})

test("a folder that goes away is no empty one", async () => {
  const { source, target } = disks()
  source.failNext = (method, path) => (method === "readDirectory" && path === "" ? "ESTALE" : undefined)
  const done = await importProjects(sourceOf(source), { disk: target, writer: WRITER })
  expect(done).toMatchObject({ ok: false, error: { code: "import_refused", why: "unreadable" } })
})

test("wherever it dies, no name has half a file, nothing was replaced, and the next one finishes", async () => {
  const whole = await crashAt(Number.POSITIVE_INFINITY)
  expect(whole.calls).toBeGreaterThan(50)
  for (let call = 1; call <= whole.calls; call++) {
    const { source, target } = await crashAt(call)
    for (const losesUnsynced of [false, true]) {
      const found = target.crashed({ losesUnsynced })
      for (const [path, bytes] of found.tree())
        expect(new TextDecoder().decode(bytes), `${path} after call ${call}`).toBe(WANTED.get(path))
      source.tick = () => {}
      await imported({ source, target: found })
      expect(textsOf(found), `after call ${call}`).toEqual(WANTED)
    }
  }
})

const WANTED: ReadonlyMap<string, string> = new Map([
  ["p/a.md", "a"],
  ["p/sub/b.md", "b is longer"],
  ["p/taken.md", "hers"],
  ["q/c.md", "c"],
])

/** Dies at this call of either disk. */
async function crashAt(call: number) {
  const { source, target } = disks()
  source.userWrite("p/sub/b.md", "b is longer")
  source.userWrite("p/taken.md", "mine")
  source.userWrite("q/c.md", "c")
  target.userWrite("p/taken.md", "hers")
  let calls = 0
  const tick = () => {
    calls += 1
    if (calls >= call) throw new Death()
  }
  source.tick = tick
  target.tick = tick
  try {
    await imported({ source, target })
  } catch (error) {
    if (!(error instanceof Death)) throw error
  }
  return { source, target, calls }
}

class Death extends Error {}

function disks(): { readonly source: MemoryDisk; readonly target: MemoryDisk } {
  const [source, target] = [new MemoryDisk(), new MemoryDisk()]
  source.userWrite("p/a.md", "a", TEN)
  return { source, target }
}

const sourceOf = (disk: MemoryDisk) => ({ directory: "/webdav", disk, rules: RULES })

async function imported(at: {
  readonly source: MemoryDisk
  readonly target: MemoryDisk
  readonly isDryRun?: boolean
}): Promise<ImportReport> {
  const writer = at.isDryRun === true ? {} : { writer: WRITER }
  const done = await importProjects(sourceOf(at.source), { disk: at.target, ...writer })
  if (!done.ok) throw new Error(`the import failed: ${JSON.stringify(done.error)}`)
  return done.value
}

/** The first call of this method, the look at the root aside. */
function hitOnce(wanted: string): (method: string, path: string) => boolean {
  let hits = 0
  return (method, path) => method === wanted && path !== "" && hits++ === 0
}

function text(disk: MemoryDisk, path: string): string | undefined {
  return textsOf(disk).get(path)
}

function textsOf(disk: MemoryDisk): ReadonlyMap<string, string> {
  return new Map([...disk.tree()].map(([path, bytes]) => [path, new TextDecoder().decode(bytes)]))
}

function tempsOf(disk: MemoryDisk): readonly string[] {
  return [...disk.all().keys()].filter((path) => path.startsWith(`${TEMP}/`))
}

async function timeOf(disk: MemoryDisk, path: string): Promise<number> {
  const at = await disk.stat(path)
  return at.ok && at.value !== undefined ? Number(BigInt(at.value.mtimeNs) / 1_000_000n) : Number.NaN
}
