/**
 * One writer of the history store: versions and commits that become one pack, and then the branch.
 *
 * After the first failure it does nothing more but say so again, because a commit on top of what is not there would
 * be worse than none. A version that is stored already is read back before it is trusted, so that adding the
 * same bytes again heals a damaged copy.
 */

import type { Trouble } from "../model/errors.ts"
import type { GitOid } from "../model/ids.ts"
import { ContentLost, type HistoryWriter, type TreeChange } from "../model/ports.ts"
import { assert, err, type Result } from "../model/result.ts"
import { encodeCommit, oidOf, type ObjectType } from "./git-object.ts"
import { PackWriter } from "./git-pack.ts"
import { TreeEditor, type ReadTree } from "./git-tree.ts"
import { attempt, isDamage, STORE_NAME } from "./git-trouble.ts"
import type { ObjectStore } from "./object-store.ts"

export interface GitWriterOptions {
  readonly objects: ObjectStore
  readonly packDirectory: string
  /** The commit that the first one follows, and its tree. */
  readonly head: GitOid | undefined
  readonly tree: GitOid | undefined
  readonly readTree: ReadTree
  /** Called when the pack is durable; moves the branch to the last commit, if there is one. */
  readonly publish: (to: GitOid | undefined) => Promise<void>
}

export class GitWriter implements HistoryWriter {
  readonly #options: GitWriterOptions
  readonly #pack: PackWriter
  readonly #editor: TreeEditor
  #head: GitOid | undefined
  #tree: GitOid | undefined
  #failure: Trouble | undefined
  #isDone = false

  constructor(options: GitWriterOptions) {
    this.#options = options
    this.#pack = new PackWriter(options.packDirectory)
    this.#editor = new TreeEditor(options.readTree, options.tree)
    this.#head = options.head
    this.#tree = options.tree
  }

  add(bytes: Uint8Array): Promise<Result<GitOid, Trouble>> {
    return this.#try(() => this.#put("blob", bytes))
  }

  commit(commit: {
    readonly changes: readonly TreeChange[]
    readonly message: string
    readonly atMs: number
  }): Promise<Result<GitOid, Trouble>> {
    return this.#try(async () => {
      for (const change of commit.changes) this.#mustHave(change)
      await this.#editor.apply(commit.changes)
      const tree = await this.#editor.write((body) => this.#put("tree", body))
      if (this.#head !== undefined && tree === this.#tree) return this.#head
      const { message, atMs } = commit
      this.#head = await this.#put("commit", encodeCommit({ tree, parent: this.#head, message, atMs }))
      this.#tree = tree
      return this.#head
    })
  }

  async finish(): Promise<Result<void, Trouble>> {
    const finished = await this.#try(async () => {
      const pack = await this.#pack.finish()
      if (pack === undefined && this.#head === this.#options.head) return
      await this.#options.publish(this.#head)
    })
    await this.abandon()
    return finished
  }

  async abandon(): Promise<void> {
    if (this.#isDone) return
    this.#isDone = true
    await this.#pack.abandon()
  }

  async #try<T>(work: () => Promise<T>): Promise<Result<T, Trouble>> {
    assert(!this.#isDone, "a writer that is done is not used again")
    if (this.#failure !== undefined) return err(this.#failure)
    const result = await attempt(STORE_NAME, work)
    if (!result.ok) this.#failure = result.error
    return result
  }

  async #put(type: ObjectType, body: Uint8Array): Promise<GitOid> {
    const oid = oidOf(type, body)
    if (this.#pack.has(oid) || (await this.#isStored(oid))) return oid
    await this.#pack.put(oid, type, body)
    return oid
  }

  async #isStored(oid: GitOid): Promise<boolean> {
    const { objects } = this.#options
    if (!objects.isPacked(oid)) return false
    try {
      await objects.read(oid)
      return true
    } catch (error) {
      if (error instanceof ContentLost || isDamage(error)) return false
      throw error
    }
  }

  #mustHave(change: TreeChange): void {
    const { oid, path } = change
    if (oid === undefined || this.#pack.has(oid) || this.#options.objects.has(oid)) return
    throw new ContentLost({ code: "not_found", path, detail: oid })
  }
}
