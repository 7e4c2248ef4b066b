/** What the parts of the backend over an object store share: its dependencies, and what one life of it remembers. */

import type { Version } from "../model/entry.ts"
import type { Trouble } from "../model/errors.ts"
import type { DeviceId, OpId, Sha256 } from "../model/ids.ts"
import type { Content, Random, Tombstone } from "../model/ports.ts"
import type { Etag, Failure, FailureKind, Metadata, ObjectHead, ObjectStore, Part } from "../store/store.ts"
import { originOf } from "../store/metadata.ts"
import type { VersionToken } from "../model/ids.ts"
import type { Verdict } from "../store/verdict.ts"
import type { EpochKeeper } from "./object-epoch.ts"
import type { Lease } from "./lease.ts"

export interface ObjectDeps {
  readonly store: ObjectStore
  readonly verdict: Verdict
  readonly device: DeviceId
  readonly deviceName: string
  readonly sha256: Sha256
  readonly random: Random
  readonly nowMs: () => number
  readonly monotonicMs: () => number
  readonly sleep: (ms: number) => Promise<void>
  /** Small texts that outlive this life, beside the journal. */
  readonly memory: { read(name: Remembered): string | undefined; write(name: Remembered, text: string): void }
}

/**
 * The epoch as last read; the flag put last; flags of others and since when they are the same; that an upload in parts was
 * begun and may still be there.
 */
export type Remembered = "epoch" | "flag" | "sightings" | "uploads"

export interface ObjectSide extends ObjectDeps {
  readonly staged: Map<OpId, StagedObject>
  readonly applied: Map<OpId, Version>
  /** Versions whose metadata names a hash that their bytes do not have. */
  readonly distrusted: Set<Etag>
  /** Tombstones looked at already, by path and token. */
  readonly looked: Map<string, Tombstone | undefined>
  /** The last listing showed no flag of a lease, and none was asked for since. */
  isClear: boolean
  readonly epoch: EpochKeeper
  readonly lease: Lease
}

export interface StagedObject {
  readonly content?: Content
  /** Of the version that is replaced or moved. */
  readonly lineage: readonly OpId[]
  /** Of a move: what is copied. */
  readonly source?: ObjectHead
  /** Already at the server in parts, which nobody sees before they are completed. */
  readonly upload?: StagedUpload
}

export interface StagedUpload {
  readonly uploadId: string
  readonly parts: readonly Part[]
  /** Sent when it was begun, so it is what a look will show. */
  readonly metadata: Metadata
}

/** 4 GiB and more in one request is asking for trouble; every server takes 5 GiB. */
export const SINGLE_PUT_BYTES_MAX = 5 * 1024 ** 3

const TROUBLES: { readonly [K in FailureKind]: Trouble["code"] } = {
  precondition: "changed_since",
  conflict: "changed_since",
  not_found: "not_found",
  no_bucket: "no_bucket",
  credentials: "credentials",
  expired: "credentials",
  denied: "denied",
  clock: "clock",
  not_implemented: "unsupported",
  busy: "busy",
  unreachable: "unreachable",
  nonsense: "nonsense",
  too_late: "interrupted",
  refused: "name_refused",
}

export function troubleOf({ kind, detail, via }: Failure, path = ""): Trouble {
  return { code: TROUBLES[kind], path, ...(detail !== "" && { detail }), ...(via !== undefined && { via }) }
}

/** The version an answer shows, with the user's time and its writer. */
export function versionOf(
  head: Pick<ObjectHead, "etag" | "sizeBytes" | "metadata" | "lastModifiedMs">,
): Version {
  return { token: head.etag as VersionToken, sizeBytes: head.sizeBytes, ...originOf(head) }
}

/** The server's clock, as far as its answers told. */
export function serverNowMs({ store, nowMs }: Pick<ObjectDeps, "store" | "nowMs">): number {
  return nowMs() + (store.skewMs() ?? 0)
}
