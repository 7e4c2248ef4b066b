/**
 * A world to run the whole engine in: devices, their users, and the remote they share. All of it in memory, all of it
 * decided by one seed.
 *
 * Whatever a device does passes `tick`, before and after. There a test may crash it, let a user edit, make another
 * device go on first, or look whether a guarantee was broken.
 */

import { emptyBucket, type MemoryBucket, memoryBackend, putObject } from "../../src/backend/memory.ts"
import { folderBackend } from "../../src/backend/folder.ts"
import { DiskFailure } from "../../src/disk/disk.ts"
import { MemoryDisk } from "../../src/disk/memory-disk.ts"
import { readMarker, writeMarker } from "../../src/disk/marker-file.ts"
import type { Cycle } from "../../src/engine/cycle.ts"
import { glance } from "../../src/engine/glance.ts"
import { openLedger, type Ledger } from "../../src/engine/ledger.ts"
import type { RunOptions } from "../../src/engine/options.ts"
import { decideSync, sync } from "../../src/engine/sync.ts"
import type { World } from "../../src/engine/world.ts"
import { MemoryHistory } from "../../src/history/memory-history.ts"
import { memoryStore, type MemoryStore } from "../../src/journal/memory-store.ts"
import type { SyncError, Trouble } from "../../src/model/errors.ts"
import type { UnionReason } from "../../src/model/event.ts"
import type { DeviceId } from "../../src/model/ids.ts"
import { mustPath, type RelativePath } from "../../src/model/path.ts"
import type { Backend, HistoryStore, KeyValueStore } from "../../src/model/ports.ts"
import { ok, type Result } from "../../src/model/result.ts"
import { profileNamed, type ProfileName } from "../../src/model/settings.ts"
import { compileIgnore } from "../../src/observe/ignore.ts"
import { type BucketKind, SimulatedBucket, WRITING_REQUESTS } from "./bucket.ts"
import { nameOf, Oracle } from "./oracle.ts"
import { prngOf, type Prng } from "./random.ts"
import { sha256 } from "./sha256.ts"

export class Crash extends Error {}

/** One process of one device, from its start to its end. */
export interface Life {
  readonly device: SimulatedDevice
  isDead: boolean
}

export interface Tick {
  readonly life: Life
  /** Which port, which call, where. */
  readonly at: string
  readonly phase: string
  /** Something may be different from how it was at the tick before. Between two such ticks all crashes are alike. */
  readonly isEffect: boolean
}

export type RemoteKind = "folder" | "memory" | BucketKind

const FIRST_MS = Date.UTC(2026, 2, 2)
/** Calls that may take bytes away or bring them to a user's path; all others change nothing that an oracle sees. */
const TOUCHING = new Set(["rename", "unlink", "link", "createFile", "apply", ...WRITING_REQUESTS])
const CHANGING = new Set([
  ...TOUCHING,
  "write",
  "makeDirectory",
  "removeDirectory",
  "history",
  "createEpoch",
  "appendEpoch",
])

export { sha256 }

export interface SimulationOptions {
  readonly seed: number
  readonly remote: RemoteKind
  readonly devices: number
  readonly profile?: ProfileName
  readonly ignore?: string
  /** Looks at only every so many-th step; for worlds with very many files. */
  readonly oracleStride?: number
  readonly reusesInodes?: boolean
}

export class Simulation {
  readonly options: SimulationOptions
  readonly prng: Prng
  readonly devices: SimulatedDevice[] = []
  readonly remote: SimulatedRemote
  readonly oracle: Oracle
  /** Who edited a path by hand: a path that only one device edited has no conflict. */
  readonly editors: Map<string, Set<string>>
  /** Somebody asked for a union: from then on nobody knows any more who deleted what. */
  hasUnited: boolean
  nowMs = FIRST_MS
  ticks = 0
  /** Versions that a glance was enough to send. */
  glances = 0
  /** May crash the device by its `isDead`, or wait. */
  hook: ((tick: Tick) => void | Promise<void>) | undefined
  /** Answers the errno with which a call on a disk shall fail. */
  failNext: ((life: Life, method: string, path: string) => string | undefined) | undefined
  /** Answers the trouble that a call to a bucket shall have, before or after its effect. */
  failCall: ((life: Life, call: string, path: string, phase: string) => Trouble | undefined) | undefined
  trace: string[] | undefined
  #touches = 0
  readonly #oracleStride: number

