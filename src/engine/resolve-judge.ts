/**
 * Judges how a conflict is resolved: what its path shall hold, and which copies go. It only reads.
 *
 * What lies there now counts, not what was decided on: a copy that was edited is that version now, and a file that was
 * changed since a decision keeps its change, merged or not at all.
 */

import type { ResolveProblem } from "../model/errors.ts"
import type { ContentHash } from "../model/ids.ts"
import type { RelativePath } from "../model/path.ts"
import { err, ok, type Result } from "../model/result.ts"
import { otherSide, SIDES, type Side } from "../model/side.ts"
import { mergeText } from "../history/merge.ts"
import type { Goal } from "../plan/undo-action.ts"
import { namesOver } from "../reconcile/names.ts"
import { keptBytes, placesOf } from "./conflict-contents.ts"
import type { ConflictRecord } from "./conflicts-query.ts"
import { type Content, inline, isHidden, type ResolveJudging, sightAt } from "./resolve-sight.ts"

export type Keep = "local" | "remote" | "winner" | "loser" | "both" | "merged"

export type Choice =
  | { readonly kind: "keep"; readonly keep: Keep }
  /** Content that the user made; `from` are the versions it was made of, where that is known. */
  | {
      readonly kind: "use"
      readonly bytes: Uint8Array
      readonly from?: { readonly [S in Side]?: ContentHash }
    }

export interface Resolving {
  readonly record: ConflictRecord
  readonly goals: readonly Goal[]
  /** Copies that go. */
  readonly removed: readonly RelativePath[]
  /** What the path holds in the end, where that is said. */
  readonly hash?: ContentHash
  /** The losing version, put beside the winner. */
  readonly copy?: RelativePath
  /** Front matter keys that were merged as lists. */
  readonly mergedKeys?: readonly string[]
}

type Judged<T> = Result<T, ResolveProblem>

export async function judgeResolve(
  judging: ResolveJudging,
  record: ConflictRecord,
  choice: Choice,
): Promise<Judged<Resolving>> {
  const { id: conflict, path, state, decision } = record
  const because = (why: PlainWhy) => err({ conflict, path, why })
  if (state === "undone") return because("undone")
  const places = Object.values(placesOf(record)).filter((place) => place !== undefined)
  if ([path, ...places].some((each) => isHidden(judging, each))) return because("unknown")
  if (decision.copies !== undefined) return judgeOpen(judging, record, choice)
  return judgeDecided(judging, record, choice)
}

type PlainWhy = Exclude<ResolveProblem["why"], "overlap" | "copy_gone" | "copy_torn">

async function judgeOpen(
  judging: ResolveJudging,
  record: ConflictRecord,
  choice: Choice,
): Promise<Judged<Resolving>> {
  const { id: conflict, path } = record
  if (choice.kind === "keep" && choice.keep === "both") return ok({ record, goals: [], removed: [] })
  if (choice.kind === "keep" && (choice.keep === "winner" || choice.keep === "loser"))
    return err({ conflict, path, why: "has_no_winner" })
  const places = placesOf(record)
  if (places.local === undefined || places.remote === undefined)
    return err({ conflict, path, why: "name_is_folder" })
  const local = await versionNow(judging, record, { side: "local", place: places.local })
  const remote = await versionNow(judging, record, { side: "remote", place: places.remote })
  if (!local.ok) return local
  if (!remote.ok) return remote
  const chosen = await chooseOpen(judging, record, { choice, local: local.value, remote: remote.value })
  if (!chosen.ok) return chosen
  const { content, mergedKeys } = chosen.value
  const there = await sightAt(judging, path)
  const holdsIt = there.kind === "file" && there.hash === content.hash
  // Half of an earlier resolve may have happened: the path holds the choice, and a copy is gone.
  const gone = local.value.isGone ? places.local : remote.value.isGone ? places.remote : undefined
  if (gone !== undefined && !holdsIt) return err({ conflict, path, why: "copy_gone", copy: gone })
  if (places.remote !== path && there.kind !== "absent" && !holdsIt)
    return err({ conflict, path, why: "path_taken" })
  const removed = [places.local, places.remote].filter((place) => place !== path)
  const op = choice.kind === "keep" && choice.keep === "merged" ? "merge" : "restore"
  return ok({
    record,
    removed,
    hash: content.hash,
    goals: [{ path, op, content }, ...removed.map((copy): Goal => ({ path: copy, op: "restore" }))],
    ...(mergedKeys !== undefined && { mergedKeys }),
  })
}

/** A version of an open conflict: its copy as it is now, or out of the history where the copy is gone. */
interface VersionNow {
  readonly content: Content
  readonly isGone: boolean
  read(): Promise<Uint8Array | undefined>
}

async function versionNow(
  judging: ResolveJudging,
  record: ConflictRecord,
  { side, place }: { readonly side: Side; readonly place: RelativePath },
): Promise<Judged<VersionNow>> {
  const { id: conflict, path } = record
  const sight = await sightAt(judging, place)
  if (sight.kind === "torn") return err({ conflict, path, why: "copy_torn", copy: place })
  if (sight.kind === "file") {
    const { hash, sizeBytes, source, read } = sight
    return ok({ content: { hash, sizeBytes, source }, isGone: false, read })
  }
  const version = record[side]
  if (version?.hash === undefined) return err({ conflict, path, why: "copy_gone", copy: place })
  const { hash, sizeBytes } = version
  const bytes = await keptBytes(judging.source, hash)
  return ok({
    content: { hash, sizeBytes, source: { kind: "history", hash } },
    isGone: true,
    read: () => Promise.resolve(bytes.ok ? bytes.value : undefined),
  })
}

interface Chosen {
  readonly content: Content
  readonly mergedKeys?: readonly string[]
}

