/**
 * Where a command's words go: text for people, or one JSON document (or NDJSON lines) for programs; never both.
 */

import type { Writable } from "node:stream"
import type { SyncError } from "../index.ts"
import { describeError, type ErrorText } from "./error-text.ts"

export interface Output {
  readonly isJson: boolean
  readonly isVerbose: boolean
  /** A line of text; nothing under `--json` or `--quiet`. */
  line(text?: string): void
  lines(texts: readonly string[]): void
  /** A JSON document or NDJSON line; nothing without `--json`. */
  json(value: object): void
  /** What must be known while a command that answers with one document is still at work: on the error stream. */
  jsonAside(value: object): void
  /** A remark for people, on stderr, so that stdout stays what was asked for. */
  note(text: string): void
  /** Says what went wrong and answers the exit code. */
  fail(error: SyncError, options?: { readonly changed?: boolean }): number
}

export function makeOutput(
  streams: { readonly stdout: Writable; readonly stderr: Writable },
  options: { readonly isJson: boolean; readonly isQuiet: boolean; readonly isVerbose: boolean },
): Output {
  const { isJson, isQuiet, isVerbose } = options
  const line = (text = "") => {
    if (!isJson && !isQuiet) streams.stdout.write(`${text}\n`)
  }
  return {
    isJson,
    isVerbose,
    line,
    lines: (texts) => texts.forEach((text) => line(text)),
    json: (value) => {
      if (isJson) streams.stdout.write(`${JSON.stringify(value)}\n`)
    },
    jsonAside: (value) => {
      if (isJson) streams.stderr.write(`${JSON.stringify(value)}\n`)
    },
    note: (text) => {
      if (!isJson && !isQuiet) streams.stderr.write(`${text}\n`)
    },
    fail(error, { changed = error.code === "broken_off" } = {}) {
      const text = describeError(error)
      streams.stderr.write(
        isJson ? `${JSON.stringify(errorJson(text, changed))}\n` : errorLines(text, changed),
      )
      return text.exit
    },
  }
}

function errorLines({ message, where, why, fix }: ErrorText, changed: boolean): string {
  const lines = [`Error: ${message}`]
  where?.lines.forEach((text, index) => lines.push(`${index === 0 ? "  Where  " : "         "}${text}`))
  if (why !== undefined) lines.push(`  Why    ${why}`)
  const width = Math.max(0, ...fix.map(({ command }) => command?.length ?? 0))
  fix.forEach(({ text, command }, index) => {
    lines.push(
      `${index === 0 ? "  Fix    " : "         "}${command === undefined ? text : `${command.padEnd(width)}    ${text}`}`,
    )
  })
  if (!changed && fix.length > 0) lines.push("  Nothing was changed.")
  return `${lines.join("\n")}\n`
}

function errorJson({ code, exit, message, where, why, fix }: ErrorText, changed: boolean): object {
  return {
    schema: "bm.error/1",
    code,
    exit,
    message,
    ...(where !== undefined && { where: where.data }),
    ...(why !== undefined && { why }),
    fix,
    changed,
  }
}
