/**
 * The folded state as rows of the journal's database, and back. PURE.
 *
 *     s!root   s!path!<path>   s!intent!<sequence>   s!aside!<op>   s!conflict!<id>
 *
 * Rows are a cache. Each batch of events writes the rows it changed, and the root row carries a checksum over all of
 * them: if the database lost a batch without a word, the state is seen to be wrong before it is trusted.
 */

import type { Base, Version } from "../model/entry.ts"
import type { ConflictId, ContentHash, OpId, RunId, Sequence, VersionToken } from "../model/ids.ts"
import { mustPath, type RelativePath } from "../model/path.ts"
import type { KeyChange } from "../model/ports.ts"
import type { Aside, OpenConflict, OpenIntent, PathState, State, StateRoot } from "../model/state.ts"
import { emptyState } from "./fold.ts"

export const ROOT_KEY = "s!root"
export const STATE_RANGE = { from: "s!", before: 's"' }
/** Everything but the paths. */
export const SMALL_RANGES = [
  { from: "s!aside!", before: "s!path!" },
  { from: "s!root", before: 's"' },
]
const SEQUENCE_DIGITS = 16

export type Row = readonly [key: string, value: string]

interface Checksum {
  readonly rows: number
  readonly sum: number
}

/** A state and the checksum over its rows. */
export interface Cached {
  readonly state: State
  readonly check: Checksum
}

export const emptyCached: Cached = { state: emptyState, check: { rows: 0, sum: 0 } }

/** The rows that differ between the state before some events and the one after them. */
export function rowsOf(
  before: Cached,
  after: State,
): { readonly changes: readonly KeyChange[]; readonly cached: Cached } {
  const changes: KeyChange[] = []
  let { rows, sum } = before.check
  const change = (was: Row | undefined, is: Row | undefined) => {
    const key = is?.[0] ?? was?.[0]
    if (key === undefined) return
    changes.push({ key, value: is?.[1] })
    rows += (is === undefined ? 0 : 1) - (was === undefined ? 0 : 1)
    if (was !== undefined) sum = (sum - checkOf(was)) >>> 0
    if (is !== undefined) sum = (sum + checkOf(is)) >>> 0
  }
  const compare = <Key, Value>(
    old: ReadonlyMap<Key, Value>,
    now: ReadonlyMap<Key, Value>,
    rowOf: (key: Key, value: Value) => Row,
  ) => {
    if (old === now) return
    // Values are never changed in place, so one that is the same object has the same row.
    for (const [key, value] of now) {
      const was = old.get(key)
      if (was !== value) change(was === undefined ? undefined : rowOf(key, was), rowOf(key, value))
    }
    for (const [key, value] of old) if (!now.has(key)) change(rowOf(key, value), undefined)
  }
  compare(before.state.paths, after.paths, pathRow)
  compare(before.state.intents, after.intents, intentRow)
  compare(before.state.asides, after.asides, asideRow)
  compare(before.state.openConflicts, after.openConflicts, conflictRow)
  const check = { rows, sum }
  changes.push({ key: ROOT_KEY, value: JSON.stringify({ root: after.root, check }) })
  return { changes, cached: { state: after, check } }
}

/** Every row of a state, the root last. */
export function allRows(state: State): readonly Row[] {
  const rows = [
    ...[...state.paths].map(([path, at]) => pathRow(path, at)),
    ...[...state.intents].map(([sequence, intent]) => intentRow(sequence, intent)),
    ...[...state.asides].map(([op, aside]) => asideRow(op, aside)),
    ...[...state.openConflicts].map(([id, conflict]) => conflictRow(id, conflict)),
  ]
  const sum = rows.reduce((total, row) => (total + checkOf(row)) >>> 0, 0)
  return [...rows, [ROOT_KEY, JSON.stringify({ root: state.root, check: { rows: rows.length, sum } })]]
}

/** Reads a state back; `undefined` where the rows are not the ones that were written, which is seen before any is read. */
export function stateFromRows(rows: readonly Row[]): Cached | undefined {
  let count = 0
  let sum = 0
  for (const row of rows) {
    if (row[0] === ROOT_KEY) continue
    count += 1
    sum = (sum + checkOf(row)) >>> 0
  }
  const { check } = rootOf(rows) ?? emptyCached
  return check.rows === count && check.sum === sum ? smallStateFromRows(rows) : undefined
}

/** Reads a state without its paths; there is no saying yet whether the rows are those that were written. */
export function smallStateFromRows(rows: readonly Row[]): Cached | undefined {
  if (rows.length === 0) return emptyCached
  const read = rootOf(rows)
  const state = read === undefined ? undefined : orNothing(() => decodeRows(rows, read.root))
  return state === undefined || read === undefined ? undefined : { state, check: read.check }
}

function rootOf(rows: readonly Row[]): { readonly root: StateRoot; readonly check: Checksum } | undefined {
  const text = rows.find(([key]) => key === ROOT_KEY)?.[1]
  if (text === undefined) return undefined
  return orNothing(() => JSON.parse(text) as { readonly root: StateRoot; readonly check: Checksum })
}

