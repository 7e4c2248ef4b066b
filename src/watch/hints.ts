/**
 * Hints that something changed below a directory. A hint says no more than that: what changed a run finds by itself.
 *
 * Events get lost where many come at once, and some systems have none. That is why a watcher runs at intervals too, and
 * why trouble here is told once and is no reason to stop.
 */

import { relative, sep } from "node:path"

export interface Hints {
  close(): Promise<void>
}

export interface HintsOptions {
  readonly directory: string
  /** A path relative to the directory, with slashes. */
  readonly ignores: (path: string) => boolean
  readonly onHint: () => void
  /** The system's word, such as `ENOSPC` where it watches no more directories. */
  readonly onTrouble: (word: string) => void
}

/** Where programs keep what is nobody's note. */
const NEVER = new Set([".git", ".basic-memory"])

/** Answers when the directories that are there are watched. */
export async function openHints({ directory, ignores, onHint, onTrouble }: HintsOptions): Promise<Hints> {
  const { watch } = await import("chokidar")
  const isIgnored = (path: string): boolean => {
    const below = relative(directory, path).split(sep).join("/")
    if (below === "" || below.startsWith("..")) return false
    return NEVER.has(below.split("/")[0] ?? "") || ignores(below)
  }
  const watcher = watch(directory, {
    ignored: isIgnored,
    ignoreInitial: true,
    followSymlinks: false,
    // A run compares by itself; waiting for a file to grow no more would only delay it.
    awaitWriteFinish: false,
    atomic: false,
  })
  watcher.on("all", onHint)
  watcher.on("error", (error) => onTrouble(wordOf(error)))
  await new Promise<void>((resolve) => watcher.once("ready", () => resolve()))
  return { close: () => watcher.close() }
}

function wordOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "unknown"
}
