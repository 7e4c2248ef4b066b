/** What a watcher stands on: the configuration, the directory that it watches, and the file that says that it does. */

import type { SyncError } from "../model/errors.ts"
import { ok, type Result } from "../model/result.ts"
import { type Hints, openHints } from "../watch/hints.ts"
import { requireConfig } from "./bisync.ts"
import type { Config, Place } from "./config.ts"
import { readRules } from "./rules.ts"
import { openLocal, stateDirectory } from "./session.ts"
import { type Heartbeat, removeHeartbeat, writeHeartbeat } from "./watch-file.ts"

export interface Watching {
  readonly config: Config
  /** Of this device's state. */
  readonly directory: string
  /** Tells from now on when something changed; also after the directory was away. */
  watchAgain(): Promise<void>
  beat(heartbeat: Heartbeat): void
  close(): Promise<void>
}

export interface WatchingOptions {
  readonly onHint: () => void
  readonly onTrouble: (word: string) => void
}

export function openWatching(place: Place, options: WatchingOptions): Result<Watching, SyncError> {
  const required = requireConfig(place)
  if (!required.ok) return required
  const config = required.value
  const directory = stateDirectory(place, config.stateKey)
  let hints: Hints | undefined
  return ok({
    config,
    directory,
    async watchAgain() {
      await hints?.close()
      hints = await hintsOf(place, config, options)
    },
    beat: (heartbeat) => writeHeartbeat(directory, heartbeat),
    async close() {
      await hints?.close()
      removeHeartbeat(directory)
    },
  })
}

/** The patterns as they are now: after a change of them some hints are idle, and the interval finds the rest. */
async function hintsOf(place: Place, config: Config, options: WatchingOptions): Promise<Hints | undefined> {
  const local = openLocal(config.syncDir)
  if (!local.ok) return undefined
  const rules = await readRules(place, local.value, { isTenant: config.tenant !== undefined })
  return openHints({
    directory: config.syncDir,
    ignores: (path) => rules.ignoresDirectory(path),
    ...options,
  })
}
