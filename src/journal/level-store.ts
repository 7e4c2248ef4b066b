/**
 * The journal's database: LevelDB through the package `level`. One process at a time; that is also the run's lock.
 *
 * What LevelDB finds damaged comes out as `StoreDamaged`, so that it can be told from a bug.
 */

import { Level } from "level"
import type { KeyValueStore } from "../model/ports.ts"
import { err, ok, type Result } from "../model/result.ts"
import { StoreDamaged, StoreFailed } from "./store-trouble.ts"

export type OpenProblem =
  | { readonly kind: "locked" }
  | { readonly kind: "damaged"; readonly why: string }
  | { readonly kind: "io"; readonly errno: string }

const ROWS_AT_ONCE = 1000

export async function openLevelStore(
  directory: string,
  options: { readonly createIfMissing: boolean },
): Promise<Result<KeyValueStore, OpenProblem>> {
  const level = new Level<string, string>(directory, {
    keyEncoding: "utf8",
    valueEncoding: "utf8",
    createIfMissing: options.createIfMissing,
  })
  try {
    await level.open()
  } catch (error) {
    return err(openProblem(error))
  }
  return ok(storeOver(level))
}

function storeOver(level: Level<string, string>): KeyValueStore {
  return {
    get: (key) => guardDamage(() => level.get(key)),
    async write(changes, { sync }) {
      const operations = changes.map(({ key, value }) =>
        value === undefined ? ({ type: "del", key } as const) : ({ type: "put", key, value } as const),
      )
      await guardDamage(() => level.batch(operations, { sync }))
    },
    async *range({ from, before, reverse = false, limit = -1 }) {
      const iterator = level.iterator({ gte: from, lt: before, reverse, limit })
      try {
        for (;;) {
          const rows = await guardDamage(() => iterator.nextv(ROWS_AT_ONCE))
          if (rows.length === 0) return
          yield rows
        }
      } finally {
        await iterator.close()
      }
    },
    close: () => level.close(),
  }
}

async function guardDamage<T>(attempt: () => Promise<T>): Promise<T> {
  try {
    return await attempt()
  } catch (error) {
    const { code, message } = causeOf(error)
    if (code === "LEVEL_CORRUPTION" || /corruption|checksum/i.test(message))
      throw new StoreDamaged(message, { cause: error })
    if (code === "LEVEL_IO_ERROR" || /IO error/i.test(message)) throw new StoreFailed(errnoOf(message))
    throw error
  }
}

function openProblem(error: unknown): OpenProblem {
  const { code, message } = causeOf(error)
  if (code === "LEVEL_LOCKED" || /lock/i.test(message)) return { kind: "locked" }
  if (code === "LEVEL_CORRUPTION" || /corruption|does not exist|checksum|missing|no such file/i.test(message))
    return { kind: "damaged", why: shortened(message) }
  return { kind: "io", errno: errnoOf(message) }
}

function causeOf(error: unknown): { readonly code: string; readonly message: string } {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error
  if (!(cause instanceof Error)) return { code: "", message: String(cause) }
  return { code: "code" in cause ? String(cause.code) : "", message: cause.message }
}

function errnoOf(message: string): string {
  if (/no space left/i.test(message)) return "ENOSPC"
  if (/permission denied/i.test(message)) return "EACCES"
  if (/read-only/i.test(message)) return "EROFS"
  return "EIO"
}

/** LevelDB's message without the paths in it. */
function shortened(message: string): string {
  return message.replace(/\S*\/\S*/g, "…").slice(0, 200)
}
