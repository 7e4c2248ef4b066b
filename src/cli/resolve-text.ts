/** The texts of a `conflicts resolve` that is refused, and of any run that is no sync and that the brake holds back. */

import type { ResolveProblem, SyncError } from "../index.ts"
import type { ErrorText, Fix } from "./error-text.ts"
import { escapeForTerminal, plural } from "./format.ts"

const EXCERPT_CHARS = 40

export function resolveRefused({
  total,
  problems,
}: Extract<SyncError, { code: "resolve_refused" }>): ErrorText {
  const [first] = problems
  const isOne = problems.length === 1 && first !== undefined
  const message = isOne
    ? `Cannot ${first.why === "overlap" ? "merge" : "resolve"} ${first.conflict} - ${reasonOf(first)}`
    : `Cannot resolve ${problems.length} of ${plural(total, "conflict")}`
  return {
    exit: first?.why === "has_no_winner" && isOne ? 64 : 5,
    code: first?.why === "has_no_winner" && isOne ? "usage" : "undo_overlap",
    message,
    where: {
      lines: problems.map(
        (problem) =>
          `${isOne ? "" : `${problem.conflict}  `}${whereOf(problem)}${isOne ? "" : `  ${reasonOf(problem)}`}`,
      ),
      data: { conflicts: problems },
    },
    fix: first === undefined ? [] : fixesFor(first),
  }
}

function reasonOf(problem: ResolveProblem): string {
  switch (problem.why) {
    case "overlap":
      return `both sides changed the same ${plural(problem.places, "place")}`
    case "copy_gone":
      return `${escapeForTerminal(problem.copy)} is gone`
    case "copy_torn":
      return `${escapeForTerminal(problem.copy)} differs here and in the cloud`
    case "path_taken":
      return "a file has its name again"
    case "changed_since":
      return "the file was changed since in the same place"
    case "no_base":
      return "both versions were new, there is nothing they come from"
    case "not_text":
      return "a version is not a text that can be merged"
    case "version_not_here":
      return "a version is not in the history of this device"
    case "name_is_folder":
      return "a folder has its name"
    case "has_no_winner":
      return "it is open, so no version won"
    case "undone":
      return "its decision was undone"
    case "unknown":
      return "it is ignored or cannot be read"
  }
}

function whereOf(problem: ResolveProblem): string {
  const path = escapeForTerminal(problem.path)
  if (problem.why !== "overlap" || problem.first === undefined) return path
  const { line, local, remote } = problem.first
  return `${path} line ${line}     here: ${excerpt(local)}     cloud: ${excerpt(remote)}`
}

function excerpt(text: string): string {
  const [line = ""] = text.split("\n")
  return line === "" ? "nothing" : JSON.stringify(escapeForTerminal(line.slice(0, EXCERPT_CHARS)))
}

function fixesFor({ conflict, why, path }: ResolveProblem): readonly Fix[] {
  const resolve = `bm cloud conflicts resolve ${conflict}`
  const local: Fix = { command: `${resolve} --keep local`, text: "or remote, or both" }
  const show: Fix = { command: `bm cloud conflicts show ${conflict}`, text: "see its versions" }
  switch (why) {
    case "overlap":
    case "no_base":
    case "not_text":
      return [{ command: `${resolve} --tool`, text: "decide by hand" }, local]
    case "copy_gone":
      return [{ command: `${resolve} --keep both`, text: "leave the files as they are, and close it" }, show]
    case "copy_torn":
      return [{ command: "bm cloud bisync", text: "bring both sides together, then try again" }, show]
    case "path_taken":
      return [
        {
          command: `${resolve} --use FILE`,
          text: `take what is in a file, such as ${escapeForTerminal(path)} itself`,
        },
        { command: `${resolve} --keep both`, text: "keep all three files" },
      ]
    case "changed_since":
      return [
        { command: `${resolve} --keep winner`, text: "keep the file as it is now" },
        { command: `${resolve} --keep both`, text: "put the losing version beside it" },
      ]
    case "name_is_folder":
      return [{ command: `${resolve} --keep both`, text: "keep the folder and the file beside it" }]
    case "has_no_winner":
      return [local]
    case "undone":
      return [{ command: "bm cloud redo", text: "make the decision again" }, show]
    case "version_not_here":
    case "unknown":
      return [show]
  }
}

export function toolFailed(why: string): ErrorText {
  const fix = 'name one: "mergetool" in bisync_config of config.json, or git config --global merge.tool'
  const message = `Cannot open the merge tool - ${escapeForTerminal(why)}`
  return { exit: 1, code: "usage", message, fix: [{ text: fix }] }
}

const WHY: Readonly<Record<string, string>> = {
  undo: "what is undone had brought them",
  redo: "what is done again had removed them",
  resolve: "both copies of a resolved conflict go, on both sides",
}

/** The brake knows one way through, and that is the command itself, with the exact number. */
export function heldBack(
  text: ErrorText,
  { kind, total }: { readonly kind: string; readonly total: number },
): ErrorText {
  const why = WHY[kind]
  return {
    ...text,
    ...(why !== undefined && text.why !== undefined && { why }),
    fix: [
      { text: `add --dry-run to the same command to see all ${total}` },
      { text: `add --confirm-deletes ${total} to it to delete exactly these, once` },
    ],
  }
}
