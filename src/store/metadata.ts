/**
 * What we keep beside an object's bytes: the user's time as rclone writes it, the hash, who wrote it and over what.
 *
 * Metadata is a hint: a tool may replace the bytes and keep it. Whoever reads it believes times and names; a hash is
 * believed only after the bytes were read.
 */

import type { Origin } from "../model/entry.ts"
import type { ContentHash, OpId } from "../model/ids.ts"
import type { Metadata, ObjectHead } from "./store.ts"

/** The versions an op id is remembered over, so that somebody who already built on ours is recognised. */
export const LINEAGE_MAX = 8
const DEVICE_BYTES_MAX = 200
const OP = /^[0-9a-f]{32}$/

export interface Writing {
  readonly op: OpId
  /** Of the version that is replaced, newest first. */
  readonly lineage: readonly OpId[]
  readonly deviceName: string
  readonly mtimeMs: number
  readonly skewMs?: number
  readonly hash?: ContentHash
}

export function toMetadata({ op, lineage, deviceName, mtimeMs, skewMs, hash }: Writing): Metadata {
  return {
    ...timeOnly(mtimeMs),
    "bm-op": op,
    "bm-device": encodeURIComponent(deviceName).slice(0, DEVICE_BYTES_MAX),
    ...(hash !== undefined && { "bm-sha256": hash.slice("sha256:".length) }),
    ...(lineage.length > 0 && { "bm-lineage": lineage.slice(0, LINEAGE_MAX).join(",") }),
    ...(skewMs !== undefined && { "bm-skew-ms": String(Math.round(skewMs)) }),
  }
}

/** For a store that keeps nothing else. */
export function timeOnly(mtimeMs: number): Metadata {
  return { mtime: (mtimeMs / 1000).toFixed(3) }
}

/** A move keeps the time as its writer gave it: finer than ours, and programs such as rclone look at all of it. */
export function sameTime({ metadata: { mtime } }: Pick<ObjectHead, "metadata">): Metadata {
  return mtime === undefined || finite(mtime) === undefined ? {} : { mtime }
}

export function originOf({
  metadata,
  lastModifiedMs,
}: Pick<ObjectHead, "metadata" | "lastModifiedMs">): Origin {
  const device = decoded(metadata["bm-device"])
  const skewMs = finite(metadata["bm-skew-ms"])
  const op = opOf(metadata)
  const before = (metadata["bm-lineage"] ?? "").split(",").filter((each): each is OpId => OP.test(each))
  const seconds = finite(metadata.mtime)
  return {
    mtimeMs: seconds === undefined ? lastModifiedMs : Math.round(seconds * 1000),
    lineage: op === undefined ? [] : [op, ...before.slice(0, LINEAGE_MAX)],
    ...(device !== undefined && { device }),
    ...(skewMs !== undefined && { skewMs }),
  }
}

export function opOf(metadata: Metadata): OpId | undefined {
  const op = metadata["bm-op"]
  return op !== undefined && OP.test(op) ? (op as OpId) : undefined
}

/** The hash that the writer claimed. */
export function claimedHash(metadata: Metadata): ContentHash | undefined {
  const hex = metadata["bm-sha256"]
  return hex !== undefined && /^[0-9a-f]{64}$/.test(hex) ? (`sha256:${hex}` as ContentHash) : undefined
}

function finite(text: string | undefined): number | undefined {
  if (text === undefined || !/^-?\d{1,15}(\.\d{1,12})?$/.test(text)) return undefined
  return Number(text)
}

function decoded(text: string | undefined): string | undefined {
  if (text === undefined || text === "") return undefined
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
