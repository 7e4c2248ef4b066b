/** The tree editor reads no more than a change leads through. */

import { expect, test } from "vitest"
import { oidOf, parseTree, type TreeEntry } from "../../src/history/git-object.ts"
import { listTree, TreeEditor } from "../../src/history/git-tree.ts"
import type { GitOid } from "../../src/model/ids.ts"
import { mustPath } from "../../src/model/path.ts"

const blob = oidOf("blob", Buffer.from("text"))
const other = oidOf("blob", Buffer.from("other"))

class Trees {
  readonly bodies = new Map<GitOid, Buffer>()
  reads = 0
  writes = 0
  readonly read = async (oid: GitOid): Promise<Map<string, TreeEntry>> => {
    this.reads++
    return parseTree(oid, this.bodies.get(oid) ?? Buffer.alloc(0))
  }
  readonly put = async (body: Buffer): Promise<GitOid> => {
    this.writes++
    this.bodies.set(oidOf("tree", body), body)
    return oidOf("tree", body)
  }
}

async function largeTree(): Promise<{ readonly trees: Trees; readonly root: GitOid }> {
  const trees = new Trees()
  const editor = new TreeEditor(trees.read, undefined)
  const changes = Array.from({ length: 10_000 }, (_, i) => ({
    path: mustPath(`d${i % 500}/e/${i}.md`),
    oid: blob,
  }))
  await editor.apply(changes)
  const root = await editor.write(trees.put)
  trees.reads = 0
  trees.writes = 0
  return { trees, root }
}

test("one change in 10,000 paths reads and writes the trees above it, and a second one there reads nothing", async () => {
  const { trees, root } = await largeTree()
  const editor = new TreeEditor(trees.read, root)
  await editor.apply([{ path: mustPath("d7/e/7.md"), oid: other }])
  await editor.write(trees.put)
  expect([trees.reads, trees.writes]).toEqual([3, 3])
  await editor.apply([{ path: mustPath("d7/e/507.md") }])
  const changed = await editor.write(trees.put)
  expect([trees.reads, trees.writes]).toEqual([3, 6])
  const files = await listTree(trees.read, changed)
  expect([files.size, files.get(mustPath("d7/e/7.md"))]).toEqual([9_999, other])
})

test("a change that changes nothing writes nothing", async () => {
  const { trees, root } = await largeTree()
  const editor = new TreeEditor(trees.read, root)
  await editor.apply([{ path: mustPath("d7/e/7.md"), oid: blob }, { path: mustPath("gone/away.md") }])
  expect(await editor.write(trees.put)).toBe(root)
  expect(trees.writes).toBe(0)
})

test("the last change of a path counts", async () => {
  const trees = new Trees()
  const editor = new TreeEditor(trees.read, undefined)
  const path = mustPath("a.md")
  await editor.apply([{ path, oid: blob }, { path }, { path, oid: other }])
  const root = await editor.write(trees.put)
  expect(await listTree(trees.read, root)).toEqual(new Map([[path, other]]))
})
