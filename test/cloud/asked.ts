/**
 * What was asked of the stand-in, as tests look at it afterwards, and how they name it: `GET /proxy/health`.
 */

import { splitTarget } from "../servers/sign.ts"
import type { Arrived } from "./http.ts"

export interface Asked {
  /** Counts what arrives, together with the requests to the storage: who was asked first can be told. */
  readonly order: number
  readonly atMs: number
  readonly method: string
  /** As it came, without the query. */
  readonly path: string
  readonly query: string
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string>>
  /** The whole `Authorization` header. */
  readonly auth: string | undefined
  readonly body: string
  /** What was answered; nothing where it was not, or not yet. */
  readonly status?: number
}

export function askedOf(arrived: Arrived, at: { readonly order: number; readonly atMs: number }): Asked {
  const { path, query } = splitTarget(arrived.target)
  const { method, headers } = arrived
  return {
    ...at,
    method,
    path,
    query,
    headers,
    auth: headers["authorization"],
    body: arrived.body.toString("utf8"),
  }
}

/** `GET /proxy/health` */
export function nameOf({ method, path }: Pick<Asked, "method" | "path">): string {
  return `${method} ${path}`
}

/** The fields of a form; none where the body is not one. */
export function formOf(asked: Asked): ReadonlyMap<string, string> {
  const isForm = /^application\/x-www-form-urlencoded\b/.test(asked.headers["content-type"] ?? "")
  return new Map(isForm ? new URLSearchParams(asked.body) : [])
}

/** The members of a JSON object; nothing where the body is none, or does not say that it is. */
export function membersOf(asked: Asked): Readonly<Record<string, unknown>> | undefined {
  if (!/^application\/json\b/.test(asked.headers["content-type"] ?? "")) return undefined
  try {
    const value: unknown = JSON.parse(asked.body)
    const isObject = typeof value === "object" && value !== null && !Array.isArray(value)
    return isObject ? Object.fromEntries(Object.entries(value)) : undefined
  } catch {
    return undefined
  }
}
