/** Asks a yes-or-no question on a terminal. Where there is none nobody is asked: callers refuse before. */

import type { Context } from "./context.ts"

export async function confirm(context: Context, question: string): Promise<boolean> {
  const { createInterface } = await import("node:readline/promises")
  const lines = createInterface({ input: context.stdin, output: context.stdout })
  try {
    const answer = await lines.question(`${question} [y/N] `)
    return /^y(es)?$/i.test(answer.trim())
  } finally {
    lines.close()
  }
}
