import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs"
import { join } from "node:path"
import { afterEach, beforeEach, describe, expect, test } from "vitest"
import { readConfig, verifyHistory, type VerifyCheckOf, type VerifyReport } from "../../src/index.ts"
import { openLevelStore } from "../../src/journal/level-store.ts"
import type { KeyChange } from "../../src/model/ports.ts"
import { type CliDevice, CliWorld } from "../cli/cli-world.ts"

let world: CliWorld
let device: CliDevice
let state: string

beforeEach(async () => {
  world = new CliWorld()
  device = await world.device("a")
  for (let i = 0; i < 12; i++) device.write(`p/${i}.md`, `note ${i}\n`.repeat(20))
  await device.sync()
  device.write("p/1.md", "edited\n")
  await device.sync()
  const config = readConfig(device.place)
  if (!config.ok || config.value === undefined) throw new Error("not set up")
  state = join(device.place.stateRoot, "bisync-state", config.value.stateKey)
})
afterEach(() => world.dispose())

async function verify(since?: number): Promise<VerifyReport> {
  const options = since === undefined ? {} : { since: { kind: "moment", ms: since } as const }
  const report = await verifyHistory(device.place, { holder: device.holder("verify") }, options)
  if (!report.ok) throw new Error(JSON.stringify(report.error))
  return report.value
}

async function findings(): Promise<Readonly<Record<string, string | undefined>>> {
  const { checks } = await verify()
  return Object.fromEntries(
    checks.filter(({ finding }) => finding !== undefined).map(({ name, finding }) => [name, finding]),
  )
}

function checkOf<Name extends "chain" | "content" | "complete">(
  { checks }: VerifyReport,
  name: Name,
): VerifyCheckOf<Name> {
  const found = checks.find((check): check is VerifyCheckOf<Name> => check.name === name)
  if (found === undefined) throw new Error(`no check ${name}`)
  return found
}

/** Changes rows behind the journal's back. */
async function tamper(change: (rows: ReadonlyMap<string, string>) => readonly KeyChange[]): Promise<void> {
  const store = await openLevelStore(join(state, "journal"), { createIfMissing: false })
  if (!store.ok) throw new Error(store.error.kind)
  const rows = new Map<string, string>()
  for await (const batch of store.value.range({ from: "", before: "\u{10ffff}" }))
    for (const [key, value] of batch) rows.set(key, value)
  await store.value.write(change(rows), { sync: true })
  await store.value.close()
}

const keysLike = (rows: ReadonlyMap<string, string>, prefix: string) =>
  [...rows.keys()].filter((key) => key.startsWith(prefix))

const journalFiles = () => readdirSync(join(state, "journal")).filter((name) => /\.(log|ldb)$/.test(name))

function flip(file: string, at: (length: number) => number): void {
  const bytes = readFileSync(file)
  const place = at(bytes.length)
  bytes[place] = (bytes[place] ?? 0) ^ 0xff
  chmodSync(file, 0o600)
  writeFileSync(file, bytes)
}

describe("an untouched history", () => {
  test("is intact, all of it anchored", async () => {
    const report = await verify()
    expect(report.isIntact).toBe(true)
    expect(report.anchoredTo).toBe(report.entries)
    expect(checkOf(report, "content").versions).toBe(13)
  })

  test("stays intact through undo, and through runs that find nothing", async () => {
    await device.takeBack("undo")
    await device.sync()
    await device.takeBack("redo")
    await device.sync()
    expect(await findings()).toEqual({})
  })

  test("is read only from the moment that is asked for", async () => {
    const report = await verify(Date.now() + 1_000)
    expect([report.isIntact, checkOf(report, "content").versions]).toEqual([true, 0])
    expect(report.verifiedFrom).toBe(report.entries + 1)
  })

  test("leaves a private note of when it was verified", async () => {
    await verify()
    const file = join(state, "verified.json")
    expect(JSON.parse(readFileSync(file, "utf8"))).toMatchObject({
      intact: true,
      sequence: expect.any(Number),
    })
    expect(statSync(file).mode & 0o777).toBe(0o600)
  })
})

