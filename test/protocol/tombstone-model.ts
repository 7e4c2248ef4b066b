/**
 * The tombstone protocol as a small model: one key, deleters and writers, requests that travel as long as they like.
 *
 * Of time only ages count, and only whether they are past a limit; any step may let all of them jump. A server carries
 * requests out in any order, however late; an answer may never come. The rules of time are the program's own.
 */

import { isAbandonedAfter, mayStillSend } from "../../src/s3/tombstone-rules.ts"
import type { Model } from "./explore.ts"

export interface Rules {
  /** May the DELETE of a tombstone whose PUT was sent at, and answered at, still leave now? */
  readonly maySend: (agesMs: { readonly sent: number; readonly answered: number }) => boolean
  readonly isAbandoned: (ageMs: number) => boolean
  /** Seconds after its sending in which the server takes a presigned DELETE. */
  readonly expiresMs: number
}

const clock = (ms: number) => ({ monotonicMs: ms, wallMs: ms })

export const RULES: Rules = {
  maySend: ({ sent }) => mayStillSend(clock(0), clock(sent)),
  isAbandoned: (ageMs) => isAbandonedAfter(ageMs, { refusesLate: true }),
  expiresMs: 60_000,
}

/** What is at the key: nothing, a note (a letter), or a tombstone of a deleter, with its age. */
type Key = { readonly kind: "absent" } | { readonly kind: "note"; readonly version: string } | Tomb
interface Tomb {
  readonly kind: "tombstone"
  readonly of: string
  readonly ageMs: number
}

interface Deleter {
  readonly name: string
  readonly at: "idle" | "putting" | "landed" | "put" | "ended"
  /** Since its last tombstone was sent, and was answered. */
  readonly sentMs: number
  readonly answeredMs: number
  /** Tombstones put so far: each is unique. */
  readonly tombs: number
}

type Request =
  | { readonly kind: "tombstone"; readonly from: string; readonly tomb: string; readonly expects: string }
  | { readonly kind: "delete"; readonly ageMs: number }
  | { readonly kind: "write"; readonly expects: string; readonly version: string }

export interface State {
  readonly key: Key
  readonly deleters: readonly Deleter[]
  /** Writers that have not written yet. */
  readonly writers: readonly string[]
  readonly underWay: readonly Request[]
  /** The newest version that the server acknowledged to a writer, and nobody replaced. */
  readonly acknowledged: string
  readonly isLost: boolean
}

const STEP_MS = 30_000
/** Past every limit in seconds, and past every limit in minutes. */
const OLD_MS = 90_000
const ANCIENT_MS = 11 * 60_000

function older(ageMs: number, jumpMs: number): number {
  if (jumpMs === ANCIENT_MS || ageMs === ANCIENT_MS) return ANCIENT_MS
  return Math.min(ageMs + jumpMs, OLD_MS)
}

/** Everything that has an age grows older by as much. */
function later(state: State, jumpMs: number): State {
  const { key } = state
  return {
    ...state,
    key: key.kind === "tombstone" ? { ...key, ageMs: older(key.ageMs, jumpMs) } : key,
    deleters: state.deleters.map((each) =>
      each.at !== "idle" && each.at !== "ended"
        ? { ...each, sentMs: older(each.sentMs, jumpMs), answeredMs: older(each.answeredMs, jumpMs) }
        : each,
    ),
    underWay: inOrder(
      state.underWay.map((each) =>
        each.kind === "delete" ? { ...each, ageMs: older(each.ageMs, jumpMs) } : each,
      ),
    ),
  }
}

function nameOf(key: Key): string {
  switch (key.kind) {
    case "absent":
      return "-"
    case "note":
      return key.version
    case "tombstone":
      return key.of
  }
}

