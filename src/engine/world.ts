/** Everything a run needs from the world, as ports. Real ones are made in `session.ts`; tests make their own. */

import type { DeviceId, Sha256 } from "../model/ids.ts"
import type { Backend, Clock, HistoryStore, KeyValueStore, Random } from "../model/ports.ts"
import type { Result } from "../model/result.ts"
import type { Trouble } from "../model/errors.ts"
import type { Side } from "../model/side.ts"
import type { MarkerMemory } from "../model/state.ts"
import type { IgnoreRules } from "../observe/ignore.ts"

export interface World {
  readonly sides: { readonly [S in Side]: Backend }
  readonly store: KeyValueStore
  readonly history: () => Promise<Result<HistoryStore, Trouble>>
  readonly marker: {
    read(): Promise<Result<MarkerMemory | undefined, Trouble>>
    write(marker: MarkerMemory): Promise<Result<void, Trouble>>
  }
  readonly rules: IgnoreRules
  readonly clock: Clock
  readonly random: Random
  readonly sha256: Sha256
  readonly device: DeviceId
  readonly largeFileBytes: number
}
