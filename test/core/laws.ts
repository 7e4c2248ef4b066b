/**
 * The laws of the pure core, checked on one case. T0 asks for every small case, T1 for many random ones.
 *
 * Each law throws `Broken` with what it saw; the case itself is printed by whoever made it.
 */

import type { Plan } from "../../src/model/action.ts"

import { ancestorsOf, isBelow, type RelativePath } from "../../src/model/path.ts"
import { otherSide, type Side, SIDES } from "../../src/model/side.ts"
import type { PathState, State } from "../../src/model/state.ts"
import { type ReconcileSettings, reconcile } from "../../src/reconcile/reconcile.ts"
import type { Trees } from "../../src/reconcile/sight.ts"
import {
  carryOut,
  contentOf,
  type Folder,
  hashOf,
  isCovered,
  mirrored,
  NOW_MS,
  observe,
  outline,
  type Planned,
  planOf,
  stateOf,
  treesOf,
  UNREADABLE,
  visibleFiles,
  type World,
} from "./world.ts"

export interface Given {
  readonly base: Folder
  /** As both sides are now. It is not changed. */
  readonly world: World
  readonly settings: ReconcileSettings
  readonly isHint?: boolean
  /** What is unknown now was seen as gone before; else its last version is still in the state. */
  readonly forgetsCovered?: boolean
  /** The remote's hashes are known only where something of the same size is compared with it. */
  readonly isLazy?: boolean
  /** Differs from a case before only in how renames are made, which symmetry and order do not depend on. */
  readonly isRepeat?: boolean
}

export class Broken extends Error {
  constructor(law: string, detail: unknown) {
    super(`${law}: ${JSON.stringify(detail, undefined, 1)}`)
  }
}

/** Checks every law; what breaks one names the case. */
export function mustKeepLaws(given: Given): Planned {
  try {
    return keepLaws(given)
  } catch (cause) {
    throw new Error(`${cause instanceof Error ? cause.message : String(cause)}\nin ${caseText(given)}`, {
      cause,
    })
  }
}

function caseText({ base, world, ...options }: Given): string {
  const { local, remote, unknowns } = world
  const trees = { base: treeText(base), local: treeText(local), remote: treeText(remote) }
  return JSON.stringify({ ...trees, unknowns, ...options }, undefined, 1)
}

function treeText(folder: Folder): string {
  return [...folder]
    .map(([path, { content, mtimeMs, fileId }]) => `${path}=${content}@${mtimeMs - NOW_MS}#${fileId}`)
    .join(", ")
}

function keepLaws(given: Given): Planned {
  const { settings } = given
  const world = {
    local: new Map(given.world.local),
    remote: new Map(given.world.remote),
    unknowns: given.world.unknowns,
  }
  const seen = stateOf(given.base, world, {
    isHint: given.isHint === true,
    forgetsCovered: given.forgetsCovered === true,
  })
  const state = given.isLazy === true ? withoutNeedlessHashes(seen) : seen
  const trees = treesOf(world, state)
  const planned = planOf(trees, settings)
  if (given.isRepeat !== true) {
    mustBeDeterministic(trees, planned, settings)
    mustBeSymmetric(trees, settings)
  }
  mustJustifyRemovals(planned.plan, world, state)
  const before = contentsOf(world)

  const after = carryOut(world, state, planned.plan)

  mustHideNothing(planned.plan, before, world)
  const unseen = observe(world, after, { forgetsCovered: given.forgetsCovered === true })
  if (unseen.length > 0) throw new Broken("the journal folds to what the world shows", unseen)
  const again = planOf(treesOf(world, after), settings)
  if (again.plan.actions.length > 0 || again.plan.agreed.length > 0)
    throw new Broken("a second plan is empty", again.plan)
  mustConverge(world, after, again)
  return planned
}

/** G10. The order in which a map was filled decides nothing. */
function mustBeDeterministic(trees: Trees, planned: Planned, settings: ReconcileSettings): void {
  const entries = [...trees.paths]
  const turned = new Map(
    [...entries.slice(entries.length >> 1), ...entries.slice(0, entries.length >> 1)].reverse(),
  )
  const other = planOf({ ...trees, paths: turned }, settings)
  const [a, b] = [JSON.stringify(planned.plan), JSON.stringify(other.plan)]
  if (a !== b) throw new Broken("the order of a map decides nothing", [a, b])
}

/** Renames are left out: here an inode recognises them, there a hash. */
function mustBeSymmetric(trees: Trees, settings: ReconcileSettings): void {
  const still = { ...settings, canMove: { local: false, remote: false }, skewUnknownMs: 0 }
  const here = outline(reconcile(trees, still), false)
  const there = outline(reconcile(mirrored(trees), still), true)
  if (here.join("\n") !== there.join("\n"))
    throw new Broken("swapping the sides mirrors the plan", { here, there })
}

