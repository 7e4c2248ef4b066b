/**
 * What a watcher says, and what it does not say again: every line with the time of day, a trouble once until it is over,
 * and of what a run could not do only what is new.
 *
 * Troubles go to the error stream, also under `--quiet`; under `--json` they are events, which the caller makes.
 */

import type { Writable } from "node:stream"
import type { Output } from "./output.ts"

export interface Voice {
  /** For what the next run says. */
  runOutput(run: { readonly isWhole: boolean }): Output
  /** How it ended: after one that looked at everything and left nothing undone everything is new again. */
  runEnded(run: { readonly exit: number; readonly isWhole: boolean }): void
  /** For what the watcher says of itself. */
  readonly output: Output
  /** Says a trouble and the lines below it; false where it is the one that was said last, even in other words. */
  complain(trouble: { readonly code: string; readonly message: string }, below?: readonly string[]): boolean
  /** Whether there was a trouble until now; from now on there is none. */
  isOver(): boolean
}

export function makeVoice(
  output: Output,
  { stderr, isSilent }: { readonly stderr: Writable; readonly isSilent: boolean },
): Voice {
  const timed = withTime(output)
  let trouble: string | undefined
  // Of the last run that left something undone, and of the one that is at work.
  let undone: readonly string[] = []
  let said: readonly string[] = []
  let notes: ReadonlySet<string> = new Set()
  return {
    runOutput({ isWhole }) {
      const before = notes
      if (isWhole) notes = new Set()
      said = []
      return {
        ...timed,
        note(text) {
          notes = new Set([...notes, text])
          if (!before.has(text)) timed.note(text)
        },
        lines(texts) {
          said = texts
          const isRepeated = texts.join("\n") === undone.join("\n")
          const isKnown = (text: string) => text.startsWith("  ") && undone.includes(text)
          if (!isRepeated) timed.lines(texts.filter((text) => !isKnown(text)))
        },
      }
    },
    runEnded({ exit, isWhole }) {
      if (exit === 1 || exit === 2) undone = said.length === 0 ? undone : said
      else if (isWhole) undone = []
    },
    output: timed,
    complain({ code, message }, below = []) {
      // A network that fails does so in many ways, and is one trouble.
      const found = code === "cloud_unreachable" ? code : message
      if (trouble === found) return false
      trouble = found
      if (isSilent) return true
      for (const text of [`Error: ${message}`, ...below]) stderr.write(`${timeOfDay()} ${text}\n`)
      return true
    },
    isOver() {
      const was = trouble !== undefined
      trouble = undefined
      return was
    },
  }
}

function withTime(output: Output): Output {
  const timed = (text: string) => `${timeOfDay()} ${text}`
  return {
    ...output,
    line: (text = "") => output.line(timed(text)),
    lines: (texts) => output.lines(texts.map(timed)),
    note: (text) => output.note(timed(text)),
  }
}

function timeOfDay(): string {
  return new Date().toTimeString().slice(0, 8)
}
