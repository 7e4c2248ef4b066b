/**
 * The projects of a cloud account: directories of this device are made known to the cloud before a sync, and the cloud is
 * asked to look at those that changed after it.
 *
 * Files sync whether that works or not. What could not be registered is tried again by the next run; what cannot be is
 * said once. Without new directories nobody is asked.
 */

import { readFileSync } from "node:fs"
import { join } from "node:path"
import type { CloudApi } from "../cloud/api.ts"
import { planProjects, projectDirectories, type ProjectProblem } from "../cloud/projects.ts"
import {
  EMPTY_PROJECT_MAP,
  formatProjectMap,
  parseProjectMap,
  type ProjectEntry,
  type ProjectMap,
  projectsOfPaths,
  withEntry,
} from "../cloud/project-map.ts"
import type { AccountFailure } from "../model/account-failure.ts"
import type { Disk } from "../disk/disk.ts"
import type { SyncError } from "../model/errors.ts"
import type { IgnoreRules } from "../observe/ignore.ts"
import { ok, type Result } from "../model/result.ts"
import { accountError, openAccount } from "./account.ts"
import { type Place, writePrivate } from "./config.ts"
import type { Cycle } from "./cycle.ts"

/** What there is to tell, in the order in which it happens. */
export type ProjectNews =
  | { readonly kind: "found"; readonly directories: readonly string[] }
  | { readonly kind: "created"; readonly project: string }
  | { readonly kind: "problem"; readonly problem: ProjectProblem }
  | { readonly kind: "not_registered"; readonly directories: readonly string[]; readonly error: SyncError }
  | { readonly kind: "not_indexed"; readonly project: string; readonly error: SyncError }

export interface ProjectsAt {
  readonly place: Place
  /** Directory of this device's state. */
  readonly directory: string
  readonly local: Disk
  readonly rules: IgnoreRules
  /** Only this one. */
  readonly only?: string
}

/** Registers what the cloud does not know; every outcome is told, none stops a sync. */
export async function registerProjects(at: ProjectsAt, tell: (news: ProjectNews) => void): Promise<void> {
  const map = readMap(at.directory)
  const directories = await localProjects(at)
  const news = newDirectories(at, map, directories)
  if (news.length === 0) return
  const failed = (error: SyncError, directories: readonly string[]) =>
    tell({ kind: "not_registered", directories, error })
  const planned = await planWith(at, map, directories)
  if (!planned.ok) return failed(planned.error, news)
  const { api, plan } = planned.value
  let known = plan.map
  const left: ProjectEntry[] = plan.register.filter(({ directory }) => news.includes(directory))
  if (left.length > 0) tell({ kind: "found", directories: left.map(({ directory }) => directory) })
  for (let entry = left[0]; entry !== undefined; entry = left[0]) {
    const created = await asking(api.createProject({ name: entry.project, path: entry.permalink }))
    if (!created.ok) {
      failed(
        created.error,
        left.map(({ directory }) => directory),
      )
      break
    }
    left.shift()
    known = withEntry(known, entry)
    tell({ kind: "created", project: entry.project })
  }
  for (const problem of plan.problems) tell({ kind: "problem", problem })
  writeMap(at.directory, known, plan.problems)
}

/** What a run would register, as far as that can be known; nothing is created. */
export async function projectsToCreate(at: ProjectsAt): Promise<readonly string[]> {
  const map = readMap(at.directory)
  const directories = await localProjects(at)
  const news = newDirectories(at, map, directories)
  if (news.length === 0) return []
  const planned = await planWith(at, map, directories)
  if (!planned.ok) return news
  return planned.value.plan.register
    .filter(({ directory }) => news.includes(directory))
    .map(({ project }) => project)
}

/** Asks the cloud to look at the projects of which this run changed files there. */
export async function indexProjects(
  at: Pick<ProjectsAt, "place" | "directory">,
  cycle: Cycle,
  tell: (news: ProjectNews) => void,
): Promise<void> {
  if (cycle.kind !== "performed") return
  const projects = projectsOfPaths(readMap(at.directory), changedThere(cycle))
  if (projects.length === 0) return
  const api = await openAccount(at.place)
  for (const { project, permalink } of projects) {
    const asked = api.ok ? await asking(api.value.syncProject(permalink)) : api
    if (!asked.ok) tell({ kind: "not_indexed", project, error: asked.error })
  }
}

async function asking<T>(answer: Promise<Result<T, AccountFailure>>): Promise<Result<T, SyncError>> {
  const answered = await answer
  return answered.ok ? answered : accountError(answered.error)
}

export function readMap(directory: string): ProjectMap {
  const text = readText(mapFile(directory))
  return (text === undefined ? undefined : parseProjectMap(text)) ?? EMPTY_PROJECT_MAP
}

async function localProjects({
  local,
  rules,
}: Pick<ProjectsAt, "local" | "rules">): Promise<readonly string[]> {
  const entries = await local.readDirectory("")
  if (!entries.ok) return []
  return projectDirectories(
    entries.value
      .filter(({ nameBase64 }) => nameBase64 === undefined)
      .map(({ name, stat }) => ({
        name,
        kind: stat?.kind === "directory" ? "directory" : "other",
        isIgnored: rules.ignoresDirectory(name),
      })),
  )
}

/** Neither registered nor said to be what cannot be. */
function newDirectories(
  { only, directory }: ProjectsAt,
  map: ProjectMap,
  directories: readonly string[],
): readonly string[] {
  const told = new Set([...map.map((entry) => entry.directory), ...toldBefore(directory)])
  return directories.filter((each) => !told.has(each) && (only === undefined || only === each))
}

interface Planned {
  readonly api: CloudApi
  readonly plan: ReturnType<typeof planProjects>
}

async function planWith(
  { place }: ProjectsAt,
  map: ProjectMap,
  directories: readonly string[],
): Promise<Result<Planned, SyncError>> {
  const api = await openAccount(place)
  if (!api.ok) return api
  const listed = await api.value.projects()
  if (!listed.ok) return accountError(listed.error)
  return ok({ api: api.value, plan: planProjects({ directories, map, cloud: listed.value.projects }) })
}

function changedThere({ performed }: Extract<Cycle, { kind: "performed" }>): readonly string[] {
  return performed.outcomes.flatMap(({ kind, action }) =>
    kind === "done"
      ? action.steps.flatMap((step) =>
          step.side !== "remote" ? [] : step.kind === "move" ? [step.path, step.to] : [step.path],
        )
      : [],
  )
}

function mapFile(directory: string): string {
  return join(directory, "projects.json")
}

function toldFile(directory: string): string {
  return join(directory, "projects-told.json")
}

/** Losing either costs one question to the cloud, and one message that was read before. */
function writeMap(directory: string, map: ProjectMap, problems: readonly ProjectProblem[]): void {
  const told = [...new Set([...toldBefore(directory), ...problems.map((each) => each.directory)])]
  writePrivate(mapFile(directory), formatProjectMap(map))
  if (problems.length > 0) writePrivate(toldFile(directory), `${JSON.stringify(told)}\n`)
}

function toldBefore(directory: string): readonly string[] {
  try {
    const value: unknown = JSON.parse(readText(toldFile(directory)) ?? "[]")
    return Array.isArray(value) ? value.filter((each) => typeof each === "string") : []
  } catch {
    return []
  }
}

function readText(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8")
  } catch {
    return undefined
  }
}
