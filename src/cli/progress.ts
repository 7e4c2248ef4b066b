/** Progress on stderr: one moving line on a terminal, now and then a plain line without one. */

import type { Progress } from "../index.ts"
import type { Context } from "./context.ts"
import { escapeForTerminal, formatBytes } from "./format.ts"

const BAR_WIDTH = 15
const TERMINAL_INTERVAL_MS = 80
const PLAIN_INTERVAL_MS = 5_000

export interface ProgressLine {
  show(progress: Progress): void
  clear(): void
}

export function progressLine(context: Context, options: { readonly isQuiet: boolean }): ProgressLine {
  let shownMs = Date.now()
  let hasLine = false
  const intervalMs = context.isProgressShown ? TERMINAL_INTERVAL_MS : PLAIN_INTERVAL_MS
  return {
    show(progress) {
      const nowMs = Date.now()
      if (options.isQuiet || nowMs - shownMs < intervalMs) return
      shownMs = nowMs
      hasLine = context.isProgressShown
      context.stderr.write(
        context.isProgressShown
          ? `\r\u001b[2K${movingLine(progress)}`
          : `${new Date(nowMs).toISOString().slice(11, 19)} ${plainLine(progress)}\n`,
      )
    },
    clear() {
      if (hasLine) context.stderr.write("\r\u001b[2K")
      hasLine = false
    },
  }
}

function movingLine(progress: Progress): string {
  const filled = Math.floor((BAR_WIDTH * progress.done) / Math.max(1, progress.of))
  const { direction, path } = progress.action
  const bar = "█".repeat(filled) + "░".repeat(BAR_WIDTH - filled)
  return `Syncing ${bar} ${progress.done}/${progress.of} · ${bytesText(progress)} · ${direction === "down" ? "↓" : "↑"} ${escapeForTerminal(path)}`
}

function plainLine(progress: Progress): string {
  return `${progress.done}/${progress.of} files, ${bytesText(progress)}`
}

function bytesText({ bytes, ofBytes }: Progress): string {
  return `${formatBytes(bytes)}/${formatBytes(ofBytes)}`
}
