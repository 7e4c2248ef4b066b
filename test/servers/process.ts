/**
 * A server process that cannot outlive the tests: it leads a process group of its own, and a watchdog in that group
 * kills it as soon as the test process is gone, however that one ended. It is stopped by its own id.
 *
 * The watchdog waits on a pipe whose other end only the test process holds, so that even `kill -9` of the tests closes it.
 */

import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { closeSync, openSync, readFileSync } from "node:fs"
import { createServer } from "node:net"

export interface ServerProcess {
  readonly pid: number
  /** How it ended, once it has. */
  ended(): string | undefined
  /** The end of what it has said, for the message of a failure. */
  said(): string
  stop(): Promise<void>
}

export interface Command {
  readonly path: string
  readonly args: readonly string[]
  readonly environment?: Readonly<Record<string, string>>
  readonly logPath: string
}

const SAID_LENGTH_MAX = 2_000

// The shell becomes the server, so that the id of the child is the server's own.
const WATCHED = '{ read -r _ <&3; kill -KILL 0; } & exec "$@" </dev/null 3<&-'

export function startProcess(command: Command): ServerProcess {
  const log = openSync(command.logPath, "a")
  const child = spawn("/bin/sh", ["-c", WATCHED, "sh", command.path, ...command.args], {
    detached: true,
    env: { PATH: process.env["PATH"] ?? "", HOME: "/nonexistent", LC_ALL: "C", ...command.environment },
    stdio: ["ignore", log, log, "pipe"],
  })
  closeSync(log)
  const pid = child.pid
  if (pid === undefined) throw new Error(`${command.path} did not start`)
  child.unref()
  const watched = child.stdio[3]
  if (watched !== null && watched !== undefined && "unref" in watched && typeof watched.unref === "function")
    watched.unref()
  watched?.on("error", () => {})
  // A server that ends by itself leaves its watchdog waiting; without the pipe that one ends too.
  child.on("exit", () => watched?.destroy())
  return {
    pid,
    ended: () => endOf(child),
    said: () => readFileSync(command.logPath, "utf8").trim().slice(-SAID_LENGTH_MAX),
    stop: async () => {
      if (endOf(child) !== undefined) return
      child.ref()
      const exit = once(child, "exit")
      process.kill(-pid, "SIGKILL")
      await exit
    },
  }
}

/** A loopback port that was free a moment ago; whoever uses it must be ready to find it taken. */
export async function freePort(): Promise<number> {
  const server = createServer()
  server.listen(0, "127.0.0.1")
  await once(server, "listening")
  const address = server.address()
  server.close()
  await once(server, "close")
  if (address === null || typeof address === "string") throw new Error("a port has no number")
  return address.port
}

function endOf(child: ChildProcess): string | undefined {
  if (child.signalCode !== null) return child.signalCode
  return child.exitCode === null ? undefined : `exit code ${child.exitCode}`
}