function decodeRows(rows: readonly Row[], root: StateRoot): State {
  const paths = new Map<RelativePath, PathState>()
  const intents = new Map<number, OpenIntent>()
  const asides = new Map<OpId, Aside>()
  const openConflicts = new Map<ConflictId, OpenConflict>()
  for (const [key, value] of rows) {
    if (key === ROOT_KEY) continue
    const [, kind, name] = splitKey(key)
    if (kind === "path") paths.set(mustPath(name), decodePathState(JSON.parse(value) as Encoded))
    else if (kind === "intent") intents.set(Number(name), JSON.parse(value) as OpenIntent)
    else if (kind === "aside") asides.set(name as OpId, JSON.parse(value) as Aside)
    else if (kind === "conflict") openConflicts.set(name as ConflictId, JSON.parse(value) as OpenConflict)
  }
  return { root, paths, intents, asides, openConflicts }
}

/** A row that a failing disk changed is no JSON any more. */
function orNothing<T>(parse: () => T): T | undefined {
  try {
    return parse()
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}

function pathRow(path: RelativePath, at: PathState): Row {
  return [`s!path!${path}`, JSON.stringify(encodePathState(at))]
}

function intentRow(sequence: Sequence, intent: OpenIntent): Row {
  return [`s!intent!${String(sequence).padStart(SEQUENCE_DIGITS, "0")}`, JSON.stringify(intent)]
}

function asideRow(op: OpId, aside: Aside): Row {
  return [`s!aside!${op}`, JSON.stringify(aside)]
}

function conflictRow(id: ConflictId, conflict: OpenConflict): Row {
  return [`s!conflict!${id}`, JSON.stringify(conflict)]
}

function splitKey(key: string): readonly [string, string, string] {
  const second = key.indexOf("!", 2)
  return [key.slice(0, 1), key.slice(2, second), key.slice(second + 1)]
}

/** FNV-1a over UTF-16 units: it finds accidents, and nobody is kept from forging a cache. */
function checkOf([key, value]: Row): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < key.length; i++) hash = Math.imul(hash ^ key.charCodeAt(i), 0x01000193)
  for (let i = 0; i < value.length; i++) hash = Math.imul(hash ^ value.charCodeAt(i), 0x01000193)
  return hash >>> 0
}

/** What follows the hash is rare: an object of what a folder's version does not have. */
type EncodedVersion = readonly [VersionToken, number, number, (string | 0 | 1)?, string?, EncodedOrigin?]
type EncodedOrigin = Pick<Version, "device" | "skewMs" | "lineage" | "isUploadTime">
type EncodedBase = readonly [ContentHash, number, number, RunId, number, 0 | 1, string?]
type Encoded = readonly [EncodedBase | 0, EncodedVersion | 0, EncodedVersion | 0]

const HASH_UNKNOWN = 0
const HASH_OF_BASE = 1

function encodePathState({ base, local, remote }: PathState): Encoded {
  return [
    base === undefined ? 0 : encodeBase(base),
    local === undefined ? 0 : encodeVersion(local, base),
    remote === undefined ? 0 : encodeVersion(remote, base),
  ]
}

function decodePathState([base, local, remote]: Encoded): PathState {
  const decoded = base === 0 ? undefined : decodeBase(base)
  return {
    ...(decoded !== undefined && { base: decoded }),
    ...(local !== 0 && { local: decodeVersion(local, decoded) }),
    ...(remote !== 0 && { remote: decodeVersion(remote, decoded) }),
  }
}

function encodeBase({ hash, sizeBytes, mtimeMs, run, sequence, isHint, fileId }: Base): EncodedBase {
  const hint = isHint ? 1 : 0
  return fileId === undefined
    ? [hash, sizeBytes, mtimeMs, run, sequence, hint]
    : [hash, sizeBytes, mtimeMs, run, sequence, hint, fileId]
}

function decodeBase([hash, sizeBytes, mtimeMs, run, sequence, isHint, fileId]: EncodedBase): Base {
  return {
    hash,
    sizeBytes,
    mtimeMs,
    run,
    sequence,
    isHint: isHint === 1,
    ...(fileId !== undefined && { fileId }),
  }
}

function encodeVersion(version: Version, base: Base | undefined): EncodedVersion {
  const { token, sizeBytes, mtimeMs, hash, fileId, ...origin } = version
  const known = hash === undefined ? HASH_UNKNOWN : hash === base?.hash ? HASH_OF_BASE : hash
  if (Object.keys(origin).length > 0) return [token, sizeBytes, mtimeMs, known, fileId ?? "", origin]
  return fileId === undefined
    ? [token, sizeBytes, mtimeMs, known]
    : [token, sizeBytes, mtimeMs, known, fileId]
}

function decodeVersion(
  [token, sizeBytes, mtimeMs, known, fileId, origin]: EncodedVersion,
  base: Base | undefined,
): Version {
  const hash =
    known === HASH_OF_BASE
      ? base?.hash
      : known === HASH_UNKNOWN
        ? undefined
        : (known as ContentHash | undefined)
  return {
    token,
    sizeBytes,
    mtimeMs,
    ...(hash !== undefined && { hash }),
    ...(fileId !== undefined && fileId !== "" && { fileId }),
    ...origin,
  }
}
