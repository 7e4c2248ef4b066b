/**
 * `bm sync --watch` as a real process, and the conditions that a test waits for: what it has said, when it runs next, what
 * a folder holds. A test never waits for a time; a condition that does not come fails it with what there was instead.
 *
 * A watcher begins with an input that nobody closes, and is killed by its own id when its test ends.
 */

import type { ChildProcess } from "node:child_process"
import { type Dirent, existsSync, lstatSync, readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { setTimeout as delay } from "node:timers/promises"
import { expect, onTestFinished } from "vitest"
import type { Heartbeat } from "../../src/engine/watch-file.ts"
import { type Device, ended, type Ran } from "./bm.ts"
import { on, type S3World } from "./s3-world.ts"

/** Longer than everything that a test here does on a busy machine. */
export const TEST_MS_MAX = 300_000
/** Longer than any condition here takes to come. */
const CONDITION_MS_MAX = 90_000
const LOOK_EVERY_MS = 10
/** No watcher here looks at the cloud by itself, unless its test says so: what arrives does so because of a hint. */
export const HOURLY = ["--interval", "3600"] as const
/** Longer than a hint or a run that was busy is waited for, shorter than the interval. */
const REST_MS = 60_000

export type Watched = Pick<Device, "dir" | "start" | "state">

export interface Watcher {
  readonly child: ChildProcess
  readonly pid: number
  /** What it has said so far. */
  out(): string
  err(): string
  /** Lines of both streams that match. */
  lines(pattern: RegExp): readonly string[]
  says(pattern: RegExp): Promise<void>
  /** Waits until its first run is over. */
  begins(): Promise<void>
  /** Waits until it has nothing to do before its interval is over. */
  rests(): Promise<void>
  /** Tells it to stop, and waits for its end. */
  stop(signal?: NodeJS.Signals): Promise<Ran>
  readonly ended: Promise<Ran>
}

export function startWatch(
  device: Watched,
  args: readonly string[] = HOURLY,
  env: Readonly<Record<string, string>> = {},
): Watcher {
  return watcherOf(device, device.start(env, "sync", "--watch", ...args))
}

/** Of a process that was started in another way. */
export function watcherOf(device: Pick<Device, "state">, child: ChildProcess): Watcher {
  const { pid } = child
  if (pid === undefined) throw new Error("the watcher did not start")
  let [out, err] = ["", ""]
  child.stdout?.on("data", (piece: Buffer) => (out += piece.toString()))
  child.stderr?.on("data", (piece: Buffer) => (err += piece.toString()))
  const end = ended(child)
  let isOver = false
  void end.then(() => {
    isOver = true
  })
  onTestFinished(async () => {
    if (!isOver) child.kill("SIGKILL")
    await end
  })
  const said = () => `${out}${err}`
  const expectRuns = (what: string) => {
    if (isOver) throw new Error(`it ended before ${what}:\n${said()}`)
  }
  const comes = (what: string, isSo: () => boolean) =>
    until(what, () => {
      if (isSo()) return true
      expectRuns(what)
      return false
    }).catch((error: unknown) => {
      throw new Error(`${String(error)}\n${said()}`)
    })
  return {
    child,
    pid,
    out: () => out,
    err: () => err,
    lines: (pattern) => `${out}\n${err}`.split("\n").filter((line) => pattern.test(line)),
    says: (pattern) => comes(`it says ${pattern}`, () => pattern.test(said())),
    begins: () => comes("its first run is over", () => nextMs(device) > 0),
    rests: () => comes("it rests", () => nextMs(device) > Date.now() + REST_MS),
    async stop(signal = "SIGINT") {
      child.kill(signal)
      return end
    },
    ended: end,
  }
}

/** Waits for a condition; what it throws at the end is part of the failure. */
export async function until(what: string, isSo: () => boolean | Promise<boolean>): Promise<void> {
  const giveUpMs = Date.now() + CONDITION_MS_MAX
  while (!(await isSo())) {
    if (Date.now() > giveUpMs) throw new Error(`waited in vain: ${what}`)
    await delay(LOOK_EVERY_MS)
  }
}

export function heartbeatFile(device: Pick<Device, "state">): string {
  return join(device.state(), "watch.json")
}

/** As it stands in the file, whoever wrote it. */
export function heartbeat(device: Pick<Device, "state">): Heartbeat | undefined {
  const file = heartbeatFile(device)
  return existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as Heartbeat) : undefined
}

/** When the watcher runs next, as its heartbeat says; Unix milliseconds, 0 before the first one. */
export function nextMs(device: Pick<Device, "state">): number {
  return Date.parse(heartbeat(device)?.next_at ?? "1970-01-01")
}

