/**
 * Turns what the system throws into a value: its own word for it, such as `EACCES`.
 *
 * Only errors that have such a word become values; any other is our failure and goes on as it is.
 */

import { err, ok, type Result } from "./result.ts"

export function attempt<T>(work: () => T): Result<T, string> {
  try {
    return ok(work())
  } catch (error) {
    const isSystemError = error instanceof Error && "errno" in error && "code" in error
    if (!isSystemError || typeof error.code !== "string") throw error
    return err(error.code)
  }
}

/** Of an error that is known to be the system's. */
export function wordOf(error: Error): string {
  return "code" in error && typeof error.code === "string" ? error.code : "EIO"
}
