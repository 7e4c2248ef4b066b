/** `bm cloud history show`: one run, one event, or the bytes of a file as it was. */

import { Command, Option } from "clipanion"
import type { PastVersion, When } from "../../index.ts"
import { BmCommand } from "../command.ts"
import { runDocument } from "../history-document.ts"
import { accessOf, notWhen, usage } from "../history-options.ts"
import { showLines } from "../history-text.ts"
import type { Output } from "../output.ts"
import { parseWhen } from "../when.ts"
import { writeAll } from "../write-all.ts"

export class HistoryShowCommand extends BmCommand {
  static override paths = [["cloud", "history", "show"]]
  static override usage = Command.Usage({
    category: "History",
    description: "Show a run or one event of it; with --at, write a file as it was then",
    details: `
      With \`--at\` the bytes of that version go to stdout and nothing else does. WHEN is a time or a run: \`r7k2q\` just after it,
      \`r7k2q-\` just before it. A path that looks like an id is written \`./r7k2q\`.
      Exit codes: 0 done, 1 no such run, event or version, 7 the journal is missing or damaged, 8 another sync is still running after 10 s, 64 wrong usage.
    `,
    examples: [
      ["A run with its differences", "bm cloud history show r7k2q --patch"],
      ["A file as it was before a run", "bm cloud history show notes/old-draft.md --at r7k2q- > old.md"],
    ],
  })

  target = Option.String({ name: "RUN|EVENT|PATH" })
  at = Option.String("--at", { description: "Write the file TARGET as it was at WHEN" })
  patch = Option.Boolean("--patch", false, { description: "A unified diff under each change" })

  async run(output: Output): Promise<number> {
    if (this.at === undefined) return this.showRun(output)
    if (this.patch) return output.fail(usage("--patch goes with a run, --at with a path").error)
    const at = parseWhen(this.at, Date.now())
    return at === undefined
      ? output.fail(notWhen("--at", this.at).error)
      : this.showVersion(output, at, this.at)
  }

  private async showRun(output: Output): Promise<number> {
    const bm = await import("../../index.ts")
    const options = { target: this.target, withPatch: this.patch || output.isVerbose }
    const shown = await bm.showRun(this.context.place, accessOf(this.context, output), options)
    if (!shown.ok) return output.fail(shown.error)
    output.json(runDocument(shown.value))
    output.lines(showLines(shown.value))
    return 0
  }

  private async showVersion(output: Output, at: When, atText: string): Promise<number> {
    const bm = await import("../../index.ts")
    const pieces: Uint8Array[] = []
    const write = async (piece: Uint8Array) => {
      if (output.isJson) pieces.push(Uint8Array.from(piece))
      return output.isJson || writeAll(this.context.stdout, piece)
    }
    const query = { path: this.target, at, atText }
    const found = await bm.readVersion(this.context.place, accessOf(this.context, output), query, write)
    if (!found.ok) return output.fail(found.error)
    output.json(versionDocument(found.value, Buffer.concat(pieces), atText))
    return 0
  }
}

function versionDocument(
  { path, hash, sizeBytes, run, since }: PastVersion,
  bytes: Buffer,
  at: string,
): object {
  const text = utf8Of(bytes)
  const content = text === undefined ? { content_b64: bytes.toString("base64") } : { content: text }
  return {
    schema: "bm.version/1",
    path,
    at,
    run: run ?? null,
    since,
    sha256: hash,
    size: sizeBytes,
    ...content,
  }
}

function utf8Of(bytes: Buffer): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    // Not text: it goes out as base64.
    return undefined
  }
}
