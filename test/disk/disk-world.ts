/** A disk under test, the hands of somebody else who changes files behind its back, and how to look at answers. */

import type { Disk, DiskStat } from "../../src/disk/disk.ts"
import type { Result } from "../../src/model/result.ts"

export interface DiskWorld {
  readonly disk: Disk
  /** Writes in place and makes the parents it needs. */
  write(path: string, text: string): void
  /** A link to the directory `elsewhere`, which holds `secret.md`. */
  putSymlink(path: string): void
  putSpecial(path: string): void
  close(): void
}

export const bytesOf = (text: string) => new TextEncoder().encode(text)

export function mustHave<T>(result: Result<T, unknown>): T {
  if (!result.ok) throw new Error(`unexpected failure ${JSON.stringify(result.error)}`)
  return result.value
}

export async function textAt(disk: Disk, path: string): Promise<string> {
  return new TextDecoder().decode(mustHave(await disk.readFile(path)).bytes)
}

export async function* piecesOf(texts: readonly string[]): AsyncGenerator<Uint8Array> {
  for (const text of texts) yield bytesOf(text)
}

export async function errnoOf(result: Promise<Result<unknown, { errno: string }>>): Promise<string> {
  const settled = await result
  return settled.ok ? "ok" : settled.error.errno
}

export async function drain(
  disk: Disk,
  path: string,
): Promise<{ text: string; before: DiskStat; after: DiskStat }> {
  const stream = disk.streamFile(path)
  const pieces: Uint8Array[] = []
  for (;;) {
    const next = await stream.next()
    if (next.done === true) return { text: Buffer.concat(pieces).toString(), ...next.value }
    pieces.push(next.value)
  }
}

/** What a group of rules gets; both are made anew for each test. */
export interface Get {
  world(): DiskWorld
  disk(): Disk
}
