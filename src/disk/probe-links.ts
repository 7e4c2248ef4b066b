/**
 * Looks whether a disk can give a file a second name. Without that a file cannot be put in place in one step that fails
 * where somebody else's has appeared; exFAT and some network shares cannot.
 */

import type { Trouble } from "../model/errors.ts"
import { err, ok, type Result } from "../model/result.ts"
import type { Disk } from "./disk.ts"
import { TEMP_DIRECTORY } from "./layout.ts"
import { troubleOf } from "./trouble.ts"

export async function probeLinks(disk: Disk, unique: string): Promise<Result<void, Trouble>> {
  const [first, second] = [`${TEMP_DIRECTORY}/probe-${unique}`, `${TEMP_DIRECTORY}/probe-${unique}-linked`]
  const made = await disk.makeDirectory(TEMP_DIRECTORY)
  if (!made.ok) return err(troubleOf(made.error))
  const created = await disk.createFile(first, Buffer.from("probe"), { isDurable: false })
  if (!created.ok) return err(troubleOf(created.error))
  const linked = await disk.link(first, second)
  if (linked.ok) await disk.unlink(second)
  await disk.unlink(first)
  return linked.ok ? ok(undefined) : err({ ...troubleOf(linked.error), code: "unsupported" })
}
