/**
 * The real command in real processes: devices with a home of their own, and the folder that they share as remote.
 *
 * Everything lies in one temporary directory that goes when the test ends. Nothing of the tester's own environment,
 * home or configuration is used.
 */

import { execFile, type ChildProcess, spawn, spawnSync } from "node:child_process"
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { expect, onTestFinished } from "vitest"

export const MAIN = fileURLToPath(new URL("../../dist/main.js", import.meta.url))
/** Longer than any run here takes on a busy machine; a process that hangs fails its test. */
const PROCESS_MS_MAX = 60_000

export interface Ran {
  readonly exit: number | null
  readonly signal: NodeJS.Signals | null
  readonly out: string
  readonly err: string
}

export interface Device {
  readonly home: string
  /** The sync directory. */
  readonly dir: string
  readonly stateRoot: string
  /** `bm` with these arguments. No output may show a stack trace. */
  run(...args: readonly string[]): Promise<Ran>
  runWith(env: Readonly<Record<string, string>>, ...args: readonly string[]): Promise<Ran>
  /** As another user of the machine; needs root and `setpriv`. */
  runAs(user: number, ...args: readonly string[]): Promise<Ran>
  start(env: Readonly<Record<string, string>>, ...args: readonly string[]): ChildProcess
  bisync(...args: readonly string[]): Promise<Ran>
  setUp(): Promise<Ran>
  /** Directory of the journal, the history and the lock; there is one once the device is set up. */
  state(): string
}

export interface Cloud {
  readonly root: string
  readonly remote: string
  device(name: string): Device
}

export function newCloud(): Cloud {
  const root = mkdtempSync(join(tmpdir(), "bm-process-"))
  onTestFinished(() => rmSync(root, { recursive: true, force: true }))
  const remote = join(root, "remote")
  mkdirSync(remote)
  return { root, remote, device: (name) => newDevice(join(root, name), remote) }
}

export function newDevice(
  home: string,
  remote: string,
  places: { readonly dir?: string; readonly stateRoot?: string } = {},
): Device {
  const { dir = join(home, "notes"), stateRoot = join(home, ".basic-memory") } = places
  for (const directory of [home, dir]) mkdirSync(directory, { recursive: true })
  const environment = (env: Readonly<Record<string, string>>) => ({
    PATH: process.env["PATH"] ?? "",
    HOME: home,
    LC_ALL: "C.UTF-8",
    ...(places.stateRoot !== undefined && { BASIC_MEMORY_CONFIG_DIR: places.stateRoot }),
    ...env,
  })
  const runWith = (env: Readonly<Record<string, string>>, ...args: readonly string[]) =>
    execute([process.execPath, MAIN, ...args], { env: environment(env), cwd: home })
  const run = (...args: readonly string[]) => runWith({}, ...args)
  return {
    home,
    dir,
    stateRoot,
    run,
    runWith,
    runAs(user, ...args) {
      const as = ["setpriv", `--reuid=${user}`, `--regid=${user}`, "--clear-groups", "--"]
      return execute([...as, process.execPath, MAIN, ...args], { env: environment({}), cwd: home })
    },
    start: (env, ...args) =>
      spawn(process.execPath, [MAIN, ...args], { env: environment(env), cwd: home, stdio: "pipe" }),
    bisync: (...args) => run("cloud", "bisync", ...args),
    async setUp() {
      const done = await run("cloud", "bisync-setup", "--dir", dir, "--remote", `file:${remote}`)
      expect(done, done.err).toMatchObject({ exit: 0 })
      return done
    },
    state() {
      const states = join(stateRoot, "bisync-state")
      const [name] = readdirSync(states).filter((each) => !each.includes(".before-"))
      if (name === undefined) throw new Error("the device has no state")
      return join(states, name)
    },
  }
}

function execute(
  [program = "", ...args]: readonly string[],
  options: { readonly env: Record<string, string>; readonly cwd: string },
): Promise<Ran> {
  return new Promise((resolve, reject) => {
    const limits = { encoding: "utf8", timeout: PROCESS_MS_MAX, killSignal: "SIGKILL" } as const
    const child = execFile(program, args, { ...options, ...limits }, (_, out, err) => {
      const ran = { exit: child.exitCode, signal: child.signalCode, out, err }
      if (STACK.test(out + err))
        reject(new Error(`a stack trace in the output of ${args.join(" ")}:\n${out}${err}`))
      else resolve(ran)
    })
    child.stdin?.end()
  })
}

