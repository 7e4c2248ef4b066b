/**
 * What must hold once nobody edits any more: runs one after the other make all folders and the bucket equal, nothing of
 * ours is left in it, and from then on runs have nothing to do.
 */

import type { Cycle } from "../../src/engine/cycle.ts"
import type { SyncError } from "../../src/model/errors.ts"
import type { Result } from "../../src/model/result.ts"
import { nameOf, Violation } from "../simulation/oracle.ts"
import type { BucketLook } from "./bucket-look.ts"
import { type Device, expectRan } from "./device.ts"
import type { Site } from "./site.ts"
import { storyOf } from "./story.ts"

export interface Fleet {
  readonly site: Site
  readonly devices: readonly Device[]
  look(): Promise<BucketLook>
  readonly tell: (line: string) => void
}

/** A tombstone is everybody's after ten minutes, or after twenty. */
const TOMBSTONES_ARE_OLD_MS = 21 * 60_000

const CONFLICT = /\.conflict\d+:/

export async function expectSettled(fleet: Fleet): Promise<void> {
  const { site, devices, tell } = fleet
  site.later(TOMBSTONES_ARE_OLD_MS)
  const run = async (device: Device): Promise<Result<Cycle, SyncError>> => {
    site.later(5_000)
    const result = await device.sync()
    tell(`  ${device.name} ${storyOf(result)}`)
    expectRan(device, result)
    return result
  }
  for (let left = 2 * devices.length + 2, next = 0; left > 0; left--, next++)
    await run(devices[next % devices.length] ?? raise("no device"))
  const { notes, etags, tombstones, flags } = await fleet.look()
  for (const device of devices) expectSame(device.name, treeOf(device.disk.tree()), treeOf(notes))
  if (tombstones.length + flags.length > 0)
    raise(`left in the bucket: ${[...tombstones, ...flags].join(" ")}`)
  expectFewCopies(treeOf(notes), devices.length)
  for (const device of devices) {
    const result = await run(device)
    if (!result.ok || (result.value.kind === "performed" && result.value.performed.didSomething))
      raise(`${device.name} had something to do after all were equal: ${storyOf(result)}`)
  }
  const after = await fleet.look()
  if (JSON.stringify([...after.etags]) !== JSON.stringify([...etags])) raise("a run with nothing to do wrote")
}

function treeOf(files: ReadonlyMap<string, Uint8Array>): readonly string[] {
  return [...files].map(([path, bytes]) => `${path}: ${nameOf(bytes)}`).sort()
}

function expectSame(name: string, found: readonly string[], expected: readonly string[]): void {
  const missing = expected.filter((line) => !found.includes(line))
  const surplus = found.filter((line) => !expected.includes(line))
  if (missing.length + surplus.length > 0)
    raise(`${name} is not as the bucket: lacks ${missing.join(", ")}; has ${surplus.join(", ")}`)
}

/**
 * Copies do not breed: a version is kept aside at most once by each device. Two that find the same rivals at the same
 * moment, and have other names free, may both move the remote's version aside before either has removed it.
 */
function expectFewCopies(tree: readonly string[], devices: number): void {
  const counts = new Map<string, number>()
  for (const line of tree) {
    if (!CONFLICT.test(line)) continue
    const copy = line.replace(CONFLICT, ":")
    counts.set(copy, (counts.get(copy) ?? 0) + 1)
  }
  for (const [copy, count] of counts) if (count > devices) raise(`kept aside ${count} times: ${copy}`)
}

function raise(message: string): never {
  throw new Violation(message)
}
