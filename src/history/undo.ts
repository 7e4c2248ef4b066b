/**
 * What an undo has to put back: for each path, what it is expected to hold and what it shall hold again. PURE.
 *
 * An event is undone by its own two ends: what was there after it, and what was there before. Several events of one
 * path are one step from the last to the first.
 */

import type { EventOf, JournalEvent, UndoStep } from "../model/event.ts"
import type { ContentHash } from "../model/ids.ts"
import type { RelativePath } from "../model/path.ts"

interface Ends {
  readonly before?: ContentHash
  readonly beforeSizeBytes?: number
  readonly after?: ContentHash
}

/** The steps that take these events back, in the order in which the paths were first changed. */
export function undoSteps(events: readonly JournalEvent[]): readonly UndoStep[] {
  const ends = new Map<RelativePath, Ends>()
  for (const event of events) {
    if (event.type !== "done") continue
    for (const [path, change] of endsOf(event)) {
      const first = ends.get(path)
      ends.set(path, first === undefined ? change : endsFrom(first, change))
    }
  }
  return [...ends]
    .filter(([, { before, after }]) => before !== after)
    .map(([path, change]) => stepOf(path, change))
}

/** The events that only gave both versions names of their own: nothing was replaced, so there is nothing to put back. */
export function keptBoth(events: readonly JournalEvent[]): readonly EventOf<"done">[] {
  return events.filter((event): event is EventOf<"done"> => event.type === "done" && isKeptBoth(event))
}

function isKeptBoth(event: EventOf<"done">): boolean {
  return event.op === "conflict" && event.before === undefined
}

function endsOf(event: EventOf<"done">): readonly (readonly [RelativePath, Ends])[] {
  if (isKeptBoth(event)) return []
  const { path, to, before, beforeSizeBytes, after } = event
  if (event.change === "move" && to !== undefined) {
    const moved = after.find((agreement) => agreement.path === to)?.content
    if (moved?.hash === undefined) return []
    return [
      [path, { before: moved.hash, beforeSizeBytes: moved.sizeBytes }],
      [to, { after: moved.hash }],
    ]
  }
  const now = after.find((agreement) => agreement.path === path)?.content?.hash
  return [
    [
      path,
      {
        ...(before !== undefined && { before }),
        ...(beforeSizeBytes !== undefined && { beforeSizeBytes }),
        ...(now !== undefined && { after: now }),
      },
    ],
  ]
}

function endsFrom({ before, beforeSizeBytes }: Ends, { after }: Ends): Ends {
  return {
    ...(before !== undefined && { before }),
    ...(beforeSizeBytes !== undefined && { beforeSizeBytes }),
    ...(after !== undefined && { after }),
  }
}

function stepOf(path: RelativePath, { before, beforeSizeBytes, after }: Ends): UndoStep {
  return {
    path,
    ...(after !== undefined && { from: after }),
    ...(before !== undefined && { to: before }),
    ...(before !== undefined && beforeSizeBytes !== undefined && { toSizeBytes: beforeSizeBytes }),
  }
}

export interface AgreedContent {
  readonly hash: ContentHash
  readonly sizeBytes: number
}

/** What both sides agreed on after these events, by path. */
export async function agreedTree(
  events: AsyncIterable<JournalEvent>,
  upTo: number,
): Promise<ReadonlyMap<RelativePath, AgreedContent>> {
  const tree = new Map<RelativePath, AgreedContent>()
  for await (const event of events) {
    if (event.seq > upTo) break
    for (const [path, content] of agreementsOf(event)) {
      if (content?.hash === undefined) tree.delete(path)
      else tree.set(path, { hash: content.hash, sizeBytes: content.sizeBytes })
    }
  }
  return tree
}

function agreementsOf(
  event: JournalEvent,
): readonly (readonly [
  RelativePath,
  { readonly hash?: ContentHash; readonly sizeBytes: number } | undefined,
])[] {
  if (event.type === "done") return event.after.map(({ path, content }) => [path, content])
  return event.type === "agreed" ? event.items.map(({ path, version }) => [path, version]) : []
}

/** The steps from one agreed tree to another. */
export function stepsBetween(
  from: ReadonlyMap<RelativePath, AgreedContent>,
  to: ReadonlyMap<RelativePath, AgreedContent>,
): readonly UndoStep[] {
  const steps: UndoStep[] = []
  for (const path of new Set([...from.keys(), ...to.keys()])) {
    const [now, then] = [from.get(path), to.get(path)]
    if (now?.hash === then?.hash) continue
    steps.push({
      path,
      ...(now !== undefined && { from: now.hash }),
      ...(then !== undefined && { to: then.hash, toSizeBytes: then.sizeBytes }),
    })
  }
  return steps
}
