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
import { DoctorCommand } from "./commands/doctor.ts"
import { HistoryExportCommand } from "./commands/history-export.ts"
import { HistoryShowCommand } from "./commands/history-show.ts"
import { HistoryVerifyCommand } from "./commands/history-verify.ts"
import { HistoryCommand } from "./commands/history.ts"
import { ContinueConversationCommand } from "./commands/continue-conversation.ts"
import { LoginCommand, LogoutCommand } from "./commands/login.ts"
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
  DoctorCommand,
  HistoryExportCommand,
  HistoryShowCommand,
  HistoryVerifyCommand,
  HistoryCommand,
  LoginCommand,
  LogoutCommand,
  ContinueConversationCommand,
  StatusCommand,
  SyncCommand,
  UndoCommand,
  RedoCommand,
]

type Command = CommandClass<Context>

const ALL = [Builtins.HelpCommand, Builtins.VersionCommand, ...COMMANDS] as unknown as readonly Command[]

async function main(argv: readonly string[]): Promise<number> {
  const context = processContext(argv)
  const words = argv.length === 0 ? ["--help"] : [...argv]
  const parsed = parse(words, context)
  return parsed.ok
    ? parsed.cli.run(parsed.command, context)
    : makeOutput(context, { isJson: argv.includes("--json"), isQuiet: false, isVerbose: false }).fail(
        parsed.error,
      )
}

type Parsed =
  | {
      readonly ok: true
      readonly cli: Cli<Context>
      readonly command: ReturnType<Cli<Context>["process"]>
    }
  | { readonly ok: false; readonly error: { readonly code: "usage"; readonly message: string } }

/**
 * Parses with the commands that the first words may mean, for reading what all of them take costs a third of a start.
 * What these do not understand is parsed again with all of them, so that every command is found and errors are the same.
 */
function parse(words: string[], context: Context): Parsed {
  const meant = ALL.filter(({ paths = [] }) =>
    paths.some((path) => path.every((word, at) => words[at] === word)),
  )
  const few = meant.length === 0 ? undefined : attempt(makeCli(meant), words, context)
  if (few?.ok !== true) return attempt(makeCli(ALL), words, context)
  // The general help lists whatever is registered when it runs.
  if (few.command instanceof Builtins.HelpCommand)
    for (const command of ALL) if (!meant.includes(command)) few.cli.register(command)
  return few
}

function makeCli(commands: readonly Command[]): Cli<Context> {
  const cli = new Cli<Context>({
    binaryLabel: "Basic Memory sync",
    binaryName: "bm",
    binaryVersion: VERSION,
    enableCapture: false,
    enableColors:
      process.stdout.isTTY === true &&
      process.env.NO_COLOR === undefined &&
      !process.argv.includes("--no-color"),
  })
  for (const command of commands) cli.register(command)
  return cli
}

function attempt(cli: Cli<Context>, words: string[], context: Context): Parsed {
  try {
    return { ok: true, cli, command: cli.process(words, context) }
  } catch (error) {
    return { ok: false, error: { code: "usage", message: usageText(error, words) } }
  }
}

/** Clipanion's first sentence says what is wrong; the list of every command below it would hide that. */
function usageText(error: unknown, words: readonly string[]): string {
  const [first = "wrong usage"] = error instanceof Error ? error.message.split("\n") : []
  if (first.startsWith("Command not found")) return `there is no command bm ${words.join(" ")}`
  return first.replace(/[:.]$/, "")
}

// Collect early rather than let a long run grow to several times what it uses. In a first sync what is new lives long,
// and room for new objects that grows with them (to 48 MB) makes it larger and no faster; a run with nothing to do is
// quicker with that room. Wait for the disk on more threads, because making many files durable at once costs little more
// than making one.
const isFirstSync = process.argv.includes("bisync-setup") || process.argv.includes("--resync")
setFlagsFromString(`--heap-growing-percent=${isFirstSync ? 40 : 20}`)
if (isFirstSync) setFlagsFromString("--semi-space-growth-factor=1")
process.env.UV_THREADPOOL_SIZE ??= "16"
// The object store's library would greet every user of a Node that it will not support for ever.
process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED ??= "true"

process.exitCode = await main(process.argv.slice(2))
