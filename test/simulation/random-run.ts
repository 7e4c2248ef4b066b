/**
 * One run of the random simulation: devices, users and a remote, with crashes, faults, edits in the midst of runs, and
 * runs of two devices at once. Everything follows from the seed.
 */

import { expectHealed } from "./healed.ts"
import { prngOf, type Prng } from "./random.ts"
import { Crash, must, type RemoteKind, Simulation, type SimulatedDevice, type Tick } from "./world.ts"

const STEPS = 20
const PATHS = ["a.md", "b.md", "d/a.md", "d/b.md", "d", "e/x/y.md", "e/z.md", "a.md.conflict1", "a.md/in.md"]
const PROFILES = ["safe", "balanced", "fast"] as const
const ERRNOS = ["EIO", "ENOSPC", "EACCES"]

export interface RunReport {
  readonly ticks: number
  readonly faults: number
  readonly edits: number
  readonly glances: number
}

export async function simulate(
  seed: number,
  options: {
    readonly traces?: boolean
    readonly remote?: RemoteKind
    /** False for seeds that were found before there were any. */
    readonly hasGlances?: boolean
  } = {},
): Promise<RunReport> {
  const prng = prngOf(seed)
  const drawn = prng.chance(0.6) ? "folder" : "memory"
  const simulation = new Simulation({
    seed: seed ^ 0x5eed,
    remote: options.remote ?? drawn,
    devices: prng.pick([2, 2, 2, 3, 3, 4]),
    reusesInodes: prng.chance(0.5),
  })
  if (options.traces === true) simulation.trace = []
  try {
    return await new RandomRun(simulation, prng, options.hasGlances ?? true).run()
  } catch (error) {
    if (simulation.trace !== undefined) console.log(simulation.trace.join("\n"))
    throw error
  }
}

class RandomRun {
  readonly #simulation: Simulation
  readonly #prng: Prng
  readonly #scheduler: Scheduler
  readonly #hasGlances: boolean
  #writes = 0
  #edits = 0
  #faults = 0

  constructor(simulation: Simulation, prng: Prng, hasGlances: boolean) {
    this.#simulation = simulation
    this.#prng = prng
    this.#hasGlances = hasGlances
    this.#scheduler = new Scheduler(prng)
  }

