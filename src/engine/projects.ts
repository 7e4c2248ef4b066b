/**
 * The projects of a cloud account: directories of this device are made known to the cloud before a sync, and the cloud is
 * asked to look at those that changed after it.
 *
 * Files sync whether that works or not. What could not be registered or looked at is tried again by the next run; what
 * cannot be registered is said once. Without new directories and changed files nobody is asked.
 */

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
import { type Place, readIfThere, writePrivate } from "./config.ts"
import type { Cycle } from "./cycle.ts"

/** What there is to tell, in the order in which it happens. */
export type ProjectNews =
  | { readonly kind: "found"; readonly directories: readonly string[] }
  | { readonly kind: "created"; readonly project: string }
  | { readonly kind: "problem"; readonly problem: ProjectProblem }
  | { readonly kind: "not_registered"; readonly directories: readonly string[]; readonly error: SyncError }
  | { readonly kind: "not_indexed"; readonly projects: readonly string[]; readonly error: SyncError }

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
  const planned = await planWith(at, map, directories)
  if (!planned.ok) return tell({ kind: "not_registered", directories: news, error: planned.error })
  const { api, plan } = planned.value
  const wanted = plan.register.filter((entry) => isMeant(at, entry))
  if (wanted.length > 0) tell({ kind: "found", directories: wanted.map(directoryOf) })
  let known = plan.map
  const { failures } = await askEach(wanted, async (entry) => {
    const created = await api.createProject({ name: entry.project, path: entry.permalink })
    if (!created.ok) return created
    known = withEntry(known, entry)
    tell({ kind: "created", project: entry.project })
    return created
  })
  for (const { entries, error } of failures)
    tell({ kind: "not_registered", directories: entries.map(directoryOf), error })
  const problems = plan.problems.filter(({ directory }) => news.includes(directory))
  for (const problem of problems) tell({ kind: "problem", problem })
  writeMap(at.directory, known, problems)
}

/** What a run would register, as far as that can be known; nothing is created. */
export async function projectsToCreate(at: ProjectsAt): Promise<readonly string[]> {
  const map = readMap(at.directory)
  const directories = await localProjects(at)
  const news = newDirectories(at, map, directories)
  if (news.length === 0) return []
  const planned = await planWith(at, map, directories)
  const { register } = planned.ok ? planned.value.plan : planProjects({ directories, map, cloud: [] })
  return register.filter((entry) => isMeant(at, entry)).map(({ project }) => project)
}

/**
 * Asks the cloud to look at the projects of which this run changed files there, and at those that an earlier run changed
 * and nobody looked at: they were not registered then, or the cloud did not answer.
 */
export async function indexProjects(
  at: Pick<ProjectsAt, "place" | "directory">,
  cycle: Cycle,
  tell: (news: ProjectNews) => void,
): Promise<void> {
  const before = readNames(changedFile(at.directory))
  const changed = new Set([...before, ...changedThere(cycle)])
  const projects = projectsOfPaths(readMap(at.directory), changed)
  if (projects.length > 0) {
    const api = await openAccount(at.place)
    const asked = api.ok
      ? await askEach(projects, ({ permalink }) => api.value.syncProject(permalink))
      : { done: [], failures: [{ entries: projects, error: api.error }] }
    for (const { entries, error } of asked.failures)
      tell({ kind: "not_indexed", projects: entries.map(({ project }) => project), error })
    for (const { prefix } of asked.done) changed.delete(prefix)
  }
  if (changed.size !== before.length || before.some((each) => !changed.has(each)))
    writeNames(changedFile(at.directory), [...changed])
}

interface Failure {
  readonly entries: readonly ProjectEntry[]
  readonly error: SyncError
}

/** One after the other. Where the trouble is not the one project's, the others would have it too and are not asked. */
async function askEach(
  entries: readonly ProjectEntry[],
  ask: (entry: ProjectEntry) => Promise<Result<unknown, AccountFailure>>,
): Promise<{ readonly done: readonly ProjectEntry[]; readonly failures: readonly Failure[] }> {
  const done: ProjectEntry[] = []
  const failures: Failure[] = []
  for (const [index, entry] of entries.entries()) {
    const answer = await ask(entry)
    if (answer.ok) {
      done.push(entry)
      continue
    }
    const error = { code: "account", failure: answer.error } as const
    if (!isOfOneProject(answer.error))
      return { done, failures: [...failures, { entries: entries.slice(index), error }] }
    failures.push({ entries: [entry], error })
  }
  return { done, failures }
}

const TOO_MANY_REQUESTS = 429

function isOfOneProject(failure: AccountFailure): boolean {
  return failure.kind === "not_found" || (failure.kind === "refused" && failure.status !== TOO_MANY_REQUESTS)
}

export function readMap(directory: string): ProjectMap {
  const text = readIfThere(mapFile(directory))
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
  const told = new Set([...map.map(directoryOf), ...readNames(toldFile(directory))])
  return directories.filter((each) => !told.has(each) && (only === undefined || only === each))
}

/** Also one that was said to be impossible: what stood in its way may be gone. */
function isMeant({ only }: ProjectsAt, { directory }: ProjectEntry): boolean {
  return only === undefined || only === directory
}

function directoryOf({ directory }: ProjectEntry): string {
  return directory
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

/** Prefixes of the directories with a file that this run changed in the cloud. */
function changedThere(cycle: Cycle): readonly string[] {
  if (cycle.kind !== "performed") return []
  const done = cycle.performed.outcomes.filter(({ kind }) => kind === "done")
  const paths = done.flatMap(({ action }) =>
    action.steps.flatMap((step) =>
      step.side !== "remote" ? [] : step.kind === "move" ? [step.path, step.to] : [step.path],
    ),
  )
  return paths.filter((path) => path.includes("/")).map((path) => path.slice(0, path.indexOf("/") + 1))
}

function mapFile(directory: string): string {
  return join(directory, "projects.json")
}

function toldFile(directory: string): string {
  return join(directory, "projects-told.json")
}

/** What nobody looked at yet. Written after a run: where that breaks off, the next change of the project makes up for it. */
function changedFile(directory: string): string {
  return join(directory, "projects-changed.json")
}

/** Losing either costs one question to the cloud, and one message that was read before. */
function writeMap(directory: string, map: ProjectMap, problems: readonly ProjectProblem[]): void {
  writePrivate(mapFile(directory), formatProjectMap(map))
  if (problems.length === 0) return
  const told = new Set([...readNames(toldFile(directory)), ...problems.map((each) => each.directory)])
  writeNames(toldFile(directory), [...told])
}

function writeNames(file: string, names: readonly string[]): void {
  writePrivate(file, `${JSON.stringify(names)}\n`)
}

function readNames(file: string): readonly string[] {
  try {
    const value: unknown = JSON.parse(readIfThere(file) ?? "[]")
    return Array.isArray(value) ? value.filter((each) => typeof each === "string") : []
  } catch {
    return []
  }
}
