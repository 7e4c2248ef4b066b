/**
 * One bucket, reached natively and by way of rclone: a setup with the other URL goes on with the same state and the same
 * baseline. Nothing is transferred for it, nobody has a conflict, and devices of both kinds work side by side.
 */

import { renameSync, rmSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, onTestFinished, test } from "vitest"
import { describeEachRclone } from "../rclone/real-rclone.ts"
import { describeServer } from "../servers/describe-server.ts"
import type { Server } from "../servers/server.ts"
import { encodeKey, s3Request } from "../servers/sign.ts"
import { notesIn, put } from "./bm.ts"
import { newRcloneS3World, type RcloneDevice, type RcloneS3World } from "./rclone-world.ts"
import { counted, expectEqual, expectSynced, TEST_MS_MAX } from "./s3-world.ts"

const EPOCH_KEY = ".basic-memory/bisync/epoch.json"
const MIB = 1024 * 1024
const NOTES = 20
const ROUNDS = 4

describeEachRclone((rclone) =>
  describeServer("versitygw", (server) => {
    describe("one device", () => {
      for (const way of ["from native to rclone and back", "from rclone to native and back"] as const)
        test(
          `transfers nothing and has no conflict after it was set up ${way}`,
          async () => {
            const { world, device } = await newWorld(server(), rclone.path)
            const [first, second] =
              way === "from native to rclone and back"
                ? [world.url, world.rcloneUrl]
                : [world.rcloneUrl, world.url]
            const truth: Record<string, string> = {}
            const here = device("here")
            for (let number = 0; number < NOTES; number++) truth[`d/n${number}.md`] = `note ${number}\n`
            for (const [path, text] of Object.entries(truth)) put(here.dir, path, text)
            await here.setUpWith(first)
            await expectSynced(here)
            const state = here.state()
            for (const [number, url] of [second, first].entries()) {
              world.proxy.reset()
              expect((await here.setUpWith(url)).out).toMatch(/Baseline already done/)
              expect(here.state()).toBe(state)
              for (let again = 0; again < 2; again++) await expectIdle(here)
              expect(transfers(world)).toEqual({})
              truth[`d/n${number}.md`] = `edited ${number}\n`
              put(here.dir, `d/n${number}.md`, `edited ${number}\n`)
              expect((await expectSynced(here)).out).toMatch(/Sync completed - 1 file uploaded/)
              await expectEqual(world, [here], truth)
            }
          },
          TEST_MS_MAX,
        )
    })

    describe("two devices, of which one goes over to rclone", () => {
      test(
        "are told to wait for ten minutes before either writes, and may read meanwhile",
        async () => {
          const { world, here, there } = await twoNative(server(), rclone.path)
          put(there.dir, "far.md", "from afar\n")
          await expectSynced(there)
          await here.setUpWith(world.rcloneUrl)
          put(here.dir, "near.md", "near\n")
          put(there.dir, "late.md", "late\n")
          const before = { here: notesIn(here.dir), there: notesIn(there.dir), bucket: world.notes() }
          for (const device of [here, there])
            for (const flags of [[], ["--json"]]) {
              const ran = await device.bisync(...flags)
              expect(ran, ran.out).toMatchObject({ exit: 8 })
              expect(ran.err).toMatch(/the remote changes to one writer at a time, for \d+ more minutes/)
              expect(ran.err).toMatch(/Nothing was changed|"changed":false/)
            }
          expect({ here: notesIn(here.dir), there: notesIn(there.dir), bucket: world.notes() }).toEqual(
            before,
          )
          rmSync(join(here.dir, "near.md"))
          expect((await expectSynced(here)).out).toMatch(/1 file downloaded/)
        },
        TEST_MS_MAX,
      )

      test(
        "carry edits, deletes and renames both ways when the ten minutes are over, and lose nothing",
        async () => {
          const { world, here, there, truth } = await twoNative(server(), rclone.path)
          await here.setUpWith(world.rcloneUrl)
          put(here.dir, "switch.md", "switch\n")
          truth["switch.md"] = "switch\n"
          expect(await here.bisync()).toMatchObject({ exit: 8 })
          await letTenMinutesPass(server(), world)
          await expectSynced(here)
          await expectSynced(there)
          await expectEqual(world, [here, there], truth)
          for (let round = 0; round < ROUNDS; round++) {
            const [writer, reader] = round % 2 === 0 ? [here, there] : [there, here]
            const far = `d/n${round + 10}.md`
            change(writer, truth, round)
            put(reader.dir, far, `far, edited in round ${round}\n`)
            truth[far] = `far, edited in round ${round}\n`
            await expectSynced(writer)
            await expectSynced(reader)
            await expectSynced(writer)
            await expectEqual(world, [here, there], truth)
          }
        },
        TEST_MS_MAX,
      )

      test(
        "decide a conflict as ever, and keep the version that gave way",
        async () => {
          const { world, here, there, truth } = await twoNative(server(), rclone.path)
          await here.setUpWith(world.rcloneUrl)
          put(here.dir, "switch.md", "switch\n")
          expect(await here.bisync()).toMatchObject({ exit: 8 })
          await letTenMinutesPass(server(), world)
          await expectSynced(here)
          await expectSynced(there)
          const nowMs = Math.floor(Date.now() / 1000) * 1000
          put(here.dir, "d/n1.md", "here, and older\n", nowMs - 600_000)
          put(there.dir, "d/n1.md", "there, and newer\n", nowMs - 300_000)
          await expectSynced(there)
          const ran = await expectSynced(here)
          expect(ran.out).toMatch(/Resolving conflict: using newer version/)
          const won: Record<string, string> = {
            ...truth,
            "switch.md": "switch\n",
            "d/n1.md": "there, and newer\n",
          }
          expect(Object.fromEntries(world.notes())).toEqual(won)
          expect(Object.fromEntries(notesIn(here.dir))).toEqual(won)
          const undo = await here.run("cloud", "undo", "--yes")
          expect(undo, undo.err).toMatchObject({ exit: 0 })
          await expectSynced(there)
          for (const device of [here, there])
            expect(notesIn(device.dir).get("d/n1.md")).toBe("here, and older\n")
        },
        TEST_MS_MAX,
      )
    })
  }),
)

