/**
 * Learns what must be known of versions before anything is decided, and not more: it looks and reads, never writes.
 *
 * Content whose size equals the base's or the other side's must be compared; different sizes are different contents. A
 * storage that computed a checksum by itself saves the transfer where the other side's bytes have the same. Where both
 * sides are new, the user is told what differs, and "newer" needs the user's time, which a listing may not show: a note
 * is read, of something large the time is asked.
 */

import { type Unknown, type Version, withOrigin } from "../model/entry.ts"
import type { Trouble } from "../model/errors.ts"
import type { RelativePath } from "../model/path.ts"
import { type Backend, SMALL_FILE_BYTES_MAX } from "../model/ports.ts"
import { err, ok, type Result } from "../model/result.ts"
import { otherSide, SIDES, type Side } from "../model/side.ts"
import type { PathState } from "../model/state.ts"
import { inOrder, readAll, type SightBody } from "./observe.ts"

type Sides = { readonly [S in Side]: Backend }

export interface Resolved {
  readonly bodies: readonly SightBody[]
  readonly unknowns: { readonly [S in Side]: readonly Unknown[] }
}

interface Needed {
  readonly path: RelativePath
  readonly side: Side
  readonly version: Version
  readonly need: "content" | "time"
  /** What the other side holds there. */
  readonly other?: Version
}

export async function resolveContents(at: {
  readonly sides: Sides
  readonly paths: ReadonlyMap<RelativePath, PathState>
}): Promise<Resolved> {
  const bodies: SightBody[] = []
  const unknowns = { local: [] as Unknown[], remote: [] as Unknown[] }
  const vanished = vanishedSizes(at.paths)
  const needed = [...at.paths].flatMap(([path, state]) => neededOf(path, state, vanished))
  await readAll(needed, async (each) => {
    const { path, side } = each
    const learned = await learn(at.sides, each)
    if (learned.ok) bodies.push({ type: "observed", side, path, version: learned.value })
    else {
      const reason = learned.error.code === "changed_since" ? "unstable" : "unreadable"
      unknowns[side].push({ path, reason, scope: "path" })
    }
  })
  return { bodies: inOrder(bodies), unknowns }
}

async function learn(sides: Sides, each: Needed): Promise<Result<Version, Trouble>> {
  const { path, side, version, need } = each
  if (need === "time") {
    const seen = await sides[side].look(path)
    if (!seen.ok) return seen
    return seen.value?.token === version.token ? ok(seen.value) : err({ code: "changed_since", path })
  }
  const same = await hashOfTwin(sides, each)
  if (same !== undefined) return ok({ ...version, hash: same })
  const read = await sides[side].read(path, version)
  return read.ok ? ok({ ...withOrigin(version, read.value.origin), hash: read.value.hash }) : read
}

/** Where the storage can say that the other side's bytes are its own, they need no transfer to be compared. */
async function hashOfTwin(sides: Sides, { path, side, version, other }: Needed): Promise<Version["hash"]> {
  const twin = otherSide(side)
  const { hasContent } = sides[side]
  if (hasContent === undefined || other === undefined || other.sizeBytes !== version.sizeBytes)
    return undefined
  if (!sides[twin].capabilities.readsAreCheap) return undefined
  const content = await sides[twin].read(path, other)
  return content.ok && (await hasContent(version, content.value)) ? content.value.hash : undefined
}

function neededOf(
  path: RelativePath,
  { base, local, remote }: PathState,
  vanished: ReadonlySet<number>,
): readonly Needed[] {
  const versions = { local, remote }
  return SIDES.flatMap((side): readonly Needed[] => {
    const version = versions[side]
    if (version === undefined) return []
    const other = versions[otherSide(side)]
    const about = { path, side, version, ...(other !== undefined && { other }) }
    const isCompared = [base, other].some((each) => each?.sizeBytes === version.sizeBytes)
    const isPerhapsRenamed = base === undefined && vanished.has(version.sizeBytes)
    const isRival = isRivalry(about, base)
    const isReadable = version.sizeBytes <= SMALL_FILE_BYTES_MAX
    if (version.hash === undefined && (isCompared || isPerhapsRenamed || (isRival && isReadable)))
      return [{ ...about, need: "content" }]
    return version.isUploadTime === true && isRival ? [{ ...about, need: "time" }] : []
  })
}

/** Both sides hold something that the base does not. */
function isRivalry({ version, other }: Pick<Needed, "version" | "other">, base: PathState["base"]): boolean {
  if (other === undefined || (version.hash !== undefined && version.hash === other.hash)) return false
  return [version, other].every((each) => base === undefined || each.hash !== base.hash || base.isHint)
}

/** Sizes of what is gone from one side only: something new of the same size may be that file under a new name. */
function vanishedSizes(paths: ReadonlyMap<RelativePath, PathState>): ReadonlySet<number> {
  const sizes = new Set<number>()
  for (const { base, local, remote } of paths.values()) {
    if (base !== undefined && (local === undefined) !== (remote === undefined)) sizes.add(base.sizeBytes)
  }
  return sizes
}
