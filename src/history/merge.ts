/**
 * Three-way merge of a text by lines, with a second try for YAML front matter.
 *
 * Owns what may be merged without asking; never guesses: what is not understood is an overlap, and bytes that are
 * not text are not merged. Line endings, a missing last newline and a byte order mark are kept as they are.
 * Front matter is tried only where the line merge fails: a key changed on one side is taken from that side, and
 * a list changed on both is a set that gains what either added and loses what either removed.
 * Source: Khanna, Kunal and Pierce 2007 (node-diff3) for the line merge.
 */

import { diff3Merge } from "node-diff3"

/** Steps of comparing lines, well under a second of them; a merge that could take more is not tried. */
const WORK_MAX = 400_000_000
const PIECE_LINES_MAX = 20_000

interface Three<T> {
  readonly base: T
  readonly ours: T
  readonly theirs: T
}

export type MergeInput = Three<Uint8Array>

export interface MergeOverlap {
  /** Line of our text, from 1, where the place begins. */
  readonly line: number
  readonly ours: string
  readonly theirs: string
}

/** `frontMatter` names the keys that both sides changed and that were merged as sets. */
export type Merge =
  | { readonly kind: "clean"; readonly bytes: Uint8Array; readonly frontMatter: readonly string[] }
  | { readonly kind: "overlap"; readonly places: number; readonly overlaps: readonly MergeOverlap[] }
  | { readonly kind: "binary" }

type LineMerge =
  | { readonly kind: "clean"; readonly text: string }
  | { readonly kind: "overlap"; readonly places: number; readonly overlaps: readonly MergeOverlap[] }

/**
 * Merges what `ours` and `theirs` each changed since `base`.
 *
 * Shape: `overlap` counts the places that both changed; `overlaps` is empty where the texts are too large to compare.
 * A side that did not change never overlaps, whatever its bytes are.
 */
export function mergeText({ base, ours, theirs }: MergeInput): Merge {
  if (isEqual(ours, theirs) || isEqual(base, theirs)) return clean(ours)
  if (isEqual(base, ours)) return clean(theirs)
  const texts = { base: decodeText(base), ours: decodeText(ours), theirs: decodeText(theirs) }
  if (texts.base === undefined || texts.ours === undefined || texts.theirs === undefined) {
    return { kind: "binary" }
  }
  return mergeTexts({ base: texts.base, ours: texts.ours, theirs: texts.theirs })
}

function mergeTexts(texts: Three<string>): Merge {
  const byLines = mergeLines(mapThree(texts, splitLines))
  const parts = mapThree(texts, splitFrontMatter)
  if (byLines.kind === "clean" && !breaksFrontMatter(parts, byLines.text)) return clean(encode(byLines.text))
  const byKeys = mergeFrontMatter(parts)
  if (byKeys !== undefined) return byKeys
  if (byLines.kind === "overlap") return byLines
  return { kind: "overlap", places: 1, overlaps: [] }
}

/** Text of valid UTF-8 without NUL, byte order mark included; anything else is not text. */
export function decodeText(bytes: Uint8Array): string | undefined {
  if (bytes.includes(0)) return undefined
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    return undefined
  }
}

/** Lines with their endings, so that joining them gives the text again. */
export function splitLines(text: string): readonly string[] {
  return text === "" ? [] : text.split(/(?<=\n)/)
}

/** Merges piece by piece between lines that all three surely share, so that a long text costs what its changes cost. */
function mergeLines(lines: Three<readonly string[]>): LineMerge {
  const text: string[] = []
  const overlaps: MergeOverlap[] = []
  const end = mapThree(lines, (list) => list.length)
  let from = { base: 0, ours: 0, theirs: 0 }
  let workLeft = WORK_MAX
  for (const to of [...anchorsOf(lines), end]) {
    const piece = {
      base: lines.base.slice(from.base, to.base),
      ours: lines.ours.slice(from.ours, to.ours),
      theirs: lines.theirs.slice(from.theirs, to.theirs),
    }
    const same = unchallenged(piece)
    if (same === undefined) {
      workLeft -= workOf(piece)
      if (workLeft < 0) return { kind: "overlap", places: 1, overlaps: [] }
      const merged = mergePiece(piece, from.ours)
      text.push(merged.text)
      overlaps.push(...merged.overlaps)
    } else text.push(same.join(""))
    text.push(lines.ours[to.ours] ?? "")
    from = mapThree(to, (at) => at + 1)
  }
  if (overlaps.length > 0) return { kind: "overlap", places: overlaps.length, overlaps }
  return { kind: "clean", text: text.join("") }
}

function unchallenged({ base, ours, theirs }: Three<readonly string[]>): readonly string[] | undefined {
  if (isSameLines(ours, theirs) || isSameLines(base, theirs)) return ours
  return isSameLines(base, ours) ? theirs : undefined
}