async function chooseOpen(
  judging: ResolveJudging,
  record: ConflictRecord,
  at: { readonly choice: Choice; readonly local: VersionNow; readonly remote: VersionNow },
): Promise<Judged<Chosen>> {
  const { choice, local, remote } = at
  const { id: conflict, path } = record
  if (choice.kind === "use") {
    const isOther = (side: Side) =>
      choice.from?.[side] !== undefined && choice.from[side] !== at[side].content.hash
    return SIDES.some(isOther)
      ? err({ conflict, path, why: "changed_since" })
      : ok({ content: inline(judging, choice.bytes) })
  }
  if (choice.keep === "merged") {
    const [ours, theirs] = [await local.read(), await remote.read()]
    return merged(judging, record, { ours, theirs })
  }
  return ok({ content: (choice.keep === "local" ? local : remote).content })
}

/** What both sides made of the version they come from. */
async function merged(
  judging: ResolveJudging,
  record: ConflictRecord,
  { ours, theirs }: { readonly ours: Uint8Array | undefined; readonly theirs: Uint8Array | undefined },
): Promise<Judged<Chosen>> {
  const { id: conflict, path, base } = record
  if (base === undefined) return err({ conflict, path, why: "no_base" })
  const before = await keptBytes(judging.source, base.hash)
  if (!before.ok)
    return err({ conflict, path, why: before.error === "too_large" ? "not_text" : "version_not_here" })
  if (ours === undefined || theirs === undefined) return err({ conflict, path, why: "version_not_here" })
  const result = mergeText({ base: before.value, ours, theirs })
  if (result.kind === "clean")
    return ok({ content: inline(judging, result.bytes), mergedKeys: result.frontMatter })
  if (result.kind === "binary") return err({ conflict, path, why: "not_text" })
  const [first] = result.overlaps
  return err({
    conflict,
    path,
    why: "overlap",
    places: result.places,
    ...(first !== undefined && { first: { line: first.line, local: first.ours, remote: first.theirs } }),
  })
}

async function judgeDecided(
  judging: ResolveJudging,
  record: ConflictRecord,
  choice: Choice,
): Promise<Judged<Resolving>> {
  const { id: conflict, path, decision } = record
  const { winner } = decision
  const loser = winner === undefined ? undefined : record[otherSide(winner)]
  if (winner === undefined || loser?.hash === undefined)
    return err({ conflict, path, why: "version_not_here" })
  const isAsDecided = choice.kind === "keep" && (choice.keep === "winner" || choice.keep === winner)
  if (isAsDecided) return ok({ record, goals: [], removed: [] })
  const lost: Content = {
    hash: loser.hash,
    sizeBytes: loser.sizeBytes,
    source: { kind: "history", hash: loser.hash },
  }
  if ((await judging.source.ledger.keptAt(loser.hash)) === undefined)
    return err({ conflict, path, why: "version_not_here" })
  if (choice.kind === "keep" && choice.keep === "both") {
    const copy = namesOver((name) => judging.state.paths.has(name)).takeOne(path, "any")
    return ok({ record, copy, removed: [], goals: [{ path: copy, op: "restore", content: lost }] })
  }
  const chosen = await chooseDecided(judging, record, { choice, lost })
  if (!chosen.ok) return chosen
  const put = await putOver(judging, record, chosen.value.content)
  if (!put.ok) return put
  const { mergedKeys } = chosen.value
  return ok({
    record,
    removed: [],
    hash: put.value.content?.hash ?? chosen.value.content.hash,
    goals: [put.value],
    ...(mergedKeys !== undefined && { mergedKeys }),
  })
}

async function chooseDecided(
  judging: ResolveJudging,
  record: ConflictRecord,
  { choice, lost }: { readonly choice: Choice; readonly lost: Content },
): Promise<Judged<Chosen>> {
  if (choice.kind === "use") return ok({ content: inline(judging, choice.bytes) })
  if (choice.keep !== "merged") return ok({ content: lost })
  const bytesOf = async (side: Side) => {
    const hash = record[side]?.hash
    const bytes = hash === undefined ? undefined : await keptBytes(judging.source, hash)
    return bytes?.ok === true ? bytes.value : undefined
  }
  const [ours, theirs] = [await bytesOf("local"), await bytesOf("remote")]
  return merged(judging, record, { ours, theirs })
}

/**
 * Content at the path of a decision. Where the path still holds what the decision left, it is replaced; an edit since
 * then is kept by merging the new content with it.
 */
async function putOver(
  judging: ResolveJudging,
  record: ConflictRecord,
  content: Content,
): Promise<Judged<Goal>> {
  const { id: conflict, path, decision } = record
  const won = decision.winner === undefined ? undefined : record[decision.winner]?.hash
  const there = await sightAt(judging, path)
  if (there.kind !== "file" || won === undefined) return err({ conflict, path, why: "changed_since" })
  if (there.hash === content.hash || there.hash === won) return ok({ path, op: "restore", content })
  const base = await keptBytes(judging.source, won)
  const [ours, theirs] = [await there.read(), await contentBytes(judging, content)]
  if (!base.ok || ours === undefined || theirs === undefined)
    return err({ conflict, path, why: "changed_since" })
  const result = mergeText({ base: base.value, ours, theirs })
  if (result.kind !== "clean") return err({ conflict, path, why: "changed_since" })
  return ok({ path, op: "merge", content: inline(judging, result.bytes) })
}

async function contentBytes(
  { source }: ResolveJudging,
  { source: from, hash }: Content,
): Promise<Uint8Array | undefined> {
  if (from.kind === "inline") return Buffer.from(from.base64, "base64")
  const kept = await keptBytes(source, hash)
  return kept.ok ? kept.value : undefined
}
