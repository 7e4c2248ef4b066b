/**
 * `status.json`: what the last run left, published in one step, so that `bm cloud status` never waits for a run.
 */

import { readFileSync } from "node:fs"
import { join } from "node:path"
import { SIDES } from "../model/side.ts"
import { writePrivate } from "./config.ts"
import type { Cycle } from "./cycle.ts"
import type { Session } from "./session.ts"
import { gatherFacts, type StatusFacts } from "./status-facts.ts"

export interface StatusFile {
  readonly schema: "bm.status-file/1"
  readonly last_sync: { readonly run: string; readonly at: string; readonly ok: boolean } | null
  readonly storage_bytes: number
  readonly files: number
  readonly waiting: {
    readonly local: number
    readonly remote: number
    readonly deletes: number
    readonly as_of: string
  }
  readonly conflicts_open: number
  /** Absent in a file that an earlier version of this program wrote. */
  readonly facts?: StatusFacts
}

export async function publishStatus(at: { readonly session: Session; readonly cycle: Cycle }): Promise<void> {
  const { session, cycle } = at
  const now = new Date().toISOString()
  const before = readStatus(session.directory)
  if (cycle.kind === "settled" && before !== undefined) {
    write(session, { ...before, last_sync: { run: cycle.run, at: now, ok: true } })
    return
  }
  const loaded = await session.ledger.load()
  if (!loaded.ok || cycle.kind === "planned" || cycle.kind === "cloned") return
  const run = cycle.kind === "settled" ? cycle.run : cycle.prepared.run
  const exit = cycle.kind === "settled" ? 0 : cycle.performed.exit
  let storage = 0
  const waiting = { local: 0, remote: 0 }
  for (const { base, local, remote } of loaded.value.paths.values()) {
    storage += remote?.sizeBytes ?? 0
    const versions = { local, remote }
    for (const side of SIDES) if (versions[side]?.hash !== base?.hash) waiting[side] += 1
  }
  write(session, {
    schema: "bm.status-file/1",
    last_sync: { run, at: now, ok: exit === 0 || exit === 6 },
    storage_bytes: storage,
    files: loaded.value.paths.size,
    waiting: { ...waiting, deletes: 0, as_of: now },
    conflicts_open: loaded.value.openConflicts.size,
    facts: await gatherFacts(session.ledger, run, before?.facts),
  })
}

function write(session: Session, status: StatusFile): void {
  writePrivate(join(session.directory, "status.json"), `${JSON.stringify(status)}\n`, { isDurable: false })
}

export function readStatus(directory: string): StatusFile | undefined {
  try {
    return JSON.parse(readFileSync(join(directory, "status.json"), "utf8")) as StatusFile
  } catch {
    return undefined
  }
}
