/**
 * `history verify`: proves that the history is what was written, and says what is not. Changes nothing but
 * `verified.json`, where `status` reads when that was.
 *
 *     chain     every event carries the hash of the one before, none is missing, the files under them are whole
 *     anchors   what stands outside the journal agrees with it: the commits in git, the marker in the sync directory
 *     content   every version that the history names is there and has its hash
 *     complete  the events alone, folded again, give the very state and indexes that are stored
 *
 * A database that cannot be opened or read is what this looks for: a finding, never an exception.
 */

import { existsSync } from "node:fs"
import { join } from "node:path"
import type { SyncError } from "../model/errors.ts"
import type { RunId, Sequence } from "../model/ids.ts"
import type { KeyValueStore } from "../model/ports.ts"
import { err, ok, type Result } from "../model/result.ts"
import type { MarkerMemory } from "../model/state.ts"
import { readMarker } from "../disk/marker-file.ts"
import { openNodeDisk } from "../disk/node-disk.ts"
import { type ChainReport, FORMAT, openJournal, verifyChain } from "../journal/journal.ts"
import { damagedFiles } from "../journal/level-files.ts"
import { requireConfig } from "./bisync.ts"
import { type Config, type Place, writePrivate } from "./config.ts"
import { type HistoryAccess, HISTORY_WAIT_MS } from "./history-open.ts"
import { damageText } from "./store-errors.ts"
import { clock, journalDirectory, openHistory, openStore, sha256, stateDirectory } from "./session.ts"
import type { When } from "./take-back.ts"
import { checkAnchors } from "./verify-anchors.ts"
import { checkComplete } from "./verify-complete.ts"
import { checkContent } from "./verify-content.ts"
import { newReading, type Read } from "./verify-reading.ts"

export interface VerifyOptions {
  /** Look only at versions that were kept since then; chain, anchors and state are always looked at whole. */
  readonly since?: When
}

export interface VerifyReport {
  readonly isIntact: boolean
  readonly entries: number
  readonly devices: number
  readonly device: string
  /** The last entry that something outside the journal vouches for. */
  readonly anchoredTo: Sequence
  /** The first entry whose versions were looked at. */
  readonly verifiedFrom: Sequence
  readonly baselines?: { readonly first: RunId; readonly last: RunId }
  readonly checks: readonly VerifyCheck[]
}

/** `finding` is absent where the check passed; `not_checked` where it could not be made because of another finding. */
export type VerifyCheck =
  | {
      readonly name: "chain"
      readonly finding?: ChainFinding
      readonly at?: Sequence
      readonly expected?: Sequence
      readonly found?: Sequence
      readonly why?: string
      readonly files?: readonly string[]
    }
  | {
      readonly name: "anchors"
      readonly finding?: "tail_missing" | "missing" | "unreadable" | "not_checked"
      readonly commits?: readonly string[]
      readonly runs?: readonly string[]
      readonly why?: string
    }
  | {
      readonly name: "content"
      readonly finding?: "missing" | "altered" | "not_checked"
      readonly versions: number
      readonly damaged?: readonly DamagedVersion[]
    }
  | {
      readonly name: "complete"
      readonly finding?: "unexplained" | "unreadable" | "not_checked"
      readonly unexplained?: readonly Unexplained[]
      /** Rows that are no path's, and indexes, by their kind. */
      readonly rows?: readonly string[]
      readonly why?: string
    }

export type VerifyCheckOf<Name extends VerifyCheck["name"]> = Extract<VerifyCheck, { readonly name: Name }>

export type ChainFinding =
  | "missing"
  | "empty"
  | "gap"
  | "broken_link"
  | "unreadable"
  | "tail_missing"
  | "damaged_file"

export interface DamagedVersion {
  readonly hash: string
  readonly kind: "missing" | "altered"
  /** A path that holds this version now, if any. */
  readonly path?: string
}

export interface Unexplained {
  readonly path: string
  readonly between: readonly [string | undefined, string | undefined]
}

const VERIFIED_FILE = "verified.json"
const DAMAGE_SECOND_LOOK_MS = 500

