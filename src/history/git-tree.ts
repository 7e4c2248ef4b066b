/**
 * The branch's tree while it is being changed: directories are read when a changed path leads through them.
 *
 * A change of one path reads and writes the directories above it and no other. What was read or written stays,
 * so the next commit of the same writer reads nothing. All removals come before all additions, so that a file may
 * take a directory's place, or the reverse, in whatever order the changes come. Empty directories disappear.
 */

import type { GitOid } from "../model/ids.ts"
import { parsePath, type RelativePath } from "../model/path.ts"
import type { TreeChange } from "../model/ports.ts"
import {
  encodeTree,
  isDirectoryMode,
  isFileMode,
  MODE_DIRECTORY,
  MODE_FILE,
  type TreeEntry,
} from "./git-object.ts"

export type ReadTree = (oid: GitOid) => Promise<ReadonlyMap<string, TreeEntry>>
/** Stores a tree and returns its name. */
export type PutTree = (body: Buffer) => Promise<GitOid>

const UTF8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })

/** Mutable, and known to one `TreeEditor` alone. Names are `latin1` pictures of their bytes. */
interface Directory {
  /** What it is called in the store; absent once it was changed. */
  oid: GitOid | undefined
  /** Absent: not read yet. */
  children: Map<string, Directory | TreeEntry> | undefined
}

export class TreeEditor {
  readonly #readTree: ReadTree
  readonly #root: Directory

  constructor(readTree: ReadTree, root: GitOid | undefined) {
    this.#readTree = readTree
    this.#root =
      root === undefined ? { oid: undefined, children: new Map() } : { oid: root, children: undefined }
  }

  async apply(changes: readonly TreeChange[]): Promise<void> {
    const lastByPath = new Map(changes.map((change) => [change.path, change.oid]))
    for (const [path, oid] of lastByPath) if (oid === undefined) await this.#remove(namesOf(path))
    for (const [path, oid] of lastByPath) if (oid !== undefined) await this.#add(namesOf(path), oid)
  }

  /** Stores what was changed and returns the name of the root. */
  async write(putTree: PutTree): Promise<GitOid> {
    return (await writeDirectory(this.#root, putTree)) ?? (await this.#writeEmptyRoot(putTree))
  }

  async #writeEmptyRoot(putTree: PutTree): Promise<GitOid> {
    const oid = await putTree(encodeTree(new Map()))
    this.#root.oid = oid
    return oid
  }

  /** What is a directory now is not the file that is to be removed. */
  async #remove({ directories, name }: Names): Promise<void> {
    const above = [this.#root]
    for (const directoryName of directories) {
      const next = (await this.#childrenOf(last(above))).get(directoryName)
      if (next === undefined || !isDirectory(next)) return
      above.push(next)
    }
    const child = (await this.#childrenOf(last(above))).get(name)
    if (child === undefined || isDirectory(child)) return
    last(above).children?.delete(name)
    for (const directory of above) directory.oid = undefined
  }

  async #add({ directories, name }: Names, oid: GitOid): Promise<void> {
    let at = this.#root
    const above = [at]
    for (const directoryName of directories) {
      const children = await this.#childrenOf(at)
      const known = children.get(directoryName)
      const next = known !== undefined && isDirectory(known) ? known : emptyDirectory()
      children.set(directoryName, next)
      above.push(next)
      at = next
    }
    const children = await this.#childrenOf(at)
    const old = children.get(name)
    if (old !== undefined && !isDirectory(old) && old.oid === oid && old.mode === MODE_FILE) return
    children.set(name, { mode: MODE_FILE, oid })
    for (const directory of above) directory.oid = undefined
  }

  async #childrenOf(directory: Directory): Promise<Map<string, Directory | TreeEntry>> {
    if (directory.children !== undefined) return directory.children
    const entries = directory.oid === undefined ? [] : await this.#readTree(directory.oid)
    const children = new Map<string, Directory | TreeEntry>()
    for (const [name, entry] of entries) {
      children.set(name, isDirectoryMode(entry.mode) ? { oid: entry.oid, children: undefined } : entry)
    }
    directory.children = children
    return children
  }
}

/** Walks a whole tree, in byte order of paths. What only a user's own commit can hold, such as a symlink, is left out. */
export async function listTree(readTree: ReadTree, root: GitOid): Promise<Map<RelativePath, GitOid>> {
  const files = new Map<RelativePath, GitOid>()
  async function walk(oid: GitOid, prefix: string): Promise<void> {
    for (const [name, entry] of await readTree(oid)) {
      const path = prefix + name
      if (isDirectoryMode(entry.mode)) await walk(entry.oid, `${path}/`)
      else if (isFileMode(entry.mode)) addFile(path, entry.oid)
    }
  }
  function addFile(latin1: string, oid: GitOid): void {
    const path = decodePath(latin1)
    if (path !== undefined) files.set(path, oid)
  }
  await walk(root, "")
  return files
}

interface Names {
  readonly directories: readonly string[]
  readonly name: string
}

function namesOf(path: RelativePath): Names {
  const names = Buffer.from(path, "utf8").toString("latin1").split("/")
  return { directories: names.slice(0, -1), name: names.at(-1) ?? "" }
}

/** Absent: not UTF-8, or not a path of ours. */
function decodePath(latin1: string): RelativePath | undefined {
  try {
    const path = parsePath(UTF8.decode(Buffer.from(latin1, "latin1")))
    return path.ok ? path.value : undefined
  } catch {
    return undefined
  }
}

/** Absent: nothing is in it. */
async function writeDirectory(directory: Directory, putTree: PutTree): Promise<GitOid | undefined> {
  if (directory.oid !== undefined) return directory.oid
  const children = directory.children ?? new Map<string, Directory | TreeEntry>()
  const entries = new Map<string, TreeEntry>()
  for (const [name, child] of children) {
    const entry = isDirectory(child) ? await directoryEntry(child, putTree) : child
    if (entry === undefined) children.delete(name)
    else entries.set(name, entry)
  }
  if (entries.size === 0) return undefined
  directory.oid = await putTree(encodeTree(entries))
  return directory.oid
}

async function directoryEntry(child: Directory, putTree: PutTree): Promise<TreeEntry | undefined> {
  const oid = await writeDirectory(child, putTree)
  return oid && { mode: MODE_DIRECTORY, oid }
}

function isDirectory(child: Directory | TreeEntry): child is Directory {
  return "children" in child
}

function emptyDirectory(): Directory {
  return { oid: undefined, children: new Map() }
}

function last(directories: readonly Directory[]): Directory {
  const directory = directories.at(-1)
  if (directory === undefined) throw new Error("assertion failed: the root is above every path")
  return directory
}