/** Ends a watcher as Ctrl+C does, and looks at what it leaves. */
export async function expectStops(device: Pick<Device, "state">, watcher: Watcher): Promise<Ran> {
  const ran = await watcher.stop()
  expect(ran, ran.out + ran.err).toMatchObject({ exit: 0, signal: null })
  expect(ran.out).toMatch(/^Stopped after \d+ runs?; nothing is half done\.\n$/m)
  expect(existsSync(heartbeatFile(device))).toBe(false)
  return ran
}

/** Waits until the remote folder holds the notes of the directory, no more and no less. */
export async function untilEqual(directory: string, remote: string): Promise<void> {
  await until("the remote holds what is here", () => isEqual(directory, remote)).catch((error: unknown) => {
    const [here, there] = [filesIn(directory), filesIn(remote)]
    const only = (some: readonly string[], others: readonly string[]) =>
      some.filter((path) => !others.includes(path)).slice(0, 5)
    throw new Error(
      `${String(error)}: only here ${only(here, there).join()}, only there ${only(there, here).join()}`,
    )
  })
}

function isEqual(directory: string, remote: string): boolean {
  const [here, there] = [filesIn(directory), filesIn(remote)]
  if (here.length !== there.length || here.some((path, at) => path !== there[at])) return false
  return here.every((path) => {
    const text = textIn(remote, path)
    return text !== undefined && text === textIn(directory, path)
  })
}

/** Paths of what is synced, in order; a directory may go while it is read. */
export function filesIn(root: string): readonly string[] {
  const paths: string[] = []
  const visit = (below: string) => {
    for (const entry of entriesOf(join(root, below))) {
      if (entry.name === ".basic-memory" || entry.name === ".git") continue
      const path = below === "" ? entry.name : `${below}/${entry.name}`
      if (entry.isDirectory()) visit(path)
      else paths.push(path)
    }
  }
  visit("")
  return paths.toSorted()
}

function entriesOf(directory: string): readonly Dirent[] {
  try {
    return readdirSync(directory, { withFileTypes: true })
  } catch {
    return []
  }
}

export interface Sightings {
  /** Looks once at every file that is new or changed since the last look. */
  look(): void
  /** Paths with a text that no user had finished there. */
  readonly partial: readonly string[]
  readonly seen: number
}

/**
 * Watches a remote folder for what nobody wrote: each version that a look meets must be one that `isWhole` knows. What
 * comes and goes between two looks is not met.
 */
export function sightingsOf(remote: string, isWhole: (path: string, text: string) => boolean): Sightings {
  const known = new Map<string, string>()
  const partial: string[] = []
  let seen = 0
  const judge = (path: string) => {
    const file = join(remote, path)
    const version = versionOf(file)
    if (version === undefined || known.get(path) === version) return
    const text = textIn(remote, path)
    if (text === undefined) return
    known.set(path, version)
    seen += 1
    if (!isWhole(path, text)) partial.push(`${path} (${text.length} characters)`)
  }
  return {
    look: () => filesIn(remote).forEach(judge),
    partial,
    get seen() {
      return seen
    },
  }
}

function versionOf(file: string): string | undefined {
  const stat = lstatSync(file, { bigint: true, throwIfNoEntry: false })
  return stat === undefined ? undefined : `${stat.ino} ${stat.mtimeNs} ${stat.size}`
}

/** Nothing where there is no such file, as in the moment in which one is replaced. */
export function textIn(root: string, path: string): string | undefined {
  try {
    return readFileSync(join(root, path), "utf8")
  } catch {
    return undefined
  }
}

/** Lines of `--json`; each must be JSON and say what it is. */
export function eventsOf(out: string): readonly WatchEvent[] {
  const lines = out.split("\n")
  // What is written is written by the line.
  expect(lines.pop()).toBe("")
  return lines.map((line) => {
    const event = JSON.parse(line) as WatchEvent
    expect(event).toMatchObject({ schema: "bm.event/1", type: expect.any(String) })
    return event
  })
}

export interface WatchEvent {
  readonly type: string
  readonly [key: string]: unknown
}

/** Holds the next note that is sent on its way to the server. */
export function holdOne({ proxy }: Pick<S3World, "proxy">): {
  readonly isHeld: Promise<void>
  letGo(): void
} {
  let letGo: () => void = () => undefined
  let arrived: () => void = () => undefined
  const isHeld = new Promise<void>((resolve) => {
    arrived = resolve
  })
  const until = new Promise<void>((resolve) => {
    letGo = resolve
  })
  proxy.faults.push({
    act: "hold",
    times: 1,
    until: () => {
      arrived()
      return until
    },
    ...on("PUT"),
  })
  return { isHeld, letGo: () => letGo() }
}
