/**
 * Finds rclone, once, and asks it for its version. Whoever runs rclone runs the path that came from here.
 *
 * Looks only in the directories it is given, those of PATH, and only where they are whole: never where the user happens
 * to stand, never in a directory that notes are synced into. The name is answered as it was found and not what its
 * symbolic links lead to, because snaps and version managers look at the name to know which program is meant.
 */

import { execFile } from "node:child_process"
import { accessSync, constants, realpathSync, statSync } from "node:fs"
import { dirname, parse, posix, win32 } from "node:path"
import { err, ok, type Result } from "../model/result.ts"
import { attempt } from "../model/attempt.ts"

export interface Surroundings {
  readonly platform: NodeJS.Platform
  /** PATH, split; what is empty or relative in it is passed over. */
  readonly directories: readonly string[]
  /** Nothing that lies in one of these is run, by whatever name: the sync directory, a folder that is a remote. */
  readonly forbidden: readonly string[]
}

export type Environment = Readonly<Record<string, string | undefined>>

export interface RcloneVersion {
  /** Three numbers, such as `1.76.0`. */
  readonly text: string
  readonly isSupported: boolean
  readonly isRecommended: boolean
}

export type FoundRclone =
  | { readonly kind: "missing" }
  | { readonly kind: "broken"; readonly path: string; readonly why: string }
  | { readonly kind: "too_old"; readonly path: string; readonly version: RcloneVersion }
  | { readonly kind: "found"; readonly path: string; readonly version: RcloneVersion }

const VERSION_MS_MAX = 10_000
const VERSION_BYTES_MAX = 64 * 1024

/** The one that Debian 12 has. */
const SUPPORTED = [1, 60, 1] as const
const RECOMMENDED = [1, 72, 0] as const

/** What a program may need to start at all, and nothing that could change what rclone does. */
const KEPT_NAMES = [
  "HOME",
  "USERPROFILE",
  "PATH",
  "Path",
  "SYSTEMROOT",
  "SystemRoot",
  "TMPDIR",
  "TEMP",
  "TMP",
]

export async function findRclone(
  at: Surroundings & { readonly environment: Environment },
): Promise<FoundRclone> {
  const path = findProgram("rclone", at)
  if (path === undefined) return { kind: "missing" }
  const version = await versionOf(path, { environment: at.environment })
  if (!version.ok) return { kind: "broken", path, why: version.error }
  return { kind: version.value.isSupported ? "found" : "too_old", path, version: version.value }
}

/** The first executable regular file of this name, by its whole path. */
export function findProgram(name: string, at: Surroundings): string | undefined {
  const forbidden = new Set(at.forbidden.flatMap((directory) => identityOf(directory) ?? []))
  return programPaths(name, at).find((path) => isProgram(path) && !isInside(path, forbidden))
}

/** Where a program of this name could lie, in the order of PATH. */
export function programPaths(
  name: string,
  { platform, directories }: Pick<Surroundings, "platform" | "directories">,
): readonly string[] {
  if (platform !== "win32")
    return directories.filter(posix.isAbsolute).map((directory) => posix.join(directory, name))
  // Windows takes quotes around an entry, and calls a path whole that depends on the drive one stands on.
  return directories
    .map((directory) => directory.replace(/^"(.*)"$/, "$1"))
    .filter((directory) => /^(?:[a-z]:[\\/]|\\\\)/i.test(directory))
    .map((directory) => win32.join(directory, /\.[a-z]+$/i.test(name) ? name : `${name}.exe`))
}

function isProgram(path: string): boolean {
  const asked = attempt(() => {
    accessSync(path, constants.X_OK)
    return statSync(path).isFile()
  })
  return asked.ok && asked.value
}

/** Both the name and what it leads to are asked: a link in a synced folder can be made to lead elsewhere tomorrow. */
function isInside(path: string, directories: ReadonlySet<string>): boolean {
  if (directories.size === 0) return false
  return [path, realPathOf(path)].some((each) => each === undefined || isBelow(each, directories))
}

/** By what the disk calls the same directory, so that no other spelling of its name leads around it. */
function isBelow(path: string, directories: ReadonlySet<string>): boolean {
  const parent = realPathOf(dirname(path))
  if (parent === undefined) return true
  for (let at = parent; ; at = dirname(at)) {
    const identity = identityOf(at)
    if (identity === undefined || directories.has(identity)) return true
    if (dirname(at) === at) return false
  }
}

function realPathOf(path: string): string | undefined {
  const real = attempt(() => realpathSync(path))
  return real.ok ? real.value : undefined
}

/** Nothing for what is not there: then nothing lies in it either. */
function identityOf(directory: string): string | undefined {
  const stat = attempt(() => statSync(directory, { bigint: true }))
  return stat.ok ? `${stat.value.dev}:${stat.value.ino}` : undefined
}

/** The error is a word of the system's or of ours; what the program printed is not repeated. */
export function versionOf(
  path: string,
  { environment, timeMsMax = VERSION_MS_MAX }: { readonly environment: Environment; timeMsMax?: number },
): Promise<Result<RcloneVersion, string>> {
  const options = {
    // Not where the user stands, whose files a version manager would read.
    cwd: parse(path).root,
    env: versionEnvironment(environment),
    timeout: timeMsMax,
    killSignal: "SIGKILL",
    maxBuffer: VERSION_BYTES_MAX,
    windowsHide: true,
  } as const
  return new Promise((resolve) => {
    const started = attempt(() =>
      execFile(path, ["version"], options, (error, stdout) => {
        const version = error === null ? parseVersion(stdout) : undefined
        if (version !== undefined) resolve(ok(version))
        else resolve(err(error === null ? "no version" : failureWord(error)))
      }),
    )
    if (!started.ok) resolve(started)
  })
}

function versionEnvironment(environment: Environment): NodeJS.ProcessEnv {
  const kept = KEPT_NAMES.flatMap((name) => {
    const value = environment[name]
    return value === undefined ? [] : [[name, value] as const]
  })
  // Without this the mere question makes a configuration directory in the user's home.
  return Object.fromEntries([...kept, ["RCLONE_CONFIG", "notfound"]])
}

function failureWord({ code, killed }: { code?: string | number | null; killed?: boolean }): string {
  if (typeof code === "string") return code
  if (killed === true) return "no answer in time"
  return typeof code === "number" ? `exit code ${code}` : "killed"
}

/** Reads the first line of `rclone version`; what follows the numbers (`-DEV`, `-beta.8523.abc`) makes no difference. */
export function parseVersion(text: string): RcloneVersion | undefined {
  const found = /^rclone v(\d{1,5})\.(\d{1,5})(?:\.(\d{1,5}))?(?![\d\w])/.exec(text)
  if (found === null) return undefined
  const numbers = found.slice(1).map((part) => Number(part ?? 0))
  return {
    text: numbers.join("."),
    isSupported: isAtLeast(numbers, SUPPORTED),
    isRecommended: isAtLeast(numbers, RECOMMENDED),
  }
}

function isAtLeast(numbers: readonly number[], wanted: readonly number[]): boolean {
  const different = wanted.findIndex((number, index) => numbers[index] !== number)
  return different === -1 || (numbers[different] ?? 0) > (wanted[different] ?? 0)
}
