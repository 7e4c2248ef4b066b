/**
 * The epoch of a remote as one small text: its id, its mode, the chain of writing runs, the devices that wrote. PURE.
 *
 * Every remote that is no folder keeps it so. Old pairs are thinned (all of the last 1,000, every 16th of the 16,000
 * before, every 256th of the 256,000 before), so a restore inside one thinned gap is not seen.
 */

import { isKeptPair } from "../model/epoch-chain.ts"
import type { DeviceId } from "../model/ids.ts"
import type { Epoch } from "../model/ports.ts"
import type { EpochPair } from "../model/state.ts"

export const EPOCH_KEY = ".basic-memory/bisync/epoch.json"
const SCHEMA = "bm.epoch/1"

export interface EpochText {
  readonly id: string
  readonly mode: Epoch["mode"]
  /** When one device switched it to a lease; others of us may write by the old mode for ten minutes more. */
  readonly leaseSinceMs?: number
  readonly pairs: readonly EpochPair[]
  /** When each device last wrote to the remote, Unix milliseconds. */
  readonly devices: Readonly<Record<string, { readonly name: string; readonly wroteMs: number }>>
}

export function newEpoch(id: string, mode: Epoch["mode"]): EpochText {
  return { id, mode, pairs: [], devices: {} }
}

export function withPair(
  epoch: EpochText,
  added: {
    readonly nonce: string
    readonly device: DeviceId
    readonly deviceName: string
    readonly nowMs: number
  },
): { readonly epoch: EpochText; readonly pair: EpochPair } {
  const { nonce, device, deviceName, nowMs } = added
  const counter = (epoch.pairs.at(-1)?.counter ?? 0) + 1
  const pair = { counter, nonce, device }
  return {
    pair,
    epoch: {
      ...epoch,
      pairs: [...epoch.pairs.filter((each) => isKeptPair(each.counter, counter)), pair],
      devices: { ...epoch.devices, [device]: { name: deviceName, wroteMs: Math.round(nowMs) } },
    },
  }
}

/** What a device that knows these counters has to hear. */
export function toEpoch({ id, mode, pairs }: EpochText, known: readonly number[]): Epoch {
  const newestKnown = Math.max(0, ...known)
  const isKnown = new Set(known)
  return { id, mode, chain: pairs.filter(({ counter }) => counter > newestKnown || isKnown.has(counter)) }
}

export function formatEpoch({ id, mode, leaseSinceMs, pairs, devices }: EpochText): string {
  const chain = pairs.map(({ counter, nonce, device }) => [counter, nonce, device])
  return `${JSON.stringify({ schema: SCHEMA, id, mode, leaseSinceMs, devices, chain })}\n`
}

/** Nothing where the text is no epoch. */
export function parseEpoch(text: string): EpochText | undefined {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return undefined
  }
  if (typeof value !== "object" || value === null) return undefined
  const { schema, id, mode, leaseSinceMs, chain, devices } = value as Record<string, unknown>
  if (schema !== SCHEMA || typeof id !== "string" || !/^[\w.-]{1,100}$/.test(id)) return undefined
  if ((mode !== "conditional" && mode !== "lease") || !Array.isArray(chain)) return undefined
  const pairs: EpochPair[] = []
  for (const each of chain as readonly unknown[]) {
    const pair = parsePair(each, pairs.at(-1)?.counter ?? 0)
    if (pair === undefined) return undefined
    pairs.push(pair)
  }
  const since = typeof leaseSinceMs === "number" ? { leaseSinceMs } : {}
  return { id, mode, ...since, pairs, devices: parseDevices(devices) }
}

function parsePair(value: unknown, after: number): EpochPair | undefined {
  if (!Array.isArray(value)) return undefined
  const [counter, nonce, device] = value as readonly unknown[]
  if (typeof counter !== "number" || !Number.isSafeInteger(counter) || counter <= after) return undefined
  if (typeof nonce !== "string" || typeof device !== "string") return undefined
  return { counter, nonce, device: device as DeviceId }
}

function parseDevices(value: unknown): EpochText["devices"] {
  if (typeof value !== "object" || value === null) return {}
  const devices: Record<string, { name: string; wroteMs: number }> = Object.create(null)
  for (const [id, each] of Object.entries(value as Record<string, unknown>)) {
    const { name, wroteMs } = (each ?? {}) as Record<string, unknown>
    if (typeof name === "string" && typeof wroteMs === "number") devices[id] = { name, wroteMs }
  }
  return devices
}
