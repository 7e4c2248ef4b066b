/** `bm demo`: the main job on a folder, with two devices, in a temporary place. Every line is a real command's. */

import { spawnSync } from "node:child_process"
import { mkdirSync, mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { Command, Option } from "clipanion"
import { BmCommand } from "../command.ts"
import { DEMO_EDITS, DEMO_NOTES } from "../demo-notes.ts"
import type { Output } from "../output.ts"

interface Device {
  readonly name: string
  readonly home: string
  readonly notes: string
}

class DemoFailed extends Error {}

export class DemoCommand extends BmCommand {
  static override paths = [["demo"]]
  static override usage = Command.Usage({
    category: "Help",
    description: "Show a sync of two devices: plan, conflict, history, undo; in a temporary folder",
    details: "Exit codes: 0 everything went as shown, 1 something did not.",
  })

  keep = Option.Boolean("--keep", false, { description: "Leave the folders for a look around" })

  async run(output: Output): Promise<number> {
    const root = mkdtempSync(join(tmpdir(), "bm-demo-"))
    try {
      const story = new Story(output, root)
      story.tell()
      output.json({ schema: "bm.demo/1", ok: true, commands: story.commands })
      if (this.keep) output.line(`\nKept in ${root}`)
      return 0
    } catch (error) {
      if (!(error instanceof DemoFailed)) throw error
      this.context.stderr.write(`Error: the demonstration did not go as it should - ${error.message}\n`)
      return 1
    } finally {
      if (!this.keep) rmSync(root, { recursive: true, force: true })
    }
  }
}

class Story {
  readonly commands: string[] = []
  readonly #output: Output
  readonly #root: string

  constructor(output: Output, root: string) {
    this.#output = output
    this.#root = root
  }

  tell(): void {
    const cloud = join(this.#root, "cloud")
    mkdirSync(cloud)
    const [laptop, phone] = [this.#device("laptop"), this.#device("phone")]
    for (const [path, text] of Object.entries(DEMO_NOTES))
      this.#write(laptop, path, text, "2026-03-02T09:00:00Z")
    this.#say("Two devices and a folder that stands for the cloud. The laptop has notes; the phone has none.")
    for (const device of [laptop, phone])
      this.#bm(device, [
        "cloud",
        "bisync-setup",
        "--dir",
        device.notes,
        "--remote",
        `file:${cloud}`,
        "--device",
        device.name,
      ])

    this.#say("A new note and an edit on the laptop: first the plan, then exactly that.")
    this.#write(laptop, "garden/beans.md", "# Beans\n\nPoles first, then sow.\n", "2026-03-02T09:30:00Z")
    this.#write(
      laptop,
      "work/retrospective.md",
      `${DEMO_NOTES["work/retrospective.md"]}- [ ] Write it up\n`,
      "2026-03-02T09:40:00Z",
    )
    this.#bm(laptop, ["cloud", "bisync", "--dry-run"])
    this.#bm(laptop, ["cloud", "bisync"])
    this.#bm(phone, ["cloud", "bisync"])

    this.#say("Both edit ideas.md: the laptop at 10:00, the phone at 10:05. The newer one wins, loudly.")
    this.#write(laptop, "ideas.md", DEMO_EDITS.laptop, "2026-03-02T10:00:00Z")
    this.#write(phone, "ideas.md", DEMO_EDITS.phone, "2026-03-02T10:05:00Z")
    this.#bm(laptop, ["cloud", "bisync"])
    this.#bm(phone, ["cloud", "bisync", "--dry-run"])
    this.#bm(phone, ["cloud", "bisync"])
    const conflict = this.#firstConflict(phone)
    this.#bm(phone, ["cloud", "conflicts"])
    this.#bm(phone, ["cloud", "conflicts", "diff", conflict])

    this.#say("The laptop's lines are wanted after all.")
    this.#bm(phone, ["cloud", "undo", conflict])
    this.#bm(laptop, ["cloud", "bisync"])
    this.#must(
      this.#read(laptop, "ideas.md") === DEMO_EDITS.laptop,
      "undo brings the loser back on both devices",
    )
    this.#bm(phone, ["cloud", "history"])
    this.#bm(phone, ["cloud", "history", "verify"])
    this.#git(phone, ["log", "--oneline", "--", "ideas.md"])
  }

  #device(name: string): Device {
    const home = join(this.#root, name)
    mkdirSync(home)
    return { name, home, notes: join(home, "notes") }
  }

  #write(device: Device, path: string, text: string, at: string): void {
    const file = join(device.notes, path)
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, text)
    utimesSync(file, new Date(at), new Date(at))
  }

  #read(device: Device, path: string): string {
    return readFileSync(join(device.notes, path), "utf8")
  }

  #say(text: string): void {
    this.#output.line(`\n# ${text}`)
  }

  #bm(device: Device, args: readonly string[]): string {
    const shown = args.map((arg) => arg.replace(`${this.#root}/`, ""))
    return this.#run(device, {
      command: process.execPath,
      args: [process.argv[1] ?? "", ...args],
      shown: `bm ${shown.join(" ")}`,
    })
  }

  #git(device: Device, args: readonly string[]): void {
    const found = spawnSync("git", ["--version"])
    if (found.error === undefined)
      this.#run(device, {
        command: "git",
        args: ["-C", device.notes, ...args],
        shown: `git ${args.join(" ")}`,
      })
  }

  #run(
    device: Device,
    {
      command,
      args,
      shown,
    }: { readonly command: string; readonly args: readonly string[]; readonly shown: string },
  ): string {
    this.commands.push(shown)
    this.#output.line(`\n${device.name}$ ${shown}`)
    const env = {
      ...process.env,
      HOME: device.home,
      NO_COLOR: "1",
      BASIC_MEMORY_CONFIG_DIR: join(device.home, ".basic-memory"),
      GIT_CONFIG_NOSYSTEM: "1",
    }
    const ran = spawnSync(command, args, { cwd: device.home, env, encoding: "utf8" })
    for (const line of ran.stdout.trimEnd().split("\n"))
      this.#output.line(line.replaceAll(`${this.#root}/`, ""))
    this.#must(ran.status === 0, `${shown} ended with ${ran.status}: ${ran.stderr}`)
    return ran.stdout
  }

  #firstConflict(device: Device): string {
    const env = {
      ...process.env,
      HOME: device.home,
      BASIC_MEMORY_CONFIG_DIR: join(device.home, ".basic-memory"),
    }
    const ran = spawnSync(process.execPath, [process.argv[1] ?? "", "cloud", "conflicts", "--json"], {
      env,
      encoding: "utf8",
    })
    const { conflicts } = JSON.parse(ran.stdout) as {
      readonly conflicts: readonly { readonly conflict: string }[]
    }
    const [first] = conflicts
    this.#must(first !== undefined, "the conflict is in the list")
    return first?.conflict ?? ""
  }

  #must(holds: boolean, what: string): void {
    if (!holds) throw new DemoFailed(what)
  }
}
