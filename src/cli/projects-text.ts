/** What becomes of the projects of a cloud account around a run: the promised lines, and what could not be done. */

import type { ProjectNews } from "../index.ts"
import { describeError } from "./error-text.ts"
import { escapeForTerminal, plural } from "./format.ts"
import type { Output } from "./output.ts"

export function tellProjects(output: Output): (news: ProjectNews) => void {
  return (news) => {
    const text = textOf(news)
    // What was done is said where a run speaks; what could not be done is a remark, and the files sync all the same.
    if (news.kind === "found" || news.kind === "created") output.line(text)
    else output.note(text)
    output.json({ schema: "bm.event/1", type: `project.${news.kind}`, ...dataOf(news) })
  }
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
      return `! ${plural(news.directories.length, "new project")} not registered yet: ${messageOf(news)}; the next run tries again`
    case "not_indexed":
      return `! ${escapeForTerminal(news.project)} is synced; the cloud could not be asked to look at it: ${messageOf(news)}`
  }
}

function messageOf({ error }: Extract<ProjectNews, { error: unknown }>): string {
  return describeError(error).message
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
      return { directories: news.directories, code: describeError(news.error).code }
    case "not_indexed":
      return { project: news.project, code: describeError(news.error).code }
  }
}
