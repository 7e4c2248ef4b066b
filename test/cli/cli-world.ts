/** A folder remote and devices with real directories, on which commands run in this process as `bm` would run them. */

import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { Writable } from "node:stream"
import { Cli, type CommandClass } from "clipanion"
import type { BmCommand } from "../../src/cli/command.ts"
import { BisyncCommand } from "../../src/cli/commands/bisync.ts"
import { BisyncSetupCommand } from "../../src/cli/commands/bisync-setup.ts"
import { CheckCommand } from "../../src/cli/commands/check.ts"
import { CompletionCommand } from "../../src/cli/commands/completion.ts"
import { ConflictsCommand } from "../../src/cli/commands/conflicts.ts"
import { ConflictsDiffCommand } from "../../src/cli/commands/conflicts-diff.ts"
import { ConflictsResolveCommand } from "../../src/cli/commands/conflicts-resolve.ts"
import { ConflictsShowCommand } from "../../src/cli/commands/conflicts-show.ts"
import { DoctorCommand } from "../../src/cli/commands/doctor.ts"
import { StatusCommand } from "../../src/cli/commands/status.ts"
import type { Context } from "../../src/cli/context.ts"
import {
  bisync,
  type BisyncOptions,
  type Config,
  type Place,
  readConfig,
  setup,
  takeBack,
} from "../../src/index.ts"

const COMMANDS: readonly (new () => BmCommand)[] = [
  BisyncCommand,
  BisyncSetupCommand,
  CheckCommand,
  CompletionCommand,
  ConflictsCommand,
  ConflictsDiffCommand,
  ConflictsResolveCommand,
  ConflictsShowCommand,
  DoctorCommand,
  StatusCommand,
]

export interface Ran {
  readonly code: number
  readonly out: string
  readonly err: string
  readonly json: Readonly<Record<string, unknown>>
}

export class CliWorld {
  readonly root = mkdtempSync(join(tmpdir(), "bm-cli-"))
  readonly cloud = join(this.root, "cloud")

  constructor() {
    mkdirSync(this.cloud)
  }

  async device(name: string): Promise<CliDevice> {
    const device = new CliDevice(this, name)
    const ready = await setup(device.place, {
      dir: device.dir,
      remote: `file:${this.cloud}`,
      deviceName: name,
      defaultDeviceName: name,
      isDryRun: false,
      holder: device.holder("bm cloud bisync-setup"),
    })
    if (!ready.ok) throw new Error(JSON.stringify(ready.error))
    return device
  }

  tree(): Readonly<Record<string, string>> {
    return treeOf(this.cloud)
  }

  dispose(): void {
    rmSync(this.root, { recursive: true, force: true })
  }
}

export class CliDevice {
  readonly world: CliWorld
  readonly home: string
  readonly dir: string
  /** Whether commands find a terminal. */
  isInteractive = false

  constructor(world: CliWorld, name: string) {
    this.world = world
    this.home = join(world.root, name)
    this.dir = join(this.home, "basic-memory-cloud-sync")
    mkdirSync(this.home, { recursive: true })
  }

  get place(): Place {
    return { home: this.home, stateRoot: join(this.home, ".basic-memory") }
  }

  holder(command: string) {
    return { pid: process.pid, host: "test", command, since: new Date(0).toISOString() }
  }

  write(path: string, content: string, at?: string): void {
    writeAt(join(this.dir, path), content, at)
  }

  remove(path: string): void {
    rmSync(join(this.dir, path))
  }

  read(path: string): string {
    return readFileSync(join(this.dir, path), "utf8")
  }

  tree(): Readonly<Record<string, string>> {
    return treeOf(this.dir)
  }

  config(): Config {
    const config = readConfig(this.place)
    if (!config.ok || config.value === undefined) throw new Error("not set up")
    return config.value
  }

  /** A sync that must work; answers its exit code. */
  async sync(options: Partial<BisyncOptions> = {}): Promise<number> {
    const ran = await bisync(
      this.place,
      { holder: this.holder("bm cloud bisync"), isDryRun: false, isResync: false, ...options },
      ({ cycle }) => Promise.resolve(cycle.kind === "performed" ? cycle.performed.exit : 0),
    )
    if (!ran.ok) throw new Error(JSON.stringify(ran.error))
    return ran.value
  }

  async takeBack(mode: "undo" | "redo", target?: string): Promise<string> {
    const taken = await takeBack(
      this.place,
      {
        holder: this.holder(`bm cloud ${mode}`),
        mode,
        paths: [],
        ifChanged: "merge",
        isDryRun: false,
        ...(target !== undefined && { target }),
      },
      (tookBack) => Promise.resolve(tookBack.kind),
    )
    if (!taken.ok) throw new Error(JSON.stringify(taken.error))
    return taken.value
  }

  async bm(...args: readonly string[]): Promise<Ran> {
    const cli = new Cli<Context>({ binaryName: "bm", enableCapture: false, enableColors: false })
    for (const command of COMMANDS) cli.register(command as CommandClass<Context>)
    const [out, err] = [new Collected(), new Collected()]
    const context: Context = {
      env: { PATH: process.env.PATH, HOME: this.home },
      stdin: process.stdin,
      stdout: out,
      stderr: err,
      colorDepth: 1,
      cwd: this.home,
      place: this.place,
      holder: this.holder(["bm", ...args].join(" ")),
      isInteractive: this.isInteractive,
      isProgressShown: false,
    }
    const code = await cli.run([...args], context)
    const isJson = args.includes("--json") && out.text !== ""
    return { code, out: out.text, err: err.text, json: isJson ? JSON.parse(out.text) : {} }
  }
}

class Collected extends Writable {
  text = ""
  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.text += chunk.toString()
    done()
  }
}

export function writeAt(file: string, content: string, at?: string): void {
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, content)
  if (at !== undefined) utimesSync(file, new Date(at), new Date(at))
}

function treeOf(directory: string): Readonly<Record<string, string>> {
  const files = readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((file) => !/\/\.(git|basic-memory)(\/|$)/.test(file.slice(directory.length)))
    .sort()
  return Object.fromEntries(
    files.map((file) => [file.slice(directory.length + 1), readFileSync(file, "utf8")]),
  )
}
