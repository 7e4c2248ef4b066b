/** `bm cloud bisync-setup`: directory, remote, state and first baseline. */

import { resolve } from "node:path"
import { Command, Option } from "clipanion"
import type { Cycle, SetupReport } from "../../index.ts"
import { BmCommand } from "../command.ts"
import { escapeForTerminal } from "../format.ts"
import type { Output } from "../output.ts"

export class BisyncSetupCommand extends BmCommand {
  static override paths = [["cloud", "bisync-setup"]]
  static override usage = Command.Usage({
    category: "Sync",
    description: "Set this device up: directory, remote, first baseline",
    details: `
      REMOTE is file:/path/to/folder: a folder, a network share, a USB disk. Run again it repairs only what is missing.
      Exit codes: 0 done, 1 failed, 2 some paths could not be synced, 4 refused, 6 conflicts were left open, 8 another sync is
      running, 64 wrong usage.
    `,
    examples: [
      [
        "Sync a folder with a network share",
        "bm cloud bisync-setup --dir ~/notes --remote file:/mnt/share/notes",
      ],
    ],
  })

  dir = Option.String("--dir", { description: "The sync directory (default ~/basic-memory-cloud-sync)" })
  remote = Option.String("--remote", { description: "file:/path/to/folder" })
  backend = Option.String("--backend", { description: "native or rclone; for S3 remotes" })
  device = Option.String("--device", { description: "A name for this device (default: the host's)" })
  dryRun = Option.Boolean("--dry-run", false, { description: "Say what would be done; change nothing" })

  async run(output: Output): Promise<number> {
    const bm = await import("../../index.ts")
    if (this.backend !== undefined && this.backend !== "native")
      return output.fail({ code: "usage", message: `--backend ${this.backend} is not for folders` })
    const { place, holder, cwd } = this.context
    const report = await bm.setup(place, {
      holder,
      isDryRun: this.dryRun,
      defaultDeviceName: holder.host,
      ...(this.dir !== undefined && { dir: this.dir.startsWith("~") ? this.dir : resolve(cwd, this.dir) }),
      ...(this.remote !== undefined && { remote: this.remote }),
      ...(this.device !== undefined && { deviceName: this.device }),
    })
    if (!report.ok) return output.fail(report.error)
    output.lines(
      setupLines(report.value, {
        shorten: (path) => bm.shortenHome(path, place.home),
        stateRoot: place.stateRoot,
      }),
    )
    output.json(setupJson(report.value))
    const { cycle } = report.value
    return cycle?.kind === "performed" ? cycle.performed.exit : 0
  }
}

function setupLines(
  report: SetupReport,
  { shorten, stateRoot }: { readonly shorten: (path: string) => string; readonly stateRoot: string },
): readonly string[] {
  const { directory, remoteFolder, state, baseline } = report
  const dir = escapeForTerminal(shorten(report.syncDir))
  if (baseline === "would_create") {
    return [
      `[1/4] would ${remoteFolder === "would_create" ? "create" : "use"} the remote ${escapeForTerminal(report.remote)}`,
      `[2/4] would ${directory === "would_create" ? "create" : "use"} the sync directory ${dir}, history on (git)`,
      `[3/4] would keep the state of ${escapeForTerminal(report.device.name)} in ${escapeForTerminal(shorten(stateRoot))}`,
      "[4/4] would compare both sides: equal files are agreed on, one-sided files are copied, nothing is deleted",
    ]
  }
  const done = (result: SetupReport["state"], text: string) =>
    `✓ ${text}${result === "already_done" ? " already done" : ""}`
  const isReady = baseline === "already_done"
  return [
    `[1/4] ✓ Remote ${escapeForTerminal(report.remote)} ${remoteFolder === "created" ? "created" : "found"}`,
    `[2/4] ✓ Sync directory ${dir} ${directory === "created" ? "created" : "found"}, history on (${report.hasGitLink ? "git" : "its .git is yours and stays"})`,
    `[3/4] ${done(state, `State of device ${escapeForTerminal(report.device.name)}`)}`,
    `[4/4] ${isReady ? "✓ Baseline already done" : baselineText(report.cycle)}`,
    ...conflictLines(report.cycle),
    "✓ Cloud sync is ready. Next: bm cloud bisync",
  ]
}

function baselineText(cycle: Cycle | undefined): string {
  const { equal, downloaded, uploaded, replaced } = baselineCounts(cycle)
  return `✓ Baseline set: ${equal} files equal, ${downloaded} downloaded, ${uploaded} uploaded, ${replaced} replaced`
}

function baselineCounts(cycle: Cycle | undefined): {
  readonly equal: number
  readonly downloaded: number
  readonly uploaded: number
  readonly replaced: number
} {
  if (cycle?.kind !== "performed") return { equal: 0, downloaded: 0, uploaded: 0, replaced: 0 }
  const { performed, prepared } = cycle
  const replaced = performed.outcomes.filter(
    ({ kind, action }) => kind === "done" && action.keeps.length > 0,
  ).length
  return {
    equal: prepared.plan.agreed.length,
    downloaded: performed.counts.downloaded,
    uploaded: performed.counts.uploaded,
    replaced,
  }
}

function conflictLines(cycle: Cycle | undefined): readonly string[] {
  if (cycle?.kind !== "performed") return []
  return cycle.prepared.plan.actions.flatMap(({ conflict, path }) =>
    conflict === undefined
      ? []
      : [
          `  ${conflict.id}  ${escapeForTerminal(path)} differed: ${conflict.winner === undefined ? "both are kept as files" : `newer wins, undo: bm cloud undo ${conflict.id}`}`,
        ],
  )
}

function setupJson(report: SetupReport): object {
  const cycle = report.cycle?.kind === "performed" ? report.cycle : undefined
  const run = cycle?.prepared.run ?? null
  return {
    schema: "bm.setup/1",
    ok: true,
    sync_dir: report.syncDir,
    remote: report.remote,
    device: report.device,
    steps: [
      { n: 1, name: "remote", result: report.remoteFolder },
      { n: 2, name: "directory", result: report.directory, git: report.hasGitLink },
      { n: 3, name: "state", result: report.state },
      {
        n: 4,
        name: "baseline",
        result: report.baseline,
        run,
        ...(cycle !== undefined && baselineCounts(cycle)),
      },
    ],
  }
}
