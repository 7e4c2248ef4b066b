/**
 * How many requests the real command makes of a bucket: a page of the listing per thousand notes, one request per note
 * that is sent or fetched, one for the epoch, and never one per note that did not change.
 */

import { mkdirSync, renameSync, rmSync } from "node:fs"
import { join } from "node:path"
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest"
import { describeServer } from "../servers/describe-server.ts"
import { notesIn, put } from "./bm.ts"
import {
  byName,
  counted,
  expectSynced,
  newS3World,
  type S3Device,
  type S3World,
  TEST_MS_MAX,
} from "./s3-world.ts"
import { expectStops, startWatch, until } from "./watch-world.ts"

const NOTES = process.env["SOAK"] === undefined ? 3003 : 10_001
const NOTES_PER_DIRECTORY = 50
const PAGE_KEYS = 1000
/** Shards begin where the pages of the last listing did; what was added since may make one more page. */
const PAGES_MAX = Math.ceil((NOTES + 1) / PAGE_KEYS) + 1
/** The epoch goes ahead once per wave, or every thousand notes. */
const EPOCHS = Math.ceil(NOTES / 1024)
const TOMBSTONE_BYTES = 4099

const pathOf = (number: number) => `d${Math.floor(number / NOTES_PER_DIRECTORY)}/n${number}.md`