export function tombstoneModel(
  rules: Rules,
  size: { readonly deleters: readonly string[]; readonly writers: readonly string[] },
): Model<State> {
  const start: State = {
    key: { kind: "note", version: "base" },
    deleters: size.deleters.map((name) => ({ name, at: "idle", sentMs: 0, answeredMs: 0, tombs: 0 })),
    writers: size.writers,
    underWay: [],
    acknowledged: "",
    isLost: false,
  }
  return {
    start,
    *next(state) {
      for (const [index, deleter] of state.deleters.entries())
        yield* deleterSteps(state, index, deleter, rules)
      for (const writer of state.writers) yield* writerSteps(state, writer)
      for (const [index, request] of state.underWay.entries()) {
        // One that is lost is one that is still under way.
        yield arrive({ ...state, underWay: state.underWay.filter((_, at) => at !== index) }, request, rules)
      }
      yield later(state, STEP_MS)
      yield later(state, ANCIENT_MS)
    },
    violation: ({ isLost }) => (isLost ? "an acknowledged write was deleted" : undefined),
  }
}

/** Requests have no order among themselves. */
function inOrder(requests: readonly Request[]): readonly Request[] {
  return requests
    .map((request) => [JSON.stringify(request), request] as const)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([, request]) => request)
}

function* deleterSteps(state: State, index: number, deleter: Deleter, rules: Rules): Iterable<State> {
  const become = (next: Partial<Deleter>, underWay: readonly Request[] = []): State => ({
    ...state,
    underWay: inOrder([...state.underWay, ...underWay]),
    deleters: state.deleters.map((each, at) => (at === index ? { ...each, ...next } : each)),
  })
  const { key } = state
  if (deleter.at === "idle" && deleter.tombs < 2) {
    const mayPut =
      (key.kind === "note" && key.version === "base") ||
      (key.kind === "tombstone" && rules.isAbandoned(key.ageMs))
    const tomb = `${deleter.name}${deleter.tombs + 1}`
    if (mayPut)
      yield become({ at: "putting", sentMs: 0, answeredMs: 0, tombs: deleter.tombs + 1 }, [
        { kind: "tombstone", from: deleter.name, tomb, expects: nameOf(key) },
      ])
  }
  // The answer to its tombstone arrives, whenever it does.
  if (deleter.at === "landed") yield become({ at: "put", answeredMs: 0 })
  if (deleter.at === "put") {
    const { sentMs, answeredMs } = deleter
    if (rules.maySend({ sent: sentMs, answered: answeredMs }))
      yield become({ at: "ended", sentMs: 0, answeredMs: 0 }, [{ kind: "delete", ageMs: 0 }])
  }
  // A crash, or an answer that never came: it begins anew, and takes over like everybody else.
  if (deleter.at !== "idle") yield become({ at: "idle", sentMs: 0, answeredMs: 0 })
}

/** A writer conditions its write on what it saw; a tombstone is never that. */
function* writerSteps(state: State, writer: string): Iterable<State> {
  const { key } = state
  if (key.kind === "tombstone") return
  yield {
    ...state,
    writers: state.writers.filter((each) => each !== writer),
    underWay: inOrder([...state.underWay, { kind: "write", expects: nameOf(key), version: writer }]),
  }
}

function arrive(state: State, request: Request, rules: Rules): State {
  const { key } = state
  switch (request.kind) {
    case "tombstone": {
      if (nameOf(key) !== request.expects) return answer(state, request.from, false)
      return answer({ ...state, key: { kind: "tombstone", of: request.tomb, ageMs: 0 } }, request.from, true)
    }
    case "write":
      if (nameOf(key) !== request.expects) return state
      return { ...state, key: { kind: "note", version: request.version }, acknowledged: request.version }
    case "delete": {
      if (request.ageMs > rules.expiresMs) return state
      // Deleting a note that a writer was told is there: nobody asked for that.
      const isLoss = key.kind === "note" && key.version === state.acknowledged
      return { ...state, key: { kind: "absent" }, isLost: state.isLost || isLoss }
    }
  }
}

function answer(state: State, name: string, isPut: boolean): State {
  return {
    ...state,
    deleters: state.deleters.map((each) =>
      each.name === name && each.at === "putting" ? { ...each, at: isPut ? "landed" : "ended" } : each,
    ),
  }
}
