/**
 * `.bmignore.rclone`: the ignore patterns said again as rclone filter rules, for people who run rclone themselves.
 *
 * Owns the translation; never decides what is synced (`ignore.ts` does). Every line it writes is one
 * that rclone can load, because one bad line makes rclone refuse the whole file: a pattern that cannot be
 * said stands as a comment. Source: rclone `fs/filter/glob.go`.
 */

import { patternLines } from "./ignore.ts"

const HEADER = `# Written by bm from .bmignore; changes here are overwritten.
# bm judges .bmignore itself, as git does. This file is a close translation for rclone, which cannot say all of it:
#   - git lets the last matching pattern win and rclone the first, so the order is reversed
#   - a slash in the middle anchors a pattern in git only, so such rules begin with /
#   - **/foo misses the top level in rclone and a/**/b misses a/b, so they are said in other words
#   - {} are ordinary characters in git, so they are escaped
#   - a name needs two rules, one for a file and one for what is below a directory; for the same reason
#     a pattern that ends with / and one that begins with ! take in everything below
#   - negation below an excluded directory and the .bmignore files of projects cannot be said
`

/** Each `**` in the middle doubles the rules of a pattern. */
const MIDDLE_GLOBSTARS_MAX = 3

const GLOBSTAR = "**"
const ASCII_CLASS = /^\[:(?:alnum|alpha|blank|cntrl|digit|graph|lower|print|punct|space|upper|xdigit):\]/

interface Pattern {
  readonly isNegated: boolean
  readonly isDirectory: boolean
  readonly isAnchored: boolean
  readonly segments: readonly string[]
}

/** Translates the text of `.bmignore` into the text of `.bmignore.rclone`. */
export function rcloneFilter(patterns: string): string {
  const rules = [...patternLines(patterns).patterns].reverse().flatMap(patternToRules)
  return [HEADER, ...rules.map((rule) => `${rule}\n`)].join("")
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

function literal(char: string): string {
  return /[*?[\]{}\\]/.test(char) ? `\\${char}` : char
}

/**
 * A class that rclone can load. It hands the members to a regular expression as they are, counts brackets
 * without looking at backslashes, and takes `!` for a member; git's classes never match a slash.
 */
function readClass(text: string): { readonly glob: string; readonly length: number } | undefined {
  const isNegated = text[1] === "!" || text[1] === "^"
  const first = isNegated ? 2 : 1
  let at = first
  while (at < text.length) {
    const char = text.charAt(at)
    if (char === "]" && at > first) {
      const members = text.slice(first, at)
      return { glob: isNegated ? `[^/${members}]` : `[${members}]`, length: at + 1 }
    }
    const named = ASCII_CLASS.exec(text.slice(at))?.[0]
    const range = /^([^\]\\[])-([^\]\\[])/.exec(text.slice(at))
    if (named !== undefined) at += named.length
    else if (/[\]\\[]/.test(char) || (range !== null && range[0].charAt(0) > range[0].charAt(2)))
      return undefined
    else at += range === null ? 1 : range[0].length
  }
  return undefined
}

/** rclone trims its lines, so a blank at the end stands in a class. */
function keepLastBlank(rule: string): string {
  return /\s$/.test(rule) ? `${rule.slice(0, -1)}[${rule.slice(-1)}]` : rule
}
