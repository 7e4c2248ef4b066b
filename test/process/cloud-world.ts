/**
 * The real command as a subscriber of the cloud: devices with nothing but the address of a stand-in for the service, and
 * the bucket behind it on a real S3 server.
 *
 * Whatever a device says is searched for what nobody may see: every token, code and secret key that the stand-in gave out.
 */

import { spawn } from "node:child_process"
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { expect, onTestFinished } from "vitest"
import { logIn } from "../cloud/by-fetch.ts"
import { type Cloud, type CloudOptions, type Storage, startCloud, storageOf } from "../cloud/service.ts"
import type { Server } from "../servers/server.ts"
import { s3Request } from "../servers/sign.ts"
import { type Device, ended, MAIN, newDevice, notesIn, type Ran } from "./bm.ts"
import { TEST_MS_MAX } from "./s3-world.ts"

export interface AccountWorld {
  readonly root: string
  readonly cloud: Cloud
  /** Of the tenant, as files. */
  readonly folder: string
  /** What the stand-in takes for the storage; a test may spoil it. */
  readonly storage: { -readonly [Name in keyof Storage]: Storage[Name] }
  device(name: string, options?: AccountDeviceOptions): AccountDevice
  /** The notes that the bucket holds, by key; nothing of ours and nothing of the service's. */
  notes(): ReadonlyMap<string, string>
  /** As another client of the bucket. */
  putObject(key: string, text: string): Promise<void>
  /** For `onTestFinished` or `afterAll`, with `TEST_MS_MAX`. */
  stop(): Promise<void>
}

export interface AccountDeviceOptions {
  /** The rclone that it finds; none where absent. */
  readonly rclone?: string | undefined
  /** What config.json says besides where the service is. */
  readonly settings?: Readonly<Record<string, unknown>>
}

export interface AccountDevice extends Omit<Device, "setUp"> {
  /** First on its PATH. */
  readonly bin: string
  readonly files: {
    readonly tokens: string
    readonly config: string
    readonly credentials: string
    readonly rcloneConf: string
  }
  login(...args: readonly string[]): Promise<Ran>
  /** `bm cloud bisync-setup`, which must succeed. */
  setUp(...args: readonly string[]): Promise<Ran>
  /** Without a limit of ours, for what waits for somebody who does not answer. */
  runLong(...args: readonly string[]): Promise<Ran>
  /** By another program, which is told the words that would start it. */
  runBy(program: (words: readonly string[]) => readonly string[], ...args: readonly string[]): Promise<Ran>
}

export async function newAccountWorld(
  server: Server,
  options: Omit<CloudOptions, "storage"> = {},
): Promise<AccountWorld> {
  const root = mkdtempSync(join(tmpdir(), "bm-account-"))
  const bucket = await server.newBucket()
  const storage = { ...storageOf(server, bucket) }
  const cloud = await startCloud({ ...options, storage })
  // Who agrees is not what is under test here: the first poll finds it done.
  cloud.set({ polls: [] })
  const folder = join(server.root, bucket)
  return {
    root,
    cloud,
    folder,
    storage,
    device: (name, about = {}) => newAccountDevice(join(root, name), cloud, about),
    notes: () => notesOf(folder),
    async putObject(key, body) {
      const target = `/${bucket}/${key.split("/").map(encodeURIComponent).join("/")}`
      expect(await s3Request(server, { method: "PUT", target, body })).toMatchObject({ status: 200 })
    },
    async stop() {
      await cloud.close()
      rmSync(root, { recursive: true, force: true })
    },
  }
}

/** Whether there is one is for each test to say, and not for the machine. */
function pathsWithoutRclone(): readonly string[] {
  const paths = (process.env["PATH"] ?? "").split(":")
  return paths.filter((path) => !existsSync(join(path, "rclone")))
}

