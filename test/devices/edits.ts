/** What users do to their notes: contents that nobody ever wrote before, at few names, so that they get into each other's way. */

import type { Oracle } from "../simulation/oracle.ts"
import type { Prng } from "../simulation/random.ts"
import { byUser, type Device } from "./device.ts"
import type { Site } from "./site.ts"

const PATHS = ["a.md", "b.md", "c.md", "d/a.md", "d/b.md", "d/e/a.md"]
const EDITS_MAX = 4
/** Few sizes: equal ones do not mean equal contents, and two are beyond what the history keeps in its tree. */
const SIZES = [16, 16, 16, 30, 60]

export interface Editing {
  readonly prng: Prng
  readonly site: Site
  readonly oracle: Oracle
  readonly tell: (line: string) => void
  /** Makes every content unlike all others. */
  readonly nextNumber: () => number
}

/** Each user for itself; or, now and then, all of them at one note, which some remove and others write. */
export function editRound(devices: readonly Device[], at: Editing): void {
  const { prng } = at
  const all = devices.flatMap(({ disk }) => [...disk.tree().keys()])
  if (all.length > 0 && prng.chance(0.3)) {
    const path = prng.pick(all)
    for (const device of devices)
      if (prng.chance(0.5)) remove(device, path, at)
      else write(device, path, at)
  } else
    for (const device of devices)
      for (let edits = prng.below(EDITS_MAX + 1); edits > 0; edits--) editRandomly(device, at)
}

function editRandomly(device: Device, at: Editing): void {
  const { prng } = at
  const { disk } = device
  const files = [...disk.tree().keys()]
  const present = files.length === 0 ? undefined : prng.pick(files)
  const roll = prng.below(10)
  if (present === undefined || roll < 5)
    write(device, present !== undefined && prng.chance(0.5) ? present : prng.pick(PATHS), at)
  else if (roll < 8) remove(device, present, at)
  else {
    const to = prng.pick(PATHS)
    if (to !== present)
      edit(device, at, { what: `renames ${present} to ${to}`, change: () => disk.userRename(present, to) })
  }
}

function write(device: Device, path: string, at: Editing): void {
  const { prng } = at
  const { disk, name } = device
  const content = `${at.nextNumber()} ${name}`.padEnd(prng.pick(SIZES), ".")
  const isNewFile = prng.chance(0.5)
  edit(device, at, {
    what: `writes ${path}: ${content}`,
    change: () => (isNewFile ? disk.userReplace(path, content) : disk.userWrite(path, content)),
  })
}

function remove(device: Device, path: string, at: Editing): void {
  edit(device, at, { what: `removes ${path}`, change: () => device.disk.userRemove(path) })
}

function edit(
  { name }: Device,
  { site, oracle, tell }: Editing,
  { what, change }: { readonly what: string; readonly change: () => void },
): void {
  site.clocks.advance(1)
  tell(`  ${name} ${what}`)
  oracle.user(() => byUser(change))
}