describe("a journal whose rows were changed", () => {
  test("shows an event that was altered", async () => {
    await tamper((rows) => {
      const key = keysLike(rows, "e!")[8] ?? ""
      return [{ key, value: (rows.get(key) ?? "").replace('"at":"2', '"at":"1') }]
    })
    expect(await findings()).toMatchObject({ chain: "broken_link" })
  })

  test("shows an event that was removed", async () => {
    await tamper((rows) => [{ key: keysLike(rows, "e!")[8] ?? "", value: undefined }])
    const report = await verify()
    expect(checkOf(report, "chain")).toMatchObject({ finding: "gap", at: 9 })
    expect(checkOf(report, "complete").finding).toBe("not_checked")
  })

  test("shows an event that is no event", async () => {
    await tamper((rows) => [{ key: keysLike(rows, "e!")[8] ?? "", value: "{" }])
    expect(await findings()).toMatchObject({ chain: "unreadable" })
  })

  test("shows that its last event is missing", async () => {
    await tamper((rows) => [{ key: keysLike(rows, "e!").at(-1) ?? "", value: undefined }])
    expect(await findings()).toMatchObject({ chain: "tail_missing" })
  })

  test("shows a base that no event explains", async () => {
    await tamper((rows) => {
      const key = "s!path!p/2.md"
      return [{ key, value: (rows.get(key) ?? "").replace(/sha256:..../, "sha256:0000") }]
    })
    const complete = checkOf(await verify(), "complete")
    expect(complete).toMatchObject({ finding: "unexplained", unexplained: [{ path: "p/2.md" }] })
  })

  test("shows a path that the state lost, and one that it invented", async () => {
    await tamper((rows) => [
      { key: "s!path!p/2.md", value: undefined },
      { key: "s!path!x.md", value: rows.get("s!path!p/3.md") },
    ])
    const { unexplained = [] } = checkOf(await verify(), "complete")
    expect(unexplained.map(({ path }) => path).sort()).toEqual(["p/2.md", "x.md"])
  })

  test("shows an index that lost a key", async () => {
    await tamper((rows) => [{ key: keysLike(rows, "i!path!")[0] ?? "", value: undefined }])
    expect(checkOf(await verify(), "complete")).toMatchObject({ finding: "unexplained", rows: ["i!"] })
  })

  test("shows by the marker that the journal is an older copy", async () => {
    const saved = readdirSync(join(state, "journal")).map(
      (name) => [name, readFileSync(join(state, "journal", name))] as const,
    )
    device.write("p/late.md", "late\n")
    await device.sync()
    const { entries } = await verify()
    rmSync(join(state, "journal"), { recursive: true })
    mkdirSync(join(state, "journal"))
    for (const [name, bytes] of saved) writeFileSync(join(state, "journal", name), bytes)
    const report = await verify()
    expect(checkOf(report, "chain")).toMatchObject({
      finding: "tail_missing",
      expected: entries - 1,
      found: report.entries,
    })
    rmSync(join(device.dir, ".basic-memory"), { recursive: true })
    // Without the marker, git still has the commit of a run that the journal does not know.
    expect(await findings()).toEqual({ anchors: "tail_missing" })
  })
})

describe("a journal whose files were damaged", () => {
  test("shows a flipped byte, wherever it is, and leaves the files as they are", async () => {
    await verify()
    const files = journalFiles().filter((name) => statSync(join(state, "journal", name)).size >= 200)
    expect(files.length).toBeGreaterThan(0)
    for (const name of files) flip(join(state, "journal", name), (length) => Math.floor(length / 2))
    const before = journalFiles().map((name) => readFileSync(join(state, "journal", name)))
    expect(await findings()).toMatchObject({ chain: "damaged_file" })
    expect(journalFiles().map((name) => readFileSync(join(state, "journal", name)))).toEqual(before)
  })

  test.each([
    ["no files at all", () => readdirSync(join(state, "journal")), "tail_missing"],
    [
      "no manifest",
      () => readdirSync(join(state, "journal")).filter((name) => name.startsWith("MANIFEST")),
      "unreadable",
    ],
    ["a table missing", () => journalFiles().filter((name) => name.endsWith(".ldb")), "unreadable"],
  ])("shows %s", async (_, gone, finding) => {
    await verify()
    for (const name of gone()) rmSync(join(state, "journal", name))
    expect(await findings()).toMatchObject({ chain: finding })
  })

  test("shows a journal that is gone, and makes none", async () => {
    rmSync(join(state, "journal"), { recursive: true })
    expect(await findings()).toMatchObject({ chain: "tail_missing" })
    expect(existsSync(join(state, "journal"))).toBe(false)
  })
})

describe("a history store that was damaged", () => {
  test("shows versions that are gone", async () => {
    rmSync(join(state, "history.git"), { recursive: true })
    const report = await verify()
    expect(checkOf(report, "content")).toMatchObject({ finding: "missing", versions: 13 })
    expect(checkOf(report, "chain").finding).toBeUndefined()
  })

  test("shows versions that were altered", async () => {
    const packs = join(state, "history.git", "objects", "pack")
    for (const name of readdirSync(packs).filter((each) => each.endsWith(".pack")))
      flip(join(packs, name), () => 30)
    expect(await findings()).toMatchObject({ content: "altered" })
  })
})
