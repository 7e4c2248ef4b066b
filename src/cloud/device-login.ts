/**
 * Logs in by the device flow (RFC 8628) with PKCE (RFC 7636): the user agrees in a browser, while we ask whether it is
 * done. What must be shown is handed out, and the tokens are handed back; nothing is opened or kept here.
 *
 *   device_authorization ─▶ show ─▶ wait ─▶ token? ── pending, slow_down ─▶ wait …
 *                                              ├─ tokens
 *                                              └─ denied, expired, refused
 */

import { createHash } from "node:crypto"
import type { Clock, Random } from "../model/ports.ts"
import { err, ok, type Result } from "../model/result.ts"
import type { CloudFailure, LoginFailure } from "../model/account-failure.ts"
import { failureOf } from "./failure.ts"
import { fieldOf, secondsOf, wordOf } from "./fields.ts"
import type { CloudHosts } from "./hosts.ts"
import type { Ask } from "./http.ts"
import { safeHref } from "./safe-url.ts"
import { TOKEN, type Tokens } from "./token-file.ts"
import { parseTokenReply, TOKEN_PATH } from "./token-reply.ts"

export interface LoginDeps {
  readonly ask: Ask
  readonly clock: Clock
  readonly random: Random
  readonly sleep: (ms: number) => Promise<void>
}

/** What the user must see. The URIs are safe to show and to open. */
export interface LoginPrompt {
  readonly userCode: string
  readonly verificationUri: string
  /** The same with the code in it. */
  readonly verificationUriComplete?: string
  readonly expiresInS: number
}

export type { LoginFailure } from "../model/account-failure.ts"

const SCOPE = "openid profile email offline_access"
const DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
const AUTHORIZATION_PATH = "/oauth2/device_authorization"
const INTERVAL_S_USUAL = 5
const INTERVAL_S_MAX = 300
const SLOW_DOWN_S = 5
const EXPIRES_IN_S_USUAL = 300
const EXPIRES_IN_S_MAX = 3600
/** The network may fail for a moment while the user is at the browser, but not so many times in a row. */
const OUTAGES_MAX = 5
/** Where the clock stands still. */
const POLLS_MAX = EXPIRES_IN_S_MAX

export async function deviceLogin(
  deps: LoginDeps,
  hosts: CloudHosts,
  show: (prompt: LoginPrompt) => void,
): Promise<Result<Tokens, LoginFailure>> {
  const pkce = newPkce(deps.random)
  const startedMs = deps.clock.nowMs()
  const authorization = await authorize(deps, hosts, pkce)
  if (!authorization.ok) return authorization
  show(authorization.value.prompt)
  return poll(deps, hosts, { ...authorization.value, verifier: pkce.verifier, startedMs })
}

export interface Pkce {
  readonly verifier: string
  readonly challenge: string
}

export function newPkce(random: Random): Pkce {
  const verifier = Buffer.from(random.hex128() + random.hex128(), "hex").toString("base64url")
  return { verifier, challenge: createHash("sha256").update(verifier).digest("base64url") }
}

/** Of what is shown, what a browser is best sent to. */
export function uriToOpen({ verificationUri, verificationUriComplete }: LoginPrompt): string | undefined {
  return safeHref(verificationUriComplete) ?? safeHref(verificationUri)
}

interface Authorization {
  readonly deviceCode: string
  readonly intervalS: number
  readonly prompt: LoginPrompt
}

async function authorize(
  deps: LoginDeps,
  hosts: CloudHosts,
  { challenge }: Pkce,
): Promise<Result<Authorization, LoginFailure>> {
  const fields = {
    client_id: hosts.clientId,
    scope: SCOPE,
    code_challenge: challenge,
    code_challenge_method: "S256",
  }
  const url = hosts.authUrl + AUTHORIZATION_PATH
  const answer = await deps.ask({ method: "POST", url, body: { kind: "form", fields } })
  if (!answer.ok) return answer
  const { status, value } = answer.value
  const word = wordOf(fieldOf(value, "error"), OAUTH_WORD)
  if (status >= 400 && status < 500 && word !== undefined) return err({ kind: "login_refused", word })
  const failure = failureOf(answer.value, { path: AUTHORIZATION_PATH, secrets: [] })
  return failure === undefined ? parseAuthorization(value) : err(failure)
}

