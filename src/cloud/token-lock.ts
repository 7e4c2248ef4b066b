/**
 * A lock beside the token file: one process at a time uses up a refresh token, or writes what it got for one.
 *
 * Most services take a refresh token once, and end the login where it comes again. The lock only spares them that: it
 * promises nothing, for where it cannot be made, or its owner does not come back, the work is done without it.
 */

import { randomBytes } from "node:crypto"
import { closeSync, mkdirSync, openSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs"
import { dirname } from "node:path"
import type { Clock } from "../model/ports.ts"

export interface LockDeps {
  readonly clock: Clock
  readonly sleep: (ms: number) => Promise<void>
}

/** Longer than the one request that is made under it may take. */
const LOCK_AGE_MS_MAX = 40_000
const STEP_MS = 100
const STEPS_MAX = LOCK_AGE_MS_MAX / STEP_MS
const PRIVATE_FILE = 0o600
const PRIVATE_DIRECTORY = 0o700

export function lockFile(file: string): string {
  return `${file}.lock`
}

export async function withTokenLock<T>(deps: LockDeps, file: string, work: () => Promise<T>): Promise<T> {
  const lock = lockFile(file)
  const name = randomBytes(16).toString("hex")
  const isOurs = await take(deps, lock, name)
  try {
    return await work()
  } finally {
    if (isOurs) release(lock, name)
  }
}

async function take(deps: LockDeps, lock: string, name: string): Promise<boolean> {
  for (let step = 0; step < STEPS_MAX; step++) {
    const made = create(lock, name)
    if (made !== "taken") return made === "made"
    if (isAbandoned(lock, deps.clock.nowMs())) remove(lock)
    else await deps.sleep(STEP_MS)
  }
  return false
}

function create(lock: string, name: string): "made" | "taken" | "impossible" {
  if (!hasDirectory(dirname(lock))) return "impossible"
  try {
    const fd = openSync(lock, "wx", PRIVATE_FILE)
    try {
      writeFileSync(fd, name)
    } finally {
      closeSync(fd)
    }
    return "made"
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "EEXIST" ? "taken" : "impossible"
  }
}

function hasDirectory(directory: string): boolean {
  try {
    mkdirSync(directory, { recursive: true, mode: PRIVATE_DIRECTORY })
    return true
  } catch {
    return false
  }
}

/** Gone in the meantime is not abandoned: it is free. A clock that was set back makes it old as well. */
function isAbandoned(lock: string, nowMs: number): boolean {
  try {
    return Math.abs(nowMs - statSync(lock).mtimeMs) > LOCK_AGE_MS_MAX
  } catch {
    return false
  }
}

/** Unless somebody thought us gone and has it now. */
function release(lock: string, name: string): void {
  try {
    if (readFileSync(lock, "utf8") === name) rmSync(lock)
  } catch {
    // Gone, or not to be removed: it grows old.
  }
}

function remove(lock: string): void {
  try {
    rmSync(lock)
  } catch {
    // Somebody else was faster, or nobody can.
  }
}
