/**
 * A small world for the pure core: two folders in memory, and an interpreter that carries out a plan step by step.
 *
 * It is stricter than any real disk: a step whose precondition does not hold throws, and so does one that touches a
 * place nobody can speak about. State is only ever made by the real `fold`, from `observed`, `gone`, `agreed`, `done`.
 */

import { emptyState, fold } from "../../src/fold/fold.ts"
import { type GuardOptions, guard } from "../../src/plan/guard.ts"
import { planChanges } from "../../src/plan/plan.ts"
import { type ReconcileSettings, reconcile } from "../../src/reconcile/reconcile.ts"
import type { Trees } from "../../src/reconcile/sight.ts"
import type { Action, Plan, Step } from "../../src/model/action.ts"
import type { Reconciliation } from "../../src/model/change.ts"
import type { Base, KnownVersion, Unknown, Version } from "../../src/model/entry.ts"
import type { EventBody, JournalEvent, StepResult } from "../../src/model/event.ts"
import {
  type ConflictId,
  type ContentHash,
  mustContentHash,
  type OpId,
  type RunId,
  type VersionToken,
} from "../../src/model/ids.ts"
import { isBelow, mustPath, parentOf, type RelativePath } from "../../src/model/path.ts"
import { otherSide, type Side, SIDES } from "../../src/model/side.ts"
import type { PathState, State } from "../../src/model/state.ts"

export interface FileAt {
  readonly content: string
  readonly mtimeMs: number
  readonly fileId: string
}

export type Folder = Map<string, FileAt>

export interface World {
  readonly local: Folder
  readonly remote: Folder
  readonly unknowns: { readonly [S in Side]: readonly Unknown[] }
}

export const NOW_MS = 1_700_000_000_000

/** A name with this sign stands for one that is not UTF-8: it is there, it is never shown, nothing may be put over it. */
export const UNREADABLE = "\ufffd"

const hashes = new Map<string, ContentHash>()

export function hashOf(content: string): ContentHash {
  const known = hashes.get(content)
  if (known !== undefined) return known
  const hash = mustContentHash(`sha256:${Buffer.from(content).toString("hex").padEnd(64, "0").slice(0, 64)}`)
  hashes.set(content, hash)
  return hash
}

export function fileAt(content: string, options: { mtimeMs?: number; fileId?: string } = {}): FileAt {
  return { content, mtimeMs: options.mtimeMs ?? NOW_MS, fileId: options.fileId ?? `id-${content}` }
}

export function versionOf({ content, mtimeMs, fileId }: FileAt): KnownVersion {
  return {
    token: `${content}@${mtimeMs}#${fileId}` as VersionToken,
    sizeBytes: content.length,
    mtimeMs,
    hash: hashOf(content),
    fileId,
  }
}

export function baseOf(content: string, options: { fileId?: string; isHint?: boolean } = {}): Base {
  return {
    hash: hashOf(content),
    sizeBytes: content.length,
    mtimeMs: NOW_MS,
    run: "r0" as RunId,
    sequence: 1,
    isHint: options.isHint ?? false,
    fileId: options.fileId ?? `id-${content}`,
  }
}

export function folderOf(tree: { readonly [path: string]: string }): Folder {
  return new Map(Object.entries(tree).map(([path, content]) => [path, fileAt(content)]))
}

export function unknownAt(
  path: string,
  scope: Unknown["scope"] = "subtree",
  reason: Unknown["reason"] = scope === "absent_children" ? "not_utf8" : "unreadable",
): Unknown {
  return { path, scope, reason }
}

// Seeing

/** True if the listing of a side says nothing about this path, because it or something above it is unknown. */
export function isCovered(unknowns: readonly Unknown[], path: string): boolean {
  for (const unknown of unknowns) {
    if (unknown.scope === "absent_children") continue
    if (unknown.path === path) return true
    if (unknown.scope === "subtree" && isBelow(path, unknown.path)) return true
  }
  return false
}

function isShown(unknowns: readonly Unknown[], path: string): boolean {
  return !path.includes(UNREADABLE) && (unknowns.length === 0 || !isCovered(unknowns, path))
}

export function visibleFiles(world: World, side: Side): Map<string, FileAt> {
  return new Map([...world[side]].filter(([path]) => isShown(world.unknowns[side], path)))
}

