/**
 * `.bmignore.rclone`: the ignore patterns said again as rclone filter rules, for people who run rclone themselves.
 *
 * Owns the translation; never decides what is synced (`ignore.ts` does). Every line it writes is one
 * that rclone can load, because one bad line makes rclone refuse the whole file: a pattern that cannot be
 * said stands as a comment. What is never synced is excluded first, before any pattern. Source: rclone `fs/filter/glob.go`.
 */

import { CONTROL_DIRECTORY } from "../model/path.ts"
import { patternLines } from "./ignore.ts"
import { readClass } from "./rclone-class.ts"

const GLOBSTAR = "**"

/** Each `**` in the middle doubles the rules of a pattern. */
const MIDDLE_GLOBSTARS_MAX = 3

const FIRST_LINE = "# Written by bm from .bmignore"
const HEADER = `${FIRST_LINE}; changes here are overwritten.
# bm judges .bmignore itself, as git does. This file is a close translation for rclone, which cannot say all of it:
#   - git lets the last matching pattern win and rclone the first, so the order is reversed
#   - a slash in the middle anchors a pattern in git only, so such rules begin with /
#   - **/foo misses the top level in rclone and a/**/b misses a/b, so they are said in other words
#   - {} are ordinary characters in git, so they are escaped
#   - a name needs two rules, one for a file and one for what is below a directory; for the same reason
#     a pattern that ends with / and one that begins with ! take in everything below
#   - negation below an excluded directory and the .bmignore files of projects cannot be said
#   - an emoji is one character to ? and [] in rclone, and never one in bm
`

/** rclone takes the first rule that matches, so nothing below these can bring them back. */
const NEVER_SYNCED = `# Never synced, whatever .bmignore says: what belongs to git and to bm, in small and large letters.
${[`/${CONTROL_DIRECTORY}`, ".git", "git~[0-9]"].flatMap(nameToExcludes).join("")}# From .bmignore:
`

interface Pattern {
  readonly isNegated: boolean
  readonly isDirectory: boolean
  readonly isAnchored: boolean
  readonly segments: readonly string[]
}

/** Translates the text of `.bmignore` into the text of `.bmignore.rclone`. */
export function rcloneFilter(patterns: string): string {
  const rules = [...patternLines(patterns).patterns].reverse().flatMap(patternToRules)
  return [HEADER, NEVER_SYNCED, ...rules.map((rule) => `${rule}\n`)].join("")
}

/** Whether a text was written by this translation, of whatever patterns. */
export function isOurForm(text: string): boolean {
  return text.startsWith(FIRST_LINE)
}

function nameToExcludes(name: string): readonly string[] {
  const glob = name.replace(/[a-z]/g, (letter) => `[${letter.toUpperCase()}${letter}]`)
  return [`- ${glob}\n`, `- ${glob}/${GLOBSTAR}\n`]
}

function patternToRules(pattern: string): readonly string[] {
  const { isNegated, isDirectory, isAnchored, segments } = parsePattern(pattern)
  const globs = segments.map((segment) => (segment === GLOBSTAR ? segment : segmentToGlob(segment)))
  const bodies = globs.every((glob) => glob !== undefined) ? spellGlobstars(globs) : undefined
  if (bodies === undefined) return [`# cannot be said: ${pattern}`]
  const sign = isNegated ? "+" : "-"
  return bodies.flatMap((body) => {
    const rule = `${sign} ${isAnchored ? "/" : ""}${body}`
    if (body === GLOBSTAR || body.endsWith(`/${GLOBSTAR}`)) {
      // Git's `a/**/` is every directory below `a`, not what stands directly in it.
      return [isDirectory ? `${rule.slice(0, -GLOBSTAR.length)}*/${GLOBSTAR}` : rule]
    }
    return isDirectory ? [`${rule}/${GLOBSTAR}`] : [keepLastBlank(rule), `${rule}/${GLOBSTAR}`]
  })
}

function parsePattern(text: string): Pattern {
  const isNegated = text.startsWith("!")
  const body = isNegated ? text.slice(1) : text
  const isDirectory = body.endsWith("/")
  const path = isDirectory ? body.slice(0, -1) : body
  const segments = path.replace(/^\//, "").split("/").map(foldStars)
  // `**/foo` is `foo` at any depth, which is what rclone means by a glob that does not begin with a slash.
  const isFloating = segments.length > 1 && segments[0] === GLOBSTAR && segments[1] !== GLOBSTAR
  if (isFloating) return { isNegated, isDirectory, isAnchored: false, segments: segments.slice(1) }
  return { isNegated, isDirectory, isAnchored: path.includes("/"), segments }
}

/** Stars that do not fill a segment are one star in git; rclone would take two for any path and refuses three. */
function foldStars(segment: string): string {
  return /^\*{2,}$/.test(segment) ? GLOBSTAR : segment
}

/** Every way to say the middle `**`: with directories in its place, and with none. */
function spellGlobstars(globs: readonly string[]): readonly string[] | undefined {
  const middle = globs.slice(0, -1).filter((glob) => glob === GLOBSTAR).length
  if (middle > MIDDLE_GLOBSTARS_MAX) return undefined
  let spellings: readonly (readonly string[])[] = [[]]
  for (const [at, glob] of globs.entries()) {
    const isMiddle = glob === GLOBSTAR && at < globs.length - 1
    spellings = isMiddle
      ? [...spellings, ...spellings.map((one) => [...one, glob])]
      : spellings.map((one) => [...one, glob])
  }
  return spellings.map((one) => one.join("/"))
}

/** One segment without `**`, or `undefined` where rclone has no words for it. */
function segmentToGlob(segment: string): string | undefined {
  let out = ""
  let at = 0
  while (at < segment.length) {
    const char = segment.charAt(at)
    if (char === "[") {
      const found = readClass(segment.slice(at))
      if (found === undefined) return undefined
      out += found.glob
      at += found.length
      continue
    }
    if (char === "\\") {
      if (at + 1 >= segment.length) return undefined
      out += literal(segment.charAt(at + 1))
      at += 2
      continue
    }
    if (char !== "*") out += char === "?" ? char : literal(char)
    else if (segment[at - 1] !== "*" || isEscapedStar(segment, at - 1)) out += char
    at++
  }
  return out === "" ? undefined : out
}

function isEscapedStar(segment: string, at: number): boolean {
  return /(?:^|[^\\])(?:\\\\)*\\$/.test(segment.slice(0, at))
}

/** A star stands in a class: an escaped one beside another star is two stars to rclone when it looks for directories. */
function literal(char: string): string {
  if (char === "*") return "[*]"
  return /[?[\]{}\\]/.test(char) ? `\\${char}` : char
}

/** rclone trims its lines, and more than we call a blank, so what it would take stands in a class. */
function keepLastBlank(rule: string): string {
  return /[\s\u0085]$/.test(rule) ? `${rule.slice(0, -1)}[${rule.slice(-1)}]` : rule
}
