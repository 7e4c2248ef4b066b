/** What tests of object stores share: a store with another program at its bucket, and short words for its answers. */

import type { Result } from "../../src/model/result.ts"
import type { Quirks } from "../../src/store/memory-store.ts"
import type { Body, Failure, ObjectStore } from "../../src/store/store.ts"

export interface OpenStore {
  readonly store: ObjectStore
  /** Another program at the same bucket. */
  foreignPut(key: string, text: string): Promise<void>
}

/** The quirks that a server is known to have. */
export type Ways = Partial<Quirks> & {
  /** Keeps and lists such a key under a name of its own making, and nobody can tell. */
  readonly renamesControlCharacters?: true
}

export const body = (text: string): Body => ({ kind: "bytes", bytes: Buffer.from(text) })
export const kindOf = (result: Result<unknown, Failure>) => (result.ok ? "ok" : result.error.kind)
export const unless = (isIgnored: boolean | undefined) => (isIgnored === true ? "ok" : "precondition")
export const WRONG = "00000000000000000000000000000000"

export function must<T>(result: Result<T, Failure>): T {
  if (!result.ok) throw new Error(`${result.error.kind}: ${result.error.detail}`)
  return result.value
}

export async function textAt(store: ObjectStore, key: string): Promise<string | undefined> {
  const got = await store.get(key, {})
  if (!got.ok) return undefined
  const pieces: Uint8Array[] = []
  for await (const piece of got.value.body) pieces.push(piece)
  return Buffer.concat(pieces).toString()
}
