/**
 * What a remote of rclone is like: rclone asks its storage, and we draw conclusions.
 *
 * A connection goes by the remote's name only. How versions are told apart follows from what a listing shows without a
 * request for each file: a checksum, or size and time.
 */

import { err, ok, type Result } from "../model/result.ts"
import { ALGORITHMS } from "../store/checksum.ts"
import type { Failure } from "../store/store.ts"
import type { RcloneAddress } from "./address.ts"
import { list, member, record, text, yes } from "./answers.ts"
import type { Rc } from "./rc.ts"

export interface RcloneRemote {
  /** As rclone's requests name it. */
  readonly fs: string
  /** Objects are replaced in one step, and directories are only names. */
  readonly isBucketBased: boolean
  readonly canCopy: boolean
  readonly canMove: boolean
  /** Two files of one name may stand beside each other. */
  readonly hasDuplicates: boolean
  readonly foldsCase: boolean
  readonly hasEmptyDirectories: boolean
  /** The user's time costs a request for each file; a listing shows when it was stored. */
  readonly isTimeSlow: boolean
  readonly keepsTimes: boolean
  /** A folder of this machine: it also shows when a file was made. */
  readonly isLocal: boolean
  /** Name of the checksum that a listing shows. */
  readonly checksum?: string
}

/** It does not stand in rclone.conf. */
export interface UnknownName {
  readonly kind: "unknown_name"
}

/** Backends that have no times say that theirs are a hundred years exact. */
const NO_TIMES_NS = 365 * 24 * 3600 * 1e9
const WITHIN_MS = 60_000

export async function lookUpRemote(
  rc: Rc,
  { name, path }: RcloneAddress,
): Promise<Result<RcloneRemote, Failure | UnknownName>> {
  const names = await rc.call("config/listremotes", {}, { withinMs: WITHIN_MS })
  if (!names.ok) return names
  if (!list(member(names.value, "remotes")).includes(name)) return err({ kind: "unknown_name" })
  // With the slash a directory is meant: else some storages are asked whether it is a file, and where they do not answer
  // rclone takes it for one.
  const fs = `${name}:${path}${path === "" || path.endsWith("/") ? "" : "/"}`
  const info = await rc.call("operations/fsinfo", { fs }, { withinMs: WITHIN_MS })
  if (!info.ok) return info
  const remote = remoteOf(fs, info.value)
  if (!remote.isTimeSlow) return ok(remote)
  // It was opened to ask what it is like; from now on it is opened to show the times that cost nothing.
  const cleared = await rc.call("fscache/clear", {}, { withinMs: WITHIN_MS })
  return cleared.ok ? ok(remote) : cleared
}

function remoteOf(fs: string, info: unknown): RcloneRemote {
  const features = record(member(info, "Features"))
  const hashes = list(member(info, "Hashes")).map(text)
  const checksum = yes(features["SlowHash"])
    ? undefined
    : (ALGORITHMS.find((each) => hashes.includes(each)) ?? hashes[0])
  const precisionNs = member(info, "Precision")
  return {
    fs,
    isBucketBased: yes(features["BucketBased"]),
    canCopy: yes(features["Copy"]) || yes(features["IsLocal"]),
    canMove: yes(features["Move"]) || yes(features["Copy"]),
    hasDuplicates: yes(features["DuplicateFiles"]),
    foldsCase: yes(features["CaseInsensitive"]),
    hasEmptyDirectories: yes(features["CanHaveEmptyDirectories"]),
    isTimeSlow: yes(features["SlowModTime"]),
    isLocal: yes(features["IsLocal"]),
    keepsTimes: typeof precisionNs === "number" && precisionNs < NO_TIMES_NS,
    ...(checksum !== undefined && checksum !== "" && { checksum }),
  }
}

/** What every request says of how the remote is opened: whichever comes first after a pause opens it. */
export function configOf({ isTimeSlow }: RcloneRemote, more: object = {}): object {
  return { _config: { UseServerModTime: isTimeSlow, ...more } }
}
