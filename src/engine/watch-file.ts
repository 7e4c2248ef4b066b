/**
 * The heartbeat of a watcher: a small file beside the journal that says who watches, when the next run is, and whether it
 * waits for the user. `bm cloud status` reads it; a process that is gone watches no more, whatever the file says.
 */

import { rmSync } from "node:fs"
import { join } from "node:path"
import type { ManagerName } from "../watch/service.ts"
import { readIfThere, writePrivate } from "./config.ts"

export interface Heartbeat {
  readonly schema: "bm.watch/1"
  readonly pid: number
  readonly host: string
  readonly interval_s: number
  /** Null where it is not known, as in a pause without an end. */
  readonly next_at: string | null
  /** What started it, where that is a manager of services. */
  readonly service: ManagerName | null
  /** What the user is waited for: the error's first line, and the way on. */
  readonly blocked: {
    readonly message: string
    readonly command: string | null
    readonly plan: string | null
  } | null
}

export function writeHeartbeat(directory: string, beat: Heartbeat): void {
  writePrivate(fileOf(directory), `${JSON.stringify(beat)}\n`, { isDurable: false })
}

/** A moment that no calendar has, as the end of what has none, is no time. */
export function timeOrNull(ms: number): string | null {
  const at = new Date(ms)
  return Number.isNaN(at.getTime()) ? null : at.toISOString()
}

export function removeHeartbeat(directory: string): void {
  rmSync(fileOf(directory), { force: true })
}

/** As it was left: whoever reads it looks whether that process lives. */
export function readHeartbeat(directory: string): Heartbeat | undefined {
  return parse(readIfThere(fileOf(directory)))
}

function parse(text: string | undefined): Heartbeat | undefined {
  try {
    const value: unknown = JSON.parse(text ?? "")
    return typeof value === "object" && value !== null && "schema" in value && value.schema === "bm.watch/1"
      ? (value as Heartbeat)
      : undefined
  } catch {
    return undefined
  }
}

function fileOf(directory: string): string {
  return join(directory, "watch.json")
}
