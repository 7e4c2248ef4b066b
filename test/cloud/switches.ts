/**
 * What tests tell the stand-in to do otherwise than usual. All of it can be changed at any moment and applies to the next
 * request.
 */

import type { Asked } from "./asked.ts"
import { nameOf } from "./asked.ts"

export interface Switches {
  /** What each device code is answered, poll by poll, before anybody has agreed. The last two kinds end the code. */
  readonly polls: readonly ("authorization_pending" | "slow_down" | "access_denied" | "expired_token")[]
  /** While nobody agrees, `authorization_pending` goes on after `polls`. */
  readonly isApproved: boolean
  /** Who agrees in the browser. */
  readonly user: string
  /** The reply says none where absent: then it is 5. Whoever polls sooner is answered all the same; `atMs` shows it. */
  readonly intervalSeconds: number | undefined
  readonly codeLifetimeSeconds: number
  /** Instead of the stand-in's own page; then a complete one is given only if it is here too. */
  readonly verificationUri: string | undefined
  readonly verificationUriComplete: string | undefined
  readonly accessLifetimeSeconds: number
  /** A refresh token is replaced and used up; or stays, and the reply has none; or is not accepted. */
  readonly refresh: "rotates" | "keeps" | "refuses"
  readonly isSubscribed: boolean
  /** `{"detail": {"error", …}}`, or the object itself. */
  readonly subscriptionError: "nested" | "flat"
  readonly hasTenant: boolean
  /** The first that matches befalls the request. */
  readonly troubles: readonly Trouble[]
}

export type Trouble = {
  /** Every request where absent. */
  readonly match?: (asked: Asked) => boolean
  /** How many requests it befalls; all where absent. */
  readonly times?: number
} & (
  | {
      readonly act: /** The request is taken and never answered. */
        | "hang"
        /** It is done; half of the answer comes, and then nothing. */
        | "hang_in_body"
        /** The connection breaks; nothing is done. */
        | "refuse"
        /** It is done, and the connection breaks instead of an answer. */
        | "lose_response"
    }
  /** Anything else instead of the answer: 5xx, or JSON that is not what was promised. Nothing is done. */
  | { readonly act: "answer"; readonly status: number; readonly json: unknown }
  /** A page, as of a captive portal, with 200 where no status is told. Nothing is done. */
  | { readonly act: "html"; readonly status?: number }
  /** To the same path below that URL; 307, which keeps method and body, where no status is told. Nothing is done. */
  | { readonly act: "redirect"; readonly to: string; readonly status?: 301 | 302 | 303 | 307 | 308 }
)

export function usualSwitches(user: string): Switches {
  return {
    polls: ["authorization_pending"],
    isApproved: true,
    user,
    intervalSeconds: 1,
    codeLifetimeSeconds: 300,
    verificationUri: undefined,
    verificationUriComplete: undefined,
    accessLifetimeSeconds: 3600,
    refresh: "rotates",
    isSubscribed: true,
    subscriptionError: "nested",
    hasTenant: true,
    troubles: [],
  }
}

/** `GET /proxy/health`, for `match`. */
export function on(name: string): (asked: Asked) => boolean {
  return (asked) => nameOf(asked) === name
}
