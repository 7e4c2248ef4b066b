/** Looks at a folder without pause, from a thread of its own, and tells what stood there at any moment. */

import { once } from "node:events"
import { Worker } from "node:worker_threads"

export interface Watched {
  /** Sizes of each file at the moments at which it was there, by its path. */
  readonly sizesByPath: ReadonlyMap<string, ReadonlySet<number>>
  /** Files that were there, then not, then again. */
  readonly gaps: readonly string[]
  readonly looks: number
}

/** What lies below `.basic-memory`, and what a gateway over a folder has begun, is nobody's note. */
const CODE = `
const { readdirSync, statSync } = require("node:fs")
const { join } = require("node:path")
const { parentPort, workerData: { root, flag } } = require("node:worker_threads")
const sizes = new Map(), gone = new Set(), gaps = new Set()
let looks = 0
const walk = (directory, seen) => {
  let entries = []
  try { entries = readdirSync(join(root, directory), { withFileTypes: true }) } catch {}
  for (const entry of entries) {
    if (entry.name === ".basic-memory" || entry.name.includes(".sgwtmp")) continue
    const path = directory === "" ? entry.name : directory + "/" + entry.name
    if (entry.isDirectory()) { walk(path, seen); continue }
    const stat = statSync(join(root, path), { throwIfNoEntry: false })
    if (stat === undefined) continue
    seen.add(path)
    if (!sizes.has(path)) sizes.set(path, new Set())
    sizes.get(path).add(stat.size)
    if (gone.has(path)) gaps.add(path)
  }
}
const look = () => {
  const seen = new Set()
  walk("", seen)
  for (const path of sizes.keys()) if (!seen.has(path)) gone.add(path)
  looks += 1
}
look()
parentPort.postMessage("ready")
while (Atomics.load(flag, 0) === 0) look()
look()
parentPort.postMessage({ sizesByPath: sizes, gaps: [...gaps], looks })
`

export async function watchFolder(root: string): Promise<{ stop(): Promise<Watched> }> {
  const flag = new Int32Array(new SharedArrayBuffer(4))
  const worker = new Worker(CODE, { eval: true, workerData: { root, flag } })
  await once(worker, "message")
  return {
    async stop() {
      const told = once(worker, "message")
      Atomics.store(flag, 0, 1)
      const [watched]: readonly Watched[] = await told
      if (watched === undefined) throw new Error("nothing was watched")
      return watched
    },
  }
}
