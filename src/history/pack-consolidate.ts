/**
 * Makes one pack of many small ones, because every look-up asks each pack in turn.
 *
 * Compressed entries are copied as they are. Only packs like our own are touched: nothing beside them but their
 * index, no deltas, every checksum right; what a user's `git gc` made is left alone. The new pack is durable and
 * read back before the first old one is removed, so a crash leaves objects twice, never not at all.
 */

import { open, readdir, readFile, rm, stat } from "node:fs/promises"
import { join } from "node:path"
import { crc32 } from "node:zlib"
import { assert } from "../model/result.ts"
import { syncDirectory } from "./durable-file.ts"
import { OID_BYTES } from "./git-object.ts"
import { PackWriter } from "./git-pack.ts"
import { parseHeader, readEntries } from "./pack-entry.ts"
import { parseIndex, type PackEntry } from "./pack-index.ts"

/** More packs than this are made one. */
const PACKS_MAX = 50
/** A pack of this size is no longer copied, so that a long history is not copied again and again. */
const SOURCE_BYTES_MAX = 64 * 1024 * 1024

interface SourcePack {
  /** Its path without the ending. */
  readonly stem: string
  readonly entries: readonly PackEntry[]
  readonly end: number
}

/** Returns how many packs were replaced. */
export async function consolidatePacks(packDirectory: string): Promise<number> {
  const names = await plainPacks(packDirectory)
  if (names.length <= PACKS_MAX) return 0
  const sources: SourcePack[] = []
  for (const name of names) {
    const source = await inspect(join(packDirectory, name))
    if (source !== undefined) sources.push(source)
  }
  if (sources.length < 2) return 0
  const written = await copyAll(packDirectory, sources)
  const replaced = sources.filter((source) => source.stem !== join(packDirectory, written))
  for (const { stem } of replaced) {
    await rm(`${stem}.idx`, { force: true })
    await rm(`${stem}.pack`, { force: true })
  }
  await syncDirectory(packDirectory)
  return replaced.length
}

/** Packs with an index and nothing else beside them (a `.keep`, `.bitmap` or `.rev` is somebody else's). */
async function plainPacks(packDirectory: string): Promise<string[]> {
  const extensionsByStem = new Map<string, string[]>()
  for (const name of await readdir(packDirectory)) {
    // Git's index over several packs names each of them: removing one would break it.
    if (name.startsWith("multi-pack-index")) return []
    const [, stem, extension] = /^(pack-[0-9a-f]{40})\.(.+)$/.exec(name) ?? []
    if (stem === undefined || extension === undefined) continue
    extensionsByStem.set(stem, [...(extensionsByStem.get(stem) ?? []), extension])
  }
  const plain: string[] = []
  for (const [stem, extensions] of extensionsByStem) {
    if (extensions.toSorted().join() !== "idx,pack") continue
    const { size } = await stat(join(packDirectory, `${stem}.pack`))
    if (size < SOURCE_BYTES_MAX) plain.push(stem)
  }
  return plain.sort()
}

/** Absent: it holds a delta, or is damaged, and stays as it is. */
async function inspect(stem: string): Promise<SourcePack | undefined> {
  const entries = parseIndex(await readFile(`${stem}.idx`))?.entries()
  if (entries === undefined) return undefined
  const file = await open(`${stem}.pack`, "r")
  try {
    const end = (await file.stat()).size - OID_BYTES
    for await (const { entry, bytes } of readEntries(file, entries, end)) {
      if (parseHeader(bytes)?.type === undefined || crc32(bytes) !== entry.crc) return undefined
    }
    return { stem, entries, end }
  } finally {
    await file.close()
  }
}

async function copyAll(packDirectory: string, sources: readonly SourcePack[]): Promise<string> {
  const writer = new PackWriter(packDirectory)
  try {
    for (const source of sources) await copyPack(writer, source)
    const name = await writer.finish()
    assert(name !== undefined, "packs that were written hold objects")
    return name
  } catch (error) {
    await writer.abandon()
    throw error
  }
}

async function copyPack(writer: PackWriter, source: SourcePack): Promise<void> {
  const file = await open(`${source.stem}.pack`, "r")
  try {
    for await (const { entry, bytes } of readEntries(file, source.entries, source.end)) {
      await writer.copy({ oid: entry.oid, bytes, crc: entry.crc })
    }
  } finally {
    await file.close()
  }
}
