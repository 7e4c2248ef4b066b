/**
 * A history store in memory, for tests: the same promises, and a crash whenever a test wants one.
 *
 * Every effect is announced by `tick` before and after, so a simulation can stop between any two. What a writer
 * collected becomes stored in one step and the branch moves in another, as on a disk.
 */

import { createHash } from "node:crypto"
import type { Trouble } from "../model/errors.ts"
import type { GitOid } from "../model/ids.ts"
import type { RelativePath } from "../model/path.ts"
import {
  ContentLost,
  type Content,
  type HistoryStore,
  type HistoryWriter,
  type TreeChange,
} from "../model/ports.ts"
import { comparePaths, isBelow } from "../model/path.ts"
import { err, ok, type Result } from "../model/result.ts"
import { mustOid, oidOf } from "./git-object.ts"

export interface MemoryCommit {
  readonly oid: GitOid
  readonly parent: GitOid | undefined
  readonly message: string
  readonly atMs: number
  readonly changes: readonly TreeChange[]
  readonly tree: ReadonlyMap<RelativePath, GitOid>
}

type Tick = (what: string) => Promise<void>

interface Staged {
  readonly blobs: Map<GitOid, Uint8Array>
  readonly commits: MemoryCommit[]
}

/** What a writer needs of its store. */
interface Shelf {
  readonly tick: Tick
  readonly isOpen: () => boolean
  readonly has: (oid: GitOid) => boolean
  readonly head: MemoryCommit | undefined
  readonly store: (staged: Staged) => void
  /** False: the branch is no longer where the writer began. */
  readonly moveBranch: (to: GitOid) => boolean
}

export class MemoryHistory implements HistoryStore {
  readonly #tick: Tick
  readonly #blobs = new Map<GitOid, Uint8Array>()
  readonly #commits = new Map<GitOid, MemoryCommit>()
  readonly #unfinished = new Set<Staged>()
  #head: GitOid | undefined
  #crashes = 0

  constructor(options: { readonly tick?: Tick } = {}) {
    this.#tick = options.tick ?? (async () => undefined)
  }

