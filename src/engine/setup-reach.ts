/**
 * Reaches what a setup is to connect, before anything is made here: a folder, a bucket, a remote of rclone, or the bucket
 * of a cloud account. Answers how it is opened once everything else is ready.
 */

import type { SyncError } from "../model/errors.ts"
import { ok, type Result } from "../model/result.ts"
import { type Config, type Place, readConfig, type Tenant } from "./config.ts"
import { openFolder, type OpenRemote, overRclone } from "./open-remote.ts"
import type { Remote } from "./remote.ts"
import type { SetupOptions, SetupReport, StepResult } from "./setup.ts"
import { findOrInstall, prepareRclone, type SetupRclone } from "./setup-rclone.ts"
import { openForSetup, prepareStore } from "./setup-store.ts"
import type { Target } from "./setup-target.ts"
import { type ConfStep, prepareTenant } from "./setup-tenant.ts"

export interface Reached {
  /** Absent in a dry run that would have to make a key pair first. */
  readonly remote?: Remote
  readonly tenant?: Tenant
  readonly about: Pick<SetupReport, "remote"> &
    Partial<Pick<SetupReport, "guard" | "rclone" | "remoteFolder" | "account">>
  open(deviceName: string): Promise<Result<OpenRemote, SyncError>>
  /** Of what was set up only in part, nothing stays. */
  close(): void | Promise<void>
}

/** What a setup found out about the account's bucket. */
export interface SetupAccount {
  readonly bucket: string
  readonly credentials: StepResult
  readonly conf: ConfStep
}

type Options = SetupOptions & { readonly existing: Config | undefined }

export function reach(
  place: Place,
  { syncDir, remote }: Target,
  options: Options,
): Promise<Result<Reached, SyncError>> {
  return remote === undefined
    ? reachAccount(place, syncDir, options)
    : reachRemote(place, { syncDir, remote }, options)
}

async function reachRemote(
  place: Place,
  { syncDir, remote }: { readonly syncDir: string; readonly remote: Remote },
  options: Options,
): Promise<Result<Reached, SyncError>> {
  const { url } = remote
  switch (remote.kind) {
    case "file":
      return ok({
        remote,
        about: { remote: url },
        open: async () => openFolder(remote),
        close: () => undefined,
      })
    case "s3": {
      const asked = await prepareStore(place, remote, { ...options, stateKey: options.existing?.stateKey })
      if (!asked.ok) return asked
      const { probe, guard } = asked.value
      const open: Reached["open"] = (deviceName) => openForSetup(place, remote, { probe, deviceName })
      return ok({ remote, about: { remote: url, guard }, open, close: () => undefined })
    }
    case "rclone": {
      const asked = await prepareRclone(place, remote, { ...options, syncDir })
      if (!asked.ok) return asked
      const { opened, rclone, remoteFolder } = asked.value
      const open: Reached["open"] = async (deviceName) => ok(await overRclone(remote, opened, { deviceName }))
      const close = () => opened.store.close()
      return ok({ remote, about: { remote: url, rclone, remoteFolder }, open, close })
    }
  }
}

async function reachAccount(
  place: Place,
  syncDir: string,
  options: Options,
): Promise<Result<Reached, SyncError>> {
  const { existing, isDryRun, installing } = options
  const backend = options.backend ?? existing?.tenant?.backend ?? "native"
  const rclone = await rcloneStep(place, syncDir, { backend, installing: isDryRun ? undefined : installing })
  if (!rclone.ok) return rclone
  const account = await prepareTenant(place, { backend, existing, isDryRun })
  if (!account.ok) return account
  if (account.value.kind === "would_create") {
    const { bucket, name } = account.value
    const conf = { result: "would_create", name } as const
    const about = {
      remote: `s3://${bucket}`,
      rclone: rclone.value,
      account: { bucket, credentials: "would_create", conf },
    } as const
    return ok({
      about,
      open: () => Promise.reject(new Error("a dry run opens nothing")),
      close: () => undefined,
    })
  }
  const { tenant, remote, credentials, conf, takeBack } = account.value
  const reached = await reachRemote(place, { syncDir, remote }, options)
  if (!reached.ok) {
    await takeBack()
    return reached
  }
  const { bucket } = tenant
  const about = {
    ...reached.value.about,
    remote: `s3://${bucket}`,
    rclone: rclone.value,
    account: { bucket, credentials, conf },
  }
  // Whoever closes it before the settings name this pair has set nothing up.
  const takeBackUnlessSaved = () => (isSaved(place, tenant) ? Promise.resolve() : takeBack())
  return ok({
    remote,
    tenant,
    about,
    async open(deviceName) {
      const opened = await reached.value.open(deviceName)
      if (!opened.ok) {
        await takeBackUnlessSaved()
        return opened
      }
      const close = () => {
        opened.value.close()
        return takeBackUnlessSaved()
      }
      return ok({ ...opened.value, close })
    },
    close() {
      reached.value.close()
      return takeBackUnlessSaved()
    },
  })
}

function isSaved(place: Place, { id, credential }: Tenant): boolean {
  const config = readConfig(place)
  const saved = config.ok ? config.value?.tenant : undefined
  return saved !== undefined && saved.id === id && saved.credential === credential
}

/** Without the backend that needs it, rclone is only nice to have. */
async function rcloneStep(
  place: Place,
  syncDir: string,
  at: { readonly backend: Tenant["backend"]; readonly installing: SetupOptions["installing"] },
): Promise<Result<SetupRclone, SyncError>> {
  const found = await findOrInstall(place, syncDir, at.installing)
  return found.ok || at.backend === "rclone" ? found : ok({ result: "missing" })
}
