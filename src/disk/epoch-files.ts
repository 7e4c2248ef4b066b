/**
 * The epoch of a remote folder: who it is, and the chain of writing runs, as small files that are never replaced.
 *
 * Two devices that append at the same moment try to create the same number; exactly one succeeds, the other takes the
 * next. Old pairs are thinned (all of the last 1,000, every 16th of the 16,000 before, every 256th of the 256,000
 * before), so a restore inside one thinned gap is not seen.
 */

import { isKeptPair } from "../model/epoch-chain.ts"
import type { Trouble } from "../model/errors.ts"
import type { DeviceId } from "../model/ids.ts"
import type { Epoch } from "../model/ports.ts"
import { err, ok, type Result } from "../model/result.ts"
import type { EpochPair } from "../model/state.ts"
import { parentOf } from "../model/path.ts"
import type { Disk, DiskError } from "./disk.ts"
import { EPOCH_DIRECTORY, EPOCH_FILE, TEMP_DIRECTORY } from "./layout.ts"
import { troubleOf } from "./trouble.ts"

const APPEND_ATTEMPTS_MAX = 1000

export async function readEpochFiles(
  disk: Disk,
  known: readonly number[],
): Promise<Result<Epoch | undefined, Trouble>> {
  const file = await disk.readFile(EPOCH_FILE)
  if (!file.ok)
    return file.error.errno === "ENOENT" || file.error.errno === "ENOTDIR"
      ? ok(undefined)
      : err(troubleOf(file.error))
  const head = parseObject(file.value.bytes)
  if (typeof head?.id !== "string" || (head.mode !== "conditional" && head.mode !== "lease"))
    return err({ code: "io", path: EPOCH_FILE, detail: "unreadable" })
  const counters = await listCounters(disk)
  if (!counters.ok) return counters
  const isKnown = new Set(known)
  const newestKnown = Math.max(0, ...known)
  const chain: EpochPair[] = []
  for (const counter of counters.value) {
    if (counter <= newestKnown && !isKnown.has(counter)) continue
    const pair = await readPair(disk, counter)
    if (!pair.ok) return pair
    if (pair.value !== undefined) chain.push(pair.value)
  }
  return ok({ id: head.id, mode: head.mode, chain })
}

export async function createEpochFiles(disk: Disk, id: string): Promise<Result<void, Trouble>> {
  const made = await disk.makeDirectory(EPOCH_DIRECTORY)
  if (!made.ok) return err(troubleOf(made.error))
  const text = `${JSON.stringify({ schema: "bm.epoch/1", id, mode: "conditional" })}\n`
  const created = await createWhole(disk, { file: EPOCH_FILE, temp: `${TEMP_DIRECTORY}/${id}`, text })
  if (!created.ok) return err(troubleOf(created.error))
  const synced = await disk.syncDirectories([
    EPOCH_DIRECTORY,
    EPOCH_FILE.slice(0, EPOCH_FILE.lastIndexOf("/")),
  ])
  return synced.ok ? synced : err(troubleOf(synced.error))
}

export async function appendEpochFile(
  disk: Disk,
  pair: { readonly nonce: string; readonly device: DeviceId },
): Promise<Result<EpochPair, Trouble>> {
  const counters = await listCounters(disk)
  if (!counters.ok) return counters
  const first = (counters.value.at(-1) ?? 0) + 1
  for (let counter = first; counter < first + APPEND_ATTEMPTS_MAX; counter++) {
    const created = await createWhole(disk, {
      file: pairFile(counter),
      temp: `${TEMP_DIRECTORY}/${pair.device}/${pair.nonce}`,
      text: `${JSON.stringify(pair)}\n`,
    })
    if (!created.ok && created.error.errno === "EEXIST") continue
    if (!created.ok) return err(troubleOf(created.error))
    const synced = await disk.syncDirectories([EPOCH_DIRECTORY])
    if (!synced.ok) return err(troubleOf(synced.error))
    await thin(disk, counters.value, counter)
    return ok({ ...pair, counter })
  }
  return err({ code: "io", path: EPOCH_DIRECTORY, detail: "no free number" })
}

/** A crash leaves the whole file or none: everybody reads these, and nobody would dare to replace a torn one. */
async function createWhole(
  disk: Disk,
  { file, temp, text }: { readonly file: string; readonly temp: string; readonly text: string },
): Promise<Result<void, DiskError>> {
  const made = await disk.makeDirectory(parentOf(temp))
  if (!made.ok) return made
  const created = await disk.createFile(temp, Buffer.from(text))
  if (!created.ok) return created
  const linked = await disk.link(temp, file)
  await disk.unlink(temp)
  return linked
}

async function thin(disk: Disk, counters: readonly number[], newest: number): Promise<void> {
  for (const counter of counters) if (!isKeptPair(counter, newest)) await disk.unlink(pairFile(counter))
}

async function listCounters(disk: Disk): Promise<Result<readonly number[], Trouble>> {
  const entries = await disk.readDirectory(EPOCH_DIRECTORY)
  if (!entries.ok) return entries.error.errno === "ENOENT" ? ok([]) : err(troubleOf(entries.error))
  return ok(entries.value.filter(({ name }) => /^\d{12}$/.test(name)).map(({ name }) => Number(name)))
}

/** Nothing where another device thinned the chain just now. */
async function readPair(disk: Disk, counter: number): Promise<Result<EpochPair | undefined, Trouble>> {
  const file = await disk.readFile(pairFile(counter))
  if (!file.ok) return file.error.errno === "ENOENT" ? ok(undefined) : err(troubleOf(file.error))
  const pair = parseObject(file.value.bytes)
  if (typeof pair?.nonce !== "string" || typeof pair.device !== "string")
    return err({ code: "io", path: pairFile(counter), detail: "unreadable" })
  return ok({ counter, nonce: pair.nonce, device: pair.device as DeviceId })
}

function pairFile(counter: number): string {
  return `${EPOCH_DIRECTORY}/${String(counter).padStart(12, "0")}`
}

function parseObject(bytes: Uint8Array): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(new TextDecoder().decode(bytes))
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : undefined
  } catch {
    return undefined
  }
}
