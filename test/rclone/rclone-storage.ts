/**
 * Remotes of real rclone under test: one rclone for many storages, each below a path of its own.
 *
 * A device that dies is a door that lets nothing more through: before a request of the store, or, finer, before a
 * request to rclone, of which a write needs several. What rclone was asked for before that happens.
 */

import { randomBytes } from "node:crypto"
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { startChild } from "../../src/rclone/child.ts"
import { parseConf } from "../../src/rclone/conf.ts"
import { childEnvironment } from "../../src/rclone/environment.ts"
import { parseVersion } from "../../src/rclone/find.ts"
import { openRc, type Rc } from "../../src/rclone/rc.ts"
import { storeOver, verdictOf } from "../../src/rclone/rclone-store.ts"
import { lookUpRemote, type RcloneRemote } from "../../src/rclone/remote.ts"
import { openRcloneSide, type RcloneSide } from "../../src/rclone/side.ts"
import { openWorkFolder } from "../../src/rclone/work-folder.ts"
import type { ObjectStore } from "../../src/store/store.ts"
import { allObjects, bucketStorage, must, throughDoor } from "../backend/bucket-storage.ts"
import { type BucketStorage, Died, type Traits } from "../backend/storage.ts"
import type { RealRclone } from "./real-rclone.ts"
import { until } from "./until.ts"

/** A remote on which storages are made. */
export interface Ground {
  /** One rclone, which all of them ask. */
  readonly pid: number
  readonly rc: Rc
  open(options?: { readonly diesAt?: "store" | "rclone" }): Promise<BucketStorage>
  /** A new one as its store sees it, without devices. */
  place(): Promise<Place>
  /** Where nothing is. */
  nowhere(): Promise<Place>
  close(): void
}

export interface Place {
  /** Below the root of the remote. */
  readonly path: string
  readonly side: RcloneSide
  readonly store: ObjectStore
  /** As a new life of the program sees it. */
  restart(): ObjectStore
  /** The same, which asks for nothing twice. */
  impatient(): Promise<ObjectStore>
  /** Lets its clocks run. */
  later(ms: number): void
}

export interface GroundOptions {
  /** What is run in place of rclone itself, by another user of this machine. */
  readonly program?: string
  /** The lines of its section of rclone.conf. */
  readonly section: Readonly<Record<string, string>>
  /** Where one of its storages lies. */
  pathOf(number: number): string
  /** A place at which nothing is. */
  readonly nowhere: string
  /** A directory or a bucket must be made before anything is put into it. */
  readonly needsRoot: boolean
  readonly traits: Traits
  /** The storage's clock: somebody who replaces a file by one of its size waits until it has moved on. */
  readonly tickMs?: number
}

/** As the store tells of an upload: nobody knows for which key it is. */
const SENT = ""
/** The store's requests that change something. */
const EFFECTS = new Set("put copy remove removeOnce complete sendWhole abort".split(" "))
/** And rclone's. */
const COMMANDS = new Set(
  ["copyfile", "movefile", "deletefile", "rmdir"].map((command) => `operations/${command}`),
)
const NAME = "r"
/** A server on loopback answers that much faster than those that the waiting is made for. */
const SPEED = 20

const random = { hex128: () => randomBytes(16).toString("hex") }

export async function startGround(rclone: RealRclone, options: GroundOptions): Promise<Ground> {
  const directory = mkdtempSync(join(tmpdir(), "bm-ground-"))
  // Whoever that is must read the settings.
  if (options.program !== undefined) chmodSync(directory, 0o755)
  const child = await must(
    startChild({
      program: options.program ?? rclone.path,
      environment: environmentIn(directory, { rclone, section: options.section }),
    }),
  )
  const rc = openRc(child)
  let lastNumber = 0
  const next = (): Plot => ({ ...options, rc, directory, isAlive: child.isAlive, number: ++lastNumber })
  return {
    pid: child.pid,
    rc,
    open: ({ diesAt = "store" } = {}) => openOn(next(), diesAt),
    place: () => placeOf(next()),
    nowhere: () => placeOf({ ...next(), pathOf: () => options.nowhere, needsRoot: false }),
    close() {
      rc.close()
      child.stop()
      rmSync(directory, { recursive: true, force: true })
    },
  }
}

/** What bm would let this rclone see, with a settings file of one remote. */
export function environmentIn(
  directory: string,
  at: { readonly rclone: RealRclone; readonly section: Readonly<Record<string, string>> },
): Readonly<Record<string, string>> {
  const file = join(directory, "rclone.conf")
  const lines = Object.entries(at.section).map(([key, value]) => `${key} = ${value}\n`)
  const text = `[${NAME}]\n${lines.join("")}`
  mkdirSync(directory, { recursive: true })
  writeFileSync(file, text)
  const conf = parseConf(Buffer.from(text))
  const version = parseVersion(at.rclone.run(["version"]))
  if (!conf.ok || version === undefined) throw new Error("no settings, or no version")
  const environment = { HOME: directory, PATH: process.env["PATH"] ?? "", RCLONE_CONFIG: file }
  return childEnvironment({ environment, conf: conf.value, name: NAME, version, headers: {} })
}

/** Where one storage will lie. */
interface Plot extends GroundOptions {
  readonly rc: Rc
  readonly directory: string
  readonly number: number
  isAlive(): boolean
}

interface Clocks {
  nowMs(): number
  monotonicMs(): number
  sleep(ms: number): Promise<void>
  later(ms: number): void
}

function newClocks(): Clocks {
  let laterMs = 0
  return {
    nowMs: () => Date.now() + laterMs,
    monotonicMs: () => performance.now() + laterMs,
    sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms / SPEED)),
    later(ms) {
      laterMs += ms
    },
  }
}

