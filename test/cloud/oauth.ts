/**
 * Login: OAuth 2.0 device flow (RFC 8628) with PKCE (RFC 7636), and what it hands out. Nobody sits at a browser: the
 * switches say who agrees, and when.
 *
 *   device_authorization ─▶ code, unapproved ─polls─▶ granted: access + refresh ─refresh─▶ access (+ refresh) …
 */

import { createHash, randomBytes, randomInt } from "node:crypto"
import { type Asked, formOf, nameOf } from "./asked.ts"
import { json, type Reply } from "./http.ts"
import type { Switches } from "./switches.ts"

export const CLIENT_ID = "client_01K6KWQPW6J1M8VV7R3TZP5A6M"

const SCOPE = ["email", "offline_access", "openid", "profile"]
const DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
const CHALLENGE = /^[A-Za-z0-9_-]{43}$/

export interface OAuth {
  /** Nothing where something else is asked. */
  answer(asked: Asked): Reply | undefined
  /** Whose access token it is, if it is one that still holds. */
  userOf(auth: string | undefined): string | undefined
  /** From now on no access token is accepted that was given so far, whatever was said of its life. */
  expireAccess(): void
  /** All that was handed out and is nobody else's business. */
  secrets(): readonly string[]
}

interface Deps {
  readonly clientId: string
  readonly nowMs: () => number
  readonly switches: () => Switches
}

interface Code {
  readonly challenge: string
  readonly expiresAtMs: number
  readonly polls: number
  readonly isEnded: boolean
}

/** What was handed out. Spent ones stay, as spent. */
interface Memory {
  readonly codes: Map<string, Code>
  readonly access: Map<string, { readonly user: string; readonly expiresAtMs: number }>
  readonly refresh: Map<string, { readonly user: string; readonly isSpent: boolean }>
}

export function newOAuth(deps: Deps): OAuth {
  const memory: Memory = { codes: new Map(), access: new Map(), refresh: new Map() }
  return {
    answer(asked) {
      switch (nameOf(asked)) {
        case "POST /oauth2/device_authorization":
          return authorise(deps, memory, asked)
        case "POST /oauth2/token":
          return token(deps, memory, formOf(asked))
        default:
          return undefined
      }
    },
    userOf(auth) {
      const [, bearer = ""] = /^Bearer (\S+)$/.exec(auth ?? "") ?? []
      const access = memory.access.get(bearer)
      return access !== undefined && deps.nowMs() < access.expiresAtMs ? access.user : undefined
    },
    expireAccess() {
      for (const [token, access] of memory.access) memory.access.set(token, { ...access, expiresAtMs: 0 })
    },
    secrets: () => [...memory.codes.keys(), ...memory.access.keys(), ...memory.refresh.keys()],
  }
}

type Form = ReadonlyMap<string, string>

function authorise(deps: Deps, memory: Memory, asked: Asked): Reply {
  const form = formOf(asked)
  if (form.get("client_id") !== deps.clientId) return refused("invalid_client")
  const challenge = form.get("code_challenge") ?? ""
  if (form.get("code_challenge_method") !== "S256" || !CHALLENGE.test(challenge))
    return refused("invalid_request")
  const scope = (form.get("scope") ?? "").split(" ").toSorted()
  if (scope.join(" ") !== SCOPE.join(" ")) return refused("invalid_scope")
  const switches = deps.switches()
  const deviceCode = secret("device")
  const expiresAtMs = deps.nowMs() + switches.codeLifetimeSeconds * 1000
  memory.codes.set(deviceCode, { challenge, expiresAtMs, polls: 0, isEnded: false })
  const userCode = newUserCode()
  const page = `http://${asked.headers["host"]}/activate`
  const { verificationUri } = switches
  const ownComplete = verificationUri === undefined ? `${page}?user_code=${userCode}` : undefined
  const complete = switches.verificationUriComplete ?? ownComplete
  return json(200, {
    device_code: deviceCode,
    user_code: userCode,
    verification_uri: verificationUri ?? page,
    ...(complete !== undefined && { verification_uri_complete: complete }),
    ...(switches.intervalSeconds !== undefined && { interval: switches.intervalSeconds }),
    expires_in: switches.codeLifetimeSeconds,
  })
}

function token(deps: Deps, memory: Memory, form: Form): Reply {
  if (form.get("client_id") !== deps.clientId) return refused("invalid_client")
  switch (form.get("grant_type")) {
    case DEVICE_GRANT:
      return poll(deps, memory, form)
    case "refresh_token":
      return refresh(deps, memory, form.get("refresh_token") ?? "")
    case undefined:
      return refused("invalid_request")
    default:
      return refused("unsupported_grant_type")
  }
}

function poll(deps: Deps, memory: Memory, form: Form): Reply {
  const deviceCode = form.get("device_code") ?? ""
  const code = memory.codes.get(deviceCode)
  if (code === undefined || code.isEnded) return refused("invalid_grant")
  if (deps.nowMs() >= code.expiresAtMs) return refused("expired_token")
  const switches = deps.switches()
  const told = switches.polls[code.polls]
  const isEnded = told === "access_denied" || told === "expired_token"
  memory.codes.set(deviceCode, { ...code, polls: code.polls + 1, isEnded })
  if (told !== undefined) return refused(told)
  if (!switches.isApproved) return refused("authorization_pending")
  memory.codes.set(deviceCode, { ...code, isEnded: true })
  // One guess: whoever holds the code without the verifier must not find it out by trying.
  const verifier = form.get("code_verifier") ?? ""
  if (createHash("sha256").update(verifier).digest("base64url") !== code.challenge)
    return refused("invalid_grant")
  return grant(deps, memory, { user: switches.user, hasRefresh: true })
}

function refresh(deps: Deps, memory: Memory, old: string): Reply {
  const known = memory.refresh.get(old)
  const { refresh: way } = deps.switches()
  if (known === undefined || known.isSpent || way === "refuses") return refused("invalid_grant")
  if (way === "rotates") memory.refresh.set(old, { ...known, isSpent: true })
  return grant(deps, memory, { user: known.user, hasRefresh: way === "rotates" })
}

function grant(
  deps: Deps,
  memory: Memory,
  { user, hasRefresh }: { readonly user: string; readonly hasRefresh: boolean },
): Reply {
  const { accessLifetimeSeconds } = deps.switches()
  const access = secret("access")
  memory.access.set(access, { user, expiresAtMs: deps.nowMs() + accessLifetimeSeconds * 1000 })
  const refresh = secret("refresh")
  if (hasRefresh) memory.refresh.set(refresh, { user, isSpent: false })
  const reply = { access_token: access, token_type: "Bearer", expires_in: accessLifetimeSeconds }
  return json(
    200,
    { ...reply, ...(hasRefresh && { refresh_token: refresh }) },
    { "cache-control": "no-store" },
  )
}

function refused(error: string): Reply {
  return json(400, { error, error_description: `refused: ${error}` })
}

/** Said so that a leak is seen in any output, and never the same in two stand-ins. */
function secret(kind: string): string {
  return `${kind}-${randomBytes(24).toString("base64url")}`
}

function newUserCode(): string {
  const letters = Array.from({ length: 8 }, () => "BCDFGHJKLMNPQRSTVWXZ"[randomInt(20)])
  return `${letters.slice(0, 4).join("")}-${letters.slice(4).join("")}`
}
