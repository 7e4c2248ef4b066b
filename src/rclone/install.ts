/**
 * Installs rclone with the package manager that this machine has: which command that is, and running it.
 *
 * Only packages of the platform. Nothing is downloaded by us, no script of a web page is run, and whoever calls has asked
 * the user before.
 */

import { spawn } from "node:child_process"
import { parse } from "node:path"
import { attempt, wordOf } from "../model/attempt.ts"
import type { Environment } from "./find.ts"

export interface InstallCommand {
  /** The name of a program; whoever runs it looks for its whole path. */
  readonly command: string
  readonly args: readonly string[]
  /** The same as the user would type it. */
  readonly shown: string
}

export interface Machine {
  readonly platform: NodeJS.Platform
  readonly isRoot: boolean
  /** Whether a program of this name is on PATH. */
  readonly has: (name: string) => boolean
}

export type InstallEnd =
  | { readonly kind: "ended"; readonly code: number }
  | { readonly kind: "killed"; readonly signal: string }
  /** `why` is the system's word for it. */
  | { readonly kind: "not_started"; readonly why: string }

interface Manager {
  readonly command: string
  readonly args: readonly string[]
  /** Who may run it. Homebrew refuses to be run by root. */
  readonly by: "root" | "anybody" | "not_root"
  /** The file that says it is there, and how it is typed, where the command is only what runs it. */
  readonly script?: { readonly file: string; readonly shown: string }
}

const HOMEBREW: Manager = { command: "brew", args: ["install", "rclone"], by: "not_root" }
/** In each list the first that is there is taken: the system's own before one that the user added. */
const LINUX: readonly Manager[] = [
  { command: "apt-get", args: ["install", "-y", "rclone"], by: "root" },
  { command: "dnf", args: ["install", "-y", "rclone"], by: "root" },
  { command: "yum", args: ["install", "-y", "rclone"], by: "root" },
  { command: "zypper", args: ["--non-interactive", "install", "rclone"], by: "root" },
  { command: "pacman", args: ["-S", "--needed", "--noconfirm", "rclone"], by: "root" },
  { command: "apk", args: ["add", "--no-cache", "rclone"], by: "root" },
  { command: "xbps-install", args: ["-y", "rclone"], by: "root" },
  HOMEBREW,
]
const MANAGERS: Readonly<Partial<Record<NodeJS.Platform, readonly Manager[]>>> = {
  linux: LINUX,
  android: [{ command: "pkg", args: ["install", "-y", "rclone"], by: "anybody" }],
  darwin: [HOMEBREW, { command: "port", args: ["-N", "install", "rclone"], by: "root" }],
  freebsd: [{ command: "pkg", args: ["install", "-y", "rclone"], by: "root" }],
  openbsd: [{ command: "pkg_add", args: ["-I", "rclone"], by: "root" }],
  win32: [
    {
      command: "winget",
      args: [
        "install",
        "--id=Rclone.Rclone",
        "--exact",
        "--source=winget",
        "--accept-package-agreements",
        "--accept-source-agreements",
      ],
      by: "anybody",
    },
    {
      command: "powershell",
      args: ["-NoProfile", "-NonInteractive", "-Command", "scoop install rclone"],
      by: "anybody",
      script: { file: "scoop.cmd", shown: "scoop install rclone" },
    },
    { command: "choco", args: ["install", "rclone", "-y"], by: "anybody" },
  ],
}

/** Asks for the password itself, on the terminal. */
const ELEVATORS = ["sudo", "doas"]

/** Absent where there is no manager, or none that this user may run. */
export function installCommand({ platform, isRoot, has }: Machine): InstallCommand | undefined {
  const elevator = ELEVATORS.find(has)
  for (const { command, args, by, script } of MANAGERS[platform] ?? []) {
    if (!has(command) || (script !== undefined && !has(script.file))) continue
    if (by === "not_root" && isRoot) continue
    if (by !== "root" || isRoot) return { command, args, shown: script?.shown ?? shown(command, args) }
    if (elevator !== undefined)
      return { command: elevator, args: [command, ...args], shown: shown(elevator, [command, ...args]) }
  }
  return undefined
}

function shown(command: string, args: readonly string[]): string {
  return [command, ...args].join(" ")
}

/**
 * Runs it without a shell of ours and without an input. There is no limit of time: a package manager that is killed in the
 * middle leaves half a package, and the user sees what it says and can stop it.
 */
export function runInstall(
  { args }: Pick<InstallCommand, "args">,
  at: {
    /** The whole path of the command. */
    readonly program: string
    readonly environment: Environment
    /** Called with each piece of what it says, as it says it. */
    readonly onOutput: (text: string) => void
  },
): Promise<InstallEnd> {
  return new Promise((resolve) => {
    const child = attempt(() =>
      spawn(at.program, args, {
        cwd: parse(at.program).root,
        env: withoutSecrets(at.environment),
        stdio: ["ignore", "pipe", "pipe"],
        shell: false,
        windowsHide: true,
      }),
    )
    if (!child.ok) {
      resolve({ kind: "not_started", why: child.error })
      return
    }
    const { stdout, stderr } = child.value
    for (const stream of [stdout, stderr]) stream.setEncoding("utf8").on("data", at.onOutput)
    child.value.once("error", (error) => resolve({ kind: "not_started", why: wordOf(error) }))
    child.value.once("close", (code, signal) =>
      resolve(code === null ? { kind: "killed", signal: signal ?? "" } : { kind: "ended", code }),
    )
  })
}

/** A package manager needs its proxies and its settings; the keys of our remotes are not among them. */
function withoutSecrets(environment: Environment): NodeJS.ProcessEnv {
  return Object.fromEntries(
    Object.entries(environment).filter(([name]) => !/^(?:AWS|RCLONE|BASIC_MEMORY)_/i.test(name)),
  )
}