const OAUTH_WORD = /^[a-z_]{1,64}$/
/** What a user can read and type. */
const USER_CODE = /^[\x21-\x7e](?:[\x20-\x7e]{0,62}[\x21-\x7e])?$/

/** A URI that is not safe to show ends the login: whoever sends one is not whom the user wants to log in to. */
function parseAuthorization(value: unknown): Result<Authorization, LoginFailure> {
  const missing = (field: string) => err({ kind: "nonsense", what: "shape", field } as const)
  const deviceCode = wordOf(fieldOf(value, "device_code"), TOKEN)
  if (deviceCode === undefined) return missing("device_code")
  const userCode = wordOf(fieldOf(value, "user_code"), USER_CODE)
  if (userCode === undefined) return missing("user_code")
  const verificationUri = safeHref(fieldOf(value, "verification_uri"))
  if (verificationUri === undefined) return missing("verification_uri")
  const verificationUriComplete = safeHref(fieldOf(value, "verification_uri_complete"))
  const intervalS = secondsOf(fieldOf(value, "interval"), { usual: INTERVAL_S_USUAL, max: INTERVAL_S_MAX })
  const expiresInS = secondsOf(fieldOf(value, "expires_in"), {
    usual: EXPIRES_IN_S_USUAL,
    max: EXPIRES_IN_S_MAX,
  })
  const complete = verificationUriComplete === undefined ? {} : { verificationUriComplete }
  return ok({ deviceCode, intervalS, prompt: { userCode, verificationUri, ...complete, expiresInS } })
}

async function poll(
  deps: LoginDeps,
  hosts: CloudHosts,
  login: Authorization & { readonly verifier: string; readonly startedMs: number },
): Promise<Result<Tokens, LoginFailure>> {
  const deadlineMs = login.startedMs + login.prompt.expiresInS * 1000
  let intervalS = login.intervalS
  let outages = 0
  for (let polls = 0; polls < POLLS_MAX; polls++) {
    if (deps.clock.nowMs() + intervalS * 1000 > deadlineMs) break
    await deps.sleep(intervalS * 1000)
    const polled = await askOnce(deps, hosts, login)
    switch (polled.kind) {
      case "done":
        return polled.outcome
      case "pending":
        outages = 0
        break
      case "slow_down":
        outages = 0
        intervalS += SLOW_DOWN_S
        break
      case "outage":
        outages += 1
        if (outages >= OUTAGES_MAX) return err(polled.failure)
        break
    }
  }
  return err({ kind: "login_expired" })
}

type Polled =
  | { readonly kind: "done"; readonly outcome: Result<Tokens, LoginFailure> }
  | { readonly kind: "pending" }
  | { readonly kind: "slow_down" }
  | { readonly kind: "outage"; readonly failure: CloudFailure }

async function askOnce(
  deps: LoginDeps,
  hosts: CloudHosts,
  { deviceCode, verifier }: { readonly deviceCode: string; readonly verifier: string },
): Promise<Polled> {
  const fields = {
    client_id: hosts.clientId,
    device_code: deviceCode,
    grant_type: DEVICE_GRANT,
    code_verifier: verifier,
  }
  const answer = await deps.ask({
    method: "POST",
    url: hosts.authUrl + TOKEN_PATH,
    body: { kind: "form", fields },
  })
  const reply = answer.ok
    ? parseTokenReply(answer.value, { nowMs: deps.clock.nowMs(), secrets: [deviceCode, verifier] })
    : answer
  if (reply.ok) return { kind: "done", outcome: reply }
  if (reply.error.kind === "oauth_error") return polledFor(reply.error.word)
  if (isOutage(reply.error)) return { kind: "outage", failure: reply.error }
  return { kind: "done", outcome: err(reply.error) }
}

const TOO_MANY_REQUESTS = 429

function isOutage(failure: CloudFailure): boolean {
  if (failure.kind === "refused") return failure.status === TOO_MANY_REQUESTS
  return failure.kind === "unreachable" || failure.kind === "server_error"
}

function polledFor(word: string): Polled {
  switch (word) {
    case "authorization_pending":
      return { kind: "pending" }
    case "slow_down":
      return { kind: "slow_down" }
    case "access_denied":
      return { kind: "done", outcome: err({ kind: "login_denied" }) }
    case "expired_token":
      return { kind: "done", outcome: err({ kind: "login_expired" }) }
    default:
      return { kind: "done", outcome: err({ kind: "login_refused", word }) }
  }
}
