/** `bm sync --pause` and `--resume`, and how a watcher obeys them. A run that is asked for by hand is not kept waiting. */

import type { Pause } from "../index.ts"
import type { BmCommand } from "./command.ts"
import type { Output } from "./output.ts"
import {
  pausedJson,
  pauseBeginsLine,
  pauseEndsLine,
  pauseJson,
  pauseLines,
  resumeJson,
  resumeLines,
} from "./service-text.ts"

interface Asked {
  readonly bm: typeof import("../index.ts")
  readonly command: BmCommand
  readonly output: Output
}

/** Answers the exit code. Without a length the pause has no end. */
export function pauseWatching({ bm, command, output }: Asked, length: string | undefined): number {
  const { place } = command.context
  const lengthMs = length === undefined ? undefined : bm.parseDuration(length)
  if (length !== undefined && lengthMs === undefined) {
    const message = `--pause takes a length such as 90s, 30m, 2h, 1d or 1w, not ${JSON.stringify(length)}`
    return output.fail({ code: "usage", message })
  }
  const required = bm.requireConfig(place)
  if (!required.ok) return output.fail(required.error)
  const nowMs = bm.clock.nowMs()
  const paused = bm.pause(place.stateRoot, lengthMs === undefined ? undefined : nowMs + lengthMs, nowMs)
  if (!paused.ok) return output.fail(paused.error)
  output.lines(pauseLines(paused.value, nowMs))
  output.json(pauseJson(paused.value))
  return 0
}

export function resumeWatching({ bm, command, output }: Asked): number {
  const resumed = bm.resume(command.context.place.stateRoot, bm.clock.nowMs())
  if (!resumed.ok) return output.fail(resumed.error)
  output.lines(resumeLines(resumed.value))
  output.json(resumeJson(resumed.value))
  return 0
}

/**
 * What a watcher asks before each run and while it waits: until when nothing runs, in Unix milliseconds, whoever wrote
 * that and whenever. A pause is told where it begins and where it ends, once each.
 */
export function obeyPauses({ bm, command, output }: Asked): () => number | undefined {
  let told: Pause | undefined
  return () => {
    const nowMs = bm.clock.nowMs()
    const found = bm.readPause(command.context.place.stateRoot, nowMs)
    const isTold = (found === undefined) === (told === undefined) && found?.untilMs === told?.untilMs
    told = found
    if (!isTold) tell(output, found, nowMs)
    return found === undefined ? undefined : (found.untilMs ?? Number.POSITIVE_INFINITY)
  }
}

function tell(output: Output, pause: Pause | undefined, nowMs: number): void {
  const event = { schema: "bm.event/1", type: pause === undefined ? "watch.resumed" : "watch.paused" }
  output.line(pause === undefined ? pauseEndsLine() : pauseBeginsLine(pause, nowMs))
  output.json({ ...event, at: new Date(nowMs).toISOString(), ...(pause !== undefined && pausedJson(pause)) })
}
