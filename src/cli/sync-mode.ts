/**
 * What `bm sync` is asked for: one run, a watch, a pause or its end, a service or its end; and which options go with which.
 *
 * One that would mean nothing is refused rather than passed over: who wrote it expects something of it.
 */

import { parseCount } from "./command.ts"

export type SyncMode =
  | {
      readonly kind: "run"
      readonly isDryRun: boolean
      readonly confirmedDeletes: number | undefined
      readonly project: string | undefined
    }
  | { readonly kind: "watch"; readonly intervalS: number | undefined; readonly project: string | undefined }
  /** `length` is as it was typed; without one the pause has no end. */
  | { readonly kind: "pause"; readonly length: string | undefined }
  | { readonly kind: "resume" }
  | {
      readonly kind: "install"
      readonly isDryRun: boolean
      readonly intervalS: number | undefined
      readonly project: string | undefined
    }
  | { readonly kind: "uninstall"; readonly isDryRun: boolean }

export interface SyncOptions {
  readonly watch: boolean
  /** True where no length is behind its `=`; false is what `--no-pause` says. */
  readonly pause: string | boolean | undefined
  readonly resume: boolean
  readonly installService: boolean
  readonly uninstallService: boolean
  readonly interval: string | undefined
  readonly project: string | undefined
  readonly confirmDeletes: string | undefined
  readonly dryRun: boolean
  /** What stands there by itself; after `--pause` it is its length. */
  readonly word: string | undefined
}

type Refused = { readonly code: "usage"; readonly message: string }
type Parsed =
  | { readonly ok: true; readonly value: SyncMode }
  | { readonly ok: false; readonly error: Refused }

type Flag = "--interval" | "--project" | "--confirm-deletes" | "--dry-run"

const TAKES: { readonly [K in SyncMode["kind"]]: readonly Flag[] } = {
  run: ["--project", "--confirm-deletes", "--dry-run"],
  watch: ["--project", "--interval"],
  pause: [],
  resume: [],
  install: ["--project", "--interval", "--dry-run"],
  uninstall: ["--dry-run"],
}
const NAMES: { readonly [K in SyncMode["kind"]]: string } = {
  run: "bm sync",
  watch: "--watch",
  pause: "--pause",
  resume: "--resume",
  install: "--install-service",
  uninstall: "--uninstall-service",
}

export function parseSyncMode(options: SyncOptions): Parsed {
  const [kind = "run", other] = modesOf(options)
  if (other !== undefined) return refused(`${NAMES[kind]} and ${NAMES[other]} exclude each other`)
  const wrong = wrongFlag(kind, options) ?? wrongWord(options)
  if (wrong !== undefined) return refused(wrong)
  const confirmed = parseCount(options.confirmDeletes, "--confirm-deletes")
  if (!confirmed.ok) return confirmed
  const interval = parseCount(options.interval, "--interval")
  if (!interval.ok) return interval
  if (interval.value === 0) return refused("--interval takes a number of seconds from 1")
  const { dryRun: isDryRun, project, pause, word } = options
  const numbers = { confirmedDeletes: confirmed.value, intervalS: interval.value }
  const length = typeof pause === "string" ? pause : word
  return { ok: true, value: modeOf(kind, { ...numbers, isDryRun, project, length }) }
}

function modeOf(
  kind: SyncMode["kind"],
  given: {
    readonly isDryRun: boolean
    readonly confirmedDeletes: number | undefined
    readonly intervalS: number | undefined
    readonly project: string | undefined
    readonly length: string | undefined
  },
): SyncMode {
  const { isDryRun, confirmedDeletes, intervalS, project, length } = given
  switch (kind) {
    case "run":
      return { kind, isDryRun, confirmedDeletes, project }
    case "watch":
      return { kind, intervalS, project }
    case "pause":
      return { kind, length }
    case "resume":
      return { kind }
    case "install":
      return { kind, isDryRun, intervalS, project }
    case "uninstall":
      return { kind, isDryRun }
  }
}

function modesOf(options: SyncOptions): readonly SyncMode["kind"][] {
  return [
    ...(options.watch ? (["watch"] as const) : []),
    ...(isPause(options) ? (["pause"] as const) : []),
    ...(options.resume ? (["resume"] as const) : []),
    ...(options.installService ? (["install"] as const) : []),
    ...(options.uninstallService ? (["uninstall"] as const) : []),
  ]
}

function isPause({ pause }: SyncOptions): boolean {
  return pause !== undefined && pause !== false
}

function wrongFlag(kind: SyncMode["kind"], options: SyncOptions): string | undefined {
  const { interval, project, confirmDeletes, dryRun } = options
  const given: readonly Flag[] = [
    ...(interval === undefined ? [] : (["--interval"] as const)),
    ...(project === undefined ? [] : (["--project"] as const)),
    ...(confirmDeletes === undefined ? [] : (["--confirm-deletes"] as const)),
    ...(dryRun ? (["--dry-run"] as const) : []),
  ]
  const flag = given.find((each) => !TAKES[kind].includes(each))
  if (flag === undefined) return undefined
  if (kind === "run") return `${flag} goes with --watch or --install-service`
  return flag === "--confirm-deletes"
    ? `--confirm-deletes lets one plan through: run it without ${NAMES[kind]}`
    : `${NAMES[kind]} and ${flag} exclude each other`
}

function wrongWord({ pause, word }: SyncOptions): string | undefined {
  if (word === undefined || pause === true) return undefined
  const quoted = JSON.stringify(word)
  return typeof pause === "string"
    ? `--pause takes one length, not ${JSON.stringify(pause)} and ${quoted}`
    : `bm sync takes options only, not ${quoted}`
}

function refused(message: string): { readonly ok: false; readonly error: Refused } {
  return { ok: false, error: { code: "usage", message } }
}
