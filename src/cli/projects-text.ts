/** What becomes of the projects of a cloud account around a run: the promised lines, and what could not be done. */

import type { ProjectNews } from "../index.ts"
import { LATER } from "./account-text.ts"
import { describeError } from "./error-text.ts"
import { escapeForTerminal, plural } from "./format.ts"
import type { Output } from "./output.ts"

export function tellProjects(output: Output): (news: ProjectNews) => void {
  return (news) => {
    const text = textOf(news)
    // What was done is said where a run speaks; what could not be done is a remark, and the files sync all the same.
    if (news.kind === "found" || news.kind === "created") output.line(text)
    else output.note(text)
    output.json({ schema: "bm.event/1", ...projectJson(news) })
  }
}

export function projectJson(news: ProjectNews): object {
  return { type: `project.${news.kind}`, ...dataOf(news) }
}

function textOf(news: ProjectNews): string {
  switch (news.kind) {
    case "found":
      return `Found ${plural(news.directories.length, "new local project")}, creating on cloud...`
    case "created":
      return `✓ Created project: ${escapeForTerminal(news.project)}`
    case "problem": {
      const { problem } = news
      const name = escapeForTerminal(problem.directory)
      return problem.why === "no_permalink"
        ? `! ${name} syncs, but is no project in the cloud: its name has no letter or digit that a project's address can be made of`
        : `! ${name} syncs, but is no project in the cloud: ${escapeForTerminal(problem.rival)} has the address ${escapeForTerminal(problem.permalink)} already`
    }
    case "not_registered":
      return `! ${named(news.directories)} not registered in the cloud yet: ${saidOf(news)}; the next run tries again`
    case "not_indexed":
      return `! ${named(news.projects)} synced, and the cloud could not be asked to look: ${saidOf(news)}; the next run tries again`
  }
}

const NAMES_MAX = 5

/** `a, b and 3 more are` */
function named(names: readonly string[]): string {
  const shown = names.slice(0, NAMES_MAX).map(escapeForTerminal).join(", ")
  const rest = names.length - NAMES_MAX
  return `${shown}${rest > 0 ? ` and ${rest} more` : ""} ${names.length === 1 ? "is" : "are"}`
}

type Failed = Extract<ProjectNews, { error: unknown }>

/** With the way out, where there is a better one than to wait. */
function saidOf({ error }: Failed): string {
  const { message, fix } = describeError(error)
  const way = fix.find((each) => each !== LATER)
  if (way === undefined) return message
  return `${message}; ${way.command === undefined ? way.text : `run ${way.command}`}`
}

function dataOf(news: ProjectNews): object {
  switch (news.kind) {
    case "found":
      return { directories: news.directories }
    case "created":
      return { project: news.project }
    case "problem":
      return { ...news.problem }
    case "not_registered":
      return { directories: news.directories, ...failureOf(news) }
    case "not_indexed":
      return { projects: news.projects, ...failureOf(news) }
  }
}

function failureOf({ error }: Failed): object {
  const { code, message, fix } = describeError(error)
  return { code, message, fix }
}
