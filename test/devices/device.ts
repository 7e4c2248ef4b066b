/**
 * One of the devices: a folder with its user, a journal and a history of its own, and runs of the whole engine against
 * the bucket that it shares with others. It is set up once; every run is a life of its own.
 */

import { objectBackend } from "../../src/backend/object.ts"
import { folderBackend } from "../../src/backend/folder.ts"
import { DiskFailure } from "../../src/disk/disk.ts"
import { MemoryDisk } from "../../src/disk/memory-disk.ts"
import { readMarker, writeMarker } from "../../src/disk/marker-file.ts"
import type { Cycle } from "../../src/engine/cycle.ts"
import { openLedger } from "../../src/engine/ledger.ts"
import { sync } from "../../src/engine/sync.ts"
import type { World } from "../../src/engine/world.ts"
import { MemoryHistory } from "../../src/history/memory-history.ts"
import { memoryStore } from "../../src/journal/memory-store.ts"
import type { SyncError, Trouble } from "../../src/model/errors.ts"
import type { UnionReason } from "../../src/model/event.ts"
import type { DeviceId } from "../../src/model/ids.ts"
import { ok, type Result } from "../../src/model/result.ts"
import { profileNamed, type ProfileName } from "../../src/model/settings.ts"
import { compileIgnore } from "../../src/observe/ignore.ts"
import { Violation } from "../simulation/oracle.ts"
import type { Prng } from "../simulation/random.ts"
import { must, sha256 } from "../simulation/world.ts"
import type { Meeting } from "./meeting.ts"
import { newSight, type Sight } from "./sight.ts"
import type { Site } from "./site.ts"

export interface SyncOptions {
  readonly union?: UnionReason
  /** How often writes of others go first, before it looks. */
  readonly lateBy?: number
}

export interface Device {
  readonly name: string
  readonly disk: MemoryDisk
  readonly sight: Sight
  /** Every version in its history. */
  kept(): Iterable<Uint8Array>
  /** What setup does, without its questions; the first run then is the union. */
  adopt(): Promise<void>
  /** One run, by a user who confirms what the brake asks. */
  sync(options?: SyncOptions): Promise<Result<Cycle, SyncError>>
  close(): void
}

/** Larger than these is kept outside of the history's tree; some notes are. */
const LARGE_BYTES = 48

export async function openDevice(
  site: Site,
  at: {
    readonly index: number
    readonly meeting: Meeting
    readonly prng: Prng
    readonly profile: ProfileName
  },
): Promise<Device> {
  const { index, meeting, prng, profile } = at
  const name = `device-${index + 1}`
  const id = name as DeviceId
  const { nowMs, monotonicMs } = site.clocks
  const disk = new MemoryDisk({ nowMs })
  const journal = memoryStore()
  const history = new MemoryHistory()
  const sight = newSight(name)
  const texts = new Map<string, string>()
  const store = sight.through(await site.connect(sight), () => meeting.beforeWrite(name))
  const random = { hex128: () => prng.hex(32) }

  const open = (): World => ({
    sides: {
      local: folderBackend({ disk, device: id, sha256, nowMs }),
      remote: objectBackend({
        store,
        verdict: site.verdict,
        device: id,
        deviceName: name,
        sha256,
        random,
        nowMs,
        monotonicMs,
        sleep: (ms) => meeting.sleep(name, ms),
        memory: { read: (text) => texts.get(text), write: (text, value) => texts.set(text, value) },
      }),
    },
    store: journal,
    history: async () => ok(history),
    marker: { read: () => readMarker(disk), write: (marker) => writeMarker(disk, marker) },
    rules: compileIgnore({ global: "", projects: new Map() }),
    clock: { nowMs },
    random,
    sha256,
    device: id,
    largeFileBytes: LARGE_BYTES,
  })
  const ledgerOf = (world: World) =>
    openLedger(world.store, { sha256, nowMs: () => Math.floor(nowMs()) }).then(must)

  const run = async (options: {
    readonly union?: UnionReason
    readonly confirmedDeletes?: number
  }): Promise<Result<Cycle, SyncError>> => {
    const world = open()
    return sync(world, await ledgerOf(world), {
      kind: options.union === undefined ? "bisync" : "resync",
      command: "bm bisync",
      profile: profileNamed(profile),
      isDryRun: false,
      names: { root: name, remote: "remote" },
      ...options,
    })
  }

  return {
    name,
    disk,
    sight,
    kept: () => history.versions(),
    async adopt() {
      const world = open()
      const { remote } = world.sides
      let epoch = must(await remote.readEpoch([]))
      if (epoch === undefined) {
        must(await remote.createEpoch(prng.hex(32)))
        epoch = must(await remote.readEpoch([]))
      }
      if (epoch === undefined) throw new Error("no epoch")
      const marker = { root: prng.hex(32), sequence: 3, nonce: prng.hex(32) }
      const ledger = await ledgerOf(world)
      await ledger.append(
        [
          { type: "journal.created", device: id, deviceName: name, root: marker.root, epoch: epoch.id },
          { type: "epoch.read", id: epoch.id, chain: epoch.chain },
          { type: "marker.written", ...marker },
        ],
        { sync: true },
      )
      must(await world.marker.write(marker))
    },
    async sync({ lateBy = 0, ...options } = {}) {
      meeting.begin(name)
      try {
        for (let left = lateBy; left > 0; left--) await meeting.beforeWrite(name)
        const first = await run(options)
        if (first.ok || (first.error.code !== "delete_limit" && first.error.code !== "side_emptied"))
          return first
        return await run({ ...options, confirmedDeletes: first.error.total })
      } finally {
        meeting.end(name)
      }
    },
    close: () => store.close(),
  }
}

/** Another device may hold the lease for longer than a run waits; nothing else may go wrong. */
export function expectRan(
  { name }: Device,
  result: Result<Cycle, SyncError>,
  { mayBeCut = false }: { readonly mayBeCut?: boolean } = {},
): void {
  if (!result.ok && !hasCode(result.error, "lease_held") && !(mayBeCut && isCut(result)))
    throw new Violation(`${name} failed: ${JSON.stringify(result.error)}`)
  if (result.ok && result.value.kind === "cloned")
    throw new Violation(`${name} took its own journal for a copy`)
}

/** The server's answer was none, and the run ended because of it. */
export function isCut(result: Result<Cycle, SyncError>): boolean {
  return !result.ok && hasCode(result.error, "unreachable")
}

function hasCode(error: SyncError, code: Trouble["code"]): boolean {
  return error.code === "side_unreadable" && error.trouble.code === code
}

/** What its user does; the disk may say no, as it would to anybody. */
export function byUser(edit: () => void): void {
  try {
    edit()
  } catch (error) {
    if (!(error instanceof DiskFailure)) throw error
  }
}
