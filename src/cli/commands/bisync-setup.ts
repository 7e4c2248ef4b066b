/** `bm cloud bisync-setup`: directory, remote, state and first baseline. */

import { resolve } from "node:path"
import { Command, Option } from "clipanion"
import type { Credentials, Cycle, InstallOffer, ProjectNews, SetupReport, StepResult } from "../../index.ts"
import { BmCommand } from "../command.ts"
import { escapeForTerminal } from "../format.ts"
import { importStep, importText } from "../import-text.ts"
import { probedText, tierAdvice } from "../guard-text.ts"
import { projectJson, tellProjects } from "../projects-text.ts"
import type { Output } from "../output.ts"
import { askLine, askSecret, confirm } from "../prompt.ts"
import { stopOnSignals } from "../signals.ts"

export class BisyncSetupCommand extends BmCommand {
  static override paths = [["cloud", "bisync-setup"]]
  static override usage = Command.Usage({
    category: "Sync",
    description: "Set this device up: directory, remote, first baseline",
    details: `
      REMOTE is file:/path/to/folder: a folder, a network share, a USB disk; or an object store:
      s3://bucket/prefix?endpoint=https://…&region=…. Its key pair comes from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY,
      from the usual AWS files, or is asked for. rclone:name:path is any remote of your rclone.conf. Run again it repairs only what is missing.
      Exit codes: 0 done, 1 failed, 2 some paths could not be synced or imported, 4 refused, 6 conflicts were left open, 8 another sync is
      running, 64 wrong usage, 130 stopped.
    `,
    examples: [
      [
        "Sync a folder with a network share",
        "bm cloud bisync-setup --dir ~/notes --remote file:/mnt/share/notes",
      ],
      [
        "Sync a folder with a bucket",
        "bm cloud bisync-setup --dir ~/notes --remote 's3://notes/mine?endpoint=https://s3.example.org'",
      ],
      [
        "See what a WebDAV-time folder would bring in",
        "bm cloud bisync-setup --import ~/basic-memory --dry-run",
      ],
    ],
  })

  dir = Option.String("--dir", { description: "The sync directory (default ~/basic-memory-cloud-sync)" })
  remote = Option.String("--remote", {
    description: "file:/path/to/folder, s3://bucket/prefix or rclone:name:path",
  })
  backend = Option.String("--backend", { description: "native or rclone; for S3 remotes" })
  device = Option.String("--device", { description: "A name for this device (default: the host's)" })
  unsafeMultiWriter = Option.Boolean("--unsafe-multi-writer", false, {
    description: "Let several devices share a server that cannot keep them apart",
  })
  importDir = Option.String("--import", {
    description: "Copy the projects of this folder in first; nothing is overwritten",
  })
  dryRun = Option.Boolean("--dry-run", false, { description: "Say what would be done; change nothing" })

  async run(output: Output): Promise<number> {
    const bm = await import("../../index.ts")
    const { backend } = this
    if (backend !== undefined && backend !== "native" && backend !== "rclone")
      return output.fail({ code: "usage", message: "--backend takes native or rclone" })
    // An empty variable would name the folder that we happen to be in.
    if (this.importDir === "") return output.fail({ code: "usage", message: "--import takes a folder" })
    const { place, holder, cwd } = this.context
    const news: ProjectNews[] = []
    const tell = tellProjects(output)
    const stop = stopOnSignals()
    const setUp = bm.setup(place, {
      isStopped: stop.isStopped,
      holder,
      isDryRun: this.dryRun,
      allowsUnsafeWriters: this.unsafeMultiWriter,
      ...(this.context.isInteractive && !this.json && { askCredentials: (why) => this.askCredentials(why) }),
      ...((this.yes || (this.context.isInteractive && !this.json)) && {
        installing: this.installing(output),
      }),
      defaultDeviceName: holder.host,
      ...(this.dir !== undefined && { dir: this.dir.startsWith("~") ? this.dir : resolve(cwd, this.dir) }),
      ...(this.importDir !== undefined && {
        importDir: this.importDir.startsWith("~") ? this.importDir : resolve(cwd, this.importDir),
      }),
      ...(this.remote !== undefined && { remote: this.remote }),
      ...(backend !== undefined && { backend }),
      onProjects(one) {
        news.push(one)
        // Its news are part of the one document that a setup answers with.
        if (!output.isJson) tell(one)
      },
      ...(this.device !== undefined && { deviceName: this.device }),
    })
    const report = await setUp.finally(stop.release)
    if (!report.ok) return output.fail(report.error)
    output.lines(
      setupLines(report.value, {
        shorten: (path) => bm.shortenHome(path, place.home),
        stateRoot: place.stateRoot,
      }),
    )
    output.json({ ...setupJson(report.value), projects: news.map(projectJson) })
    const { cycle, imported } = report.value
    const exit = cycle?.kind === "performed" ? cycle.performed.exit : 0
    // A plan has left nothing out yet.
    return exit === 0 && !this.dryRun && imported !== undefined && imported.left.length > 0 ? 2 : exit
  }

