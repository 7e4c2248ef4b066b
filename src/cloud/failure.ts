/**
 * What goes wrong with the account, as values: how an answer that is no success is understood.
 *
 * Texts of the server are cut, cleaned of what a terminal would act upon, and never repeat what was sent as a secret.
 */

import type { CloudFailure } from "../model/account-failure.ts"
import { fieldOf, textOf } from "./fields.ts"
import { safeHref } from "./safe-url.ts"

export type { CloudFailure, Nonsense } from "../model/account-failure.ts"

/** An answer over HTTP, whatever its status. */
export interface Answer {
  readonly status: number
  /** `undefined` where there was no body, or none that is JSON. */
  readonly value: unknown
}

const MESSAGE = "Active subscription required"

/** `undefined` for a success. */
export function failureOf(
  answer: Answer,
  asked: { readonly path: string; readonly secrets: readonly string[] },
): CloudFailure | undefined {
  const { status, value } = answer
  if (status >= 200 && status < 300) return undefined
  const detail = speakable(fieldOf(value, "detail"), asked.secrets)
  const said = detail === undefined ? {} : { detail }
  if (status >= 500) return { kind: "server_error", status, ...said }
  if (status === 401) return { kind: "not_authenticated" }
  if (status === 404) return { kind: "not_found", ...said }
  if (status !== 403) return { kind: "refused", status, ...said }
  const subscription =
    subscriptionOf(value, asked.secrets) ?? subscriptionOf(fieldOf(value, "detail"), asked.secrets)
  if (subscription !== undefined) return subscription
  const isTenants = asked.path.startsWith("/tenant/") || /\btenant\b/i.test(detail ?? "")
  return { kind: isTenants ? "no_tenant" : "denied", ...said }
}

function subscriptionOf(value: unknown, secrets: readonly string[]): CloudFailure | undefined {
  if (fieldOf(value, "error") !== "subscription_required") return undefined
  const message = speakable(fieldOf(value, "message"), secrets) ?? MESSAGE
  const subscribeUrl = safeHref(fieldOf(value, "subscribe_url"))
  const isHarmless = subscribeUrl !== undefined && speakable(subscribeUrl, secrets) === subscribeUrl
  return { kind: "subscription_required", message, ...(isHarmless && { subscribeUrl }) }
}

const TEXT_LENGTH_MAX = 500
/** Controls, line ends, directions of writing, halves of characters. */
const UNSPEAKABLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Surrogate}]+/gu
/** Shorter ones would black out words. */
const SECRET_LENGTH_MIN = 4

/** A text of the server as one line that may be shown; `undefined` where it is none. */
export function speakable(value: unknown, secrets: readonly string[]): string | undefined {
  const text = textOf(value)
  if (text === undefined) return undefined
  const clean = text.slice(0, 10 * TEXT_LENGTH_MAX).replace(UNSPEAKABLE, " ")
  const silent = secrets
    .filter((secret) => secret.length >= SECRET_LENGTH_MIN)
    .reduce((said, secret) => said.replaceAll(secret, "[secret]"), clean)
  const short = [...silent.trim()].slice(0, TEXT_LENGTH_MAX).join("")
  return short === "" ? undefined : short
}
