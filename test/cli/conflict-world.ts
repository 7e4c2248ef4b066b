/** A file edited on both devices, in the ways that conflicts differ, and what the list then says. */

import { expect } from "vitest"
import type { CliDevice } from "./cli-world.ts"

const T = (clock: string) => `2026-03-02T${clock}:00Z`
export const BASE = "one\ntwo\nthree\nfour\nfive\n"

interface Listed {
  readonly conflict: string
  readonly state: string
  readonly path: string
  readonly winner: string | null
  readonly loser_only_lines: number | null
  readonly mergeable: boolean
}

export async function listed(device: CliDevice, ...args: readonly string[]): Promise<readonly Listed[]> {
  return (await device.bm("cloud", "conflicts", ...args, "--json")).json.conflicts as readonly Listed[]
}

export async function onlyId(device: CliDevice): Promise<string> {
  const conflicts = await listed(device)
  expect(conflicts).toHaveLength(1)
  return conflicts[0]?.conflict ?? ""
}

/** The same file edited on both devices; the second device meets the conflict. */
export async function editBoth(
  [a, b]: readonly [CliDevice, CliDevice],
  edits: {
    readonly base?: string
    readonly a: string
    readonly b: string
    readonly times?: readonly [string, string]
    readonly profile?: "safe" | "balanced"
  },
): Promise<number> {
  const [early, late] = edits.times ?? ["10:00", "10:05"]
  a.write("n.md", edits.base ?? BASE, T("09:00"))
  await a.sync()
  await b.sync()
  a.write("n.md", edits.a, T(early))
  b.write("n.md", edits.b, T(late))
  await a.sync()
  return b.sync(edits.profile === undefined ? {} : { profile: edits.profile })
}

export const FAR = { a: BASE.replace("one", "ONE, by a"), b: BASE.replace("five", "FIVE, by b") }
export const NEAR = { a: BASE.replace("three", "3 by a"), b: BASE.replace("three", "3 by b") }
export const OPEN = { profile: "safe" } as const