export async function verifyHistory(
  place: Place,
  access: HistoryAccess,
  options: VerifyOptions,
): Promise<Result<VerifyReport, SyncError>> {
  const config = requireConfig(place)
  if (!config.ok) return config
  const directory = stateDirectory(place, config.value.stateKey)
  const report = await look(directory, config.value, access, options)
  if (report.ok) recordVerified(directory, report.value)
  return report
}

async function look(
  directory: string,
  config: Config,
  access: HistoryAccess,
  options: VerifyOptions,
): Promise<Result<VerifyReport, SyncError>> {
  const marker = await markerIn(config.syncDir)
  const unusable = (check: Omit<VerifyCheckOf<"chain">, "name">) =>
    ok(reportWithout({ name: "chain", ...check }, config, marker))
  // LevelDB would create what is missing, and drop what is damaged together with the file that it was in.
  if (!existsSync(join(journalDirectory(directory), "CURRENT"))) return unusable({ finding: "missing" })
  const files = await surelyDamaged(journalDirectory(directory))
  if (files.length > 0) return unusable({ finding: "damaged_file", files })
  const store = await openStore(directory, {
    createIfMissing: false,
    waitMs: HISTORY_WAIT_MS,
    ...(access.onWait !== undefined && { onWait: access.onWait }),
  })
  if (!store.ok) {
    const why = unreadableWhy(store.error)
    return why === undefined ? store : unusable({ finding: "unreadable", why })
  }
  try {
    return await checkAll(store.value, { directory, config, marker, options })
  } finally {
    await store.value.close()
  }
}

/** A full disk or a missing permission says nothing about the history. */
function unreadableWhy(error: SyncError): string | undefined {
  if (error.code === "journal_damaged") return error.why
  return error.code === "state_write_failed" && error.trouble.detail === "EIO" ? "EIO" : undefined
}

/** A run at work may be in the middle of writing a file; what is the same a moment later is not being written. */
async function surelyDamaged(journal: string): Promise<readonly string[]> {
  const first = damagedFiles(journal)
  if (first.length === 0) return first
  await new Promise((resolve) => setTimeout(resolve, DAMAGE_SECOND_LOOK_MS))
  const second = new Set(damagedFiles(journal))
  return first.filter((name) => second.has(name))
}

/** Absent where the sync directory is not there, or is another one: the journal is judged without it. */
async function markerIn(syncDir: string): Promise<MarkerMemory | undefined> {
  const disk = openNodeDisk(syncDir)
  const marker = disk.ok ? await readMarker(disk.value) : undefined
  return marker?.ok === true && marker.value?.root !== "" ? marker.value : undefined
}

interface Looking {
  readonly directory: string
  readonly config: Config
  readonly marker: MarkerMemory | undefined
  readonly options: VerifyOptions
}

async function checkAll(
  store: KeyValueStore,
  { directory, config, marker, options }: Looking,
): Promise<Result<VerifyReport, SyncError>> {
  const format = await formatOf(store)
  if (format !== undefined) return err({ code: "journal_too_new", found: format, known: FORMAT })
  const { chain, read } = await followChain(store, options.since)
  const { root } = read.state
  const ours =
    marker !== undefined && (root.marker === undefined || root.marker.root === marker.root)
      ? marker
      : undefined
  const chainCheck = judgeChain(chain, ours)
  const from = firstVerified(read, options.since)
  if (from === undefined && options.since?.kind === "run" && chain.finding === undefined)
    return err({ code: "not_found", what: "run", name: options.since.run })
  const history = await openHistory(directory, config.syncDir)
  if (!history.ok) return err({ code: "side_unreadable", side: "local", trouble: history.error })
  const anchors = await checkAnchors(history.value, read)
  const content = await checkContent(history.value, read, from ?? 1)
  const isSound = chain.finding === undefined || chain.finding.kind === "tail_missing"
  const complete: VerifyCheckOf<"complete"> = isSound
    ? await checkComplete(store, read)
    : { name: "complete", finding: "not_checked" }
  const runs = [...read.runs.keys()]
  const [first, last] = [runs[0], runs.at(-1)]
  return ok(
    withVerdict({
      entries: chain.entries,
      devices: read.devices,
      device: root.device?.name ?? config.deviceName,
      // The event right behind the marker is the record of the marker itself.
      anchoredTo: Math.min(
        chain.entries,
        Math.max(anchors.anchoredTo, ours === undefined ? 0 : ours.sequence + 1),
      ),
      verifiedFrom: from ?? 1,
      ...(first !== undefined && last !== undefined && { baselines: { first, last } }),
      checks: [chainCheck, anchors.check, content, complete],
    }),
  )
}