  constructor(options: SimulationOptions, copied?: Simulation) {
    this.options = options
    this.#oracleStride = options.oracleStride ?? 1
    this.prng = copied?.prng.fork() ?? prngOf(options.seed)
    this.nowMs = copied?.nowMs ?? FIRST_MS
    this.hasUnited = copied?.hasUnited ?? false
    this.editors = new Map([...(copied?.editors ?? [])].map(([path, who]) => [path, new Set(who)]))
    this.remote = new SimulatedRemote(this, options.remote, copied?.remote)
    for (let index = 0; index < options.devices; index++)
      this.devices.push(new SimulatedDevice(this, index, copied?.device(index)))
    this.oracle = new Oracle({ files: () => this.#files(), kept: () => this.#kept() }, copied?.oracle)
  }

  /** The same world once more, as it is between two runs; what happens to one does not touch the other. */
  fork(): Simulation {
    return new Simulation(this.options, this)
  }

  device(index: number): SimulatedDevice {
    const device = this.devices[index]
    if (device === undefined) throw new Error(`no device ${index}`)
    return device
  }

  async tick(life: Life, call: { readonly at: string; readonly method: string; readonly phase: string }) {
    if (life.isDead) throw new Crash()
    this.ticks += 1
    this.nowMs += 1
    const { at, method, phase } = call
    this.trace?.push(`${this.ticks} ${life.device.name} ${at} ${phase}`)
    if (phase !== "before" && TOUCHING.has(method) && ++this.#touches % this.#oracleStride === 0)
      this.oracle.check(`${at} ${phase}`)
    if (this.hook !== undefined)
      await this.hook({ life, at, phase, isEffect: phase !== "before" && CHANGING.has(method) })
    if (life.isDead) throw new Crash()
  }

  /** An edit by hand; `who` is a device's name, or `remote` for a foreign writer. */
  edit(who: string, paths: readonly string[], change: () => void): void {
    this.trace?.push(`      ${who} edits ${paths.join(" ")}`)
    this.oracle.user(() => {
      try {
        change()
      } catch (error) {
        // The disk said no, as it would to anybody: a file is where a directory is wanted.
        if (!(error instanceof DiskFailure)) throw error
      }
    })
    for (const path of paths) {
      const editors = this.editors.get(path) ?? new Set()
      this.editors.set(path, editors.add(who))
    }
  }

  *#files(): Iterable<readonly [string, Uint8Array]> {
    for (const { disk } of this.devices) yield* disk.all()
    yield* this.remote.all()
  }

  *#kept(): Iterable<Uint8Array> {
    for (const { history } of this.devices) yield* history.versions()
  }
}

export class SimulatedRemote {
  readonly kind: RemoteKind
  readonly disk: MemoryDisk
  readonly bucket: MemoryBucket
  /** Where the remote is a bucket on a server. */
  readonly s3: SimulatedBucket | undefined
  readonly #simulation: Simulation

  constructor(simulation: Simulation, kind: RemoteKind, copied?: SimulatedRemote) {
    this.#simulation = simulation
    this.kind = kind
    this.disk = new MemoryDisk(diskOptions(simulation), copied?.disk)
    this.bucket = copied === undefined ? emptyBucket() : copyBucket(copied.bucket)
    this.s3 = kind === "folder" || kind === "memory" ? undefined : new SimulatedBucket(kind, copied?.s3)
  }

  open(life: Life): Backend {
    const simulation = this.#simulation
    const nowMs = () => simulation.nowMs
    if (this.s3 !== undefined) return this.s3.open(simulation, life)
    if (this.kind === "folder")
      return folderBackend({
        disk: openDisk(simulation, this.disk, { life, name: "remote" }),
        device: life.device.id,
        sha256,
        nowMs,
      })
    return memoryBackend({
      bucket: this.bucket,
      sha256,
      nowMs,
      async tick(call, path, phase) {
        await simulation.tick(life, { at: `bucket.${call} ${path}`, method: call, phase })
        return simulation.failCall?.(life, call, path, phase)
      },
    })
  }

