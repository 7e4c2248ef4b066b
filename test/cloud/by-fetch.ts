/**
 * The least client of the stand-in: plain fetch, each request spelled out. For tests of the stand-in itself, where no
 * other client's habits may stand between.
 */

import { createHash, randomBytes } from "node:crypto"
import { expect } from "vitest"
import { type Cloud, startCloud } from "./service.ts"
import { CLIENT_ID } from "./oauth.ts"

export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  /** Of a JSON object; empty where it is none. */
  readonly json: Readonly<Record<string, unknown>>
}

export interface Tokens {
  readonly access: string
  /** Empty where none was given. */
  readonly refresh: string
}

/** For stand-ins whose storage nobody reaches. */
export const NO_STORAGE = {
  endpoint: "http://127.0.0.1:1",
  accessKey: "nobody",
  secretKey: "secret-of-nobody",
  region: "auto",
  bucket: "notes",
}

export const startBare = (options: Omit<Parameters<typeof startCloud>[0], "storage"> = {}) =>
  startCloud({ storage: NO_STORAGE, ...options })

/** `call(cloud, "GET /proxy/health", { token })` */
export async function call(
  { url }: Pick<Cloud, "url">,
  name: string,
  request: { readonly token?: string; readonly json?: unknown; readonly signal?: AbortSignal } = {},
): Promise<Answer> {
  const [method = "", path = ""] = name.split(" ")
  return answerOf(
    await fetch(url + path, {
      method,
      redirect: "manual",
      headers: {
        ...(request.token !== undefined && { authorization: `Bearer ${request.token}` }),
        ...(request.json !== undefined && { "content-type": "application/json" }),
      },
      ...(request.json !== undefined && { body: JSON.stringify(request.json) }),
      ...(request.signal !== undefined && { signal: request.signal }),
    }),
  )
}

export async function post(
  { url }: Pick<Cloud, "url">,
  path: string,
  form: Readonly<Record<string, string>>,
): Promise<Answer> {
  return answerOf(await fetch(url + path, { method: "POST", body: new URLSearchParams(form) }))
}

export function newPkce(): { readonly verifier: string; readonly challenge: string } {
  const verifier = randomBytes(32).toString("base64url")
  return { verifier, challenge: createHash("sha256").update(verifier).digest("base64url") }
}

export const authorisation = (challenge: string) => ({
  client_id: CLIENT_ID,
  scope: "openid profile email offline_access",
  code_challenge: challenge,
  code_challenge_method: "S256",
})

/** Asks for a code; answers what polls with it. */
export async function newCode(cloud: Cloud): Promise<{
  readonly reply: Answer
  readonly poll: (changed?: Readonly<Record<string, string>>) => Promise<Answer>
}> {
  const { verifier, challenge } = newPkce()
  const reply = await post(cloud, "/oauth2/device_authorization", authorisation(challenge))
  const form = {
    client_id: CLIENT_ID,
    grant_type: "urn:ietf:params:oauth:grant-type:device_code",
    device_code: String(reply.json["device_code"]),
    code_verifier: verifier,
  }
  return { reply, poll: (changed = {}) => post(cloud, "/oauth2/token", { ...form, ...changed }) }
}

/** With as many polls as it takes, and no waiting in between. */
export async function logIn(cloud: Cloud, pollsMax = 5): Promise<Tokens> {
  const { poll } = await newCode(cloud)
  for (let polls = 1; polls < pollsMax; polls++) {
    const answer = await poll()
    if (answer.status === 200) return tokensOf(answer)
  }
  return tokensOf(await poll())
}

export function refresh(cloud: Cloud, token: string): Promise<Answer> {
  return post(cloud, "/oauth2/token", {
    client_id: CLIENT_ID,
    grant_type: "refresh_token",
    refresh_token: token,
  })
}

export function tokensOf({ status, text, json }: Answer): Tokens {
  expect(status, text).toBe(200)
  return { access: String(json["access_token"]), refresh: String(json["refresh_token"] ?? "") }
}

async function answerOf(response: Response): Promise<Answer> {
  const text = await response.text()
  const isJson = response.headers.get("content-type") === "application/json"
  const value: unknown = isJson ? JSON.parse(text) : {}
  const isObject = typeof value === "object" && value !== null && !Array.isArray(value)
  return {
    status: response.status,
    headers: response.headers,
    text,
    json: isObject ? Object.fromEntries(Object.entries(value)) : {},
  }
}
