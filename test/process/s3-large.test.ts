/**
 * A large file goes to a bucket and comes from it in bounded memory, survives the death of the process that sends it,
 * and is taken back to its former bytes by an undo.
 *
 * 100 MiB; 300 MiB under SOAK=1 and where the servers are required.
 */

import type { ChildProcess } from "node:child_process"
import { createCipheriv, createHash } from "node:crypto"
import { closeSync, createReadStream, openSync, readFileSync, writeSync } from "node:fs"
import { join } from "node:path"
import { afterAll, beforeAll, expect, test } from "vitest"
import { describeServer, isRequired } from "../servers/describe-server.ts"
import { ended, put, type Ran } from "./bm.ts"
import { counted, newS3World, type S3Device, type S3World, TEST_MS_MAX } from "./s3-world.ts"

const MIB = 1024 * 1024
const isFull = process.env["SOAK"] !== undefined || isRequired(["versitygw", "s3"])
const LARGE_BYTES = (isFull ? 300 : 100) * MIB
/** More than a run that has nothing to do: four parts of 8 MiB under way, and what the collector has not got to yet. */
const MORE_BYTES_MAX = 150 * MIB
const PARTS_BEFORE_DEATH = 4
const LOOK_EVERY_MS = 20

describeServer("versitygw", (server) => {
  let world: S3World
  let here: S3Device
  let there: S3Device
  let idleBytes = 0
  /** Of the first version, and of the edited one. */
  const hashes: string[] = []

  beforeAll(async () => {
    world = await newS3World(server())
    here = world.device("here")
    // Its reads go past the proxy, which holds bodies whole.
    there = world.device("there", { url: server().urlOf(world.bucket) })
    put(here.dir, "small.md", "small\n")
    await here.setUp()
    await there.setUp()
    idleBytes = (await watched(here.start({}, "cloud", "bisync"))).peakBytes
    hashes.push(writeLarge(join(here.dir, "large.bin")))
  }, TEST_MS_MAX)
  afterAll(() => world.stop(), TEST_MS_MAX)

  const object = () => hashOf(join(server().root, world.bucket, "large.bin"))
  const fileOf = (device: S3Device) => hashOf(join(device.dir, "large.bin"))
  const bisync = async (device: S3Device) => {
    const ran = await watched(device.start({}, "cloud", "bisync"))
    expect(ran, ran.out + ran.err).toMatchObject({ exit: 0 })
    return ran
  }

  test("leaves no object behind when it is killed in the middle of the parts", {
    timeout: TEST_MS_MAX,
  }, async () => {
    const child = here.start({}, "cloud", "bisync")
    world.proxy.faults.push({
      act: "hold",
      match: ({ kind }) => kind === "PART" && world.proxy.counts.notes.PART > PARTS_BEFORE_DEATH,
      until: async () => child.kill("SIGKILL"),
    })
    const ran = await ended(child)
    world.proxy.faults.length = 0
    expect(ran).toMatchObject({ signal: "SIGKILL" })
    expect(counted(world.proxy).notes.COMPLETE).toBeUndefined()
    expect([...world.notes().keys()]).toEqual(["small.md"])
  })

  test("uploads it in parts and in bounded memory", { timeout: TEST_MS_MAX }, async () => {
    world.proxy.reset()
    const { peakBytes } = await bisync(here)
    expect(counted(world.proxy).notes).toMatchObject({
      PART: Math.ceil(LARGE_BYTES / (8 * MIB)),
      COMPLETE: 1,
    })
    expect(await object()).toBe(hashes[0])
    expect(peakBytes - idleBytes).toBeLessThan(MORE_BYTES_MAX)
  })

  test("downloads it in bounded memory", { timeout: TEST_MS_MAX }, async () => {
    const { peakBytes } = await bisync(there)
    expect(await fileOf(there)).toBe(hashes[0])
    expect(peakBytes - idleBytes).toBeLessThan(MORE_BYTES_MAX)
  })

  test("uploads an edit and takes it back by an undo, on both sides", { timeout: TEST_MS_MAX }, async () => {
    const file = openSync(join(here.dir, "large.bin"), "r+")
    writeSync(file, "edited in the middle", LARGE_BYTES / 2)
    closeSync(file)
    hashes.push(await fileOf(here))
    const edited = await bisync(here)
    expect(await object()).toBe(hashes[1])
    expect(edited.peakBytes - idleBytes).toBeLessThan(MORE_BYTES_MAX)
    const undone = await watched(here.start({}, "cloud", "undo", "--yes"))
    expect(undone, undone.out + undone.err).toMatchObject({ exit: 0 })
    expect({ here: await fileOf(here), bucket: await object() }).toEqual({
      here: hashes[0],
      bucket: hashes[0],
    })
    expect(undone.peakBytes - idleBytes).toBeLessThan(MORE_BYTES_MAX)
    await bisync(there)
    expect(await fileOf(there)).toBe(hashes[0])
  })
})

/** The same bytes every time, none of which can be compressed; answers their hash. */
function writeLarge(path: string): string {
  const cipher = createCipheriv("aes-128-ctr", Buffer.alloc(16, 7), Buffer.alloc(16))
  const zeroes = Buffer.alloc(MIB)
  const hasher = createHash("sha256")
  const file = openSync(path, "w")
  for (let written = 0; written < LARGE_BYTES; written += MIB) {
    const piece = cipher.update(zeroes)
    hasher.update(piece)
    writeSync(file, piece)
  }
  closeSync(file)
  return hasher.digest("hex")
}

async function hashOf(path: string): Promise<string> {
  const hasher = createHash("sha256")
  for await (const piece of createReadStream(path, { highWaterMark: MIB })) hasher.update(piece)
  return hasher.digest("hex")
}

/** The system remembers the most memory that a process had for as long as it runs: looked at until it ends. */
async function watched(child: ChildProcess): Promise<Ran & { readonly peakBytes: number }> {
  let peakBytes = 0
  const looking = setInterval(() => {
    peakBytes = Math.max(peakBytes, peakOf(child.pid ?? 0))
  }, LOOK_EVERY_MS)
  try {
    const ran = await ended(child)
    return { ...ran, peakBytes }
  } finally {
    clearInterval(looking)
  }
}

function peakOf(pid: number): number {
  try {
    const kib = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]
    return Number(kib ?? 0) * 1024
  } catch {
    return 0
  }
}
