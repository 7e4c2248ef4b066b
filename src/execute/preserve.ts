/**
 * Keeps the bytes that a plan is about to replace or remove: in the history store, durable, before the first step.
 *
 * What cannot be kept is not replaced: its action is left out of the run and reported. Versions that the store already
 * has cost nothing.
 */

import type { Action, Keep } from "../model/action.ts"
import { isOutage, type Trouble } from "../model/errors.ts"
import type { ContentHash, GitOid } from "../model/ids.ts"
import type { Backend, Content, HistoryStore, HistoryWriter, TreeChange } from "../model/ports.ts"
import { err, ok, type Result } from "../model/result.ts"
import type { Side } from "../model/side.ts"

export interface PreserveDeps {
  readonly sides: { readonly [S in Side]: Backend }
  readonly history: HistoryStore
  /** Where a version is in the store already. */
  readonly keptAt: (hash: ContentHash) => Promise<GitOid | undefined>
  /** Versions larger than this are kept beside the tree. */
  readonly largeFileBytes: number
}

export interface Preserved {
  readonly items: readonly (readonly [ContentHash, GitOid])[]
  readonly commit?: GitOid
  /** Of what was kept and not known before: what it is. */
  readonly hashes: ReadonlyMap<Keep, ContentHash>
  /** Actions that must not happen, because what they destroy could not be kept. */
  readonly refused: ReadonlyMap<Action, Trouble>
}

export async function preserve(
  deps: PreserveDeps,
  actions: readonly Action[],
  commit: { readonly message: string; readonly atMs: number },
): Promise<Result<Preserved, Trouble>> {
  const missing = await missingKeeps(deps, actions)
  if (missing.length === 0) return ok({ items: [], hashes: new Map(), refused: new Map() })
  const writer = await deps.history.begin()
  if (!writer.ok) return writer
  const items = new Map<ContentHash, GitOid>()
  const changes: TreeChange[] = []
  const hashes = new Map<Keep, ContentHash>()
  const refused = new Map<Action, Trouble>()
  for (const { action, keep } of missing) {
    if (refused.has(action)) continue
    const kept = await keepVersion(deps, writer.value, keep)
    if (!kept.ok) {
      refused.set(
        action,
        kept.error.code === "changed_since" || isOutage(kept.error.code)
          ? kept.error
          : { ...kept.error, code: "not_kept", path: keep.path },
      )
      continue
    }
    items.set(kept.value.hash, kept.value.oid)
    hashes.set(keep, kept.value.hash)
    if (!kept.value.isLarge) changes.push({ path: keep.path, oid: kept.value.oid })
  }
  const committed = await writer.value.commit({ ...commit, changes })
  if (!committed.ok) return abandon(writer.value, committed.error)
  const finished = await writer.value.finish()
  if (!finished.ok) return abandon(writer.value, finished.error)
  return ok({ items: [...items], commit: committed.value, hashes, refused })
}

async function abandon(writer: HistoryWriter, trouble: Trouble): Promise<Result<never, Trouble>> {
  await writer.abandon()
  return err(trouble)
}

async function missingKeeps(
  deps: PreserveDeps,
  actions: readonly Action[],
): Promise<readonly { readonly action: Action; readonly keep: Keep }[]> {
  const missing: { readonly action: Action; readonly keep: Keep }[] = []
  for (const action of actions) {
    for (const keep of action.keeps) {
      const { hash } = keep.version
      if (hash === undefined || (await deps.keptAt(hash)) === undefined) missing.push({ action, keep })
    }
  }
  return missing
}

async function keepVersion(
  deps: PreserveDeps,
  writer: HistoryWriter,
  { side, path, version }: Keep,
): Promise<Result<{ readonly hash: ContentHash; readonly oid: GitOid; readonly isLarge: boolean }, Trouble>> {
  const content = await deps.sides[side].read(path, version)
  if (!content.ok) return content
  const { hash } = content.value
  if (version.hash !== undefined && version.hash !== hash) return err({ code: "changed_since", path })
  const isLarge = version.sizeBytes > deps.largeFileBytes || content.value.kind === "stream"
  const oid = await storeContent(deps.history, writer, content.value, isLarge)
  return oid.ok ? ok({ hash, oid: oid.value, isLarge }) : oid
}

function storeContent(
  history: HistoryStore,
  writer: HistoryWriter,
  content: Content,
  isLarge: boolean,
): Promise<Result<GitOid, Trouble>> {
  return content.kind === "bytes" && !isLarge ? writer.add(content.bytes) : history.keepLarge(content)
}

/** The action with what is known since its old versions were read: the history names what was replaced. */
export function withKept(action: Action, { hashes }: Preserved): Action {
  if (!action.keeps.some((keep) => hashes.has(keep))) return action
  const keeps = action.keeps.map((keep): Keep => {
    const hash = hashes.get(keep)
    return hash === undefined ? keep : { ...keep, version: { ...keep.version, hash } }
  })
  return { ...action, keeps }
}