/** What a newer bm wrote is not judged by an older one. */
async function formatOf(store: KeyValueStore): Promise<number | undefined> {
  try {
    const journal = await openJournal(store, sha256)
    return !journal.ok && journal.error.kind === "too_new" ? journal.error.format : undefined
  } catch (error) {
    if (damageText(error) === undefined) throw error
    return undefined
  }
}

async function followChain(
  store: KeyValueStore,
  since: When | undefined,
): Promise<{ readonly chain: ChainReport & { readonly why?: string }; readonly read: Read }> {
  const reading = newReading(since?.kind === "moment" ? since.ms : undefined)
  try {
    const chain = await verifyChain(store, { sha256, visit: reading.visit })
    return { chain, read: reading.finish(chain.finding === undefined) }
  } catch (error) {
    const why = damageText(error)
    if (why === undefined) throw error
    const entries = reading.entries()
    return {
      chain: { entries, finding: { kind: "unreadable", at: entries + 1 }, why },
      read: reading.finish(false),
    }
  }
}

function judgeChain(
  { entries, finding, why }: ChainReport & { readonly why?: string },
  marker: MarkerMemory | undefined,
): VerifyCheckOf<"chain"> {
  const isCut = marker !== undefined && marker.sequence > entries
  if (finding === undefined || finding.kind === "empty") {
    if (isCut) return { name: "chain", finding: "tail_missing", expected: marker.sequence, found: entries }
    return finding === undefined ? { name: "chain" } : { name: "chain", finding: "empty" }
  }
  const { kind, at } = finding
  if (kind === "tail_missing")
    return { name: "chain", finding: kind, expected: Math.max(at, marker?.sequence ?? 0), found: entries }
  return {
    name: "chain",
    finding: kind,
    at,
    found: entries,
    ...(isCut && { expected: marker.sequence }),
    ...(why !== undefined && { why }),
  }
}

/** Absent: there is no such run. */
function firstVerified({ runs, firstAtOrAfter, state }: Read, since: When | undefined): Sequence | undefined {
  if (since === undefined) return 1
  if (since.kind === "moment") return firstAtOrAfter ?? state.root.sequence + 1
  const names = [...runs.keys()]
  const matching = /^@-*$/.test(since.run)
    ? names.slice(-since.run.length).slice(0, 1)
    : names.filter((run) => run.startsWith(since.run))
  const [run] = matching.includes(since.run as RunId) ? [since.run as RunId] : matching
  const span = run === undefined ? undefined : runs.get(run)
  if (span === undefined) return undefined
  return since.before ? span.from : span.to + 1
}

function reportWithout(
  chain: VerifyCheckOf<"chain">,
  config: Config,
  marker: MarkerMemory | undefined,
): VerifyReport {
  const expected = marker === undefined ? {} : { expected: marker.sequence, found: 0 }
  const isGone = chain.finding === "missing" && marker !== undefined
  return withVerdict({
    entries: 0,
    devices: 0,
    device: config.deviceName,
    anchoredTo: 0,
    verifiedFrom: 1,
    checks: [
      { ...chain, ...expected, ...(isGone && { finding: "tail_missing" as const }) },
      { name: "anchors", finding: "not_checked" },
      { name: "content", finding: "not_checked", versions: 0 },
      { name: "complete", finding: "not_checked" },
    ],
  })
}

function withVerdict(report: Omit<VerifyReport, "isIntact">): VerifyReport {
  return { ...report, isIntact: report.checks.every(({ finding }) => finding === undefined) }
}

/** Read by `bm cloud status`. A state directory that is not there is not made for it. */
function recordVerified(directory: string, { isIntact, entries }: VerifyReport): void {
  if (!existsSync(directory)) return
  const text = JSON.stringify({
    schema: "bm.verified-file/1",
    at: new Date(clock.nowMs()).toISOString(),
    intact: isIntact,
    sequence: entries,
  })
  writePrivate(join(directory, VERIFIED_FILE), `${text}\n`, { isDurable: false })
}
