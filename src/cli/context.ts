/** What a command may know of the process: streams, environment, terminal. The only place that reads `process`. */

import { hostname } from "node:os"
import { join, resolve } from "node:path"
import type { BaseContext } from "clipanion"
import type { Holder, Place } from "../index.ts"

export interface Context extends BaseContext {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly place: Place
  readonly holder: Holder
  readonly cwd: string
  readonly isInteractive: boolean
  readonly isProgressShown: boolean
}

export function processContext(argv: readonly string[]): Context {
  const { env, stdin, stdout, stderr } = process
  const home = env.HOME ?? env.USERPROFILE ?? process.cwd()
  const moved = env.BASIC_MEMORY_CONFIG_DIR
  const stateRoot = moved === undefined || moved === "" ? join(home, ".basic-memory") : resolve(moved)
  const command = ["bm", ...argv].join(" ")
  return {
    env,
    stdin,
    stdout,
    stderr,
    colorDepth: 1,
    cwd: process.cwd(),
    place: { stateRoot, home, hasKeysInEnvironment: hasText(env.AWS_ACCESS_KEY_ID), environment: env },
    holder: { pid: process.pid, host: hostname(), command, since: new Date().toISOString() },
    isInteractive: stdin.isTTY === true && stdout.isTTY === true,
    isProgressShown: stderr.isTTY === true,
  }
}

function hasText(value: string | undefined): boolean {
  return value !== undefined && value !== ""
}
