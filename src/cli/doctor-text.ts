/** What `bm doctor` found, as lines of text and as `bm.doctor/1`. */

import type { DoctorCheck, DoctorReport, DoctorResult, SyncError } from "../index.ts"
import { describeError } from "./error-text.ts"
import { columns, escapeForTerminal, formatBytes, formatWhen, plural } from "./format.ts"
import { guardJson, guardText } from "./guard-text.ts"
import { spanText } from "./storage-text.ts"
import { troubleText } from "./trouble-text.ts"

const MARK: Readonly<Record<DoctorResult, string>> = { ok: "✓", note: "-", warn: "!", fail: "✗" }

type Shorten = (path: string) => string

export function doctorLines(
  { checks, problems, warnings, nowMs }: DoctorReport,
  shorten: Shorten,
): readonly string[] {
  const rows = checks.map((check) => {
    const isFixed = check.isFixed === true
    const fix = fixOf(check, shorten)
    const tail = isFixed ? "fixed" : fix === undefined ? "" : `fix: ${fix}`
    return [`${isFixed ? "✓" : MARK[check.result]} ${check.name}`, checkText(check, { nowMs, shorten }), tail]
  })
  const canFix = checks.filter((check) => check.canFix === true && check.isFixed !== true).length
  const total = [
    ...(problems > 0 ? [plural(problems, "problem")] : []),
    ...(warnings > 0 ? [plural(warnings, "warning")] : []),
  ].join(", ")
  const repair = canFix > 0 ? ` · repair ${canFix === 1 ? "it" : `these ${canFix}`}: bm doctor --fix` : ""
  return [...columns(rows), total === "" ? "Everything is well." : `${total}${repair}`]
}

function checkText(check: DoctorCheck, at: { readonly nowMs: number; readonly shorten: Shorten }): string {
  const { shorten } = at
  switch (check.name) {
    case "rclone":
      return rcloneText(check, shorten)
    case "git":
      return gitText(check)
    case "config":
      if (check.error !== undefined) return messageOf(check.error)
      return check.isSetUp ? shown(check.file, shorten) : "cloud sync is not set up on this device"
    case "permissions":
      return permissionsText(check, shorten)
    case "cloud":
      return cloudText(check)
    case "clock":
      return clockText(check)
    case "lock":
      return lockText(check)
    case "baseline":
      if (check.error !== undefined) return messageOf(check.error)
      return check.run === undefined
        ? "not looked at while another run holds it"
        : `${check.run}, matches its hash`
    case "filters":
      return check.result === "ok" || check.isFixed === true
        ? ".bmignore.rclone says what .bmignore says"
        : ".bmignore.rclone does not say what .bmignore says"
    case "history":
      return historyText(check, at.nowMs)
    case "disk":
      return diskText(check, shorten)
  }
}

type Of<N extends DoctorCheck["name"]> = Extract<DoctorCheck, { name: N }>

function gitText({ path, version, isLinked }: Of<"git">): string {
  const program =
    path === undefined ? "not found; the history is kept without it, and read with it" : (version ?? "found")
  if (isLinked === undefined) return program
  return `${program}, ${isLinked ? "sync directory is a repository, .git is ignored by sync" : "the .git of the sync directory is your own and stays"}`
}

function rcloneText({ path, version, isNeeded, why }: Of<"rclone">, shorten: Shorten): string {
  const need = isNeeded ? "" : "; this remote does not need it"
  if (path === undefined) return `not found${need}`
  const at = `${version ?? ""} at ${shown(path, shorten)}`.trim()
  switch (why) {
    case "too_old":
      return `${at} is too old${need}`
    case "broken":
      return `${at} does not run${need}`
    default:
      return at
  }
}

function permissionsText({ open, isFixed }: Of<"permissions">, shorten: Shorten): string {
  if (open.length === 0) return "settings, keys and state are yours alone"
  const names = open.map(({ file, mode }) => `${shown(file, shorten)} (${mode.toString(8)})`).join(", ")
  return `${names} ${isFixed === true ? "was" : open.length === 1 ? "is" : "are"} readable by others`
}

function cloudText({ latencyMs = 0, guard, why, error }: Of<"cloud">): string {
  if (error !== undefined) return messageOf(error)
  if (why === "no_epoch") return "it has no epoch: it was emptied or made anew"
  if (why === "other_epoch") return "it carries the epoch of another remote"
  const promise = guard === undefined ? "" : `; ${guardText(guard)}`
  return `${Math.round(latencyMs)} ms, lets this device in${promise}`
}

function clockText({ skewMs, isShared }: Of<"clock">): string {
  if (isShared) return "a folder has no clock of its own"
  if (skewMs === undefined) return "the cloud does not say what time it is there"
  const off = spanText(Math.abs(skewMs))
  return Math.abs(skewMs) <= 2000
    ? `${off} from the cloud; "newer" is reliable`
    : `${off} ${skewMs > 0 ? "behind" : "ahead of"} the cloud's`
}

function lockText({ isHeld, pid, isAlive, command }: Of<"lock">): string {
  if (!isHeld) return "free"
  if (isAlive !== true) return "held, but not by the process that lock.json names"
  return `held by pid ${pid}, ${escapeForTerminal(command ?? "")}`
}

