/**
 * One rclone that answers requests on loopback, for as long as this process lives and not longer.
 *
 * It runs with a fixed command line; the password for its requests and whatever else is secret go by the environment. A
 * watcher that only holds the other end of a pipe ends it when this process is gone, however that ended.
 */

import { type ChildProcess, spawn, type SpawnOptionsWithStdioTuple } from "node:child_process"
import { randomBytes } from "node:crypto"
import { err, ok, type Result } from "../model/result.ts"
import type { Failure } from "../store/store.ts"

export interface RcloneChild {
  readonly port: number
  readonly user: string
  readonly password: string
  readonly pid: number
  isAlive(): boolean
  stop(): void
}

export interface ChildOptions {
  /** The absolute path of the program. */
  readonly program: string
  /** The environment that it may see, without our secrets. */
  readonly environment: Readonly<Record<string, string>>
  /** How long it may take until it answers. */
  readonly startMsMax?: number
}

type Piped = SpawnOptionsWithStdioTuple<"pipe", "ignore", "pipe">

const START_MS_MAX = 20_000
const ARGUMENTS = [
  "rcd",
  "--rc-addr=127.0.0.1:0",
  "--rc-serve",
  "--ask-password=false",
  // What failed is sent again by us, who know until when that is allowed.
  "--low-level-retries=1",
  "--retries=1",
  "--contimeout=15s",
  "--timeout=60s",
  // Else what takes more than an hour would be broken off in the middle.
  "--rc-server-read-timeout=25h",
  "--rc-server-write-timeout=25h",
  "--log-level=NOTICE",
  "--log-file=",
  "--use-json-log=false",
]

/**
 * `exec` keeps the process id, so that what is killed is rclone itself. Nobody writes into the pipe, so `read` ends with it;
 * and it is part of every shell, whatever PATH holds.
 */
const WATCHED =
  'exec 3<&0; (read -r _ <&3; kill -9 $$) >/dev/null 2>&1 & exec 3<&-; exec "$0" "$@" </dev/null'

export async function startChild({
  program,
  environment,
  startMsMax = START_MS_MAX,
}: ChildOptions): Promise<Result<RcloneChild, Failure>> {
  const user = randomBytes(16).toString("hex")
  const password = randomBytes(32).toString("hex")
  const env = { ...environment, RCLONE_RC_USER: user, RCLONE_RC_PASS: password }
  const options: Piped = { env, stdio: ["pipe", "ignore", "pipe"], windowsHide: true }
  const child =
    environment["OS"] === "Windows_NT"
      ? spawn(program, ARGUMENTS, options)
      : spawn("/bin/sh", ["-c", WATCHED, program, ...ARGUMENTS], options)
  // The pipe breaks when the child ends; that is told by its exit.
  child.stdin.on("error", () => undefined)
  const port = await portOf(child, startMsMax)
  if (!port.ok) {
    end(child)
    return port
  }
  for (const each of [child, child.stdin, child.stderr]) letGo(each)
  let isAlive = true
  child.once("exit", () => {
    isAlive = false
    child.stdin.destroy()
  })
  const { pid = 0 } = child
  return ok({ port: port.value, user, password, pid, isAlive: () => isAlive, stop: () => end(child) })
}

/** It says where it listens on its standard error, and why where it does not. */
function portOf(child: ChildProcess, startMsMax: number): Promise<Result<number, Failure>> {
  return new Promise((resolve) => {
    let said = ""
    const settle = (result: Result<number, Failure>) => {
      clearTimeout(timer)
      resolve(result)
    }
    const failed = (detail: string) => settle(err({ kind: "unreachable", detail, via: "rclone" }))
    const timer = setTimeout(() => failed("rclone did not start in time"), startMsMax)
    child.once("error", (error) => failed("code" in error ? String(error.code) : "rclone did not start"))
    // After the last of what it said.
    child.once("close", (code) => failed(`rclone ended with ${code ?? "a signal"}: ${lastWords(said)}`))
    child.stderr?.setEncoding("utf8")
    child.stderr?.on("data", (text: string) => {
      if (said.length < 65_536) said += text
      const port = /Serving remote control on http:\/\/127\.0\.0\.1:(\d+)\//.exec(said)?.[1]
      if (port !== undefined) settle(ok(Number(port)))
    })
  })
}

/** The last line without its date, short enough for a message. */
function lastWords(said: string): string {
  const line = said.trimEnd().split("\n").at(-1) ?? ""
  return line.replace(/^[\d/]+ [\d:]+ /, "").slice(0, 200)
}

/** Whoever has nothing else to do may end. */
function letGo(handle: object): void {
  if ("unref" in handle && typeof handle.unref === "function") handle.unref()
}

function end(child: ChildProcess): void {
  child.stdin?.destroy()
  child.stderr?.destroy()
  child.kill("SIGTERM")
}
