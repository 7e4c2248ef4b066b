/**
 * Turns what the system throws into values, at the one line where a disk's method begins.
 *
 * Only the system's own errors (those with an errno) and `DiskFailure` become values; anything else is our
 * failure and goes on as it is. Below this line plain exceptions are used, so that `finally` closes handles.
 */

import { err, ok, type Result } from "../model/result.ts"
import { type DiskError, DiskFailure } from "./disk.ts"

/** The system's name for what went wrong; `undefined` where it was not the system that spoke. */
export function errnoOf(error: unknown): string | undefined {
  if (error instanceof DiskFailure) return error.diskError.errno
  const isSystemError = error instanceof Error && "errno" in error && "code" in error
  return isSystemError && typeof error.code === "string" ? error.code : undefined
}

export function failure(errno: string, path: string): DiskFailure {
  return new DiskFailure({ errno, path })
}

/** Gives a system's error the path that was asked for, never the one the system was given. */
export function failureFrom(error: unknown, path: string): unknown {
  if (error instanceof DiskFailure) return error
  const errno = errnoOf(error)
  return errno === undefined ? error : failure(errno, path)
}

export async function attempt<T>(
  path: string,
  operation: () => T | Promise<T>,
): Promise<Result<T, DiskError>> {
  try {
    return ok(await operation())
  } catch (error) {
    const failed = failureFrom(error, path)
    if (failed instanceof DiskFailure) return err(failed.diskError)
    throw failed
  }
}
