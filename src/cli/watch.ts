/**
 * `bm sync --watch`: runs on every change here and at an interval, and says only what happened.
 *
 * One line for each trouble and one when it is over; what waits for the user is said once. It never reads standard input,
 * and ends cleanly when it is told to.
 */

import { writeFileSync } from "node:fs"
import { join } from "node:path"
import type { Ending, PlannedRun, SyncError, Watching } from "../index.ts"
import type { BmCommand } from "./command.ts"
import { type OneRun, runOnce } from "./commands/bisync.ts"
import { describeError, type ErrorText } from "./error-text.ts"
import { escapeForTerminal, plural } from "./format.ts"
import type { Output } from "./output.ts"
import { planDocument } from "./plan-document.ts"
import { stopOnSignals } from "./signals.ts"
import { VERSION } from "./version.ts"

type Engine = typeof import("../index.ts")

export interface WatchRun {
  readonly bm: Engine
  readonly command: BmCommand
  readonly output: Output
  readonly options: Omit<OneRun["options"], "isDryRun" | "isResync">
  readonly intervalS: number | undefined
}

/** What was said last, so that it is not said again. */
interface Said {
  trouble: string | undefined
  blocked: Blocked | undefined
}

interface Blocked {
  readonly message: string
  readonly command: string | null
  readonly plan: string | null
}

export async function runWatch(watch: WatchRun): Promise<number> {
  const { bm, command, output } = watch
  const { place, holder } = command.context
  let hint: () => void = () => undefined
  const timed = withTime(output)
  const opened = bm.openWatching(place, {
    onHint: () => hint(),
    onTrouble: (word) => timed.note(`changes here are seen at the interval only (${word})`),
  })
  if (!opened.ok) return output.fail(opened.error)
  const watching = opened.value
  const intervalS = watch.intervalS ?? watching.config.autoSyncIntervalS
  output.line(
    `Watching ${escapeForTerminal(bm.shortenHome(watching.config.syncDir, place.home))}, every ${intervalS}s. Ctrl+C to stop.`,
  )
  output.json({ ...event("watch.started"), interval_s: intervalS, pid: holder.pid })
  const said: Said = { trouble: undefined, blocked: undefined }
  let stopLoop: () => void = () => undefined
  const stop = stopOnSignals({ onStop: () => stopLoop(), alsoOnHangup: true })
  try {
    await watching.watchAgain()
    const beat = (atMs: number) =>
      watching.beat({
        schema: "bm.watch/1",
        pid: holder.pid,
        host: holder.host,
        interval_s: intervalS,
        next_at: new Date(atMs).toISOString(),
        blocked: said.blocked ?? null,
      })
    const loop = bm.startLoop({
      intervalMs: intervalS * 1000,
      clock: bm.clock,
      random: Math.random,
      run: () => tick({ ...watch, output: timed }, { watching, said, stop }),
      onNext: beat,
    })
    hint = loop.hint
    stopLoop = loop.stop
    if (stop.isStopped()) loop.stop()
    const runs = await loop.ended
    output.line(`Stopped after ${plural(runs, "run")}; nothing is half done.`)
    output.json({ ...event("watch.stopped"), reason: "signal", runs })
    return 0
  } finally {
    stop.release()
    await watching.close()
  }
}

async function tick(
  { bm, command, output, options }: WatchRun,
  at: {
    readonly watching: Watching
    readonly said: Said
    readonly stop: { isStopped(): boolean }
  },
): Promise<Ending> {
  const { watching, said, stop } = at
  const run = { ...options, isDryRun: false, isResync: false }
  const ran = await runOnce({ bm, command, output, options: run, isQuietWhenIdle: true }, stop)
  if (ran.error === undefined) {
    if (ran.exit === 1) return "away"
    if (said.trouble !== undefined) await watching.watchAgain()
    if (said.trouble !== undefined && !ran.isTold) output.line("✓ Syncing again")
    said.trouble = undefined
    said.blocked = undefined
    return "done"
  }
  const ending = endingOf(ran.error)
  if (ending === "busy") return ending
  const text = describeError(ran.error)
  if (said.trouble === text.message) return ending
  said.trouble = text.message
  output.line(`Error: ${text.message}`)
  if (ending !== "blocked") {
    output.json({ ...event("watch.trouble"), code: text.code, message: text.message })
    return ending
  }
  const planned = await bm.dryRun(command.context.place, { ...options, isResync: false })
  const file = planned.ok ? savePlan(watching.directory, planned.value) : undefined
  const next = wayOn(text)
  if (next !== undefined) output.line(`  waiting for you: ${next}`)
  said.blocked = { message: text.message, command: next ?? null, plan: file?.plan ?? null }
  output.json({
    ...event("watch.blocked"),
    code: text.code,
    plan: file?.plan ?? null,
    file: file?.path ?? null,
  })
  return ending
}

/** What a user has to decide does not go away by waiting. */
function endingOf(error: SyncError): Ending {
  switch (error.code) {
    case "lock_held":
      return "busy"
    case "side_unreadable":
      return error.trouble.code === "lease_held" ? "busy" : "away"
    case "delete_limit":
    case "confirm_mismatch":
    case "side_emptied":
    case "remote_changed":
    case "no_baseline":
    case "journal_damaged":
      return "blocked"
    case "root_changed":
      return error.why === "missing" ? "away" : "blocked"
    default:
      return "away"
  }
}

/** The command that lets through exactly what is held back, else the first that is named. */
function wayOn({ fix }: ErrorText): string | undefined {
  const commands = fix.flatMap(({ command }) => (command === undefined ? [] : [command]))
  return commands.find((command) => command.includes("--confirm-deletes")) ?? commands[0]
}

function savePlan(
  directory: string,
  planned: PlannedRun,
): { readonly plan: string; readonly path: string } | undefined {
  const document = planDocument(planned, { kind: "bisync", version: VERSION })
  const path = join(directory, `${document.plan}.json`)
  try {
    writeFileSync(path, `${JSON.stringify(document)}\n`, { mode: 0o600 })
    return { plan: document.plan, path }
  } catch {
    return undefined
  }
}

function event(type: string): object {
  return { schema: "bm.event/1", type, at: new Date().toISOString() }
}

/** Lines of a watcher begin with the time of day. */
function withTime(output: Output): Output {
  const timed = (text: string) => `${new Date().toTimeString().slice(0, 8)} ${text}`
  return {
    ...output,
    line: (text = "") => output.line(timed(text)),
    lines: (texts) => output.lines(texts.map(timed)),
    note: (text) => output.note(timed(text)),
  }
}
