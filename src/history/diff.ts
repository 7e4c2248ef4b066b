/**
 * Differences of two versions of a text, for people to read and for patch tools to apply.
 *
 * Owns the unified diff and the count of lines that only one version has; never escapes for a terminal, which is the
 * printer's job, and never spends unbounded time: large files are answered like binary ones, and texts
 * that have nearly nothing in common are shown as one replacement of everything.
 * Source: Myers 1986 (package `diff`).
 */

import { structuredPatch } from "diff"
import { decodeText, splitLines } from "./merge.ts"

/** A larger file is not compared by lines. */
export const DIFF_BYTES_MAX = 1024 * 1024
/** The work grows with the square of the lines that differ. */
const EDIT_LINES_MAX = 3_000
const CONTEXT_LINES = 3
const HEADING_CHARS_MAX = 80
const NO_NEWLINE = "\\ No newline at end of file"

export interface DiffInput {
  /** Stands in both headers as it is given: escape it first where it may hold a line break. */
  readonly path: string
  readonly fromLabel: string
  readonly toLabel: string
  readonly from: Uint8Array
  readonly to: Uint8Array
}

export interface Diff {
  /** Not compared by lines, because a version is not text or is larger than `DIFF_BYTES_MAX`. */
  readonly binary: boolean
  readonly added: number
  readonly removed: number
  /** Ends with a line break; empty where the versions are equal. */
  readonly unified: string
}

interface Hunk {
  readonly oldStart: number
  readonly oldLines: number
  readonly newStart: number
  readonly newLines: number
  readonly lines: readonly string[]
}

/** Compares two versions line by line, with three lines of context. */
export function unifiedDiff({ path, fromLabel, toLabel, from, to }: DiffInput): Diff {
  const header = [`--- ${named(path, fromLabel)}`, `+++ ${named(path, toLabel)}`]
  const texts = decodeBoth(from, to)
  if (texts === undefined) {
    const isEqual = Buffer.compare(from, to) === 0
    const unified = isEqual ? "" : `${[...header, "Binary files differ"].join("\n")}\n`
    return { binary: true, added: 0, removed: 0, unified }
  }
  const hunks = compare(texts.a, texts.b)
  if (hunks.length === 0) return { binary: false, added: 0, removed: 0, unified: "" }
  const headingBefore = headingFinder(texts.a)
  const body = hunks.flatMap((hunk) => [hunkHeader(hunk, headingBefore(hunk.oldStart)), ...hunk.lines])
  const count = (sign: string): number =>
    hunks.reduce((sum, { lines }) => sum + lines.filter((line) => line.startsWith(sign)).length, 0)
  return {
    binary: false,
    added: count("+"),
    removed: count("-"),
    unified: `${[...header, ...body].join("\n")}\n`,
  }
}

/**
 * Lists the lines that `a` has more often than `b`, in the order of `a`.
 *
 * Shape: without line endings, so that a change of endings is no difference; blank lines are not content and not listed.
 * Absent where either is not text or is larger than `DIFF_BYTES_MAX`.
 */
export function linesOnlyIn(a: Uint8Array, b: Uint8Array): readonly string[] | undefined {
  const texts = decodeBoth(a, b)
  if (texts === undefined) return undefined
  const left = new Map<string, number>()
  for (const line of bareLines(texts.b)) left.set(line, (left.get(line) ?? 0) + 1)
  return bareLines(texts.a).filter((line) => {
    const count = left.get(line) ?? 0
    if (count > 0) left.set(line, count - 1)
    return count === 0 && line.trim() !== ""
  })
}

function decodeBoth(a: Uint8Array, b: Uint8Array): { readonly a: string; readonly b: string } | undefined {
  if (a.length > DIFF_BYTES_MAX || b.length > DIFF_BYTES_MAX) return undefined
  const textA = decodeText(a)
  const textB = decodeText(b)
  return textA === undefined || textB === undefined ? undefined : { a: textA, b: textB }
}

function bareLines(text: string): readonly string[] {
  return splitLines(text).map((line) => line.replace(/\r?\n$/, ""))
}

function compare(a: string, b: string): readonly Hunk[] {
  const options = { context: CONTEXT_LINES, maxEditLength: EDIT_LINES_MAX }
  const patch = structuredPatch("", "", a, b, undefined, undefined, options)
  return patch === undefined ? [replaceAll(splitLines(a), splitLines(b))] : patch.hunks
}

function replaceAll(a: readonly string[], b: readonly string[]): Hunk {
  const lines = [...a.flatMap((line) => signed("-", line)), ...b.flatMap((line) => signed("+", line))]
  return { oldStart: 1, oldLines: a.length, newStart: 1, newLines: b.length, lines }
}

function signed(sign: string, line: string): readonly string[] {
  return line.endsWith("\n") ? [sign + line.slice(0, -1)] : [sign + line, NO_NEWLINE]
}

function named(path: string, label: string): string {
  return label === "" ? path : `${path}  ${label}`
}

/** An empty range begins one line earlier, by the rules of the format. */
function hunkHeader({ oldStart, oldLines, newStart, newLines }: Hunk, heading: string): string {
  const from = `${oldLines === 0 ? oldStart - 1 : oldStart},${oldLines}`
  const to = `${newLines === 0 ? newStart - 1 : newStart},${newLines}`
  return `@@ -${from} +${to} @@${heading === "" ? "" : ` ${heading}`}`
}

/** The Markdown heading above a line, as git names the function above a hunk. Lines must be asked in order. */
function headingFinder(text: string): (line: number) => string {
  const lines = bareLines(text)
  let next = 0
  let heading = ""
  return (line) => {
    for (; next < line - 1; next++) {
      const candidate = lines[next] ?? ""
      if (/^#{1,6} /.test(candidate)) heading = candidate.slice(0, HEADING_CHARS_MAX).trimEnd()
    }
    return heading
  }
}
