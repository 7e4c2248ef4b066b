/**
 * The launchd of whoever is logged in at the desktop, asked by `launchctl` with fixed words.
 *
 * Only that session counts: an agent that was loaded into another would be loaded once more at the next login, and two
 * watchers would run.
 */

import { join } from "node:path"
import { err, ok, type Result } from "../model/result.ts"
import type { Done, Machine, Manager, Ran, Standing } from "./manager.ts"
import { LABEL, launchdPlist } from "./service.ts"

const LAUNCHCTL = "/bin/launchctl"
/** What `bootstrap` answers while the service is unloading, besides other things that do not pass. */
const NOT_YET: ReadonlySet<number> = new Set([5, 37])
/** What `bootout` answers where the service is going or gone. */
const GOING: ReadonlySet<number> = new Set([0, 3, 5, 36, 37, 113])
const LOAD_TRIES_MAX = 20
/** Longer than the watcher has for ending its run. */
const UNLOAD_TRIES_MAX = 200
const RETRY_MS = 500
const RUNNING = /^\s*state = (?:running|spawn scheduled)$/m

/** The error is what was said where nobody is logged in. */
export async function askLaunchd({ run, user }: Machine): Promise<Result<void, string>> {
  const { code, text } = await run(LAUNCHCTL, ["print", domainOf(user.id)])
  return code === 0 ? ok(undefined) : err(text)
}

export function launchdManager(machine: Machine): Manager {
  const { home, user } = machine
  const domain = domainOf(user.id)
  const service: Service = {
    domain,
    target: `${domain}/${LABEL}`,
    file: join(home, "Library", "LaunchAgents", `${LABEL}.plist`),
  }
  const logFile = join(home, "Library", "Logs", "basic-memory-sync.log")
  return {
    name: "launchd",
    file: service.file,
    logFile,
    text: (spec) => launchdPlist(spec, logFile),
    look: () => look(machine, service),
    async bringUp({ isFileNew, before }) {
      if (before.isKnown && !isFileNew) return launchctl(machine, ["kickstart", service.target])
      const unloaded = before.isKnown ? await unload(machine, service) : ok(undefined)
      if (!unloaded.ok) return unloaded
      // Whoever asks for it now has changed their mind, if it was disabled once.
      const enabled = await launchctl(machine, ["enable", service.target])
      return enabled.ok ? load(machine, service) : enabled
    },
    takeDown: async ({ isKnown }) => (isKnown ? unload(machine, service) : ok(undefined)),
    forget: async () => ok(undefined),
    linger: async () => undefined,
  }
}

interface Service {
  readonly domain: string
  readonly target: string
  readonly file: string
}

async function look({ run }: Machine, { target }: Service): Promise<Standing> {
  const { code, text } = await run(LAUNCHCTL, ["print", target])
  const isRunning = code === 0 && RUNNING.test(text)
  return { isKnown: code === 0, isUp: isRunning, isRunning }
}

/** Answers when it is gone: what is started before that is refused. */
async function unload(machine: Machine, service: Service): Promise<Done> {
  const args = ["bootout", service.target]
  const ran = await machine.run(LAUNCHCTL, args)
  const triesMax = GOING.has(ran.code) ? UNLOAD_TRIES_MAX : 1
  for (let tries = 1; (await look(machine, service)).isKnown; tries++) {
    if (tries >= triesMax) return failed(args, ran)
    await machine.wait(RETRY_MS)
  }
  return ok(undefined)
}

async function load({ run, wait }: Machine, { domain, file }: Service): Promise<Done> {
  const args = ["bootstrap", domain, file]
  for (let tries = 1; ; tries++) {
    const ran = await run(LAUNCHCTL, args)
    if (ran.code === 0) return ok(undefined)
    if (tries >= LOAD_TRIES_MAX || !NOT_YET.has(ran.code)) return failed(args, ran)
    await wait(RETRY_MS)
  }
}

async function launchctl({ run }: Machine, args: readonly string[]): Promise<Done> {
  const ran = await run(LAUNCHCTL, args)
  return ran.code === 0 ? ok(undefined) : failed(args, ran)
}

function failed(args: readonly string[], ran: Ran): Done {
  return err({ kind: "command_failed", command: ["launchctl", ...args].join(" "), ...ran })
}

function domainOf(userId: number): string {
  return `gui/${userId}`
}
