/**
 * Actions as data for people and programs: the part of `bm.plan/1` that the digest covers.
 *
 * What is not part of the decision is not in here: ids, texts, times of the command. Equal worlds give equal records.
 */

import type { Action } from "../model/action.ts"
import type { Base, Version } from "../model/entry.ts"
import type { ContentHash, Sha256 } from "../model/ids.ts"
import type { Side } from "../model/side.ts"

export interface VersionRecord {
  readonly sha256: string | null
  readonly size: number
  readonly mtime: string
  readonly etag?: string
  readonly device?: string
  readonly run?: string
}

export interface ActionRecord {
  readonly n: number
  readonly op: Action["op"]
  readonly change: Action["change"]
  readonly direction: Action["direction"]
  readonly path: string
  readonly to?: string
  readonly bytes: number
  readonly delta: number
  readonly reason: Action["reason"]
  readonly risk: Action["risk"]
  readonly base: VersionRecord | null
  readonly local: VersionRecord | null
  readonly remote: VersionRecord | null
  readonly require: {
    readonly local: string | null
    readonly remote: string | null
    readonly remote_etag: string | null
  }
  readonly after: { readonly local: string | null; readonly remote: string | null }
  readonly rule?: string
  readonly winner?: Side | null
  readonly loser?: Side | null
  readonly files?: { readonly local?: string; readonly remote?: string }
}

export function actionRecord(action: Action, n: number): ActionRecord {
  const { op, change, direction, path, to, sizeBytes, reason, risk, base, local, remote, conflict } = action
  const after = afterHash(action)
  return {
    n,
    op,
    change,
    direction,
    path,
    ...(to !== undefined && { to }),
    bytes: sizeBytes,
    delta: sizeBytes - (base?.sizeBytes ?? 0),
    reason,
    risk,
    base: base === undefined ? null : { ...versionRecord(base), run: base.run },
    local: local === undefined ? null : versionRecord(local),
    remote: remote === undefined ? null : { ...versionRecord(remote), etag: remote.token },
    require: { local: local?.hash ?? null, remote: remote?.hash ?? null, remote_etag: remote?.token ?? null },
    after: { local: after, remote: after },
    ...(conflict !== undefined && {
      rule: conflict.rule,
      winner: conflict.winner ?? null,
      loser: conflict.loser ?? null,
      ...(conflict.copies !== undefined && { files: conflict.copies }),
    }),
  }
}

function afterHash({ after, to, path }: Action): string | null {
  return after.find((agreement) => agreement.path === (to ?? path))?.content?.hash ?? null
}

function versionRecord(version: Version | Base): VersionRecord {
  const { hash, sizeBytes, mtimeMs } = version
  const device = "device" in version ? version.device : undefined
  return {
    sha256: hash ?? null,
    size: sizeBytes,
    mtime: new Date(mtimeMs).toISOString(),
    ...(device !== undefined && { device }),
  }
}

/** The digest over a plan's records: equal worlds give equal digests, whenever they are looked at. */
export function recordsDigest(records: readonly ActionRecord[], sha256: Sha256): ContentHash {
  return sha256(
    JSON.stringify(records.map(({ base, ...record }) => ({ ...record, base: base?.sha256 ?? null }))),
  )
}

/** True if the action now planned is the one that was saved: the same change, from the same versions, to the same end. */
export function isSameAction(saved: ActionRecord, now: ActionRecord): boolean {
  return comparable(saved) === comparable(now)
}

function comparable({
  op,
  direction,
  path,
  to,
  base,
  local,
  remote,
  after,
  rule,
  winner,
  files,
}: ActionRecord): string {
  return JSON.stringify([
    op,
    direction,
    path,
    to ?? null,
    base?.sha256 ?? null,
    local?.sha256 ?? null,
    // Where nobody has read it yet, it is known by its token only.
    remote?.sha256 ?? remote?.etag ?? null,
    after,
    rule ?? null,
    winner ?? null,
    files ?? null,
  ])
}
