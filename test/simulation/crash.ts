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

/** A file of tests for each kind of remote, so that they run beside each other. */
export function testCrashes(remote: RemoteKind): void {
  const cases = SCENARIOS.flatMap((scenario) =>
    [false, true].map((losesUnsynced) => ({
      scenario,
      losesUnsynced,
      title: `${scenario.rule}${losesUnsynced ? ", by a power loss" : ""}`,
    })),
  )
  test.each(cases)(`survives a crash at every point over a ${remote}: $title`, async (one) => {
    const points = await enumerate({ ...one, remote })
    expect(points).toBeGreaterThan(remote.startsWith("bucket") ? 0 : 1)
  })
  afterAll(() => {
    const seconds = (ms: number) => `${(ms / 1000).toFixed(1)} s`
    console.log(
      `crashes over a ${remote}: ${totals.points} points in ${seconds(totals.ms)}, CPU ${seconds(totals.cpuMs)}`,
    )
  })
}

async function enumerate({
  scenario,
  remote,
  losesUnsynced,
}: {
  readonly scenario: Scenario
  readonly remote: RemoteKind
  readonly losesUnsynced: boolean
}): Promise<number> {
  const began = performance.now()
  const cpu = process.cpuUsage()
  const { profile, oracleStride } = scenario
  const prepared = new Simulation({
    seed: 7,
    remote,
    devices: 2,
    ...(profile !== undefined && { profile }),
    ...(oracleStride !== undefined && { oracleStride }),
  })
  await scenario.prepare(prepared)
  const failures: string[] = []
  // A step on a bucket is several requests; every third of them stands for its neighbours.
  const requests = remote.startsWith("bucket") ? 3 : 1
  const stride = isSoak ? 1 : (scenario.stride ?? 1) * requests
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
  totals.ms += performance.now() - began
  expect(failures).toEqual([])
  return points
}
