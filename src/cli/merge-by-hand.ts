/**
 * Lets the user merge the two versions of a conflict in a program, and takes what was saved there.
 *
 * The journal is not held open meanwhile. What was shown is remembered, so that a version that changes while the
 * program is open is not thrown away by a merge that never saw it.
 */

import type { Choice, ConflictRecord, Reading, SyncError } from "../index.ts"
import type { BmCommand } from "./command.ts"
import { openTool, type ToolFiles } from "./merge-tool.ts"
import type { Output } from "./output.ts"
import { confirm } from "./prompt.ts"
import { readingOptions } from "./reading.ts"

type Engine = typeof import("../index.ts")
type Answer<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: SyncError }

export async function mergeByHand(
  bm: Engine,
  command: BmCommand,
  output: Output,
  id: string,
): Promise<Answer<Choice>> {
  const { place, env } = command.context
  const read = await bm.whileReading(place, readingOptions(command, output), (reading) =>
    filesOf(bm, reading, id),
  )
  if (!read.ok) return read
  const { record, mergetool, files } = read.value
  const end = await openTool(mergetool, files, { home: place.home, name: record.path, env })
  if (end.kind === "failed" || end.merged === undefined)
    return {
      ok: false,
      error: { code: "tool_failed", why: end.kind === "failed" ? end.why : "it left nothing" },
    }
  // Leaving an editor without saving is no decision.
  const isUntouched = Buffer.compare(end.merged, files.merged ?? new Uint8Array()) === 0
  if (
    isUntouched &&
    !command.yes &&
    !(await confirm(command.context, "Nothing was changed there. Take it as it is?"))
  )
    return {
      ok: false,
      error: { code: "tool_failed", why: "nothing was saved, the conflict stays as it is" },
    }
  const from = { local: bm.sha256(files.local), remote: bm.sha256(files.remote) }
  return { ok: true, value: { kind: "use", bytes: end.merged, from } }
}

interface Opening {
  readonly record: ConflictRecord
  readonly mergetool: string | undefined
  readonly files: ToolFiles
}

async function filesOf(bm: Engine, reading: Reading, id: string): Promise<Answer<Opening>> {
  const found = await bm.findConflict(reading.ledger, id)
  if (!found.ok) return found
  const record = found.value
  const [base, local, remote] = [
    await bm.readConflictVersion(reading, record, "base"),
    await bm.readConflictVersion(reading, record, "local"),
    await bm.readConflictVersion(reading, record, "remote"),
  ]
  if (!local.ok || !remote.ok)
    return {
      ok: false,
      error: { code: "not_found", what: "pair of versions to merge for conflict", name: record.id },
    }
  const { merge } = await bm.conflictEvidence(reading, record)
  const merged = merge.kind === "clean" ? merge.bytes : local.value
  const files = { local: local.value, remote: remote.value, merged, ...(base.ok && { base: base.value }) }
  return { ok: true, value: { record, mergetool: reading.config.mergetool, files } }
}
