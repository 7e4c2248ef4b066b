/** What the requests of one opened remote share: how rclone is asked, and asked again. */

import type { IncomingMessage } from "node:http"
import type { Random } from "../model/ports.ts"
import { err, type Result } from "../model/result.ts"
import type { Answer, Failure, FailureKind } from "../store/store.ts"
import { member, text } from "./answers.ts"
import { failureOf } from "./failure.ts"
import { toRcloneName } from "./name.ts"
import type { Rc } from "./rc.ts"
import type { RcloneRemote } from "./remote.ts"
import type { WorkFolder } from "./work-folder.ts"

export interface AskOptions {
  /** All attempts together. */
  readonly withinMs: number
  /** Asking twice is as good as once, whatever became of the first time. */
  readonly isRepeatable: boolean
  /** What rclone could not read, passed over and only counted makes it a failure. */
  readonly isAllOrNothing?: boolean
}

export interface RcloneSide {
  readonly remote: RcloneRemote
  readonly work: WorkFolder
  readonly random: Random
  readonly nowMs: () => number
  readonly monotonicMs: () => number
  ask(command: string, input: object, options: AskOptions): Answer<unknown>
  open(key: string): Answer<IncomingMessage>
}

export interface RcloneSideOptions extends Waiting {
  /** Who gave the bucket and its key pair, where it is not the user. */
  readonly via?: "account"
}

export interface Waiting {
  readonly monotonicMs: () => number
  readonly sleep: (ms: number) => Promise<void>
}

const ATTEMPTS_MAX = 4
const DELAY_MS = 400

export function openRcloneSide(
  at: Pick<RcloneSide, "remote" | "work" | "random" | "nowMs"> &
    RcloneSideOptions & { readonly rc: Rc; readonly isAlive: () => boolean },
): RcloneSide {
  const { rc, remote, isAlive, monotonicMs, sleep, via } = at
  const again = async <T>(options: AskOptions, send: (leftMs: number) => Answer<T>): Answer<T> => {
    const startedMs = monotonicMs()
    const leftMs = () => options.withinMs - (monotonicMs() - startedMs)
    for (let attempt = 1; ; attempt++) {
      const sent = await send(Math.max(1, Math.ceil(leftMs())))
      const delayMs = DELAY_MS * 2 ** attempt
      if (sent.ok || attempt >= ATTEMPTS_MAX || leftMs() <= delayMs || !isAlive()) return told(sent, via)
      if (!mayRepeat(sent, options)) return told(sent, via)
      await sleep(delayMs)
      // A machine that slept may have slept longer.
      if (leftMs() <= 0) return told(sent, via)
    }
  }
  return {
    ...at,
    async ask(command, input, options) {
      const names = Object.entries(input).filter(isName)
      if (names.some(([, name]) => NO_PATH.test(name))) return err({ kind: "refused", detail: "no path" })
      const said = Object.fromEntries(names.map(([field, name]) => [field, toRcloneName(name)]))
      return again(options, (withinMs) => {
        const asked = { ...input, ...said }
        return options.isAllOrNothing === true
          ? callWhole(at, { command, input: asked, withinMs })
          : rc.call(command, asked, { withinMs })
      })
    },
    open: (key) =>
      again({ withinMs: OPEN_MS_MAX, isRepeatable: true }, () => rc.open(remote.fs, toRcloneName(key))),
  }
}

/** Each time under a name of its own, for the counts of an earlier one would say nothing about this. */
async function callWhole(
  { rc, random }: { readonly rc: Rc; readonly random: Random },
  at: { readonly command: string; readonly input: object; readonly withinMs: number },
): Answer<unknown> {
  const { command, input, withinMs } = at
  const group = random.hex128()
  const answered = await rc.call(command, { ...input, _group: group }, { withinMs })
  const counted = await rc.call("core/stats", { group }, { withinMs: COUNT_MS_MAX })
  await rc.call("core/stats-delete", { group }, { withinMs: COUNT_MS_MAX })
  if (!answered.ok) return answered
  if (!counted.ok) return counted
  return member(counted.value, "errors") === 0
    ? answered
    : err(failureOf(text(member(counted.value, "lastError"))))
}

const COUNT_MS_MAX = 10_000
const OPEN_MS_MAX = 60_000
const NAMES = new Set(["remote", "srcRemote", "dstRemote"])
/** The root has no name. Of others some storages would take `a/..` for it, and put a file in its place. */
const NO_PATH = /^(?=.)(?:.*\/)?\.{0,2}(?:\/.*)?$/s

function isName(entry: readonly [string, unknown]): entry is [string, string] {
  return NAMES.has(entry[0]) && typeof entry[1] === "string"
}

/** rclone.conf has these from the account, so it is there that they are mended. */
const OF_ACCOUNT: ReadonlySet<FailureKind> = new Set(["credentials", "expired", "denied", "no_bucket"])

function told<T>(sent: Result<T, Failure>, via: RcloneSideOptions["via"]): Result<T, Failure> {
  if (sent.ok || via === undefined || !OF_ACCOUNT.has(sent.error.kind)) return sent
  return err({ ...sent.error, via })
}

/** A storage that was too busy did nothing. */
function mayRepeat(sent: Result<unknown, Failure>, { isRepeatable }: AskOptions): boolean {
  if (sent.ok) return false
  const { kind } = sent.error
  return kind === "busy" || (isRepeatable && kind === "unreachable")
}
