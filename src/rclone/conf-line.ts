/**
 * One line of rclone.conf, read as rclone reads it.
 *
 * The rules are those of the library that rclone has for this (`unknwon/goconfig`, `read.go`), with its quotes and its
 * idea of white space; the same since rclone 1.60.
 */

export type ConfLine =
  /** Blank, or a comment. */
  | { readonly kind: "silent" }
  | { readonly kind: "header"; readonly name: string }
  | { readonly kind: "entry"; readonly key: string; readonly value: string }
  /** rclone refuses the whole file for such a line. */
  | { readonly kind: "malformed" }

/** Unicode's white space: not what JavaScript trims, which takes the byte order mark and leaves U+0085. */
const BLANK = /[\t-\r \u0085\u00A0\u1680\u2000-\u200A\u2028\u2029\u202F\u205F\u3000]/

export function readConfLine(text: string): ConfLine {
  const line = trimBlanks(text)
  if (line === "" || line.startsWith("#") || line.startsWith(";")) return { kind: "silent" }
  if (line.startsWith("[") && line.endsWith("]"))
    return { kind: "header", name: trimBlanks(line.slice(1, -1)) }
  return readEntry(line)
}

export function trimBlanks(text: string): string {
  let [from, to] = [0, text.length]
  while (from < to && BLANK.test(text.charAt(from))) from++
  while (from < to && BLANK.test(text.charAt(to - 1))) to--
  return text.slice(from, to)
}

function readEntry(line: string): ConfLine {
  const quote = keyQuote(line)
  const keyEnd = quote === "" ? 0 : line.indexOf(quote, quote.length)
  if (keyEnd === -1) return { kind: "malformed" }
  const separator = line.slice(keyEnd).search(/[=:]/) + keyEnd
  if (separator <= keyEnd) return { kind: "malformed" }
  const key = quote === "" ? trimBlanks(line.slice(0, separator)) : line.slice(quote.length, keyEnd)
  const value = readValue(trimBlanks(line.slice(separator + 1)))
  return value === undefined ? { kind: "malformed" } : { kind: "entry", key, value }
}

function keyQuote(line: string): string {
  if (line.startsWith('"""') && line.length >= 6) return '"""'
  return line.startsWith('"') ? '"' : line.startsWith("`") ? "`" : ""
}

function readValue(text: string): string | undefined {
  const quote =
    text.startsWith("`") && text.length >= 2 ? "`" : text.startsWith('"""') && text.length >= 6 ? '"""' : ""
  if (quote === "") return text
  const inner = text.slice(quote.length)
  const end = inner.lastIndexOf(quote)
  return end === -1 ? undefined : inner.slice(0, end)
}

/**
 * The value comes back as it is when it is written after `key = `. Others could be quoted; none that we write needs it,
 * and one that does is no key of an account.
 */
export function isPlainValue(value: string): boolean {
  const isOneLine = !/[\u0000-\u001F\u007F]|\p{Surrogate}/u.test(value)
  const isUnquoted = readValue(value) === value && trimBlanks(value) === value
  // rclone puts the value of `x` in the place of `%(x)s`.
  return isOneLine && isUnquoted && !/%\([^)]+\)s/.test(value)
}
