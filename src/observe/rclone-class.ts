/**
 * One class of a pattern (`[a-z]`, `[!a]`, `[[:digit:]_]`) in words that rclone can load.
 *
 * Owns what git takes for its members, and how each is spelled; never the pattern around it (`rclone-filter.ts`). rclone
 * hands a class to a regular expression, but counts brackets without looking at backslashes, takes a `!` for a
 * member in its older versions, and cuts the glob of an included file at every `/` and `**`, also in the middle of a
 * class, to find its directories. So what means something to it is spelled as `\xHH`.
 * Sources: git `wildmatch.c`, rclone `fs/filter/glob.go`.
 */

export interface ReadClass {
  readonly glob: string
  /** How much of the text it takes. */
  readonly length: number
}

/** Code units, both ends included. */
interface Range {
  readonly first: number
  readonly last: number
}

interface Member {
  readonly ranges: readonly Range[]
  readonly length: number
}

const SLASH = 0x2f

/** ASCII only, and as git's own tables have them. */
const NAMED: ReadonlyMap<string, string> = new Map([
  ["alnum", "09AZaz"],
  ["alpha", "AZaz"],
  ["blank", "  \t\t"],
  ["cntrl", "\x00\x1f\x7f\x7f"],
  ["digit", "09"],
  ["graph", "!~"],
  ["lower", "az"],
  ["print", " ~"],
  ["punct", "!/:@[`{~"],
  ["space", "  \t\n\r\r"],
  ["upper", "AZ"],
  ["xdigit", "09AFaf"],
])

/** Reads the class that `text` begins with; `undefined` where it has no end or rclone has no words for it. */
export function readClass(text: string): ReadClass | undefined {
  const isNegated = text[1] === "!" || text[1] === "^"
  const start = isNegated ? 2 : 1
  const ranges: Range[] = []
  let at = start
  // What stands first is a member, also where it is the bracket that would end the class.
  while (at === start || text[at] !== "]") {
    const member = readMember(text.slice(at))
    if (member === undefined) return undefined
    ranges.push(...member.ranges)
    at += member.length
  }
  return { glob: isNegated ? spellNegated(ranges) : spell(ranges), length: at + 1 }
}

function readMember(text: string): Member | undefined {
  const name = /^\[:([^\]]*):\]/.exec(text)?.[1]
  if (name !== undefined) {
    const bounds = NAMED.get(name)
    return bounds === undefined ? undefined : { ranges: boundsToRanges(bounds), length: name.length + 4 }
  }
  const first = readCharacter(text)
  if (first === undefined) return undefined
  const single = { ranges: [{ first: first.code, last: first.code }], length: first.length }
  const rest = text.slice(first.length)
  if (!/^-[^\]]/.test(rest)) return single
  const last = readCharacter(rest.slice(1))
  if (last === undefined) return undefined
  const length = first.length + 1 + last.length
  // Git looks at the first character before it sees that the range is none.
  return last.code < first.code
    ? { ...single, length }
    : { ranges: [{ first: first.code, last: last.code }], length }
}

/** Halves of a wide character have no words: rclone sees the whole of it, and git its bytes. */
function readCharacter(text: string): { readonly code: number; readonly length: number } | undefined {
  const length = text.startsWith("\\") ? 2 : 1
  if (text.length < length) return undefined
  const code = text.charCodeAt(length - 1)
  return code >= 0xd800 && code < 0xe000 ? undefined : { code, length }
}

function boundsToRanges(bounds: string): readonly Range[] {
  return Array.from({ length: bounds.length / 2 }, (_, at) => ({
    first: bounds.charCodeAt(2 * at),
    last: bounds.charCodeAt(2 * at + 1),
  }))
}

/** Git's classes never match a slash, whatever their members say. */
function spell(ranges: readonly Range[]): string {
  const cut = ranges.flatMap(({ first, last }) => [
    { first, last: Math.min(last, SLASH - 1) },
    { first: Math.max(first, SLASH + 1), last },
  ])
  return `[${unique(cut.filter(({ first, last }) => first <= last))}]`
}

function spellNegated(ranges: readonly Range[]): string {
  return `[^${unique([{ first: SLASH, last: SLASH }, ...ranges])}]`
}

function unique(ranges: readonly Range[]): string {
  return [...new Set(ranges.map(spellRange))].join("")
}

function spellRange({ first, last }: Range): string {
  return first === last ? spellCode(first) : `${spellCode(first)}-${spellCode(last)}`
}

function spellCode(code: number): string {
  const char = String.fromCharCode(code)
  const isPlain = code >= 0x20 && code !== 0x7f && !/[!*/[\\\]^{}-]/.test(char)
  return isPlain ? char : `\\x${code.toString(16).padStart(2, "0")}`
}
