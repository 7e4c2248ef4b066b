/**
 * The real command with real rclone: devices that have an rclone.conf, and a PATH on which rclone is found first in a
 * directory of their own.
 *
 * An rclone that was started by a device is recognised by that directory, whoever else runs one on this machine.
 */

import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { describe, expect, onTestFinished, test } from "vitest"
import { isRequired } from "../servers/describe-server.ts"
import { findServer } from "../servers/install.mjs"
import type { Server } from "../servers/server.ts"
import { type Device, newDevice, type Ran } from "./bm.ts"
import { newS3World, type S3Device, type S3World, TEST_MS_MAX } from "./s3-world.ts"

/** Sections of an rclone.conf, by name. */
export type Sections = Readonly<Record<string, Readonly<Record<string, string>>>>

export interface RcloneDevice extends S3Device {
  /** First on its PATH. */
  readonly bin: string
  /** Its rclone.conf. */
  readonly conf: string
  setUpWith(remote: string): Promise<Ran>
}

export interface RcloneDeviceOptions {
  /** The remote's URL. */
  readonly url: string
  readonly sections: Sections
  /** The rclone that it finds. */
  readonly program: string
  readonly env?: Readonly<Record<string, string>>
}

export function newRcloneDevice(home: string, options: RcloneDeviceOptions): RcloneDevice {
  const { url, sections, program, env: always = {} } = options
  const device: Device = newDevice(home, url)
  const bin = join(home, "bin")
  mkdirSync(bin, { recursive: true })
  symlinkSync(program, join(bin, "rclone"))
  const conf = join(home, ".config/rclone/rclone.conf")
  mkdirSync(join(home, ".config/rclone"), { recursive: true })
  writeFileSync(conf, confText(sections), { mode: 0o600 })
  const own = { PATH: `${bin}:${process.env["PATH"] ?? ""}`, ...always }
  const run = (...args: readonly string[]) => device.runWith(own, ...args)
  const setUpWith = async (remote: string) => {
    const done = await run("cloud", "bisync-setup", "--dir", device.dir, "--remote", remote)
    expect(done, done.err).toMatchObject({ exit: 0 })
    return done
  }
  return {
    ...device,
    bin,
    conf,
    run,
    runWith: (env, ...args) => device.runWith({ ...own, ...env }, ...args),
    start: (env, ...args) => device.start({ ...own, ...env }, ...args),
    bisync: (...args) => run("cloud", "bisync", ...args),
    setUp: () => setUpWith(url),
    setUpWith,
  }
}

export function confText(sections: Sections): string {
  return Object.entries(sections)
    .map(([name, lines]) => {
      const text = Object.entries(lines).map(([key, value]) => `${key} = ${value}\n`)
      return `[${name}]\n${text.join("")}`
    })
    .join("\n")
}

export interface RcloneS3World extends S3World {
  /** Named `r`, by way of the proxy. */
  readonly section: Readonly<Record<string, string>>
  readonly rcloneUrl: string
  /** The bucket as files, with what is ours in it. */
  readonly folder: string
  rcloneDevice(name: string, options?: Partial<RcloneDeviceOptions>): RcloneDevice
}

/** A bucket that is reached by rclone, and natively by the devices of the world it is made of. Gone with the test. */
export async function newRcloneS3World(server: Server, program: string): Promise<RcloneS3World> {
  const world = await newS3World(server)
  const section = {
    type: "s3",
    provider: "Other",
    env_auth: "false",
    access_key_id: server.accessKeyId,
    secret_access_key: server.secretAccessKey,
    endpoint: world.proxy.endpoint,
    region: server.region,
  }
  const rcloneUrl = `rclone:r:${world.bucket}`
  return {
    ...world,
    section,
    rcloneUrl,
    folder: join(server.root, world.bucket),
    rcloneDevice: (name, options = {}) =>
      newRcloneDevice(join(world.root, name), {
        url: rcloneUrl,
        sections: { r: section },
        program,
        ...options,
      }),
  }
}

export interface FolderWorld {
  readonly root: string
  /** The remote's folder. */
  readonly folder: string
  device(name: string, options?: Partial<RcloneDeviceOptions>): RcloneDevice
}

/** A folder of this machine as a remote of rclone: the cheapest there is. Gone with the test. */
export function newFolderWorld(program: string): FolderWorld {
  const root = mkdtempSync(join(tmpdir(), "bm-rclone-"))
  onTestFinished(() => rmSync(root, { recursive: true, force: true }), TEST_MS_MAX)
  const folder = join(root, "remote")
  mkdirSync(folder)
  const sections = { r: { type: "alias", remote: folder } }
  return {
    root,
    folder,
    device: (name, options = {}) =>
      newRcloneDevice(join(root, name), { url: "rclone:r:", sections, program, ...options }),
  }
}

/** A `describe` with the newest rclone that was measured: skipped with the reason, or a failure where it is required. */
export function describeRclone(body: (program: string) => void): void {
  const { path, reason } = findServer("rclone")
  describe("rclone", () => {
    if (path !== undefined) body(path)
    else if (isRequired(["rclone"]))
      test("can be had", () => {
        throw new Error(`required, and ${reason}`)
      })
    else {
      console.warn(`skipped: ${reason}`)
      test.skip(reason, () => {})
    }
  })
}
