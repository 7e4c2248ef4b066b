/** Runs the history commands in this process, on a device of the command line's test world. */

import { Writable } from "node:stream"
import { Cli, type CommandClass } from "clipanion"
import type { BmCommand } from "../../src/cli/command.ts"
import { HistoryCommand } from "../../src/cli/commands/history.ts"
import { HistoryExportCommand } from "../../src/cli/commands/history-export.ts"
import { HistoryShowCommand } from "../../src/cli/commands/history-show.ts"
import { HistoryVerifyCommand } from "../../src/cli/commands/history-verify.ts"
import type { Context } from "../../src/cli/context.ts"
import type { CliDevice } from "./cli-world.ts"

const COMMANDS: readonly (new () => BmCommand)[] = [
  HistoryCommand,
  HistoryExportCommand,
  HistoryShowCommand,
  HistoryVerifyCommand,
]

export interface Answer {
  readonly code: number
  readonly out: string
  readonly err: string
}

export async function history(device: CliDevice, ...args: readonly string[]): Promise<Answer> {
  const cli = new Cli<Context>({ binaryName: "bm", enableCapture: false, enableColors: false })
  for (const command of COMMANDS) cli.register(command as CommandClass<Context>)
  const [out, err] = [new Collected(), new Collected()]
  const words = ["cloud", "history", ...args]
  const context: Context = {
    env: {},
    stdin: process.stdin,
    stdout: out,
    stderr: err,
    colorDepth: 1,
    cwd: device.home,
    place: device.place,
    holder: device.holder(["bm", ...words].join(" ")),
    isInteractive: false,
    isProgressShown: false,
  }
  const code = await cli.run(words, context)
  return { code, out: out.text, err: err.text }
}

/** The one document that a command answered. */
export async function historyJson<T>(device: CliDevice, ...args: readonly string[]): Promise<T> {
  const { out, err } = await history(device, ...args, "--json")
  if (out === "") throw new Error(err)
  return JSON.parse(out) as T
}

class Collected extends Writable {
  text = ""
  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.text += chunk.toString()
    done()
  }
}

export interface RunJson {
  readonly run: string
  readonly kind: string
  readonly uploaded: number
  readonly downloaded: number
  readonly deleted: number
  readonly moved: number
  readonly conflicts: readonly string[]
  readonly undone_by: string | null
  readonly undo_of: string | null
  readonly exit: number
}

export interface HistoryJson {
  readonly total: number
  readonly next_before: string | null
  readonly runs: readonly RunJson[]
  readonly events?: readonly { readonly id: string; readonly op: string; readonly path: string }[]
}

export async function newestRun(device: CliDevice): Promise<RunJson> {
  const [run] = (await historyJson<HistoryJson>(device)).runs
  if (run === undefined) throw new Error("no runs")
  return run
}
