/**
 * Crash enumeration: every scripted story, over every remote, dies at every point where it touches the world, with and
 * without what was not yet durable. Nothing is lost at once, and ordinary runs finish the work.
 *
 * Points with no effect between them leave the same world behind, so one of them stands for all; SOAK=1 tries each.
 */

import { afterAll, expect, test } from "vitest"
import { expectHealed } from "./healed.ts"
import { runOf, type Scenario, SCENARIOS } from "./scenarios.ts"
import { Crash, type RemoteKind, Simulation } from "./world.ts"

const isSoak = process.env["SOAK"] !== undefined
const KINDS: readonly RemoteKind[] = ["folder", "memory"]
const POINTS_MAX = 100_000
const totals = { points: 0, ms: 0, cpuMs: 0 }

interface Point {
  readonly scenario: Scenario
  readonly prepared: Simulation
  readonly losesUnsynced: boolean
  readonly number: number
}

/** False where the story ended before that point. */
async function diesAt({ scenario, prepared, losesUnsynced, number }: Point): Promise<boolean> {
  const simulation = prepared.fork()
  let left = number
  let where = ""
  simulation.hook = ({ life, at, phase, isEffect }) => {
    if (isEffect || isSoak || left === number) left -= 1
    if (left > 0) return
    if (left === 0) where = `${at} ${phase}`
    life.isDead = true
  }
  try {
    await runOf(scenario)(simulation)
    if (left > 0) return false
    throw new Error("the story went on after the crash")
  } catch (error) {
    if (!(error instanceof Crash)) throw at(error, where)
  }
  simulation.hook = undefined
  try {
    simulation.device(0).restart({ losesUnsynced })
    for (const device of simulation.devices) if (!device.isAdopted) await device.adopt()
    await expectHealed(simulation)
  } catch (error) {
    throw at(error, where)
  }
  return true
}

function at(error: unknown, where: string): Error {
  return new Error(`dies at ${where}: ${error instanceof Error ? error.message : String(error)}`, {
    cause: error,
  })
}

const CASES = KINDS.flatMap((remote) =>
  SCENARIOS.flatMap((scenario) =>
    [false, true].map((losesUnsynced) => ({
      scenario,
      remote,
      losesUnsynced,
      title: `${scenario.rule}, over a ${remote}${losesUnsynced ? ", by a power loss" : ""}`,
    })),
  ),
)

test.each(CASES)("survives a crash at every point: $title", async ({ scenario, remote, losesUnsynced }) => {
  const began = performance.now()
  const cpu = process.cpuUsage()
  const { profile } = scenario
  const prepared = new Simulation({ seed: 7, remote, devices: 2, ...(profile !== undefined && { profile }) })
  await scenario.prepare(prepared)
  const failures: string[] = []
  const stride = isSoak ? 1 : (scenario.stride ?? 1)
  let points = 0
  for (let number = 1; number < POINTS_MAX; number += stride) {
    try {
      if (!(await diesAt({ scenario, prepared, losesUnsynced, number }))) break
    } catch (error) {
      failures.push(`point ${number} ${error instanceof Error ? error.message : String(error)}`)
      if (failures.length > 5) break
    }
    points += 1
  }
  totals.points += points
  const { user } = process.cpuUsage(cpu)
  totals.cpuMs += user / 1000
  if (process.env["SIM_TIMES"]) console.log(`${scenario.rule} ${remote}: ${points} points, ${Math.round(user / 1000)} ms CPU`)
  totals.ms += performance.now() - began
  expect(failures).toEqual([])
  expect(points).toBeGreaterThan(1)
})

afterAll(() => {
  console.log(`crash enumeration: ${totals.points} points in ${(totals.ms / 1000).toFixed(1)} s (CPU ${(totals.cpuMs / 1000).toFixed(1)} s)`)
})
