/**
 * Says which places of a side could not be synced, also where nothing is known of them: a file that cannot be read, a
 * name that is refused. What a user chose (ignored, links) is not worth a notice.
 */

import type { Notice } from "../model/action.ts"
import { isOrdinary, type Unknown } from "../model/entry.ts"
import { joinPath } from "../model/path.ts"
import { type Side, SIDES } from "../model/side.ts"

/** All notices of a plan; a place that reconciliation spoke about already is not named twice. */
export function withUnknowns(
  notices: readonly Notice[],
  unknowns: { readonly [S in Side]: readonly Unknown[] },
): readonly Notice[] {
  const named = new Set(notices.map(({ side, path }) => `${side} ${path}`))
  const added = SIDES.flatMap((side) =>
    unknowns[side].flatMap((unknown): readonly Notice[] => {
      if (isOrdinary(unknown.reason)) return []
      const path = placeOf(unknown)
      return named.has(`${side} ${path}`)
        ? []
        : [{ kind: kindOf(unknown), path, side, detail: unknown.reason }]
    }),
  )
  return [...notices, ...added]
}

/** A name that is not UTF-8 is shown as the picture that everybody else makes of it. */
function placeOf({ path, nameBase64 }: Unknown): string {
  return nameBase64 === undefined ? path : joinPath(path, Buffer.from(nameBase64, "base64").toString())
}

function kindOf({ reason }: Unknown): Notice["kind"] {
  return reason === "reserved" || reason === "illegal_name" || reason === "too_long" ? "refused" : "unknown"
}