/** What an observer would journal: differences between what is shown and what the state remembers. */
export function observe(world: World, state: State, options: { forgetsCovered?: boolean } = {}): EventBody[] {
  const bodies: EventBody[] = []
  for (const side of SIDES) {
    const unknowns = world.unknowns[side]
    for (const [path, file] of world[side]) {
      if (!isShown(unknowns, path)) continue
      const version = versionOf(file)
      if (state.paths.get(path as RelativePath)?.[side]?.token !== version.token)
        bodies.push({ type: "observed", side, path: path as RelativePath, version })
    }
    for (const [path, seen] of state.paths) {
      if (seen[side] === undefined || world[side].has(path)) continue
      if (options.forgetsCovered !== true && unknowns.length > 0 && isCovered(unknowns, path)) continue
      bodies.push({ type: "gone", side, path })
    }
  }
  return bodies
}

const PREV = mustContentHash(`sha256:${"0".repeat(64)}`)

export function foldBodies(state: State, bodies: readonly EventBody[], run = "r1"): State {
  let seq = state.root.sequence
  const events = bodies.map((body): JournalEvent => {
    seq += 1
    return { ...body, seq, at: "2026-01-01T00:00:00.000Z", run: run as RunId, prev: PREV }
  })
  return fold(state, events)
}

const agreedStates = new WeakMap<Folder, State>()

/** The state in which both sides agree on this tree. The folder given is not changed afterwards. */
export function agreedState(base: Folder): State {
  const known = agreedStates.get(base)
  if (known !== undefined) return known
  const state = foldAgreed(base)
  agreedStates.set(base, state)
  return state
}

function foldAgreed(base: Folder): State {
  const bodies: EventBody[] = []
  for (const [path, file] of base) {
    const version = versionOf(file)
    for (const side of SIDES) bodies.push({ type: "observed", side, path: path as RelativePath, version })
  }
  bodies.push({
    type: "agreed",
    items: [...base].map(([path, file]) => ({ path: path as RelativePath, version: versionOf(file) })),
  })
  return foldBodies(emptyState, bodies, "r0")
}

/** The state after both sides agreed on `base` and were then seen as the world is. */
export function stateOf(
  base: Folder,
  world: World,
  options: { isHint?: boolean; forgetsCovered?: boolean } = {},
): State {
  const agreed = agreedState(base)
  const hinted: EventBody[] =
    options.isHint === true ? [{ type: "union.started", reason: "resync", scope: "all" }] : []
  return foldBodies(agreed, [...hinted, ...observe(world, agreed, options)])
}

// Planning

export const PLAIN: ReconcileSettings = {
  conflictResolve: "none",
  skewUnknownMs: 0,
  canMove: { local: true, remote: true },
}

export function treesOf(world: World, state: State): Trees {
  return { paths: state.paths, unknowns: world.unknowns }
}

export interface Planned {
  readonly reconciliation: Reconciliation
  readonly plan: Plan
}

export function planOf(trees: Trees, settings: ReconcileSettings = PLAIN): Planned {
  const reconciliation = reconcile(trees, settings)
  const plan = planChanges({
    ...reconciliation,
    paths: trees.paths,
    conflictId: (about) => about as ConflictId,
  })
  return { reconciliation, plan }
}

export function guarded(plan: Plan, world: World, options: Omit<GuardOptions, "files">): Plan {
  const files = { local: visibleFiles(world, "local").size, remote: visibleFiles(world, "remote").size }
  return guard(plan, { ...options, files })
}

// Carrying out

/** A step that a real folder would refuse, or that touches what nobody can speak about. */
export class Refused extends Error {
  constructor(step: Step, why: string) {
    super(`${step.kind} ${step.side} ${step.path}${step.kind === "move" ? ` → ${step.to}` : ""}: ${why}`)
  }
}

/** Carries out every action in its order, changes the world, and returns the state that the journal folds to. */
export function carryOut(world: World, state: State, plan: Plan): State {
  const bodies: EventBody[] = [{ type: "agreed", items: plan.agreed }]
  for (const action of plan.actions) bodies.push(perform(world, action))
  return foldBodies(state, bodies)
}

