/**
 * rclone.conf as bytes in which sections are found, put and removed; every other byte stays as it is.
 *
 * It is never written out from what was understood: the user's comments, order, line ends and whatever another version
 * of rclone means by them are not ours. A file that rclone itself would refuse is refused, and so is an encrypted one.
 */

import { assert, err, ok, type Result } from "../model/result.ts"
import { isPlainValue, readConfLine, trimBlanks } from "./conf-line.ts"

export interface ConfEntry {
  readonly key: string
  readonly value: string
}

export interface ConfSection {
  readonly name: string
  readonly entries: readonly ConfEntry[]
}

export interface Conf {
  readonly bytes: Uint8Array
  /** One for each `[name]`, in their order. A name that stands twice is one section of rclone's. */
  readonly blocks: readonly ConfBlock[]
  readonly newline: "\n" | "\r\n"
}

/** From its `[name]` to the end of its last entry. What comes before the next `[name]` belongs to the next. */
export interface ConfBlock extends ConfSection {
  readonly from: number
  readonly to: number
}

export type ConfTrouble =
  | { readonly kind: "encrypted" }
  /** rclone cannot read it either. */
  | { readonly kind: "malformed"; readonly line: number }

/** What cannot be said in one line; the value is not repeated. */
export interface UnsayableValue {
  readonly kind: "unsayable"
  readonly key: string
}

const NEWLINE = 0x0a
const ENCRYPTED = "RCLONE_ENCRYPT_V"
const BYTE_ORDER_MARK = [0xef, 0xbb, 0xbf]

export function parseConf(bytes: Uint8Array): Result<Conf, ConfTrouble> {
  const blocks: { name: string; entries: ConfEntry[]; from: number; to: number }[] = []
  let isFirst = true
  for (const { number, from, to, text } of linesOf(bytes)) {
    const line = readConfLine(text)
    if (line.kind === "silent") continue
    if (isFirst && trimBlanks(text).startsWith(ENCRYPTED)) return err({ kind: "encrypted" })
    isFirst = false
    const block = blocks.at(-1)
    // What comes before any name is a section of its own, which is not ours to change. After `[]` nothing may come.
    if (line.kind === "malformed" || (line.kind === "entry" && block?.name === ""))
      return err({ kind: "malformed", line: number })
    if (line.kind === "header") blocks.push({ name: line.name, entries: [], from, to })
    else if (block !== undefined) {
      block.entries.push({ key: line.key, value: line.value })
      block.to = to
    }
  }
  return ok({ bytes, blocks, newline: newlineOf(bytes) })
}

function* linesOf(bytes: Uint8Array): Generator<{
  readonly number: number
  readonly from: number
  readonly to: number
  readonly text: string
}> {
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true })
  let from = BYTE_ORDER_MARK.every((byte, index) => bytes[index] === byte) ? BYTE_ORDER_MARK.length : 0
  for (let number = 1; from < bytes.length; number++) {
    const at = bytes.indexOf(NEWLINE, from)
    const to = at === -1 ? bytes.length : at + 1
    yield { number, from, to, text: decoder.decode(bytes.subarray(from, to)) }
    from = to
  }
}

function newlineOf(bytes: Uint8Array): Conf["newline"] {
  return bytes[bytes.indexOf(NEWLINE) - 1] === 0x0d ? "\r\n" : "\n"
}

/** Each once, as rclone lists them. */
export function sectionNames({ blocks }: Conf): readonly string[] {
  return [...new Set(blocks.map(({ name }) => name).filter((name) => name !== ""))]
}

/** As rclone sees it: of a key that stands twice the last value holds. */
export function findSection({ blocks }: Conf, name: string): ReadonlyMap<string, string> | undefined {
  const own = blocks.filter((block) => block.name === name)
  if (own.length === 0) return undefined
  return new Map(own.flatMap(({ entries }) => entries.map(({ key, value }) => [key, value] as const)))
}

/** Puts the section where it stands, or at the end. One that already says exactly this is left as it is. */
export function putSection(conf: Conf, section: ConfSection): Result<Uint8Array, UnsayableValue> {
  assert(/^\w[\w-]*$/.test(section.name), "the name of a section is plain")
  assert(
    section.entries.every(({ key }) => /^\w+$/.test(key)),
    "the keys of a section are plain",
  )
  const unsayable = section.entries.find(({ value }) => !isPlainValue(value))
  if (unsayable !== undefined) return err({ kind: "unsayable", key: unsayable.key })
  const [first, ...others] = conf.blocks.filter(({ name }) => name === section.name)
  const text = sectionText(section, conf.newline)
  if (first === undefined) return ok(append(conf, text))
  if (others.length === 0 && hasEntries(first, section.entries)) return ok(conf.bytes)
  const bytes = new TextEncoder().encode(text)
  return ok(splice(conf.bytes, [{ ...first, bytes }, ...others]))
}

/** Removes the lines of the section and no other; comments above its name stay. */
export function removeSection(conf: Conf, name: string): Uint8Array {
  return splice(
    conf.bytes,
    conf.blocks.filter((block) => block.name === name),
  )
}

function sectionText({ name, entries }: ConfSection, newline: string): string {
  return [`[${name}]`, ...entries.map(({ key, value }) => `${key} = ${value}`), ""].join(newline)
}

function hasEntries(block: ConfBlock, entries: readonly ConfEntry[]): boolean {
  return (
    block.entries.length === entries.length &&
    block.entries.every(
      ({ key, value }, index) => key === entries[index]?.key && value === entries[index].value,
    )
  )
}

/** A last line without an end gets one, and a blank line stands between sections. */
function append({ bytes, newline }: Conf, text: string): Uint8Array {
  const last = new TextDecoder().decode(bytes).split("\n").slice(-2)
  const isEnded = last.at(-1) === ""
  const isBlank = isEnded && trimBlanks(last[0] ?? "") === ""
  const gap = bytes.length === 0 || isBlank ? "" : isEnded ? newline : newline + newline
  return Buffer.concat([bytes, Buffer.from(gap + text)])
}

function splice(
  bytes: Uint8Array,
  cuts: readonly { readonly from: number; readonly to: number; readonly bytes?: Uint8Array }[],
): Uint8Array {
  const pieces = cuts.flatMap((cut, index) => [
    bytes.subarray(cuts[index - 1]?.to ?? 0, cut.from),
    cut.bytes ?? new Uint8Array(),
  ])
  return Buffer.concat([...pieces, bytes.subarray(cuts.at(-1)?.to ?? 0)])
}
