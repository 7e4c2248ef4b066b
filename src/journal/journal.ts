/**
 * The journal: an append-only chain of events. It never changes or forgets one.
 *
 * Each event carries the hash of the bytes of the one before, as a git commit does, and sequences have no gaps: a
 * record that the database lost without a word breaks the chain. What is derived from events (folded state, indexes)
 * is written in the same batch, so that it can never be ahead of them or behind.
 */

import type { EventBody, JournalEvent } from "../model/event.ts"
import type { ContentHash, RunId, Sequence, Sha256 } from "../model/ids.ts"
import type { KeyChange, KeyValueStore } from "../model/ports.ts"
import { err, ok, type Result } from "../model/result.ts"
import { EVENT_RANGE, eventKey, HEAD_KEY } from "./keys.ts"
import { StoreDamaged } from "./store-trouble.ts"

export const FORMAT = 1

export interface JournalHead {
  readonly format: number
  readonly sequence: Sequence
  readonly hash: ContentHash
}

export type JournalProblem =
  | { readonly kind: "too_new"; readonly format: number }
  | { readonly kind: "damaged"; readonly why: string; readonly at?: Sequence }

export interface AppendOptions {
  readonly at: string
  readonly run?: RunId
  readonly sync: boolean
  /** What is derived from the new events, to be written with them. */
  readonly derive: (events: readonly JournalEvent[]) => readonly KeyChange[]
}

export interface Journal {
  readonly store: KeyValueStore
  head(): JournalHead
  append(bodies: readonly EventBody[], options: AppendOptions): Promise<readonly JournalEvent[]>
  get(sequence: Sequence): Promise<JournalEvent | undefined>
  /** Events from `from` on, in order, as they are stored. */
  events(from?: Sequence): AsyncIterable<JournalEvent>
}

const EMPTY_SEQUENCE = 0

/** Opens a journal and looks whether its end is what its head says; `verifyChain` looks at all of it. */
export async function openJournal(
  store: KeyValueStore,
  sha256: Sha256,
): Promise<Result<Journal, JournalProblem>> {
  const found = await readHead(store, sha256)
  if (!found.ok) return found
  let head = found.value
  return ok({
    store,
    head: () => head,
    async append(bodies, options) {
      const chained = chain(bodies, { head, options, sha256 })
      const changes: KeyChange[] = chained.events.map((event, index) => ({
        key: eventKey(event.seq),
        value: chained.texts[index] ?? "",
      }))
      changes.push(...options.derive(chained.events), { key: HEAD_KEY, value: JSON.stringify(chained.head) })
      await store.write(changes, { sync: options.sync })
      head = chained.head
      return chained.events
    },
    async get(sequence) {
      const text = await store.get(eventKey(sequence))
      return text === undefined ? undefined : decodeEvent(text)
    },
    async *events(from = 1) {
      for await (const rows of store.range({ from: eventKey(from), before: EVENT_RANGE.before })) {
        for (const [, text] of rows) yield decodeEvent(text)
      }
    },
  })
}

function chain(
  bodies: readonly EventBody[],
  {
    head,
    options,
    sha256,
  }: { readonly head: JournalHead; readonly options: AppendOptions; readonly sha256: Sha256 },
): {
  readonly events: readonly JournalEvent[]
  readonly texts: readonly string[]
  readonly head: JournalHead
} {
  let { sequence, hash } = head
  const events: JournalEvent[] = []
  const texts: string[] = []
  for (const body of bodies) {
    sequence += 1
    const event: JournalEvent = {
      seq: sequence,
      at: options.at,
      ...(options.run !== undefined && { run: options.run }),
      ...body,
      prev: hash,
    }
    const text = JSON.stringify(event)
    hash = sha256(text)
    events.push(event)
    texts.push(text)
  }
  return { events, texts, head: { format: FORMAT, sequence, hash } }
}

async function readHead(store: KeyValueStore, sha256: Sha256): Promise<Result<JournalHead, JournalProblem>> {
  const text = await store.get(HEAD_KEY)
  const last = await lastEvent(store)
  if (text === undefined) {
    if (last !== undefined) return err({ kind: "damaged", why: "its head is missing" })
    return ok({ format: FORMAT, sequence: EMPTY_SEQUENCE, hash: sha256("") })
  }
  const head = parseHead(text)
  if (head === undefined) return err({ kind: "damaged", why: "its head cannot be read" })
  if (head.format > FORMAT) return err({ kind: "too_new", format: head.format })
  if (last === undefined || last.key !== eventKey(head.sequence) || sha256(last.text) !== head.hash) {
    return err({ kind: "damaged", why: `it does not end with event ${head.sequence}`, at: head.sequence })
  }
  return ok(head)
}

function parseHead(text: string): JournalHead | undefined {
  try {
    const head = JSON.parse(text) as JournalHead
    return Number.isInteger(head.format) && Number.isInteger(head.sequence) && typeof head.hash === "string"
      ? head
      : undefined
  } catch {
    return undefined
  }
}

async function lastEvent(
  store: KeyValueStore,
): Promise<{ readonly key: string; readonly text: string } | undefined> {
  for await (const rows of store.range({ ...EVENT_RANGE, reverse: true, limit: 1 })) {
    for (const [key, text] of rows) return { key, text }
  }
  return undefined
}

export function decodeEvent(text: string): JournalEvent {
  const event = tryDecode(text)
  if (event === undefined) throw new StoreDamaged("an event cannot be read")
  return event
}

export interface ChainReport {
  readonly entries: number
  readonly finding?: {
    readonly kind: "gap" | "broken_link" | "unreadable" | "tail_missing" | "empty"
    readonly at: Sequence
  }
}

/**
 * Follows the chain from event 1 to its end and hands every sound event to `visit`.
 *
 * Errors: the first gap, broken link, or unreadable event ends it and is the finding.
 */
export async function verifyChain(
  store: KeyValueStore,
  options: { readonly sha256: Sha256; readonly visit: (event: JournalEvent, hash: ContentHash) => void },
): Promise<ChainReport> {
  let expected = 1
  let prev = options.sha256("")
  for await (const rows of store.range(EVENT_RANGE)) {
    for (const [key, text] of rows) {
      if (key !== eventKey(expected)) return { entries: expected - 1, finding: { kind: "gap", at: expected } }
      const event = tryDecode(text)
      if (event === undefined) return { entries: expected - 1, finding: { kind: "unreadable", at: expected } }
      if (event.seq !== expected || event.prev !== prev)
        return { entries: expected - 1, finding: { kind: "broken_link", at: expected } }
      prev = options.sha256(text)
      options.visit(event, prev)
      expected += 1
    }
  }
  const head = parseHead((await store.get(HEAD_KEY)) ?? "")
  if (expected === 1) return { entries: 0, finding: { kind: "empty", at: 1 } }
  if (head === undefined || head.sequence !== expected - 1 || head.hash !== prev) {
    return { entries: expected - 1, finding: { kind: "tail_missing", at: head?.sequence ?? expected } }
  }
  return { entries: expected - 1 }
}

function tryDecode(text: string): JournalEvent | undefined {
  try {
    const event: unknown = JSON.parse(text)
    return typeof event === "object" && event !== null ? (event as JournalEvent) : undefined
  } catch {
    return undefined
  }
}
