/**
 * Checksums that a storage itself computed, as they stand in the tokens of versions. PURE.
 *
 * The etag of an object that came in one piece and is not encrypted is its MD5; any other never equals one. A remote of
 * rclone names the algorithm.
 */

import type { Etag } from "./store.ts"

/** Those that can be computed here too. */
export const ALGORITHMS = ["md5", "sha1", "sha256"] as const
export type Algorithm = (typeof ALGORITHMS)[number]

export interface Checksum {
  readonly algorithm: Algorithm
  readonly hex: string
}

const NAMED = /^\d+:(md5|sha1|sha256):([0-9a-f]+)$/

export function checksumIn(etag: Etag): Checksum | undefined {
  if (/^[0-9a-f]{32}$/.test(etag)) return { algorithm: "md5", hex: etag }
  const [, name, hex] = NAMED.exec(etag) ?? []
  const algorithm = ALGORITHMS.find((each) => each === name)
  return algorithm === undefined || hex === undefined ? undefined : { algorithm, hex }
}

/** The token of a version of which the storage told a checksum; of an algorithm that is not ours it is only compared. */
export function checksumToken(sizeBytes: number, name: string, text: string): Etag {
  return `${sizeBytes}:${name}:${text}`
}
