#!/usr/bin/env node
/** The command `bm`: parses, runs one command, ends with its exit code. The engine is loaded by the commands that use it. */

import { setFlagsFromString } from "node:v8"
import { Builtins, Cli, type CommandClass } from "clipanion"
import type { BmCommand } from "./command.ts"
import { BisyncSetupCommand } from "./commands/bisync-setup.ts"
import { BisyncCommand } from "./commands/bisync.ts"
import { CheckCommand } from "./commands/check.ts"
import { CompletionCommand } from "./commands/completion.ts"
import { ConflictsDiffCommand } from "./commands/conflicts-diff.ts"
import { ConflictsResolveCommand } from "./commands/conflicts-resolve.ts"
import { ConflictsShowCommand } from "./commands/conflicts-show.ts"
import { ConflictsCommand } from "./commands/conflicts.ts"
import { DemoCommand } from "./commands/demo.ts"
import { HistoryExportCommand } from "./commands/history-export.ts"
import { HistoryShowCommand } from "./commands/history-show.ts"
import { HistoryVerifyCommand } from "./commands/history-verify.ts"
import { HistoryCommand } from "./commands/history.ts"
import { StatusCommand } from "./commands/status.ts"
import { SyncCommand } from "./commands/sync.ts"
import { RedoCommand, UndoCommand } from "./commands/undo.ts"
import { type Context, processContext } from "./context.ts"
import { makeOutput } from "./output.ts"
import { VERSION } from "./version.ts"

const COMMANDS: readonly (new () => BmCommand)[] = [
  BisyncSetupCommand,
  BisyncCommand,
  CheckCommand,
  CompletionCommand,
  ConflictsDiffCommand,
  ConflictsResolveCommand,
  ConflictsShowCommand,
  ConflictsCommand,
  DemoCommand,
  HistoryExportCommand,
  HistoryShowCommand,
  HistoryVerifyCommand,
  HistoryCommand,
  StatusCommand,
  SyncCommand,
  UndoCommand,
  RedoCommand,
]

async function main(argv: readonly string[]): Promise<number> {
  const cli = new Cli<Context>({
    binaryLabel: "Basic Memory sync",
    binaryName: "bm",
    binaryVersion: VERSION,
    enableCapture: false,
    enableColors:
      process.stdout.isTTY === true && process.env.NO_COLOR === undefined && !argv.includes("--no-color"),
  })
  for (const command of [Builtins.HelpCommand, Builtins.VersionCommand, ...COMMANDS])
    cli.register(command as CommandClass<Context>)
  const context = processContext(argv)
  const words = argv.length === 0 ? ["--help"] : [...argv]
  const parsed = parse(cli, words, context)
  return parsed.ok
    ? cli.run(parsed.command, context)
    : makeOutput(context, { isJson: argv.includes("--json"), isQuiet: false, isVerbose: false }).fail(
        parsed.error,
      )
}

type Parsed =
  | { readonly ok: true; readonly command: ReturnType<Cli<Context>["process"]> }
  | { readonly ok: false; readonly error: { readonly code: "usage"; readonly message: string } }

function parse(cli: Cli<Context>, words: string[], context: Context): Parsed {
  try {
    return { ok: true, command: cli.process(words, context) }
  } catch (error) {
    // Clipanion's first sentence says what is wrong; the list of every command below it would hide that.
    const [first = "wrong usage"] = error instanceof Error ? error.message.split("\n") : []
    return { ok: false, error: { code: "usage", message: first.replace(/[:.]$/, "") } }
  }
}

// Collect early rather than let a long run grow to several times what it uses; wait for the disk on more threads,
// because making many files durable at once costs little more than making one.
setFlagsFromString("--heap-growing-percent=40")
process.env.UV_THREADPOOL_SIZE ??= "16"

process.exitCode = await main(process.argv.slice(2))
