/**
 * Real S3 servers for tests: each on a free loopback port with a directory of its own, answering and with an empty
 * bucket when it is handed out, gone when it is stopped or when the tests die.
 *
 * Test files use `describeServer` of describe-server.ts, which skips or fails where a server cannot be had.
 */

import { mkdirSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { startCeph } from "./ceph.ts"
import { findServer } from "./install.mjs"
import { type Command, freePort, type ServerProcess, startProcess } from "./process.ts"
import { type Keys, s3Request } from "./sign.ts"

export type S3ServerName = "rclone" | "versitygw" | "minio" | "ceph" | "s3rver" | "fauxqs"

export interface Server extends Keys {
  readonly name: S3ServerName
  /** `http://127.0.0.1:<port>` */
  readonly endpoint: string
  readonly bucket: string
  /** The URL of the bucket as `bm` takes it. */
  readonly url: string
  /** Another empty bucket; answers its name. */
  newBucket(): Promise<string>
  urlOf(bucket: string): string
  /** The folder of its data: for rclone and versitygw the objects of `bucket` are files below `root/bucket`. */
  readonly root: string
  /** The id of the process that answers, which leads its group. */
  readonly pid: number
  stop(): Promise<void>
}

export interface ServerOptions {
  /** Versions of objects can be kept: versitygw is given a folder for them. Off where a test does not ask. */
  readonly canVersion?: boolean
  /** For a client that insists on one; `us-east-1` where a test does not ask. */
  readonly region?: string
}

export interface Place {
  readonly name: S3ServerName
  readonly path: string
  /** Ours alone, removed at the end. */
  readonly directory: string
  /** `directory/root`, which exists. */
  readonly root: string
  readonly port: number
  readonly keys: Keys
  readonly canVersion: boolean
}

/** What answers, and what else must be stopped with it, in this order. */
export interface Started {
  readonly main: ServerProcess
  readonly others: readonly ServerProcess[]
}

const KEYS = { accessKeyId: "bmaccess", secretAccessKey: "bmsecret12", region: "us-east-1" }
const ANSWER_TRIES_MAX = 600
const ANSWER_EVERY_MS = 50
const PORT_TRIES_MAX = 3
const BUCKET_TRIES_MAX = 20

/** The reason why a server cannot be had here; nothing where it can. */
export function missing(name: S3ServerName): string | undefined {
  return findServer(name).reason
}

export async function startServer(name: S3ServerName, options: ServerOptions = {}): Promise<Server> {
  const { path, reason } = findServer(name)
  if (path === undefined) throw new Error(reason)
  // The free port may be taken by somebody else before the server has it.
  for (let attempt = 1; ; attempt++) {
    const directory = mkdtempSync(join(tmpdir(), `bm-${name}-`))
    const root = join(directory, "root")
    mkdirSync(root)
    const port = await freePort()
    const keys = { ...KEYS, ...(name === "s3rver" && S3RVER_KEYS), region: options.region ?? KEYS.region }
    const place = { name, path, directory, root, port, keys, canVersion: options.canVersion ?? false }
    try {
      return await open(place)
    } catch (error) {
      rmSync(directory, { recursive: true, force: true })
      if (attempt === PORT_TRIES_MAX) throw error
    }
  }
}

const S3RVER_KEYS = { accessKeyId: "S3RVER", secretAccessKey: "S3RVER" }

async function open(place: Place): Promise<Server> {
  const { name, keys, root, directory } = place
  const endpoint = `http://127.0.0.1:${place.port}`
  const { main, others } = name === "ceph" ? await startCeph(place) : startOne(place)
  const stop = async () => {
    await Promise.all([main, ...others].map((each) => each.stop()))
    rmSync(directory, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 })
  }
  let buckets = 0
  const newBucket = async () => {
    buckets++
    const bucket = `bm-${buckets}`
    await createBucket({ ...keys, endpoint }, bucket)
    return bucket
  }
  const urlOf = (bucket: string) => `s3://${bucket}?endpoint=${endpoint}&region=${keys.region}`
  try {
    await untilAnswers(endpoint, main, name)
    const bucket = await newBucket()
    // Somebody else's server may have taken the port and answered in place of ours, which then has ended.
    const ended = main.ended()
    if (ended !== undefined) throw new Error(`${name} ended with ${ended}: ${main.said()}`)
    return {
      name,
      ...keys,
      endpoint,
      bucket,
      url: urlOf(bucket),
      newBucket,
      urlOf,
      root,
      pid: main.pid,
      stop,
    }
  } catch (error) {
    await stop()
    throw error
  }
}

