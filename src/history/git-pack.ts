/**
 * Writes one pack: undeltified objects, each at most once, under a temporary name until `finish`.
 *
 * ```
 * put… ─▶ tmp_pack_bm_x ─▶ fsync ─▶ read back, SHA-1 ─▶ pack-<sha>.pack ─▶ pack-<sha>.idx ─▶ fsync directory
 * ```
 *
 * The index comes last, because git sees a pack only through it. Memory holds the index and one piece of output.
 * Nothing is taken on trust: before it is named, each object is inflated from the file and its name computed again.
 */

import { createHash } from "node:crypto"
import { open, readFile, rename } from "node:fs/promises"
import { join } from "node:path"
import { crc32 } from "node:zlib"
import type { GitOid } from "../model/ids.ts"
import {
  createTemporary,
  discard,
  moveIntoPlace,
  syncDirectory,
  writeAll,
  type TemporaryFile,
} from "./durable-file.ts"
import { oidOf, type ObjectType } from "./git-object.ts"
import { damaged, STORE_NAME } from "./git-trouble.ts"
import { decodeEntry, encodeEntry, parseHeader, readEntries } from "./pack-entry.ts"
import { encodeIndex, parseIndex, type PackEntry } from "./pack-index.ts"

const PACK_HEADER_BYTES = 12
const PENDING_BYTES_MAX = 1024 * 1024

export class PackWriter {
  readonly #directory: string
  readonly #entries = new Map<GitOid, PackEntry>()
  #temporary: TemporaryFile | undefined
  #pending: Uint8Array[] = []
  #pendingBytes = 0
  /** Where the next entry will begin. */
  #end = PACK_HEADER_BYTES
  #written: Promise<void> = Promise.resolve()

  constructor(packDirectory: string) {
    this.#directory = packDirectory
  }

  has(oid: GitOid): boolean {
    return this.#entries.has(oid)
  }

  async put(oid: GitOid, type: ObjectType, body: Uint8Array): Promise<void> {
    if (this.has(oid)) return
    const bytes = await encodeEntry(type, body)
    await this.copy({ oid, bytes, crc: crc32(bytes) })
  }

  /** Takes an entry that is compressed already. */
  async copy(entry: {
    readonly oid: GitOid
    readonly bytes: Uint8Array
    readonly crc: number
  }): Promise<void> {
    if (this.has(entry.oid)) return
    this.#entries.set(entry.oid, { oid: entry.oid, offset: this.#end, crc: entry.crc })
    this.#end += entry.bytes.length
    this.#pending.push(entry.bytes)
    this.#pendingBytes += entry.bytes.length
    if (this.#pendingBytes >= PENDING_BYTES_MAX) await this.#flush()
  }

  /** Returns the name of the pack, or nothing if there was nothing to write. The file is gone if this fails. */
  async finish(): Promise<string | undefined> {
    if (this.#entries.size === 0) return undefined
    try {
      await this.#flush()
      return await this.#seal()
    } catch (error) {
      await this.abandon()
      throw error
    }
  }

  async abandon(): Promise<void> {
    await this.#written.catch(() => undefined)
    if (this.#temporary !== undefined) await discard(this.#temporary)
    this.#entries.clear()
  }

  /** Pieces are written in turn, each at its place, however many callers wait. */
  #flush(): Promise<void> {
    const piece = Buffer.concat(this.#pending)
    const at = this.#end - piece.length
    this.#pending = []
    this.#pendingBytes = 0
    this.#written = this.#written.then(async () => {
      const { file } = await this.#open()
      await writeAll(file, piece, at)
    })
    return this.#written
  }

  async #open(): Promise<TemporaryFile> {
    this.#temporary ??= await createTemporary(this.#directory)
    return this.#temporary
  }

  async #seal(): Promise<string> {
    const { file, path } = await this.#open()
    const entries = [...this.#entries.values()]
    const header = encodePackHeader(entries.length)
    await writeAll(file, header, 0)
    await file.sync()
    const sha = await readBack({ path, header, entries, end: this.#end })
    await writeAll(file, sha, this.#end)
    await file.sync()
    await file.close()
    const name = `pack-${sha.toString("hex")}`
    const index = await prepareIndex(this.#directory, entries, sha)
    await rename(path, join(this.#directory, `${name}.pack`))
    // The pack's name must be durable before the index that leads to it.
    await syncDirectory(this.#directory)
    await moveIntoPlace({ from: index, to: join(this.#directory, `${name}.idx`) })
    return name
  }
}

/** Compares what the disk gives back with what was meant, and returns the SHA-1 that ends the pack. */
async function readBack(pack: {
  readonly path: string
  readonly header: Buffer
  readonly entries: readonly PackEntry[]
  readonly end: number
}): Promise<Buffer> {
  const sha = createHash("sha1").update(pack.header)
  const file = await open(pack.path, "r")
  try {
    for await (const { entry, bytes } of readEntries(file, pack.entries, pack.end)) {
      await mustBe(entry, bytes)
      sha.update(bytes)
    }
  } finally {
    await file.close()
  }
  return sha.digest()
}

async function mustBe(entry: PackEntry, bytes: Buffer): Promise<void> {
  const header = parseHeader(bytes)
  if (header?.type === undefined || crc32(bytes) !== entry.crc) throw damaged(entry.oid, "read back")
  const body = await decodeEntry(header, bytes)
  if (oidOf(header.type, body) !== entry.oid) throw damaged(entry.oid, "read back")
}

/** Returns the path of a temporary file that holds the index, durable and read back. */
async function prepareIndex(directory: string, entries: readonly PackEntry[], sha: Buffer): Promise<string> {
  const temporary = await createTemporary(directory)
  try {
    await writeAll(temporary.file, encodeIndex(entries, sha), 0)
    await temporary.file.sync()
    const index = parseIndex(await readFile(temporary.path))
    if (index?.count !== entries.length) throw damaged(STORE_NAME, "read back")
    await temporary.file.close()
    return temporary.path
  } catch (error) {
    await discard(temporary)
    throw error
  }
}

function encodePackHeader(count: number): Buffer {
  const header = Buffer.alloc(PACK_HEADER_BYTES)
  header.write("PACK", "latin1")
  header.writeUInt32BE(2, 4)
  header.writeUInt32BE(count, 8)
  return header
}
