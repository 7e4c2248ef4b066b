/**
 * What must hold once faults are over and nobody edits any more: everybody has the same files (G4), a run with nothing
 * to do writes nothing (G5), nobody met a conflict where only one device edited (G7), and every journal is whole.
 */

import { expect } from "vitest"
import type { Cycle } from "../../src/engine/cycle.ts"
import { emptyState, fold } from "../../src/fold/fold.ts"
import { allRows, STATE_RANGE } from "../../src/fold/rows.ts"
import { verifyChain } from "../../src/journal/journal.ts"
import type { SyncError } from "../../src/model/errors.ts"
import type { JournalEvent } from "../../src/model/event.ts"
import { isBelow } from "../../src/model/path.ts"
import type { Result } from "../../src/model/result.ts"
import { compileIgnore } from "../../src/observe/ignore.ts"
import { sha256, type Simulation, type SimulatedDevice, snapshotOf } from "./world.ts"

/** Longer than an editor may write into a replaced file. */
const ASIDES_ARE_OLD_MS = 70_000
/** Longer than a tombstone is left alone, and a flag of a dead device is believed. */
export const BUCKETS_ARE_FREE_MS = 11 * 60_000
const ROUNDS_MAX = 40

export async function expectHealed(simulation: Simulation): Promise<void> {
  const { devices } = simulation
  simulation.hook = undefined
  simulation.failNext = undefined
  simulation.failCall = undefined
  // What an editor wrote into a replaced file comes back once it is old.
  simulation.nowMs += simulation.remote.s3 === undefined ? ASIDES_ARE_OLD_MS : BUCKETS_ARE_FREE_MS
  // Once every device in turn had nothing to do, no run will have. What was unknown to a run is not counted against it.
  const { length } = devices
  let [idle, left] = [0, 2 * length + 2]
  for (let round = 0; left > 0 && idle < length && round < ROUNDS_MAX; round++) {
    simulation.nowMs += 5_000
    const result = await simulation.device(round % length).syncConfirming()
    expectRan(result)
    left = hadUnknowns(result) ? 2 * length + 2 : left - 1
    idle = didSomething(result) ? 0 : idle + 1
  }
  expectEqualTrees(simulation)
  simulation.nowMs += ASIDES_ARE_OLD_MS
  // One run each drops what is old in the trash, and records the marker of the run before it.
  for (const device of devices) expectNothingPlanned(await device.sync())
  for (const device of devices) expectDidNothing(await device.sync())
  for (const device of devices) await expectQuiet(simulation, device)
  for (const device of devices) await expectSoundJournal(simulation, device)
}

function expectRan(result: Result<Cycle, SyncError>): void {
  if (!result.ok) throw new Error(`a healed run failed: ${JSON.stringify(result.error)}`)
  const { value } = result
  if (value.kind === "cloned") throw new Error("a healed run took its journal for a copy")
}

function hadUnknowns(result: Result<Cycle, SyncError>): boolean {
  if (!result.ok || result.value.kind !== "performed") return false
  const { local, remote } = result.value.prepared.look.unknowns
  return [...local, ...remote].some(({ reason }) => reason !== "ignored")
}

function didSomething(result: Result<Cycle, SyncError>): boolean {
  if (!result.ok || result.value.kind !== "performed") return !result.ok
  const { performed, restored, prepared } = result.value
  return performed.didSomething || restored.length > 0 || prepared.look.unknowns.remote.length > 0
}

/** It may still note that a conflict is over, because somebody took its copies away. */
function expectNothingPlanned(result: Result<Cycle, SyncError>): void {
  expectRan(result)
  if (!result.ok || result.value.kind !== "performed") return
  const { actions, agreed } = result.value.prepared.plan
  if (actions.length + agreed.length > 0)
    throw new Error(`a run had something to do after all were equal: ${JSON.stringify(actions)}`)
}

function expectDidNothing(result: Result<Cycle, SyncError>): void {
  expectRan(result)
  if (result.ok && result.value.kind === "performed" && result.value.performed.didSomething)
    throw new Error(
      `a run had something to do after all were equal: ${JSON.stringify(result.value.prepared.plan)}`,
    )
}

function expectEqualTrees({ devices, remote }: Simulation): void {
  for (const device of devices) {
    const rules = compileIgnore({ global: device.ignore, projects: new Map() })
    const beside = keysBesideDirectories(remote.tree())
    const compared = (tree: ReadonlyMap<string, string>) =>
      Object.fromEntries(
        [...tree].filter(
          ([path]) => !rules.ignoresFile(path) && !beside.some((key) => path === key || isBelow(path, key)),
        ),
      )
    expectSame(device.name, compared(device.tree()), compared(remote.tree()))
  }
}

/** Row 20: a key with keys below it, which two devices made at the same moment, is a problem for the user. */
function keysBesideDirectories(tree: ReadonlyMap<string, string>): readonly string[] {
  const keys = [...tree.keys()]
  return keys.filter((key) => keys.some((other) => isBelow(other, key)))
}

/** Compares as text first: `expect` is slow, and nearly all are equal. */
function expectSame(what: string, found: unknown, expected: unknown): void {
  if (JSON.stringify(found) !== JSON.stringify(expected)) expect(found, what).toEqual(expected)
}

async function expectQuiet(simulation: Simulation, device: SimulatedDevice): Promise<void> {
  simulation.nowMs += 5_000
  const look = () => [snapshotOf(device.disk), simulation.remote.snapshot()]
  const before = look()
  const first = (await device.ledger()).head().sequence
  expectDidNothing(await device.sync())
  expectSame(`${device.name} wrote`, look(), before)
  const ledger = await device.ledger()
  const types: string[] = []
  for await (const event of ledger.journal.events(first + 1))
    types.push(event.type === "side.listed" ? event.type : JSON.stringify(event))
  expectSame(device.name, types, ["side.listed", "side.listed"])
}

async function expectSoundJournal(simulation: Simulation, device: SimulatedDevice): Promise<void> {
  const events: JournalEvent[] = []
  const report = await verifyChain(device.store, { sha256, visit: (event) => events.push(event) })
  expect(report.finding, device.name).toBeUndefined()
  const rows: (readonly [string, string])[] = []
  for await (const some of device.store.range(STATE_RANGE)) rows.push(...some)
  const folded = [...allRows(fold(emptyState, events))].sort(([a], [b]) => (a < b ? -1 : 1))
  expectSame(
    `${device.name} folds to something else`,
    folded,
    rows.sort(([a], [b]) => (a < b ? -1 : 1)),
  )
  if (simulation.hasUnited) return
  for (const event of events) {
    // Names that the engine gave can meet although their users edited other names.
    if (event.type !== "conflict.decided" || /\.conflict\d+$/.test(event.path)) continue
    if (event.decision.rule !== "earlier") expectRivals(simulation, event.path)
  }
}

/** A conflict needs two who edited that path, or one above or below it. */
function expectRivals({ editors }: Simulation, path: string): void {
  const stem = path.replace(/\.conflict\d+$/, "")
  const rivals = new Set<string>()
  for (const [edited, who] of editors) {
    if ([path, stem].some((name) => edited === name || isBelow(edited, name) || isBelow(name, edited)))
      for (const name of who) rivals.add(name)
  }
  if (rivals.size < 2) throw new Error(`a conflict at ${path} that only ${[...rivals].join(" ")} edited`)
}
