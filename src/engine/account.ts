/**
 * The cloud account of this user: which service, as whom, and whether anybody is logged in.
 *
 * Its settings are in config.json and the environment, its tokens in a private file of the state root that other clients
 * of the account share. The network code is loaded by whoever asks something.
 */

import { platform } from "node:os"
import type { CloudApi } from "../cloud/api.ts"
import type { LoginPrompt } from "../cloud/device-login.ts"
import { type CloudHosts, cloudHosts } from "../cloud/hosts.ts"
import { readTokens, tokenFile } from "../cloud/token-file.ts"
import type { AccountFailure } from "../model/account-failure.ts"
import type { SyncError } from "../model/errors.ts"
import { err, ok, type Result } from "../model/result.ts"
import { type Place, readSettings, saveSettings } from "./config.ts"
import { clock, random } from "./session.ts"
import { sleep } from "./waiting.ts"

export function accountError(failure: AccountFailure): Result<never, SyncError> {
  return err({ code: "account", failure })
}

export async function openAccount(place: Place): Promise<Result<CloudApi, SyncError>> {
  const hosts = hostsOf(place)
  if (!hosts.ok) return hosts
  const { openApi } = await import("../cloud/api.ts")
  const { openHttp } = await import("../cloud/http.ts")
  const { openSession } = await import("../cloud/session.ts")
  const { openTokenFile } = await import("../cloud/token-store.ts")
  const tokens = openTokenFile({ clock, sleep }, tokenFile(place.stateRoot))
  return ok(openApi(openSession({ ask: openHttp(), clock, tokens }, hosts.value)))
}

/** Nothing is asked of anybody. */
export function isLoggedIn(place: Place): boolean {
  const tokens = readTokens(tokenFile(place.stateRoot))
  return tokens.ok && tokens.value !== undefined
}

export interface LoginOptions {
  /** A service of the user's own; kept as the setting `cloud_host` once the login has succeeded. */
  readonly host?: string
  readonly show: (prompt: LoginPrompt) => void
  /** Nobody sits before it where this is false. */
  readonly opensBrowser: boolean
}

/** Tokens are kept only after the service has said that there is a subscription. */
export async function login(place: Place, options: LoginOptions): Promise<Result<void, SyncError>> {
  const hosts = hostsOf(place, options.host)
  if (!hosts.ok) return hosts
  const { deviceLogin, uriToOpen } = await import("../cloud/device-login.ts")
  const { openHttp } = await import("../cloud/http.ts")
  const { openBrowser } = await import("../cloud/open-browser.ts")
  const { holdTokens, saveLogin } = await import("../cloud/token-store.ts")
  const { openApi } = await import("../cloud/api.ts")
  const { openSession } = await import("../cloud/session.ts")
  const ask = openHttp()
  const tokens = await deviceLogin({ ask, clock, random, sleep }, hosts.value, (prompt) => {
    options.show(prompt)
    const uri = uriToOpen(prompt)
    const { SystemRoot: windowsRoot } = place.environment ?? {}
    if (options.opensBrowser && uri !== undefined) openBrowser({ platform: platform(), windowsRoot }, uri)
  })
  if (!tokens.ok) return accountError(tokens.error)
  const held = holdTokens(tokens.value)
  const health = await openApi(openSession({ ask, clock, tokens: held }, hosts.value)).health()
  if (!health.ok) return accountError(health.error)
  const latest = held.read()
  const kept = latest.ok && latest.value !== undefined ? latest.value : tokens.value
  const saved = await saveLogin({ clock, sleep }, tokenFile(place.stateRoot), kept)
  if (!saved.ok) return accountError(saved.error)
  return options.host === undefined ? ok(undefined) : saveSettings(place, { cloud_host: hosts.value.apiUrl })
}

/** True where somebody was logged in. */
export async function logout(place: Place): Promise<Result<boolean, SyncError>> {
  const { logOut } = await import("../cloud/token-store.ts")
  const was = await logOut({ clock, sleep }, tokenFile(place.stateRoot))
  return was.ok ? was : accountError(was.error)
}

function hostsOf(place: Place, host?: string): Result<CloudHosts, SyncError> {
  const settings = readSettings(place)
  if (!settings.ok) return settings
  const text = (name: string) => {
    const value = settings.value[name]
    return typeof value === "string" ? { [name]: value } : {}
  }
  const named = ["api_url", "cloud_host", "cloud_domain", "cloud_client_id"].map(text)
  const typed = host === undefined ? (place.environment ?? {}) : { BASIC_MEMORY_API_URL: host }
  const hosts = cloudHosts(Object.assign({}, ...named), typed)
  return hosts.ok ? hosts : accountError({ kind: "host", ...hosts.error })
}
