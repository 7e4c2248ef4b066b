/**
 * Another host, to which a redirect may lead: it does nothing but remember what it was told. Whatever it hears of a token
 * is a leak.
 */

import { type Asked, askedOf } from "./asked.ts"
import { json, listen, type Listening, send } from "./http.ts"

export interface Elsewhere extends Listening {
  /** Another name than the stand-in's, and another port: no client can take it for the same host. */
  readonly url: string
  readonly requests: readonly Asked[]
}

export async function startElsewhere(
  at: () => {
    readonly order: number
    readonly atMs: number
  },
): Promise<Elsewhere> {
  const requests: Asked[] = []
  const listening = await listen((arrived, response) => {
    requests.push({ ...askedOf(arrived, at()), status: 200 })
    send(response, json(200, {}))
  })
  return { ...listening, url: `http://localhost:${listening.port}`, requests }
}
