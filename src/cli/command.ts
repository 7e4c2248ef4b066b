/** What all commands share: the flags that exist everywhere, and the way from a result to an exit code. */

import { Command, Option } from "clipanion"
import type { Context } from "./context.ts"
import { makeOutput, type Output } from "./output.ts"

export abstract class BmCommand extends Command<Context> {
  json = Option.Boolean("--json", false, {
    description: "One JSON document (or NDJSON lines) instead of text",
  })
  quiet = Option.Boolean("-q,--quiet", false, { description: "Errors only" })
  verbose = Option.Boolean("-v,--verbose", false, { description: "Evidence and diffs too" })
  noColor = Option.Boolean("--no-color", false, { description: "No colours" })
  yes = Option.Boolean("-y,--yes", false, { description: "Answer prompts with yes; it never passes a brake" })

  /** The only place that catches what no code expects: a bug, and said as one. */
  override async execute(): Promise<number> {
    try {
      return await this.run(
        makeOutput(this.context, { isJson: this.json, isQuiet: this.quiet, isVerbose: this.verbose }),
      )
    } catch (error) {
      return this.failInternally(error)
    }
  }

  private failInternally(error: unknown): number {
    const { stderr, env } = this.context
    const message = error instanceof Error ? error.message.split("\n")[0] : String(error)
    const fix =
      "run it again under BM_DEBUG=1 and report what it says; what was done is in the journal, and the next run goes on"
    stderr.write(
      this.json
        ? `${JSON.stringify({ schema: "bm.error/1", code: "internal", exit: 1, message, fix: [{ text: fix }], changed: null })}\n`
        : `Error: this is a bug in bm - ${message}\n  Fix    ${fix}\n`,
    )
    if (env.BM_DEBUG !== undefined && error instanceof Error) stderr.write(`${error.stack}\n`)
    return 1
  }

  abstract run(output: Output): Promise<number>
}

/** A whole number from the command line, or what is wrong with it. */
export function parseCount(
  text: string | undefined,
  flag: string,
):
  | { readonly ok: true; readonly value: number | undefined }
  | { readonly ok: false; readonly error: { readonly code: "usage"; readonly message: string } } {
  if (text === undefined) return { ok: true, value: undefined }
  if (/^\d{1,9}$/.test(text)) return { ok: true, value: Number(text) }
  return {
    ok: false,
    error: { code: "usage", message: `${flag} takes a whole number, not ${JSON.stringify(text)}` },
  }
}