function perform(world: World, action: Action): EventBody {
  // Both halves, as in a run: every source is read before any step of the action changes something.
  const staged = action.steps.map((step) => (step.kind === "write" ? readSource(world, step) : undefined))
  const written = new Map<string, ContentHash>()
  const applied = action.steps.flatMap((step, index) => {
    const content = staged[index]
    if (content !== undefined) written.set(step.path, hashOf(content))
    return applyStep(world, step, content)
  })
  const results = [...whatReadingTaught(action), ...applied]
  const { op, change, direction, reason, path, sizeBytes } = action
  const after = action.after.map(({ path, content }) => {
    if (content === undefined) return { path }
    const hash = content.hash ?? written.get(path)
    if (hash === undefined) throw new Error(`no hash is known for ${path} after it was written`)
    return { path, content: { ...content, hash } }
  })
  return {
    type: "done",
    number: 1,
    intent: 0,
    op,
    change,
    direction,
    reason,
    path,
    sizeBytes,
    results,
    after,
  }
}

/** A version whose hash was not known before it was read is known from now on; the executor journals that too. */
function whatReadingTaught(action: Action): readonly StepResult[] {
  return action.steps.flatMap((step) => {
    if (step.kind !== "write" || step.source.kind !== "side" || step.source.version.hash !== undefined)
      return []
    const { side, path, version } = step.source
    return [{ op: "op" as OpId, side, path, version: { ...version, hash: hashOf(contentOf(version)) } }]
  })
}

function readSource(world: World, step: Extract<Step, { kind: "write" }>): string {
  const { source } = step
  if (source.kind !== "side") throw new Refused(step, "a plan reads from a side only")
  const file = world[source.side].get(source.path)
  if (file === undefined || versionOf(file).token !== source.version.token)
    throw new Refused(step, `the source ${source.path} is not what was planned`)
  if (source.side !== otherSide(step.side)) throw new Refused(step, "the source is on the same side")
  return file.content
}

let written = 0

function applyStep(world: World, step: Step, content: string | undefined): readonly StepResult[] {
  const folder = world[step.side]
  const op = "op" as OpId
  switch (step.kind) {
    case "write": {
      if (content === undefined) throw new Refused(step, "nothing was staged")
      if (step.hash !== undefined && step.hash !== hashOf(content)) throw new Refused(step, "other content")
      if (step.expected.kind === "absent") mustBeFree(world, step, step.path)
      else mustHold(world, step, step.expected.version)
      written += 1
      const file = { content, mtimeMs: step.mtimeMs, fileId: `new-${written}` }
      folder.set(step.path, file)
      return [{ op, side: step.side, path: step.path, version: versionOf(file) }]
    }
    case "remove":
      mustHold(world, step, step.expected)
      folder.delete(step.path)
      return [{ op, side: step.side, path: step.path }]
    case "move": {
      const file = mustHold(world, step, step.expected)
      folder.delete(step.path)
      mustBeFree(world, step, step.to)
      folder.set(step.to, file)
      return [
        { op, side: step.side, path: step.path },
        { op, side: step.side, path: step.to, version: versionOf(file) },
      ]
    }
  }
}

function mustHold(world: World, step: Step, expected: Version): FileAt {
  const file = world[step.side].get(step.path)
  if (file === undefined) throw new Refused(step, "nothing is there")
  if (isCovered(world.unknowns[step.side], step.path)) throw new Refused(step, "it is unknown")
  if (versionOf(file).token !== expected.token) throw new Refused(step, "another version is there")
  return file
}

function mustBeFree(world: World, step: Step, path: string): void {
  const unknowns = world.unknowns[step.side]
  if (isCovered(unknowns, path)) throw new Refused(step, "the target is unknown")
  for (const { path: at, scope, reason } of unknowns) {
    if (isBelow(at, path) || (scope === "absent_children" && at === path))
      throw new Refused(step, `a directory with unknown content ${at} is there`)
    if (scope === "path" && reason !== "file_and_directory" && isBelow(path, at))
      throw new Refused(step, `it lies below ${at}, which is unknown`)
  }
  for (const at of world[step.side].keys()) {
    if (at === path) throw new Refused(step, "a file is there")
    if (isBelow(at, path)) throw new Refused(step, `a directory with ${at} is there`)
    if (isBelow(path, at) && !isCovered(unknowns, at)) throw new Refused(step, `it lies below the file ${at}`)
  }
}

// Changing by hand, as a user does: a name that is taken by another shape is cleared first.

