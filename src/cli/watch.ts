/**
 * `bm sync --watch`: runs on every change here and at an interval, and says only what happened.
 *
 * One line for each trouble and one when it is over; what waits for the user is said once. It never reads standard input,
 * and ends cleanly when it is told to, or when nobody is left to read what it says.
 */

import { writeFileSync } from "node:fs"
import { join } from "node:path"
import type { Dirty, Ending, PlannedRun, SyncError, Watching } from "../index.ts"
import type { BmCommand } from "./command.ts"
import { type OneRun, type RanOnce, runOnce } from "./commands/bisync.ts"
import { describeError, type ErrorText } from "./error-text.ts"
import { escapeForTerminal, plural } from "./format.ts"
import type { Output } from "./output.ts"
import { planDocument } from "./plan-document.ts"
import { noticeLines } from "./plan-text.ts"
import { stopOnSignals } from "./signals.ts"
import { obeyPauses } from "./sync-pause.ts"
import { VERSION } from "./version.ts"
import { makeVoice, type Voice } from "./watch-voice.ts"

type Engine = typeof import("../index.ts")

export interface WatchRun {
  readonly bm: Engine
  readonly command: BmCommand
  readonly output: Output
  readonly options: Omit<OneRun["options"], "isDryRun" | "isResync">
  readonly intervalS: number | undefined
}

interface Blocked {
  readonly message: string
  readonly command: string | null
  readonly plan: string | null
}

export async function runWatch(watch: WatchRun): Promise<number> {
  const { bm, command, output } = watch
  const { place, holder, stderr } = command.context
  const voice = makeVoice(output, { stderr, isSilent: output.isJson })
  const dirty = bm.makeDirty()
  let hint: () => void = () => undefined
  let isEnding = false
  let end: () => void = () => {
    isEnding = true
  }
  const opened = bm.openWatching(place, {
    onHint(path) {
      dirty.add(path, bm.clock.nowMs())
      hint()
    },
    onTrouble: (word) => voice.output.note(`changes here are seen at the interval only (${word})`),
  })
  if (!opened.ok) return output.fail(opened.error)
  const watching = opened.value
  const intervalS = watch.intervalS ?? watching.config.autoSyncIntervalS
  const stop = stopOnSignals({ onStop: () => end(), alsoOnHangup: true })
  outliveReaders(command, () => end())
  output.line(
    `Watching ${escapeForTerminal(bm.shortenHome(watching.config.syncDir, place.home))}, every ${intervalS}s. Ctrl+C to stop.`,
  )
  output.json({ ...event("watch.started"), interval_s: intervalS, pid: holder.pid })
  const at: At = { voice, watching, stop, dirty, wholeMs: 0, blocked: undefined, isPartial: false }
  try {
    await watching.watch()
    const loop = bm.startLoop({
      intervalMs: intervalS * 1000,
      clock: bm.clock,
      random: Math.random,
      pausedUntilMs: obeyPauses({ bm, command, output: voice.output }),
      async run(isDue) {
        const ending = await tick(watch, at, isDue)
        // What was named to a run that came to nothing is found by the next one, which looks at everything.
        if (ending !== "done") at.wholeMs = 0
        return ending
      },
      onNext: (atMs) =>
        watching.beat({
          schema: "bm.watch/1",
          pid: holder.pid,
          host: holder.host,
          interval_s: intervalS,
          next_at: bm.timeOrNull(atMs),
          service: bm.startedBy(command.context.env) ?? null,
          blocked: at.blocked ?? null,
        }),
    })
    hint = loop.hint
    end = loop.stop
    if (isEnding) loop.stop()
    const runs = await loop.ended
    output.line(`Stopped after ${plural(runs, "run")}; nothing is half done.`)
    output.json({ ...event("watch.stopped"), reason: "signal", runs })
    return 0
  } finally {
    await watching.close()
    stop.release()
  }
}

/** What the runs of one watch share. */
interface At {
  readonly voice: Voice
  readonly watching: Watching
  readonly stop: { isStopped(): boolean }
  readonly dirty: Dirty
  /** When a run last listed both sides; Unix milliseconds. */
  wholeMs: number
  blocked: Blocked | undefined
  /** The last run had nothing to do, and could not look at everything. */
  isPartial: boolean
}

