/**
 * What `bm doctor` asks the remote: does it answer, is it the one we know, what does its server promise, what time is it
 * there? Only reads, unless something may be repaired: then a server that was never asked, or not lately, is probed.
 */

import type { SyncError } from "../model/errors.ts"
import { err, ok, type Result } from "../model/result.ts"
import { newDeviceId } from "./adopt.ts"
import type { Config, Place } from "./config.ts"
import type { DoctorCheck, DoctorOptions } from "./doctor.ts"
import { openRemote, type OpenRemote } from "./open-remote.ts"
import { remoteOf, type Remote } from "./remote.ts"
import { random, stateDirectory } from "./session.ts"
import { guardOf } from "./status-query.ts"
import { type Reached, reachStore } from "./store-access.ts"

export async function checkCloud(
  place: Place,
  config: Config,
  { isFix }: DoctorOptions,
): Promise<readonly DoctorCheck[]> {
  const remote = remoteOf(config, place)
  if (!remote.ok) return [unreachable(config.remote, remote.error)]
  const directory = stateDirectory(place, config.stateKey)
  const reached = await reach(place, remote.value)
  if (!reached.ok) return [unreachable(config.remote, reached.error)]
  const before = guardOf(remote.value, directory)
  const probing = isFix ? "weekly" : "never"
  const opened = await openRemote(remote.value, {
    ...config,
    place,
    directory,
    probing,
  })
  if (!opened.ok) return [unreachable(config.remote, opened.error)]
  const startedMs = performance.now()
  const epoch = await readEpochId(opened.value)
  const latencyMs = reached.value?.latencyMs ?? performance.now() - startedMs
  await opened.value.close()
  if (!epoch.ok) return [unreachable(config.remote, epoch.error)]
  const guard = guardOf(remote.value, directory)
  const isAsked = guard.kind !== "not_probed"
  const isWeak = guard.kind === "lease" && guard.tier === "D"
  const why =
    epoch.value === undefined
      ? ("no_epoch" as const)
      : epoch.value === (config.epoch ?? config.stateKey)
        ? undefined
        : ("other_epoch" as const)
  return [
    {
      name: "cloud",
      url: config.remote,
      latencyMs,
      guard,
      result: why !== undefined ? "fail" : before.kind === "not_probed" ? "warn" : isWeak ? "warn" : "ok",
      ...(why !== undefined && { why }),
      ...(before.kind === "not_probed" && { canFix: true, isFixed: isAsked && why === undefined }),
    },
    clockCheck(remote.value, reached.value),
  ]
}

async function reach(place: Place, remote: Remote): Promise<Result<Reached | undefined, SyncError>> {
  return remote.kind === "s3" ? reachStore(place, remote, undefined) : ok(undefined)
}

async function readEpochId(remote: OpenRemote): Promise<Result<string | undefined, SyncError>> {
  const epoch = await remote.backend(newDeviceId(random.hex128())).readEpoch([])
  return epoch.ok
    ? ok(epoch.value?.id)
    : err({ code: "side_unreadable", side: "remote", trouble: epoch.error })
}

function unreachable(url: string, error: SyncError): DoctorCheck {
  return { name: "cloud", result: "fail", url, why: "unreachable", error }
}

/** Times nearer than this are a tie anyway; beyond the larger one servers refuse requests. */
const SKEW_MS_MAX = 2_000
const SKEW_MS_REFUSED = 5 * 60_000

function clockCheck(remote: Remote, reached: Reached | undefined): DoctorCheck {
  if (remote.kind === "file") return { name: "clock", result: "ok", isShared: true }
  const skewMs = reached?.skewMs
  if (skewMs === undefined) return { name: "clock", result: "note", isShared: false }
  const off = Math.abs(skewMs)
  const result = off > SKEW_MS_REFUSED ? "fail" : off > SKEW_MS_MAX ? "warn" : "ok"
  return { name: "clock", result, skewMs, isShared: false }
}
