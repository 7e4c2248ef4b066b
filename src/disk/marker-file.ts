/**
 * The root marker: says which folder this is and how far its journal had come when it was last written.
 *
 * It is written only after the journal is on the disk, so it is never ahead of it; an older one than the journal
 * recorded means that the folder was restored from a backup.
 */

import type { Trouble } from "../model/errors.ts"
import { err, ok, type Result } from "../model/result.ts"
import type { MarkerMemory } from "../model/state.ts"
import type { Disk } from "./disk.ts"
import { MARKER_FILE } from "./layout.ts"
import { CONTROL_DIRECTORY } from "../model/path.ts"
import { troubleOf } from "./trouble.ts"

export async function readMarker(disk: Disk): Promise<Result<MarkerMemory | undefined, Trouble>> {
  const file = await disk.readFile(MARKER_FILE)
  if (!file.ok)
    return file.error.errno === "ENOENT" || file.error.errno === "ENOTDIR"
      ? ok(undefined)
      : err(troubleOf(file.error))
  try {
    const { root, sequence, nonce } = JSON.parse(
      new TextDecoder().decode(file.value.bytes),
    ) as Partial<MarkerMemory>
    if (typeof root === "string" && typeof sequence === "number" && typeof nonce === "string")
      return ok({ root, sequence, nonce })
  } catch {
    // Torn or edited: the same as a foreign marker, which the caller refuses.
  }
  return ok({ root: "", sequence: 0, nonce: "" })
}

export async function writeMarker(disk: Disk, marker: MarkerMemory): Promise<Result<void, Trouble>> {
  const made = await disk.makeDirectory(CONTROL_DIRECTORY)
  if (!made.ok) return err(troubleOf(made.error))
  const temp = `${CONTROL_DIRECTORY}/root.json.${marker.nonce}`
  const created = await disk.createFile(
    temp,
    Buffer.from(`${JSON.stringify({ schema: "bm.root/1", ...marker })}\n`),
  )
  if (!created.ok) return err(troubleOf(created.error))
  const renamed = await disk.rename(temp, MARKER_FILE)
  if (!renamed.ok) return err(troubleOf(renamed.error))
  const synced = await disk.syncDirectories([CONTROL_DIRECTORY])
  return synced.ok ? synced : err(troubleOf(synced.error))
}
