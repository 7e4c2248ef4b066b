/** What `bm sync` says of its service and of its pause: lines, JSON, and why one was refused. */

import type { Pause, ServiceRefusal, ServiceReport } from "../index.ts"
import type { ErrorText, Fix } from "./error-text.ts"
import { escapeForTerminal, formatTime, formatWhen } from "./format.ts"

export interface Shown {
  /** The path as the user would write it. */
  readonly path: (path: string) => string
  /** How often the service looks at the cloud; of one that is installed. */
  readonly everyS?: number
}

const UNIT = "basic-memory-sync"
const RESUME = "bm sync --resume"
const BY_HAND: Fix = { command: "bm sync --watch", text: "watch without a service" }

export function serviceLines(report: ServiceReport, shown: Shown): readonly string[] {
  if (report.isDryRun) return previewLines(report, shown)
  return report.action === "install" ? installedLines(report, shown) : [removedLine(report, shown)]
}

/** Of an install the text alone, so that it can be piped into a file; the rest is a remark. */
function previewLines(report: ServiceReport, { path }: Shown): readonly string[] {
  if (report.text !== undefined) return report.text.trimEnd().split("\n")
  const file = escapeForTerminal(path(report.file))
  return [report.isChanged ? `would stop the service and remove ${file}` : "No service is installed"]
}

/** What a dry run remarks beside what it prints. */
export function previewNotes(report: ServiceReport, { path }: Shown): readonly string[] {
  const { isDryRun, action, refusal, isChanged, file } = report
  if (!isDryRun) return []
  if (refusal !== undefined) return [`! It would be refused: ${serviceError(refusal).message}`]
  if (action === "uninstall") return []
  const name = escapeForTerminal(path(file))
  return [isChanged ? `would write ${name} and start it` : `${name} is installed like this already`]
}

function installedLines(report: ServiceReport, { path, everyS }: Shown): readonly string[] {
  const { isChanged, isRunning, linger, unseen, logFile } = report
  const file = escapeForTerminal(path(report.file))
  const log = logFile === undefined ? `journalctl --user -u ${UNIT}` : escapeForTerminal(path(logFile))
  const every = everyS === undefined ? "" : ` (every ${everyS}s)`
  return [
    !isRunning
      ? `! Installed ${file}, but it does not run; it is tried again`
      : isChanged
        ? `✓ Installed ${file} and started it${every}`
        : `✓ ${file} is installed and runs already${every}`,
    ...(linger?.isOn === false
      ? [
          `! It stops when you log out. Keep it running: loginctl enable-linger ${escapeForTerminal(linger.user)}`,
        ]
      : []),
    ...unseen.map((name) => `! It does not see ${name}: a service gets no secrets of this shell`),
    `  Remove: bm sync --uninstall-service · log: ${log}`,
  ]
}

function removedLine({ isChanged, file }: ServiceReport, { path }: Shown): string {
  return isChanged
    ? `✓ Stopped the service and removed ${escapeForTerminal(path(file))}`
    : "No service is installed"
}

export function serviceJson(report: ServiceReport, { path }: Pick<Shown, "path">): object {
  const { action, manager, file, isDryRun, isRunning, isChanged, linger, unseen, text, refusal } = report
  // A refused dry run asked no manager.
  const isAsked = refusal === undefined
  return {
    schema: "bm.service/1",
    ok: true,
    action,
    manager,
    file: path(file),
    ...(isAsked && { running: isRunning }),
    ...(manager === "launchd" || action === "uninstall"
      ? { linger: null }
      : linger !== undefined && { linger: linger.isOn }),
    changed: isChanged && !isDryRun,
    ...(action === "install" && { unseen }),
    ...(isDryRun && {
      dry_run: true,
      would_change: isChanged,
      ...(text !== undefined && { text }),
      refused: refusal === undefined ? null : refusal.kind,
    }),
  }
}

