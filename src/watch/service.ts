/**
 * The texts that a service manager reads: the unit of systemd's user manager, and the property list of launchd. PURE.
 *
 * A service file is no secret (systemd tells its environment to everybody on the machine), so of the environment only
 * what says where things are goes into it, by name; keys and tokens never do.
 */

import { err, ok, type Result } from "../model/result.ts"
import type { Unfit } from "../model/service-refusal.ts"

export const UNIT = "basic-memory-sync.service"
export const LABEL = "com.basicmemory.sync"

export type ManagerName = "systemd-user" | "launchd"

export interface ServiceSpec {
  /** What runs: a program by its absolute path, its script likewise, and what follows. */
  readonly program: string
  readonly script: string
  readonly arguments: readonly string[]
  /** Of the shell that installs it. */
  readonly environment: Readonly<Record<string, string | undefined>>
  /** Absolute; written down where the environment moved it. */
  readonly stateRoot: string
}

/** By it a watcher knows that it was started as a service. */
const SERVICE_MARK = "BASIC_MEMORY_SERVICE"
const HOSTS = ["BASIC_MEMORY_API_URL", "BASIC_MEMORY_CLOUD_HOST"] as const
/** Where rclone.conf lies; a relative one would mean another file in the service. */
const PLACES = ["RCLONE_CONFIG", "XDG_CONFIG_HOME"] as const
const SECRETS = ["AWS_ACCESS_KEY_ID", "RCLONE_CONFIG_PASS"] as const

