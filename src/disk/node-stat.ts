/**
 * What Node says about files, in this program's terms: one stat, and a directory's entries with their stats.
 *
 * Takes system paths that were already reached safely. Never decodes a name that is not UTF-8 into one that
 * looks like another: two such names stay two, told apart by their bytes.
 */

import { isUtf8 } from "node:buffer"
import { type BigIntStats, constants, fstatSync, lstatSync, readdirSync } from "node:fs"
import { comparePaths } from "../model/path.ts"
import { errnoOf } from "./attempt.ts"
import type { DirectoryEntry, DiskKind, DiskStat } from "./disk.ts"

const NEVER_THROWING = { bigint: true, throwIfNoEntry: false } as const
const SURROGATE = /[\ud800-\udfff\ue000-\uffff]/

/** Never the bits that lend rights to whoever runs a file. */
const PERMISSION_BITS = 0o777

export function statOfHandle(handle: number): DiskStat {
  return statToDiskStat(fstatSync(handle, { bigint: true }))
}

/** Never follows a link; `undefined` where nothing is. */
export function statOfName(systemPath: string | Buffer): DiskStat | undefined {
  const stat = lstatSync(systemPath, NEVER_THROWING)
  return stat && statToDiskStat(stat)
}

function statToDiskStat(stat: BigIntStats): DiskStat {
  const { kind, inode, deviceNumber, sizeBytes, mtimeNs, ctimeNs, links, permissions } = new EntryStat(stat)
  return { kind, inode, deviceNumber, sizeBytes, mtimeNs, ctimeNs, links, permissions }
}

/** Makes the decimal texts only when they are asked for: a scan looks at every file and asks for few of them. */
class EntryStat implements DiskStat {
  readonly kind: DiskKind
  readonly sizeBytes: number
  readonly #stat: BigIntStats

  constructor(stat: BigIntStats) {
    this.kind = kindOf(Number(stat.mode))
    this.sizeBytes = Number(stat.size)
    this.#stat = stat
  }

  get inode(): string {
    return this.#stat.ino.toString()
  }

  get deviceNumber(): string {
    return this.#stat.dev.toString()
  }

  get mtimeNs(): string {
    return this.#stat.mtimeNs.toString()
  }

  get ctimeNs(): string {
    return this.#stat.ctimeNs.toString()
  }

  get permissions(): number {
    return Number(this.#stat.mode) & PERMISSION_BITS
  }

  get links(): number {
    return Number(this.#stat.nlink)
  }
}

function kindOf(mode: number): DiskKind {
  switch (mode & constants.S_IFMT) {
    case constants.S_IFREG:
      return "file"
    case constants.S_IFDIR:
      return "directory"
    case constants.S_IFLNK:
      return "symlink"
    default:
      return "special"
  }
}

/** Everything in the directory, in byte order of names: listed through `at`, looked at by its usual path. */
export function entriesOf({
  at,
  usual,
}: {
  readonly at: string
  readonly usual: string
}): readonly DirectoryEntry[] {
  const names = readdirSync(at)
  // U+FFFD is what Node puts for bytes that are not UTF-8; it may also be the name's own.
  if (names.some((name) => name.includes("\ufffd"))) return entriesByBytes(at)
  // The engine's own order of strings is that of bytes, but for what is encoded with surrogates.
  const sorted = names.some((name) => SURROGATE.test(name)) ? names.sort(comparePaths) : names.sort()
  return sorted.map((name) => withStat(name, undefined, `${usual}/${name}`))
}

function entriesByBytes(directory: string): readonly DirectoryEntry[] {
  const names = readdirSync(directory, { encoding: "buffer" }).sort((a, b) => Buffer.compare(a, b))
  const prefix = Buffer.from(`${directory}/`)
  return names.map((bytes) => {
    const name = bytes.toString("utf8")
    return withStat(
      name,
      isUtf8(bytes) ? undefined : bytes.toString("base64"),
      Buffer.concat([prefix, bytes]),
    )
  })
}

/** One name that cannot be looked at must not hide the others. */
function withStat(name: string, nameBase64: string | undefined, systemPath: string | Buffer): DirectoryEntry {
  const stat = statOrNothing(systemPath)
  if (nameBase64 !== undefined) return stat === undefined ? { name, nameBase64 } : { name, nameBase64, stat }
  return stat === undefined ? { name } : { name, stat }
}

function statOrNothing(systemPath: string | Buffer): DiskStat | undefined {
  try {
    const stat = lstatSync(systemPath, NEVER_THROWING)
    return stat && new EntryStat(stat)
  } catch (error) {
    if (errnoOf(error) === undefined) throw error
    return undefined
  }
}
