/**
 * A glance: a run that looks at a few paths here, and takes everything else, the remote too, as it was last seen.
 *
 * It sends what was created or edited, and nothing else: that needs no listing, because each write names the version
 * that it replaces, and takes no effect where another one is there. Whatever is more than that, or not sure, is left to
 * a run that lists both sides.
 */

import type { ListedFile, Listing } from "../model/entry.ts"
import type { SyncError } from "../model/errors.ts"
import type { RunId } from "../model/ids.ts"
import { ancestorsOf, type RelativePath } from "../model/path.ts"
import { err, ok, type Result } from "../model/result.ts"
import type { PathState, State } from "../model/state.ts"
import { observe } from "../observe/observe.ts"
import { carryOut, type Decide, type PerformedCycle, prepare } from "./cycle.ts"
import { journalError, type Ledger } from "./ledger.ts"
import type { Look } from "./look.ts"
import type { RunOptions } from "./options.ts"
import { recognise, type Recognised } from "./recognise.ts"
import { newRunId, settingsText } from "./run-id.ts"
import type { World } from "./world.ts"

/** Nothing where it was too little. */
export async function glance(
  world: World,
  ledger: Ledger,
  options: RunOptions & { readonly only: ReadonlySet<RelativePath> },
  decide: Decide,
): Promise<Result<PerformedCycle | undefined, SyncError>> {
  const [recognised, loaded] = await Promise.all([recognise(world, ledger, options.names), ledger.load()])
  if (!recognised.ok) return recognised
  if (!loaded.ok) return err(journalError(loaded.error))
  const run = await newRunId(world, ledger, options)
  const listing = hasNews(ledger.state(), recognised.value)
    ? undefined
    : await listFiles(world, ledger.state(), options.only)
  const look =
    listing === undefined
      ? undefined
      : await lookAt(world, ledger, { listing, recognised: recognised.value, run })
  if (look === undefined) return ok(undefined)
  const decided = await decide({ state: look.state, look, run })
  if (!decided.ok) return decided
  const { plan } = decided.value
  const isOnlySending =
    plan.notices.length === 0 &&
    plan.actions.every(({ op, conflict }) => op === "upload" && conflict === undefined)
  if (!isOnlySending) return ok(undefined)
  const settings = settingsText(world, options)
  const prepared = prepare(world, { decided: decided.value, look, run, settings })
  return carryOut(world, ledger, { prepared, restored: [] }, options)
}

/** Somebody else has written there, or something of an earlier run is to be settled first. */
function hasNews({ root, intents }: State, { bodies, unions, isCloned }: Recognised): boolean {
  const wasListed = root.listed.local !== undefined && root.listed.remote !== undefined
  const isUnsettled = root.unfinishedRun !== undefined || root.openUndo !== undefined || intents.size > 0
  const hasWriter = bodies.some(({ type }) => type === "epoch.read")
  return !wasListed || isUnsettled || hasWriter || unions.length > 0 || isCloned
}

/** As a listing shows them; nothing where one is gone, or not as it last was agreed on. */
async function listFiles(
  world: World,
  state: State,
  paths: ReadonlySet<RelativePath>,
): Promise<Listing | undefined> {
  const sampledMs = world.clock.nowMs()
  const directories = directoriesIn(state)
  const files: ListedFile[] = []
  for (const path of paths) {
    if (world.rules.ignoresFile(path)) continue
    const known = state.paths.get(path) ?? {}
    const seen = await world.sides.local.look(path)
    // An editor's own file, that came and went.
    if (seen.ok && seen.value === undefined && known.local === undefined) continue
    if (!seen.ok || seen.value === undefined || !isAgreed(known)) return undefined
    if (!isAlone(path, state, directories)) return undefined
    files.push({ path, version: seen.value })
  }
  const mounts = state.root.listed.local?.mounts ?? []
  return { files, count: files.length, unknowns: [], mounts, digest: "", sampledMs, newestMs: sampledMs }
}

/** The remote holds what both sides agreed on, as far as is known. */
function isAgreed({ base, remote }: PathState): boolean {
  return base === undefined ? remote === undefined : !base.isHint && remote?.hash === base.hash
}

function directoriesIn({ paths }: State): ReadonlySet<string> {
  const directories = new Set<string>()
  for (const path of paths.keys())
    for (const directory of ancestorsOf(path)) {
      if (directories.has(directory)) break
      directories.add(directory)
    }
  return directories
}

/**
 * Neither is it a directory elsewhere, nor is what it lies in a file; and its project is known, for one that is new is
 * registered by the run that finds it.
 */
function isAlone(path: RelativePath, { paths }: State, directories: ReadonlySet<string>): boolean {
  const above = ancestorsOf(path)
  const project = above.at(-1)
  const isInKnownPlace = project === undefined || directories.has(project)
  return isInKnownPlace && !directories.has(path) && !above.some((each) => paths.has(each as RelativePath))
}

async function lookAt(
  world: World,
  ledger: Ledger,
  at: { readonly listing: Listing; readonly recognised: Recognised; readonly run: RunId },
): Promise<Look | undefined> {
  const { listing, recognised, run } = at
  const { paths, root } = ledger.state()
  const observed = await observe({
    side: "local",
    backend: world.sides.local,
    listing,
    paths: new Map(listing.files.map(({ path }) => [path, paths.get(path) ?? {}])),
    listedBefore: root.listed.local,
    rules: world.rules,
    acceptsMounts: false,
  })
  if (!observed.ok || observed.value.unknowns.length > 0) return undefined
  const bodies = [...recognised.bodies, ...observed.value.bodies]
  return {
    bodies,
    tombstones: [],
    mounts: { local: observed.value.mounts, remote: root.listed.remote?.mounts ?? [] },
    unknowns: { local: [], remote: [] },
    state: ledger.imagine(bodies, run),
  }
}
