/**
 * The user's systemd, asked by `systemctl --user` with fixed words.
 *
 * What a unit is like is read from its properties, which scripts may rely on, and never from text for people.
 */

import { join } from "node:path"
import { err, ok, type Result } from "../model/result.ts"
import type { Done, Machine, Manager, Ran } from "./manager.ts"
import { systemdUnit, UNIT } from "./service.ts"

export interface SystemdAnswer {
  /** Such as 252; absent where it told none. */
  readonly version?: number
  /** Where it looks for units. */
  readonly directories: readonly string[]
}

const SYSTEMCTL = "systemctl"
const LOGINCTL = "loginctl"
/** It cannot start where a process may gain no privileges. */
const SNAP_RCLONE = "/snap/bin/rclone"
const RUNNING: ReadonlySet<string | undefined> = new Set(["active", "reloading"])
/** Between two tries it is up too: it starts again by itself. */
const UP: ReadonlySet<string | undefined> = new Set([...RUNNING, "activating"])

/** The error is what was said where it does not answer. */
export async function askSystemd({ run }: Machine): Promise<Result<SystemdAnswer, string>> {
  const shown = await run(SYSTEMCTL, ["--user", "show", "--property=Version", "--property=UnitPath"])
  if (shown.code !== 0) return err(shown.text)
  const { Version: text = "", UnitPath: path = "" } = propertiesOf(shown)
  const version = /^\D*(\d+)/.exec(text)?.[1]
  return ok({ directories: path.split(" "), ...(version !== undefined && { version: Number(version) }) })
}

/**
 * `XDG_CONFIG_HOME` counts, unless only this shell knows it: then the manager does not look there.
 */
export function unitFile({ environment, home }: Machine, answer?: SystemdAnswer): string {
  const usual = join(home, ".config")
  const { XDG_CONFIG_HOME: moved } = environment
  const homes = moved?.startsWith("/") === true ? [moved, usual] : [usual]
  const directories = homes.map((each) => join(each, "systemd", "user"))
  const known = directories.find((directory) => answer?.directories.includes(directory) === true)
  return join(known ?? directories[0] ?? usual, UNIT)
}

export function systemdManager(machine: Machine, answer?: SystemdAnswer): Manager {
  const { run, isThere, user } = machine
  const systemctl = async (...args: readonly string[]): Promise<Done> => {
    const words = ["--user", ...args]
    const ran = await run(SYSTEMCTL, words)
    if (ran.code === 0) return ok(undefined)
    return err({ kind: "command_failed", command: [SYSTEMCTL, ...words].join(" "), ...ran })
  }
  const look = async () => {
    const names = ["LoadState", "ActiveState", "UnitFileState", "NeedDaemonReload"]
    const shown = await run(SYSTEMCTL, ["--user", "show", ...names.map((name) => `--property=${name}`), UNIT])
    const { LoadState, ActiveState, UnitFileState = "", NeedDaemonReload } = propertiesOf(shown)
    const isRunning = RUNNING.has(ActiveState)
    const isUp = UP.has(ActiveState) && UnitFileState === "enabled" && NeedDaemonReload === "no"
    return { isKnown: LoadState === "loaded" || UP.has(ActiveState) || UnitFileState !== "", isUp, isRunning }
  }
  return {
    name: "systemd-user",
    file: unitFile(machine, answer),
    text: (spec) => systemdUnit(spec, { version: answer?.version, isSandboxed: !isThere(SNAP_RCLONE) }),
    look,
    async bringUp() {
      const reloaded = await systemctl("daemon-reload")
      if (!reloaded.ok) return reloaded
      const enabled = await systemctl("enable", UNIT)
      if (!enabled.ok) return enabled
      // What runs may have been started by a text that an earlier, interrupted install replaced.
      return systemctl("restart", UNIT)
    },
    async takeDown({ isKnown }) {
      if (!isKnown) return ok(undefined)
      const stopped = await systemctl("stop", UNIT)
      // One that has no file and runs no more is not known to it by now, which is as wished.
      if (!stopped.ok && (await look()).isRunning) return stopped
      const disabled = await systemctl("disable", UNIT)
      return disabled.ok || !isThere(unitFile(machine, answer)) ? ok(undefined) : disabled
    },
    async forget() {
      const reloaded = await systemctl("daemon-reload")
      // It stays in the list of what failed; where it did not fail there is nothing to take out.
      if (reloaded.ok) await systemctl("reset-failed", UNIT)
      return reloaded
    },
    async linger() {
      const shown = await run(LOGINCTL, ["show-user", user.name, "--property=Linger"])
      const { Linger } = propertiesOf(shown)
      return Linger === "yes" ? true : Linger === "no" ? false : undefined
    },
  }
}

function propertiesOf({ code, text }: Ran): Readonly<Record<string, string | undefined>> {
  if (code !== 0) return {}
  const found = text.split("\n").flatMap((line) => {
    const [, name, value] = /^(\w+)=(.*)$/.exec(line) ?? []
    return name === undefined || value === undefined ? [] : [[name, value] as const]
  })
  return Object.fromEntries(found)
}
