/**
 * A WebDAV server for tests: `rclone serve webdav` of a folder of its own, on a free loopback port. It tells no
 * checksums, and no times but those at which it got a file, in whole seconds.
 */

import { mkdirSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { findServer } from "./install.mjs"
import { freePort, type ServerProcess, startProcess } from "./process.ts"

export interface Webdav {
  /** `http://127.0.0.1:<port>` */
  readonly endpoint: string
  readonly user: string
  readonly password: string
  /** What it serves, as files. */
  readonly root: string
  readonly pid: number
  stop(): Promise<void>
}

const PORT_TRIES_MAX = 3
const ANSWER_TRIES_MAX = 600
const ANSWER_EVERY_MS = 50

export async function startWebdav(): Promise<Webdav> {
  const { path, reason } = findServer("rclone")
  if (path === undefined) throw new Error(reason)
  // The free port may be taken by somebody else before the server has it.
  for (let attempt = 1; ; attempt++) {
    const directory = mkdtempSync(join(tmpdir(), "bm-webdav-"))
    try {
      return await open(path, directory)
    } catch (error) {
      rmSync(directory, { recursive: true, force: true })
      if (attempt === PORT_TRIES_MAX) throw error
    }
  }
}

async function open(path: string, directory: string): Promise<Webdav> {
  const root = join(directory, "root")
  mkdirSync(root)
  const [user, password] = ["bm", "bmsecret12"]
  const port = await freePort()
  const server = startProcess({
    path,
    args: [
      "serve",
      "webdav",
      "--config",
      join(directory, "rclone.conf"),
      "--addr",
      `127.0.0.1:${port}`,
      // What is put into the folder from outside is seen at once; with 0s the server spins until it stalls.
      "--dir-cache-time",
      "10ms",
      root,
    ],
    environment: { RCLONE_USER: user, RCLONE_PASS: password },
    logPath: join(directory, "log"),
  })
  const endpoint = `http://127.0.0.1:${port}`
  const stop = async () => {
    await server.stop()
    rmSync(directory, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 })
  }
  try {
    await untilAnswers(endpoint, server)
    return { endpoint, user, password, root, pid: server.pid, stop }
  } catch (error) {
    await stop()
    throw error
  }
}

/** Only ours asks for a password. */
async function untilAnswers(endpoint: string, server: ServerProcess): Promise<void> {
  for (let tries = 0; tries < ANSWER_TRIES_MAX; tries++) {
    const ended = server.ended()
    if (ended !== undefined) throw new Error(`rclone ended with ${ended}: ${server.said()}`)
    if ((await statusOf(endpoint)) === 401) return
    await new Promise((resolve) => setTimeout(resolve, ANSWER_EVERY_MS))
  }
  throw new Error(`rclone did not answer: ${server.said()}`)
}

async function statusOf(endpoint: string): Promise<number | undefined> {
  try {
    const answer = await fetch(endpoint, { signal: AbortSignal.timeout(5_000) })
    await answer.arrayBuffer()
    return answer.status
  } catch {
    return undefined
  }
}
