/**
 * Decides which directories are projects, which project of the cloud each one is, and which are to be registered. Pure.
 *
 *   directory ─▶ in the map? ─▶ the cloud's by name? ─▶ by path? ─▶ renamed here? ─▶ register, or say why not
 *
 * No project belongs to two directories and no directory is registered twice. Whatever is decided, the files of every
 * directory sync.
 */

import { comparePaths, isReserved } from "../model/path.ts"
import type { CloudProject } from "./answers.ts"
import { permalinkOf, type ProjectPermalink, projectPermalinkOf } from "./permalink.ts"
import {
  isDirectoryName,
  isSameName,
  prefixOf,
  type ProjectEntry,
  type ProjectMap,
  withEntry,
} from "./project-map.ts"

/** Something directly below the sync directory. */
export interface TopEntry {
  readonly name: string
  /** Of the thing itself: what a link leads to does not count. */
  readonly kind: "directory" | "other"
  readonly isIgnored: boolean
}

/** In byte order. */
export function projectDirectories(entries: readonly TopEntry[]): readonly string[] {
  return entries
    .filter(({ kind, isIgnored }) => kind === "directory" && !isIgnored)
    .map(({ name }) => name)
    .filter((name) => !name.startsWith(".") && isDirectoryName(name) && !isReserved(name))
    .sort(comparePaths)
}

export interface ProjectFacts {
  readonly directories: readonly string[]
  readonly map: ProjectMap
  /** Everything that the cloud lists. */
  readonly cloud: readonly CloudProject[]
}

export interface ProjectPlan {
  /** With the cloud's projects that were recognised; what is to be registered is not in it yet. */
  readonly map: ProjectMap
  /** To be created, and then put into the map by `withEntry`. */
  readonly register: readonly ProjectEntry[]
  readonly problems: readonly ProjectProblem[]
  /** Directories that are no project of the cloud's as it is now, in byte order. */
  readonly notOnCloud: readonly string[]
}

/** Why a directory is not registered. */
export type ProjectProblem = { readonly directory: string } & (
  | { readonly why: "no_permalink" }
  /** `rival` is the project, or the directory that will be one, which has the permalink already. */
  | { readonly why: "collides"; readonly permalink: ProjectPermalink; readonly rival: string }
)

export function planProjects(facts: ProjectFacts): ProjectPlan {
  const present = [...new Set(facts.directories)].sort(comparePaths)
  const map = [byName, byPath, byRename].reduce(
    (known, recognise) => adopt(known, { ...facts, present, recognise }),
    facts.map,
  )
  const { register, problems } = judge(newcomersOf(present, map), rivalsOf({ ...facts, present, map }))
  const onCloud = new Set(
    map.filter(({ project }) => facts.cloud.some((each) => isSameName(each.name, project))).map(directoryOf),
  )
  return { map, register, problems, notOnCloud: present.filter((directory) => !onCloud.has(directory)) }
}

type Recognise = (
  directory: string,
  known: { readonly map: ProjectMap; readonly cloud: readonly CloudProject[] },
) => CloudProject | undefined

const byName: Recognise = (directory, { cloud }) => cloud.find(({ name }) => isSameName(directory, name))

const byPath: Recognise = (directory, { cloud }) =>
  cloud.find(({ path }) => isSameName(directory, placeOf(path)))

/** A directory of this permalink was this project, and is gone: it has another name now. */
const byRename: Recognise = (directory, { map, cloud }) => {
  const permalink = projectPermalinkOf(directory)
  const entry = map.find((each) => each.permalink === permalink)
  return entry === undefined ? undefined : cloud.find(({ name }) => isSameName(entry.project, name))
}

/** Gives each newcomer the project it is recognised as, where no directory that is here has that project already. */
function adopt(
  map: ProjectMap,
  {
    cloud,
    present,
    recognise,
  }: ProjectFacts & { readonly present: readonly string[]; readonly recognise: Recognise },
): ProjectMap {
  return newcomersOf(present, map).reduce((known, directory) => {
    const project = recognise(directory, { map: known, cloud })
    const permalink = project === undefined ? undefined : projectPermalinkOf(project.name)
    if (project === undefined || permalink === undefined) return known
    const isTaken = known.some((entry) => entry.permalink === permalink && present.includes(entry.directory))
    if (isTaken) return known
    return withEntry(known, { directory, project: project.name, permalink, prefix: prefixOf(directory) })
  }, map)
}

/**
 * The cloud keeps a project at the path that is its permalink. So among directories of one permalink that one comes
 * first which is spelt so: another's project would be made of its files.
 */
function newcomersOf(present: readonly string[], map: ProjectMap): readonly string[] {
  const known = new Set(map.map(directoryOf))
  const newcomers = present.filter((directory) => !known.has(directory))
  const isSpeltSo = (directory: string) => directory === permalinkOf(directory)
  return [...newcomers.filter(isSpeltSo), ...newcomers.filter((directory) => !isSpeltSo(directory))]
}

/** Who has a permalink already: directories that are here, and whatever the cloud has by name or at a path. */
function rivalsOf({ present, map, cloud }: ProjectFacts & { readonly present: readonly string[] }): Rivals {
  const rivals = new Map<string, string>()
  for (const { name, path } of cloud) {
    rivals.set(permalinkOf(placeOf(path)), name)
    rivals.set(permalinkOf(name), name)
  }
  for (const { directory, permalink, project } of map)
    if (present.includes(directory)) rivals.set(permalink, project)
  return rivals
}

type Rivals = ReadonlyMap<string, string>

function judge(newcomers: readonly string[], rivals: Rivals): Pick<ProjectPlan, "register" | "problems"> {
  const taken = new Map(rivals)
  const register: ProjectEntry[] = []
  const problems: ProjectProblem[] = []
  for (const directory of newcomers) {
    const permalink = projectPermalinkOf(directory)
    const rival = permalink === undefined ? undefined : taken.get(permalink)
    if (permalink === undefined) problems.push({ directory, why: "no_permalink" })
    else if (rival !== undefined) problems.push({ directory, why: "collides", permalink, rival })
    else {
      taken.set(permalink, directory)
      // As every other device and the service itself spell it, whatever this disk makes of it.
      const project = directory.normalize("NFC")
      register.push({ directory, project, permalink, prefix: prefixOf(directory) })
    }
  }
  const inOrder = <T extends { readonly directory: string }>(list: readonly T[]) =>
    [...list].sort((a, b) => comparePaths(a.directory, b.directory))
  return { register: inOrder(register), problems: inOrder(problems) }
}

const CLOUD_ROOT = "/app/data/"

/** Where below the bucket's root the cloud has it. */
function placeOf(path: string): string {
  const below = path.startsWith(CLOUD_ROOT) ? path.slice(CLOUD_ROOT.length) : path
  return below.replace(/^\/+|\/+$/g, "")
}

function directoryOf({ directory }: ProjectEntry): string {
  return directory
}