export function put(folder: Folder, path: string, file: FileAt): void {
  clear(folder, path)
  for (let at = parentOf(path); at !== ""; at = parentOf(at)) folder.delete(at)
  folder.set(path, file)
}

export function clear(folder: Folder, path: string): void {
  folder.delete(path)
  for (const at of folder.keys()) if (isBelow(at, path)) folder.delete(at)
}

/** Renames a file, or a directory with all that is below it. */
export function rename(folder: Folder, from: string, to: string): void {
  if (from === to || isBelow(to, from)) return
  const moved = [...folder].filter(([path]) => path === from || isBelow(path, from))
  if (moved.length === 0) return
  clear(folder, from)
  clear(folder, to)
  for (const [path, file] of moved) put(folder, to + path.slice(from.length), file)
}

// Mirrored

export function mirrored(trees: Trees): Trees {
  const paths = new Map<RelativePath, PathState>()
  for (const [path, { base, local, remote }] of trees.paths) {
    paths.set(path, {
      ...(base !== undefined && { base }),
      ...(remote !== undefined && { local: remote }),
      ...(local !== undefined && { remote: local }),
    })
  }
  return { paths, unknowns: { local: trees.unknowns.remote, remote: trees.unknowns.local } }
}

/**
 * What a reconciliation asks for, side by side, as text: swapped sides give swapped text. Conflict numbers are left
 * out because local takes odd and remote even ones.
 */
export function outline({ changes, agreed, notices }: Reconciliation, swap: boolean): readonly string[] {
  const on = (side: Side | undefined) => (side === undefined ? "" : swap ? otherSide(side) : side)
  return [
    ...changes.map((change) => {
      switch (change.kind) {
        case "copy":
        case "delete":
          return `${change.kind} ${on(change.targetSide)} ${change.path} ${change.version.hash}`
        case "move":
          return `move ${on(change.targetSide)} ${change.path} ${change.to} ${change.version.hash}`
        case "sidestep":
          return `sidestep ${on(change.side)} ${change.path} ${bare(change.to)} ${change.version.hash}`
        case "conflict":
          return `conflict ${change.path} ${change.decision.rule} ${on(change.decision.winner)} ${change.copies === undefined}`
      }
    }),
    ...agreed.map(({ path, version }) => `agree ${path} ${version?.hash}`),
    ...notices.flatMap(({ kind, path, side }) =>
      kind === "kept_changed" ? [`kept ${path} ${on(side)}`] : [],
    ),
  ].sort()
}

function bare(path: string): string {
  return path.replace(/\.conflict\d+$/, ".conflictN")
}

/** A plan as lines to compare: each action with its steps, contents for versions. */
export function lines({ actions }: Plan): readonly string[] {
  return actions.map(
    ({ op, steps, isRename }) =>
      `${op}${isRename === true ? " (rename)" : ""}: ${steps.map(stepText).join("; ")}`,
  )
}

function stepText(step: Step): string {
  switch (step.kind) {
    case "write": {
      const over = step.expected.kind === "version" ? ` over ${contentOf(step.expected.version)}` : ""
      const content = step.source.kind === "side" ? contentOf(step.source.version) : step.source.kind
      return `write ${step.side} ${step.path} ${content}${over}`
    }
    case "remove":
      return `remove ${step.side} ${step.path} ${contentOf(step.expected)}`
    case "move":
      return `move ${step.side} ${step.path} to ${step.to}`
  }
}

export function contentOf({ token }: Version): string {
  return token.slice(0, token.indexOf("@"))
}

/** Such lines with the sides swapped. */
export function mirroredLines(texts: readonly string[]): readonly string[] {
  return texts.map((text) =>
    text.replace(
      /local|remote|upload|download|conflict\d+/g,
      (word) => MIRRORED[word] ?? word.replace(/\d+/, (number) => String(((Number(number) - 1) ^ 1) + 1)),
    ),
  )
}

const MIRRORED: { readonly [word: string]: string } = {
  local: "remote",
  remote: "local",
  upload: "download",
  download: "upload",
}

/** Rows with their rules as titles, which `$rule` would cut short. */
export function named<Row extends { readonly rule: string }>(rows: readonly Row[]): [string, Row][] {
  return rows.map((row) => [row.rule, row])
}

export function path(text: string): RelativePath {
  return mustPath(text)
}
