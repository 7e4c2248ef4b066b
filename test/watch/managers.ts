/** A systemd and a launchd in memory, which read real files and remember what they were told. */

import { existsSync, lstatSync, readFileSync } from "node:fs"
import { join } from "node:path"
import type { Machine, Ran } from "../../src/watch/manager.ts"

export interface Fake {
  readonly machine: Machine
  /** What was said to the managers, one command a line, without questions. */
  readonly told: string[]
  /** Every program that was run, questions too. */
  readonly asked: string[]
  /** The next command that begins like this fails. */
  fail: string | undefined
}

const UNIT = "basic-memory-sync.service"
const DONE: Ran = { code: 0, text: "" }

interface FakeOptions {
  readonly home: string
  readonly environment?: Readonly<Record<string, string>>
  /** Files outside of the home, where whatever is really there does not count. */
  readonly marks?: readonly string[]
  readonly platform?: NodeJS.Platform
}

function fakeOf(
  { home, environment = {}, marks = [], platform = "linux" }: FakeOptions,
  answer: (words: readonly string[]) => Ran | "question" | undefined,
  reply: (words: readonly string[]) => Ran,
): Fake {
  const fake: Fake = {
    told: [],
    asked: [],
    fail: undefined,
    machine: {
      platform,
      environment: { PATH: "/usr/bin:/bin", ...environment },
      home,
      user: { name: "mira", id: 501 },
      isThere: (path) =>
        marks.includes(path) ||
        (path.startsWith(home) && lstatSync(path, { throwIfNoEntry: false }) !== undefined),
      wait: async () => undefined,
      run: async (program, args) => {
        const words = [program.replace(/^.*\//, ""), ...args]
        const line = words.join(" ")
        fake.asked.push(line)
        const known = answer(words)
        if (known !== "question" && known !== undefined) return known
        if (known === undefined) {
          fake.told.push(line)
          if (fake.fail !== undefined && line.startsWith(fake.fail)) {
            fake.fail = undefined
            return { code: 1, text: "it is not possible" }
          }
        }
        return reply(words)
      },
    },
  }
  return fake
}

export interface FakeSystemd extends Fake {
  readonly unit: { active: string; isEnabled: boolean; loaded: string | undefined }
}

export function fakeSystemd(
  options: FakeOptions & {
    /** Its directory for the user's units. */
    readonly directory?: string
    readonly linger?: "yes" | "no"
    readonly version?: string
  },
): FakeSystemd {
  const { directory = join(options.home, ".config/systemd/user"), linger = "no", version = "255.4" } = options
  const file = join(directory, UNIT)
  const unit: FakeSystemd["unit"] = { active: "inactive", isEnabled: false, loaded: undefined }
  const onDisk = () => (existsSync(file) ? readFileSync(file, "utf8") : undefined)
  const missing: Ran = { code: 5, text: `Unit ${UNIT} not loaded.` }
  const show = (): Ran => ({
    code: 0,
    text: [
      `LoadState=${(unit.loaded ?? onDisk()) === undefined ? "not-found" : "loaded"}`,
      `ActiveState=${unit.active}`,
      `UnitFileState=${onDisk() === undefined ? "" : unit.isEnabled ? "enabled" : "disabled"}`,
      `NeedDaemonReload=${unit.loaded !== undefined && unit.loaded !== onDisk() ? "yes" : "no"}`,
    ].join("\n"),
  })
  const start = (): Ran => {
    unit.loaded ??= onDisk()
    if (unit.loaded === undefined) return missing
    unit.active = "active"
    return DONE
  }
  const reply = ([program, , verb = ""]: readonly string[]): Ran => {
    if (program === "loginctl") return { code: 0, text: `Linger=${linger}` }
    switch (verb) {
      case "show":
        return show()
      case "daemon-reload":
        unit.loaded = onDisk()
        return DONE
      case "enable":
        if (onDisk() === undefined) return { code: 1, text: `Unit file ${UNIT} does not exist.` }
        unit.isEnabled = true
        return DONE
      case "disable":
        if (onDisk() === undefined) return { code: 1, text: `Unit file ${UNIT} does not exist.` }
        unit.isEnabled = false
        return DONE
      case "restart":
        return start()
      case "stop":
        if (unit.active === "inactive" && onDisk() === undefined) return missing
        unit.active = "inactive"
        return DONE
      case "reset-failed":
        return unit.active === "failed" ? DONE : missing
      default:
        return { code: 1, text: `Unknown command verb ${verb}.` }
    }
  }
  const fake = fakeOf(
    options,
    (words) => {
      if (words.includes("--property=UnitPath"))
        return {
          code: 0,
          text: `Version=${version}\nUnitPath=/run/user/501/systemd/user ${directory} /usr/lib/systemd/user`,
        }
      return words.includes("show") || words[0] === "loginctl" ? "question" : undefined
    },
    reply,
  )
  return Object.assign(fake, { unit })
}

export interface FakeLaunchd extends Fake {
  readonly service: { loaded: string | undefined; isRunning: boolean; looksUntilGone: number }
}

/** Unloads slowly, as the real one: for some looks it is still there, and until then nothing is loaded in its place. */
export function fakeLaunchd(options: FakeOptions): FakeLaunchd {
  const file = join(options.home, "Library/LaunchAgents/com.basicmemory.sync.plist")
  const service: FakeLaunchd["service"] = { loaded: undefined, isRunning: false, looksUntilGone: -1 }
  const missing: Ran = { code: 113, text: "Could not find service" }
  const look = (): Ran => {
    if (service.looksUntilGone > 0) service.looksUntilGone -= 1
    if (service.looksUntilGone === 0)
      Object.assign(service, { loaded: undefined, isRunning: false, looksUntilGone: -1 })
    if (service.loaded === undefined) return missing
    return {
      code: 0,
      text: `gui/501/x = {\n\tactive count = 1\n\tstate = ${service.isRunning ? "running" : "not running"}\n}`,
    }
  }
  const reply = ([, verb, domain, path]: readonly string[]): Ran => {
    switch (verb) {
      case "print":
        return domain === "gui/501" ? { code: 0, text: "gui/501 = {\n}" } : look()
      case "enable":
        return DONE
      case "bootstrap":
        if (service.loaded !== undefined) return { code: 5, text: "Bootstrap failed: 5: Input/output error" }
        service.loaded = readFileSync(path ?? "", "utf8")
        service.isRunning = true
        return DONE
      case "bootout":
        if (service.loaded === undefined) return { code: 3, text: "Boot-out failed: 3: No such process" }
        service.looksUntilGone = 4
        return { code: 36, text: "Boot-out failed: 36: Operation now in progress" }
      case "kickstart":
        if (service.loaded === undefined) return missing
        service.isRunning = true
        return DONE
      default:
        return { code: 64, text: "Unrecognized subcommand" }
    }
  }
  const fake = fakeOf(
    { ...options, platform: "darwin" },
    (words) => (words[1] === "print" ? "question" : undefined),
    reply,
  )
  return Object.assign(fake, { service, file })
}