const UNWRITABLE = /[\p{Cc}\p{Cs}\ufffe\uffff]/u
/** What may hold a password or a token in a URL. A host that is told like this is refused elsewhere too. */
const URL_SECRET = /[@?#]/
const RESTART_STEPS_VERSION = 254
const STOP_S_MAX = 90

/** The words after the script; without an interval the setting decides at each start. */
export function watchArguments(options: {
  readonly intervalS?: number | undefined
  readonly project?: string | undefined
}): readonly string[] {
  const { intervalS, project } = options
  return [
    "sync",
    "--watch",
    ...(intervalS === undefined ? [] : [`--interval=${intervalS}`]),
    ...(project === undefined ? [] : [`--project=${project}`]),
  ]
}

/** The manager that started this process; `undefined` where somebody else did. */
export function startedBy(environment: ServiceSpec["environment"]): ManagerName | undefined {
  const mark = environment[SERVICE_MARK]
  return mark === "systemd-user" || mark === "launchd" ? mark : undefined
}

/** Names of secrets that this shell has and a service of its user does not get. */
export function unseenSecrets(environment: ServiceSpec["environment"]): readonly string[] {
  return SECRETS.filter((name) => hasText(environment[name]))
}

/**
 * The unit for systemd.
 *
 * Units: `version` is the number of systemd, as in 252; older ones than 254 know one delay between restarts only.
 */
export function systemdUnit(
  spec: ServiceSpec,
  at: { readonly version: number | undefined; readonly isSandboxed: boolean },
): Result<string, Unfit> {
  const { program, script } = spec
  const unfit = unfitWord(spec)
  if (unfit !== undefined) return err(unfit)
  // It undoes quotes before it judges the path of a program, and takes none that has any of these.
  if (/["'\\]/.test(program)) return err({ what: program, why: "special_character" })
  const environment = serviceEnvironment(spec, "systemd-user")
  if (!environment.ok) return environment
  // A `$` in the program's own path is not special, and would stay doubled.
  const command = [
    quote(program),
    ...[script, ...spec.arguments].map((word) => quote(word.replace(/\$/g, "$$$$"))),
  ]
  return ok(
    lines([
      `# Written by bm sync --install-service, which replaces it. Changes of your own: systemctl --user edit ${UNIT}`,
      "[Unit]",
      "Description=Basic Memory sync",
      "StartLimitIntervalSec=0",
      "",
      "[Service]",
      "Type=exec",
      `ExecStart=${command.join(" ")}`,
      ...environment.value.map(([name, value]) => `Environment=${quote(`${name}=${value}`)}`),
      ...restart(at.version),
      // Only the watcher is told to stop: the programs that it started are at work for the run that it ends.
      "KillMode=mixed",
      `TimeoutStopSec=${STOP_S_MAX}`,
      "SyslogIdentifier=basic-memory-sync",
      "LimitCORE=0",
      ...(at.isSandboxed ? SANDBOX : []),
      "",
      "[Install]",
      "WantedBy=default.target",
    ]),
  )
}

/**
 * Nothing here needs a namespace: for those a user's manager needs more than many systems allow, and then the service
 * would not start. Nor memory that is never both written and run, which Node's compiler cannot do without.
 */
const SANDBOX = ["NoNewPrivileges=yes", "LockPersonality=yes", "RestrictRealtime=yes", "RestrictSUIDSGID=yes"]

/** Wrong usage stays wrong; anything else may pass, so it is never given up. */
function restart(version: number | undefined): readonly string[] {
  const hasSteps = version !== undefined && version >= RESTART_STEPS_VERSION
  return [
    "Restart=on-failure",
    ...(hasSteps ? ["RestartSec=5", "RestartSteps=6", "RestartMaxDelaySec=300"] : ["RestartSec=30"]),
    "RestartPreventExitStatus=64",
  ]
}

/** The property list for launchd. `logFile`: where it writes what the watcher says. */
export function launchdPlist(spec: ServiceSpec, logFile: string): Result<string, Unfit> {
  const unfit = unfitWord(spec) ?? unfitText(logFile)
  if (unfit !== undefined) return err(unfit)
  const environment = serviceEnvironment(spec, "launchd")
  if (!environment.ok) return environment
  const words = [spec.program, spec.script, ...spec.arguments]
  return ok(
    lines([
      `<?xml version="1.0" encoding="UTF-8"?>`,
      `<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">`,
      `<plist version="1.0">`,
      "<dict>",
      ...entry("Label", [string(LABEL)]),
      ...entry("ProgramArguments", ["<array>", ...words.map((word) => `  ${string(word)}`), "</array>"]),
      ...entry("EnvironmentVariables", [
        "<dict>",
        ...environment.value.flatMap(([name, value]) => entry(name, [string(value)])),
        "</dict>",
      ]),
      ...entry("RunAtLoad", ["<true/>"]),
      ...entry("KeepAlive", ["<dict>", ...entry("SuccessfulExit", ["<false/>"]), "</dict>"]),
      ...entry("ThrottleInterval", ["<integer>30</integer>"]),
      ...entry("ExitTimeOut", [`<integer>${STOP_S_MAX}</integer>`]),
      ...entry("StandardOutPath", [string(logFile)]),
      ...entry("StandardErrorPath", [string(logFile)]),
      "</dict>",
      "</plist>",
    ]),
  )
}

type Variable = readonly [name: string, value: string]

function serviceEnvironment(spec: ServiceSpec, manager: ManagerName): Result<readonly Variable[], Unfit> {
  const { environment, stateRoot } = spec
  const path = searchPath(environment.PATH ?? "")
  const isMoved = hasText(environment.BASIC_MEMORY_CONFIG_DIR)
  const given = (names: readonly string[]) =>
    names.flatMap((name): readonly Variable[] => {
      const value = environment[name]
      return hasText(value) ? [[name, value]] : []
    })
  const hosts = given(HOSTS)
  const secret = hosts.find(([, value]) => URL_SECRET.test(value))
  if (secret !== undefined) return err({ what: secret[0], why: "secret" })
  const variables: readonly Variable[] = [
    ...(path === "" ? [] : [["PATH", path] as const]),
    ...(isMoved ? [["BASIC_MEMORY_CONFIG_DIR", stateRoot] as const] : []),
    ...given(PLACES).filter(([, value]) => value.startsWith("/")),
    ...hosts,
    [SERVICE_MARK, manager],
  ]
  const unfit = variables.find(([, value]) => UNWRITABLE.test(value))
  return unfit === undefined ? ok(variables) : err({ what: unfit[0], why: "control_character" })
}

/** What is relative in it means another directory in a service, and what cannot be written is nobody's. */
function searchPath(text: string): string {
  const whole = text
    .split(":")
    .filter((directory) => directory.startsWith("/") && !UNWRITABLE.test(directory))
  return [...new Set(whole)].join(":")
}

function unfitWord(spec: ServiceSpec): Unfit | undefined {
  const { program, script, stateRoot } = spec
  const relative = [program, script, stateRoot].find((path) => !path.startsWith("/"))
  if (relative !== undefined) return { what: relative, why: "not_absolute" }
  return [program, script, ...spec.arguments].map(unfitText).find((unfit) => unfit !== undefined)
}

function unfitText(text: string): Unfit | undefined {
  return UNWRITABLE.test(text) ? { what: text, why: "control_character" } : undefined
}

/** By the rules of systemd.syntax(7); a `%` begins a specifier in every setting that is used here. */
function quote(word: string): string {
  return `"${word.replace(/["\\]/g, "\\$&").replace(/%/g, "%%")}"`
}

function entry(key: string, value: readonly string[]): readonly string[] {
  return [`<key>${escapeXml(key)}</key>`, ...value].map((line) => `  ${line}`)
}

function string(text: string): string {
  return `<string>${escapeXml(text)}</string>`
}

function escapeXml(text: string): string {
  return text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;")
}

function hasText(value: string | undefined): value is string {
  return value !== undefined && value !== ""
}

function lines(texts: readonly string[]): string {
  return `${texts.join("\n")}\n`
}