  async run(): Promise<RunReport> {
    const { devices } = this.#simulation
    for (const device of devices) {
      device.profile = this.#prng.pick(PROFILES)
      for (let files = this.#prng.below(4); files > 0; files--) this.#edit(device)
      await device.adopt()
      must(await device.syncConfirming({ union: "setup" }))
      this.#wait()
    }
    this.#edits = 0
    while (this.#edits < STEPS || this.#faults === 0) {
      for (let edits = 1 + this.#prng.below(3); edits > 0; edits--) this.#edit(this.#prng.pick(devices))
      if (this.#prng.chance(0.1)) this.#editRemote()
      await this.#syncSome()
      this.#wait()
    }
    await expectHealed(this.#simulation)
    const { ticks, glances } = this.#simulation
    return { ticks, glances, faults: this.#faults, edits: this.#edits }
  }

  #wait(): void {
    const waits = [0, 100, 1_500, 5_000, 20_000, 61_000, 700_000]
    this.#simulation.nowMs += this.#prng.pick(waits)
  }

  async #syncSome(): Promise<void> {
    const { devices } = this.#simulation
    const first = this.#prng.pick(devices)
    const second = this.#prng.pick(devices)
    const syncing = first !== second && this.#prng.chance(0.4) ? [first, second] : [first]
    const dying = new Map<SimulatedDevice, number>()
    for (const device of syncing) if (this.#prng.chance(0.3)) dying.set(device, 1 + this.#prng.below(400))
    const edits = this.#prng.chance(0.5) ? 1 / (50 + this.#prng.below(200)) : 0
    this.#breakSomeCalls(this.#prng.chance(0.2) ? 1 / (40 + this.#prng.below(300)) : 0)
    this.#simulation.hook = (tick) => this.#onTick(tick, { dying, edits, isShared: syncing.length > 1 })
    const ended = await Promise.allSettled(syncing.map((device) => this.#sync(device)))
    await this.#scheduler.idle()
    this.#simulation.hook = undefined
    this.#breakSomeCalls(0)
    for (const [index, end] of ended.entries()) {
      if (end.status === "fulfilled") continue
      if (!(end.reason instanceof Crash)) throw end.reason
      this.#faults += 1
      syncing[index]?.restart({ losesUnsynced: this.#prng.chance(0.5) })
    }
  }

  async #sync(device: SimulatedDevice): Promise<void> {
    const union = this.#prng.chance(0.05) ? ({ union: "resync" } as const) : {}
    const asked = this.#hasGlances && this.#prng.chance(0.5) ? { only: this.#named(device) } : union
    const result = await (this.#prng.chance(0.8) ? device.syncConfirming(asked) : device.sync(asked))
    if (result.ok && result.value.kind === "cloned") throw new Error("took its own journal for a copy")
    if (!result.ok && result.error.code === "journal_damaged") throw new Error(result.error.why)
  }

  /** What hints may name: some of what is there, of what was, and of what never was. */
  #named(device: SimulatedDevice): readonly string[] {
    const share = this.#prng.pick([0.2, 0.8, 1])
    const names = new Set([...device.disk.tree().keys(), ...PATHS.slice(0, this.#prng.below(PATHS.length))])
    return [...names].filter(() => this.#prng.chance(share))
  }

  #onTick(
    { life }: Tick,
    at: {
      readonly dying: Map<SimulatedDevice, number>
      readonly edits: number
      readonly isShared: boolean
    },
  ): void | Promise<void> {
    const left = at.dying.get(life.device)
    if (left !== undefined) {
      at.dying.set(life.device, left - 1)
      if (left <= 1) life.isDead = true
    }
    if (at.edits > 0 && this.#prng.chance(at.edits)) {
      if (this.#prng.chance(0.1) && this.#maySeeForeigners()) this.#editRemote()
      else this.#edit(life.device)
    }
    return at.isShared ? this.#scheduler.turn() : undefined
  }

  /** Where a server keeps no conditions, nobody can keep a foreign program from writing between a look and a write. */
  #maySeeForeigners(): boolean {
    const { kind } = this.#simulation.remote
    return kind !== "bucket B" && kind !== "bucket C"
  }

  #breakSomeCalls(rate: number): void {
    const simulation = this.#simulation
    simulation.failNext = undefined
    simulation.failCall = undefined
    if (rate === 0) return
    const fails = () => {
      const isBroken = this.#prng.chance(rate)
      if (isBroken) this.#faults += 1
      return isBroken
    }
    simulation.failNext = () => (fails() ? this.#prng.pick(ERRNOS) : undefined)
    simulation.failCall = (_life, _call, path) => (fails() ? { code: "unreachable", path } : undefined)
  }

  /** New content, never seen before; sizes are few, so that equal sizes do not mean equal contents. */
  #content(who: string): string {
    this.#writes += 1
    return `${this.#writes} ${who}`.padEnd(this.#prng.pick([16, 16, 16, 30, 60]), ".")
  }

  #edit(device: SimulatedDevice): void {
    this.#edits += 1
    const prng = this.#prng
    const files = [...device.disk.tree().keys()]
    const present = files.length === 0 ? undefined : prng.pick(files)
    const path = present !== undefined && prng.chance(0.6) ? present : prng.pick(PATHS)
    const content = this.#content(device.name)
    const roll = prng.below(12)
    if (present === undefined || roll < 3) device.save(path, content)
    else if (roll < 6) device.write(path, content)
    else if (roll < 8) device.remove(present)
    else if (roll === 8) this.#rename(device, present)
    else if (roll === 9) this.#reshape(device, present)
    else if (roll === 10)
      device.write(present, content, Math.floor(this.#simulation.nowMs) - prng.below(50_000))
    else this.#writeAside(device)
  }

  #rename(device: SimulatedDevice, present: string): void {
    const slash = present.indexOf("/")
    const from = slash > 0 && this.#prng.chance(0.5) ? present.slice(0, slash) : present
    const to = this.#prng.pick([...PATHS, "f", "f/g.md"])
    if (from !== to) device.rename(from, to)
  }

  /** A file becomes a directory, or the directory above it becomes a file. */
  #reshape(device: SimulatedDevice, present: string): void {
    const slash = present.indexOf("/")
    const content = this.#content(device.name)
    if (slash > 0) {
      const directory = present.slice(0, slash)
      device.remove(directory)
      device.save(directory, content)
    } else {
      device.remove(present)
      device.save(`${present}/in.md`, content)
    }
  }

  /** An editor that still has a replaced file open saves into it. */
  #writeAside(device: SimulatedDevice): void {
    const { nowMs } = this.#simulation
    const asides = [...device.disk.all().keys()].filter((path) => path.startsWith(".basic-memory/trash/"))
    // Whoever writes later than that may write into what is just being dropped; no stat can tell.
    const young = asides.filter((path) => nowMs - device.changedMs(path) < 50_000)
    if (young.length === 0) return
    const path = this.#prng.pick(young)
    const content = this.#content(device.name)
    const note = path.split("/").slice(4).join("/")
    this.#simulation.edit(device.name, [note], () => device.disk.userWrite(path, content))
  }

  #editRemote(): void {
    const { remote } = this.#simulation
    const tree = [...remote.tree().keys()]
    if (tree.length > 0 && this.#prng.chance(0.3)) remote.remove(this.#prng.pick(tree))
    else {
      const path = tree.length > 0 && this.#prng.chance(0.6) ? this.#prng.pick(tree) : this.#prng.pick(PATHS)
      const isBeside = tree.some((other) => other.startsWith(`${path}/`) || path.startsWith(`${other}/`))
      if (!isBeside) remote.put(path, this.#content("remote"))
    }
  }
}

/** Lets one of the waiting go on at a time, whichever the seed says. */
class Scheduler {
  readonly #prng: Prng
  readonly #waiting: (() => void)[] = []
  #isArmed = false

  constructor(prng: Prng) {
    this.#prng = prng
  }

  turn(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push(resolve)
      this.#arm()
    })
  }

  async idle(): Promise<void> {
    do
      await new Promise<void>((resolve) => {
        setImmediate(resolve)
      })
    while (this.#waiting.length > 0)
  }

  /** By then everybody who can go on without a turn has done so. */
  #arm(): void {
    if (this.#isArmed || this.#waiting.length === 0) return
    this.#isArmed = true
    setImmediate(() => {
      this.#isArmed = false
      const [next] = this.#waiting.splice(this.#prng.below(this.#waiting.length), 1)
      next?.()
      this.#arm()
    })
  }
}
