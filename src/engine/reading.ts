/**
 * Opens what a command needs that looks back at versions: the journal, the history store, and the sync directory where
 * it is there, because the copies of an open conflict lie in it. Both folders may be gone.
 */

import type { Disk } from "../disk/disk.ts"
import { openNodeDisk } from "../disk/node-disk.ts"
import type { SyncError, Trouble } from "../model/errors.ts"
import type { HistoryStore } from "../model/ports.ts"
import type { Result } from "../model/result.ts"
import type { Place } from "./config.ts"
import { type HistoryAccess, type HistoryOpened, withHistory } from "./history-open.ts"
import { openHistory, sha256 } from "./session.ts"

export interface Reading extends Pick<HistoryOpened, "config" | "ledger" | "device"> {
  readonly history: () => Promise<Result<HistoryStore, Trouble>>
  readonly sha256: typeof sha256
  readonly local: Disk | undefined
}

/** Closes everything again when `work` is done. */
export function whileReading<T>(
  place: Place,
  access: HistoryAccess,
  work: (reading: Reading) => Promise<Result<T, SyncError>>,
): Promise<Result<T, SyncError>> {
  return withHistory(place, access, ({ config, ledger, device, directory }) => {
    const local = openNodeDisk(config.syncDir)
    let history: ReturnType<typeof openHistory> | undefined
    return work({
      config,
      ledger,
      device,
      history: () => (history ??= openHistory(directory, config.syncDir)),
      sha256,
      local: local.ok ? local.value : undefined,
    })
  })
}
