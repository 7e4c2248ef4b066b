/**
 * Walks through the small part of XML in which S3 answers: elements, attributes that nobody reads, text, entities.
 *
 * Document types, comments and CDATA are refused rather than understood; so is what does not end as it began. Text
 * beside elements is white space, and passed over.
 */

import { Nonsense } from "./failure.ts"

export interface XmlVisitor {
  open(name: string, depth: number): void
  /** The text of an element that has no elements in it. */
  text(name: string, depth: number, text: string): void
}

const DEPTH_MAX = 16
const SPACE = /\s/

export function scanXml(xml: string, visitor: XmlVisitor): void {
  const names: string[] = []
  /** Where the text of the innermost element begins, if there was no element in it so far. */
  let textFrom: number | undefined
  let hasRoot = false
  for (let from = xml.indexOf("<"); from >= 0; ) {
    const next = xml[from + 1]
    if (next === "!") throw new Nonsense("a document type in an answer")
    const end = next === "?" ? xml.indexOf("?>", from) + 1 : endOfTag(xml, from)
    if (end < from + 2) throw new Nonsense("an answer without an end")
    if (next === "/") {
      const name = xml.slice(from + 2, end).trimEnd()
      if (names.pop() !== name) throw new Nonsense("an answer whose tags do not fit")
      if (textFrom !== undefined) visitor.text(name, names.length, unescaped(xml.slice(textFrom, from)))
      textFrom = undefined
    } else if (next !== "?") {
      const isEmpty = xml[end - 1] === "/"
      const name = nameOf(xml.slice(from + 1, isEmpty ? end - 1 : end))
      if (names.length === 0 && hasRoot) throw new Nonsense("an answer with two roots")
      if (names.length >= DEPTH_MAX) throw new Nonsense("an answer that is too deep")
      hasRoot = true
      visitor.open(name, names.length)
      if (isEmpty) visitor.text(name, names.length, "")
      else names.push(name)
      textFrom = isEmpty ? undefined : end + 1
    }
    from = xml.indexOf("<", end)
  }
  if (!hasRoot) throw new Nonsense("no listing in the answer")
  if (names.length > 0) throw new Nonsense("an answer without an end")
}

function nameOf(tag: string): string {
  const space = tag.search(SPACE)
  return space < 0 ? tag : tag.slice(0, space)
}

/** A quoted `>` ends nothing. */
function endOfTag(xml: string, from: number): number {
  const end = xml.indexOf(">", from)
  const quote = xml.slice(from, end).search(/["']/)
  if (end < 0 || quote < 0) return end
  let mark: string | undefined
  for (let at = from + quote; at < xml.length; at++) {
    const char = xml[at]
    if (mark !== undefined) {
      if (char === mark) mark = undefined
    } else if (char === ">") return at
    else if (char === '"' || char === "'") mark = char
  }
  return -1
}

const ENTITIES: Readonly<Record<string, string>> = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'" }

/** What cannot be understood becomes a replacement character, as what cannot be decoded does. */
function unescaped(text: string): string {
  if (!text.includes("&")) return text
  return text.replace(/&(?:#x([0-9a-fA-F]+)|#(\d+)|(\w+));|&/g, (_, hex, decimal, name) => {
    if (typeof name === "string") return ENTITIES[name] ?? "\uFFFD"
    const point = typeof hex === "string" ? Number.parseInt(hex, 16) : Number(decimal)
    const isPoint = point > 0 && point <= 0x10ffff && (point < 0xd800 || point > 0xdfff)
    return isPoint ? String.fromCodePoint(point) : "\uFFFD"
  })
}