  private installing(output: Output): InstallOffer {
    return {
      ask: async (shown) =>
        this.yes || (await confirm(this.context, `rclone is not installed. Run this now: ${shown}?`)),
      // What a package manager says may be the only reason for a failure; stdout stays ours.
      onOutput: (text) => output.note(text.trimEnd()),
    }
  }

  private async askCredentials(why: "missing" | "rejected"): Promise<Credentials | undefined> {
    const { stdout } = this.context
    stdout.write(
      why === "missing"
        ? "This remote needs a key pair; it is kept in a private file once the remote has accepted it.\n"
        : "The remote did not accept the key pair that is kept here. Another one:\n",
    )
    const accessKeyId = await askLine(this.context, "Access key id")
    if (accessKeyId === undefined) return undefined
    const secretAccessKey = await askSecret(this.context, "Secret access key")
    return secretAccessKey === undefined ? undefined : { accessKeyId, secretAccessKey }
  }
}

function setupLines(report: SetupReport, about: About): readonly string[] {
  const isPlanned = report.baseline === "would_create"
  const steps = isPlanned ? plannedSteps(report, about) : doneSteps(report, about)
  const advice = report.guard?.tier === undefined ? undefined : tierAdvice(report.guard.tier)
  return [
    ...steps.map((step, index) => `[${index + 1}/${steps.length}] ${step}`),
    ...(advice === undefined ? [] : [`! ${advice}`]),
    ...(isPlanned ? [] : [...conflictLines(report.cycle), lastLine(report)]),
  ]
}

function lastLine(report: SetupReport): string {
  return isStopped(report)
    ? "! Stopped; nothing is half done. Next: bm cloud bisync"
    : "✓ Cloud sync is ready. Next: bm cloud bisync"
}

function isStopped({ cycle }: SetupReport): boolean {
  return cycle?.kind === "performed" && cycle.performed.exit === 130
}

interface About {
  readonly shorten: (path: string) => string
  readonly stateRoot: string
}

function plannedSteps(report: SetupReport, { shorten, stateRoot }: About): readonly string[] {
  const { directory, remoteFolder, guard } = report
  const dir = escapeForTerminal(shorten(report.syncDir))
  const ofRemote = [
    `would ${remoteFolder === "would_create" ? "create" : "use"} the remote ${escapeForTerminal(report.remote)}`,
    ...(guard === undefined ? [] : [probedText(guard)]),
  ]
  const ofState = `would keep the state of ${escapeForTerminal(report.device.name)} in ${escapeForTerminal(shorten(stateRoot))}`
  return [
    ...rcloneSteps(report),
    ...unlessAccount(report, ofRemote),
    `would ${directory === "would_create" ? "create" : "use"} the sync directory ${dir}, history on (git)`,
    ...unlessAccount(report, [ofState]),
    ...importSteps(report, shorten),
    "would compare both sides: equal files are agreed on, one-sided files are copied, nothing is deleted",
  ]
}

