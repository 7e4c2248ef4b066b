/**
 * Reads objects: loose files, our packs, and packs that a user's `git gc` made. Never writes.
 *
 * Every object that is handed out has been hashed again, so a flipped bit is an error and never a note. One that
 * is damaged in one place is looked for in the others, as git does. Our packs are read entry by entry, because
 * isomorphic-git takes a whole pack into memory for the first object of it; deltas, which we never write, are its part.
 */

import fs, { existsSync, readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import type { GitOid } from "../model/ids.ts"
import { ContentLost } from "../model/ports.ts"
import { objectHeader, oidOf, type GitObject } from "./git-object.ts"
import { damaged, isAbsent, isDamage } from "./git-trouble.ts"
import { inflateFile, verified } from "./inflate-file.ts"
import { loosePath, readLoose, streamLoose } from "./loose-object.ts"
import { readEntryAt, readHeaderAt } from "./pack-entry.ts"
import { parseIndex, type PackIndex } from "./pack-index.ts"

interface Pack {
  readonly path: string
  readonly index: PackIndex
}

interface Place {
  readonly path: string
  readonly offset: number
}

export class ObjectStore {
  readonly #gitDirectory: string
  #packsByName: ReadonlyMap<string, Pack> | undefined
  /** Whole packs that isomorphic-git took into memory; dropped when the packs change. */
  #deltaCache: object = {}

  constructor(gitDirectory: string) {
    this.#gitDirectory = gitDirectory
  }

  /** Forgets what packs there are; what has not changed is not read again. */
  refresh(): void {
    const known = this.#packsByName ?? new Map<string, Pack>()
    const names = packNames(this.#packDirectory)
    const isSame = names.length === known.size && names.every((name) => known.has(name))
    if (isSame && this.#packsByName !== undefined) return
    const packs = new Map<string, Pack>()
    for (const name of names) {
      const pack = known.get(name) ?? loadPack(join(this.#packDirectory, name))
      if (pack !== undefined) packs.set(name, pack)
    }
    this.#packsByName = packs
    this.#deltaCache = {}
  }

  /** Whether a pack that we know of lists it; does not look at the disk again. */
  isPacked(oid: GitOid): boolean {
    return this.#places(oid).length > 0
  }

  has(oid: GitOid): boolean {
    if (existsSync(loosePath(this.#gitDirectory, oid))) return true
    if (!this.isPacked(oid)) this.refresh()
    return this.#places(oid).some((place) => existsSync(place.path))
  }

  /** Throws `ContentLost`: `not_found`, or `hash_mismatch` where all that is there is damaged. */
  async read(oid: GitOid): Promise<GitObject> {
    const found = await this.#readSomewhere(oid)
    if (found.object !== undefined) return found.object
    this.refresh()
    const again = await this.#readSomewhere(oid)
    if (again.object !== undefined) return again.object
    if (found.isDamaged || again.isDamaged) throw damaged(oid, "damaged")
    throw new ContentLost({ code: "not_found", path: oid })
  }

  /** Pieces of an object's body, whatever its size. A mismatch is known only at the end, and thrown there. */
  async *stream(oid: GitOid): AsyncGenerator<Uint8Array> {
    const loose = loosePath(this.#gitDirectory, oid)
    if (existsSync(loose)) return yield* streamLoose(loose, oid)
    if (!this.isPacked(oid)) this.refresh()
    for (const place of this.#places(oid)) {
      const header = readHeaderAt(place.path, place.offset)
      if (header?.type === undefined) continue
      const pieces = inflateFile(place.path, place.offset + header.headerBytes)
      return yield* verified(oid, objectHeader(header.type, header.sizeBytes), pieces)
    }
    yield (await this.read(oid)).body
  }

  get #packDirectory(): string {
    return join(this.#gitDirectory, "objects", "pack")
  }

  #places(oid: GitOid): Place[] {
    if (this.#packsByName === undefined) this.refresh()
    const name = Buffer.from(oid, "hex")
    const places: Place[] = []
    for (const pack of this.#packsByName?.values() ?? []) {
      const offset = pack.index.offsetOf(name)
      if (offset !== undefined) places.push({ path: pack.path, offset })
    }
    return places
  }

  async #readSomewhere(oid: GitOid): Promise<{ readonly object?: GitObject; readonly isDamaged: boolean }> {
    let isDamaged = false
    const ways = this.#places(oid).map((place) => () => this.#readPacked(oid, place))
    for (const way of [() => readLoose(loosePath(this.#gitDirectory, oid)), ...ways]) {
      try {
        const object = await way()
        if (object !== undefined && oidOf(object.type, object.body) === oid) return { object, isDamaged }
        isDamaged = true
      } catch (error) {
        if (isAbsent(error)) continue
        if (!isDamage(error)) throw error
        isDamaged = true
      }
    }
    return { isDamaged }
  }

  async #readPacked(oid: GitOid, place: Place): Promise<GitObject | undefined> {
    const object = await readEntryAt(place.path, place.offset)
    return object === "delta" ? readDelta(this.#gitDirectory, this.#deltaCache, oid) : object
  }
}

function packNames(packDirectory: string): string[] {
  try {
    return readdirSync(packDirectory)
      .filter((name) => /^pack-[0-9a-f]{40}\.idx$/.test(name))
      .sort()
  } catch (error) {
    if (isAbsent(error)) return []
    throw error
  }
}

/** Absent: the index is damaged or was removed meanwhile. What it listed then counts as not kept. */
function loadPack(indexPath: string): Pack | undefined {
  try {
    const index = parseIndex(readFileSync(indexPath))
    return index && { path: indexPath.replace(/idx$/, "pack"), index }
  } catch (error) {
    if (isAbsent(error)) return undefined
    throw error
  }
}

async function readDelta(gitDirectory: string, cache: object, oid: GitOid): Promise<GitObject | undefined> {
  const git = await import("isomorphic-git")
  try {
    const read = await git.readObject({ fs, gitdir: gitDirectory, oid, format: "content", cache })
    if (read.format !== "content") return undefined
    return { type: read.type, body: Buffer.from(read.object) }
  } catch (error) {
    // Its own errors (names in `code`) all say that the pack does not hold what its index promises.
    if (error instanceof Error && "code" in error && /^[A-Z][a-z]/.test(String(error.code))) return undefined
    throw error
  }
}
