/**
 * Lets a trouble befall a request: picks it, counts how often it did, and answers in its way. What the right answer would
 * be is the service's own matter.
 */

import { once } from "node:events"
import type { ServerResponse } from "node:http"
import type { Asked } from "./asked.ts"
import { json, type Reply, send } from "./http.ts"
import type { Trouble } from "./switches.ts"

const PAGE = "<!DOCTYPE html><html><head><title>Welcome</title></head><body>Please sign in.</body></html>"

export interface Troubles {
  /** The first of them that matches and is not used up; it is used once by this. */
  pick(troubles: readonly Trouble[], asked: Asked): Trouble | undefined
}

export function newTroubles(): Troubles {
  const used = new Map<Trouble, number>()
  return {
    pick(troubles, asked) {
      const trouble = troubles.find(
        (each) =>
          (used.get(each) ?? 0) < (each.times ?? Number.POSITIVE_INFINITY) && (each.match?.(asked) ?? true),
      )
      if (trouble !== undefined) used.set(trouble, (used.get(trouble) ?? 0) + 1)
      return trouble
    },
  }
}

/** Answers the status that the client has got; nothing where it got none. `right` does what was asked. */
export async function befall(
  trouble: Trouble,
  call: { readonly asked: Asked; readonly response: ServerResponse; readonly right: () => Reply },
): Promise<number | undefined> {
  const { asked, response, right } = call
  switch (trouble.act) {
    case "hang":
      // Until the client gives up, or the stand-in is closed.
      if (!response.closed) await once(response, "close")
      return undefined
    case "hang_in_body": {
      const { status, headers, body } = right()
      response.writeHead(status, { ...headers, "content-length": Buffer.byteLength(body) })
      response.write(body.slice(0, body.length / 2))
      if (!response.closed) await once(response, "close")
      return status
    }
    case "refuse":
      response.destroy()
      return undefined
    case "lose_response":
      right()
      response.destroy()
      return undefined
    case "answer":
      return sent(response, json(trouble.status, trouble.json))
    case "html":
      return sent(response, {
        status: trouble.status ?? 200,
        headers: { "content-type": "text/html; charset=utf-8" },
        body: PAGE,
      })
    case "redirect": {
      const query = asked.query === "" ? "" : `?${asked.query}`
      const location = `${trouble.to}${asked.path}${query}`
      return sent(response, { status: trouble.status ?? 307, headers: { location }, body: "" })
    }
  }
}

function sent(response: ServerResponse, reply: Reply): number {
  send(response, reply)
  return reply.status
}
