/**
 * What the token endpoint answers, to a login as to a refresh: tokens, or a word for why not.
 */

import { err, ok, type Result } from "../model/result.ts"
import { type Answer, type CloudFailure, failureOf } from "./failure.ts"
import { fieldOf, secondsOf, wordOf } from "./fields.ts"
import { TOKEN, type Tokens } from "./token-file.ts"

export const TOKEN_PATH = "/oauth2/token"

/** `expires_in` where a reply does not say it, and the most that is believed of it. */
const LIFETIME_S_USUAL = 3600
const LIFETIME_S_MAX = 10 * 365 * 24 * 3600
const OAUTH_WORD = /^[a-z_]{1,64}$/

export interface TokenRefusal {
  readonly kind: "oauth_error"
  /** Such as `invalid_grant`. */
  readonly word: string
}

/** `keeps`: the refresh token that goes on where the reply has no new one. */
export function parseTokenReply(
  answer: Answer,
  given: { readonly nowMs: number; readonly secrets: readonly string[]; readonly keeps?: string },
): Result<Tokens, CloudFailure | TokenRefusal> {
  const { status, value } = answer
  const word = wordOf(fieldOf(value, "error"), OAUTH_WORD)
  if (status >= 400 && status < 500 && word !== undefined) return err({ kind: "oauth_error", word })
  const failure = failureOf(answer, { path: TOKEN_PATH, secrets: given.secrets })
  if (failure !== undefined) return err(failure)
  const accessToken = wordOf(fieldOf(value, "access_token"), TOKEN)
  if (accessToken === undefined) return err({ kind: "nonsense", what: "shape", field: "access_token" })
  // A token of another kind would be sent in a way that does not prove anything.
  const type = fieldOf(value, "token_type") ?? "Bearer"
  if (wordOf(type, /^bearer$/i) === undefined)
    return err({ kind: "nonsense", what: "shape", field: "token_type" })
  const refreshToken = wordOf(fieldOf(value, "refresh_token"), TOKEN) ?? given.keeps
  const lifetimeS = secondsOf(fieldOf(value, "expires_in"), { usual: LIFETIME_S_USUAL, max: LIFETIME_S_MAX })
  return ok({
    accessToken,
    ...(refreshToken !== undefined && { refreshToken }),
    expiresAtS: Math.floor(given.nowMs / 1000 + lifetimeS),
  })
}
