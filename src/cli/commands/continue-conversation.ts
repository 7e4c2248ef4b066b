/** `bm tools continue-conversation`: a prompt about a project, made by the cloud. */

import { Command, Option } from "clipanion"
import { BmCommand } from "../command.ts"
import type { Output } from "../output.ts"

export class ContinueConversationCommand extends BmCommand {
  static override paths = [
    ["tools", "continue-conversation"],
    ["tool", "continue-conversation"],
  ]
  static override usage = Command.Usage({
    category: "Account",
    description: "Print a prompt that goes on where a project is",
    details: "The cloud makes it from the project's notes. Exit codes: 0 done, 1 failed, 64 wrong usage.",
    examples: [["Of the last week", "bm tools continue-conversation --project work --timeframe 7d"]],
  })

  topic = Option.String("--topic", { description: "What it shall be about" })
  timeframe = Option.String("--timeframe", { description: "How far back, such as 7d" })
  project = Option.String("--project", { description: "The project (default: the cloud's default project)" })

  async run(output: Output): Promise<number> {
    const bm = await import("../../index.ts")
    const { topic, timeframe, project } = this
    const prompt = await bm.continueConversation(this.context.place, {
      ...(topic !== undefined && { topic }),
      ...(timeframe !== undefined && { timeframe }),
      ...(project !== undefined && { project }),
    })
    if (!prompt.ok) return output.fail(prompt.error)
    // For a program that reads on; a terminal is spared what it would act upon.
    const text = this.context.isInteractive ? withoutControls(prompt.value) : prompt.value
    output.line(text.replace(/\n$/, ""))
    output.json({ schema: "bm.prompt/1", prompt: prompt.value })
    return 0
  }
}

function withoutControls(text: string): string {
  return text.replace(/[^\P{Cc}\n\t]/gu, "")
}