describeServer("versitygw", (server) => {
  // The tests build on each other, as the days of a user do.
  let world: S3World
  let here: S3Device
  let there: S3Device

  beforeAll(async () => {
    world = await newS3World(server())
    here = world.device("here")
    there = world.device("there")
    await here.setUp()
    for (let number = 0; number < NOTES; number++) put(here.dir, pathOf(number), `note ${number}\n`)
  }, TEST_MS_MAX)
  afterAll(() => world.stop(), TEST_MS_MAX)

  /** Pages are checked apart: how a listing is cut is not part of what a change costs. */
  async function requestsOf(device: S3Device, ...args: readonly string[]) {
    world.proxy.reset()
    const ran = await device.bisync(...args)
    expect(ran, ran.err).toMatchObject({ exit: 0 })
    const { notes, own } = counted(world.proxy)
    const { LIST = 0, ...others } = notes
    return { pages: LIST, notes: others, own }
  }

  test("uploads each note with one request, and the epoch once per thousand", {
    timeout: TEST_MS_MAX,
  }, async () => {
    const { pages, notes, own } = await requestsOf(here)
    expect({ notes, own }).toEqual({ notes: { PUT: NOTES }, own: { PUT: EPOCHS } })
    expect(pages).toBe(1)
  })

  test("lists and does nothing else when nothing changed", { timeout: TEST_MS_MAX }, async () => {
    // The first look after the upload may read the epoch; no later one does.
    const first = await requestsOf(here)
    expect(first.notes).toEqual({})
    for (let again = 0; again < 2; again++) {
      const { pages, notes, own } = await requestsOf(here)
      expect({ notes, own }).toEqual({ notes: {}, own: {} })
      expect(pages).toBeLessThanOrEqual(PAGES_MAX)
    }
  })

  test("makes two requests more for one edited note", { timeout: TEST_MS_MAX }, async () => {
    put(here.dir, pathOf(1), "edited\n")
    const { pages, notes, own } = await requestsOf(here)
    expect({ notes, own }).toEqual({ notes: { PUT: 1 }, own: { PUT: 1 } })
    expect(pages).toBeLessThanOrEqual(PAGES_MAX)
  })

  test("sends a watcher's save with two requests, after one for the epoch, and lists nothing", {
    timeout: TEST_MS_MAX,
  }, async () => {
    const watcher = startWatch(here)
    await watcher.rests()
    for (const text of ["saved\n", "saved again\n"]) {
      world.proxy.reset()
      put(here.dir, pathOf(1), text)
      await until("the save is in the bucket", () => world.notes().get(pathOf(1)) === text)
      await watcher.rests()
      const { notes, own } = counted(world.proxy)
      expect({ notes, own }).toEqual({ notes: { PUT: 1 }, own: { GET: 1, PUT: 1 } })
    }
    await expectStops(here, watcher)
  })

  test("makes two requests for a note that is deleted by a tombstone, and one for the epoch", {
    timeout: TEST_MS_MAX,
  }, async () => {
    rmSync(join(here.dir, pathOf(2)))
    const { pages, notes, own } = await requestsOf(here)
    expect({ notes, own }).toEqual({ notes: { PUT: 1, DELETE: 1 }, own: { PUT: 1 } })
    expect(pages).toBeLessThanOrEqual(PAGES_MAX)
  })

  test("writes nothing in a dry run, here or there", { timeout: TEST_MS_MAX }, async () => {
    put(here.dir, pathOf(3), "edited too\n")
    rmSync(join(here.dir, pathOf(4)))
    const before = { here: notesIn(here.dir), bucket: world.notes() }
    const { notes, own } = await requestsOf(here, "--dry-run")
    expect({ notes, own }).toEqual({ notes: {}, own: {} })
    expect({ here: notesIn(here.dir), bucket: world.notes() }).toEqual(before)
    await expectSynced(here)
  })

  test("renames a directory without sending a byte of its notes", { timeout: TEST_MS_MAX }, async () => {
    mkdirSync(join(here.dir, "moved"))
    renameSync(join(here.dir, "d7"), join(here.dir, "moved/d7"))
    const { notes, own } = await requestsOf(here)
    const moved = NOTES_PER_DIRECTORY
    // Each note: a look at its metadata, a copy as the one part of an upload, a tombstone and its end. Where uploads
    // were begun, one more request looks for leftovers.
    expect(notes).toEqual({
      HEAD: moved,
      CREATE_UPLOAD: moved,
      PART_COPY: moved,
      COMPLETE: moved,
      PUT: moved,
      DELETE: moved,
      LIST_UPLOADS: 1,
    })
    expect(own).toEqual({ PUT: 1 })
    const sent = world.proxy.requests.filter(
      ({ kind, isOwn, sizeBytes }) => kind === "PUT" && !isOwn && sizeBytes !== TOMBSTONE_BYTES,
    )
    expect(sent).toEqual([])
    expect([...world.notes().keys()].filter((key) => key.startsWith("moved/d7/"))).toHaveLength(moved)
  })

  test("decides nothing where one page of the listing breaks off", { timeout: TEST_MS_MAX }, async () => {
    const before = { here: notesIn(here.dir), bucket: world.notes() }
    let page: string | undefined
    world.proxy.faults.push({
      act: "cut_body",
      // One page of several, as often as it is asked for.
      match: ({ kind, query }) => {
        const after = query.get("continuation-token") ?? query.get("start-after")
        if (kind !== "LIST" || after === undefined) return false
        page ??= after
        return page === after
      },
    })
    const ran = await here.bisync()
    world.proxy.faults.length = 0
    expect(page).toBeDefined()
    expect(ran, ran.out).toMatchObject({ exit: 1 })
    expect(ran.err).toMatch(/Cannot reach the cloud[^]*Nothing was changed/)
    expect({ here: notesIn(here.dir), bucket: world.notes() }).toEqual(before)
    expect(await requestsOf(here)).toMatchObject({ notes: {}, own: {} })
  })

  test("downloads each note to a second device with one request", { timeout: TEST_MS_MAX }, async () => {
    const inBucket = world.notes()
    world.proxy.reset()
    await there.setUp()
    const { notes } = counted(world.proxy)
    expect(notes).toEqual({ GET: inBucket.size, LIST: expect.any(Number), LIST_UPLOADS: 1 })
    expect(byName(notesIn(there.dir))).toEqual(byName(inBucket))
    const { notes: later, own } = await requestsOf(there)
    expect({ later, own }).toEqual({ later: {}, own: {} })
  })
})

describeServer("versitygw", (server) => {
  test(
    "makes a few requests more where one device writes at a time",
    async () => {
      const world = await newS3World(server())
      onTestFinished(() => world.stop(), TEST_MS_MAX)
      world.proxy.faults.push({ act: "ignore_conditions", match: () => true })
      const device = world.device("one")
      for (const name of ["a", "b", "c"]) put(device.dir, `${name}.md`, name)
      await device.setUp()
      await expectSynced(device)
      put(device.dir, "a.md", "edited")
      world.proxy.reset()
      await expectSynced(device)
      // The flag is put, looked for and taken away; what is written is looked at right before.
      expect(counted(world.proxy)).toEqual({
        notes: { LIST: 1, HEAD: 1, PUT: 1 },
        own: { PUT: 2, LIST: 1, HEAD: 1, DELETE: 1 },
      })
      world.proxy.reset()
      await expectSynced(device)
      expect(counted(world.proxy)).toEqual({ notes: { LIST: 1 }, own: {} })
    },
    TEST_MS_MAX,
  )
})
