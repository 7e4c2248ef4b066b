/** `bm completion SHELL`: prints the script that completes commands and flags. */

import { Command, Option } from "clipanion"
import { BmCommand } from "../command.ts"
import { completionScript, type Shell, SHELLS } from "../completion-scripts.ts"
import type { Output } from "../output.ts"

export class CompletionCommand extends BmCommand {
  static override paths = [["completion"]]
  static override usage = Command.Usage({
    category: "General",
    description: "Print a completion script for bash, zsh, fish or powershell",
    details: "Exit codes: 0 done, 64 wrong usage.",
    examples: [
      ["For this bash", "source <(bm completion bash)"],
      ["For every fish", "bm completion fish > ~/.config/fish/completions/bm.fish"],
    ],
  })

  shell = Option.String({ name: "SHELL" })

  run(output: Output): Promise<number> {
    const { shell } = this
    if (!isShell(shell))
      return Promise.resolve(
        output.fail({
          code: "usage",
          message: `there is no completion for ${JSON.stringify(shell)}: ${SHELLS.join(", ")}`,
        }),
      )
    const script = completionScript(shell)
    output.line(script)
    output.json({ schema: "bm.completion/1", shell, script })
    return Promise.resolve(0)
  }
}

function isShell(text: string): text is Shell {
  return (SHELLS as readonly string[]).includes(text)
}
