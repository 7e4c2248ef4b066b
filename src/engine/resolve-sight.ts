/**
 * What lies at a path when a conflict is resolved: what both sides hold, or the one edit that is still to be synced.
 */

import type { ContentSource } from "../model/action.ts"
import type { Unknown } from "../model/entry.ts"
import type { ContentHash } from "../model/ids.ts"
import type { RelativePath } from "../model/path.ts"
import { SIDES, type Side } from "../model/side.ts"
import type { State } from "../model/state.ts"
import { viewOf } from "../reconcile/sight.ts"
import type { Goal } from "../plan/undo-action.ts"
import type { Source } from "./conflict-contents.ts"
import { currentOf } from "./undo-judge.ts"
import type { World } from "./world.ts"

export interface ResolveJudging {
  readonly world: World
  readonly source: Source
  readonly state: State
  readonly unknowns: { readonly [S in Side]: readonly Unknown[] }
}

export type Content = NonNullable<Goal["content"]>

export function isHidden({ state, unknowns }: ResolveJudging, path: RelativePath): boolean {
  const view = viewOf({ paths: state.paths, unknowns })
  return SIDES.some((side) => view.see(side, path).kind === "unknown")
}

export function inline({ world }: ResolveJudging, bytes: Uint8Array): Content {
  const hash = world.sha256(bytes)
  const source: ContentSource = { kind: "inline", hash, base64: Buffer.from(bytes).toString("base64") }
  return { hash, sizeBytes: bytes.length, source }
}

export type Sight =
  | { readonly kind: "absent" | "torn" }
  | {
      readonly kind: "file"
      readonly hash: ContentHash
      readonly sizeBytes: number
      readonly source: ContentSource
      read(): Promise<Uint8Array | undefined>
    }

/** `torn`: both sides were edited, or what lies there cannot be read. */
export async function sightAt({ world, state }: ResolveJudging, path: RelativePath): Promise<Sight> {
  const current = currentOf(state.paths.get(path))
  if (current.kind === "torn") return { kind: "torn" }
  const { version, side = "local" } = current
  if (version === undefined) return { kind: "absent" }
  const read = async () => {
    const content = await world.sides[side].read(path, version)
    return content.ok ? content.value : undefined
  }
  const hash = version.hash ?? (await read())?.hash
  if (hash === undefined) return { kind: "torn" }
  return {
    kind: "file",
    hash,
    sizeBytes: version.sizeBytes,
    source: { kind: "side", side, path, version },
    read: async () => {
      const content = await read()
      return content?.kind === "bytes" ? content.bytes : undefined
    },
  }
}
