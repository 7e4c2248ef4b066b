/**
 * Patterns that name paths of the history: `*` and `?` within a name, `**` across directories. PURE.
 *
 * A pattern without these is a path, and means the path itself and everything below it. The words before the first
 * wildcard say where in the path index to look, so that a pattern for one folder does not read the others.
 */

export interface PathPattern {
  readonly text: string
  /** Every path that matches begins with it. */
  readonly prefix: string
  matches(path: string): boolean
}

const WILDCARD = /[*?]/
const SPECIAL = /[\\^$.|+()[\]{}]/g

export function pathPattern(text: string): PathPattern {
  const pattern = text.replace(/^\.\//, "").replace(/\/+$/, "")
  const wildcard = pattern.search(WILDCARD)
  if (wildcard < 0) {
    const matches = (path: string) => path === pattern || path.startsWith(`${pattern}/`)
    return { text: pattern, prefix: pattern, matches }
  }
  const expression = new RegExp(`^${expressionOf(pattern)}$`, "su")
  // A name may itself hold a `*`: who writes it exactly means it.
  const matches = (path: string) => path === pattern || expression.test(path)
  return { text: pattern, prefix: pattern.slice(0, wildcard), matches }
}

/** `a/**` + `/b` also means `a/b`: the directories between may be none. */
function expressionOf(pattern: string): string {
  return pattern.replace(/\*\*\/|\*+|\?|[^*?]+/g, (part) => {
    if (part === "**/") return "(?:.*/)?"
    if (part.startsWith("**")) return ".*"
    if (part === "*") return "[^/]*"
    return part === "?" ? "[^/]" : part.replace(SPECIAL, "\\$&")
  })
}
