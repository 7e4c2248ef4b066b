/** What `bisync-setup --import` says: what was copied, what was left where it is and why, and why it did not begin. */

import type { ImportReport, SyncError } from "../index.ts"
import type { ErrorText } from "./error-text.ts"
import { escapeForTerminal, formatBytes, plural } from "./format.ts"
import { troubleText } from "./trouble-text.ts"

type LeftOut = ImportReport["left"][number]

/** The step of a setup, with a line for each project and for each path that stays behind. */
export function importText(report: ImportReport, shorten: (path: string) => string): string {
  const { projects, left, ignored } = report
  return [
    headline(report, escapeForTerminal(shorten(report.directory))),
    ...projects.map(
      ({ project, files, sizeBytes, already }) =>
        `  ${escapeForTerminal(project)}: ${plural(files, "file")} (${formatBytes(sizeBytes)})${already === 0 ? "" : `, ${already} here already`}`,
    ),
    ...left.map(
      (each) => `  ! ${escapeForTerminal(each.path === "" ? "." : each.path)} left: ${whyLeft(each)}`,
    ),
    ...(ignored === 0 ? [] : [`  ${plural(ignored, "path")} left that would not sync either`]),
  ].join("\n")
}

function headline({ result, projects, left }: ImportReport, from: string): string {
  const files = projects.reduce((sum, each) => sum + each.files, 0)
  const sizeBytes = projects.reduce((sum, each) => sum + each.sizeBytes, 0)
  const what = `${plural(files, "file")} (${formatBytes(sizeBytes)}) from ${from}`
  switch (result) {
    case "created":
      return `✓ Imported ${what}`
    case "would_create":
      return `would import ${what}`
    case "already_done":
      if (projects.length === 0)
        return `! Nothing to import: ${from} holds no project; if it is a mount, look whether it is mounted`
      return left.length === 0
        ? `✓ Import from ${from} already done`
        : `! Nothing to import from ${from} but what is left there`
  }
}

const LEFT: Readonly<Record<string, string>> = {
  different: "other bytes are here under this name",
  no_project: "it is in no project; move it into a folder",
  symlink: "a link; only files are copied",
  special: "no regular file; only files are copied",
  unreadable: "it cannot be read",
  not_utf8: "the name of something in it is not UTF-8",
  too_long: "its path is too long",
  reserved: "the name is git's or bm's own",
}

function whyLeft(left: LeftOut): string {
  return left.why === "trouble" ? troubleText(left.trouble) : (LEFT[left.why] ?? left.why)
}

export function importStep({ directory, result, projects, left, ignored }: ImportReport): object {
  return {
    name: "import",
    result,
    from: directory,
    projects: projects.map(({ sizeBytes, ...rest }) => ({ ...rest, bytes: sizeBytes })),
    left: left.map((each) =>
      each.why === "trouble"
        ? { path: each.path, why: each.trouble.code, detail: each.trouble.detail ?? null }
        : each,
    ),
    ignored,
  }
}

type Refused = Extract<SyncError, { code: "import_refused" }>

export function importRefused({ dir, why, detail }: Refused): ErrorText {
  const shown = escapeForTerminal(dir)
  const system = detail === undefined ? "" : ` (${detail})`
  const refuse = (said: string, fix: string) =>
    ({
      exit: 1,
      code: "not_found",
      message: `Cannot import ${shown} - ${said}`,
      fix: [{ text: fix }],
    }) as const
  switch (why) {
    case "missing":
      return refuse(
        "there is no such folder",
        "look whether its name is right and, if it is a mount, whether it is mounted",
      )
    case "not_a_directory":
      return refuse("it is not a folder", "name the folder that the projects are in")
    case "unreadable":
      return refuse(`it cannot be read${system}`, "give permission to read it, or mount it again")
    case "overlaps":
      return {
        ...refuse(
          `it and ${escapeForTerminal(detail ?? "")} lie in one another`,
          "import a folder that is neither in the sync directory, a folder remote or the state of this device, nor around them",
        ),
        exit: 64,
        code: "usage",
      }
  }
}
