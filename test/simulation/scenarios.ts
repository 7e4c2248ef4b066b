/**
 * Scripted stories for the crash enumeration. `prepare` brings two devices to the point where something is about to
 * happen; `act` is the run of the first device that dies.
 */

import type { ProfileName } from "../../src/model/settings.ts"
import { Crash, must, type Simulation } from "./world.ts"

export interface Scenario {
  readonly rule: string
  readonly profile?: ProfileName
  /** Only every so many-th point, where a story is long. */
  readonly stride?: number
  readonly oracleStride?: number
  prepare(simulation: Simulation): Promise<void>
  act?(simulation: Simulation): Promise<unknown>
}

const LATER_MS = 30_000

const START = {
  "a.md": "alpha one",
  "b.md": "beta one",
  "d/c.md": "gamma one",
  "d/e.md": "delta one",
  "long.md": `a long note ${"that is kept beside the tree ".repeat(3)}`,
}

/** Both devices hold the same files; then time passes, so that edits are newer than what is there. */
async function agree(simulation: Simulation, files: Readonly<Record<string, string>> = START): Promise<void> {
  const [first, second] = [simulation.device(0), simulation.device(1)]
  for (const [path, content] of Object.entries(files)) first.write(path, content)
  must(await first.setup())
  must(await second.setup())
  simulation.nowMs += LATER_MS
  must(await first.sync())
  simulation.nowMs += LATER_MS
}

/** What the second device did reaches the remote, where the first finds it. */
async function publish(simulation: Simulation): Promise<void> {
  must(await simulation.device(1).syncConfirming())
  simulation.nowMs += LATER_MS
}

/** Here first, then there, then published; the second edit is the newer one. */
async function editBoth(
  simulation: Simulation,
  edits: { readonly here: () => void; readonly there: () => void; readonly newer: "here" | "there" | "tie" },
): Promise<void> {
  if (edits.newer !== "here") edits.here()
  if (edits.newer !== "tie") simulation.nowMs += LATER_MS
  edits.there()
  if (edits.newer === "here") {
    simulation.nowMs += LATER_MS
    edits.here()
  }
  await publish(simulation)
}

/** The first device dies at a part of the run that is about to happen. */
async function dieAt(simulation: Simulation, part: number): Promise<void> {
  const device = simulation.device(0)
  let left = part
  simulation.hook = ({ life }) => {
    left -= 1
    if (left === 0) life.isDead = true
  }
  try {
    await device.sync()
  } catch (error) {
    if (!(error instanceof Crash)) throw error
    simulation.hook = undefined
    device.restart({ losesUnsynced: part % 2 === 0 })
  }
  simulation.hook = undefined
  simulation.nowMs += LATER_MS
}

async function manyEdits(simulation: Simulation): Promise<void> {
  await agree(simulation)
  const [first, second] = [simulation.device(0), simulation.device(1)]
  second.save("b.md", "beta two from there")
  second.remove("d/c.md")
  second.write("new there.md", "from there")
  await publish(simulation)
  first.save("a.md", "alpha two")
  first.save("b.md", "beta two from here")
  first.remove("d/e.md")
  first.write("new here.md", "from here")
}