  /**
   * Ends every open writer. What they collected is lost, or has reached the disk without a branch that leads to it;
   * both may happen to a real one.
   */
  crash(options: { readonly losesUnfinished: boolean }): void {
    this.#crashes++
    for (const staged of this.#unfinished) if (!options.losesUnfinished) this.#store(staged)
    this.#unfinished.clear()
  }

  /** The branch, oldest commit first. */
  commits(): readonly MemoryCommit[] {
    const commits: MemoryCommit[] = []
    for (let at = this.#headCommit(); at !== undefined; at = at.parent && this.#commits.get(at.parent)) {
      commits.push(at)
    }
    return commits.reverse()
  }

  /** Another store with the same versions and commits; open writers stay behind. */
  copy(options: { readonly tick?: Tick } = {}): MemoryHistory {
    const copy = new MemoryHistory(options)
    for (const [oid, bytes] of this.#blobs) copy.#blobs.set(oid, bytes)
    for (const [oid, commit] of this.#commits) copy.#commits.set(oid, commit)
    copy.#head = this.#head
    return copy
  }

  /** Every version that is stored for good. */
  versions(): Iterable<Uint8Array> {
    return this.#blobs.values()
  }

  async head(): Promise<Result<GitOid | undefined, Trouble>> {
    await this.#tick("history.head")
    return ok(this.#head)
  }

  async tree(): Promise<Result<ReadonlyMap<RelativePath, GitOid>, Trouble>> {
    await this.#tick("history.tree")
    return ok(new Map(this.#headCommit()?.tree))
  }

  async begin(): Promise<Result<HistoryWriter, Trouble>> {
    await this.#tick("history.begin")
    const crashes = this.#crashes
    const head = this.#headCommit()
    const staged: Staged = { blobs: new Map(), commits: [] }
    this.#unfinished.add(staged)
    return ok(
      new MemoryWriter(staged, {
        tick: this.#tick,
        isOpen: () => crashes === this.#crashes && this.#unfinished.has(staged),
        has: (oid) => this.#blobs.has(oid),
        head,
        store: (ended) => {
          this.#store(ended)
        },
        moveBranch: (to) => {
          if (this.#head !== head?.oid) return false
          this.#head = to
          return true
        },
      }),
    )
  }

  async keepLarge(content: Content): Promise<Result<GitOid, Trouble>> {
    await this.#tick("history.keepLarge before")
    const gathered = await gather(content)
    if (!gathered.ok) return gathered
    const oid = oidOf("blob", gathered.value)
    this.#blobs.set(oid, gathered.value)
    await this.#tick("history.keepLarge after")
    return ok(oid)
  }

  async read(oid: GitOid): Promise<Result<Uint8Array, Trouble>> {
    await this.#tick("history.read")
    const bytes = this.#blobs.get(oid)
    return bytes === undefined ? err({ code: "not_found", path: oid }) : ok(Uint8Array.from(bytes))
  }

  async *stream(oid: GitOid): AsyncIterable<Uint8Array> {
    const read = await this.read(oid)
    if (!read.ok) throw new ContentLost(read.error)
    yield read.value
  }

  async has(oid: GitOid): Promise<boolean> {
    await this.#tick("history.has")
    return this.#blobs.has(oid)
  }

  #headCommit(): MemoryCommit | undefined {
    return this.#head && this.#commits.get(this.#head)
  }

  #store(staged: Staged): void {
    for (const [oid, bytes] of staged.blobs) this.#blobs.set(oid, bytes)
    for (const commit of staged.commits) this.#commits.set(commit.oid, commit)
    this.#unfinished.delete(staged)
  }
}

class MemoryWriter implements HistoryWriter {
  readonly #staged: Staged
  readonly #shelf: Shelf
  #head: MemoryCommit | undefined

  constructor(staged: Staged, shelf: Shelf) {
    this.#staged = staged
    this.#shelf = shelf
    this.#head = shelf.head
  }

  async add(bytes: Uint8Array): Promise<Result<GitOid, Trouble>> {
    await this.#shelf.tick("history.add before")
    if (!this.#shelf.isOpen()) return err(CRASHED)
    const oid = oidOf("blob", bytes)
    this.#staged.blobs.set(oid, Uint8Array.from(bytes))
    await this.#shelf.tick("history.add after")
    return ok(oid)
  }

  async commit(commit: {
    readonly changes: readonly TreeChange[]
    readonly message: string
    readonly atMs: number
  }): Promise<Result<GitOid, Trouble>> {
    await this.#shelf.tick("history.commit before")
    if (!this.#shelf.isOpen()) return err(CRASHED)
    const lacking = commit.changes.find((change) => change.oid !== undefined && !this.#has(change.oid))
    if (lacking !== undefined) return err({ code: "not_found", path: lacking.path })
    const tree = applyChanges(this.#head?.tree ?? new Map(), commit.changes)
    if (this.#head === undefined || !isSameTree(tree, this.#head.tree)) {
      const parent = this.#head?.oid
      this.#head = { ...commit, oid: commitOid({ ...commit, parent, tree }), parent, tree }
      this.#staged.commits.push(this.#head)
    }
    await this.#shelf.tick("history.commit after")
    return ok(this.#head.oid)
  }

  async finish(): Promise<Result<void, Trouble>> {
    await this.#shelf.tick("history.finish pack before")
    if (!this.#shelf.isOpen()) return err(CRASHED)
    this.#shelf.store(this.#staged)
    await this.#shelf.tick("history.finish branch before")
    if (this.#head !== undefined && this.#head.oid !== this.#shelf.head?.oid) {
      if (!this.#shelf.moveBranch(this.#head.oid))
        return err({ code: "changed_since", path: "refs/heads/main" })
    }
    await this.#shelf.tick("history.finish after")
    return ok(undefined)
  }

  async abandon(): Promise<void> {
    this.#staged.blobs.clear()
    this.#staged.commits.length = 0
  }

  #has(oid: GitOid): boolean {
    return this.#staged.blobs.has(oid) || this.#shelf.has(oid)
  }
}

const CRASHED: Trouble = { code: "io", path: "history", detail: "crashed" }

async function gather(content: Content): Promise<Result<Uint8Array, Trouble>> {
  if (content.kind === "bytes") return ok(Uint8Array.from(content.bytes))
  const pieces: Uint8Array[] = []
  try {
    for await (const piece of content.open()) pieces.push(Uint8Array.from(piece))
  } catch (error) {
    if (error instanceof ContentLost) return err(error.trouble)
    throw error
  }
  const bytes = Buffer.concat(pieces)
  const hash = `sha256:${createHash("sha256").update(bytes).digest("hex")}`
  if (bytes.length !== content.sizeBytes || hash !== content.hash) {
    return err({ code: "hash_mismatch", path: content.hash, detail: "stream" })
  }
  return ok(bytes)
}

/** Removals first; then an added path takes the place of a file above it, or of what is below it. */
function applyChanges(
  before: ReadonlyMap<RelativePath, GitOid>,
  changes: readonly TreeChange[],
): Map<RelativePath, GitOid> {
  const tree = new Map(before)
  const lastByPath = new Map(changes.map((change) => [change.path, change.oid]))
  for (const [path, oid] of lastByPath) if (oid === undefined) tree.delete(path)
  for (const [path, oid] of lastByPath) {
    if (oid === undefined) continue
    if (!tree.has(path)) {
      for (const other of tree.keys()) if (isBelow(other, path) || isBelow(path, other)) tree.delete(other)
    }
    tree.set(path, oid)
  }
  return new Map([...tree].sort(([a], [b]) => comparePaths(a, b)))
}

function isSameTree(a: ReadonlyMap<RelativePath, GitOid>, b: ReadonlyMap<RelativePath, GitOid>): boolean {
  return a.size === b.size && [...a].every(([path, oid]) => b.get(path) === oid)
}

function commitOid(commit: {
  readonly parent: GitOid | undefined
  readonly tree: ReadonlyMap<RelativePath, GitOid>
  readonly message: string
  readonly atMs: number
}): GitOid {
  const { parent, tree, message, atMs } = commit
  const text = JSON.stringify([parent ?? "", [...tree], message, atMs])
  return mustOid(createHash("sha1").update(text).digest("hex"))
}