function mergePiece(
  { base, ours, theirs }: Three<readonly string[]>,
  linesBefore: number,
): { readonly text: string; readonly overlaps: readonly MergeOverlap[] } {
  const text: string[] = []
  const overlaps: MergeOverlap[] = []
  for (const { ok, conflict } of diff3Merge<string>([...ours], [...base], [...theirs])) {
    text.push((ok ?? []).join(""))
    if (conflict === undefined) continue
    const line = linesBefore + conflict.aIndex + 1
    overlaps.push({ line, ours: conflict.a.join(""), theirs: conflict.b.join("") })
  }
  return { text: text.join(""), overlaps }
}

/** How long node-diff3 searches, at worst: for every pair of equal lines, along the shorter text. */
function workOf({ base, ours, theirs }: Three<readonly string[]>): number {
  if (Math.max(base.length, ours.length, theirs.length) > PIECE_LINES_MAX) return Number.POSITIVE_INFINITY
  const counts = new Map<string, number>()
  for (const line of base) counts.set(line, (counts.get(line) ?? 0) + 1)
  const work = (list: readonly string[]): number =>
    list.reduce((sum, line) => sum + (counts.get(line) ?? 0), 0) * Math.min(base.length, list.length)
  return work(ours) + work(theirs)
}

/**
 * Positions of the lines that stand once in each text and that nothing was moved across.
 *
 * Every good alignment has them, whichever side is called ours.
 */
function anchorsOf(lines: Three<readonly string[]>): readonly Three<number>[] {
  const once = mapThree(lines, positionsOfUnique)
  const shared: Three<number>[] = []
  for (const [line, base] of once.base) {
    const ours = once.ours.get(line)
    const theirs = once.theirs.get(line)
    if (ours !== undefined && theirs !== undefined) shared.push({ base, ours, theirs })
  }
  const isKept = (side: "ours" | "theirs"): readonly boolean[] => uncrossed(shared.map((one) => one[side]))
  const keptByOurs = isKept("ours")
  const keptByTheirs = isKept("theirs")
  return shared.filter((_, at) => keptByOurs[at] === true && keptByTheirs[at] === true)
}

function positionsOfUnique(list: readonly string[]): ReadonlyMap<string, number> {
  const positions = new Map<string, number>()
  const repeated = new Set<string>()
  for (const [at, line] of list.entries()) {
    if (positions.has(line)) repeated.add(line)
    else positions.set(line, at)
  }
  for (const line of repeated) positions.delete(line)
  return positions
}

/** For each number, whether all before it are smaller and all after it larger. */
function uncrossed(numbers: readonly number[]): readonly boolean[] {
  const isBelowRest: boolean[] = []
  let least = Number.POSITIVE_INFINITY
  for (const number of numbers.toReversed()) {
    isBelowRest.push(number < least)
    least = Math.min(least, number)
  }
  isBelowRest.reverse()
  let most = -1
  return numbers.map((number, at) => {
    const isAboveRest = number > most
    most = Math.max(most, number)
    return isAboveRest && isBelowRest[at] === true
  })
}

interface Parts {
  /** The lines `---` that open and close the front matter, with their endings. */
  readonly open: string
  readonly close: string
  readonly entries: Entries
  readonly body: readonly string[]
}

/** Lines of the front matter by top-level key, in order; comments before the first key stand under "". */
type Entries = ReadonlyMap<string, readonly string[]>