export const SCENARIOS: readonly Scenario[] = [
  {
    rule: "a first sync uploads",
    async prepare({ devices: [first] }) {
      for (const [path, content] of Object.entries(START)) first?.write(path, content)
      await first?.adopt()
    },
    act: (simulation) => simulation.device(0).sync({ union: "setup" }),
  },
  {
    rule: "a first sync downloads and meets rivals",
    async prepare(simulation) {
      const [first, second] = [simulation.device(0), simulation.device(1)]
      for (const [path, content] of Object.entries(START)) second.write(path, content)
      must(await second.setup())
      simulation.nowMs += LATER_MS
      first.write("a.md", "alpha of here")
      first.write("b.md", "beta one")
      await first.adopt()
    },
    act: (simulation) => simulation.device(0).sync({ union: "setup" }),
  },
  {
    rule: "edits go up",
    async prepare(simulation) {
      await agree(simulation)
      const first = simulation.device(0)
      first.write("a.md", "alpha two")
      first.save("d/c.md", "gamma two, saved")
      first.save("long.md", `a long note ${"that became longer than before ".repeat(4)}`)
    },
  },
  {
    rule: "edits come down",
    async prepare(simulation) {
      await agree(simulation)
      const second = simulation.device(1)
      second.write("a.md", "alpha two")
      second.save("d/c.md", "gamma two, saved")
      second.save("long.md", `a long note ${"that became longer than before ".repeat(4)}`)
      await publish(simulation)
    },
  },
  {
    rule: "deletes go up",
    async prepare(simulation) {
      await agree(simulation)
      simulation.device(0).remove("a.md")
      simulation.device(0).remove("d")
      simulation.device(0).remove("long.md")
    },
  },
  {
    rule: "deletes come down",
    async prepare(simulation) {
      await agree(simulation)
      simulation.device(1).remove("a.md")
      simulation.device(1).remove("d")
      simulation.device(1).remove("long.md")
      await publish(simulation)
    },
  },
  {
    rule: "the newer version here wins",
    async prepare(simulation) {
      await agree(simulation)
      await editBoth(simulation, {
        here: () => simulation.device(0).save("a.md", "alpha of here"),
        there: () => simulation.device(1).save("a.md", "alpha of there"),
        newer: "here",
      })
    },
  },
  {
    rule: "the newer version there wins",
    async prepare(simulation) {
      await agree(simulation)
      await editBoth(simulation, {
        here: () => simulation.device(0).save("a.md", "alpha of here"),
        there: () => simulation.device(1).save("a.md", "alpha of there, which is longer"),
        newer: "there",
      })
    },
  },
  {
    rule: "the safe profile keeps both",
    profile: "safe",
    async prepare(simulation) {
      await agree(simulation)
      await editBoth(simulation, {
        here: () => simulation.device(0).save("d/c.md", "gamma of here"),
        there: () => simulation.device(1).save("d/c.md", "gamma of there"),
        newer: "there",
      })
    },
  },
  {
    rule: "a tie keeps both",
    async prepare(simulation) {
      await agree(simulation)
      await editBoth(simulation, {
        here: () => simulation.device(0).save("a.md", "alpha of here"),
        there: () => simulation.device(1).save("a.md", "alpha of there"),
        newer: "tie",
      })
    },
  },
  {
    rule: "renames go up",
    async prepare(simulation) {
      await agree(simulation)
      simulation.device(0).rename("a.md", "sub/a.md")
      simulation.device(0).rename("d", "moved")
    },
  },
  {
    rule: "renames come down",
    async prepare(simulation) {
      await agree(simulation)
      simulation.device(1).rename("a.md", "sub/a.md")
      simulation.device(1).rename("d", "moved")
      await publish(simulation)
    },
  },
  {
    rule: "two names are swapped",
    async prepare(simulation) {
      await agree(simulation)
      const first = simulation.device(0)
      first.rename("a.md", "hold")
      first.rename("b.md", "a.md")
      first.rename("hold", "b.md")
    },
  },
  {
    rule: "a file becomes a directory here",
    async prepare(simulation) {
      await agree(simulation)
      simulation.device(0).remove("a.md")
      simulation.device(0).write("a.md/inside.md", "inside of a")
      simulation.device(0).write("a.md/more.md", "more of a")
    },
  },
  {
    rule: "a file becomes a directory there",
    async prepare(simulation) {
      await agree(simulation)
      simulation.device(1).remove("a.md")
      simulation.device(1).write("a.md/inside.md", "inside of a")
      await publish(simulation)
    },
  },
  {
    rule: "a directory becomes a file here",
    async prepare(simulation) {
      await agree(simulation)
      simulation.device(0).remove("d")
      simulation.device(0).write("d", "d is a file")
    },
  },
  {
    rule: "a directory becomes a file there",
    async prepare(simulation) {
      await agree(simulation)
      simulation.device(1).remove("d")
      simulation.device(1).write("d", "d is a file")
      await publish(simulation)
    },
  },
  {
    rule: "a file changed here is a directory there",
    async prepare(simulation) {
      await agree(simulation)
      simulation.device(1).remove("a.md")
      simulation.device(1).write("a.md/inside.md", "inside of a")
      await publish(simulation)
      simulation.device(0).save("a.md", "alpha two")
    },
  },
  {
    rule: "a directory is a file here and has a changed child there",
    async prepare(simulation) {
      await agree(simulation)
      simulation.device(1).save("d/c.md", "gamma two")
      simulation.device(1).write("d/new.md", "new in d")
      await publish(simulation)
      simulation.device(0).remove("d")
      simulation.device(0).write("d", "d is a file")
    },
  },
  {
    rule: "edits meet deletes, both ways",
    async prepare(simulation) {
      await agree(simulation)
      simulation.device(1).remove("a.md")
      simulation.device(1).save("b.md", "beta two")
      await publish(simulation)
      simulation.device(0).save("a.md", "alpha two")
      simulation.device(0).remove("b.md")
    },
  },
  {
    rule: "more files than a wave takes",
    stride: 83,
    oracleStride: 40,
    async prepare(simulation) {
      await agree(simulation)
      for (let n = 0; n < 150; n++) simulation.device(0).write(`up/${n}.md`, `up ${n}`)
      for (let n = 0; n < 150; n++) simulation.device(1).write(`down/${n}.md`, `down ${n}`)
      await publish(simulation)
    },
  },
  {
    rule: "a resync unites",
    async prepare(simulation) {
      await manyEdits(simulation)
    },
    act: (simulation) => simulation.device(0).sync({ union: "resync" }),
  },
  {
    rule: "both made the same edit",
    async prepare(simulation) {
      await agree(simulation)
      await editBoth(simulation, {
        here: () => simulation.device(0).save("a.md", "alpha two"),
        there: () => simulation.device(1).save("a.md", "alpha two"),
        newer: "here",
      })
      simulation.device(0).remove("b.md")
      simulation.device(1).remove("b.md")
      await publish(simulation)
    },
  },
  ...[40, 60, 75, 90, 105, 120, 135, 151, 166].map(
    (part): Scenario => ({
      rule: `a run settles what a crash at point ${part} left`,
      async prepare(simulation) {
        await manyEdits(simulation)
        await dieAt(simulation, part)
      },
    }),
  ),
  ...[60, 80, 100, 121].map(
    (part): Scenario => ({
      rule: `a safe run settles what a crash at point ${part} left of two kept files`,
      profile: "safe",
      async prepare(simulation) {
        await agree(simulation)
        await editBoth(simulation, {
          here: () => simulation.device(0).save("a.md", "alpha of here"),
          there: () => simulation.device(1).save("a.md", "alpha of there"),
          newer: "here",
        })
        await dieAt(simulation, part)
      },
    }),
  ),
  {
    rule: "old replaced files are dropped",
    async prepare(simulation) {
      await manyEdits(simulation)
      must(await simulation.device(0).sync())
      simulation.nowMs += 70_000
    },
  },
  {
    rule: "an editor wrote into a replaced file",
    async prepare(simulation) {
      await manyEdits(simulation)
      must(await simulation.device(0).sync())
      const disk = simulation.device(0).disk
      for (const path of disk.all().keys())
        if (path.startsWith(".basic-memory/trash/"))
          simulation.edit("device-1", [path], () => disk.userWrite(path, `late into ${path.slice(-4)}`))
      simulation.nowMs += 70_000
    },
  },
  {
    rule: "a path becomes ignored while it is edited there",
    async prepare(simulation) {
      await manyEdits(simulation)
      for (const device of simulation.devices) device.ignore = "b.md\n"
    },
  },
  {
    rule: "two devices meet on a conflict name",
    profile: "safe",
    async prepare(simulation) {
      await agree(simulation)
      await editBoth(simulation, {
        here: () => {
          simulation.device(0).save("a.md", "alpha of here")
          simulation.device(0).save("a.md.conflict1", "a name of here")
        },
        there: () => {
          simulation.device(1).save("a.md", "alpha of there")
          simulation.device(1).save("a.md.conflict1", "a name of there")
        },
        newer: "here",
      })
    },
  },
]

export function runOf({ act }: Scenario): (simulation: Simulation) => Promise<unknown> {
  return act ?? ((simulation) => simulation.device(0).syncConfirming())
}
