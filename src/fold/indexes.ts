/**
 * Where to find events again: keys that each event adds to the database, and never takes back. PURE.
 *
 *     i!run!<run>!<sequence>     its start, actions, decisions and end      i!path!<path>\0<sequence>   what happened to a path
 *     i!conflict!<id>!<sequence> what became of a conflict                  i!start!<sequence> → run    runs in order
 *     i!kept!<hash> → object     where a version is in the history store
 */

import type { JournalEvent } from "../model/event.ts"
import type { Sequence } from "../model/ids.ts"
import type { KeyChange } from "../model/ports.ts"

export const INDEX_RANGE = { from: "i!", before: 'i"' }

export function indexChanges(event: JournalEvent): readonly KeyChange[] {
  const keys: KeyChange[] = []
  const put = (key: string, value = "") => keys.push({ key, value })
  if (event.run !== undefined && belongsToRun(event)) put(`${runPrefix(event.run)}${sequenceText(event.seq)}`)
  if (event.type === "run.started" && event.run !== undefined)
    put(`i!start!${sequenceText(event.seq)}`, event.run)
  if (event.type === "side.listed" && event.settles !== undefined && event.run !== undefined)
    put(`i!idle!${sequenceText(event.seq)}`, event.run)
  for (const path of pathsOf(event)) put(`${pathPrefix(path)}${sequenceText(event.seq)}`)
  if (event.type === "conflict.decided" || event.type === "conflict.resolved")
    put(`${conflictPrefix(event.conflict)}${sequenceText(event.seq)}`)
  if ((event.type === "undone" || event.type === "undo.decided") && event.target.kind === "conflict") {
    put(`${conflictPrefix(event.target.conflict)}${sequenceText(event.seq)}`)
  }
  if (event.type === "undone" && (event.target.kind === "run" || event.target.kind === "event")) {
    put(`${runPrefix(event.target.run)}${sequenceText(event.seq)}`)
  }
  if (event.type === "history.kept") for (const [hash, oid] of event.items) put(keptKey(hash), oid)
  return keys
}

function belongsToRun(event: JournalEvent): boolean {
  switch (event.type) {
    case "run.started":
    case "run.finished":
    case "planned":
    case "done":
    case "failed":
    case "skipped":
    case "conflict.decided":
    case "undo.decided":
    case "undone":
    case "history.recorded":
    case "union.started":
      return true
    default:
      return false
  }
}

function pathsOf(event: JournalEvent): readonly string[] {
  switch (event.type) {
    case "done":
      return [
        ...new Set([
          event.path,
          ...(event.to === undefined ? [] : [event.to]),
          ...event.after.map(({ path }) => path),
        ]),
      ]
    case "agreed":
      return event.items.map(({ path }) => path)
    case "conflict.decided":
      return [event.path]
    default:
      return []
  }
}

export function sequenceText(sequence: Sequence): string {
  return String(sequence).padStart(16, "0")
}

export function runPrefix(run: string): string {
  return `i!run!${run}!`
}

export const CONFLICTS_PREFIX = "i!conflict!"

export function conflictPrefix(conflict: string): string {
  return `${CONFLICTS_PREFIX}${conflict}!`
}

/** A NUL ends the path, because no path has one. */
export function pathPrefix(path: string): string {
  return `i!path!${path}\0`
}

export function keptKey(hash: string): string {
  return `i!kept!${hash}`
}

export const START_PREFIX = "i!start!"
export const IDLE_PREFIX = "i!idle!"

/** Everything that begins with a prefix. */
export function prefixRange(prefix: string): { readonly from: string; readonly before: string } {
  const last = prefix.charCodeAt(prefix.length - 1)
  return { from: prefix, before: prefix.slice(0, -1) + String.fromCharCode(last + 1) }
}
