/**
 * The history store: git objects in `history.git`, written by us alone and readable by any git.
 *
 * Writing collects one pack per writer; nothing points to it before `finish` has made it durable and read it back,
 * then the branch moves. The repository is created by the first writing, so that looking changes nothing.
 * It relies on the caller's lock for there being one writer at a time.
 */

import { join } from "node:path"
import type { Trouble } from "../model/errors.ts"
import type { GitOid } from "../model/ids.ts"
import type { RelativePath } from "../model/path.ts"
import { ContentLost, type Content, type HistoryStore, type HistoryWriter } from "../model/ports.ts"
import type { Result } from "../model/result.ts"
import { discardOldTemporaries } from "./durable-file.ts"
import { EMPTY_TREE, parseTree, treeOfCommit, type TreeEntry } from "./git-object.ts"
import { moveBranch, pinLarge, readBranch } from "./git-refs.ts"
import { createRepository, writeGitLink } from "./git-repository.ts"
import { listTree } from "./git-tree.ts"
import { attempt, STORE_NAME, troubleOf } from "./git-trouble.ts"
import { GitWriter } from "./git-writer.ts"
import { writeLoose } from "./loose-object.ts"
import { ObjectStore } from "./object-store.ts"
import { consolidatePacks } from "./pack-consolidate.ts"

export interface GitHistoryOptions {
  /** The `history.git` itself. */
  readonly directory: string
  /** Where a `.git` link is put when the repository is created, so that plain `git log` works there. */
  readonly syncDirectory?: string
}

export function openGitHistory(options: GitHistoryOptions): HistoryStore {
  return new GitHistory(options)
}

class GitHistory implements HistoryStore {
  readonly #options: GitHistoryOptions
  readonly #objects: ObjectStore
  #isCreated = false

  constructor(options: GitHistoryOptions) {
    this.#options = options
    this.#objects = new ObjectStore(options.directory)
  }

  head(): Promise<Result<GitOid | undefined, Trouble>> {
    return attempt(STORE_NAME, () => readBranch(this.#options.directory))
  }

  tree(): Promise<Result<ReadonlyMap<RelativePath, GitOid>, Trouble>> {
    return attempt(STORE_NAME, async () => {
      const head = await readBranch(this.#options.directory)
      if (head === undefined) return new Map<RelativePath, GitOid>()
      const readTree = (oid: GitOid): Promise<Map<string, TreeEntry>> => this.#readTree(oid)
      return await listTree(readTree, await this.#treeOf(head))
    })
  }

  begin(): Promise<Result<HistoryWriter, Trouble>> {
    return attempt(STORE_NAME, async () => {
      await this.#create()
      await discardOldTemporaries(this.#packDirectory)
      this.#objects.refresh()
      const head = await readBranch(this.#options.directory)
      return new GitWriter({
        objects: this.#objects,
        packDirectory: this.#packDirectory,
        head,
        tree: head === undefined ? undefined : await this.#treeOf(head),
        readTree: (oid) => this.#readTree(oid),
        publish: (to) => this.#publish(head, to),
      })
    })
  }

  keepLarge(content: Content): Promise<Result<GitOid, Trouble>> {
    return attempt(content.hash, async () => {
      await this.#create()
      const oid = await writeLoose(this.#options.directory, content)
      await pinLarge(this.#options.directory, oid)
      return oid
    })
  }

  read(oid: GitOid): Promise<Result<Uint8Array, Trouble>> {
    return attempt(oid, async () => {
      const { buffer, byteOffset, length } = (await this.#objects.read(oid)).body
      return new Uint8Array(buffer, byteOffset, length)
    })
  }

  /** Throws `ContentLost` where it cannot deliver all of it, at the latest after the last piece. */
  async *stream(oid: GitOid): AsyncIterable<Uint8Array> {
    try {
      yield* this.#objects.stream(oid)
    } catch (error) {
      const trouble = troubleOf(error, oid)
      throw trouble === undefined ? error : new ContentLost(trouble)
    }
  }

  async has(oid: GitOid): Promise<boolean> {
    return this.#objects.has(oid)
  }

  get #packDirectory(): string {
    return join(this.#options.directory, "objects", "pack")
  }

  /** The link is a convenience: a sync directory that does not take it still gets its history. */
  async #create(): Promise<void> {
    if (this.#isCreated) return
    const { directory, syncDirectory } = this.#options
    await createRepository(directory)
    if (syncDirectory !== undefined) await writeGitLink({ gitDirectory: directory, syncDirectory })
    this.#isCreated = true
  }

  /** Everything `to` leads to is durable here. */
  async #publish(from: GitOid | undefined, to: GitOid | undefined): Promise<void> {
    this.#objects.refresh()
    if (to !== undefined && to !== from) await moveBranch(this.#options.directory, { from, to })
    // Fewer packs make look-ups quicker and nothing safer: what was finished stays finished if this fails.
    const consolidated = await attempt(STORE_NAME, () => consolidatePacks(this.#packDirectory))
    if (consolidated.ok && consolidated.value > 0) this.#objects.refresh()
  }

  async #treeOf(commit: GitOid): Promise<GitOid> {
    return treeOfCommit(commit, (await this.#objects.read(commit)).body)
  }

  async #readTree(oid: GitOid): Promise<Map<string, TreeEntry>> {
    if (oid === EMPTY_TREE) return new Map()
    return parseTree(oid, (await this.#objects.read(oid)).body)
  }
}
