/**
 * The folder from which rclone takes what it uploads: one private file for each upload, gone when that is done.
 *
 * What a crash left is removed a day later.
 */

import { mkdirSync, readdirSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs"
import { writeFile } from "node:fs/promises"
import { join } from "node:path"
import { ContentLost } from "../model/ports.ts"
import { err } from "../model/result.ts"
import type { Answer, Body } from "../store/store.ts"
import { attempt } from "../model/attempt.ts"

const LEFTOVER_MS = 24 * 3_600_000

export interface WorkFolder {
  readonly path: string
  /** Writes a file with the user's time, hands out its name while `use` is at work, and removes it. */
  withFile<T>(
    file: { readonly name: string; readonly body: Body; readonly mtimeMs: number },
    use: () => Answer<T>,
  ): Answer<T>
  close(): void
}

/** Several processes of one device may be at work beside each other, so each has a folder of its own in `parent`. */
export function openWorkFolder(
  parent: string,
  at: { readonly name: string; readonly nowMs: number },
): WorkFolder {
  const path = join(parent, at.name)
  removeLeftovers(parent, at.nowMs)
  return {
    path,
    async withFile({ name, body, mtimeMs }, use) {
      try {
        mkdirSync(path, { recursive: true, mode: 0o700 })
        return await withNewFile(join(path, name), { body, mtimeMs }, use)
      } catch (error) {
        if (error instanceof ContentLost || !isSystemError(error)) throw error
        return err({ kind: "unreachable", detail: error.code })
      }
    },
    close: () => void attempt(() => rmSync(path, { recursive: true, force: true })),
  }
}

/** What cannot be removed stays; nobody has to wait for that. */
function removeLeftovers(parent: string, nowMs: number): void {
  for (const name of namesIn(parent))
    attempt(() => {
      const path = join(parent, name)
      const at = statSync(path, { throwIfNoEntry: false })
      if (at !== undefined && nowMs - at.mtimeMs > LEFTOVER_MS) rmSync(path, { recursive: true, force: true })
    })
}

/** A new file, which is removed in the end. Small ones are written at once: that is less work than to wait for it. */
async function withNewFile<T>(
  file: string,
  { body, mtimeMs }: { readonly body: Body; readonly mtimeMs: number },
  use: () => Promise<T>,
): Promise<T> {
  try {
    if (body.kind === "bytes") writeFileSync(file, body.bytes, NEW)
    else await writeFile(file, body.open(), NEW)
    utimesSync(file, mtimeMs / 1000, mtimeMs / 1000)
    return await use()
  } finally {
    rmSync(file, { force: true })
  }
}

const NEW = { flag: "wx", mode: 0o600 } as const

function namesIn(directory: string): readonly string[] {
  try {
    return readdirSync(directory)
  } catch {
    return []
  }
}

function isSystemError(error: unknown): error is Error & { readonly code: string } {
  return error instanceof Error && "code" in error && typeof error.code === "string"
}