/** G3. What goes away on a side was the agreed version, and the other side surely has nothing there. */
function mustJustifyRemovals(plan: Plan, world: World, state: State): void {
  for (const action of plan.actions) {
    if (action.op === "conflict") continue
    for (const step of action.steps) {
      if (step.kind === "write") continue
      const base = state.paths.get(step.path)?.base
      const file = world[step.side].get(step.path)
      if (base === undefined || base.isHint || file === undefined || hashOf(file.content) !== base.hash)
        throw new Broken("only an agreed version is removed", step)
      const other = otherSide(step.side)
      if (world[other].has(step.path) || isDoubtful(world, other, step.path))
        throw new Broken("only what a user removed there is removed here", step)
    }
  }
}

/** True if something that cannot be read lies at, above or below the path, or may carry its name or its directory's. */
function isDoubtful(world: World, side: Side, path: RelativePath): boolean {
  const unknowns = world.unknowns[side]
  const isDirectory = (at: string) =>
    [...world[side].keys()].some((file) => isBelow(file, at)) ||
    unknowns.some((unknown) => isBelow(unknown.path, at))
  return (
    isCovered(unknowns, path) ||
    unknowns.some(
      ({ path: at, scope, reason }) =>
        isBelow(at, path) ||
        (scope === "path" && reason !== "file_and_directory" && isBelow(path, at)) ||
        (scope === "absent_children" &&
          (at === path ||
            [path, ...ancestorsOf(path)].some(
              (name) =>
                isBelow(name, at) &&
                !name.slice(at === "" ? 0 : at.length + 1).includes("/") &&
                !isDirectory(name),
            ))),
    )
  )
}

function contentsOf(world: World): ReadonlySet<string> {
  return new Set(SIDES.flatMap((side) => [...world[side].values()].map(({ content }) => content)))
}

/** G1, G2. Every content is on some side afterwards, or is kept; what nobody agreed on is only ever replaced by a conflict. */
function mustHideNothing(plan: Plan, before: ReadonlySet<string>, world: World): void {
  const after = new Set<string>(contentsOf(world))
  for (const action of plan.actions) {
    for (const { version } of action.keeps) {
      after.add(contentOf(version))
      if (action.op !== "conflict" && version.hash !== action.base?.hash)
        throw new Broken("what nobody agreed on is replaced only by a conflict", action)
    }
    for (const step of action.steps) {
      const replaced =
        step.kind === "write" && step.expected.kind === "version" ? step.expected.version : undefined
      const gone = step.kind === "remove" ? step.expected : replaced
      if (gone !== undefined && !action.keeps.some(({ version }) => version.token === gone.token))
        throw new Broken("what a step replaces or removes is kept", action)
    }
  }
  for (const content of before) if (!after.has(content)) throw new Broken("no content is lost", content)
}

/** G4. Both sides are equal and agreed on, but for what is unknown or was said to be in the way of it. */
function mustConverge(world: World, state: State, { plan }: Planned): void {
  const local = visibleFiles(world, "local")
  const remote = visibleFiles(world, "remote")
  const isCalm = world.unknowns.local.length === 0 && world.unknowns.remote.length === 0
  const excused = new Set(plan.notices.map((notice) => notice.path))
  // The new name of a rename is in a notice, then its old name waits too.
  const waiting = new Set(
    [...excused].flatMap((path) => [local.get(path)?.content, remote.get(path)?.content]),
  )
  for (const path of new Set([...local.keys(), ...remote.keys()])) {
    if (path.includes(UNREADABLE)) continue
    const content = local.get(path)?.content
    if (content !== undefined && content === remote.get(path)?.content) {
      const base = state.paths.get(path as RelativePath)?.base
      if (base?.hash !== hashOf(content) || base.isHint)
        throw new Broken("what both sides hold is agreed on", path)
      continue
    }
    const isUnseen = SIDES.some(
      (side) => isCovered(world.unknowns[side], path) || isDoubtful(world, side, path as RelativePath),
    )
    const isWaiting = excused.has(path) || waiting.has(content ?? remote.get(path)?.content)
    if (isCalm || !(isWaiting || isUnseen))
      throw new Broken("both sides are equal", { path, local: content, remote: remote.get(path)?.content })
  }
}

/** As after a listing: a hash of the remote is read only where its size equals the base's or the local file's. */
function withoutNeedlessHashes(state: State): State {
  const paths = new Map<RelativePath, PathState>()
  for (const [path, at] of state.paths) {
    const { base, local, remote } = at
    if (
      remote === undefined ||
      remote.sizeBytes === base?.sizeBytes ||
      remote.sizeBytes === local?.sizeBytes
    ) {
      paths.set(path, at)
      continue
    }
    const { hash: _, ...unread } = remote
    paths.set(path, { ...at, remote: unread })
  }
  return { ...state, paths }
}
