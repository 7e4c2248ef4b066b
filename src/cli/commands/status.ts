/** `bm cloud status`: the seed's table, and below it what is stored, waiting and open. It never waits for a run. */

import { Command } from "clipanion"
import type { StatusReport, SyncError } from "../../index.ts"
import { BmCommand } from "../command.ts"
import { describeError } from "../error-text.ts"
import {
  boxTable,
  escapeForTerminal,
  formatAgo,
  formatBytes,
  formatCount,
  formatWhen,
  plural,
  type TableRow,
} from "../format.ts"
import { guardJson, guardText } from "../guard-text.ts"
import type { Output } from "../output.ts"
import { isAlive } from "../process-alive.ts"
import { nextWhilePaused, pausedJson } from "../service-text.ts"

export class StatusCommand extends BmCommand {
  static override paths = [["cloud", "status"]]
  static override usage = Command.Usage({
    category: "Sync",
    description: "Show what is synced, when it was, and what is waiting",
    details:
      "Exit codes: 0 also where nothing is set up, 1 the configuration cannot be read, 64 wrong usage.",
    examples: [["The table", "bm cloud status"]],
  })

  async run(output: Output): Promise<number> {
    const bm = await import("../../index.ts")
    const { place } = this.context
    const report = await bm.queryStatus(place, { asksCloud: this.json || this.verbose })
    if (!report.ok) return output.fail(report.error)
    const names = {
      syncDir:
        report.value.config === undefined
          ? undefined
          : bm.shortenHome(report.value.config.syncDir, place.home),
    }
    const { config } = report.value
    const remote = config === undefined ? undefined : bm.shownRemote(config)
    const watcher = watcherOf(report.value, this.context.holder.host)
    output.lines(statusLines(report.value, { ...names, remote, watcher }))
    output.json(statusJson(report.value, { ...names, remote, watcher }))
    return 0
  }
}

/** A process of another host is not known to live, and one of this host is asked. */
function watcherOf({ heartbeat }: StatusReport, host: string): Watcher {
  const isRunning = heartbeat !== undefined && heartbeat.host === host && isAlive(heartbeat.pid)
  return isRunning ? heartbeat : undefined
}

type Watcher = StatusReport["heartbeat"]

interface Names {
  readonly watcher: Watcher
  readonly syncDir: string | undefined
  readonly remote: string | undefined
}

function statusLines(report: StatusReport, { syncDir, remote = "", watcher }: Names): readonly string[] {
  const { state, config, published, projects, nowMs } = report
  const rows: TableRow[] = [["Status", state === "ready" ? "✓ Initialized" : "✗ Not initialized"]]
  if (config !== undefined && syncDir !== undefined) {
    const last = published?.last_sync
    rows.push(
      ["Local Directory", `${escapeForTerminal(syncDir)}${report.isLocalThere ? "" : " (not there)"}`],
      ["Remote", `${escapeForTerminal(remote)}${report.isRemoteThere === false ? " (not there)" : ""}`],
      ["Last Sync", last === undefined || last === null ? "never" : lastText(last, nowMs)],
      ["Total Projects", projects === undefined ? "unknown" : formatCount(projects.total)],
    )
  }
  return [...boxTable("Cloud Bisync Status", rows), ...belowLines(report, watcher)]
}

function lastText(last: { readonly at: string; readonly ok: boolean }, nowMs: number): string {
  const ago = formatAgo(nowMs - Date.parse(last.at))
  return last.ok ? ago : `${ago}, not all of it`
}

function belowLines(report: StatusReport, watcher: Watcher): readonly string[] {
  const { state, published } = report
  if (state === "not_set_up") return ["Next: bm cloud bisync-setup"]
  const lines: (readonly [string, string])[] = [["Storage used", formatBytes(published?.storage_bytes ?? 0)]]
  const waiting = waitingText(published)
  if (waiting !== undefined) lines.push(["Waiting", waiting])
  const next = nextText(report, watcher)
  if (next !== undefined) lines.push(["Next sync", next])
  lines.push(...thereLines(report), ...patternLines(report), ...accountLines(report))
  if (published !== undefined) lines.push(["Conflicts", conflictsText(report)])
  const history = historyText(report)
  if (history !== undefined) lines.push(["History", history])
  if (report.guard !== undefined && published !== undefined) lines.push(["Guard", guardText(report.guard)])
  const width = Math.max(...lines.map(([name]) => name.length))
  const below = lines.map(([name, text]) => `  ${name.padEnd(width)}  ${text}`)
  return state === "ready" ? below : [...below, "Next: bm cloud bisync --resync"]
}

function thereLines({ isLocalThere, isRemoteThere }: StatusReport): readonly (readonly [string, string])[] {
  return [
    ...(isLocalThere ? [] : [["Directory", "not there: bring it back, or mount its disk"] as const]),
    ...(isRemoteThere === false
      ? [["Cloud", "not there: bring the folder back, or mount its disk"] as const]
      : []),
  ]
}

/** Without them nothing syncs, and nobody knows which folders are projects. */
function patternLines({ unruled }: StatusReport): readonly (readonly [string, string])[] {
  return unruled === undefined ? [] : [["Patterns", withWayOut(unruled)]]
}

function nextText({ nowMs, pause }: StatusReport, watcher: Watcher): string | undefined {
  // A watcher that somebody starts now would wait as well.
  if (pause !== undefined) return nextWhilePaused(pause, nowMs)
  if (watcher === undefined) return undefined
  const { next_at, pid, service, blocked } = watcher
  if (blocked !== null)
    return `waiting for you: ${blocked.message}${blocked.command === null ? "" : ` (${blocked.command})`}`
  const seconds = Math.max(0, Math.round((Date.parse(next_at ?? "") - nowMs) / 1000))
  const when = Number.isNaN(seconds) ? "" : `in ${seconds} s, or `
  return `${when}when something changes here · watch runs${isService(service) ? " as a service" : ""}, pid ${pid}`
}

