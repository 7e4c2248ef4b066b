/**
 * The part of a setup that object stores need: are we let in, and what does the server promise?
 *
 * Both are asked before a directory is made or a setting saved. A dry run only lists: it writes nothing anywhere, so
 * it cannot probe.
 */

import type { SyncError } from "../model/errors.ts"
import { assert, err, ok, type Result } from "../model/result.ts"
import type { Place } from "./config.ts"
import { type OpenRemote, overStore, probeStore } from "./open-remote.ts"
import { isStale, type ProbeRecord, readProbe } from "./probe-file.ts"
import type { S3Remote } from "./remote.ts"
import { clock, stateDirectory } from "./session.ts"
import type { SetupGuard } from "./setup.ts"
import {
  accessTo,
  type AskCredentials,
  keepCredentials,
  openObjectStore,
  reachStore,
} from "./store-access.ts"

export interface Prepared {
  /** Absent after a dry run without an earlier probe. */
  readonly probe?: ProbeRecord
  readonly guard: SetupGuard
}

export async function prepareStore(
  place: Place,
  remote: S3Remote,
  options: {
    readonly isDryRun: boolean
    readonly askCredentials?: AskCredentials
    /** Of the setup that is there. */
    readonly stateKey: string | undefined
  },
): Promise<Result<Prepared, SyncError>> {
  const reached = await reachStore(place, remote, options.askCredentials)
  if (!reached.ok) return reached
  const { access, isTyped = false } = reached.value
  const kept = isTyped && !options.isDryRun ? keepCredentials(place, access) : ok(undefined)
  if (!kept.ok) return kept
  const known =
    options.stateKey === undefined ? undefined : readProbe(stateDirectory(place, options.stateKey))
  if (known !== undefined && known.url === remote.url && !isStale(known, clock.nowMs()))
    return ok({ probe: known, guard: guardOf(known, "already_done") })
  if (options.isDryRun) return ok({ guard: { result: "would_create" } })
  const probe = await probeStore(access, known)
  if (!probe.ok) {
    const { error } = probe
    return error.code === "side_unreadable"
      ? err({ code: "setup_failed", what: `use ${remote.url} as the remote`, trouble: error.trouble })
      : probe
  }
  return ok({ probe: probe.value, guard: guardOf(probe.value, "created") })
}

function guardOf({ verdict }: ProbeRecord, result: SetupGuard["result"]): SetupGuard {
  const { tier, server } = verdict
  return { tier, result, ...(server !== undefined && { server }) }
}

export async function openForSetup(
  place: Place,
  remote: S3Remote,
  at: { readonly probe: ProbeRecord | undefined; readonly deviceName: string },
): Promise<Result<OpenRemote, SyncError>> {
  const { probe, deviceName } = at
  assert(probe !== undefined, "an object store is probed before it is used")
  const access = accessTo(place, remote)
  if (!access.ok) return access
  const store = await openObjectStore(access.value, probe.verdict.etagForm)
  const { verdict } = probe
  return ok({ ...(await overStore(remote, { store, verdict, deviceName })), probe })
}
