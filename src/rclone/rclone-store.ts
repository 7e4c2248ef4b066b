/**
 * A remote of rclone as an object store without conditions.
 *
 * One rclone is started for it and ends with it. Nothing is kept from foreign programs while they write: our own devices
 * keep each other out by a lease, and whoever else was faster is found by the next look.
 */

import type { Random } from "../model/ports.ts"
import { err, ok, type Result } from "../model/result.ts"
import type { Failure, ObjectStore, StoreTraits } from "../store/store.ts"
import { NOTHING_ASKED, type Verdict } from "../store/verdict.ts"
import type { RcloneAddress } from "./address.ts"
import { member, text } from "./answers.ts"
import { startChild } from "./child.ts"
import { BUCKET_LANES } from "./environment.ts"
import { parseVersion, type RcloneVersion } from "./find.ts"
import { openRc } from "./rc.ts"
import { reading } from "./reading.ts"
import { lookUpRemote, type RcloneRemote, type UnknownName } from "./remote.ts"
import { openRcloneSide, type RcloneSide, type RcloneSideOptions } from "./side.ts"
import { openWorkFolder } from "./work-folder.ts"
import { writing } from "./writing.ts"

export interface RcloneStoreOptions extends RcloneSideOptions {
  /** The absolute path of rclone. */
  readonly program: string
  readonly environment: Readonly<Record<string, string>>
  /** Where what is uploaded waits. */
  readonly workFolders: string
  readonly random: Random
  readonly nowMs: () => number
}

export interface OpenRclone {
  readonly store: ObjectStore
  readonly remote: RcloneRemote
  readonly version: RcloneVersion
  readonly pid: number
  /** Makes the directory at the root of the remote; a bucket is never made. */
  makeRoot(): Promise<Result<void, Failure>>
}

const OTHER_LANES = 8
const ASK_MS_MAX = 60_000
const SILENT: Failure = { kind: "unreachable", detail: "rclone does not answer" }

export async function openRcloneStore(
  address: RcloneAddress,
  options: RcloneStoreOptions,
): Promise<Result<OpenRclone, Failure | UnknownName>> {
  const child = await startChild(options)
  if (!child.ok) return child
  const rc = openRc(child.value)
  const close = () => {
    rc.close()
    child.value.stop()
  }
  const asked = await rc.call("core/version", {}, { withinMs: ASK_MS_MAX })
  const version = asked.ok ? parseVersion(`rclone ${text(member(asked.value, "version"))}`) : undefined
  const found = version === undefined ? err(SILENT) : await lookUpRemote(rc, address)
  if (version === undefined || !found.ok) {
    close()
    return found.ok ? err(SILENT) : found
  }
  const remote = found.value
  const { random, nowMs } = options
  const work = openWorkFolder(options.workFolders, { name: random.hex128(), nowMs: nowMs() })
  const side = openRcloneSide({ ...options, rc, remote, work, isAlive: child.value.isAlive })
  const store = storeOver(side, () => {
    work.close()
    close()
  })
  return ok({
    store,
    remote,
    version,
    pid: child.value.pid,
    async makeRoot() {
      const made = await side.ask(
        "operations/mkdir",
        { fs: remote.fs, remote: "" },
        { withinMs: ASK_MS_MAX, isRepeatable: true },
      )
      return made.ok ? ok(undefined) : made
    },
  })
}

/** Everything that a store is asked for, as requests of one side. */
export function storeOver(side: RcloneSide, close: () => void): ObjectStore {
  return {
    traits: traitsOf(side.remote),
    ...reading(side),
    ...writing(side),
    ...NO_PARTS,
    skewMs: () => undefined,
    close,
  }
}

function traitsOf({ isBucketBased, keepsTimes, canCopy, foldsCase }: RcloneRemote): StoreTraits {
  return {
    kind: "rclone",
    keepsMetadata: false,
    keepsTimes,
    canCopy,
    foldsCase,
    tellsAges: false,
    lanes: isBucketBased ? BUCKET_LANES : OTHER_LANES,
  }
}

/** It sends what is large in one piece; whoever asks for parts has not looked. */
const UNSUPPORTED: Failure = { kind: "not_implemented", detail: "parts" }
const NO_PARTS: Pick<ObjectStore, "startUpload" | "putPart" | "copyPart"> = {
  startUpload: async () => err(UNSUPPORTED),
  putPart: async () => err(UNSUPPORTED),
  copyPart: async () => err(UNSUPPORTED),
}

/** Nothing of what a request asks for is a condition, so nothing had to be probed. */
export function verdictOf({ isBucketBased }: RcloneRemote): Verdict {
  return {
    tier: "C",
    etagForm: "quoted",
    completes: false,
    copies: "none",
    refusesLate: false,
    hasFileBesideDirectory: isBucketBased,
    findings: NOTHING_ASKED,
  }
}
