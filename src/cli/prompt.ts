/** Asks on a terminal: a yes or no, a line, a secret. Where there is none nobody is asked: callers refuse before. */

import { Writable } from "node:stream"
import type { Context } from "./context.ts"

export async function confirm(context: Context, question: string): Promise<boolean> {
  return /^y(es)?$/i.test((await ask(context, `${question} [y/N] `, { isHidden: false })).trim())
}

/** `undefined` where the user just presses Enter. */
export async function askLine(context: Context, question: string): Promise<string | undefined> {
  return textOf(await ask(context, `${question}: `, { isHidden: false }))
}

/** What is typed is not shown. */
export async function askSecret(context: Context, question: string): Promise<string | undefined> {
  return textOf(await ask(context, `${question} (not shown): `, { isHidden: true }))
}

function textOf(answer: string): string | undefined {
  const text = answer.trim()
  return text === "" ? undefined : text
}

async function ask(
  context: Context,
  question: string,
  { isHidden }: { readonly isHidden: boolean },
): Promise<string> {
  const { createInterface } = await import("node:readline/promises")
  const { stdin: input, stdout } = context
  // Readline echoes to where it writes, so a secret is written nowhere.
  const output = isHidden ? new Writable({ write: (_chunk, _encoding, done) => done() }) : stdout
  const lines = createInterface({ input, output, ...(isHidden && { terminal: true }) })
  // Ctrl+C and the end of the input are an answer too: none.
  const closed = new Promise<string>((resolve) => lines.once("close", () => resolve("")))
  if (isHidden) stdout.write(question)
  try {
    return await Promise.race([lines.question(isHidden ? "" : question), closed])
  } finally {
    lines.close()
    if (isHidden) stdout.write("\n")
  }
}
