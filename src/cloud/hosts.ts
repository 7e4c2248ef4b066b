/**
 * Where the account is: which host answers its API, which one logs in, and as which client. Pure.
 *
 * Secrets go to these two and to no other, so both are reached by TLS, or are on this machine.
 */

import { err, ok, type Result } from "../model/result.ts"
import { parseSafeUrl } from "./safe-url.ts"

/** As `config.json` has them; whatever is not a text there is absent here. */
export interface HostSettings {
  readonly api_url?: string
  readonly cloud_host?: string
  readonly cloud_domain?: string
  readonly cloud_client_id?: string
}

export interface HostEnvironment {
  readonly BASIC_MEMORY_API_URL?: string | undefined
  readonly BASIC_MEMORY_CLOUD_HOST?: string | undefined
}

export interface CloudHosts {
  /** Without a slash at its end, as the other. */
  readonly apiUrl: string
  readonly authUrl: string
  readonly clientId: string
}

/** Which setting is wrong, and what it says; it may be shown, for it holds no secret that is ours. */
export interface HostProblem {
  readonly setting: keyof HostSettings | keyof HostEnvironment
  readonly why: "not_a_url" | "not_safe" | "has_parameters" | "not_a_name"
}

export const DEFAULT_HOSTS: CloudHosts = {
  apiUrl: "https://cloud.basicmemory.com",
  authUrl: "https://eloquent-lotus-05.authkit.app",
  clientId: "client_01K6KWQPW6J1M8VV7R3TZP5A6M",
}

const CLIENT_ID = /^[\w.~-]{1,200}$/

/** An empty text is as if it were not there. */
export function cloudHosts(
  settings: HostSettings,
  environment: HostEnvironment,
): Result<CloudHosts, HostProblem> {
  const api = firstUrl([
    ["BASIC_MEMORY_API_URL", environment.BASIC_MEMORY_API_URL],
    ["BASIC_MEMORY_CLOUD_HOST", environment.BASIC_MEMORY_CLOUD_HOST],
    ["api_url", settings.api_url],
    ["cloud_host", settings.cloud_host],
  ])
  if (!api.ok) return api
  const auth = firstUrl([["cloud_domain", settings.cloud_domain]])
  if (!auth.ok) return auth
  const clientId = settings.cloud_client_id || DEFAULT_HOSTS.clientId
  if (!CLIENT_ID.test(clientId)) return err({ setting: "cloud_client_id", why: "not_a_name" })
  return ok({
    apiUrl: api.value ?? DEFAULT_HOSTS.apiUrl,
    authUrl: auth.value ?? DEFAULT_HOSTS.authUrl,
    clientId,
  })
}

/** The first that says anything decides: one that is wrong does not let another take its place. */
function firstUrl(
  candidates: readonly (readonly [HostProblem["setting"], string | undefined])[],
): Result<string | undefined, HostProblem> {
  for (const [setting, text = ""] of candidates) {
    if (text.trim() !== "") return parseHost(setting, text.trim())
  }
  return ok(undefined)
}

function parseHost(setting: HostProblem["setting"], text: string): Result<string, HostProblem> {
  if (!URL.canParse(text)) return err({ setting, why: "not_a_url" })
  const url = parseSafeUrl(text)
  if (url === undefined) return err({ setting, why: "not_safe" })
  if (/[?#]/.test(text)) return err({ setting, why: "has_parameters" })
  return ok(url.href.replace(/\/+$/, ""))
}