/** A line of a stack trace, or what Node prints of an exception that nobody caught. */
const STACK = /^\s+at .+:\d+:\d+\)?$|under BM_DEBUG=1|Unhandled|Node\.js v\d/m

/** Waits until the process has ended. */
export function ended(child: ChildProcess): Promise<Ran> {
  return new Promise((resolve) => {
    let [out, err] = ["", ""]
    child.stdout?.on("data", (piece: Buffer) => (out += piece.toString()))
    child.stderr?.on("data", (piece: Buffer) => (err += piece.toString()))
    child.on("close", (exit, signal) => resolve({ exit, signal, out, err }))
  })
}

/** Writes a file and makes its parents; with a time, that is its modification time. */
export function put(directory: string, path: string, text: string, mtimeMs?: number): void {
  const file = join(directory, path)
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, text)
  if (mtimeMs !== undefined) utimesSync(file, mtimeMs / 1000, mtimeMs / 1000)
}

/** Every regular file of a user: not of our own directories, never through a link. */
export function notesIn(directory: string): ReadonlyMap<string, string> {
  const notes = new Map<string, string>()
  const visit = (path: string) => {
    for (const name of readdirSync(join(directory, path)).toSorted()) {
      if (path === "" && (name === ".basic-memory" || name === ".git")) continue
      const at = path === "" ? name : `${path}/${name}`
      const stat = lstatSync(join(directory, at))
      if (stat.isDirectory()) visit(at)
      else if (stat.isFile()) notes.set(at, readFileSync(join(directory, at), "utf8"))
    }
  }
  visit("")
  return notes
}

/** A dry run shows nothing left to do. */
export async function expectSettled(device: Device): Promise<void> {
  const dry = await device.bisync("--dry-run", "--json")
  expect(dry, dry.err).toMatchObject({ exit: 0 })
  expect(JSON.parse(dry.out)).toMatchObject({ verdict: "nothing", actions: [] })
}

export const hasGit = spawnSync("git", ["--version"]).status === 0

/** Every version that the history store holds, whether or not a commit names it. */
export function versionsInHistory(device: Device): ReadonlySet<string> {
  const gitDirectory = join(device.state(), "history.git")
  if (!existsSync(gitDirectory)) return new Set()
  const listed = git(gitDirectory, [
    "cat-file",
    "--batch-all-objects",
    "--batch-check=%(objectname) %(objecttype)",
  ])
  const blobs = listed
    .split("\n")
    .flatMap((line) => (line.endsWith(" blob") ? [line.split(" ")[0] ?? ""] : []))
  const versions = new Set<string>()
  let rest = spawnSync("git", ["--git-dir", gitDirectory, "cat-file", "--batch"], {
    input: blobs.join("\n"),
    env: GIT_ENVIRONMENT,
    maxBuffer: 64 * 1024 * 1024,
  }).stdout
  while (rest.length > 0) {
    const end = rest.indexOf("\n")
    const size = Number(rest.subarray(0, end).toString().split(" ")[2])
    versions.add(rest.subarray(end + 1, end + 1 + size).toString())
    rest = rest.subarray(end + 1 + size + 1)
  }
  return versions
}

export function expectSoundHistory(device: Device): void {
  const gitDirectory = join(device.state(), "history.git")
  const args = ["--git-dir", gitDirectory, "fsck", "--strict", "--no-dangling", "--no-progress"]
  const checked = spawnSync("git", args, { env: GIT_ENVIRONMENT, encoding: "utf8" })
  expect({ status: checked.status, said: checked.stdout + checked.stderr }).toEqual({ status: 0, said: "" })
}

function git(gitDirectory: string, args: readonly string[]): string {
  const ran = spawnSync("git", ["--git-dir", gitDirectory, ...args], {
    env: GIT_ENVIRONMENT,
    encoding: "utf8",
  })
  if (ran.status !== 0) throw new Error(`git ${args.join(" ")}: ${ran.stderr}`)
  return ran.stdout
}

const GIT_ENVIRONMENT = {
  PATH: process.env["PATH"] ?? "",
  HOME: "/nonexistent",
  GIT_CONFIG_NOSYSTEM: "1",
  GIT_CONFIG_GLOBAL: "/dev/null",
  LC_ALL: "C",
}

/** A missing part of the machine skips a test with the reason, or fails it where the part is required. */
export function isMissing(isThere: boolean, part: string): boolean {
  if (isThere) return false
  if ((process.env["BM_REQUIRE"] ?? "").split(",").includes(part))
    throw new Error(`${part} is required and missing`)
  return true
}