function doneSteps(report: SetupReport, { shorten }: About): readonly string[] {
  const { directory, remoteFolder, guard, state, baseline } = report
  const dir = escapeForTerminal(shorten(report.syncDir))
  const ofRemote = [
    `✓ Remote ${escapeForTerminal(report.remote)} ${remoteFolder === "created" ? "created" : "found"}`,
    ...(guard === undefined ? [] : [probedText(guard)]),
  ]
  const ofState = `✓ State of device ${escapeForTerminal(report.device.name)}${state === "already_done" ? " already done" : ""}`
  return [
    ...rcloneSteps(report),
    ...unlessAccount(report, ofRemote),
    `✓ Sync directory ${dir} ${directory === "created" ? "created" : "found"}, history on (${report.hasGitLink ? "git" : "its .git is yours and stays"})`,
    ...unlessAccount(report, [ofState]),
    ...importSteps(report, shorten),
    baseline === "already_done" ? "✓ Baseline already done" : baselineText(report.cycle),
  ]
}

/** Of an account five steps are told, as its users know them. */
function unlessAccount({ account }: SetupReport, steps: readonly string[]): readonly string[] {
  return account === undefined ? steps : []
}

function importSteps({ imported }: SetupReport, shorten: About["shorten"]): readonly string[] {
  return imported === undefined ? [] : [importText(imported, shorten)]
}

function rcloneSteps({ rclone, account }: SetupReport): readonly string[] {
  if (rclone === undefined) return []
  const found =
    rclone.result === "missing"
      ? "- rclone not found; it is not needed (bm cloud bisync-setup --yes installs it)"
      : `✓ rclone ${rclone.version} ${rclone.result}`
  return account === undefined ? [found] : [found, ...accountSteps(account)]
}

function accountSteps({ bucket, credentials, conf }: NonNullable<SetupReport["account"]>): readonly string[] {
  const scope = `only s3://${escapeForTerminal(bucket)}`
  const name = escapeForTerminal(conf.name)
  const keys: Readonly<Record<StepResult, string>> = {
    created: `✓ Scoped S3 credentials generated (${scope})`,
    already_done: `✓ Scoped S3 credentials already done (${scope})`,
    would_create: `would generate scoped S3 credentials (${scope})`,
  }
  const section: Readonly<Record<StepResult | "not_possible", string>> = {
    created: `✓ rclone remote ${name} configured (mode 600)`,
    already_done: `✓ rclone remote ${name} already done`,
    would_create: `would configure the rclone remote ${name}`,
    not_possible: `- rclone remote ${name} not configured: rclone.conf cannot be written here; it is not needed`,
  }
  return [keys[credentials], section[conf.result]]
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
  const { guard, rclone, account } = report
  const cycle = report.cycle?.kind === "performed" ? report.cycle : undefined
  const steps = [
    ...(rclone === undefined ? [] : [{ name: "rclone", ...rclone }]),
    ...(account === undefined
      ? [{ name: "remote", result: report.remoteFolder }]
      : [
          { name: "credentials", result: account.credentials, scope: report.remote },
          {
            name: "remote",
            result: account.conf.result,
            section: account.conf.name,
            file: account.conf.file ?? null,
            mode: "0600",
          },
        ]),
    ...(guard === undefined
      ? []
      : [{ name: "guard", result: guard.result, tier: guard.tier ?? null, server: guard.server ?? null }]),
    { name: "directory", result: report.directory, git: report.hasGitLink },
    { name: "state", result: report.state },
    ...(report.imported === undefined ? [] : [importStep(report.imported)]),
    {
      name: "baseline",
      result: report.baseline,
      run: cycle?.prepared.run ?? null,
      ...(cycle !== undefined && baselineCounts(cycle)),
    },
  ]
  return {
    schema: "bm.setup/1",
    ok: !isStopped(report),
    sync_dir: report.syncDir,
    remote: report.remote,
    device: report.device,
    steps: steps.map((step, index) => ({ n: index + 1, ...step })),
  }
}