function startOne(place: Place): Started {
  const logPath = join(place.directory, "log")
  return { main: startProcess({ ...commandOf(place), logPath }), others: [] }
}

function commandOf(place: Place): Omit<Command, "logPath"> {
  const { path, root, port, directory, keys } = place
  const address = `127.0.0.1:${port}`
  switch (place.name) {
    case "rclone": {
      const credentials = `${keys.accessKeyId},${keys.secretAccessKey}`
      // What is put into the folder from outside is seen at once; with 0s the server spins until it stalls.
      const args = ["--addr", address, "--auth-key", credentials, "--dir-cache-time", "10ms", root]
      return { path, args: ["serve", "s3", "--config", join(directory, "rclone.conf"), ...args] }
    }
    case "versitygw": {
      const versions = join(directory, "versions")
      mkdirSync(versions)
      const keeping = place.canVersion ? ["--versioning-dir", versions] : []
      const args = ["--quiet", "--port", address, "--region", keys.region, "posix", ...keeping, root]
      const environment = { ROOT_ACCESS_KEY: keys.accessKeyId, ROOT_SECRET_KEY: keys.secretAccessKey }
      return { path, args, environment }
    }
    case "minio": {
      // Its console takes a free port too, on loopback, and nobody uses it.
      const args = ["server", "--quiet", "--address", address, "--console-address", "127.0.0.1:0", root]
      const environment = {
        HOME: directory,
        MINIO_ROOT_USER: keys.accessKeyId,
        MINIO_ROOT_PASSWORD: keys.secretAccessKey,
        MINIO_REGION: keys.region,
        MINIO_BROWSER: "off",
        MINIO_UPDATE: "off",
      }
      return { path, args, environment }
    }
    case "s3rver":
      return {
        path: process.execPath,
        args: [path, "--silent", "-d", root, "-a", "127.0.0.1", "-p", String(port)],
      }
    case "fauxqs": {
      const code = [
        "const [path, port] = process.argv.slice(1)",
        "const { buildApp } = await import(path)",
        'await buildApp({ logger: false }).listen({ host: "127.0.0.1", port: Number(port) })',
      ]
      return {
        path: process.execPath,
        args: ["--input-type=module", "-e", code.join("\n"), path, String(port)],
      }
    }
    case "ceph":
      throw new Error("ceph takes more than one command")
  }
}

/** Any HTTP answer will do: servers that still start refuse the connection. */
async function untilAnswers(endpoint: string, main: ServerProcess, name: string): Promise<void> {
  for (let tries = 0; tries < ANSWER_TRIES_MAX; tries++) {
    const ended = main.ended()
    if (ended !== undefined) throw new Error(`${name} ended with ${ended}: ${main.said()}`)
    if (await answers(endpoint)) return
    await new Promise((resolve) => setTimeout(resolve, ANSWER_EVERY_MS))
  }
  throw new Error(`${name} did not answer: ${main.said()}`)
}

async function answers(endpoint: string): Promise<boolean> {
  try {
    const answer = await fetch(endpoint, { signal: AbortSignal.timeout(5_000) })
    await answer.arrayBuffer()
    return true
  } catch {
    return false
  }
}

async function createBucket(server: Keys & { readonly endpoint: string }, bucket: string): Promise<void> {
  for (let tries = 1; ; tries++) {
    const answer = await s3Request(server, { method: "PUT", target: `/${bucket}` })
    if (answer.status === 200) return
    // MinIO answers before it has read its disks.
    if (answer.status !== 503 || tries === BUCKET_TRIES_MAX)
      throw new Error(`creating ${bucket}: ${answer.status} ${answer.text}`)
    await new Promise((resolve) => setTimeout(resolve, ANSWER_EVERY_MS))
  }
}