/** A watcher of an older version does not tell. */
function isService(service: NonNullable<Watcher>["service"] | undefined): boolean {
  return service !== undefined && service !== null
}

function accountLines({ account, projects }: StatusReport): readonly (readonly [string, string])[] {
  if (account === undefined) return []
  const { isLoggedIn, projects: cloud, error } = account
  const missing = projects?.notOnCloud ?? []
  return [
    ...(isLoggedIn ? [] : [["Account", "not logged in; files sync all the same (bm cloud login)"] as const]),
    ...(missing.length === 0
      ? []
      : [
          [
            "Not on cloud",
            `${missing.map(escapeForTerminal).join(", ")}; their files sync all the same`,
          ] as const,
        ]),
    ...(cloud === undefined ? [] : [["Cloud projects", cloud.map(escapeForTerminal).join(", ")] as const]),
    ...(error === undefined ? [] : [["Account", withWayOut(error)] as const]),
  ]
}

function withWayOut(error: SyncError): string {
  const { message, fix } = describeError(error)
  const [first] = fix
  return first === undefined ? message : `${message} (${first.command ?? first.text})`
}

function errorJson(error: SyncError | undefined): object {
  if (error === undefined) return { error: null }
  const { code, message, fix } = describeError(error)
  return { error: code, message, fix }
}

function waitingText(published: StatusReport["published"]): string | undefined {
  if (published === undefined) return undefined
  const { local, remote } = published.waiting
  const parts = [
    ...(local > 0 ? [`${formatCount(local)} here`] : []),
    ...(remote > 0 ? [`${formatCount(remote)} in the cloud`] : []),
  ]
  return parts.length === 0 ? undefined : `${parts.join(", ")} (bm cloud bisync --dry-run)`
}

const RECENT_MS = 7 * 24 * 3_600_000

function decidedLately({ published, nowMs }: StatusReport): number | undefined {
  return published?.facts?.decided.filter((at) => nowMs - Date.parse(at) <= RECENT_MS).length
}

function openConflicts({ published }: StatusReport): number {
  return published?.facts?.open ?? published?.conflicts_open ?? 0
}

function conflictsText(report: StatusReport): string {
  const open = openConflicts(report)
  const decided = decidedLately(report) ?? 0
  const parts = [
    `${formatCount(open)} open`,
    ...(decided > 0 ? [`${formatCount(decided)} decided in 7 days`] : []),
  ]
  return `${parts.join(", ")}${open + decided > 0 ? " (bm cloud conflicts)" : ""}`
}

function historyText({ published, verified, nowMs }: StatusReport): string | undefined {
  const facts = published?.facts
  if (facts === undefined) return undefined
  const when = verified === undefined ? "" : formatWhen(Date.parse(verified.at), nowMs).replace(/^today /, "")
  const parts = [
    plural(facts.runs, "run"),
    ...(verified === undefined
      ? []
      : [`${verified.isIntact ? "intact" : "DAMAGED"} when last verified ${when}`]),
  ]
  return `${parts.join(", ")}${facts.can_undo === null ? "" : " · undo: bm cloud undo"}`
}

function watchJson({ pause }: StatusReport, watcher: Watcher): object {
  const paused = pause === undefined ? null : pausedJson(pause)
  if (watcher === undefined) return { running: false, paused }
  const { service, pid, interval_s, next_at, blocked } = watcher
  return {
    running: true,
    service: service ?? null,
    pid,
    interval_s,
    next_at,
    paused,
    blocked_plan: blocked?.plan ?? null,
  }
}

function statusJson(report: StatusReport, { syncDir, remote, watcher }: Names): object {
  const { state, config, published, projects, verified } = report
  const facts = published?.facts
  const decided = decidedLately(report)
  return {
    schema: "bm.status/1",
    initialized: state === "ready",
    sync_dir: syncDir ?? null,
    remote: remote ?? null,
    ...(config !== undefined && {
      device: { name: config.deviceName },
      present: {
        local: report.isLocalThere,
        ...(report.isRemoteThere !== undefined && { remote: report.isRemoteThere }),
      },
    }),
    last_sync: published?.last_sync ?? null,
    projects: {
      total: projects?.total ?? (config === undefined ? 0 : null),
      ...(report.unruled !== undefined && errorJson(report.unruled)),
      ...(projects?.notOnCloud !== undefined && { not_on_cloud: projects.notOnCloud }),
      ...(report.account?.projects !== undefined && {
        cloud: report.account.projects.map((name) => ({ name })),
      }),
    },
    ...(report.account !== undefined && {
      account: {
        logged_in: report.account.isLoggedIn,
        backend: report.account.backend,
        ...errorJson(report.account.error),
      },
    }),
    storage_bytes: published?.storage_bytes ?? (config === undefined ? 0 : null),
    waiting: published?.waiting ?? null,
    watch: watchJson(report, watcher),
    conflicts: {
      open: openConflicts(report),
      ...(decided !== undefined && { decided_7d: decided }),
    },
    history: {
      runs: facts?.runs ?? 0,
      verified_at: verified?.at ?? null,
      intact: verified?.isIntact ?? null,
      ...(facts?.can_undo !== undefined && { can_undo: facts.can_undo }),
      ...(facts?.can_redo !== undefined && { can_redo: facts.can_redo }),
    },
    ...(report.guard !== undefined && { guard: guardJson(report.guard) }),
    ...(state !== "ready" && {
      next: state === "not_set_up" ? "bm cloud bisync-setup" : "bm cloud bisync --resync",
    }),
  }
}
