/**
 * Compares the journal with git: every commit that an event names must be there, and every commit of ours must be of a
 * run that the journal knows. The branch is a second witness, written before the event that names it.
 */

import type { GitOid, RunId, Sequence } from "../model/ids.ts"
import type { HistoryStore } from "../model/ports.ts"
import type { VerifyCheckOf } from "./verify.ts"
import type { Read } from "./verify-reading.ts"

export interface Anchors {
  readonly check: VerifyCheckOf<"anchors">
  /** The last event that a commit vouches for. */
  readonly anchoredTo: Sequence
}

const LISTED_MAX = 20

export async function checkAnchors(history: HistoryStore, { commits, runs }: Read): Promise<Anchors> {
  const head = await history.head()
  if (!head.ok)
    return {
      check: { name: "anchors", finding: "unreadable", why: head.error.detail ?? head.error.code },
      anchoredTo: 0,
    }
  const walked = await walk(history, head.value, new Set(commits.keys()))
  const missing: GitOid[] = []
  for (const oid of walked.unmet) if (!(await history.read(oid)).ok) missing.push(oid)
  const unknown = [...walked.runs].filter((run) => !runs.has(run))
  const anchoredTo = Math.max(
    0,
    ...[...commits].filter(([oid]) => !missing.includes(oid)).map(([, upTo]) => upTo),
  )
  if (missing.length > 0)
    return {
      check: { name: "anchors", finding: "missing", commits: missing.slice(0, LISTED_MAX) },
      anchoredTo,
    }
  if (unknown.length > 0)
    return {
      check: { name: "anchors", finding: "tail_missing", runs: unknown.slice(0, LISTED_MAX) },
      anchoredTo,
    }
  return { check: { name: "anchors" }, anchoredTo }
}

interface Walked {
  /** Named commits that the branch does not lead to; a user may have rewritten it, and they may be there still. */
  readonly unmet: ReadonlySet<GitOid>
  readonly runs: ReadonlySet<RunId>
}

/** From the newest commit back, until every one that is looked for was met. */
async function walk(
  history: HistoryStore,
  head: GitOid | undefined,
  wanted: ReadonlySet<GitOid>,
): Promise<Walked> {
  const unmet = new Set(wanted)
  const seen = new Set<GitOid>()
  const runs = new Set<RunId>()
  const queue = head === undefined ? [] : [head]
  for (let oid = queue.shift(); oid !== undefined; oid = queue.shift()) {
    if (seen.has(oid)) continue
    seen.add(oid)
    const body = await history.read(oid)
    if (!body.ok) continue
    unmet.delete(oid)
    const commit = parseCommit(body.value)
    if (commit.run !== undefined) runs.add(commit.run)
    if (unmet.size > 0) queue.push(...commit.parents)
  }
  return { unmet, runs }
}

/** `<kind> <run>` and `keep <run>: …` are the messages that runs write. */
const OUR_MESSAGE = /^(?:bisync|resync|undo|redo|resolve|keep) (r[0-9a-z]{4,})(?::|$)/
const OUR_NAME = /^committer bm <bm@localhost> /m

function parseCommit(body: Uint8Array): { readonly parents: readonly GitOid[]; readonly run?: RunId } {
  const text = Buffer.from(body).toString("latin1")
  const end = text.indexOf("\n\n")
  const header = text.slice(0, end)
  const parents = [...header.matchAll(/^parent ([0-9a-f]{40})$/gm)].map(([, oid = ""]) => oid as GitOid)
  const [message = ""] = text.slice(end + 2).split("\n", 1)
  const run = OUR_NAME.test(header) ? OUR_MESSAGE.exec(message)?.[1] : undefined
  return { parents, ...(run !== undefined && { run: run as RunId }) }
}
