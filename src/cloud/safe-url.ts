/**
 * URLs that may be shown, opened, or be sent secrets: `https:`, or `http:` on this machine. Pure.
 *
 * What is handed on is the normal form, which is ASCII without spaces or control characters; a text that had any is
 * no URL here, for a parser would drop them without a word. Nothing stands before the host that could pose as it.
 */

import { isLoopback } from "../model/loopback.ts"

export function parseSafeUrl(text: unknown): URL | undefined {
  if (typeof text !== "string" || text.length > URL_LENGTH_MAX || UNSPEAKABLE.test(text)) return undefined
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined || url.username !== "" || url.password !== "") return undefined
  if (url.protocol === "https:") return url
  return url.protocol === "http:" && isLoopback(url.hostname) ? url : undefined
}

/** In its normal form; `undefined` where it is not safe to show. */
export function safeHref(text: unknown): string | undefined {
  return parseSafeUrl(text)?.href
}

const URL_LENGTH_MAX = 2048
/** Spaces, controls, what a terminal would act upon, and halves of characters. */
const UNSPEAKABLE = /[\s\p{Cc}\p{Cf}\p{Surrogate}]/u
