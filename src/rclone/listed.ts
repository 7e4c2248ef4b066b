/**
 * Files as rclone lists them, as objects of a store. PURE.
 *
 * A version is told by the checksum that its storage computed; without one by its size and time. A file of which a
 * listing shows neither, or two of one name, are no versions of anything.
 */

import type { Unknown } from "../model/entry.ts"
import { timeToken } from "../model/time-token.ts"
import { checksumToken } from "../store/checksum.ts"
import type { Etag, ListedObject, Metadata, ObjectHead, Page } from "../store/store.ts"
import { list, member, record, text } from "./answers.ts"
import { fromRcloneName } from "./name.ts"
import type { RcloneRemote } from "./remote.ts"

interface ListedFile {
  readonly key: string
  readonly sizeBytes: number
  /** Unix milliseconds; a fraction is kept. Absent where it is not shown. */
  readonly timeMs?: number
  readonly etag?: Etag
}

/** Stands for bytes of a name that are no characters: nobody can ask for it. */
const LOST = "\uFFFD"

export function pageOf(remote: RcloneRemote, answer: unknown): Page {
  const objects: ListedObject[] = []
  const broken: string[] = []
  const unknowns: Unknown[] = []
  const seen = new Set<string>()
  const twice = new Set<string>()
  for (const item of list(member(answer, "list"))) {
    const file = fileOf(remote, item)
    const { key } = file
    if (key.includes(LOST)) {
      broken.push(key)
      continue
    }
    if (seen.has(key)) twice.add(key)
    seen.add(key)
    const object = objectOf(remote, file)
    if (object === undefined) unknowns.push({ path: key, reason: "special", scope: "path" })
    else objects.push(object)
  }
  for (const path of twice) unknowns.push({ path, reason: "collision", scope: "path" })
  return {
    objects: twice.size === 0 ? objects : objects.filter(({ key }) => !twice.has(key)),
    broken,
    unknowns,
  }
}

/** Nothing where the answer shows no file. */
export function headOf(remote: RcloneRemote, answer: unknown): ObjectHead | undefined {
  const item = member(answer, "item")
  if (typeof item !== "object" || item === null) return undefined
  const { etag, sizeBytes, timeMs = 0 } = fileOf(remote, item)
  if (etag === undefined) return undefined
  const metadata = remote.isTimeSlow ? keptMetadata(item) : shownTime(remote, timeMs)
  return { etag, sizeBytes, lastModifiedMs: Math.round(timeMs), metadata }
}

function objectOf(
  remote: RcloneRemote,
  { key, etag, sizeBytes, timeMs = 0 }: ListedFile,
): ListedObject | undefined {
  if (etag === undefined) return undefined
  const about = { key, etag, sizeBytes, lastModifiedMs: Math.round(timeMs) }
  return remote.isTimeSlow || !remote.keepsTimes ? about : { ...about, mtimeMs: Math.round(timeMs) }
}

function fileOf({ checksum, isTimeSlow, isLocal }: RcloneRemote, item: unknown): ListedFile {
  const key = fromRcloneName(text(member(item, "Path")))
  const size = member(item, "Size")
  const sizeBytes = typeof size === "number" ? size : -1
  const born = isLocal ? bornAt(item) : undefined
  const shownMs = shownTimeOf(text(member(item, "ModTime")), born)
  // Of when an object was stored a listing tells milliseconds, and a look only seconds.
  const timeMs = shownMs !== undefined && isTimeSlow ? Math.floor(shownMs / 1000) * 1000 : shownMs
  const sum = checksum === undefined ? "" : text(member(member(item, "Hashes"), checksum))
  const time = timeMs === undefined ? {} : { timeMs }
  if (sizeBytes < 0) return { key, sizeBytes, ...time }
  if (checksum !== undefined && sum !== "")
    return { key, sizeBytes, ...time, etag: checksumToken(sizeBytes, checksum, sum) }
  return timeMs === undefined
    ? { key, sizeBytes }
    : { key, sizeBytes, timeMs, etag: timeToken(sizeBytes, timeMs, born) }
}

function bornAt(item: unknown): string | undefined {
  const born = text(member(member(item, "Metadata"), "btime"))
  return born === "" ? undefined : born
}

/** By the first moment of a calendar rclone says that it knows no time; a file of this machine may be that old. */
function shownTimeOf(shown: string, born: string | undefined): number | undefined {
  const timeMs = shown.startsWith("0001-01-01T00:00:00") ? undefined : timeOf(shown)
  return timeMs === 0 && born === undefined ? undefined : timeMs
}

/** `2026-11-25T15:09:49.289924609Z`: more digits than a date of this language holds. */
function timeOf(shown: string): number | undefined {
  const wholeMs = Date.parse(shown)
  if (Number.isNaN(wholeMs)) return undefined
  const digits = /\.\d{3}(\d+)/.exec(shown)?.[1]
  return digits === undefined ? wholeMs : wholeMs + Number(`0.${digits}`)
}

function shownTime({ keepsTimes }: RcloneRemote, timeMs: number): Metadata {
  return keepsTimes ? { mtime: (Math.round(timeMs) / 1000).toFixed(3) } : {}
}

/** What stands beside the bytes: the user's time in rclone's form, and what our other devices wrote without rclone. */
function keptMetadata(item: object): Metadata {
  const kept = record(member(item, "Metadata"))
  const ours = Object.entries(kept).filter(([name]) => name.startsWith("bm-"))
  const mtimeMs = timeOf(text(kept["mtime"]))
  return {
    ...Object.fromEntries(ours.map(([name, value]) => [name, text(value)])),
    ...(mtimeMs !== undefined && { mtime: (mtimeMs / 1000).toFixed(6) }),
  }
}
