/**
 * The plan as a document, `bm.plan/1`: what `--dry-run --json` prints, `--out` saves and `--apply` reads back.
 *
 * Reading is the only door for a saved plan: it is checked field by field, and its digest must be that of its actions.
 */

import type { Action, ActionRecord, Evidence, PlannedRun, SavedPlan, SyncError } from "../index.ts"
import { actionText } from "./action-text.ts"

export interface PlanDocument {
  readonly schema: "bm.plan/1"
  readonly plan: string
  readonly digest: string
  readonly kind: string
  readonly created_at: string
  readonly device: { readonly id: string; readonly name: string }
  readonly roots: { readonly local: string; readonly remote: string }
  readonly profile: { readonly name: string; readonly conflict_resolve: string; readonly max_delete: number }
  readonly basis: { readonly settings: string; readonly [key: string]: unknown }
  readonly verdict: "ready" | "blocked" | "nothing"
  readonly undo?: UndoNames
  readonly actions: readonly (ActionRecord & { readonly skip: boolean })[]
  readonly [key: string]: unknown
}

export interface UndoNames {
  readonly target: string | null
  readonly paths: readonly string[]
  readonly mode: "undo" | "redo"
  readonly if_changed: string
}

export function planDocument(
  planned: PlannedRun,
  options: {
    readonly kind: string
    readonly version: string
    readonly undo?: UndoNames
  },
): PlanDocument {
  const { prepared, records, evidence, unfinished, config, device, profile } = planned
  const { plan } = prepared
  const finish = unfinished.map((path, index) => ({
    n: records.length + index + 1,
    op: "finish",
    path,
    text: "an interrupted run still has to settle it",
    skip: false,
  }))
  return {
    schema: "bm.plan/1",
    plan: prepared.planId,
    digest: prepared.digest,
    kind: options.kind,
    created_at: new Date().toISOString(),
    torn: plan.notices.some(({ detail }) => detail === "unstable"),
    tool: { bm: options.version },
    device,
    roots: { local: config.syncDir, remote: config.remote },
    profile: { name: profile.name, conflict_resolve: profile.conflictResolve, max_delete: profile.maxDelete },
    basis: {
      baseline: planned.baseline ?? null,
      settings: prepared.settings,
      compared: planned.compared,
      tie_ms: planned.tieMs,
    },
    verdict: verdictOf(planned),
    blocks: plan.blocks,
    projects_to_create: planned.projectsToCreate,
    ...(options.undo !== undefined && { undo: options.undo }),
    totals: totalsOf(planned),
    notices: plan.notices,
    actions: [
      ...records.map((record, index) => actionDocument(record, plan.actions[index], evidence)),
      ...(finish as never[]),
    ],
  }
}

export function verdictOf({ prepared, unfinished }: PlannedRun): PlanDocument["verdict"] {
  if (prepared.plan.blocks.length > 0) return "blocked"
  return prepared.plan.actions.length === 0 && unfinished.length === 0 ? "nothing" : "ready"
}

function actionDocument(
  record: ActionRecord,
  action: Action | undefined,
  evidence: ReadonlyMap<Action, Evidence>,
): ActionRecord & { readonly skip: boolean } {
  const found = action === undefined ? undefined : evidence.get(action)
  return {
    ...record,
    text: action === undefined ? "" : actionText(action),
    skip: false,
    ...(action?.conflict !== undefined && {
      conflict: action.conflict.id,
      times: { apart_ms: action.conflict.apartMs, tie_ms: action.conflict.tieMs },
      loser_only_lines: found?.loserOnlyLines?.length ?? null,
      mergeable: found?.isMergeable ?? false,
    }),
    keep: (action?.keeps ?? []).map(({ side, version }) => ({
      version: side,
      sha256: version.hash ?? null,
      where: "history",
    })),
  } as ActionRecord & { readonly skip: boolean }
}

export interface Totals {
  readonly actions: number
  readonly upload: number
  readonly download: number
  readonly delete: number
  readonly move: number
  readonly conflict: number
  readonly merge: number
  readonly restore: number
  readonly bytes_up: number
  readonly bytes_down: number
  readonly bytes_kept: number
  readonly destructive: number
  readonly irreversible: number
  readonly deletes: number
  readonly deletes_allowed: number
}

export function totalsOf({ prepared, profile, deletes }: PlannedRun): Totals {
  const { actions } = prepared.plan
  const count = (op: Action["op"]) => actions.filter((action) => action.op === op).length
  const written = (side: "local" | "remote") =>
    actions
      .flatMap(({ steps }) => steps)
      .reduce((sum, step) => sum + (step.kind === "write" && step.side === side ? step.sizeBytes : 0), 0)
  const kept = actions.flatMap(({ keeps }) => keeps)
  return {
    actions: actions.length,
    upload: count("upload"),
    download: count("download"),
    delete: count("delete"),
    move: count("move"),
    conflict: count("conflict"),
    merge: count("merge"),
    restore: count("restore"),
    bytes_up: written("remote"),
    // The version that a conflict replaces in the cloud comes down first, to be kept.
    bytes_down:
      written("local") +
      kept
        .filter(({ side, path }) => side === "remote" && isLoser(actions, path))
        .reduce((sum, { version }) => sum + version.sizeBytes, 0),
    bytes_kept: kept.reduce((sum, { version }) => sum + version.sizeBytes, 0),
    destructive: actions.filter(({ keeps }) => keeps.length > 0).length,
    irreversible: 0,
    deletes,
    deletes_allowed: profile.maxDelete,
  }
}

function isLoser(actions: readonly Action[], path: string): boolean {
  return actions.some((action) => action.path === path && action.op === "conflict")
}

type Read =
  | { readonly ok: true; readonly value: { readonly document: PlanDocument; readonly saved: SavedPlan } }
  | { readonly ok: false; readonly error: SyncError }

/** Parses a saved plan and proves that nobody changed its actions. */
export function readPlanDocument(text: string, digestOf: (records: readonly ActionRecord[]) => string): Read {
  const foreign = (why: Extract<SyncError, { code: "plan_foreign" }>["why"], detail?: string): Read => ({
    ok: false,
    error: { code: "plan_foreign", why, ...(detail !== undefined && { detail }) },
  })
  let document: PlanDocument
  try {
    document = JSON.parse(text) as PlanDocument
  } catch {
    return foreign("unreadable", "it is not JSON")
  }
  if (typeof document !== "object" || document === null || document.schema !== "bm.plan/1")
    return foreign("schema", String((document as { schema?: unknown } | null)?.schema))
  if (
    !Array.isArray(document.actions) ||
    typeof document.plan !== "string" ||
    typeof document.roots?.local !== "string"
  )
    return foreign("unreadable", "fields are missing")
  const actions = document.actions.filter(({ op }) => op !== "finish")
  if (digestOf(actions.map(recordOnly)) !== document.digest) return foreign("digest")
  return { ok: true, value: { document, saved: { plan: document.plan as SavedPlan["plan"], actions } } }
}

const RECORD_KEYS = [
  "n",
  "op",
  "change",
  "direction",
  "path",
  "to",
  "bytes",
  "delta",
  "reason",
  "risk",
  "base",
  "local",
  "remote",
  "require",
  "after",
  "rule",
  "winner",
  "loser",
  "files",
] as const

/** Only what the digest covers, in its order. */
function recordOnly(action: ActionRecord): ActionRecord {
  const entries = RECORD_KEYS.flatMap((key) => (key in action ? [[key, action[key]] as const] : []))
  return Object.fromEntries(entries) as unknown as ActionRecord
}
