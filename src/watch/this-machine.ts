/**
 * The machine that this process runs on, as an installed service sees it: its programs are run by their own names and
 * words, without a shell, without input and without the secrets of this shell.
 */

import { execFile } from "node:child_process"
import { lstatSync } from "node:fs"
import { platform, userInfo } from "node:os"
import { setTimeout as wait } from "node:timers/promises"
import { attempt } from "../model/attempt.ts"
import type { Machine, RunProgram } from "./manager.ts"

type Environment = Machine["environment"]

/** Stopping a service waits for the run that is at work. */
const RUN_MS_MAX = 120_000
const TEXT_BYTES_MAX = 1024 * 1024
const NOT_THERE = 127
const FAILED = 1
/** What leads to the user's manager of services. */
const KEPT = ["HOME", "USER", "LOGNAME", "XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS"] as const

export function thisMachine(at: { readonly environment: Environment; readonly home: string }): Machine {
  const { environment, home } = at
  // A user that no list of users knows has a number only.
  const user = attempt(() => userInfo())
  return {
    platform: platform(),
    environment,
    home,
    user: user.ok
      ? { name: user.value.username, id: user.value.uid }
      : { name: environment.USER ?? "", id: -1 },
    isThere,
    run: runner(environment),
    wait: (ms) => wait(ms),
  }
}

/** A link that leads nowhere is there too. */
function isThere(path: string): boolean {
  const stat = attempt(() => lstatSync(path, { throwIfNoEntry: false }))
  return stat.ok && stat.value !== undefined
}

export function runner(environment: Environment): RunProgram {
  const env = childEnvironment(environment)
  return (program, args) =>
    new Promise((resolve) => {
      const options = { env, timeout: RUN_MS_MAX, maxBuffer: TEXT_BYTES_MAX, shell: false, windowsHide: true }
      const child = execFile(program, args, options, (error, stdout, stderr) => {
        const text = `${stdout}${stderr}`.trim()
        if (error === null) resolve({ code: 0, text })
        else if (error.code === "ENOENT") resolve({ code: NOT_THERE, text: `${program}: not found` })
        else
          resolve({ code: typeof error.code === "number" ? error.code : FAILED, text: text || error.message })
      })
      child.stdin?.end()
    })
}

/** Words in one language, and no program of a directory that happens to be the current one. */
function childEnvironment(environment: Environment): Record<string, string> {
  const kept = KEPT.flatMap((name) => {
    const value = environment[name]
    return value === undefined ? [] : [[name, value] as const]
  })
  const path = (environment.PATH ?? "").split(":").filter((directory) => directory.startsWith("/"))
  return { ...Object.fromEntries(kept), PATH: path.join(":"), LC_ALL: "C" }
}