  /** Every file, with our own where the remote is a folder. */
  all(): Iterable<readonly [string, Uint8Array]> {
    if (this.kind === "folder") return this.disk.all()
    if (this.s3 !== undefined) return this.s3.notes()
    return [...this.bucket.objects].map(([path, { bytes }]) => [path, bytes] as const)
  }

  tree(): ReadonlyMap<string, string> {
    const files = this.kind === "folder" ? this.disk.tree() : new Map(this.all())
    return new Map([...files].map(([path, bytes]) => [path, nameOf(bytes)] as const).sort(byPath))
  }

  /** A foreign program writes. */
  put(path: string, content: string): void {
    const simulation = this.#simulation
    simulation.edit("remote", [path], () => {
      if (this.kind === "folder") this.disk.userReplace(path, content)
      else if (this.s3 !== undefined) this.s3.put(path, content, simulation.nowMs)
      else
        putObject({ bucket: this.bucket }, mustPath(path), {
          bytes: Buffer.from(content),
          mtimeMs: Math.floor(simulation.nowMs),
        })
    })
  }

  remove(path: string): void {
    this.#simulation.edit("remote", [path], () => {
      if (this.kind === "folder") this.disk.userRemove(path)
      else if (this.s3 !== undefined) this.s3.objects.objects.delete(path)
      else this.bucket.objects.delete(path as RelativePath)
    })
  }

  /** All of it, to see that nothing was written. */
  snapshot(): string {
    if (this.kind === "folder") return snapshotOf(this.disk)
    if (this.s3 !== undefined) return this.s3.snapshot()
    const objects = [...this.bucket.objects].map(([path, { version }]) => `${path} ${version.token}`)
    return [...objects.sort(), JSON.stringify(this.bucket.epoch)].join("\n")
  }
}

export interface SyncOptions {
  readonly union?: UnionReason
  readonly confirmedDeletes?: number
  readonly isDryRun?: boolean
  /** A watcher's run: glances at these, and looks at everything where that is too little. */
  readonly only?: readonly string[]
}

export class SimulatedDevice {
  readonly name: string
  readonly id: DeviceId
  profile: ProfileName
  ignore: string
  disk: MemoryDisk
  store: MemoryStore
  readonly history: MemoryHistory
  readonly #simulation: Simulation
  isAdopted: boolean
  #life: Life = { device: this, isDead: false }