const FENCE = /^---[ \t]*\r?\n?$/
const KEY = /^([^\s#\-?:,[\]{}&*!|>'"%@`][^:#]*?)[ \t]*:(?=\s)/
const BELOW_KEY = /^(?:[ \t]|-[ \t])/
const BLANK_OR_COMMENT = /^[ \t]*(?:#|\r?\n?$)/

/** `undefined` where a text has no front matter, or one whose top level is not understood. */
function splitFrontMatter(text: string): Parts | undefined {
  const lines = splitLines(text)
  const open = lines[0]
  if (open === undefined || !FENCE.test(open)) return undefined
  const end = lines.findIndex((line, at) => at > 0 && FENCE.test(line))
  const close = lines[end]
  const entries = close === undefined ? undefined : parseEntries(lines.slice(1, end))
  if (close === undefined || entries === undefined) return undefined
  return { open, close, entries, body: lines.slice(end + 1) }
}

function parseEntries(lines: readonly string[]): Entries | undefined {
  const entries = new Map<string, string[]>()
  let current = ""
  for (const line of lines) {
    const key = KEY.exec(line)?.[1]
    if (key !== undefined && entries.has(key)) return undefined
    const isBelow = current !== "" && BELOW_KEY.test(line)
    if (key === undefined && !isBelow && !BLANK_OR_COMMENT.test(line)) return undefined
    current = key ?? current
    const below = entries.get(current)
    if (below === undefined) entries.set(current, [line])
    else below.push(line)
  }
  return entries
}

/** A merge by lines can add one key twice, which is no YAML any more. */
function breaksFrontMatter({ base, ours, theirs }: Three<Parts | undefined>, merged: string): boolean {
  const isUnderstood = base !== undefined && ours !== undefined && theirs !== undefined
  return isUnderstood && splitFrontMatter(merged) === undefined
}

function mergeFrontMatter({ base, ours, theirs }: Three<Parts | undefined>): Merge | undefined {
  if (base === undefined || ours === undefined || theirs === undefined) return undefined
  if (base.open !== ours.open || base.open !== theirs.open) return undefined
  if (base.close !== ours.close || base.close !== theirs.close) return undefined
  const body = mergeLines({ base: base.body, ours: ours.body, theirs: theirs.body })
  if (body.kind === "overlap") return undefined
  const front: string[] = []
  const merged: string[] = []
  for (const key of new Set(["", ...ours.entries.keys(), ...theirs.entries.keys()])) {
    const entry = {
      base: base.entries.get(key),
      ours: ours.entries.get(key),
      theirs: theirs.entries.get(key),
    }
    const taken = takeOneSided(entry) ?? mergeLists(key, entry)
    if (taken === undefined) return undefined
    if (taken.isMerged) merged.push(key)
    front.push(...taken.lines)
  }
  return clean(encode([ours.open, ...front, ours.close, body.text].join("")), merged)
}

interface Taken {
  readonly lines: readonly string[]
  readonly isMerged: boolean
}

/** The entry of the side that changed it; no lines where that side removed it. */
function takeOneSided({ base, ours, theirs }: Three<readonly string[] | undefined>): Taken | undefined {
  const raw = mapThree({ base, ours, theirs }, (lines) => lines?.join(""))
  if (raw.ours === raw.theirs || raw.base === raw.theirs) return { lines: ours ?? [], isMerged: false }
  if (raw.base === raw.ours) return { lines: theirs ?? [], isMerged: false }
  return undefined
}

interface SimpleList {
  readonly style: "empty" | "inline" | "block"
  readonly items: readonly string[]
  readonly indent: string
}

const KEY_HEAD = /^[^:]*:/
/** Plain or quoted words that mean the same in `[a, b]` and after `- `. */
const ITEM = /^(?:"[^"\\,]*"|'[^',]*'|[^\s\-?:,[\]{}#&*!|>'"%@`](?:[^,[\]{}#:\r\n]|:(?=\S))*)$/

function mergeLists(
  key: string,
  { base, ours, theirs }: Three<readonly string[] | undefined>,
): Taken | undefined {
  // A key that one side removed while the other changed it is a question, not a set.
  if (key === "" || ours === undefined || theirs === undefined) return undefined
  const before = base === undefined ? [] : parseList(base)?.items
  const mine = parseList(ours)
  const yours = parseList(theirs)
  if (before === undefined || mine === undefined || yours === undefined) return undefined
  const kept = mine.items.filter((item) => !before.includes(item) || yours.items.includes(item))
  const gained = yours.items.filter((item) => !before.includes(item) && !mine.items.includes(item))
  const shape = mine.style === "empty" ? yours : mine
  const ending = /\r?\n$/.exec(ours[0] ?? "")?.[0] ?? "\n"
  return {
    lines: [renderList({ key, ending, list: { ...shape, items: [...kept, ...gained] } })],
    isMerged: true,
  }
}

function parseList(lines: readonly string[]): SimpleList | undefined {
  const [head, ...below] = lines.map((line) => line.trimEnd())
  const value = head?.replace(KEY_HEAD, "").trim()
  if (value === undefined) return undefined
  if (value !== "" && below.length > 0) return undefined
  const inline = /^\[(.*)\]$/.exec(value)?.[1]
  if (inline !== undefined) {
    const items = inline.trim() === "" ? [] : inline.split(",").map((item) => item.trim())
    return simpleList({ style: "inline", items, indent: "" })
  }
  if (value !== "") return undefined
  if (below.length === 0) return { style: "empty", items: [], indent: "" }
  const indent = /^[ \t]*/.exec(below[0] ?? "")?.[0] ?? ""
  const mark = `${indent}- `
  if (!below.every((line) => line.startsWith(mark))) return undefined
  return simpleList({ style: "block", items: below.map((line) => line.slice(mark.length).trim()), indent })
}

function simpleList(list: SimpleList): SimpleList | undefined {
  const isSet = new Set(list.items).size === list.items.length
  return isSet && list.items.every((item) => ITEM.test(item)) ? list : undefined
}

interface ListText {
  readonly key: string
  readonly ending: string
  readonly list: SimpleList
}

function renderList({ key, ending, list: { style, items, indent } }: ListText): string {
  if (style === "block" && items.length > 0) {
    return [`${key}:`, ...items.map((item) => `${indent}- ${item}`), ""].join(ending)
  }
  return `${key}: [${items.join(", ")}]${ending}`
}

function clean(bytes: Uint8Array, frontMatter: readonly string[] = []): Merge {
  return { kind: "clean", bytes, frontMatter }
}

function encode(text: string): Uint8Array {
  return new TextEncoder().encode(text)
}

function isSameLines(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((line, at) => line === b[at])
}

function isEqual(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, at) => byte === b[at])
}

function mapThree<A, B>({ base, ours, theirs }: Three<A>, change: (one: A) => B): Three<B> {
  return { base: change(base), ours: change(ours), theirs: change(theirs) }
}
