/**
 * Hints that something changed below a directory. A hint says no more than that: what changed a run finds by itself.
 *
 * Events get lost where many come at once, and some systems have none. That is why a watcher runs at intervals too, and
 * why trouble here is told once and is no reason to stop.
 */

import type { Stats } from "node:fs"
import { relative, sep } from "node:path"

export interface Hints {
  close(): Promise<void>
}

export interface HintsOptions {
  readonly directory: string
  /** Of a path relative to the directory, with slashes. */
  readonly ignoresDirectory: (path: string) => boolean
  readonly ignoresFile: (path: string) => boolean
  /** With the path, relative to the directory and with slashes, where all that is known is that one file came or changed. */
  readonly onHint: (path?: string) => void
  /** The system's word, each once, such as `ENOSPC` where it watches no more directories. */
  readonly onTrouble: (word: string) => void
}

/** Where programs keep what is nobody's note. */
const NEVER = new Set([".git", ".basic-memory"])

/**
 * A file that went is no such event: it may be half of a save by renaming, and within a tenth of a second chokidar tells
 * only once that a name went, so what is told of the other half may be missing.
 */
const FILE_EVENTS: ReadonlySet<string> = new Set(["add", "change"])

function pathIn(directory: string, path: string): string {
  return relative(directory, path).split(sep).join("/")
}

/** Answers when the directories that are there are watched. */
export async function openHints(options: HintsOptions): Promise<Hints> {
  const { directory, ignoresDirectory, ignoresFile, onHint, onTrouble } = options
  const { watch } = await import("chokidar")
  const told = new Set<string>()
  // What it is, is not always known: then it is ignored only if it is in either case.
  const isIgnored = (path: string, stat?: Stats): boolean => {
    const below = pathIn(directory, path)
    if (below === "" || below.startsWith("..")) return false
    if (NEVER.has(below.split("/")[0] ?? "")) return true
    if (stat?.isDirectory() === true) return ignoresDirectory(below)
    return ignoresFile(below) && (stat !== undefined || ignoresDirectory(below))
  }
  const watcher = watch(directory, {
    ignored: isIgnored,
    ignoreInitial: true,
    followSymlinks: false,
    // A run compares by itself; waiting for a file to grow no more would only delay it.
    awaitWriteFinish: false,
    atomic: false,
    // What may not be read is not synced either, and the run says so.
    ignorePermissionErrors: true,
  })
  watcher.on("all", (event, path) => onHint(FILE_EVENTS.has(event) ? pathIn(directory, path) : undefined))
  watcher.on("error", (error) => {
    const word = wordOf(error)
    if (!told.has(word)) onTrouble(word)
    told.add(word)
  })
  await new Promise<void>((resolve) => watcher.once("ready", () => resolve()))
  return { close: () => watcher.close() }
}

function wordOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "unknown"
}
