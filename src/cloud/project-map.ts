/**
 * The map of this device: which directory is which project of the cloud, and where its files are in the bucket. Pure.
 *
 * It is kept because names do not lead back: files stay below the raw name of their directory, while the project is
 * asked for by a permalink. A directory that stands in it is registered, and is not registered again.
 */

import { comparePaths, parsePath } from "../model/path.ts"
import { everyOf, fieldOf, listOf, textOf } from "./fields.ts"
import { parseProjectPermalink, permalinkOf, type ProjectPermalink } from "./permalink.ts"

export interface ProjectEntry {
  /** The raw name of the directory below the sync directory. */
  readonly directory: string
  /** What the cloud calls it. */
  readonly project: string
  /** Of the project: what it is asked for by. */
  readonly permalink: ProjectPermalink
  /** Of its keys in the bucket, with the slash. */
  readonly prefix: string
}

/** In byte order of directories; no directory and no permalink is there twice. */
export type ProjectMap = readonly ProjectEntry[]

export const EMPTY_PROJECT_MAP: ProjectMap = []

const SCHEMA = "bm.projects/1"

export function prefixOf(directory: string): string {
  return `${directory}/`
}

/** It takes the place of whatever had its directory or its permalink. */
export function withEntry(map: ProjectMap, entry: ProjectEntry): ProjectMap {
  const others = map.filter(
    (each) => each.directory !== entry.directory && each.permalink !== entry.permalink,
  )
  return [...others, entry].sort((a, b) => comparePaths(a.directory, b.directory))
}

export function formatProjectMap(map: ProjectMap): string {
  const projects = map.map(({ directory, project, permalink, prefix }) => ({
    directory,
    project,
    permalink,
    prefix,
  }))
  return `${JSON.stringify({ schema: SCHEMA, projects }, undefined, 2)}\n`
}

/** `undefined` where the text is not such a map, all of it. */
export function parseProjectMap(text: string): ProjectMap | undefined {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return undefined
  }
  if (fieldOf(value, "schema") !== SCHEMA) return undefined
  const entries = everyOf(listOf(fieldOf(value, "projects")), entryOf)
  const map = entries?.reduce(withEntry, EMPTY_PROJECT_MAP)
  return map?.length === entries?.length ? map : undefined
}

function entryOf(value: unknown): ProjectEntry | undefined {
  const directory = textOf(fieldOf(value, "directory"))
  const project = textOf(fieldOf(value, "project"))
  const permalink = parseProjectPermalink(textOf(fieldOf(value, "permalink")) ?? "")
  if (directory === undefined || !isDirectoryName(directory) || project === undefined) return undefined
  const prefix = prefixOf(directory)
  if (permalink === undefined || fieldOf(value, "prefix") !== prefix) return undefined
  return { directory, project, permalink, prefix }
}

export function isDirectoryName(name: string): boolean {
  return !name.includes("/") && parsePath(name).ok
}

/** The projects with a file among these paths, each once: those that the cloud is asked to look at. */
export function projectsOfPaths(map: ProjectMap, paths: Iterable<string>): readonly ProjectEntry[] {
  const directories = new Set<string>()
  for (const path of paths) directories.add(path.slice(0, Math.max(path.indexOf("/"), 0)))
  return map.filter(({ directory }) => directories.has(directory))
}

/** The directory that a user means: by its own name, by its project's, or by what they have in common. */
export function findDirectory(
  text: string,
  { directories, map }: { readonly directories: readonly string[]; readonly map: ProjectMap },
): string | undefined {
  if (directories.includes(text)) return text
  const present = map.filter(({ directory }) => directories.includes(directory))
  const byName = present.find(({ project }) => isSameName(project, text))
  if (byName !== undefined) return byName.directory
  const permalink = permalinkOf(text)
  const byPermalink = present.find((entry) => entry.permalink === permalink || entry.permalink === text)
  return byPermalink?.directory ?? directories.find((each) => isSameName(each, text))
}

/** Some disks take names apart into letters and marks. */
export function isSameName(a: string, b: string): boolean {
  return a === b || a.normalize("NFC") === b.normalize("NFC")
}
