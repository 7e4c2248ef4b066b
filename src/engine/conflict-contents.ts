/**
 * The bytes of a conflict's versions, and what a reader wants to know of them: which lines only the loser had, whether
 * they merge.
 *
 * A decided version comes out of the history store. The versions of an open conflict are files that the user may go on
 * editing, so what counts is what is in them now.
 */

import { DIFF_BYTES_MAX, type Diff, linesOnlyIn, unifiedDiff } from "../history/diff.ts"
import { type Merge, mergeText } from "../history/merge.ts"
import type { Trouble } from "../model/errors.ts"
import type { ContentHash } from "../model/ids.ts"
import type { RelativePath } from "../model/path.ts"
import { SMALL_FILE_BYTES_MAX } from "../model/ports.ts"
import { err, ok, type Result } from "../model/result.ts"
import { otherSide, type Side } from "../model/side.ts"
import type { ConflictRecord } from "./conflicts-query.ts"
import type { Reading } from "./reading.ts"

export type VersionName = "base" | Side
export type Source = Pick<Reading, "ledger" | "history" | "sha256"> & Partial<Pick<Reading, "local">>

/** `too_large`: it is there, and no text to compare. */
export type Absence = "too_large" | "not_here"

/** Where the versions of a conflict that was left open lie. A side has none where its name went to a directory. */
export function placesOf({ decision, path, local, remote }: ConflictRecord): {
  readonly [S in Side]?: RelativePath
} {
  const { copies } = decision
  if (copies === undefined) return {}
  const at = copies.remote ?? (local !== undefined && remote !== undefined ? path : undefined)
  return {
    ...(copies.local !== undefined && { local: copies.local }),
    ...(at !== undefined && { remote: at }),
  }
}

export async function readConflictVersion(
  source: Source,
  record: ConflictRecord,
  name: VersionName,
): Promise<Result<Uint8Array, Absence>> {
  const version = record[name]
  if (record.state === "open" && name !== "base") {
    const copy = await readCopy(source, placesOf(record)[name])
    if (copy !== undefined) return copy
  }
  if (version?.hash === undefined) return err("not_here")
  if (version.sizeBytes > SMALL_FILE_BYTES_MAX) return err("too_large")
  return keptBytes(source, version.hash)
}

async function readCopy(
  { local }: Source,
  path: RelativePath | undefined,
): Promise<Result<Uint8Array, Absence> | undefined> {
  if (local === undefined || path === undefined) return undefined
  const at = await local.stat(path)
  if (!at.ok || at.value?.kind !== "file") return undefined
  if (at.value.sizeBytes > SMALL_FILE_BYTES_MAX) return err("too_large")
  const read = await local.readFile(path)
  return read.ok ? ok(read.value.bytes) : undefined
}

/** A version out of the history store, proven to be the one that was asked for. */
export async function keptBytes(source: Source, hash: ContentHash): Promise<Result<Uint8Array, Absence>> {
  const oid = await source.ledger.keptAt(hash)
  const history = oid === undefined ? undefined : await source.history()
  if (oid === undefined || history?.ok !== true) return err("not_here")
  const bytes: Result<Uint8Array, Trouble> = await history.value.read(oid)
  if (!bytes.ok || source.sha256(bytes.value) !== hash) return err("not_here")
  return bytes
}

export interface ConflictEvidence {
  /** Absent where there is no loser, or a version is not a text that is at hand. */
  readonly loserOnlyLines?: number
  readonly isMergeable: boolean
  readonly merge: Merge | { readonly kind: "unknown"; readonly why: "no_base" | Absence }
}

export async function conflictEvidence(source: Source, record: ConflictRecord): Promise<ConflictEvidence> {
  const versions = {
    base: await readConflictVersion(source, record, "base"),
    local: await readConflictVersion(source, record, "local"),
    remote: await readConflictVersion(source, record, "remote"),
  }
  const merge = mergeOf(record, versions)
  const { loser } = record.decision
  const [lost, won] = loser === undefined ? [] : [versions[loser], versions[otherSide(loser)]]
  const lines = lost?.ok === true && won?.ok === true ? linesOnlyIn(lost.value, won.value) : undefined
  return {
    merge,
    isMergeable: merge.kind === "clean",
    ...(lines !== undefined && { loserOnlyLines: lines.length }),
  }
}

function mergeOf(
  record: ConflictRecord,
  { base, local, remote }: { readonly [V in VersionName]: Result<Uint8Array, Absence> },
): ConflictEvidence["merge"] {
  if (record.base === undefined) return { kind: "unknown", why: "no_base" }
  for (const version of [base, local, remote]) if (!version.ok) return { kind: "unknown", why: version.error }
  if (!base.ok || !local.ok || !remote.ok) return { kind: "unknown", why: "not_here" }
  return mergeText({ base: base.value, ours: local.value, theirs: remote.value })
}

export interface DiffSide {
  readonly name: VersionName
  readonly label: string
}

/** One version against another; both headers name the path. */
export async function conflictDiff(
  source: Source,
  record: ConflictRecord,
  { path, from, to }: { readonly path: string; readonly from: DiffSide; readonly to: DiffSide },
): Promise<Result<Diff, VersionName>> {
  const [a, b] = [
    await readConflictVersion(source, record, from.name),
    await readConflictVersion(source, record, to.name),
  ]
  if (!a.ok && a.error === "not_here") return err(from.name)
  if (!b.ok && b.error === "not_here") return err(to.name)
  const labels = { path, fromLabel: from.label, toLabel: to.label }
  if (a.ok && b.ok) return ok(unifiedDiff({ ...labels, from: a.value, to: b.value }))
  // Both are there, and at least one is larger than what is compared: its header and its verdict are those of bytes.
  const large = new Uint8Array(DIFF_BYTES_MAX + 1)
  return ok(unifiedDiff({ ...labels, from: large, to: a.ok ? a.value : new Uint8Array(0) }))
}
