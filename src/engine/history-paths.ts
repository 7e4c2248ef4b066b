/** Finds what happened to the paths that a pattern names, by the index of paths. */

import type { RunId, Sequence } from "../model/ids.ts"
import type { RelativePath } from "../model/path.ts"
import { pathPrefix, prefixRange } from "../fold/indexes.ts"
import type { RunEnds } from "./history-ends.ts"
import { describeAgreed, describeDone, type HistoryEvent } from "./history-event.ts"
import type { Span } from "./history-open.ts"
import { type Ledger, sequenceIn } from "./ledger.ts"
import { pathPattern } from "./path-pattern.ts"

export interface PathEvent {
  readonly run: RunId
  readonly describe: (ends: RunEnds) => Promise<HistoryEvent>
}

/** Changes and agreements, newest first. A change of two matching names, such as a rename, is one. */
export async function* eventsOnPaths(ledger: Ledger, text: string, span: Span): AsyncGenerator<PathEvent> {
  const pathsBySequence = await sequencesOn(ledger, text, span)
  for (const [sequence, paths] of [...pathsBySequence].sort(([a], [b]) => b - a)) {
    const event = await ledger.journal.get(sequence)
    if (event?.run === undefined) continue
    const { run } = event
    if (event.type === "done") yield { run, describe: (ends) => describeDone(ledger, event, ends) }
    if (event.type !== "agreed") continue
    for (const path of paths) yield { run, describe: async () => describeAgreed(event, path) }
  }
}

async function sequencesOn(
  ledger: Ledger,
  text: string,
  { from, to }: Span,
): Promise<ReadonlyMap<Sequence, readonly RelativePath[]>> {
  const pattern = pathPattern(text)
  const found = new Map<Sequence, RelativePath[]>()
  const start = pathPrefix("").slice(0, -1)
  for await (const rows of ledger.journal.store.range(prefixRange(start + pattern.prefix))) {
    for (const [key] of rows) {
      const sequence = sequenceIn(key)
      const path = key.slice(start.length, key.indexOf("\0")) as RelativePath
      if (sequence < from || sequence > to || !pattern.matches(path)) continue
      const paths = found.get(sequence)
      if (paths === undefined) found.set(sequence, [path])
      else paths.push(path)
    }
  }
  return found
}
