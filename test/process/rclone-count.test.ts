/**
 * How many requests reach a bucket by way of rclone: the pages of one listing and nothing else where nothing changed, one
 * PUT per note that is sent, one GET per note that is fetched, and a small fixed price for the lease of a run that writes.
 *
 * HEADs are the price of rclone: before each write we look, because no condition can be sent.
 */

import { mkdirSync, renameSync, rmSync } from "node:fs"
import { join } from "node:path"
import { afterAll, beforeAll, expect, test } from "vitest"
import { describeServer } from "../servers/describe-server.ts"
import { ended, notesIn, put } from "./bm.ts"
import { describeRclone, newRcloneS3World, type RcloneDevice, type RcloneS3World } from "./rclone-world.ts"
import { byName, counted, TEST_MS_MAX } from "./s3-world.ts"

const NOTES = process.env["SOAK"] === undefined ? 3003 : 10_001
const NOTES_PER_DIRECTORY = 50
const PAGE_KEYS = 1000
/** Of the notes with the epoch, which is an object like them. */
const PAGES = Math.ceil((NOTES + 1) / PAGE_KEYS)
/** The epoch goes ahead once per wave, or every thousand notes. */
const EPOCHS = Math.ceil(NOTES / 1024)
const LONG = { timeout: 2 * TEST_MS_MAX }
/** A run begins one more where it lasts. */
const EPOCHS_MORE = 20
const MOVED = NOTES_PER_DIRECTORY

const pathOf = (number: number) => `d${Math.floor(number / NOTES_PER_DIRECTORY)}/n${number}.md`

/** A flag that is put, looked for others, and taken away again after a look; and the epoch, looked at and put. */
const underLease = (epochs: number) => ({
  LIST: 1,
  HEAD: 1 + epochs,
  PUT: 1 + epochs,
  DELETE: 1,
})

describeRclone((program) =>
  describeServer("versitygw", (server) => {
    // The tests build on each other, as the days of a user do.
    let world: RcloneS3World
    let here: RcloneDevice
    let there: RcloneDevice

    beforeAll(async () => {
      world = await newRcloneS3World(server(), program)
      here = world.rcloneDevice("here")
      there = world.rcloneDevice("there")
      await here.setUp()
      for (let number = 0; number < NOTES; number++) put(here.dir, pathOf(number), `note ${number}\n`)
    }, TEST_MS_MAX)
    afterAll(() => world.stop(), TEST_MS_MAX)

    /** No limit of ours: a long run takes as long as the machine needs, and the test's own limit ends it. */
    async function requestsOf(device: RcloneDevice, ...args: readonly string[]) {
      world.proxy.reset()
      const ran = await ended(device.start({}, "cloud", "bisync", ...args))
      expect(ran, ran.out + ran.err).toMatchObject({ exit: 0 })
      return counted(world.proxy)
    }

    test("uploads each note with one PUT", LONG, async () => {
      const { notes, own } = await requestsOf(here)
      expect(notes).toEqual({ LIST: 1, PUT: NOTES, HEAD: NOTES })
      expect(own.PUT).toBeGreaterThanOrEqual(1 + EPOCHS)
      expect(own.PUT).toBeLessThanOrEqual(1 + EPOCHS + EPOCHS_MORE)
      expect(world.notes().size).toBe(NOTES)
    })

    test("lists once, page by page, and does nothing else when nothing changed", LONG, async () => {
      for (let again = 0; again < 2; again++)
        expect(await requestsOf(here)).toEqual({ notes: { LIST: PAGES }, own: {} })
      expect(await requestsOf(here, "--dry-run")).toEqual({ notes: { LIST: PAGES }, own: {} })
    })

    test("looks at one edited note before it is written", LONG, async () => {
      put(here.dir, pathOf(1), "edited\n")
      const { notes, own } = await requestsOf(here)
      expect({ notes, own }).toEqual({ notes: { LIST: PAGES, HEAD: 1, PUT: 1 }, own: underLease(1) })
    })

    test("looks at a note before it is deleted", LONG, async () => {
      rmSync(join(here.dir, pathOf(2)))
      const { notes, own } = await requestsOf(here)
      expect({ notes, own }).toEqual({ notes: { LIST: PAGES, HEAD: 2, DELETE: 1 }, own: underLease(1) })
    })

    test("renames a directory without sending a byte of its notes", LONG, async () => {
      mkdirSync(join(here.dir, "moved"))
      renameSync(join(here.dir, "d7"), join(here.dir, "moved/d7"))
      const { notes, own } = await requestsOf(here)
      expect(notes).toEqual({ LIST: PAGES, HEAD: 7 * MOVED, COPY: MOVED, DELETE: MOVED })
      expect(own).toEqual(underLease(1))
      expect([...world.notes().keys()].filter((key) => key.startsWith("moved/d7/"))).toHaveLength(MOVED)
    })

    test("downloads each note to a second device with one GET", LONG, async () => {
      const inBucket = world.notes()
      world.proxy.reset()
      const setUp = ["cloud", "bisync-setup", "--dir", there.dir, "--remote", world.rcloneUrl]
      const ran = await ended(there.start({}, ...setUp))
      expect(ran, ran.out + ran.err).toMatchObject({ exit: 0 })
      const { notes, own } = counted(world.proxy)
      expect(notes).toEqual({ LIST: PAGES, HEAD: 2 * inBucket.size, GET: inBucket.size })
      // It wrote nothing there, so it took no lease.
      expect(own).toEqual({ LIST: 1, HEAD: 2, GET: 1 })
      expect(byName(notesIn(there.dir))).toEqual(byName(inBucket))
      expect(await requestsOf(there)).toEqual({ notes: { LIST: PAGES }, own: {} })
    })
  }),
)
