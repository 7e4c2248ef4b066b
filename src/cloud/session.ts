/**
 * Asks the account's API as the user who is logged in: with a token that holds, refreshed in time or after a 401.
 *
 * Other processes of the user share the token file. It is read again before a refresh, for one of them may have done
 * it, and after it, for then a newer token must not be lost and a logout not be undone.
 */

import type { Clock } from "../model/ports.ts"
import { err, ok, type Result } from "../model/result.ts"
import { type Answer, type CloudFailure, failureOf } from "./failure.ts"
import type { CloudHosts } from "./hosts.ts"
import type { Ask, CloudRequest } from "./http.ts"
import type { Tokens } from "./token-file.ts"
import { parseTokenReply, TOKEN_PATH, type TokenRefusal } from "./token-reply.ts"
import type { TokenStore } from "./token-store.ts"

export interface SessionDeps {
  readonly ask: Ask
  readonly clock: Clock
  readonly tokens: TokenStore
}

export interface ApiRequest {
  readonly method: CloudRequest["method"]
  /** Below the API's URL, with its first slash. */
  readonly path: string
  readonly json?: unknown
}

export interface CloudSession {
  /** The JSON of a success; a 401 is answered by one refresh and asking once more. */
  ask(request: ApiRequest): Promise<Result<unknown, CloudFailure>>
}

/** A token with less left is refreshed before it is used. */
const LEFT_S_MIN = 60
const NOT_AUTHENTICATED: CloudFailure = { kind: "not_authenticated" }

export function openSession(deps: SessionDeps, hosts: CloudHosts): CloudSession {
  let refreshing: Promise<Result<string, CloudFailure>> | undefined
  /** `refused`: a token that the service did not take. Whoever asks while a refresh is going on gets its outcome. */
  const accessToken = async (refused?: string): Promise<Result<string, CloudFailure>> => {
    const read = deps.tokens.read()
    if (!read.ok) return read
    if (read.value === undefined) return err(NOT_AUTHENTICATED)
    if (isFresh(deps, read.value, refused)) return ok(read.value.accessToken)
    refreshing ??= deps.tokens
      .locked(() => refresh(deps, hosts, refused))
      .finally(() => {
        refreshing = undefined
      })
    return refreshing
  }
  return {
    async ask(request) {
      const first = await accessToken()
      if (!first.ok) return first
      const answer = await send(deps, hosts, { request, bearer: first.value })
      if (!answer.ok || answer.value.status !== 401) return understood(answer, request, first.value)
      const second = await accessToken(first.value)
      if (!second.ok) return second
      return understood(await send(deps, hosts, { request, bearer: second.value }), request, second.value)
    },
  }
}

function send(
  deps: SessionDeps,
  hosts: CloudHosts,
  { request, bearer }: { readonly request: ApiRequest; readonly bearer: string },
): Promise<Result<Answer, CloudFailure>> {
  const { method, path, json } = request
  const body = json === undefined ? undefined : ({ kind: "json", value: json } as const)
  return deps.ask({ method, url: hosts.apiUrl + path, bearer, ...(body !== undefined && { body }) })
}

function understood(
  answer: Result<Answer, CloudFailure>,
  { path }: ApiRequest,
  bearer: string,
): Result<unknown, CloudFailure> {
  if (!answer.ok) return answer
  const failure = failureOf(answer.value, { path, secrets: [bearer] })
  return failure === undefined ? ok(answer.value.value) : err(failure)
}

/** Under the lock. */
async function refresh(
  deps: SessionDeps,
  hosts: CloudHosts,
  refused: string | undefined,
): Promise<Result<string, CloudFailure>> {
  const before = deps.tokens.read()
  if (!before.ok) return before
  if (before.value === undefined) return err(NOT_AUTHENTICATED)
  // Somebody did it while we waited.
  if (isFresh(deps, before.value, refused)) return ok(before.value.accessToken)
  const got = await askForTokens(deps, hosts, before.value)
  return settle(deps, { before: before.value, got, refused })
}

async function askForTokens(
  deps: SessionDeps,
  hosts: CloudHosts,
  { accessToken, refreshToken }: Tokens,
): Promise<Result<Tokens, CloudFailure | TokenRefusal>> {
  if (refreshToken === undefined) return err(NOT_AUTHENTICATED)
  const fields = { grant_type: "refresh_token", refresh_token: refreshToken, client_id: hosts.clientId }
  const url = hosts.authUrl + TOKEN_PATH
  const answer = await deps.ask({ method: "POST", url, body: { kind: "form", fields } })
  if (!answer.ok) return answer
  const secrets = [accessToken, refreshToken]
  return parseTokenReply(answer.value, { nowMs: deps.clock.nowMs(), secrets, keeps: refreshToken })
}

/** What was got for a refresh token, and what the file says by now: who logged out meanwhile is logged out. */
function settle(
  deps: SessionDeps,
  outcome: {
    readonly before: Tokens
    readonly got: Result<Tokens, CloudFailure | TokenRefusal>
    readonly refused: string | undefined
  },
): Result<string, CloudFailure> {
  const { before, got, refused } = outcome
  const after = deps.tokens.read()
  if (!after.ok) return after
  if (after.value === undefined) return err(NOT_AUTHENTICATED)
  const isTheirs = after.value.accessToken !== before.accessToken
  if (got.ok) {
    if (isTheirs && after.value.expiresAtS >= got.value.expiresAtS) return ok(after.value.accessToken)
    const written = deps.tokens.write(got.value)
    return written.ok ? ok(got.value.accessToken) : written
  }
  if (isTheirs && isFresh(deps, after.value, refused)) return ok(after.value.accessToken)
  // The last minute of a token is as good as any other.
  const stillHolds = before.expiresAtS * 1000 > deps.clock.nowMs() && before.accessToken !== refused
  if (stillHolds) return ok(before.accessToken)
  return err(got.error.kind === "oauth_error" ? NOT_AUTHENTICATED : got.error)
}

function isFresh({ clock }: SessionDeps, tokens: Tokens, refused: string | undefined): boolean {
  const leftS = tokens.expiresAtS - clock.nowMs() / 1000
  return leftS >= LEFT_S_MIN && tokens.accessToken !== refused
}
