/**
 * `.bmignore`: which paths are not synced, with git's rules for `.gitignore`.
 *
 * Owns reading pattern text and judging paths; never reads a disk and never throws, because ignore
 * files can arrive by sync. A project's patterns are moved below its directory (`foo` in `notes/`
 * becomes `foo` at any depth below `/notes`), so that one list per project is judged in git's order, last match first.
 * Sources: gitignore(5) for the meaning, package `ignore` for the matching; the limits, because ignore files can arrive by sync.
 */

import ignore from "ignore"
import { comparePaths, parentOf } from "../model/path.ts"

/** Per file. A pattern after that many is dropped. */
export const PATTERNS_MAX = 10_000
/** A longer line is dropped. */
export const LINE_CHARS_MAX = 1_000
/** Each `**` inside a pattern multiplies the work by the depth of a path, so a pattern with more is dropped. */
const GLOBSTARS_MAX = 2

export const DEFAULT_BMIGNORE = `# What Basic Memory does not sync, in gitignore format.
# Patterns are relative to the sync directory. Changes apply from the next run.
.git
.DS_Store
node_modules
*.tmp
.env
__pycache__
.pytest_cache
.ruff_cache
.vscode
.idea
*.db
*.db-shm
*.db-wal
`

export interface IgnoreTexts {
  readonly global: string
  /** Text of the `.bmignore` directly inside each first-level directory, by the name of that directory. */
  readonly projects: ReadonlyMap<string, string>
  /** In the bucket of a cloud account directories at the top whose names begin with a dot are the service's own. */
  readonly ignoresDotDirectories?: boolean
}

export interface IgnoreRules {
  /** All patterns in force as one stable text: equal texts mean equal verdicts. */
  readonly digest: string
  /** Patterns over a limit, which are not in force. */
  readonly dropped: number
  ignoresDirectory(path: string): boolean
  ignoresFile(path: string): boolean
}

export interface PatternLines {
  readonly patterns: readonly string[]
  readonly dropped: number
}

interface Matcher {
  ignores(path: string): boolean
}

/**
 * Compiles ignore texts into rules that answer for any valid relative path.
 *
 * Shape: paths are relative to the sync root without a trailing slash; what is below an ignored directory is ignored.
 * Errors: none; patterns that are not understood match nothing.
 */
export function compileIgnore({ global, projects, ignoresDotDirectories }: IgnoreTexts): IgnoreRules {
  const written = patternLines(global)
  // The last pattern that matches decides, so no pattern of a user can bring them back.
  const shared = ignoresDotDirectories ? { ...written, patterns: [...written.patterns, "/.*/"] } : written
  const below = [...projects]
    .map(([directory, text]) => ({ directory, ...patternLines(text) }))
    .sort((a, b) => comparePaths(a.directory, b.directory))
  const byProject = new Map<string, Matcher>()
  for (const { directory, patterns } of below) {
    if (patterns.length === 0) continue
    byProject.set(
      directory,
      matcherOf([...shared.patterns, ...patterns.map((one) => placeBelow(directory, one))]),
    )
  }
  const digest = JSON.stringify([
    shared.patterns,
    below.filter(({ directory }) => byProject.has(directory)).map((one) => [one.directory, one.patterns]),
  ])
  const dropped = below.reduce((sum, one) => sum + one.dropped, shared.dropped)
  const fallback = shared.patterns.length === 0 ? undefined : matcherOf(shared.patterns)
  return { digest, dropped, ...judge(fallback, byProject) }
}

function judge(
  fallback: Matcher | undefined,
  byProject: ReadonlyMap<string, Matcher>,
): Pick<IgnoreRules, "ignoresDirectory" | "ignoresFile"> {
  if (fallback === undefined && byProject.size === 0) {
    return { ignoresDirectory: () => false, ignoresFile: () => false }
  }
  const verdicts = new Map<string, boolean>([["", false]])
  const matches = (path: string, asked: string): boolean => {
    const matcher = byProject.size === 0 ? fallback : (byProject.get(firstSegment(path)) ?? fallback)
    return matcher !== undefined && matcher.ignores(asked)
  }
  const ignoresDirectory = (path: string): boolean => {
    const known = verdicts.get(path)
    if (known !== undefined) return known
    const verdict = ignoresDirectory(parentOf(path)) || matches(path, `${path}/`)
    verdicts.set(path, verdict)
    return verdict
  }
  // Asked of both sides, and of what is agreed.
  const ofFiles = new Map<string, boolean>()
  const ignoresFile = (path: string): boolean => {
    const known = ofFiles.get(path)
    if (known !== undefined) return known
    const verdict = ignoresDirectory(parentOf(path)) || matches(path, path)
    ofFiles.set(path, verdict)
    return verdict
  }
  return { ignoresDirectory, ignoresFile }
}

function matcherOf(patterns: readonly string[]): Matcher {
  return ignore({ ignorecase: false, allowRelativePaths: true }).add(patterns)
}

/** The patterns of an ignore file in its order, without comments, and without those over a limit. */
export function patternLines(text: string): PatternLines {
  const patterns: string[] = []
  let dropped = 0
  for (const raw of text.replace(/^\uFEFF/, "").split("\n")) {
    const line = raw.endsWith("\r") ? raw.slice(0, -1) : raw
    if (line === "" || line.startsWith("#")) continue
    if (line.length > LINE_CHARS_MAX || patterns.length >= PATTERNS_MAX) {
      dropped++
      continue
    }
    const pattern = foldGlobstars(trimUnescapedSpaces(line))
    // Git matches nothing with these; below a project, a bare slash would match all of it.
    if (/^!?\/*$/.test(pattern)) continue
    if (isAffordable(pattern)) patterns.push(pattern)
    else dropped++
  }
  return { patterns, dropped }
}

function trimUnescapedSpaces(line: string): string {
  let end = line.length
  while (end > 0 && line[end - 1] === " " && !isEscaped(line, end - 1)) end--
  return line.slice(0, end)
}

function isEscaped(line: string, at: number): boolean {
  let backslashes = 0
  while (line[at - backslashes - 1] === "\\") backslashes++
  return backslashes % 2 === 1
}

/** A run of `**` segments means what one of them means, and costs far less to match. */
function foldGlobstars(pattern: string): string {
  return pattern.replace(/(^!?|\/)\*{2,}(?:\/\*{2,})+(?=\/|$)/g, "$1**")
}

function isAffordable(pattern: string): boolean {
  const globstars = pattern.match(/(?:^!?|\/)\*{2,}(?=\/.)/g)?.length ?? 0
  if (globstars > GLOBSTARS_MAX) return false
  try {
    // The package compiles a pattern when it is first matched.
    matcherOf([pattern]).ignores("a/b")
    return true
  } catch {
    return false
  }
}

/** Rewrites a project's pattern so that it says the same from the sync root. */
function placeBelow(directory: string, pattern: string): string {
  const negation = pattern.startsWith("!") ? "!" : ""
  const body = pattern.slice(negation.length)
  const slash = body.indexOf("/")
  const isAnchored = slash >= 0 && slash < body.length - 1
  const root = `/${directory.replace(/[\\*?[]/g, "\\$&")}`
  if (!isAnchored) return `${negation}${root}/**/${body}`
  return `${negation}${root}/${body.startsWith("/") ? body.slice(1) : body}`
}

function firstSegment(path: string): string {
  const slash = path.indexOf("/")
  return slash < 0 ? path : path.slice(0, slash)
}
