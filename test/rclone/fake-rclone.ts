/** An rclone that answers what a test tells it to, with clocks that run only while somebody waits. */

import { err, ok, type Result } from "../../src/model/result.ts"
import type { Rc } from "../../src/rclone/rc.ts"
import type { RcloneRemote } from "../../src/rclone/remote.ts"
import { openRcloneSide, type RcloneSide } from "../../src/rclone/side.ts"
import type { Answer, Failure } from "../../src/store/store.ts"

export const REMOTE: RcloneRemote = {
  fs: "r:x/",
  isBucketBased: false,
  canCopy: true,
  canMove: true,
  hasDuplicates: false,
  foldsCase: false,
  hasEmptyDirectories: true,
  isTimeSlow: false,
  keepsTimes: true,
  isLocal: false,
}
export const CUT: Failure = { kind: "unreachable", detail: "ECONNRESET" }

export interface Asked {
  readonly command: string
  readonly input: Readonly<Record<string, unknown>>
  readonly withinMs: number
}

export interface SideOver {
  readonly side: RcloneSide
  readonly asked: Asked[]
  readonly opened: string[]
  /** How long it waited in all. */
  waitedMs(): number
  later(ms: number): void
  /** Every wait takes that much longer. */
  oversleep(ms: number): void
  die(): void
}

export function sideOver(
  answerOf: (asked: Asked) => Result<unknown, Failure> | Answer<unknown>,
  remote: RcloneRemote = REMOTE,
): SideOver {
  const asked: Asked[] = []
  const opened: string[] = []
  let clockMs = 0
  let waitedMs = 0
  let longerMs = 0
  let isAlive = true
  let lastHex = 0
  const rc: Rc = {
    async call(command, input, { withinMs }) {
      const request = { command, input: Object.fromEntries(Object.entries(input)), withinMs }
      asked.push(request)
      return answerOf(request)
    },
    async open(remote, path) {
      opened.push(`${remote} ${path}`)
      const answer = await answerOf({ command: "open", input: {}, withinMs: 0 })
      return answer.ok ? err<Failure>(CUT) : answer
    },
    close: () => {},
  }
  const side = openRcloneSide({
    rc,
    remote,
    work: { path: "/work", withFile: (_, use) => use(), close: () => {} },
    random: { hex128: () => String(++lastHex).padStart(32, "0") },
    nowMs: () => clockMs,
    monotonicMs: () => clockMs,
    async sleep(ms) {
      clockMs += ms + longerMs
      waitedMs += ms
    },
    isAlive: () => isAlive,
  })
  return {
    side,
    asked,
    opened,
    waitedMs: () => waitedMs,
    later(ms) {
      clockMs += ms
    },
    oversleep(ms) {
      longerMs = ms
    },
    die() {
      isAlive = false
    },
  }
}

/** These, one after the other, and then the last for ever. */
export function inTurn(...answers: readonly Result<unknown, Failure>[]): () => Result<unknown, Failure> {
  let at = 0
  return () => answers[Math.min(at++, answers.length - 1)] ?? ok({})
}