async function tick(watch: WatchRun, at: At, isDue: boolean): Promise<Ending> {
  const { bm, command, options } = watch
  const { voice, watching, stop } = at
  // First of all: whatever changes from here on is hinted at, and what changed before is found by the run.
  const isNew = await watching.watch()
  const named = at.dirty.take(bm.clock.nowMs())
  const only = isNew || (isDue && isWholeDue(watch, at)) ? undefined : named
  // Who finds the lock taken is told since when this run works, not since when the watcher waits.
  const holder = { ...options.holder, since: new Date().toISOString() }
  const run = { ...options, holder, isDryRun: false, isResync: false, ...(only !== undefined && { only }) }
  const output = voice.runOutput({ isWhole: only === undefined })
  const ran = await runOnce({ bm, command, output, options: run, isQuietWhenIdle: true }, stop)
  if (ran.isWhole === true) at.wholeMs = bm.clock.nowMs()
  if (ran.error === undefined) return finished(watch, at, { ran, output })
  const ending = endingOf(ran.error)
  if (ending === "busy") return ending
  if (ran.error.code === "root_changed") await watching.unwatch()
  if (ending === "blocked") await block(watch, at, ran.error)
  else complain(watch, at, describeError(ran.error))
  return ending
}

/** Whoever is blocked waits for a look at everything. */
function isWholeDue({ bm }: WatchRun, { watching, wholeMs, blocked }: At): boolean {
  const files = bm.readStatus(watching.directory)?.files ?? 0
  return blocked !== undefined || bm.isListingDue({ files, sinceMs: bm.clock.nowMs() - wholeMs })
}

async function finished(
  watch: WatchRun,
  at: At,
  { ran, output }: { readonly ran: RanOnce; readonly output: Output },
): Promise<Ending> {
  const { exit, isTold } = ran
  const isWhole = ran.isWhole !== false
  at.voice.runEnded({ exit, isWhole })
  if (exit === 1) {
    if (watch.command.quiet) at.voice.complain({ code: "cloud_unreachable", message: SHORT })
    return "away"
  }
  at.blocked = undefined
  if (at.voice.isOver() && !isTold) {
    output.line("✓ Syncing again")
    output.json(event("watch.recovered"))
  }
  if (!isWhole) return "done"
  const isPartial = exit === 2 && !isTold
  if (isPartial && !at.isPartial) await tellNotices(watch, output)
  at.isPartial = isPartial
  return "done"
}

const SHORT = "The storage failed in the middle; the next run goes on from here"

/** A run that had nothing to do says nothing, not even of what it could not look at. */
async function tellNotices({ bm, command, options }: WatchRun, output: Output): Promise<void> {
  const planned = await bm.dryRun(command.context.place, { ...options, isResync: false })
  if (!planned.ok) return
  output.lines(noticeLines(planned.value))
  for (const notice of planned.value.prepared.plan.notices) output.json({ ...event("notice"), ...notice })
}

function complain({ output }: WatchRun, { voice }: At, { code, message }: ErrorText): void {
  if (voice.complain({ code, message })) output.json({ ...event("watch.trouble"), code, message })
}

async function block({ bm, command, output, options }: WatchRun, at: At, error: SyncError): Promise<void> {
  const text = describeError(error)
  const way = wayOn(text) ?? null
  const { message } = text
  if (!at.voice.complain(text, way === null ? [] : [`  waiting for you: ${way}`])) return
  const planned = await bm.dryRun(command.context.place, { ...options, isResync: false })
  const file = planned.ok ? savePlan(at.watching.directory, planned.value) : undefined
  at.blocked = { message, command: way, plan: file?.plan ?? null }
  output.json({
    ...event("watch.blocked"),
    code: text.code,
    plan: file?.plan ?? null,
    file: file?.path ?? null,
  })
}

/** So does a disk look that is not mounted: where it was is nothing, or an empty directory. */
const AWAY: ReadonlySet<string> = new Set(["missing", "no_marker", "no_epoch"])

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
    case "no_baseline":
    case "journal_damaged":
      return "blocked"
    case "root_changed":
    case "remote_changed":
      return AWAY.has(error.why) ? "away" : "blocked"
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

/**
 * A pipe that nobody reads any more ends the watch as a signal does. A terminal that is gone does not: a watcher that was
 * told to outlive it goes on without a voice. Until the very end, for what is said last fails last.
 */
function outliveReaders({ context }: BmCommand, stop: () => void): void {
  for (const stream of [context.stdout, context.stderr])
    stream.on("error", (error) => {
      if ("code" in error && error.code === "EPIPE") stop()
    })
}
