/**
 * Exports the history: the events of the journal in their order, each with the hash of the one before and its own.
 *
 * The whole chain is followed before the first line, so an export that ends with `export.end` was taken from an intact
 * one. Where it is not, what lies before the damage is still handed out, without that end.
 */

import { randomBytes } from "node:crypto"
import { closeSync, openSync, renameSync, rmSync, writeSync } from "node:fs"
import type { SyncError } from "../model/errors.ts"
import type { EventOf, JournalEvent, RunKind } from "../model/event.ts"
import type { ContentHash, RunId, Sequence } from "../model/ids.ts"
import { err, ok, type Result } from "../model/result.ts"
import { decodeEvent, verifyChain } from "../journal/journal.ts"
import { EVENT_RANGE, eventKey } from "../journal/keys.ts"
import { errnoOf, type Place } from "./config.ts"
import { afterOf, pathsIn } from "./history-event.ts"
import { type HistoryAccess, type Span, spanOf, withHistory } from "./history-open.ts"
import { damageText } from "./store-errors.ts"
import type { Ledger } from "./ledger.ts"
import { pathPattern } from "./path-pattern.ts"
import { sha256 } from "./session.ts"
import type { When } from "./take-back.ts"

export interface ExportFilter {
  readonly since?: When
  readonly until?: When
  readonly path?: string
  readonly kind?: RunKind
}

/** One line of an export. Fields of `done` have the names that `history show` gives them, others those of the event. */
export type ExportRecord = Readonly<Record<string, unknown>> & {
  readonly schema: "bm.event/1"
  readonly type: string
  readonly seq: Sequence
  readonly at: string
  readonly device: string
  readonly prev: ContentHash
  readonly hash: ContentHash
}

export interface ExportEnd {
  readonly from: Sequence
  readonly to: Sequence
  readonly entries: number
  readonly head: ContentHash
  readonly anchoredTo: Sequence
}

/** Hands every record to `write`, until that answers false. */
export function exportHistory(
  place: Place,
  access: HistoryAccess,
  filter: ExportFilter,
  write: (record: ExportRecord) => Promise<boolean>,
): Promise<Result<ExportEnd, SyncError>> {
  return withHistory(place, access, async ({ ledger, device }) => {
    const span = await spanOf(ledger, filter)
    if (!span.ok) return span
    const chain = await followChain(ledger)
    const wanted: Wanted = { filter, span: span.value, upTo: chain.entries }
    let [from, to, entries] = [0, 0, 0]
    for await (const record of recordsIn(ledger, device.name, wanted)) {
      if (!(await write(record))) break
      if (entries === 0) from = record.seq
      to = record.seq
      entries += 1
    }
    if (chain.damage !== undefined) return err({ code: "journal_damaged", why: chain.damage })
    const { recordedSequence, marker } = ledger.state().root
    const anchoredTo = Math.max(recordedSequence, marker?.sequence ?? 0)
    return ok({ from, to, entries, head: ledger.head().hash, anchoredTo })
  })
}

async function followChain({
  journal,
}: Ledger): Promise<{ readonly entries: number; readonly damage?: string }> {
  let seen = 0
  try {
    const { entries, finding } = await verifyChain(journal.store, { sha256, visit: () => void seen++ })
    if (finding === undefined) return { entries }
    const { kind, at } = finding
    // A link that is broken behind an entry says that the entry itself may not be what was written.
    return {
      entries: kind === "broken_link" ? entries - 1 : entries,
      damage: `${kind.replace("_", " ")} at entry ${at}`,
    }
  } catch (error) {
    const damage = damageText(error)
    if (damage === undefined) throw error
    return { entries: Math.max(0, seen - 1), damage }
  }
}

interface Wanted {
  readonly filter: ExportFilter
  readonly span: Span
  readonly upTo: Sequence
}

/** From the first event on, because names and kinds are learned on the way. */
async function* recordsIn(ledger: Ledger, deviceName: string, wanted: Wanted): AsyncGenerator<ExportRecord> {
  const { filter, span, upTo } = wanted
  const pattern = filter.path === undefined ? undefined : pathPattern(filter.path)
  const kinds = new Map<RunId, RunKind>()
  let device = deviceName
  const range = { from: EVENT_RANGE.from, before: eventKey(Math.min(upTo, span.to) + 1) }
  for await (const rows of ledger.journal.store.range(range)) {
    for (const [, text] of rows) {
      const event = decodeEvent(text)
      if (event.type === "journal.created" || event.type === "device.renamed") device = event.deviceName
      if (event.type === "run.started" && event.run !== undefined) kinds.set(event.run, event.kind)
      if (event.seq < span.from) continue
      if (
        filter.kind !== undefined &&
        (event.run === undefined || (kinds.get(event.run) ?? "bisync") !== filter.kind)
      )
        continue
      if (pattern !== undefined && !pathsIn(event).some((path) => pattern.matches(path))) continue
      yield await recordOf(ledger, event, { device, hash: sha256(text) })
    }
  }
}

