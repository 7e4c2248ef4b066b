/**
 * `probe.json`: what the last probe found out about the remote's server, kept beside the journal.
 *
 * It is a memory and no promise: a probe is made again after a week, and at once where the remote is reached at
 * another address. What cannot be read is as if it had never been asked.
 */

import { readFileSync } from "node:fs"
import { join } from "node:path"
import type { SyncError } from "../model/errors.ts"
import type { Result } from "../model/result.ts"
import type { Tier, Verdict } from "../store/verdict.ts"
import { writePrivate } from "./config.ts"

export interface ProbeRecord {
  /** The remote's whole URL, with the endpoint. */
  readonly url: string
  readonly atMs: number
  readonly verdict: Verdict
}

export const PROBE_AGE_MS_MAX = 7 * 24 * 3_600_000

function probeFile(directory: string): string {
  return join(directory, "probe.json")
}

export function readProbe(directory: string): ProbeRecord | undefined {
  try {
    return parseRecord(JSON.parse(readFileSync(probeFile(directory), "utf8")))
  } catch {
    return undefined
  }
}

export function writeProbe(directory: string, { url, atMs, verdict }: ProbeRecord): Result<void, SyncError> {
  const text = JSON.stringify({ schema: "bm.probe/1", url, at: new Date(atMs).toISOString(), verdict })
  return writePrivate(probeFile(directory), `${text}\n`)
}

/** A clock that went back makes it old as well. */
export function isStale({ atMs }: ProbeRecord, nowMs: number): boolean {
  return nowMs < atMs || nowMs - atMs > PROBE_AGE_MS_MAX
}

function parseRecord(value: unknown): ProbeRecord | undefined {
  const { schema, url, at, verdict } = (value ?? {}) as Readonly<Record<string, unknown>>
  if (schema !== "bm.probe/1" || typeof url !== "string" || typeof at !== "string" || !isVerdict(verdict))
    return undefined
  const atMs = Date.parse(at)
  return Number.isFinite(atMs) ? { url, atMs, verdict } : undefined
}

const TIERS: readonly string[] = ["A", "B", "C", "D"] satisfies readonly Tier[]

function isVerdict(value: unknown): value is Verdict {
  const { tier, etagForm, completes, copies, refusesLate, hasFileBesideDirectory, findings } = (value ??
    {}) as Readonly<Record<string, unknown>>
  return (
    typeof tier === "string" &&
    TIERS.includes(tier) &&
    (etagForm === "quoted" || etagForm === "bare") &&
    (copies === "if_none_match" || copies === "by_parts" || copies === "none") &&
    [completes, refusesLate, hasFileBesideDirectory].every((each) => typeof each === "boolean") &&
    typeof findings === "object" &&
    findings !== null
  )
}
