/**
 * Asks a server which of its promises it keeps, by trying: fifteen questions on keys of our own, then a verdict.
 *
 * One request after the other proves little, for broken servers pass that too; what decides are the questions that many
 * requests ask at once. Everything it wrote is removed again, whatever the answers were, and so is what a probe that
 * died left behind.
 */

import type { Random } from "../model/ports.ts"
import { err, ok, type Result } from "../model/result.ts"
import { probeDelete, probeListing, probePresigned, probePuts } from "./probe-conditions.ts"
import { probeKeys } from "./probe-keys.ts"
import { probeCopies, probeUploads } from "./probe-parts.ts"
import { probeRaces } from "./probe-races.ts"
import { inLanes, match, must, type Probing, put, Unanswered } from "./probing.ts"
import type { Failure, ListedObject, ObjectStore } from "../store/store.ts"
import type { Finding, ProbePoint, Tier, Verdict } from "../store/verdict.ts"

export interface ProbeDeps {
  /** Opens the store anew; `form` is how it writes `If-Match`. */
  open(form: Verdict["etagForm"]): Promise<ObjectStore> | ObjectStore
  readonly random: Random
  /** Of writes against a delete. */
  readonly rounds?: number
}

export const PROBE_PREFIX = ".basic-memory/bisync/probe/"
/** Of servers that were seen to lose a write, the one that shows it most rarely does so in one round of twenty. */
const ROUNDS = 200
const REMOVALS_AT_ONCE = 8
const PAGES_MAX = 10
const LEFTOVER_MS = 24 * 60 * 60 * 1000

export async function probe(deps: ProbeDeps): Promise<Result<Verdict, Failure>> {
  const prefix = `${PROBE_PREFIX}${deps.random.hex128()}/`
  const written = new Set<string>()
  const opened: ObjectStore[] = []
  const open = async (form: Verdict["etagForm"]): Promise<Probing> => {
    const store = await deps.open(form)
    opened.push(store)
    return { store, prefix, written, rounds: deps.rounds ?? ROUNDS }
  }
  const quoted = await open("quoted")
  try {
    const bare = (await understandsEtags(quoted)) ? undefined : await open("bare")
    const isBare = bare !== undefined && (await understandsEtags(bare))
    const probing = isBare ? bare : quoted
    return ok(judge(isBare ? "bare" : "quoted", await askAll(probing)))
  } catch (error) {
    if (error instanceof Unanswered) return err(error.failure)
    throw error
  } finally {
    await cleanUp(quoted)
    for (const store of opened) store.close()
  }
}

/** Some servers compare the header with the bare etag, and so refuse every quoted one. */
async function understandsEtags(probing: Probing): Promise<boolean> {
  const { etag } = must(await put(probing, "form", "1"))
  return (await put(probing, "form", "2", match(etag))).ok
}

async function askAll(probing: Probing): Promise<Verdict["findings"]> {
  return {
    ...(await probePuts(probing)),
    ...(await probeListing(probing)),
    ...(await probeDelete(probing)),
    ...(await probePresigned(probing)),
    ...(await probeRaces(probing)),
    ...(await probeUploads(probing)),
    ...(await probeCopies(probing)),
    ...(await probeKeys(probing)),
  }
}

/** Says what follows from the answers. PURE. */
export function judge(
  etagForm: Verdict["etagForm"],
  findings: Readonly<Record<ProbePoint, Finding>>,
): Verdict {
  const holds = (...points: readonly ProbePoint[]) => points.every((point) => findings[point] === "holds")
  return {
    tier: tierOf(holds, findings.late_presigned !== "unsupported"),
    etagForm,
    completes: holds("complete_stale"),
    copies: copiesOf(holds),
    refusesLate: holds("late_presigned"),
    hasFileBesideDirectory: holds("file_beside_directory"),
    findings,
  }
}

type Holds = (...points: readonly ProbePoint[]) => boolean

function tierOf(holds: Holds, isSendable: boolean): Tier {
  if (!holds("list_after_write")) return "D"
  const puts: readonly ProbePoint[] = [
    "create",
    "create_again",
    "match_wrong",
    "match_right",
    "match_missing",
    "race_match",
    "race_create",
  ]
  if (!holds(...puts)) return "C"
  if (holds("delete_wrong", "race_delete")) return "A"
  // A tombstone is removed by a presigned request, or never.
  return isSendable ? "B" : "C"
}

function copiesOf(holds: Holds): Verdict["copies"] {
  if (holds("copy_source", "copy_absent")) return "if_none_match"
  return holds("complete_stale", "copy_parts") ? "by_parts" : "none"
}

/** A delete that fails is no error: the next probe finds what is left. */
async function cleanUp({ store, prefix, written }: Probing): Promise<void> {
  const found = await leftBelow(store, prefix)
  const keys = new Set([...written, ...found])
  await inLanes(REMOVALS_AT_ONCE, [...keys], (key) => store.remove(key, {}))
  const uploads = await store.uploads(prefix)
  if (!uploads.ok) return
  // Some servers take no prefix here, and list everybody's.
  const ours = uploads.value.filter(({ key }) => key.startsWith(prefix))
  await inLanes(REMOVALS_AT_ONCE, ours, (upload) => store.abort(upload))
}

/** What is below our own prefix, and what another probe left a day before anything of ours was written. */
async function leftBelow(store: ObjectStore, prefix: string): Promise<readonly string[]> {
  const found: ListedObject[] = []
  let next: string | undefined
  for (let pages = 0; pages < PAGES_MAX; pages++) {
    const page = await store.list({ prefix: PROBE_PREFIX, ...(next !== undefined && { next }) })
    if (!page.ok) break
    found.push(...page.value.objects)
    next = page.value.next
    if (next === undefined) break
  }
  const isOurs = ({ key }: ListedObject): boolean => key.startsWith(prefix)
  const ourMs = Math.min(...found.filter(isOurs).map(({ lastModifiedMs }) => lastModifiedMs))
  const isLeft = (object: ListedObject): boolean =>
    Number.isFinite(ourMs) && object.lastModifiedMs < ourMs - LEFTOVER_MS
  return found.filter((object) => isOurs(object) || isLeft(object)).map(({ key }) => key)
}