async function recordOf(
  ledger: Ledger,
  event: JournalEvent,
  about: { readonly device: string; readonly hash: ContentHash },
): Promise<ExportRecord> {
  const { seq, at, run, prev, type } = event
  const { device, hash } = about
  const place = { ...(run !== undefined && { run }), at, device }
  if (event.type === "done") {
    const id = `${run}.${event.number}`
    return {
      schema: "bm.event/1",
      type: "action.done",
      seq,
      id,
      ...place,
      ...(await doneFields(ledger, event)),
      prev,
      hash,
    }
  }
  const { seq: _, at: __, run: ___, prev: ____, type: _____, ...body } = event
  const totals = event.type === "run.finished" ? totalsOf(event) : {}
  return { schema: "bm.event/1", type, seq, ...place, ...totals, ...bodyFields(body), prev, hash }
}

/** As the last line of a run that is watched has them. */
function totalsOf({ counts, exit }: EventOf<"run.finished">): object {
  const { uploaded, downloaded, deletedLocal, deletedRemote, moved } = counts
  return { ok: exit === 0 || exit === 6, uploaded, downloaded, deleted: deletedLocal + deletedRemote, moved }
}

async function doneFields(ledger: Ledger, event: EventOf<"done">): Promise<object> {
  const { op, change, direction, path, to, reason, before, conflict, sizeBytes, intent, results, after } =
    event
  const kept = before === undefined ? undefined : await ledger.keptAt(before)
  return {
    op,
    change,
    direction,
    path,
    ...(to !== undefined && { to }),
    bytes: sizeBytes,
    reason,
    before: before ?? null,
    after: afterOf(event) ?? null,
    kept: kept === undefined ? null : `git:${kept}`,
    ...(conflict !== undefined && { conflict }),
    intent,
    results: snakeCased(results),
    agreed: snakeCased(after),
  }
}

/** A line's `device` is a name; where the event itself is about a device, that is its id. */
function bodyFields(body: object): object {
  const fields = snakeCased(body) as Record<string, unknown>
  const { device: id, device_name: _, ...rest } = fields
  return id === undefined ? fields : { ...rest, device_id: id }
}

/** Names of fields as JSON documents of `bm` write them. No event has fields that are named by the user. */
function snakeCased(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(snakeCased)
  if (typeof value !== "object" || value === null) return value
  const fields = Object.entries(value).map(([key, each]) => [
    key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
    snakeCased(each),
  ])
  return Object.fromEntries(fields) as unknown
}

/** A file that takes its name only when it is finished. */
export interface ExportFile {
  /** False: it could not be written; `finish` says why. */
  write(text: string): boolean
  finish(): Result<void, SyncError>
  abandon(): void
}

/** Opens a file for an export; only its owner can read it, for it holds the names of every note. */
export function openExportFile(path: string): Result<ExportFile, SyncError> {
  const temp = `${path}.${randomBytes(6).toString("hex")}`
  let failure: SyncError | undefined
  const attempt = (work: () => void) => {
    try {
      if (failure === undefined) work()
    } catch (error) {
      failure = fileError(path, error)
    }
    return failure === undefined
  }
  let file = -1
  if (!attempt(() => void (file = openSync(temp, "wx", 0o600))))
    return err(failure ?? fileError(path, undefined))
  const abandon = () => {
    closeSync(file)
    rmSync(temp, { force: true })
  }
  return ok({
    write: (text) => attempt(() => writeWhole(file, Buffer.from(text))),
    finish() {
      if (attempt(() => renameSync(temp, path))) closeSync(file)
      else abandon()
      return failure === undefined ? ok(undefined) : err(failure)
    },
    abandon,
  })
}

function writeWhole(file: number, bytes: Buffer): void {
  for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at)
}

function fileError(path: string, error: unknown): SyncError {
  return { code: "state_write_failed", trouble: { code: "io", path, detail: errnoOf(error) } }
}
