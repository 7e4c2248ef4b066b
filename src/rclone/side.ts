/** What the requests of one opened remote share: how rclone is asked, and asked again. */

import type { IncomingMessage } from "node:http"
import type { Random } from "../model/ports.ts"
import type { Result } from "../model/result.ts"
import type { Answer, Failure } from "../store/store.ts"
import type { Rc } from "./rc.ts"
import type { RcloneRemote } from "./remote.ts"
import type { WorkFolder } from "./work-folder.ts"

export interface AskOptions {
  /** All attempts together. */
  readonly withinMs: number
  /** Asking twice is as good as once, whatever became of the first time. */
  readonly isRepeatable: boolean
}

export interface RcloneSide {
  readonly remote: RcloneRemote
  readonly work: WorkFolder
  readonly random: Random
  readonly nowMs: () => number
  ask(command: string, input: object, options: AskOptions): Answer<unknown>
  open(key: string): Answer<IncomingMessage>
}

export interface Waiting {
  readonly monotonicMs: () => number
  readonly sleep: (ms: number) => Promise<void>
}

const ATTEMPTS_MAX = 4
const DELAY_MS = 400

export function openRcloneSide(
  at: Pick<RcloneSide, "remote" | "work" | "random" | "nowMs"> &
    Waiting & { readonly rc: Rc; readonly isAlive: () => boolean },
): RcloneSide {
  const { rc, remote, isAlive, monotonicMs, sleep } = at
  const again = async <T>(options: AskOptions, send: (leftMs: number) => Answer<T>): Answer<T> => {
    const startedMs = monotonicMs()
    for (let attempt = 1; ; attempt++) {
      const leftMs = options.withinMs - (monotonicMs() - startedMs)
      const sent = await send(Math.max(1, Math.ceil(leftMs)))
      const delayMs = DELAY_MS * 2 ** attempt
      if (sent.ok || attempt >= ATTEMPTS_MAX || leftMs < delayMs || !isAlive()) return sent
      if (!mayRepeat(sent, options)) return sent
      await sleep(delayMs)
    }
  }
  return {
    ...at,
    ask: (command, input, options) => again(options, (withinMs) => rc.call(command, input, { withinMs })),
    open: (key) => again({ withinMs: OPEN_MS_MAX, isRepeatable: true }, () => rc.open(remote.fs, key)),
  }
}

const OPEN_MS_MAX = 60_000

/** A storage that was too busy did nothing. */
function mayRepeat(sent: Result<unknown, Failure>, { isRepeatable }: AskOptions): boolean {
  if (sent.ok) return false
  const { kind } = sent.error
  return kind === "busy" || (isRepeatable && kind === "unreachable")
}
