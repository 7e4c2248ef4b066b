/**
 * One row of a table: three small trees, and the plan, agreements and notices they must give.
 *
 * Every row is carried out too, and keeps the laws.
 */

import { expect } from "vitest"
import type { Unknown } from "../../src/model/entry.ts"
import type { Side } from "../../src/model/side.ts"
import type { ReconcileSettings } from "../../src/reconcile/reconcile.ts"
import { mustKeepLaws } from "./laws.ts"
import {
  type FileAt,
  type Folder,
  fileAt,
  lines,
  mirroredLines,
  NOW_MS,
  PLAIN,
  planOf,
  stateOf,
  treesOf,
  type World,
} from "./world.ts"

export type Tree = { readonly [path: string]: string | FileAt }

export interface Row {
  readonly rule: string
  readonly base?: Tree
  readonly local?: Tree
  readonly remote?: Tree
  readonly unknowns?: { readonly [S in Side]?: readonly Unknown[] }
  readonly isHint?: boolean
  readonly settings?: Partial<ReconcileSettings>
  readonly plan: readonly string[]
  readonly agreed?: readonly string[]
  readonly notices?: readonly string[]
}

function folder(tree: Tree = {}): Folder {
  return new Map(Object.entries(tree).map(([path, at]) => [path, typeof at === "string" ? fileAt(at) : at]))
}

function worldOf({ local, remote, unknowns }: Row): World {
  return {
    local: folder(local),
    remote: folder(remote),
    unknowns: { local: unknowns?.local ?? [], remote: unknowns?.remote ?? [] },
  }
}

export function told(row: Row) {
  const { base, isHint, settings } = row
  const world = worldOf(row)
  const state = stateOf(folder(base), world, { isHint: isHint === true })
  const { plan } = planOf(treesOf(world, state), { ...PLAIN, ...settings })
  return {
    plan: lines(plan),
    agreed: plan.agreed.map(({ path, version }) => (version === undefined ? `forget ${path}` : path)),
    notices: plan.notices.map(({ kind, path, side }) => `${kind} ${path} ${side}`),
  }
}

export function expectRow(_: string, row: Row): void {
  const { plan, agreed = [], notices = [], base, settings, isHint } = row
  expect(told(row)).toEqual({ plan, agreed, notices })
  mustKeepLaws({
    base: folder(base),
    world: worldOf(row),
    settings: { ...PLAIN, ...settings },
    isHint: isHint === true,
  })
}

export function mirroredRow(row: Row): Row {
  const { local, remote, unknowns, plan, notices = [], ...rest } = row
  return {
    ...rest,
    ...(remote !== undefined && { local: remote }),
    ...(local !== undefined && { remote: local }),
    unknowns: { local: unknowns?.remote ?? [], remote: unknowns?.local ?? [] },
    plan: mirroredLines(plan),
    notices: mirroredLines(notices),
  }
}

export function later(content: string, ms: number): FileAt {
  return fileAt(content, { mtimeMs: NOW_MS + ms })
}
