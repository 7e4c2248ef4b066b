/** What `bm cloud status` knows of the cloud account: who is logged in, and, where that was asked for, its projects. */

import type { SyncError } from "../model/errors.ts"
import { isLoggedIn, openAccount } from "./account.ts"
import type { Config, Place } from "./config.ts"
import { readMap } from "./projects.ts"
import { stateDirectory } from "./session.ts"

export interface AccountReport {
  readonly isLoggedIn: boolean
  readonly backend: NonNullable<Config["tenant"]>["backend"]
  /** Absent where nobody asked, or the cloud did not answer. */
  readonly projects?: readonly string[]
  /** Why it did not. */
  readonly error?: SyncError
}

/** `asksCloud`: else nothing leaves this machine. */
export async function queryAccount(
  place: Place,
  { tenant }: Config,
  { asksCloud }: { readonly asksCloud: boolean },
): Promise<AccountReport | undefined> {
  if (tenant === undefined) return undefined
  const about = { isLoggedIn: isLoggedIn(place), backend: tenant.backend }
  if (!asksCloud || !about.isLoggedIn) return about
  const api = await openAccount(place)
  if (!api.ok) return { ...about, error: api.error }
  const listed = await api.value.projects()
  return listed.ok
    ? { ...about, projects: listed.value.projects.map(({ name }) => name) }
    : { ...about, error: { code: "account", failure: listed.error } }
}

/** Directories of this device that are no project of the account yet, as far as this device knows. */
export function notRegistered(
  place: Place,
  { stateKey }: Config,
  directories: readonly string[],
): readonly string[] {
  const known = new Set(readMap(stateDirectory(place, stateKey)).map(({ directory }) => directory))
  return directories.filter((each) => !known.has(each))
}