async function placeOf(plot: Plot, clocks = newClocks()): Promise<Place> {
  const path = plot.pathOf(plot.number)
  const side = await sideOf(plot, clocks, path)
  if (plot.needsRoot) await must(side.ask("operations/mkdir", { fs: side.remote.fs, remote: "" }, ONCE))
  const store = storeOver(side, side.work.close)
  return {
    path,
    side,
    store,
    restart: () => storeOver({ ...side }, () => undefined),
    impatient: async () =>
      storeOver(await sideOf({ ...plot, isAlive: () => false }, clocks, path), () => undefined),
    later: clocks.later,
  }
}

async function sideOf(plot: Plot, clocks: Clocks, path: string): Promise<RcloneSide> {
  const { rc, directory, number, isAlive } = plot
  const remote = await lookUp(rc, path)
  const work = openWorkFolder(join(directory, "work"), { name: `work-${number}`, nowMs: Date.now() })
  return openRcloneSide({ rc, remote, work, random, isAlive, ...clocks })
}

async function openOn(plot: Plot, diesAt: "store" | "rclone"): Promise<BucketStorage> {
  const clocks = newClocks()
  const { side } = await placeOf(plot, clocks)
  const nowhere = await sideOf(plot, clocks, plot.nowhere)
  let current = side
  const storeOn = (on: RcloneSide) => storeOver(on, () => undefined)
  const patience = patienceOf(storeOn(side), plot.tickMs)
  const foreign = inLanes(patience(storeOn(side)))
  const storage = bucketStorage({
    ...clocks,
    traits: { removesWhatIsGone: true, looksCannotTell: true, listsInOnePage: true, ...plot.traits },
    verdict: verdictOf(side.remote),
    connect(tick) {
      if (diesAt === "store") return mortalStore(() => patience(storeOn(current)), tick)
      const live = dying(tick)
      const [here, gone] = [patience(storeOn(mortalSide(side, live))), storeOn(mortalSide(nowhere, live))]
      return throughDoor(
        () => (current === side ? here : gone),
        (_, send) => send(),
      )
    },
    foreign,
    random,
    vanish() {
      current = nowhere
    },
    async recreate() {
      for (const { key } of await allObjects(foreign)) await must(foreign.remove(key, {}))
    },
    close: () => side.work.close(),
  })
  // What a device sent and did not live to move is left where nobody looks, for a day.
  return diesAt === "store"
    ? storage
    : { ...storage, staged: async () => withoutSent(await storage.staged()) }
}

function withoutSent(staged: readonly string[]): readonly string[] {
  return staged.filter((key) => key !== SENT)
}

const ONCE = { withinMs: 10_000, isRepeatable: true }

async function lookUp(rc: Rc, path: string): Promise<RcloneRemote> {
  const remote = await lookUpRemote(rc, { name: NAME, path, url: `rclone:${NAME}:${path}` })
  if (!remote.ok) throw new Error(`${NAME}:${path}: ${remote.error.kind}`)
  return remote.value
}

/** Dead is dead: whoever died asks for nothing more, not even for a look. */
function dying(tick: () => void): (isEffect: boolean) => void {
  let isDead = false
  return (isEffect) => {
    if (isDead) throw new Died("the device is dead")
    if (!isEffect) return
    try {
      tick()
    } catch (error) {
      isDead = true
      throw error
    }
  }
}

function mortalStore(store: () => ObjectStore, tick: () => void): ObjectStore {
  const live = dying(tick)
  return throughDoor(store, async ({ name }, send) => {
    live(EFFECTS.has(name))
    return send()
  })
}

function mortalSide(side: RcloneSide, live: ReturnType<typeof dying>): RcloneSide {
  return {
    ...side,
    async ask(command, input, options) {
      live(COMMANDS.has(command))
      return side.ask(command, input, options)
    },
    async open(key) {
      live(false)
      return side.open(key)
    },
  }
}

/**
 * Two versions of one size within one tick of a storage's clock look the same, and that is for whoever observes to know.
 * Here nobody is as fast.
 */
function patienceOf(eyes: ObjectStore, tickMs = 0): (store: ObjectStore) => ObjectStore {
  const lastMs = new Map<string, number>()
  const untilTold = async (key: string, sizeBytes: number): Promise<void> => {
    const before = await eyes.head(key)
    const seenMs = before.ok && before.value.sizeBytes === sizeBytes ? before.value.lastModifiedMs : 0
    const untilMs = Math.max(seenMs, lastMs.get(`${key} ${sizeBytes}`) ?? 0) + tickMs
    await until(() => Date.now() > untilMs)
  }
  if (tickMs === 0) return (store) => store
  return (store) => ({
    ...store,
    async put(key, body, options) {
      const sizeBytes = body.kind === "bytes" ? body.bytes.length : body.sizeBytes
      await untilTold(key, sizeBytes)
      const written = await store.put(key, body, options)
      // The storage dates it when it has it, which may be a tick later than when it was sent.
      lastMs.set(`${key} ${sizeBytes}`, Date.now())
      return written
    },
  })
}

/** No more at once than the store says are worth sending. */
function inLanes(store: ObjectStore): ObjectStore {
  let free = store.traits.lanes
  const waiting: (() => void)[] = []
  return throughDoor(
    () => store,
    async (_, send) => {
      if (free > 0) free -= 1
      else await new Promise<void>((resolve) => waiting.push(resolve))
      try {
        return await send()
      } finally {
        const next = waiting.shift()
        if (next === undefined) free += 1
        else next()
      }
    },
  )
}