describeEachRclone((rclone) => {
  // Of an object that was sent in parts a bucket tells no checksum, and these two tell its time in different words.
  for (const name of ["versitygw", "minio"] as const)
    describeServer(name, (server) => {
      test(
        "a large file that was sent natively is the same one by way of rclone",
        async () => {
          const { world } = await newWorld(server(), rclone.path)
          const r = { ...world.section, endpoint: server().endpoint }
          const here = world.rcloneDevice("here", { env: world.keys, sections: { r } })
          put(here.dir, "large.md", "large ".repeat(3 * MIB))
          put(here.dir, "small.md", "small\n")
          const before = notesIn(here.dir)
          await here.setUpWith(world.url)
          for (const url of [world.rcloneUrl, world.url]) {
            await here.setUpWith(url)
            for (let again = 0; again < 2; again++) await expectIdle(here)
            const dry = await here.bisync("--dry-run", "--json")
            expect(JSON.parse(dry.out), dry.err).toMatchObject({ verdict: "nothing", actions: [] })
            expect(notesIn(here.dir)).toEqual(before)
          }
        },
        TEST_MS_MAX,
      )
    })
})

interface Devices {
  readonly world: RcloneS3World
  /** It has the keys for both ways. */
  device(name: string): RcloneDevice
}

async function newWorld(server: Server, program: string): Promise<Devices> {
  const world = await newRcloneS3World(server, program)
  onTestFinished(() => world.stop(), TEST_MS_MAX)
  return { world, device: (name) => world.rcloneDevice(name, { env: world.keys }) }
}

interface TwoNative {
  readonly world: RcloneS3World
  readonly here: RcloneDevice
  readonly there: RcloneDevice
  readonly truth: Record<string, string>
}

/** Both have written to the bucket natively, a moment ago. */
async function twoNative(server: Server, program: string): Promise<TwoNative> {
  const { world, device } = await newWorld(server, program)
  const [here, there] = [device("here"), device("there")]
  const truth: Record<string, string> = {}
  for (let number = 0; number < NOTES; number++) truth[`d/n${number}.md`] = `note ${number}\n`
  for (const [path, text] of Object.entries(truth)) put(here.dir, path, text)
  await here.setUpWith(world.url)
  await there.setUpWith(world.url)
  put(there.dir, "there.md", "there\n")
  truth["there.md"] = "there\n"
  await expectSynced(there)
  await expectSynced(here)
  return { world, here, there, truth }
}

/** One of each: an edit, a new note, a deletion, a rename. */
function change({ dir }: RcloneDevice, truth: Record<string, string>, round: number): void {
  const edited = { [`d/n${round}.md`]: `edited in round ${round}\n`, [`new/${round}.md`]: `new ${round}\n` }
  for (const [path, text] of Object.entries(edited)) put(dir, path, text)
  Object.assign(truth, edited)
  rmSync(join(dir, `d/n${round + 5}.md`))
  delete truth[`d/n${round + 5}.md`]
  const [from, to] = [`d/n${round + 15}.md`, `d/moved-${round}.md`]
  renameSync(join(dir, from), join(dir, to))
  truth[to] = truth[from] ?? ""
  delete truth[from]
}

/** What a run does that has nothing to do. */
async function expectIdle(device: RcloneDevice): Promise<void> {
  const ran = await device.bisync("--json")
  expect(ran, ran.err).toMatchObject({ exit: 0 })
  expect(JSON.parse(ran.out.trimEnd().split("\n").at(-1) ?? "")).toMatchObject({
    type: "run.finished",
    uploaded: 0,
    downloaded: 0,
    deleted: 0,
    moved: 0,
    conflicts: [],
    open: [],
  })
}

/** Requests for notes, but for the listings. */
function transfers({ proxy }: RcloneS3World): object {
  const kinds = Object.entries(counted(proxy).notes).filter(([kind]) => !kind.startsWith("LIST"))
  return Object.fromEntries(kinds)
}

/** The bucket says since when one device writes at a time; here it says that this was ten minutes earlier. */
async function letTenMinutesPass(server: Server, { bucket }: RcloneS3World): Promise<void> {
  const target = `/${bucket}/${encodeKey(EPOCH_KEY)}`
  const { text } = await s3Request(server, { method: "GET", target })
  const epoch: unknown = JSON.parse(text)
  if (typeof epoch !== "object" || epoch === null || !("leaseSinceMs" in epoch))
    throw new Error("nobody changed the mode")
  const earlier = { ...epoch, leaseSinceMs: Number(epoch.leaseSinceMs) - 10 * 60_000 }
  const put = await s3Request(server, { method: "PUT", target, body: `${JSON.stringify(earlier)}\n` })
  expect(put.status).toBe(200)
}