  constructor(simulation: Simulation, index: number, copied?: SimulatedDevice) {
    this.#simulation = simulation
    this.name = `device-${index + 1}`
    this.id = this.name as DeviceId
    this.profile = copied?.profile ?? simulation.options.profile ?? "balanced"
    this.ignore = copied?.ignore ?? simulation.options.ignore ?? ""
    this.isAdopted = copied?.isAdopted ?? false
    this.disk = new MemoryDisk(diskOptions(simulation), copied?.disk)
    this.store = copied?.store.afterCrash({ losesUnsynced: false }) ?? memoryStore()
    const tick = (at: string) => simulation.tick(this.#life, { at, method: "history", phase: "" })
    this.history = copied?.history.copy({ tick }) ?? new MemoryHistory({ tick })
  }

  changedMs(path: string): number {
    return this.disk.changedMs(path)
  }

  tree(): ReadonlyMap<string, string> {
    return new Map([...this.disk.tree()].map(([path, bytes]) => [path, nameOf(bytes)] as const).sort(byPath))
  }

  write(path: string, content: string, mtimeMs?: number): void {
    this.#simulation.edit(this.name, [path], () => this.disk.userWrite(path, content, mtimeMs))
  }

  /** As editors save: a new file takes the name. */
  save(path: string, content: string, mtimeMs?: number): void {
    this.#simulation.edit(this.name, [path], () => this.disk.userReplace(path, content, mtimeMs))
  }

  remove(path: string): void {
    const below = [...this.disk.tree().keys()].filter((file) => file === path || file.startsWith(`${path}/`))
    this.#simulation.edit(this.name, [path, ...below], () => this.disk.userRemove(path))
  }

  rename(from: string, to: string): void {
    const below = [...this.disk.tree().keys()].filter((file) => file === from || file.startsWith(`${from}/`))
    const targets = below.map((file) => to + file.slice(from.length))
    this.#simulation.edit(this.name, [from, to, ...below, ...targets], () => this.disk.userRename(from, to))
  }

  /** What setup does, without its questions; the run that follows is the union. */
  async adopt(): Promise<void> {
    const simulation = this.#simulation
    const { hook } = simulation
    simulation.hook = undefined
    const world = this.#open()
    const remote = world.sides.remote
    let epoch = must(await remote.readEpoch([]))
    if (epoch === undefined) {
      must(await remote.createEpoch(simulation.prng.hex(32)))
      epoch = must(await remote.readEpoch([]))
    }
    if (epoch === undefined) throw new Error("no epoch")
    const root = simulation.prng.hex(32)
    const nonce = simulation.prng.hex(32)
    const ledger = must(await openLedger(world.store, ledgerDeps(simulation)))
    const { id, chain } = epoch
    await ledger.append(
      [
        { type: "journal.created", device: this.id, deviceName: this.name, root, epoch: id },
        { type: "epoch.read", id, chain },
        { type: "marker.written", root, sequence: 3, nonce },
      ],
      { sync: true },
    )
    must(await world.marker.write({ root, sequence: 3, nonce }))
    this.isAdopted = true
    simulation.hook = hook
  }

  async setup(): Promise<Result<Cycle, SyncError>> {
    await this.adopt()
    return this.sync({ union: "setup" })
  }

  /** One run in a process of its own. A crash is thrown, after everything of that process has died. */
  async sync(options: SyncOptions = {}): Promise<Result<Cycle, SyncError>> {
    const world = this.#open()
    if (options.union === "resync") this.#simulation.hasUnited = true
    try {
      const ledger = must(await openLedger(world.store, ledgerDeps(this.#simulation)))
      const result = await this.#run(world, ledger, options)
      this.#simulation.trace?.push(`${this.name} ${summaryOf(result)}`)
      return result
    } catch (error) {
      this.#life.isDead = true
      await new Promise<void>((resolve) => {
        setImmediate(resolve)
      })
      throw error
    }
  }

  async #run(
    world: World,
    ledger: Ledger,
    { only, ...options }: SyncOptions,
  ): Promise<Result<Cycle, SyncError>> {
    const whole = this.#runOptions(options)
    if (only !== undefined) {
      const asked = { ...whole, only: new Set(only.map(mustPath)) }
      const glanced = await glance(world, ledger, asked, decideSync(world, ledger, asked))
      if (!glanced.ok) return glanced
      if (glanced.value !== undefined) {
        this.#simulation.glances += glanced.value.prepared.plan.actions.length
        return ok(glanced.value)
      }
    }
    return sync(world, ledger, whole)
  }

  /** A user who reads what the brake says and confirms it. */
  async syncConfirming(options: SyncOptions = {}): Promise<Result<Cycle, SyncError>> {
    const first = await this.sync(options)
    if (first.ok || (first.error.code !== "delete_limit" && first.error.code !== "side_emptied")) return first
    return this.sync({ ...options, confirmedDeletes: first.error.total })
  }

  /** What is left after the process died: only what had reached the disk. */
  restart(crash: { readonly losesUnsynced: boolean }): void {
    this.#life.isDead = true
    this.disk = this.disk.crashed(crash)
    this.store = this.store.afterCrash(crash)
    this.history.crash({ losesUnfinished: crash.losesUnsynced })
    this.#simulation.oracle.check(`the crash of ${this.name}`)
  }

  async ledger(): Promise<Ledger> {
    const ledger = must(await openLedger(this.store, ledgerDeps(this.#simulation)))
    must(await ledger.load())
    return ledger
  }

  #runOptions({ union, confirmedDeletes, isDryRun }: SyncOptions): RunOptions {
    return {
      kind: union === undefined ? "bisync" : "resync",
      command: "bm bisync",
      profile: profileNamed(this.profile),
      isDryRun: isDryRun ?? false,
      names: { root: this.name, remote: "remote" },
      ...(union !== undefined && { union }),
      ...(confirmedDeletes !== undefined && { confirmedDeletes }),
    }
  }

  #open(): World {
    const simulation = this.#simulation
    const life: Life = { device: this, isDead: false }
    this.#life = life
    const disk = openDisk(simulation, this.disk, { life, name: "local" })
    const nowMs = () => simulation.nowMs
    return {
      sides: {
        local: folderBackend({ disk, device: this.id, sha256, nowMs }),
        remote: simulation.remote.open(life),
      },
      store: openStore(simulation, this.store, life),
      history: async (): Promise<Result<HistoryStore, Trouble>> => ok(this.history),
      marker: { read: () => readMarker(disk), write: (marker) => writeMarker(disk, marker) },
      rules: compileIgnore({ global: this.ignore, projects: new Map() }),
      clock: { nowMs },
      random: { hex128: () => simulation.prng.hex(32) },
      sha256,
      device: this.id,
      largeFileBytes: 48,
    }
  }
}

function diskOptions(simulation: Simulation) {
  return { nowMs: () => simulation.nowMs, reusesInodes: simulation.options.reusesInodes ?? false }
}

function copyBucket({ objects, epoch, nextEtag }: MemoryBucket): MemoryBucket {
  return {
    objects: new Map(objects),
    epoch: epoch === undefined ? undefined : { id: epoch.id, pairs: [...epoch.pairs] },
    nextEtag,
  }
}

function openDisk(
  simulation: Simulation,
  disk: MemoryDisk,
  { life, name }: { readonly life: Life; readonly name: string },
): MemoryDisk {
  return disk.openedWith({
    tick: (method, path, phase) => simulation.tick(life, { at: `${name}.${method} ${path}`, method, phase }),
    failNext: (method, path) => simulation.failNext?.(life, `${name}.${method}`, path),
  })
}

function openStore(simulation: Simulation, store: MemoryStore, life: Life): KeyValueStore {
  return {
    get: (key) => store.get(key),
    range: (options) => store.range(options),
    close: () => store.close(),
    async write(changes, options) {
      const at = `store.write ${options.sync ? "sync" : "lazy"}`
      await simulation.tick(life, { at, method: "write", phase: "before" })
      await store.write(changes, options)
      await simulation.tick(life, { at, method: "write", phase: "after" })
    },
  }
}

function ledgerDeps(simulation: Simulation) {
  return { sha256, nowMs: () => Math.floor(simulation.nowMs) }
}

/** What a run planned, for the trace. */
function summaryOf(result: Result<Cycle, SyncError>): string {
  if (!result.ok) return `failed ${JSON.stringify(result.error)}`
  const { value } = result
  if (value.kind !== "performed") return value.kind
  const { plan, look } = value.prepared
  const actions = plan.actions.map(({ op, direction, path, reason }) =>
    [op, direction, path, reason].join(" "),
  )
  const skipped = value.performed.outcomes.flatMap((outcome) =>
    outcome.kind === "skipped" ? [outcome.trouble] : [],
  )
  return JSON.stringify({
    actions,
    agreed: plan.agreed.length,
    notices: plan.notices,
    skipped,
    unknowns: look.unknowns,
    restored: value.restored,
  })
}

export function must<T>(result: Result<T, unknown>): T {
  if (!result.ok) throw new Error(`unexpected failure ${JSON.stringify(result.error)}`)
  return result.value
}

export function snapshotOf(disk: MemoryDisk): string {
  return [...disk.all()].map(([path, bytes]) => `${path} ${nameOf(bytes)}`).join("\n")
}

function byPath([a]: readonly [string, string], [b]: readonly [string, string]): number {
  return a < b ? -1 : 1
}