export function serviceError(refusal: ServiceRefusal): ErrorText {
  switch (refusal.kind) {
    case "container":
      return {
        exit: 4,
        code: "usage",
        message: "This is a container; run bm sync --watch as its command",
        fix: [{ command: "bm sync --install-service --dry-run", text: "see the service file all the same" }],
      }
    case "no_manager":
      return noManager(refusal)
    case "unfit":
      return unfit(refusal)
    case "file_failed": {
      const file = escapeForTerminal(refusal.file)
      return {
        exit: 1,
        code: "internal",
        message: `Cannot change ${file} (${escapeForTerminal(refusal.word)})`,
        where: { lines: [file], data: { file: refusal.file } },
        fix: [{ text: "make room or give permission there, and run it again" }],
      }
    }
    case "command_failed": {
      const said = lastLine(refusal.text)
      return {
        exit: 1,
        code: "internal",
        message: `${refusal.command} failed (${refusal.code})${said === "" ? "" : ` - ${said}`}`,
        fix: [{ text: "run it by hand to see why; what was begun is finished by the next try" }, BY_HAND],
      }
    }
  }
}

function noManager({ platform, text }: Extract<ServiceRefusal, { kind: "no_manager" }>): ErrorText {
  const why = lastLine(text ?? "")
  const refused = { exit: 4, code: "usage", ...(why !== "" && { why }) }
  switch (platform) {
    case "linux":
      return {
        ...refused,
        message: "The systemd of this user does not answer, so nothing can keep a service running",
        fix: [{ text: "log in as this user, not by su or sudo, and run it again" }, BY_HAND],
      }
    case "darwin":
      return {
        ...refused,
        message: "Nobody is logged in at the desktop of this Mac, so launchd starts nothing for this user",
        fix: [{ text: "log in there as this user and run it again" }, BY_HAND],
      }
    default:
      return {
        ...refused,
        message: "A service can be installed on Linux with systemd and on macOS",
        fix: [BY_HAND],
      }
  }
}

const UNFIT = {
  not_absolute: "it is not a whole path",
  control_character: "it has a control character, which no service file can hold",
  special_character: "systemd starts no program that has quotes or backslashes in its path",
  secret: "it holds a secret or parameters, and a service file can be read by everybody",
} as const

/** The value of a variable that holds a secret is not in `what`. */
function unfit({ what, why }: Extract<ServiceRefusal, { kind: "unfit" }>): ErrorText {
  const name = escapeForTerminal(what)
  return {
    exit: 4,
    code: "usage",
    message: `${name} cannot be part of a service`,
    where: { lines: [name], data: { what } },
    why: UNFIT[why],
    fix: [{ text: "set or move it to something plainer, and run it again" }, BY_HAND],
  }
}

export function pauseLines(pause: Pause, nowMs: number): readonly string[] {
  return [`✓ ${capital(untilText(pause, nowMs))}. Resume: ${RESUME}`]
}

export function resumeLines(wasPaused: boolean): readonly string[] {
  return [wasPaused ? "✓ Resumed" : "Nothing was paused"]
}

/** What a watcher says when it begins to wait. */
export function pauseBeginsLine(pause: Pause, nowMs: number): string {
  return capital(nextWhilePaused(pause, nowMs))
}

/** And when that is over, by itself or because somebody resumed it. */
export function pauseEndsLine(): string {
  return "✓ No longer paused"
}

/** For the line `Next sync` of a status. */
export function nextWhilePaused(pause: Pause, nowMs: number): string {
  return `${untilText(pause, nowMs)} (${RESUME})`
}

function untilText({ untilMs }: Pause, nowMs: number): string {
  if (untilMs === undefined) return "paused until you resume it"
  const when = formatWhen(untilMs, nowMs)
  // Today's is told by its time alone.
  return `paused until ${when.startsWith("today ") ? formatTime(untilMs) : when}`
}

export function pauseJson(pause: Pause): object {
  return { schema: "bm.pause/1", ok: true, action: "pause", ...pausedJson(pause) }
}

export function resumeJson(wasPaused: boolean): object {
  return { schema: "bm.pause/1", ok: true, action: "resume", changed: wasPaused }
}

/** What `watch.paused` of a status holds; `until` is null where it lasts until it is resumed. */
export function pausedJson({ sinceMs, untilMs }: Pause): object {
  return { since: timeOf(sinceMs), until: untilMs === undefined ? null : timeOf(untilMs) }
}

function timeOf(ms: number): string {
  return new Date(ms).toISOString()
}

function capital(text: string): string {
  return `${text.slice(0, 1).toUpperCase()}${text.slice(1)}`
}

/** Programs say last why they gave up. */
function lastLine(text: string): string {
  return escapeForTerminal(text.trim().split("\n").at(-1) ?? "")
}