function historyText({ verified, freeBytes }: Of<"history">, nowMs: number): string {
  const when = verified === undefined ? "" : formatWhen(Date.parse(verified.at), nowMs).replace(/^today /, "")
  const state =
    verified === undefined
      ? "never verified"
      : `${verified.isIntact ? "intact" : "DAMAGED"} when last verified ${when}`
  return freeBytes === undefined ? state : `${state}; ${formatBytes(freeBytes)} free on disk`
}

function diskText({ places }: Of<"disk">, shorten: Shorten): string {
  const bad = places.find(({ why, trouble }) => why !== undefined || trouble !== undefined)
  if (bad === undefined) return "can put a file in place without replacing another (hard links)"
  const name = shown(bad.path, shorten)
  if (bad.why === "missing") return `${name} is not there`
  if (bad.why === "no_marker")
    return `${name} has no marker: it was made anew, or another disk is mounted there`
  if (bad.trouble?.code === "unsupported")
    return `${name} cannot link files: none could be replaced without a risk`
  return `${name}: ${bad.trouble === undefined ? "" : troubleText(bad.trouble)}`
}

function shown(path: string, shorten: Shorten): string {
  return escapeForTerminal(shorten(path))
}

function messageOf(error: SyncError): string {
  return describeError(error).message
}

/** The command or the words that mend it; nothing where all is well. */
function fixOf(check: DoctorCheck, shorten: Shorten): string | undefined {
  if (check.result === "ok" || check.result === "note") return undefined
  switch (check.name) {
    case "rclone":
      return check.why === "missing" ? "bm cloud bisync-setup" : "update it: 1.60.1 or later"
    case "git":
      return "install git"
    case "config":
      return check.error === undefined ? "bm cloud bisync-setup" : `mend ${shown(check.file, shorten)}`
    case "permissions":
      return check.open
        .map(({ file, wanted }) => `chmod ${wanted.toString(8)} ${shown(file, shorten)}`)
        .join("; ")
    case "cloud":
      return cloudFix(check)
    case "clock":
      return "let the system set it: timedatectl set-ntp true"
    case "lock":
      return "end the process that holds the journal"
    case "baseline":
      return check.error === undefined ? undefined : firstFix(check.error)
    case "filters":
      return "bm doctor --fix"
    case "history":
      return check.verified?.isIntact === false ? "bm cloud history verify" : "make room on that disk"
    case "disk":
      return "bring the directory back, or mount its disk"
  }
}

function cloudFix({ canFix, why, error }: Of<"cloud">): string {
  if (error !== undefined) return firstFix(error)
  if (why !== undefined) return "bm cloud bisync --resync"
  return canFix === true ? "bm doctor --fix" : "sync only this device with it, or use another server"
}

function firstFix(error: SyncError): string {
  const [fix] = describeError(error).fix
  return fix?.command ?? fix?.text ?? ""
}

export function doctorJson({ checks, problems, warnings }: DoctorReport, shorten: Shorten): object {
  return {
    schema: "bm.doctor/1",
    ok: problems === 0,
    problems,
    warnings,
    checks: checks.map((check) => {
      const command = fixOf(check, shorten)
      return {
        name: check.name,
        result: check.result,
        evidence: evidenceOf(check, shorten),
        ...(command !== undefined && {
          fix: { auto: check.canFix === true, command },
          fixed: check.isFixed === true,
        }),
      }
    }),
  }
}

function evidenceOf(check: DoctorCheck, shorten: Shorten): object {
  switch (check.name) {
    case "rclone":
      return { path: check.path ?? null, version: check.version ?? null, needed: check.isNeeded }
    case "git":
      return { path: check.path ?? null, version: check.version ?? null, linked: check.isLinked ?? null }
    case "config":
      return { file: shorten(check.file), set_up: check.isSetUp, ...errorJson(check.error) }
    case "permissions":
      return {
        files: check.open.map(({ file, mode }) => ({
          file: shorten(file),
          mode: mode.toString(8).padStart(4, "0"),
        })),
      }
    case "cloud":
      return {
        remote: check.url,
        latency_ms: check.latencyMs === undefined ? null : Math.round(check.latencyMs),
        ...(check.guard !== undefined && { guard: guardJson(check.guard) }),
        ...(check.why !== undefined && { why: check.why }),
        ...errorJson(check.error),
      }
    case "clock":
      return { skew_ms: check.isShared ? 0 : (check.skewMs ?? null) }
    case "lock":
      return {
        held: check.isHeld,
        ...(check.pid !== undefined && { pid: check.pid }),
        ...(check.isAlive !== undefined && { alive: check.isAlive }),
      }
    case "baseline":
      return { run: check.run ?? null, ...errorJson(check.error) }
    case "filters":
      return { file: ".bmignore.rclone" }
    case "history":
      return {
        verified_at: check.verified?.at ?? null,
        intact: check.verified?.isIntact ?? null,
        free_bytes: check.freeBytes ?? null,
      }
    case "disk":
      return {
        places: check.places.map(({ path, why, trouble }) => ({
          path: shorten(path),
          links: why === undefined && trouble === undefined,
          ...(why !== undefined && { why }),
          ...(trouble !== undefined && { trouble: trouble.code }),
        })),
      }
  }
}

function errorJson(error: SyncError | undefined): object {
  if (error === undefined) return {}
  const { code, message } = describeError(error)
  return { error: { code, message } }
}
