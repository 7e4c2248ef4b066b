/** What a watcher stands on: the configuration, the directory that it watches, and the file that says that it does. */

import { statSync } from "node:fs"
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
  /**
   * Tells from now on when something changed; anew where another directory has come to stand there: of what changed
   * before there was no hint, and the answer is true.
   */
  watch(): Promise<boolean>
  /** For a directory that is away: what comes back is watched anew, though it may be the same. */
  unwatch(): Promise<void>
  beat(heartbeat: Heartbeat): void
  close(): Promise<void>
}

export interface WatchingOptions {
  readonly onHint: (path?: string) => void
  readonly onTrouble: (word: string) => void
}

export function openWatching(place: Place, options: WatchingOptions): Result<Watching, SyncError> {
  const required = requireConfig(place)
  if (!required.ok) return required
  const config = required.value
  const directory = stateDirectory(place, config.stateKey)
  let hints: Hints | undefined
  let watched: string | undefined
  const unwatch = async () => {
    watched = undefined
    await hints?.close()
    hints = undefined
  }
  return ok({
    config,
    directory,
    async watch() {
      const found = identityOf(config.syncDir)
      if (found !== undefined && found === watched) return false
      await unwatch()
      if (found === undefined) return true
      hints = await hintsOf(place, config, options)
      watched = hints === undefined ? undefined : found
      return true
    },
    unwatch,
    beat: (heartbeat) => writeHeartbeat(directory, heartbeat),
    async close() {
      await unwatch()
      removeHeartbeat(directory)
    },
  })
}

/** A system's hints are about a directory, not about its name. */
function identityOf(directory: string): string | undefined {
  const stat = statSync(directory, { bigint: true, throwIfNoEntry: false })
  return stat?.isDirectory() === true ? `${stat.dev} ${stat.ino}` : undefined
}

/** The patterns as they are now: after a change of them some hints are idle, and the interval finds the rest. */
async function hintsOf(place: Place, config: Config, options: WatchingOptions): Promise<Hints | undefined> {
  const local = openLocal(config.syncDir)
  if (!local.ok) return undefined
  const { syncDir, tenant } = config
  const rules = await readRules(place, { syncDir, disk: local.value, isTenant: tenant !== undefined })
  // The run that follows says what is wrong with them.
  if (!rules.ok) return undefined
  return openHints({
    directory: syncDir,
    ignoresDirectory: rules.value.ignoresDirectory,
    ignoresFile: rules.value.ignoresFile,
    ...options,
  })
}
