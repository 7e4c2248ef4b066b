/**
 * The real command and a real S3 server: devices that share a bucket, and between them and the server the proxy that
 * counts and misbehaves.
 *
 * The server is versitygw, whose objects are files: what the bucket holds is read past everything that is under test.
 */

import { existsSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { expect } from "vitest"
import type { Fault, Proxy } from "../servers/proxy.ts"
import { startProxy } from "../servers/proxy.ts"
import { type Kind, KINDS } from "../servers/request.ts"
import type { Server } from "../servers/server.ts"
import { type Device, newDevice, notesIn, type Ran } from "./bm.ts"

/** Longer than everything that a test here does on a busy machine. */
export const TEST_MS_MAX = 300_000

export interface S3Device extends Omit<Device, "setUp" | "bisync" | "run"> {
  run(...args: readonly string[]): Promise<Ran>
  bisync(...args: readonly string[]): Promise<Ran>
  /** Sets up, which makes the first run. */
  setUp(): Promise<Ran>
}

export interface S3World {
  readonly root: string
  readonly proxy: Proxy
  readonly bucket: string
  readonly url: string
  /** What the SDK finds in the environment of a device. */
  readonly keys: Readonly<Record<string, string>>
  /** With another URL where it goes another way to the bucket. */
  device(name: string, options?: { readonly url: string }): S3Device
  /** The notes that the bucket holds, by key. */
  notes(): ReadonlyMap<string, string>
  /** For `onTestFinished` or `afterAll`, with `TEST_MS_MAX`: a disk may be slow to forget thousands of notes. */
  stop(): Promise<void>
}

export async function newS3World(server: Server): Promise<S3World> {
  const root = mkdtempSync(join(tmpdir(), "bm-s3-"))
  const proxy = await startProxy(server)
  const bucket = await server.newBucket()
  const url = proxy.urlOf(bucket)
  const keys = {
    AWS_ACCESS_KEY_ID: server.accessKeyId,
    AWS_SECRET_ACCESS_KEY: server.secretAccessKey,
    AWS_EC2_METADATA_DISABLED: "true",
  }
  return {
    root,
    proxy,
    bucket,
    url,
    keys,
    device: (name, options = { url }) => newS3Device(join(root, name), { ...options, keys }),
    notes: () => notesBelow(join(server.root, bucket)),
    async stop() {
      await proxy.stop()
      rmSync(root, { recursive: true, force: true })
    },
  }
}

function newS3Device(
  home: string,
  { url, keys }: { readonly url: string; readonly keys: Readonly<Record<string, string>> },
): S3Device {
  const device = newDevice(home, url)
  const run = (...args: readonly string[]) => device.runWith(keys, ...args)
  return {
    ...device,
    run,
    runWith: (env, ...args) => device.runWith({ ...keys, ...env }, ...args),
    start: (env, ...args) => device.start({ ...keys, ...env }, ...args),
    bisync: (...args) => run("cloud", "bisync", ...args),
    async setUp() {
      const done = await run("cloud", "bisync-setup", "--dir", device.dir, "--remote", url)
      expect(done, done.err).toMatchObject({ exit: 0 })
      return done
    },
  }
}

/** Without what the server keeps for itself: uploads that are not completed. */
function notesBelow(folder: string): ReadonlyMap<string, string> {
  if (!existsSync(folder)) return new Map()
  return new Map([...notesIn(folder)].filter(([key]) => !key.startsWith(".sgwtmp/")))
}

/** A run that finds nothing to complain about. */
export async function expectSynced(device: S3Device): Promise<Ran> {
  const ran = await device.bisync()
  expect(ran, ran.err + ran.out).toMatchObject({ exit: 0 })
  return ran
}

/** Every device and the bucket hold these notes, nobody has a conflict, and nothing is left to do. */
export async function expectEqual(
  world: S3World,
  devices: readonly S3Device[],
  notes: Readonly<Record<string, string>>,
): Promise<void> {
  const expected = new Map(Object.entries(notes).toSorted(([a], [b]) => (a < b ? -1 : 1)))
  expect(byName(world.notes())).toEqual(expected)
  for (const device of devices) {
    expect(byName(notesIn(device.dir))).toEqual(expected)
    const listed = await device.run("cloud", "conflicts", "list", "--json")
    expect(JSON.parse(listed.out), listed.err).toMatchObject({ conflicts: [] })
    const dry = await device.bisync("--dry-run", "--json")
    expect(dry, dry.err).toMatchObject({ exit: 0 })
    expect(JSON.parse(dry.out)).toMatchObject({ verdict: "nothing", actions: [] })
  }
}

export function byName(notes: ReadonlyMap<string, string>): ReadonlyMap<string, string> {
  const listed = [...notes].filter(([path]) => path !== ".bmignore")
  return new Map(listed.toSorted(([a], [b]) => (a < b ? -1 : 1)))
}

/** What was counted, without zeroes: `{ notes: { PUT: 3 }, own: {} }`. */
export function counted({ counts }: Proxy): {
  readonly notes: Partial<Record<Kind, number>>
  readonly own: Partial<Record<Kind, number>>
} {
  const without = (all: Readonly<Record<Kind, number>>) =>
    Object.fromEntries(KINDS.filter((kind) => all[kind] > 0).map((kind) => [kind, all[kind]]))
  return { notes: without(counts.notes), own: without(counts.own) }
}

/** Befalls notes only, unless told otherwise. */
export function on(kind: Kind, { isOwn = false } = {}): Pick<Fault, "match"> {
  return { match: (request) => request.kind === kind && request.isOwn === isOwn }
}