function newAccountDevice(home: string, cloud: Cloud, about: AccountDeviceOptions): AccountDevice {
  const dir = join(home, "basic-memory-cloud-sync")
  const isNew = !existsSync(dir)
  const device = newDevice(home, "", { dir })
  // A new user has none.
  if (isNew) rmSync(dir, { recursive: true })
  const { stateRoot } = device
  const bin = join(home, "bin")
  mkdirSync(bin)
  if (about.rclone !== undefined) symlinkSync(about.rclone, join(bin, "rclone"))
  const config = join(stateRoot, "config.json")
  const settings = { cloud_domain: cloud.url, cloud_host: cloud.url, ...about.settings }
  mkdirSync(stateRoot, { recursive: true, mode: 0o700 })
  // Another client may have been here.
  if (!existsSync(config)) writeFileSync(config, JSON.stringify(settings), { mode: 0o600 })
  const own = { PATH: [bin, ...pathsWithoutRclone()].join(":") }
  const quiet = async (running: Promise<Ran>) => expectNoSecret(cloud, await running)
  const run = (...args: readonly string[]) => quiet(device.runWith(own, ...args))
  return {
    ...device,
    bin,
    files: {
      tokens: join(stateRoot, "basic-memory-cloud.json"),
      config,
      credentials: join(stateRoot, "s3-credentials.json"),
      rcloneConf: join(home, ".config/rclone/rclone.conf"),
    },
    run,
    runWith: (env, ...args) => quiet(device.runWith({ ...own, ...env }, ...args)),
    start: (env, ...args) => device.start({ ...own, ...env }, ...args),
    runLong: (...args) => quiet(ended(device.start(own, ...args))),
    runBy(program, ...args) {
      const [by = "", ...words] = program([process.execPath, MAIN, ...args])
      const env = { ...own, HOME: home, LC_ALL: "C.UTF-8" }
      return quiet(ended(spawn(by, words, { env, cwd: home, stdio: ["ignore", "pipe", "pipe"] })))
    },
    bisync: (...args) => run("cloud", "bisync", ...args),
    login: (...args) => run("cloud", "login", ...args),
    async setUp(...args) {
      const done = await run("cloud", "bisync-setup", ...args)
      expect(done, done.err).toMatchObject({ exit: 0 })
      return done
    },
  }
}

/** A world that goes with the test. */
export async function testWorld(
  server: Server,
  options: Omit<CloudOptions, "storage"> = {},
): Promise<AccountWorld> {
  const world = await newAccountWorld(server, options)
  onTestFinished(() => world.stop(), TEST_MS_MAX)
  return world
}

/** As a login leaves it, without the seconds that one takes. */
export async function loggedIn(
  { cloud, device }: AccountWorld,
  name: string,
  about: AccountDeviceOptions = {},
): Promise<AccountDevice> {
  const made = device(name, about)
  const { access, refresh } = await logIn(cloud)
  const tokens = {
    access_token: access,
    refresh_token: refresh,
    expires_at: Math.floor(Date.now() / 1000) + LOGIN_S,
    token_type: "Bearer",
  }
  writeFileSync(made.files.tokens, JSON.stringify(tokens), { mode: 0o600 })
  return made
}

const LOGIN_S = 3600

/** Logged in, and set up with these arguments. */
export async function subscriber(
  world: AccountWorld,
  name: string,
  { setUp = [], ...about }: AccountDeviceOptions & { readonly setUp?: readonly string[] } = {},
): Promise<AccountDevice> {
  const device = await loggedIn(world, name, about)
  await device.setUp("--device", name, ...setUp)
  return device
}

export async function succeeds(running: Promise<Ran>): Promise<Ran> {
  const ran = await running
  expect(ran, ran.out + ran.err).toMatchObject({ exit: 0 })
  return ran
}

/** What config.json says of the sync. */
export function syncConfigOf({ files }: AccountDevice) {
  return JSON.parse(readFileSync(files.config, "utf8")).bisync_config
}

/** It is the answer again. */
export function expectNoSecret(cloud: Cloud, ran: Ran): Ran {
  for (const secret of cloud.secrets()) expect(ran.out + ran.err).not.toContain(secret)
  return ran
}

/** Everything below a directory with its mode, and the bytes of what is a file: equal where nothing was done. */
export function treeOf(directory: string): ReadonlyMap<string, string> {
  const names = existsSync(directory) ? readdirSync(directory, { recursive: true, encoding: "utf8" }) : []
  const described = names.toSorted().map((name) => {
    const file = join(directory, name)
    const stat = lstatSync(file)
    const mode = (stat.mode & 0o777).toString(8)
    if (stat.isSymbolicLink()) return [name, `link to ${readlinkSync(file)}`] as const
    return [name, stat.isFile() ? `${mode} ${readFileSync(file, "latin1")}` : `${mode} directory`] as const
  })
  return new Map(described)
}

/** Without what the server keeps for itself, and what lies in directories of ours and of the service's. */
function notesOf(folder: string): ReadonlyMap<string, string> {
  return new Map([...notesIn(folder)].filter(([key]) => !/^\.[^/]+\//.test(key)))
}
