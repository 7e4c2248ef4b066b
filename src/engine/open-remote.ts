/**
 * Opens what is behind a remote's URL, so that nobody else has to know what kind of place it is.
 *
 * A folder is there or not. An object store is opened with the verdict of its last probe; without one that is fresh
 * enough, a run that will write makes a new one first. Nothing here decides what to sync.
 */

import { folderBackend } from "../backend/folder.ts"
import type { Disk } from "../disk/disk.ts"
import { openNodeDisk } from "../disk/node-disk.ts"
import type { SyncError } from "../model/errors.ts"
import type { DeviceId } from "../model/ids.ts"
import type { Backend } from "../model/ports.ts"
import { err, ok, type Result } from "../model/result.ts"
import type { ObjectStore } from "../store/store.ts"
import { NOTHING_ASKED, type ProbePoint, type Verdict } from "../store/verdict.ts"
import type { OpenRclone } from "../rclone/rclone-store.ts"
import type { Place } from "./config.ts"
import { isStale, type ProbeRecord, readProbe, writeProbe } from "./probe-file.ts"
import { openRclone } from "./rclone-access.ts"
import type { FileRemote, RcloneRemote, Remote, S3Remote } from "./remote.ts"
import { clock, random, sha256 } from "./session.ts"
import { smallMemory } from "./small-memory.ts"
import { monotonicMs, sleep } from "./waiting.ts"
import { accessTo, openObjectStore, type StoreAccess, storeTrouble } from "./store-access.ts"

export interface OpenRemote {
  readonly remote: Remote
  /** The folder, where it is one. */
  readonly disk?: Disk
  /** What is known of its server, where it is an object store. */
  readonly probe?: ProbeRecord
  backend(device: DeviceId): Backend
  /** There is something below this name. */
  hasProject(name: string): Promise<boolean>
  /** From now on what it must remember is kept in this state directory; a setup learns late which one it is. */
  keepIn(directory: string): void
  close(): void | Promise<void>
}

/** When the server is asked again what it promises; only who is about to write to the remote may ask. */
export type Probing = "never" | "if_missing" | "weekly"

export interface RemoteOptions {
  readonly place: Place
  /** Directory of this device's state, where the last verdict is kept. */
  readonly directory: string
  readonly deviceName: string
  readonly syncDir: string
  readonly probing: Probing
}

export async function openRemote(
  remote: Remote,
  options: RemoteOptions,
): Promise<Result<OpenRemote, SyncError>> {
  if (remote.kind === "file") return openFolder(remote)
  const { place, deviceName } = options
  if (remote.kind === "rclone") {
    const opened = await openRclone(place, remote, options)
    return opened.ok ? ok(await overRclone(remote, opened.value, options)) : opened
  }
  const access = accessTo(place, remote)
  if (!access.ok) return access
  const probe = await refreshVerdict(access.value, options)
  if (!probe.ok) return probe
  const store = await openObjectStore(access.value, probe.value.verdict.etagForm)
  const { verdict } = probe.value
  const opened = await overStore(remote, { store, verdict, deviceName, directory: options.directory })
  return ok({ ...opened, probe: probe.value })
}

export function openFolder(remote: FileRemote): Result<OpenRemote, SyncError> {
  const disk = openNodeDisk(remote.path)
  if (!disk.ok) return err({ code: "remote_changed", remote: remote.url, why: "missing" })
  return ok({
    remote,
    disk: disk.value,
    backend: (device) =>
      folderBackend({ disk: disk.value, device, sha256, nowMs: clock.nowMs, isRemote: true }),
    async hasProject(name) {
      const at = await disk.value.stat(name)
      return at.ok && at.value?.kind === "directory"
    },
    keepIn: () => undefined,
    close: () => undefined,
  })
}

/** Nothing is probed: rclone hands no condition on, so the least is what is known. */
export async function overRclone(
  remote: RcloneRemote,
  opened: OpenRclone,
  at: { readonly deviceName: string; readonly directory?: string },
): Promise<OpenRemote> {
  const { verdictOf } = await import("../rclone/rclone-store.ts")
  return overStore(remote, { ...at, store: opened.store, verdict: verdictOf(opened.remote) })
}

/** Loaded when it is needed: a folder never pays for it. */
export async function overStore(
  remote: S3Remote | RcloneRemote,
  at: {
    readonly store: ObjectStore
    readonly verdict: Verdict
    readonly deviceName: string
    /** Absent in a setup, which does not know the remote's epoch yet. */
    readonly directory?: string
  },
): Promise<OpenRemote> {
  const { objectBackend } = await import("../backend/object.ts")
  const { store, verdict, deviceName, directory } = at
  const { memory, keepIn } = smallMemory(directory)
  const parts = {
    store,
    verdict,
    deviceName,
    sha256,
    random,
    nowMs: clock.nowMs,
    monotonicMs,
    sleep,
    memory,
  }
  return {
    remote,
    backend: (device) => objectBackend({ ...parts, device }),
    async hasProject(name) {
      const page = await store.list({ prefix: `${name}/` })
      return page.ok && page.value.objects.length + page.value.broken.length > 0
    },
    keepIn,
    close: () => store.close(),
  }
}

/** The verdict that is kept, or a new one, which is kept from then on. */
export async function refreshVerdict(
  access: StoreAccess,
  { directory, probing }: Pick<RemoteOptions, "directory" | "probing">,
): Promise<Result<ProbeRecord, SyncError>> {
  const { url } = access.address
  const read = readProbe(directory)
  const known = read?.url === url ? read : undefined
  if (known !== undefined && (probing !== "weekly" || !isStale(known, clock.nowMs()))) return ok(known)
  if (probing === "never") return ok({ url, atMs: clock.nowMs(), verdict: NEVER_PROBED })
  const probed = await probeStore(access, known)
  if (!probed.ok) return probed
  const written = writeProbe(directory, probed.value)
  return written.ok ? probed : written
}

/**
 * Asks the server; writes below our reserved prefix and cleans up. A race that a server once lost it may win by chance
 * the next time: what an earlier probe of the same server saw is not forgotten.
 */
export async function probeStore(
  access: StoreAccess,
  before: ProbeRecord | undefined,
): Promise<Result<ProbeRecord, SyncError>> {
  const { url } = access.address
  const { judge, probe } = await import("../s3/probe.ts")
  const verdict = await probe({
    open: (form) => openObjectStore(access, form),
    random,
  })
  if (!verdict.ok)
    return err({ code: "side_unreadable", side: "remote", trouble: storeTrouble(verdict.error, url) })
  const { value } = verdict
  const isSame = before?.url === url && before.verdict.server === value.server
  const lost = isSame ? lostRaces(before.verdict, value) : {}
  const { server } = value
  const judged = {
    ...judge(value.etagForm, { ...value.findings, ...lost }),
    ...(server !== undefined && { server }),
  }
  return ok({ url, atMs: clock.nowMs(), verdict: judged })
}

const RACES = ["race_match", "race_create", "race_delete"] as const satisfies readonly ProbePoint[]

function lostRaces(before: Verdict, now: Verdict): Partial<Verdict["findings"]> {
  const lost = RACES.filter((race) => before.findings[race] === "fails" && now.findings[race] === "holds")
  return Object.fromEntries(lost.map((race) => [race, "fails"]))
}

/** What is assumed where nobody asked yet and nobody may: the least. Only readers get it. */
const NEVER_PROBED: Verdict = {
  tier: "C",
  etagForm: "quoted",
  completes: false,
  copies: "none",
  refusesLate: false,
  hasFileBesideDirectory: true,
  findings: NOTHING_ASKED,
}
