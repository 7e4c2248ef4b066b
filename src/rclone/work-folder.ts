/**
 * The folder from which rclone takes what it uploads: one private file for each upload, gone when that is done.
 *
 * What a crash left is removed a day later.
 */

import { mkdirSync, readdirSync, rmSync, statSync } from "node:fs"
import { open, rm, utimes } from "node:fs/promises"
import { join } from "node:path"
import { ContentLost } from "../model/ports.ts"
import { err } from "../model/result.ts"
import type { Answer, Body } from "../store/store.ts"

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
  let isMade = false
  return {
    path,
    async withFile({ name, body, mtimeMs }, use) {
      if (!isMade) mkdirSync(path, { recursive: true, mode: 0o700 })
      isMade = true
      const file = join(path, name)
      try {
        await fill(file, body)
        await utimes(file, mtimeMs / 1000, mtimeMs / 1000)
        return await use()
      } catch (error) {
        if (error instanceof ContentLost || !isSystemError(error)) throw error
        return err({ kind: "unreachable", detail: error.code })
      } finally {
        await rm(file, { force: true })
      }
    },
    close: () => rmSync(path, { recursive: true, force: true }),
  }
}

function removeLeftovers(parent: string, nowMs: number): void {
  for (const name of namesIn(parent)) {
    const path = join(parent, name)
    const at = statSync(path, { throwIfNoEntry: false })
    if (at !== undefined && nowMs - at.mtimeMs > LEFTOVER_MS) rmSync(path, { recursive: true, force: true })
  }
}

function namesIn(directory: string): readonly string[] {
  try {
    return readdirSync(directory)
  } catch {
    return []
  }
}

async function fill(file: string, body: Body): Promise<void> {
  const handle = await open(file, "wx", 0o600)
  try {
    if (body.kind === "bytes") await handle.writeFile(body.bytes)
    else for await (const piece of body.open()) await handle.writeFile(piece)
  } finally {
    await handle.close()
  }
}

function isSystemError(error: unknown): error is Error & { readonly code: string } {
  return error instanceof Error && "code" in error && typeof error.code === "string"
}
